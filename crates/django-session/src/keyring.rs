//! Verifies and makes the signatures of rows with a site's `SECRET_KEY` and its fallbacks.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::base64;

/// Salt of Django's own `SessionStore` (Django 5.2 `sessions/backends/base.py`, `key_salt`).
pub const DEFAULT_KEY_SALT: &str = "django.contrib.sessions.SessionStore";

const SALT_PREFIX: &str = "django.contrib.sessions";
/// Characters of a SHA-1 signature.
const SHA1_LEN: usize = 27;
/// Characters of a SHA-256 signature.
const SHA256_LEN: usize = 43;

/// The `SECRET_KEY` of a site and its `SECRET_KEY_FALLBACKS`, ready to verify rows of every layout.
///
/// Any of the keys may have signed any row: releases before 4.1 know no fallbacks, but a row is
/// accepted here if one release with one of these as its `SECRET_KEY` would accept it. Only the
/// first, the `SECRET_KEY`, ever signs.
#[derive(Clone, Default)]
pub struct Keyring(Vec<Key>);

/// Hash states with the derived key already absorbed, so that a row costs only its own bytes.
#[derive(Clone)]
struct Key {
    secret: Vec<u8>,
    signed_sha256: Hmac<Sha256>,
    signed_sha1: Hmac<Sha1>,
    /// One for each name that the class may have.
    legacy: Vec<Hmac<Sha1>>,
}

/// One of the names that the site's `SessionStore` may have.
#[derive(Clone, Copy)]
pub(super) struct Class(usize);

impl Keyring {
    /// Derives the keys. `key_salt` is `SessionStore.key_salt`, usually [`DEFAULT_KEY_SALT`]. The
    /// layout before Django 3.1 has its salt made from the name of the class, which is the last
    /// dotted part of a salt that Django made. A salt that the site made itself does not tell the
    /// name, so there the usual one counts as well.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>, key_salt: &str) -> Self {
        let made_by_django = key_salt.strip_prefix(SALT_PREFIX);
        let class_name = made_by_django.unwrap_or(key_salt).rsplit('.').next().unwrap_or_default();
        let mut class_names = vec![class_name];
        if made_by_django.is_none() {
            class_names.push("SessionStore");
        }
        let signed_salt = format!("{key_salt}signer");
        let legacy_salts: Vec<String> =
            class_names.iter().map(|name| format!("{SALT_PREFIX}{name}")).collect();
        let key = |secret: S| Key::new(secret.as_ref(), &signed_salt, &legacy_salts);
        Self(secrets.into_iter().map(key).collect())
    }

    /// Without a key nothing can be verified.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first key: the `SECRET_KEY`.
    pub fn secret(&self) -> Option<&[u8]> {
        self.0.first().map(|key| &*key.secret)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Layout of Django 3.1 and later: SHA-256, or SHA-1 as 3.1 and 3.2 also read. The length of
    /// the text says which; it is compared as text, as Django does.
    pub(super) fn signed_by(&self, value: &[u8], signature: &[u8]) -> Option<usize> {
        self.0.iter().position(|key| match signature.len() {
            SHA1_LEN => same(&key.signed_sha1(value), signature),
            _ => same(&key.signed_sha256(value), signature),
        })
    }

    /// What the first key makes of `value`, by the same hash as a signature of this length.
    pub(super) fn sign_signed(&self, value: &[u8], len: usize) -> Option<String> {
        let text = |text: &[u8]| text.iter().copied().map(char::from).collect();
        self.0.first().map(|key| match len {
            SHA1_LEN => text(&key.signed_sha1(value)),
            _ => text(&key.signed_sha256(value)),
        })
    }

    /// Layout of Django 1.3 to 3.0: hex HMAC-SHA1 of the payload.
    pub(super) fn legacy_by(&self, payload: &[u8], hash: &[u8]) -> Option<usize> {
        self.0.iter().position(|key| key.class(payload, hash).is_some())
    }

    /// The class whose name went into a hash that one of the keys made.
    pub(super) fn legacy_class(&self, payload: &[u8], hash: &[u8]) -> Option<Class> {
        self.0.iter().find_map(|key| key.class(payload, hash))
    }

    /// What the first key makes of `payload`, for the class that an older hash was made for.
    pub(super) fn sign_legacy(&self, payload: &[u8], class: Class) -> Option<[u8; 40]> {
        self.0.first().and_then(|key| key.legacy.get(class.0)).map(|class| legacy(class, payload))
    }

    /// Layout of Django 1.2: hex MD5 of the payload followed by the secret.
    pub(super) fn md5_by(&self, payload: &[u8], hash: &[u8]) -> Option<usize> {
        self.0.iter().position(|key| {
            let digest = Md5::new().chain_update(payload).chain_update(&key.secret);
            same(&hex::<32>(&digest.finalize()), hash)
        })
    }
}

/// Says how many keys there are, never what they are.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({} keys)", self.0.len())
    }
}

impl Key {
    /// Django's `salted_hmac`: the key is the digest of salt and secret, by the same hash.
    fn new(secret: &[u8], signed_salt: &str, legacy_salts: &[String]) -> Self {
        let sha256 = Sha256::new().chain_update(signed_salt).chain_update(secret);
        let sha1 = Sha1::new().chain_update(signed_salt).chain_update(secret);
        let legacy = |salt| Sha1::new().chain_update(salt).chain_update(secret).finalize();
        Self {
            secret: secret.to_vec(),
            signed_sha256: keyed(&sha256.finalize()),
            signed_sha1: keyed(&sha1.finalize()),
            legacy: legacy_salts.iter().map(|salt| keyed(&legacy(salt))).collect(),
        }
    }

    fn class(&self, payload: &[u8], hash: &[u8]) -> Option<Class> {
        self.legacy.iter().position(|class| same(&legacy(class, payload), hash)).map(Class)
    }

    fn signed_sha1(&self, value: &[u8]) -> [u8; SHA1_LEN] {
        let mac = self.signed_sha1.clone().chain_update(value).finalize();
        base64::encode_url_array(&mac.into_bytes())
    }

    fn signed_sha256(&self, value: &[u8]) -> [u8; SHA256_LEN] {
        let mac = self.signed_sha256.clone().chain_update(value).finalize();
        base64::encode_url_array(&mac.into_bytes())
    }
}

fn keyed<M: KeyInit>(key: &[u8]) -> M {
    // HMAC takes keys of any length (RFC 2104 §2), so there is no error to report.
    M::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"))
}

/// Takes as long wherever they differ. The slices' own `ct_eq` keeps the compiler from comparing many bytes at once.
fn same(computed: &[u8], given: &[u8]) -> bool {
    let differences = computed.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
    computed.len() == given.len() && differences.ct_eq(&0).into()
}

fn legacy(class: &Hmac<Sha1>, payload: &[u8]) -> [u8; 40] {
    hex(&class.clone().chain_update(payload).finalize().into_bytes())
}

fn hex<const N: usize>(digest: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| {
        let byte = digest.get(i / 2).copied().unwrap_or(0);
        let digit = if i % 2 == 0 { byte >> 4 } else { byte & 15 };
        match digit {
            0..=9 => b'0' + digit,
            _ => b'a' + digit - 10,
        }
    })
}

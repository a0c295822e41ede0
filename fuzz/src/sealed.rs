//! Payloads as Django stores them.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::SECRETS;

/// How a payload is stored, chosen by the bits of a byte.
pub(crate) struct How(pub(crate) u8);

impl How {
    fn secret(&self) -> &'static str {
        SECRETS[usize::from(self.0 & 1)]
    }

    pub(crate) fn seal(&self, payload: &[u8]) -> String {
        if self.0 & 2 == 0 { self.signed(payload) } else { self.legacy(payload) }
    }

    /// Django 3.1 and later.
    fn signed(&self, payload: &[u8]) -> String {
        let data = if self.0 & 4 == 0 {
            URL_SAFE_NO_PAD.encode(payload)
        } else {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
            zlib.write_all(payload).unwrap();
            format!(".{}", URL_SAFE_NO_PAD.encode(zlib.finish().unwrap()))
        };
        let value = format!("{data}:1xUwpu");
        let salt = "django.contrib.sessions.SessionStoresigner";
        let signature = if self.0 & 8 == 0 {
            let key = Sha256::new().chain_update(salt).chain_update(self.secret()).finalize();
            let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(&value);
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        } else {
            let key = Sha1::new().chain_update(salt).chain_update(self.secret()).finalize();
            let mac = Hmac::<Sha1>::new_from_slice(&key).unwrap().chain_update(&value);
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        };
        format!("{value}:{signature}")
    }

    /// Django 1.3 to 3.0.
    fn legacy(&self, payload: &[u8]) -> String {
        let salt = "django.contrib.sessionsSessionStore";
        let key = Sha1::new().chain_update(salt).chain_update(self.secret()).finalize();
        let mac = Hmac::<Sha1>::new_from_slice(&key).unwrap().chain_update(payload);
        let mac = mac.finalize().into_bytes();
        let hash: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        STANDARD.encode([hash.as_bytes(), b":", payload].concat())
    }
}

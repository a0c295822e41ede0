//! The layouts of stored rows: where the payload is, and which signature proves who wrote it.

use super::keyring::Keyring;
use super::{DecodeError, Layout, base64, zlib};

/// What a signature is computed over, and the signature as it was stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal<'s> {
    layout: Layout,
    message: &'s [u8],
    signature: &'s [u8],
}

impl<'s> Seal<'s> {
    pub(super) fn verify(&self, keyring: &Keyring) -> bool {
        self.made_by(keyring).is_some()
    }

    /// The place in the keyring of the key that made it.
    pub(super) fn made_by(&self, keyring: &Keyring) -> Option<usize> {
        match self.layout {
            Layout::Signed => keyring.signed_by(self.message, self.signature),
            Layout::Legacy => keyring.legacy_by(self.message, self.signature),
            Layout::Md5 => keyring.md5_by(self.message, self.signature),
        }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// What it is computed over.
    pub(super) fn message(&self) -> &'s [u8] {
        self.message
    }

    /// Whether some key could have made it: a signature has the length of its hash.
    pub(super) fn is_possible(&self) -> bool {
        self.layout != Layout::Signed
            || (matches!(self.signature.len(), 27 | 43)
                && self.signature.iter().copied().all(is_url))
    }

    /// Another payload as stored text for the readers of this one, which a key must have verified:
    /// same layout, same hash, same class, but signed by the first key. `None` in the md5 layout.
    ///
    /// The hash stays because Django 3.1 and 3.2 with `DEFAULT_HASHING_ALGORITHM = "sha1"` read
    /// SHA-1 only.
    pub(super) fn renew(&self, payload: &[u8], saved: i64, keyring: &Keyring) -> Option<String> {
        match self.layout {
            Layout::Signed => {
                let deflated = zlib::deflate(payload);
                let dot = if deflated.is_some() { "." } else { "" };
                let data = base64::encode_url(deflated.as_deref().unwrap_or(payload));
                let value = format!("{dot}{data}:{}", base62(saved));
                let signature = keyring.sign_signed(value.as_bytes(), self.signature.len())?;
                Some(format!("{value}:{signature}"))
            }
            Layout::Legacy => {
                let class = keyring.legacy_class(self.message, self.signature)?;
                let hash = keyring.sign_legacy(payload, class)?;
                Some(base64::encode_standard(&[&hash, &b":"[..], payload].concat()))
            }
            Layout::Md5 => None,
        }
    }
}

/// `["."]data:time:signature`, the layout since Django 3.1 (`signing.dumps`), split from the right
/// as Django does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'s> {
    pub(super) seal: Seal<'s>,
    /// base64 text, without the dot.
    pub(super) data: &'s [u8],
    pub(super) compressed: bool,
    /// Seconds since 1970 at which the session was saved; `None` for a time beyond 64 bits, which
    /// Django accepts as it never looks at it.
    pub(super) saved: Result<Option<i64>, DecodeError>,
    /// Whether time and signature look as Django writes them. What does not may still verify, but
    /// then another layout has to be considered too: the old ones skip stray colons.
    pub(super) is_regular: bool,
}

impl<'s> Signed<'s> {
    pub(super) fn split(stored: &'s str) -> Option<Self> {
        let stored = stored.as_bytes();
        // SHA-256 and SHA-1.
        let regular = split_signature::<43>(stored).or_else(|| split_signature::<27>(stored));
        let (message, signature) = regular.or_else(|| split_at_last_colon(stored))?;
        let (value, time) = split_at_last_colon(message)?;
        let data = value.strip_prefix(b".");
        let saved = read_base62(time);
        Some(Self {
            seal: Seal { layout: Layout::Signed, message, signature },
            data: data.unwrap_or(value),
            compressed: data.is_some(),
            saved,
            is_regular: regular.is_some() && saved.is_ok(),
        })
    }
}

/// What is before and what is behind a colon that comes before the last `LEN` bytes, if these look like a
/// signature: then it is the last colon.
fn split_signature<const LEN: usize>(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, signature) = text.split_last_chunk::<LEN>()?;
    // Without a way out in between there are no branches.
    let odd = signature.iter().fold(false, |odd, byte| odd | !is_url(*byte));
    before.strip_suffix(b":").filter(|_| !odd).map(|message| (message, &signature[..]))
}

fn split_at_last_colon(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| *byte == b':')?;
    let (before, colon) = text.split_at_checked(at)?;
    Some((before, colon.get(1..)?))
}

/// Base 62 with digits first, then upper case, then lower case, and an optional sign (Django 5.2
/// `signing.b62_decode`); `None` for a number beyond 64 bits.
pub(super) fn read_base62(text: &[u8]) -> Result<Option<i64>, DecodeError> {
    let (digits, sign) = match text.strip_prefix(b"-") {
        Some(digits) => (digits, -1),
        None if text.is_empty() => return Err(DecodeError::SaveTime),
        None => (text, 1),
    };
    let mut number = Some(0_i64);
    for byte in digits {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return Err(DecodeError::SaveTime),
        };
        number =
            number.and_then(|n| n.checked_mul(62)).and_then(|n| n.checked_add(i64::from(digit)));
    }
    Ok(number.map(|n| n * sign))
}

pub(super) fn is_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// What [`read_base62`] reads (Django 5.2 `signing.b62_encode`).
fn base62(seconds: i64) -> String {
    fn push(text: &mut String, number: u64) {
        if number >= 62 {
            push(text, number / 62);
        }
        let digit = u8::try_from(number % 62).unwrap_or_default();
        text.push(char::from(match digit {
            0..=9 => b'0' + digit,
            10..=35 => b'A' + digit - 10,
            _ => b'a' + digit - 36,
        }));
    }
    let mut text = String::from(if seconds < 0 { "-" } else { "" });
    push(&mut text, seconds.unsigned_abs());
    text
}

/// Whether a text may be base64 as a whole, judged by its first three bytes: hex digits of a hash,
/// or the beginning of a pickle. The readers of those layouts skip colons like any other junk, and
/// anybody who can write to the table can put them where a signed text has its own.
pub(super) fn may_be_whole(stored: &str) -> bool {
    // What zlib begins with is none of that.
    if stored.as_bytes().starts_with(ZLIB) {
        return false;
    }
    let Some(bytes) = first_bytes(stored.as_bytes()) else { return false };
    bytes.iter().copied().all(is_hex) || matches!(bytes.first(), Some(0x80 | b'(' | b'}' | b'c'))
}

/// A dot, and the beginning of a zlib stream.
const ZLIB: &[u8] = b".eJ";

/// The first three bytes of what is base64. Fewer than four characters are no text of any layout.
fn first_bytes(stored: &[u8]) -> Option<[u8; 3]> {
    let in_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut start = stored.iter().copied().filter(in_alphabet);
    base64::decode_group([(); 4].map(|()| start.next().unwrap_or(b'=')))
}

/// Whether it is base64 of JSON that is cut off nowhere.
fn is_whole_object(stored: &[u8]) -> bool {
    let mut bytes = Vec::new();
    base64::decode_url(stored, &mut bytes).is_ok()
        && bytes.starts_with(b"{")
        && bytes.ends_with(b"}")
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Whether a text, maybe a damaged one, begins as those that Django's own `encode` writes: with zlib, JSON, a hash, or the
/// pickle of a dictionary. Fernet tokens do not: they begin with 0x80 and 0.
///
/// A text with a dot inside is a token of another kind (JWT), and base64 of a whole object is what an `encode` without a
/// signature writes.
pub(super) fn begins_as_django_writes(stored: &[u8]) -> bool {
    if stored.iter().skip(1).any(|byte| *byte == b'.') || is_whole_object(stored) {
        return false;
    }
    stored.starts_with(ZLIB)
        || first_bytes(stored).is_none_or(|bytes| match bytes {
            [b'{', b'"' | b'}', _] | [b'(', b'd', _] | [b'}', b'q' | b'.' | b'(', _] => true,
            [0x80, protocol, opcode] => {
                (2..=5).contains(&protocol) && matches!(opcode, b'}' | b'(' | b'c' | 0x95)
            }
            hash => hash.into_iter().all(is_hex),
        })
}

/// The two layouts that are base64 as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<'s> {
    pub(super) seal: Seal<'s>,
    pub(super) payload: &'s [u8],
}

impl<'s> Whole<'s> {
    /// Takes decoded bytes apart as one of these layouts.
    pub(super) fn split(layout: Layout, decoded: &'s [u8]) -> Option<Self> {
        let (payload, signature) = match layout {
            Layout::Signed => None,
            // `hash:payload`, Django 1.3 to 3.0: 40 hex digits and the first colon.
            Layout::Legacy => {
                let (hash, rest) = decoded.split_at_checked(40)?;
                Some((rest.strip_prefix(b":")?, hash))
            }
            // Payload and hash, Django 1.2: the last 32 bytes are hex digits.
            Layout::Md5 => decoded.split_at_checked(decoded.len().checked_sub(32)?),
        }?;
        signature
            .iter()
            .copied()
            .all(is_hex)
            .then_some(Self { seal: Seal { layout, message: payload, signature }, payload })
    }
}

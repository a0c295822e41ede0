use flate2::{Compress, Compression, FlushCompress};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Writes `session_data` as Django 3.1 and later does (`django/core/signing.py`).
pub(crate) struct Encoder {
    mac: Hmac<Sha256>,
    deflate: Compress,
}

const SALT: &str = "django.contrib.sessions.SessionStoresigner";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Encoder {
    pub(crate) fn new(secret_key: &str) -> Self {
        let key = Sha256::new().chain_update(SALT).chain_update(secret_key).finalize();
        let mac = Hmac::new_from_slice(&key).expect("a key of any length will do");
        Self { mac, deflate: Compress::new(Compression::default(), true) }
    }

    /// The payload, compressed where that makes it shorter, signed at a time in seconds since 1970.
    pub(crate) fn encode(&mut self, payload: &str, saved: u64) -> String {
        let mut zlib = Vec::with_capacity(payload.len() + 64);
        self.deflate.reset();
        self.deflate
            .compress_vec(payload.as_bytes(), &mut zlib, FlushCompress::Finish)
            .expect("there is room enough");
        let mut text = String::with_capacity(320);
        if zlib.len() + 1 < payload.len() {
            text.push('.');
            push_base64(&mut text, &zlib);
        } else {
            push_base64(&mut text, payload.as_bytes());
        }
        text.push(':');
        push_base62(&mut text, saved);
        let mac = self.mac.clone().chain_update(&text).finalize().into_bytes();
        text.push(':');
        push_base64(&mut text, &mac);
        text
    }
}

fn push_base64(text: &mut String, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            text.push(char::from(BASE64[((bits >> (18 - 6 * digit)) & 63) as usize]));
        }
    }
}

fn push_base62(text: &mut String, number: u64) {
    if number >= 62 {
        push_base62(text, number / 62);
    }
    text.push(char::from(BASE62[(number % 62) as usize]));
}

//! Fingerprints of session keys, for logs: they identify a session but do not let anybody in.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Hexadecimal digits of a [`fingerprint`].
const LEN: usize = 16;

/// The fingerprint of a session key: the first 64 bits of its SHA-256. It identifies the key but cannot be
/// used to log in.
pub fn fingerprint(session_key: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(session_key).iter().take(LEN / 2) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn is_what_sha256sum_begins_with() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea");
    }
}

//! Base64 as leniently as Python's `binascii.a2b_base64` reads it: that is what every Django has
//! used, so what it accepts may be a login (CPython 3.13 `Modules/binascii.c`, non-strict mode).

use super::DecodeError;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const INVALID: u8 = 0xff;

/// Values of both alphabets: `+` and `/` are what `-` and `_` are.
static VALUES: [u8; 256] = values();

#[allow(clippy::indexing_slicing, reason = "runs at compile time, where a panic is a build error")]
const fn values() -> [u8; 256] {
    let mut table = [INVALID; 256];
    let mut value = 0_u8;
    while (value as usize) < STANDARD.len() {
        table[STANDARD[value as usize] as usize] = value;
        value += 1;
    }
    table[b'-' as usize] = table[b'+' as usize];
    table[b'_' as usize] = table[b'/' as usize];
    table
}

/// Encodes as `signing.b64_encode` does, without padding.
pub(super) fn encode_url(bytes: &[u8]) -> String {
    encode(bytes, URL)
}

/// Encodes as `base64.b64encode` does, on one line.
pub(super) fn encode_standard(bytes: &[u8]) -> String {
    let mut text = encode(bytes, STANDARD);
    let padding = text.len().wrapping_neg() % 4;
    text.extend(std::iter::repeat_n('=', padding));
    text
}

fn encode(bytes: &[u8], digits: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| usize::from(group.get(at).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        let digit = |at: usize| digits.get((bits >> (18 - 6 * at)) & 63).copied().map(char::from);
        text.extend((0..=group.len()).filter_map(digit));
    }
    text
}

/// Decodes text without padding, as `signing.b64_decode` does after it has added the padding back:
/// `-len(text) % 4` signs (Django 5.2 `core/signing.py`). Both alphabets are taken.
pub(super) fn decode_url(text: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let padding = text.len().wrapping_neg() % 4;
    decode(text, padding, |byte| VALUES.get(usize::from(byte)).copied(), out)
}

/// Decodes standard base64 as `base64.b64decode` does: bytes outside the alphabet are skipped.
pub(super) fn decode_standard(text: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    decode(
        text,
        0,
        |byte| match byte {
            b'-' | b'_' => None,
            _ => VALUES.get(usize::from(byte)).copied(),
        },
        out,
    )
}

fn decode(
    text: &[u8],
    padding: usize,
    value: impl Fn(u8) -> Option<u8>,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    out.clear();
    out.reserve(text.len() / 4 * 3 + 3);
    let mut groups = text.chunks_exact(4);
    let mut rest = text;
    for group in groups.by_ref() {
        let &[a, b, c, d] = group else { break };
        let [a, b, c, d] = [a, b, c, d].map(|byte| value(byte).unwrap_or(INVALID));
        if (a | b | c | d) > 63 {
            break;
        }
        out.extend([(a << 2) | (b >> 4), (b << 4) | (c >> 2), (c << 6) | d]);
        rest = rest.get(4..).unwrap_or_default();
    }
    decode_with_junk(rest, padding, value, out)
}

/// The rest of a text from its first group that is not four characters of the alphabet.
fn decode_with_junk(
    text: &[u8],
    padding: usize,
    value: impl Fn(u8) -> Option<u8>,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let padded = text.iter().chain(std::iter::repeat_n(&b'=', padding));
    let (mut in_group, mut left, mut pads) = (0_u8, 0_u8, 0_u8);
    for &byte in padded {
        if byte == b'=' {
            if in_group >= 2 {
                pads += 1;
                if in_group + pads >= 4 {
                    return Ok(());
                }
            }
            continue;
        }
        let Some(v) = value(byte).filter(|v| *v <= 63) else {
            continue;
        };
        pads = 0;
        match in_group {
            0 => {}
            1 => out.push((left << 2) | (v >> 4)),
            2 => out.push((left << 4) | (v >> 2)),
            _ => out.push((left << 6) | v),
        }
        left = v;
        in_group = (in_group + 1) % 4;
    }
    if in_group == 0 { Ok(()) } else { Err(DecodeError::Base64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode_standard(text.as_bytes(), &mut out).ok().map(|()| out)
    }

    fn url(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode_url(text.as_bytes(), &mut out).ok().map(|()| out)
    }

    #[test]
    fn reads_what_python_reads() {
        assert_eq!(standard("e30=").as_deref(), Some(&b"{}"[..]));
        assert_eq!(standard("e3\n0=\n").as_deref(), Some(&b"{}"[..]));
        assert_eq!(standard("e:3é0!=").as_deref(), Some(&b"{}"[..]));
        assert_eq!(standard("e30=====ignored").as_deref(), Some(&b"{}"[..]));
        assert_eq!(standard("=e30=").as_deref(), Some(&b"{}"[..]), "a pad before its place");
        assert_eq!(standard("e3=0").as_deref(), None, "one pad of two");
        assert_eq!(standard("e31=").as_deref(), Some(&b"{}"[..]), "trailing bits");
        assert_eq!(standard("").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn refuses_what_python_refuses() {
        assert_eq!(standard("e30"), None);
        assert_eq!(standard("e"), None);
        assert_eq!(standard("e30=e").as_deref(), Some(&b"{}"[..]));
        assert_eq!(url("e"), None);
    }

    #[test]
    fn writes_what_python_writes() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"{", "ew=="),
            (b"{}", "e30="),
            (b"{}\n", "e30K"),
            (b"\xfb\xef\xff", "++//"),
        ] {
            assert_eq!(encode_standard(bytes), text);
            let url = text.replace('+', "-").replace('/', "_");
            assert_eq!(encode_url(bytes), url.trim_end_matches('='));
        }
    }

    #[test]
    fn standard_skips_the_url_alphabet() {
        assert_eq!(standard("e-30_="), standard("e30="));
        assert_eq!(url("-_-_"), url("+/+/"));
        assert_eq!(url("e30").as_deref(), Some(&b"{}"[..]));
    }
}

//! Base64 as leniently as Python's `binascii.a2b_base64` reads it: that is what every Django has
//! used, so what it accepts may be a login (CPython 3.13 `Modules/binascii.c`, non-strict mode).

use super::DecodeError;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The values that characters have in each place of a group of four, or [`INVALID`].
type Values = [[u32; 256]; 4];
const INVALID: u32 = 1 << 31;

static STANDARD_VALUES: Values = values(false);
/// Values of both alphabets: `+` and `/` are what `-` and `_` are.
static BOTH_VALUES: Values = values(true);

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs at compile time, where a panic is a build error, and values are below 64"
)]
const fn values(both: bool) -> Values {
    let mut values = [[INVALID; 256]; 4];
    let mut value = 0;
    while value < STANDARD.len() {
        let mut place = 0;
        while place < 4 {
            let in_place = (value as u32) << (18 - 6 * place);
            values[place][STANDARD[value] as usize] = in_place;
            if both {
                values[place][URL[value] as usize] = in_place;
            }
            place += 1;
        }
        value += 1;
    }
    values
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

/// The first `N` characters of what [`encode_url`] makes.
pub(super) fn encode_url_array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [0; N];
    text.iter_mut().zip(digits_of(bytes, URL)).for_each(|(place, digit)| *place = digit);
    text
}

fn encode(bytes: &[u8], digits: &[u8; 64]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    text.extend(digits_of(bytes, digits).map(char::from));
    text
}

fn digits_of(bytes: &[u8], digits: &[u8; 64]) -> impl Iterator<Item = u8> {
    bytes.chunks(3).flat_map(move |group| {
        let byte = |at: usize| usize::from(group.get(at).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        let digit = move |at: usize| digits.get((bits >> (18 - 6 * at)) & 63).copied();
        (0..=group.len()).filter_map(digit)
    })
}

/// Decodes text without padding, as `signing.b64_decode` does after it has added the padding back:
/// `-len(text) % 4` signs (Django 5.2 `core/signing.py`). Both alphabets are taken.
pub(super) fn decode_url(text: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let padding = text.len().wrapping_neg() % 4;
    decode(text, padding, &BOTH_VALUES, out)
}

/// Decodes standard base64 as `base64.b64decode` does: bytes outside the alphabet are skipped.
pub(super) fn decode_standard(text: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    decode(text, 0, &STANDARD_VALUES, out)
}

/// What four characters of the standard alphabet stand for.
pub(super) fn decode_group(text: [u8; 4]) -> Option<[u8; 3]> {
    let [_, bytes @ ..] = group(text, &STANDARD_VALUES)?.to_be_bytes();
    Some(bytes)
}

fn decode(
    text: &[u8],
    padding: usize,
    values: &Values,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    out.clear();
    out.resize(text.len() / 4 * 3, 0);
    let groups = decode_groups(text, values, out);
    out.truncate(3 * groups);
    decode_with_junk(text.get(4 * groups..).unwrap_or_default(), padding, values, out)
}

/// Decodes groups of characters of the alphabet, and says how many there are at the beginning.
fn decode_groups(text: &[u8], values: &Values, out: &mut [u8]) -> usize {
    let mut groups = 0;
    let (pairs, _) = text.as_chunks::<8>();
    let (places, _) = out.as_chunks_mut::<6>();
    for (pair, place) in pairs.iter().zip(places) {
        let left = pair.first_chunk().and_then(|text| group(*text, values));
        let right = pair.last_chunk().and_then(|text| group(*text, values));
        let (Some(left), Some(right)) = (left, right) else { break };
        let both = (u64::from(left) << 24 | u64::from(right)) << 16;
        let [bytes @ .., _, _] = both.to_be_bytes();
        *place = bytes;
        groups += 2;
    }
    groups
}

#[inline]
fn group(text: [u8; 4], values: &Values) -> Option<u32> {
    let [first, second, third, fourth] = values;
    let [a, b, c, d] = text.map(usize::from);
    let value = |values: &[u32; 256], at: usize| values.get(at).copied().unwrap_or(INVALID);
    let group = value(first, a) | value(second, b) | value(third, c) | value(fourth, d);
    (group & INVALID == 0).then_some(group)
}

/// The rest of a text from its first group that is not four characters of the alphabet.
fn decode_with_junk(
    text: &[u8],
    padding: usize,
    [.., values]: &Values,
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
        let value = values.get(usize::from(byte)).and_then(|value| u8::try_from(*value).ok());
        let Some(v) = value else { continue };
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
    fn whole_groups_are_read_as_one_character_after_another() {
        let mut number = 1_u64;
        let mut random = |end: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(number >> 33).unwrap() % end
        };
        for _ in 0..5_000 {
            let junk = if random(2) == 0 { 1_000 } else { 20 };
            let any = |random: &mut dyn FnMut(usize) -> usize| match random(junk) {
                0 => u8::try_from(random(256)).unwrap(),
                1 => b'=',
                2 => b"-_"[random(2)],
                _ => STANDARD[random(64)],
            };
            let text: Vec<u8> = (0..random(60)).map(|_| any(&mut random)).collect();
            for (values, padding) in
                [(&STANDARD_VALUES, 0), (&BOTH_VALUES, text.len().wrapping_neg() % 4)]
            {
                let (mut fast, mut slow) = (Vec::new(), Vec::new());
                let read = decode(&text, padding, values, &mut fast);
                assert_eq!(read, decode_with_junk(&text, padding, values, &mut slow), "{text:?}");
                assert!(read.is_err() || fast == slow, "{text:?}");
            }
        }
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

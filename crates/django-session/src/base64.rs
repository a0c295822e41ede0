//! Base64 as leniently as Python's `binascii.a2b_base64` reads it: that is what every Django has
//! used, so what it accepts may be a login (CPython 3.13 `Modules/binascii.c`, non-strict mode).

use base64_simd::Out;

use super::DecodeError;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The value of each character, or [`NONE`].
type Values = [u8; 256];
const NONE: u8 = 64;

static STANDARD_VALUES: Values = values(&[STANDARD]);
/// Values of both alphabets: `+` and `/` are what `-` and `_` are.
static BOTH_VALUES: Values = values(&[STANDARD, URL]);

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "runs at compile time, where a panic is a build error, and values are below 64"
)]
const fn values(alphabets: &[&[u8; 64]]) -> Values {
    let mut values = [NONE; 256];
    let mut alphabet = 0;
    while alphabet < alphabets.len() {
        let mut value = 0;
        while value < 64 {
            values[alphabets[alphabet][value] as usize] = value as u8;
            value += 1;
        }
        alphabet += 1;
    }
    values
}

/// Encodes as `signing.b64_encode` does, without padding.
pub(super) fn encode_url(bytes: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Encodes as `base64.b64encode` does, on one line.
pub(super) fn encode_standard(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

/// The same of the bytes of a hash, of which there are exactly so many that they take `N` characters.
pub(super) fn encode_url_array<const N: usize>(hash: &[u8]) -> [u8; N] {
    let mut text = [0; N];
    let _ = base64_simd::URL_SAFE_NO_PAD.encode(hash, Out::from_slice(&mut text));
    text
}

/// Decodes text without padding, as `signing.b64_decode` does after it has added the padding back:
/// `-len(text) % 4` signs (Django 5.2 `core/signing.py`). Both alphabets are taken.
pub(super) fn decode_url(text: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    out.clear();
    // Faster, and so strict that whatever it takes is read alike.
    if base64_simd::URL_SAFE_NO_PAD.decode_append(text, out).is_ok() {
        return Ok(());
    }
    let padding = text.len().wrapping_neg() % 4;
    decode_leniently(text, padding, &BOTH_VALUES, out)
}

/// Decodes standard base64 as `base64.b64decode` does: bytes outside the alphabet are skipped.
pub(super) fn decode_standard(text: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    out.clear();
    if base64_simd::STANDARD.decode_append(text, out).is_ok() {
        return Ok(());
    }
    decode_leniently(text, 0, &STANDARD_VALUES, out)
}

/// What four characters of the standard alphabet stand for.
pub(super) fn decode_group(text: [u8; 4]) -> Option<[u8; 3]> {
    let values = text.map(|byte| STANDARD_VALUES.get(usize::from(byte)).copied().unwrap_or(NONE));
    let bits = values.iter().fold(0, |bits, value| bits << 6 | u32::from(*value));
    let [_, bytes @ ..] = bits.to_be_bytes();
    values.iter().all(|value| *value < NONE).then_some(bytes)
}

fn decode_leniently(
    text: &[u8],
    padding: usize,
    values: &'static Values,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    out.clear();
    out.reserve(text.len() / 4 * 3);
    let mut lenient = Lenient::new(values);
    lenient.push(text, out);
    lenient.pad(padding, out);
    lenient.end()
}

/// Where reading leniently has come to.
struct Lenient {
    values: &'static Values,
    in_group: u8,
    left: u8,
    pads: u8,
    is_over: bool,
}

impl Lenient {
    fn new(values: &'static Values) -> Self {
        Self { values, in_group: 0, left: 0, pads: 0, is_over: false }
    }

    fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for &byte in text {
            if self.is_over {
                return;
            }
            if byte == b'=' {
                if self.in_group >= 2 {
                    self.pads += 1;
                    self.is_over = self.in_group + self.pads >= 4;
                }
                continue;
            }
            let v = self.values.get(usize::from(byte)).copied().unwrap_or(NONE);
            if v == NONE {
                continue;
            }
            self.pads = 0;
            match self.in_group {
                0 => {}
                1 => out.push((self.left << 2) | (v >> 4)),
                2 => out.push((self.left << 4) | (v >> 2)),
                _ => out.push((self.left << 6) | v),
            }
            self.left = v;
            self.in_group = (self.in_group + 1) % 4;
        }
    }

    fn pad(&mut self, signs: usize, out: &mut Vec<u8>) {
        (0..signs).for_each(|_| self.push(b"=", out));
    }

    fn end(&self) -> Result<(), DecodeError> {
        if self.is_over || self.in_group == 0 { Ok(()) } else { Err(DecodeError::Base64) }
    }
}

/// Characters of a piece: a multiple of four.
const PIECE: usize = 64 << 10;

/// What [`decode_url`] reads, in pieces.
pub(super) struct Pieces<'t> {
    text: &'t [u8],
    padding: usize,
    /// From the first piece on that takes more than the fast way.
    lenient: Option<Lenient>,
}

impl<'t> Pieces<'t> {
    pub(super) fn of(text: &'t [u8]) -> Self {
        Self { text, padding: text.len().wrapping_neg() % 4, lenient: None }
    }

    /// The next piece, in place of what `out` holds. False if there was none; an error comes last.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, DecodeError> {
        out.clear();
        let (piece, rest) = self.text.split_at(self.text.len().min(PIECE));
        if piece.is_empty() {
            return Ok(false);
        }
        self.text = rest;
        if self.lenient.is_none() && base64_simd::URL_SAFE_NO_PAD.decode_append(piece, out).is_ok()
        {
            return Ok(true);
        }
        out.clear();
        let lenient = self.lenient.get_or_insert_with(|| Lenient::new(&BOTH_VALUES));
        lenient.push(piece, out);
        if rest.is_empty() {
            lenient.pad(self.padding, out);
            lenient.end()?;
        }
        Ok(true)
    }
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
    fn pieces_are_the_whole() {
        let whole: String =
            URL.iter().copied().cycle().take(2 * PIECE + 7).map(char::from).collect();
        let at = |place: usize, other: &str| [&whole[..place], other, &whole[place..]].concat();
        let mut texts: Vec<String> = (0..9).map(|cut| whole[..whole.len() - cut].into()).collect();
        texts.extend([0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE].map(|place| at(place, "+")));
        texts.extend([5, PIECE, 2 * PIECE + 3].map(|place| at(place, "\n!")));
        texts.extend([2, PIECE + 2, 2 * PIECE + 2].map(|place| at(place, "==")));
        for text in texts {
            let (mut all, mut piece, mut pieces) =
                (Vec::new(), Vec::new(), Pieces::of(text.as_bytes()));
            let read = loop {
                match pieces.next(&mut piece) {
                    Ok(true) => all.extend_from_slice(&piece),
                    end => break end.is_ok(),
                }
            };
            let expected = url(&text);
            assert_eq!(read, expected.is_some());
            assert!(!read || Some(all) == expected);
        }
    }

    #[test]
    fn the_fast_way_reads_what_the_other_reads() {
        let mut number = 1_u64;
        let mut random = |end: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(number >> 33).unwrap() % end
        };
        let mut fast_ones = 0;
        for _ in 0..20_000 {
            let junk = if random(2) == 0 { 10_000 } else { 20 };
            let digits = if random(2) == 0 { STANDARD } else { URL };
            let any = |random: &mut dyn FnMut(usize) -> usize| match random(junk) {
                0 => u8::try_from(random(256)).unwrap(),
                1 => b'=',
                2 => b"-_+/"[random(4)],
                _ => digits[random(64)],
            };
            let mut text: Vec<u8> = (0..random(260)).map(|_| any(&mut random)).collect();
            text.extend((0..random(8).saturating_sub(5)).map(|_| b'='));
            let padding = text.len().wrapping_neg() % 4;
            for (decode, values, padding, strict) in [
                (
                    decode_standard as fn(&[u8], &mut Vec<u8>) -> _,
                    &STANDARD_VALUES,
                    0,
                    base64_simd::STANDARD,
                ),
                (decode_url, &BOTH_VALUES, padding, base64_simd::URL_SAFE_NO_PAD),
            ] {
                let (mut fast, mut slow) = (b"old".to_vec(), b"old".to_vec());
                let read = decode(&text, &mut fast);
                assert_eq!(read, decode_leniently(&text, padding, values, &mut slow), "{text:?}");
                assert!(read.is_err() || fast == slow, "{text:?}");
                fast_ones += u32::from(text.len() > 64 && strict.check(&text).is_ok());
            }
        }
        assert!(fast_ones > 1_000, "{fast_ones}");
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

//! Finds where the plain part of a JSON string ends.

/// One in each byte.
const EACH: u64 = u64::MAX / 255;
/// The highest bit of each byte.
const HIGH: u64 = EACH << 7;

/// How many bytes come before the first quote, backslash or control character; `None` if there is
/// none of these.
pub(super) fn plain(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return Some(8 * at + special.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
    Some(text.len() - rest.len() + at)
}

/// The high bit of the lowest byte that is one of these, and none below it.
fn special(word: u64) -> u64 {
    // A byte below the end of its range takes the high bit of the difference from the next, and only
    // such a byte does: bits above the lowest may be wrong. Bytes beyond ASCII have it themselves.
    let control = word.wrapping_sub(EACH * 0x20);
    let quote = (word ^ (EACH * u64::from(b'"'))).wrapping_sub(EACH);
    let backslash = (word ^ (EACH * u64::from(b'\\'))).wrapping_sub(EACH);
    (control | quote | backslash) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_wherever_it_is() {
        for filler in [b'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
            for special in [b'"', b'\\', 0, 1, 0x1f] {
                for at in 0..20 {
                    let mut text = [filler; 20];
                    assert_eq!(plain(&text), None, "{filler}");
                    text[at] = special;
                    assert_eq!(plain(&text), Some(at), "{filler} {special}");
                    for other in at + 1..20 {
                        for byte in [special, b'"', b'!', b'#', b' ', 0x9f, 0xa2] {
                            let mut text = text;
                            text[other] = byte;
                            assert_eq!(plain(&text), Some(at), "{filler} {special} {byte}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_byte_is_special_or_not() {
        for byte in 0..=255 {
            let special = matches!(byte, b'"' | b'\\' | 0..=0x1f);
            for len in 1..20 {
                assert_eq!(plain(&vec![byte; len]), special.then_some(0), "{byte}");
            }
        }
    }
}

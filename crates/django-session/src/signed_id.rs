//! Reads ids that Django's `Signer` (`id:signature`) or `TimestampSigner` (`id:time:signature`) signed with its default separator
//! (Django 5.2 `core/signing.py`).
//!
//! An id may hold colons itself. Where a text may mean two ids, both count: one of them names nobody.

use std::borrow::Cow;

use super::envelope::{is_url, read_base62};
use super::spelling::uuid_digits;

/// The ids that a text may mean: the text, or what was signed.
pub(super) fn readings<'t>(text: &Cow<'t, str>) -> [Option<Cow<'t, str>>; 2] {
    let (likely, other) = lens(text);
    let first = |len: usize| match text {
        Cow::Borrowed(text) => text.get(..len).map(Cow::Borrowed),
        Cow::Owned(text) => text.get(..len).map(|text| Cow::Owned(text.to_owned())),
    };
    [first(likely), other.and_then(first)]
}

/// Characters of a signature at least, whatever made it.
const SHORTEST: usize = 20;

/// How long the id is that a text begins with, and how long it may be otherwise.
fn lens(text: &str) -> (usize, Option<usize>) {
    let Some(value) = before(text, is_signature) else {
        // A signature of another kind, perhaps, behind what looks like a primary key.
        let id =
            text.split_once([':', '/']).filter(|(id, rest)| is_key(id) && rest.len() >= SHORTEST);
        return (text.len(), id.map(|(id, _)| id.len()));
    };
    // What is left of a text id that was cut at a colon of its own could be any text, but no number and no UUID.
    let or = |id: &str, longer: &str| (id.len(), (!is_key(id)).then_some(longer.len()));
    match before(value, is_time) {
        Some(id) => or(id, value),
        None => or(value, text),
    }
}

/// What stands before the last colon, if what stands behind it is of that kind.
fn before(text: &str, is_of_kind: fn(&[u8]) -> bool) -> Option<&str> {
    let (before, last) = text.rsplit_once(':')?;
    is_of_kind(last.as_bytes()).then_some(before)
}

/// base64 of 20 or 32 bytes, of which the last character has four bits or two that are zero.
fn is_signature(text: &[u8]) -> bool {
    matches!(text.len(), 27 | 43)
        && text.iter().all(|byte| is_url(*byte))
        && text.last().is_some_and(|last| b"AEIMQUYcgkosw048".contains(last))
}

/// Seconds since 1970 in base 62, between 2001 and 2106.
fn is_time(text: &[u8]) -> bool {
    let seconds = read_base62(text).ok().flatten();
    text.len() == 6 && seconds.is_some_and(|seconds| (1_000_000_000..1 << 32).contains(&seconds))
}

/// Whether it is a number or a UUID, as nearly all primary keys are.
fn is_key(id: &str) -> bool {
    let digits = id.strip_prefix('-').unwrap_or(id);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        || uuid_digits(id).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Django 5.2 makes of the id 1 with the key `k`: `TimestampSigner`, `Signer`, and `Signer` with SHA-1.
    const TIMED: &str = "1:1vPabc:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI";
    const SIGNATURE: &str = "9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI";
    const SHA1: &str = "abcdefghijklmnopqrstuvwxyzA";

    fn ids(text: &str) -> Vec<String> {
        let borrowed = readings(&Cow::Borrowed(text)).into_iter().flatten();
        let borrowed: Vec<String> = borrowed.map(Into::into).collect();
        let owned = readings(&Cow::Owned(text.into())).into_iter().flatten();
        assert_eq!(owned.collect::<Vec<_>>(), borrowed);
        borrowed
    }

    #[test]
    fn a_signature_is_no_part_of_a_number_or_uuid() {
        assert_eq!(ids(TIMED), ["1"]);
        let uuid = "ce6db715-bb98-0199-4cff-7a7d3eff1a4f";
        for id in ["1", "-1", uuid] {
            for signature in [SIGNATURE, SHA1] {
                assert_eq!(ids(&format!("{id}:{signature}")), [id]);
                assert_eq!(ids(&format!("{id}:1vPabc:{signature}")), [id]);
            }
        }
    }

    #[test]
    fn what_may_be_two_ids_is_both() {
        let plain = format!("anna:{SIGNATURE}");
        assert_eq!(ids(&plain), ["anna", &plain]);
        assert_eq!(ids(&format!("anna:1vPabc:{SIGNATURE}")), ["anna", "anna:1vPabc"]);
        assert_eq!(ids(&format!("a:b:1vPabc:{SIGNATURE}")), ["a:b", "a:b:1vPabc"]);
    }

    #[test]
    fn what_is_not_signed_is_an_id_as_it_stands() {
        for text in [
            "1",
            "",
            ":",
            "a:b",
            "1:1vPabc",
            "1:1vPabc:",
            "a:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_fe",
            "a:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feJ",
            "a:é-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_fI",
        ] {
            assert_eq!(ids(text), [text]);
        }
        // Another signer may have signed what looks like a primary key.
        for signature in
            ["a".repeat(40), "9+".repeat(43), "9-lDUIrMk3uksYsP0muww_qFLG4nfE8K".into()]
        {
            let signed = format!("1:{signature}");
            assert_eq!(ids(&signed), [&*signed, "1"]);
        }
        // A time that is none belongs to the id.
        for time in ["1", "zzzzzz", "000001", "1vPab", "-vPabc"] {
            let signed = format!("a:{time}:{SIGNATURE}");
            assert_eq!(ids(&signed), [format!("a:{time}"), signed]);
        }
    }
}

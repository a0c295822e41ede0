//! Reads sizes and pairs of a key and a value, which select sessions by what they are.

use crate::error::Error;

/// Units of bytes.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// A number of bytes, such as `500kB`, `1MB`, `1MiB` or `4096`.
pub fn bytes(option: &str, text: &str) -> Result<usize, Error> {
    let wrong = || {
        Error::usage(
            format!("\"{text}\" is not a size for {option}"),
            "write a number and its unit, as in 100kB, 1MB or 1MiB",
        )
    };
    let digits = text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(text.trim().len());
    let (number, unit) = text.trim().split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let bytes = unit.and_then(|unit| number.checked_mul(unit)).ok_or_else(wrong)?;
    usize::try_from(bytes).map_err(|_| wrong())
}

/// A path of keys and the value under it, such as `oidc.sid=a1b2`. The value may contain further equal signs.
pub fn key_and_value(option: &str, text: &str) -> Result<(String, String), Error> {
    let wrong = |why: &str, hint: &str| Err(Error::usage(format!("{option}: {why}"), hint));
    let Some((key, value)) = text.split_once('=') else {
        return wrong(
            "a key of the session and its value belong together",
            "write them as sid=a1b2; a dot leads further in, as in oidc.sid=a1b2",
        );
    };
    if key.trim().is_empty() || value.trim().is_empty() {
        let which = if key.trim().is_empty() { "key" } else { "value" };
        return wrong(&format!("the {which} is blank"), "is the variable behind it set?");
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_its_unit() {
        for (text, size) in [
            ("0", 0),
            ("4096", 4_096),
            ("100b", 100),
            ("500kB", 500_000),
            ("1MB", 1_000_000),
            ("1 mb", 1_000_000),
            (" 2GB ", 2_000_000_000),
            ("1KiB", 1_024),
            ("8MiB", 8 << 20),
            ("1gib", 1 << 30),
        ] {
            assert_eq!(bytes("--larger-than", text).unwrap(), size, "{text}");
        }
        for text in ["", "MB", "1m", "1k", "-1", "+1", "1.5MB", "1e3", "1 MB 2", "99999999999GB"] {
            assert!(bytes("--larger-than", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_ends_at_the_first_equal_sign() {
        let read = |text| key_and_value("--match", text).ok();
        let pair = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        assert_eq!(read("sid=a1"), pair("sid", "a1"));
        assert_eq!(read("a.b=c==d "), pair("a.b", "c==d "));
        for text in ["", "sid", "sid=", "sid= ", "=a1", " =a1", "="] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

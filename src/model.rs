//! Plain data that every room shares.

mod finding;
mod page;
mod tally;
mod time;

use serde::Serialize;

pub use finding::{Finding, Status};
pub use page::{Data, MOST_DATA_BYTES, Page, RawRow, Row};
pub use tally::{Signatures, Tally};
pub use time::{BEHIND_UTC, Expiry, Timestamp};

/// Bytes of the longest user id that is kept: no site's primary keys are that long.
pub const MOST_ID_BYTES: usize = 1_000;

/// Many session keys in little memory: about 40 bytes each.
#[derive(Debug, Default)]
pub struct Keys {
    text: String,
    ends: Vec<usize>,
}

impl Keys {
    /// Appends one key.
    pub fn push(&mut self, key: &str) {
        self.text.push_str(key);
        self.ends.push(self.text.len());
    }

    /// Appends all of `other`.
    pub fn append(&mut self, other: &Self) {
        for key in other.iter() {
            self.push(key);
        }
    }

    /// The keys in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// A time in which sessions were last saved, in seconds since 1970: from the first on, before the
/// second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedWindow {
    /// Not before this.
    pub from: i64,
    /// Before this.
    pub until: i64,
}

impl SavedWindow {
    /// Whether a session was last saved in it; `None` if the session does not say when that was.
    pub fn contains(self, saved: Option<i64>) -> Option<bool> {
        saved.map(|saved| (self.from..self.until).contains(&saved))
    }

    /// Whether a session was saved again after it, and may have been saved in it before.
    pub fn is_before(self, saved: Option<i64>) -> bool {
        saved.is_some_and(|saved| saved >= self.until)
    }
}

/// How a stored text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `["."]data:time:signature`: Django 3.1 and later.
    Signed,
    /// base64 of `hash:payload`: Django 1.3 to 3.0, and 3.1 and 3.2 when told to.
    Legacy,
    /// base64 of payload and MD5: Django 1.2 and earlier.
    Md5,
}

/// Whether Django with one of the given keys would believe a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// One of the keys made it.
    Valid,
    /// None of the keys made it: Django reads an empty session.
    Invalid,
    /// There was no key to check it with, or the row is too large to be read.
    Unchecked,
}

/// How a payload is serialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Serializer {
    /// `JSONSerializer`, the default since Django 1.6.
    Json,
    /// `PickleSerializer`, the default before.
    Pickle,
}

/// A verdict of `check`, in the words and with the exit codes of Nagios' plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// 0: within the bounds.
    Ok,
    /// 1: beyond a bound.
    Warning,
    /// 2: beyond twice a bound.
    Critical,
    /// 3: could not be found out.
    Unknown,
}

/// The part of a session key that may be shown: enough to tell two sessions apart and to name one
/// to `show`, too little to log in with.
pub fn masked_key(key: &str) -> &str {
    let shown = MASKED_KEY_CHARS.min(key.chars().count() / 2);
    key.char_indices().nth(shown).map_or(key, |(end, _)| key.get(..end).unwrap_or_default())
}

/// Characters of a session key that are shown.
pub const MASKED_KEY_CHARS: usize = 8;

/// `1 row`, `2 rows`, `2 batches`.
pub fn counted(number: u64, what: &str) -> String {
    let plural = match number {
        1 => "",
        _ if what.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{number} {what}{plural}")
}

/// A length of time in its largest unit.
pub fn rough_time(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(number, unit)
}

/// The digits of a UUID, of one with or without hyphens in either case: 32 in lower case.
pub fn uuid_digits(text: &str) -> Option<String> {
    let is_uuid = match text.len() {
        32 => text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        36 => text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        }),
        _ => false,
    };
    is_uuid.then(|| text.replace('-', "").to_ascii_lowercase())
}

/// Whether a character could steer a terminal or reorder what it shows: control characters (C0,
/// DEL, C1), line and paragraph separators, and the bidirectional and invisible format characters
/// (Unicode Standard Annex #9; CVE-2021-42574).
pub fn steers_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_at_most_half_of_itself() {
        assert_eq!(masked_key("abcdefghijklmnopqrstuvwxyz012345"), "abcdefgh");
        assert_eq!(masked_key("abcdef"), "abc");
        assert_eq!(masked_key("é"), "");
    }
}

//! Plain data types that all modules share.

mod escape;
mod finding;
mod fingerprint;
mod key_name;
mod page;
mod tally;
mod time;
mod typed;
mod wrap;

pub use django_session::{Layout, MOST_ID_BYTES, Serializer, Signature, needs_escape, uuid_digits};
pub use escape::shell_word;
pub use finding::{Finding, Status};
pub use fingerprint::fingerprint;
pub use key_name::{is_called_like_login, may_be_login};
pub use page::{Data, Leftover, MOST_DATA_BYTES, Page, RawRow, Row};
pub use tally::{Signatures, Tally};
pub use time::{BEHIND_UTC, Expiry, Timestamp};
pub use typed::{is_connection, unrepeated, without_logins, without_passwords};
pub use wrap::wrap;

/// A list of session keys in little memory: about 40 bytes each.
#[derive(Clone, Debug, Default)]
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

    /// The keys in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// A time window for the last save of sessions, in seconds since 1970: from the first on, before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedWindow {
    /// Not before this.
    pub from: i64,
    /// Before this.
    pub until: i64,
}

impl SavedWindow {
    /// Whether a session was last saved in the window; `None` if that time is unknown.
    pub fn contains(self, saved: Option<i64>) -> Option<bool> {
        saved.map(|saved| (self.from..self.until).contains(&saved))
    }

    /// Whether a session was saved after the window, and so may have been saved in it before.
    pub fn is_before(self, saved: Option<i64>) -> bool {
        saved.is_some_and(|saved| saved >= self.until)
    }
}

/// A verdict of `check`, with the words and exit codes of Nagios plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// 0: within the limits.
    Ok,
    /// 1: beyond a limit.
    Warning,
    /// 2: beyond twice a limit.
    Critical,
    /// 3: unknown.
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

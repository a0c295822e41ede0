use std::borrow::Cow;
use std::collections::HashSet;

/// Bytes of the longest user id that is kept: no site's primary keys are that long.
pub const MOST_ID_BYTES: usize = 1_000;

/// The users that somebody asked for, as they are compared with `_auth_user_id`.
///
/// Text is compared whole and as it stands: `42` is the integer 42 and the text `"42"`, never
/// `142`, and never `0042`, which is another user where keys are text. Only UUIDs have more than
/// one spelling: with or without hyphens, in either case (`UUIDField.to_python`).
#[derive(Clone, Debug, Default)]
pub struct UserIds {
    ids: HashSet<String>,
    key: IdField,
}

/// The primary key of the table of users, by which Django reads the id in a session (`Field.to_python`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdField {
    /// Text, which is taken as it stands, or not known.
    #[default]
    Text,
    /// An integer. Django reads it with Python's `int()`, to which ` 42`, `042`, `+42` and `4_2` are 42.
    Integer,
    /// A UUID. Django reads it with Python's `uuid.UUID()`, which drops `urn:`, `uuid:`, braces and all hyphens.
    Uuid,
}

/// What Django makes of an id that is not spelled as Django spells ids.
enum Reading {
    /// The id in the spelling in which it is compared.
    Of(String),
    /// Some id: it has digits beyond ASCII, say. Which one is not worth knowing.
    Some,
}

impl IdField {
    /// The id as Django spells it, if it is spelled otherwise and Django reads it.
    pub fn read(self, user_id: &str) -> Option<String> {
        match self.reading(user_id)? {
            Reading::Of(id) => Some(id),
            Reading::Some => None,
        }
    }

    fn reading(self, user_id: &str) -> Option<Reading> {
        match self {
            Self::Text => None,
            Self::Integer => read_integer(user_id),
            Self::Uuid => read_uuid(user_id),
        }
    }
}

/// As Python's `int()` reads a text: blanks around it, a sign, and underscores between digits.
fn read_integer(text: &str) -> Option<Reading> {
    if is_plain(text) {
        return None;
    }
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty()
        || digits.starts_with('_')
        || digits.ends_with('_')
        || digits.contains("__")
    {
        return None;
    }
    if !digits.chars().all(|digit| digit.is_ascii_digit() || digit == '_') {
        let may_be = |digit: char| digit.is_numeric() || digit == '_';
        return digits.chars().all(may_be).then_some(Reading::Some);
    }
    let digits = digits.replace('_', "");
    Some(Reading::Of(match digits.trim_start_matches('0') {
        "" => "0".into(),
        digits => format!("{sign}{digits}"),
    }))
}

/// Whether a text is an integer as Python writes one.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits {
        [] => false,
        [b'0'] => text.len() == 1,
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
    }
}

/// As Python's `uuid.UUID()` reads a text.
fn read_uuid(text: &str) -> Option<Reading> {
    if uuid_digits(text).is_some() {
        return None;
    }
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let bare = bare.trim_matches(['{', '}']).replace('-', "");
    if let Some(digits) = uuid_digits(&bare) {
        return Some(Reading::Of(digits));
    }
    // What is left goes through `int(text, 16)`.
    let may_be = |digit: char| {
        digit.is_ascii_hexdigit()
            || digit.is_whitespace()
            || digit.is_numeric()
            || "_xX+".contains(digit)
    };
    (bare.chars().count() == 32 && bare.chars().all(may_be)).then_some(Reading::Some)
}

impl UserIds {
    /// The same of users whose primary key is of this kind.
    #[must_use]
    pub fn keyed_by(self, key: IdField) -> Self {
        Self { key, ..self }
    }

    /// Whether Django reads an id as one of these, although it is spelled otherwise. Django itself never writes such an id.
    pub fn may_mean(&self, user_id: &str) -> bool {
        !self.ids.is_empty()
            && match self.key.reading(user_id) {
                None => false,
                Some(Reading::Of(id)) => self.contains(&id) && !self.contains(user_id),
                Some(Reading::Some) => !self.contains(user_id),
            }
    }

    /// Whether a session of this user was asked for.
    pub fn contains(&self, user_id: &str) -> bool {
        let user_id = &*canonical(user_id);
        // One is what is mostly asked for, and is compared faster than it is hashed.
        match self.ids.len() {
            1 => self.ids.iter().any(|only| only == user_id),
            _ => self.ids.contains(user_id),
        }
    }

    /// The one spelling of an id in which it is compared.
    pub fn compared(user_id: &str) -> Cow<'_, str> {
        canonical(user_id)
    }

    /// One more.
    pub fn insert(&mut self, user_id: &str) {
        self.ids.insert(canonical(user_id).into_owned());
    }

    /// All of others, too.
    pub fn append(&mut self, others: Self) {
        self.ids.extend(others.ids);
    }

    /// How many different users.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no user was asked for.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl<S: AsRef<str>> FromIterator<S> for UserIds {
    fn from_iter<I: IntoIterator<Item = S>>(ids: I) -> Self {
        let ids = ids.into_iter().map(|id| canonical(id.as_ref()).into_owned()).collect();
        Self { ids, key: IdField::default() }
    }
}

/// The one spelling that stands for a user id: UUIDs in lower case without hyphens.
pub(super) fn canonical(user_id: &str) -> Cow<'_, str> {
    uuid_digits(user_id).map_or(Cow::Borrowed(user_id), Cow::Owned)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_many_are_told_alike() {
        let one: UserIds = ["42"].into_iter().collect();
        let many: UserIds = ["42", "43", "44"].into_iter().collect();
        for (ids, len) in [(one, 1), (many, 3)] {
            assert_eq!((ids.len(), ids.contains("42"), ids.contains("4")), (len, true, false));
        }
        assert!(!UserIds::default().contains(""));
    }

    #[test]
    fn only_uuids_have_more_than_one_spelling() {
        let ids: UserIds = ["42", "CE6DB715-BB98-0199-4CFF-7A7D3EFF1A4F"].into_iter().collect();
        assert!(ids.contains("42"));
        assert!(ids.contains("ce6db715bb9801994cff7a7d3eff1a4f"));
        for other in ["142", "4", "0042", " 42", "+42", "42.0", ""] {
            assert!(!ids.contains(other), "{other}");
        }
    }

    #[test]
    fn an_id_is_read_as_django_reads_it() {
        let ids: UserIds = ["42", "-7", "0"].into_iter().collect();
        let ids = ids.keyed_by(IdField::Integer);
        for alike in
            [" 42", "042", "+42", "4_2", "42\n", "\u{3000}42", "-07", "-0", "00", "４２", "４2"]
        {
            assert!(ids.may_mean(alike), "{alike:?}");
        }
        for other in [
            "42",
            "-7",
            "0",
            "142",
            "",
            "-",
            "+",
            "_42",
            "42_",
            "4__2",
            "4 2",
            "0x2a",
            "42.0",
            "anna",
            "\u{200b}42",
            "043",
        ] {
            assert!(!ids.may_mean(other), "{other:?}");
        }
        assert!(!["42"].into_iter().collect::<UserIds>().may_mean(" 42"), "where keys are text");
        assert!(!UserIds::default().keyed_by(IdField::Integer).may_mean("４２"));
        let ids: UserIds = ["ce6db715-bb98-0199-4cff-7a7d3eff1a4f"].into_iter().collect();
        let ids = ids.keyed_by(IdField::Uuid);
        for alike in [
            "{ce6db715-bb98-0199-4cff-7a7d3eff1a4f}",
            "urn:uuid:CE6DB715BB9801994CFF7A7D3EFF1A4F",
            "ce6d-b715bb9801994cff7a7d3eff1a4f",
            "0xce6db715bb9801994cff7a7d3eff1a",
        ] {
            assert!(ids.may_mean(alike), "{alike}");
        }
        for other in
            ["ce6db715bb9801994cff7a7d3eff1a4f", "{0e6db715bb9801994cff7a7d3eff1a4f}", "42", ""]
        {
            assert!(!ids.may_mean(other), "{other}");
        }
    }
}

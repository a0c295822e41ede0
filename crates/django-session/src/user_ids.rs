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
pub struct UserIds(HashSet<String>);

impl UserIds {
    /// Whether a session of this user was asked for.
    pub fn contains(&self, user_id: &str) -> bool {
        let user_id = &*canonical(user_id);
        // One is what is mostly asked for, and is compared faster than it is hashed.
        match self.0.len() {
            1 => self.0.iter().any(|only| only == user_id),
            _ => self.0.contains(user_id),
        }
    }

    /// The one spelling of an id in which it is compared.
    pub fn compared(user_id: &str) -> Cow<'_, str> {
        canonical(user_id)
    }

    /// One more.
    pub fn insert(&mut self, user_id: &str) {
        self.0.insert(canonical(user_id).into_owned());
    }

    /// All of others, too.
    pub fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// How many different users.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no user was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: AsRef<str>> FromIterator<S> for UserIds {
    fn from_iter<I: IntoIterator<Item = S>>(ids: I) -> Self {
        Self(ids.into_iter().map(|id| canonical(id.as_ref()).into_owned()).collect())
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
}

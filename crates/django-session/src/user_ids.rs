//! A set of user ids to look for, and the test whether a session's id is one of them.

use std::borrow::Cow;
use std::collections::HashSet;

use super::id_field::IdField;
use super::spelling::canonical;

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
    /// The same ids as `key` compares them.
    compared: HashSet<String>,
    /// Whether an id that `key` cannot hold may be of one of these users.
    some_fit: bool,
    of_sessions: bool,
}

impl UserIds {
    /// The same of users whose primary key is of this kind.
    #[must_use]
    pub fn keyed_by(mut self, key: IdField) -> Self {
        self.key = key;
        self.compared = self.ids.iter().flat_map(|id| key.compared(id)).collect();
        self.some_fit = self.ids.iter().any(|id| key.holds(id));
        self
    }

    /// The same, where users are meant who are known only by the ids in sessions: [`is_unfit`](Self::is_unfit) is
    /// asked of every id, and no key holds one of more than [`MOST_ID_BYTES`].
    #[must_use]
    pub fn of_sessions(self) -> Self {
        Self { of_sessions: true, ..self }
    }

    /// Whether Django reads an id as one of these, although it is spelled otherwise. Django itself never writes such an id.
    pub fn may_mean(&self, user_id: &str) -> bool {
        !self.ids.is_empty()
            && !self.contains(user_id)
            && self.key.readings(user_id).any(|id| self.compared.contains(&id))
    }

    /// Whether it is not known of what kind the primary key is.
    pub fn are_of_unknown_key(&self) -> bool {
        self.key == IdField::Unknown
    }

    /// Whether the primary key cannot hold an id, so that it may be of any of these users: the site's key field writes ids
    /// in another form than the database holds, or the id is of before the type of the key was changed. Never so where
    /// the key cannot hold any of these either: they were given as sessions spell them.
    pub fn is_unfit(&self, user_id: &str) -> bool {
        let holds =
            || self.key.holds(user_id) && !(self.of_sessions && user_id.len() > MOST_ID_BYTES);
        (self.some_fit || self.of_sessions) && !holds() && !self.contains(user_id)
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
        Self { ids, ..Self::default() }
    }
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
    fn users_that_are_added_are_asked_for_once() {
        let mut ids = UserIds::default();
        assert!(ids.is_empty());
        for same in ["CE6DB715-BB98-0199-4CFF-7A7D3EFF1A4F", "ce6db715bb9801994cff7a7d3eff1a4f"] {
            ids.insert(same);
            assert_eq!(UserIds::compared(same), "ce6db715bb9801994cff7a7d3eff1a4f");
            assert!((ids.len(), ids.contains(same), ids.is_empty()) == (1, true, false), "{same}");
        }
        ids.append(["7", "CE6DB715BB9801994CFF7A7D3EFF1A4F"].into_iter().collect());
        assert_eq!((ids.len(), ids.contains("7"), ids.contains("8")), (2, true, false));
        assert_eq!(UserIds::compared("Anna "), "Anna ");
    }

    #[test]
    fn only_uuids_have_more_than_one_spelling() {
        let ids: UserIds = ["42", "CE6DB715-BB98-0199-4CFF-7A7D3EFF1A4F"].into_iter().collect();
        assert!(ids.contains("42"));
        assert!(ids.contains("ce6db715bb9801994cff7a7d3eff1a4f"));
        assert!(ids.contains("CE6DB715BB9801994CFF7A7D3EFF1A4F"));
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
            // A JSON number, to which Django gives 128 bits.
            "274390640892079308196372315906630425167",
        ] {
            assert!(ids.may_mean(alike), "{alike}");
        }
        for other in [
            "ce6db715bb9801994cff7a7d3eff1a4f",
            "{0e6db715bb9801994cff7a7d3eff1a4f}",
            "42",
            "0xce6db715bb9801994cff7a7d3eff1a",
            "",
        ] {
            assert!(!ids.may_mean(other), "{other}");
        }
    }

    #[test]
    fn where_the_key_is_unknown_an_id_may_be_a_number_or_a_uuid_in_another_spelling() {
        let uuid = "ce6db715-bb98-0199-4cff-7a7d3eff1a4f";
        for (asked, session) in [
            ("42", " 42"),
            ("42", "042"),
            ("042", "42"),
            ("\u{ff14}\u{ff12}", "042"),
            (uuid, "urn:uuid:CE6DB715BB9801994CFF7A7D3EFF1A4F"),
            ("{ce6db715-bb98-0199-4cff-7a7d3eff1a4f}", uuid),
            ("00000000000000000000000000000007", "7"),
        ] {
            let ids = [asked].into_iter().collect::<UserIds>().keyed_by(IdField::Unknown);
            assert!(ids.may_mean(session) && ids.are_of_unknown_key(), "{asked:?} {session:?}");
            assert!(!ids.may_mean(asked) && !ids.is_unfit("usr_G4"), "{asked:?}");
            for other in ["142", "anna", "42.0", "0e6db715-bb98-0199-4cff-7a7d3eff1a4f", ""] {
                assert!(!ids.may_mean(other), "{asked:?} {other:?}");
            }
        }
        let ids = ["anna"].into_iter().collect::<UserIds>().keyed_by(IdField::Unknown);
        assert!(!ids.may_mean("Anna") && ids.contains("anna"));
    }

    #[test]
    fn text_that_the_database_compares_otherwise_is_alike() {
        let ids = |key| ["Anna", "bob "].into_iter().collect::<UserIds>().keyed_by(key);
        for (key, alike, other) in [
            (IdField::AnyCase, "ANNA", "anna "),
            (IdField::Padded, "Anna   ", "anna"),
            (IdField::Padded, "bob", "Bob"),
        ] {
            assert!(ids(key).may_mean(alike) && !ids(key).may_mean(other), "{key:?}");
            assert!(!ids(key).may_mean("Anna") && !ids(key).is_unfit("carl"), "{key:?}");
        }
        assert!(!ids(IdField::Text).may_mean("anna"));
    }

    #[test]
    fn an_id_that_the_key_cannot_hold_may_be_of_anybody_whom_it_holds() {
        let ids = |id: &str, key| [id].into_iter().collect::<UserIds>().keyed_by(key);
        for (id, key, unplaced) in [
            ("7", IdField::Integer, "usr_G4"),
            ("7", IdField::Integer, "ce6db715bb9801994cff7a7d3eff1a4f"),
            ("ce6db715bb9801994cff7a7d3eff1a4f", IdField::Uuid, "7"),
            ("ce6db715bb9801994cff7a7d3eff1a4f", IdField::Uuid, "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ] {
            assert!(ids(id, key).is_unfit(unplaced), "{unplaced}");
            assert!(!ids(id, key).is_unfit(id) && !ids(id, IdField::Text).is_unfit(unplaced));
            let spelled = format!("{{{id}}}").replace("{7}", " 7");
            assert!(!ids(id, key).is_unfit(&spelled), "{spelled}");
            // As it stands in sessions.
            assert!(!ids(unplaced, key).is_unfit("usr_G5"), "{unplaced}");
        }
        assert!(!UserIds::default().keyed_by(IdField::Integer).is_unfit("usr_G4"));
        let all = UserIds::default().keyed_by(IdField::Integer).of_sessions();
        assert!(all.is_unfit("usr_G4") && !all.is_unfit("8"));
        let long = "g".repeat(MOST_ID_BYTES + 1);
        assert!(UserIds::default().of_sessions().is_unfit(&long));
        assert!(!UserIds::default().of_sessions().is_unfit(&long[1..]), "as long as a key may be");
        assert!(!ids("anna", IdField::Text).is_unfit(&long));
    }
}

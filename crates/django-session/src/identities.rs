//! Collects the users of a session from the values of its login keys, one key after the other.

use std::borrow::Cow;

use super::signed_id::readings;
use super::user_ids::MOST_ID_BYTES;
use super::{Auth, DecodeError};

/// What a value says of a user.
#[derive(Debug, PartialEq)]
pub(super) enum UserId<'a> {
    /// A primary key, as text.
    Text(Cow<'a, str>),
    Null,
    /// A list, an object, a fraction: no primary key.
    Other,
}

/// Identities that one key may hold. Nobody impersonates in longer chains, and a payload could hold millions.
pub(super) const MOST: usize = 100;

/// Bytes of an id with its signature. A longer text is not copied: many items of a pickle may be one text.
const MOST_SIGNED_BYTES: usize = MOST_ID_BYTES + 200;

/// What stands under one key of a package.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Behind<'a> {
    ids: Vec<Cow<'a, str>>,
    /// Whether there is more than could be understood.
    unclear: bool,
}

impl<'a> Behind<'a> {
    /// What cannot be understood.
    pub(super) fn unclear() -> Self {
        Self { unclear: true, ..Self::default() }
    }

    /// A value that is no list: an id, which may be signed.
    pub(super) fn of(value: UserId<'a>) -> Self {
        let mut behind = Self::default();
        match value {
            UserId::Text(text) if text.len() > MOST_SIGNED_BYTES => behind.unclear = true,
            UserId::Text(text) => {
                readings(&text).into_iter().flatten().for_each(|id| behind.push(id));
            }
            UserId::Null => {}
            UserId::Other => behind.unclear = true,
        }
        behind
    }

    /// An item of a list of ids: as it stands, and without its signature if it seems to have one.
    pub(super) fn add(&mut self, item: UserId<'a>) {
        if let UserId::Text(text) = &item
            && text.len() <= MOST_SIGNED_BYTES
        {
            self.push(text.clone());
        }
        let Self { ids, unclear } = Self::of(item);
        for id in ids {
            self.push(id);
        }
        self.unclear |= unclear;
    }

    fn push(&mut self, id: Cow<'a, str>) {
        if id.is_empty() || self.ids.contains(&id) {
            return;
        }
        if self.ids.len() < MOST && id.len() <= MOST_ID_BYTES {
            self.ids.push(id);
        } else {
            self.unclear = true;
        }
    }
}

/// What was found under the keys so far: of a repeated key the last counts.
#[derive(Debug, Default)]
pub(super) struct Identities<'a> {
    first: Option<UserId<'a>>,
    further: Vec<(usize, UserId<'a>)>,
    behind: Vec<(usize, Behind<'a>)>,
    own: Vec<(Cow<'a, str>, UserId<'a>)>,
    pub(super) backend: Option<Cow<'a, str>>,
}

impl<'a> Identities<'a> {
    /// What stands under the key of users in this place.
    pub(super) fn user(&mut self, place: usize, id: UserId<'a>) {
        if place == 0 {
            self.first = Some(id);
        } else {
            set(&mut self.further, place, id);
        }
    }

    /// What stands under the key of a package in this place.
    pub(super) fn behind(&mut self, place: usize, behind: Behind<'a>) {
        set(&mut self.behind, place, behind);
    }

    /// What stands under a key of the site's own. Beyond [`MOST`] keys nothing is kept, and no text that is longer than an
    /// id.
    pub(super) fn own(&mut self, key: Cow<'a, str>, id: UserId<'a>) {
        let id = match id {
            UserId::Text(text) if text.len() > MOST_ID_BYTES => UserId::Other,
            id => id,
        };
        let is_full = self.own.len() >= MOST;
        match self.own.iter_mut().find(|(other, _)| *other == key) {
            Some((_, old)) => *old = id,
            None if is_full => {}
            None => self.own.push((key, id)),
        }
    }

    /// The first key of users that is present and not null says who is logged in; all else is behind.
    pub(super) fn auth(self) -> Result<Auth<'a>, DecodeError> {
        let Self { first, mut further, mut behind, own, backend } = self;
        further.sort_by_key(|(place, _)| *place);
        let mut users = first.into_iter().chain(further.into_iter().map(|(_, id)| id));
        let user_id = match users.find(|id| *id != UserId::Null) {
            Some(UserId::Text(id)) => Some(id),
            Some(UserId::Other) => return Err(DecodeError::UserId),
            Some(UserId::Null) | None => None,
        };
        let mut auth = Auth { user_id, backend, ..Auth::default() };
        for id in users {
            match id {
                UserId::Text(id) if id.len() <= MOST_ID_BYTES => auth.also(id),
                UserId::Null => {}
                UserId::Text(_) | UserId::Other => auth.unclear = true,
            }
        }
        behind.sort_by_key(|(place, _)| *place);
        for (_, Behind { ids, unclear }) in behind {
            for id in ids {
                auth.also(id);
            }
            auth.unclear |= unclear;
        }
        if auth.names_nobody() {
            let text = |(key, id)| if let UserId::Text(id) = id { Some((key, id)) } else { None };
            auth.own = own.into_iter().filter_map(text).collect();
        }
        Ok(auth)
    }
}

fn set<T>(all: &mut Vec<(usize, T)>, place: usize, value: T) {
    match all.iter_mut().find(|(at, _)| *at == place) {
        Some((_, old)) => *old = value,
        None => all.push((place, value)),
    }
}

/// Whether a text names a class as Python does. django-su keeps, with each id, the backend of its login.
pub(super) fn is_dotted_path(text: &str) -> bool {
    let is_name = |name: &str| {
        let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        begins && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.contains('.') && text.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: &str) -> UserId<'_> {
        UserId::Text(Cow::Borrowed(id))
    }

    #[test]
    fn a_long_id_is_found_before_its_signature() {
        let signature = format!(":1uKxYz:{}", "A".repeat(43));
        let id = "g".repeat(MOST_ID_BYTES);
        let behind = Behind::of(UserId::Text(format!("{id}{signature}").into()));
        assert!(behind.ids.iter().any(|found| *found == id), "{behind:?}");
        let longer = format!("{}{signature}", "g".repeat(MOST_SIGNED_BYTES));
        assert_eq!(Behind::of(text(&longer)), Behind::unclear());
    }

    #[test]
    fn a_dotted_path_is_the_name_of_a_class() {
        for path in ["django.contrib.auth.backends.ModelBackend", "_a._b", "a1.B_2"] {
            assert!(is_dotted_path(path), "{path}");
        }
        for other in
            ["", "anna", "_", ".", "a.", ".a", "a..b", "1a.b", "a.1", "a b.c", "a.b-c", "ä.b"]
        {
            assert!(!is_dotted_path(other), "{other}");
        }
    }
}

//! The login in a session: the user id and backend that Django's `login()` puts there.

use std::borrow::Cow;

use super::DecodeError;
use super::spelling::canonical;

/// The login that a session carries: its top-level `_auth_user_id` and `_auth_user_backend`
/// (Django 5.2 `contrib/auth/__init__.py`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth<'a> {
    /// The user's primary key as text, or `None` for an anonymous session. Integers are in
    /// decimal, a `uuid.UUID` in lower-case hyphenated form, text as it stands.
    pub user_id: Option<Cow<'a, str>>,
    /// Dotted path of the authentication backend, where it is text.
    pub backend: Option<Cow<'a, str>>,
    /// Further identities that the session holds, as text: who is behind an impersonation, and what
    /// stands under further keys of [`LoginKeys::user`](super::LoginKeys::user).
    pub others: Vec<Cow<'a, str>>,
    /// Whether such a key holds what cannot be understood: there may be more than `others`.
    pub unclear: bool,
    /// If the session names nobody: keys for which [`LoginKeys::may_be_own`](super::LoginKeys::may_be_own) holds, and the id
    /// under each. At most 100.
    pub own: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Top-level key that holds the user id (Django 5.2 `SESSION_KEY`).
pub(super) const USER_ID: &str = "_auth_user_id";
/// Top-level key that holds the backend (Django 5.2 `BACKEND_SESSION_KEY`).
pub(super) const BACKEND: &str = "_auth_user_backend";
/// All the top-level keys that `login()` writes; the third is Django's `HASH_SESSION_KEY`.
pub(super) const LOGIN: [&str; 3] = [USER_ID, BACKEND, "_auth_user_hash"];

impl<'a> Auth<'a> {
    /// Of a session of which not all was read, if it names somebody.
    pub(super) fn told_of(self, why_not_all: DecodeError) -> Result<Self, DecodeError> {
        if self.user_id.is_none() && self.others.is_empty() { Err(why_not_all) } else { Ok(self) }
    }

    /// Whether it is the login of nobody for certain.
    pub(super) fn names_nobody(&self) -> bool {
        self.user_id.is_none() && self.others.is_empty() && !self.unclear
    }

    /// One more identity, unless it is told already.
    pub(super) fn also(&mut self, id: Cow<'a, str>) {
        let one = canonical(&id);
        let is_told = self.user_id.iter().chain(&self.others).any(|told| canonical(told) == one);
        if !is_told {
            self.others.push(id);
        }
    }
}

impl Auth<'_> {
    /// The same, owning its text.
    pub fn into_owned(self) -> Auth<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Auth {
            user_id: self.user_id.map(own),
            backend: self.backend.map(own),
            others: self.others.into_iter().map(own).collect(),
            unclear: self.unclear,
            own: self.own.into_iter().map(|(key, id)| (own(key), own(id))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_to_its_end_names_whom_its_beginning_names() {
        let named = [
            Auth { user_id: Some("1".into()), ..Auth::default() },
            Auth { others: vec!["1".into()], ..Auth::default() },
        ];
        for auth in named {
            assert_eq!(auth.clone().told_of(DecodeError::TooLarge), Ok(auth));
        }
        for auth in [Auth::default(), Auth { unclear: true, ..Auth::default() }] {
            assert_eq!(auth.told_of(DecodeError::TooLarge), Err(DecodeError::TooLarge));
        }
    }
}

//! The keys in session data that hold user ids: Django's own, and those of packages for impersonation.

use super::auth::{BACKEND, LOGIN, USER_ID};

/// The top-level keys of a session that say whose it is.
///
/// A session may be more than one user's: a package for impersonation logs a user in as another, and
/// keeps in the session who it was. One click leads back.
#[derive(Clone, Debug)]
pub struct LoginKeys {
    /// Keys that hold the user who is logged in. The first that is present and not null counts; the
    /// others hold further identities ([`Auth::others`](super::Auth::others)).
    pub user: Vec<String>,
    /// Keys under which packages keep the identities behind an impersonation.
    pub also: Vec<String>,
    /// Whether a site may keep a login of its own under a key that is none of these: then
    /// [`Verdict::Anonymous`](super::Verdict::Anonymous) has the id that stands there.
    pub may_be_own: Option<fn(&str) -> bool>,
}

/// django-hijack 3.7 (`views.py`): a list of primary keys as text.
const HIJACK: &str = "hijack_history";
/// django-loginas 0.3 (`utils.py`): a primary key, signed by `TimestampSigner`.
const LOGIN_AS: &str = "loginas_from_user";
/// django-su 1.0 (`views.py`): a list of pairs of a primary key and its backend.
const SU: &str = "exit_users_pk";

impl Default for LoginKeys {
    fn default() -> Self {
        let also = [HIJACK, LOGIN_AS, SU].map(Into::into).into();
        Self { user: vec![USER_ID.into()], also, may_be_own: None }
    }
}

/// What stands under a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// The user, by the key in this place of [`LoginKeys::user`].
    User(usize),
    Backend,
    /// Identities behind an impersonation, by the key in this place of [`LoginKeys::also`].
    Behind(usize),
}

impl LoginKeys {
    /// The role of the key for which `is` holds.
    pub(super) fn role(&self, is: impl Fn(&str) -> bool) -> Option<Role> {
        let place = |names: &[String]| names.iter().position(|name| is(name));
        if let Some(at) = place(&self.user) {
            return Some(Role::User(at));
        }
        if is(BACKEND) {
            return Some(Role::Backend);
        }
        place(&self.also).map(Role::Behind)
    }

    /// Whether the key for which `is` holds is a part of the login, which goes where a session loses it.
    pub(super) fn is_login(&self, is: impl Fn(&str) -> bool) -> bool {
        let own = self.user.iter().chain(&self.also).map(String::as_str);
        own.chain(LOGIN).any(is)
    }
}

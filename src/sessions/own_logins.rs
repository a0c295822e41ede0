//! Finds logins that a site may keep under keys of its own, in sessions that name no user under the keys that are known.

use django_session::{Decoded, Verdict};

use crate::model::is_called_like_login;

/// `SESSION_KEY` (Django 5.2 `contrib/auth/__init__.py`).
pub(crate) const DJANGO_USER_KEY: &str = "_auth_user_id";

/// Beyond so many keys that may be the site's own, a verdict has only some of them.
const MOST_OWN: usize = 100;

/// What a site may write where nobody is logged in.
const NOBODY: [&str; 9] =
    ["", "0", "-1", "none", "null", "false", "guest", "anonymous", "AnonymousUser"];

/// Whether an id is not that of nobody.
pub(crate) fn is_somebody(id: &str) -> bool {
    !NOBODY.iter().any(|nobody| nobody.eq_ignore_ascii_case(id.trim()))
}

/// Whether a session without a login may hold one under a key of the site's own: an id, or what else stands under a key that is
/// called like that of a login, such as the whole user.
pub(crate) fn may_be_own_login(session: &Decoded<'_>, verdict: &Verdict<'_>) -> bool {
    let Verdict::Anonymous { own } = verdict else { return false };
    own.len() >= MOST_OWN || !keys_of_own_logins(session, verdict).is_empty()
}

/// Whether a session holds a login of Django's own, also where logins are read under other keys only.
pub(crate) fn has_django_login(session: &Decoded<'_>) -> bool {
    let Ok(payload) = session.payload() else { return false };
    let mut has_one = false;
    // A payload that names no user was read to its end.
    let _ = payload.members(&mut |key, _| has_one |= key == DJANGO_USER_KEY);
    has_one && payload.holds(DJANGO_USER_KEY, "null") != Ok(true)
}

/// The keys under which it may hold one.
pub(crate) fn keys_of_own_logins(session: &Decoded<'_>, verdict: &Verdict<'_>) -> Vec<String> {
    let (Verdict::Anonymous { own }, Ok(payload)) = (verdict, session.payload()) else {
        return Vec::new();
    };
    let mut keys: Vec<String> = Vec::new();
    // A payload that names no user was read to its end.
    let _ = payload.members(&mut |key, bytes| {
        if !is_called_like_login(&key) {
            return;
        }
        let is_login = match own.iter().find(|(name, _)| *name == key) {
            Some((_, id)) => is_somebody(id),
            // An object, a list or a fraction. Empty ones have two bytes.
            None => bytes > "{}".len() && payload.holds(&key, "null") != Ok(true),
        };
        if is_login {
            keys.push(key.into_owned());
        }
    });
    keys
}

//! Checks that live sessions hold logins under the expected keys (`_auth_user_id`, or those of `--user-key`). If none does,
//! the site may keep its logins under another key, and sessctl cannot know who is logged in.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use django_session::{Decoded, LoginKeys, Payload, Signature, UserIds, Verdict};

use super::counts::Counts;
use super::own_logins::{DJANGO_USER_KEY, is_somebody, keys_of_own_logins};
use super::query::{SessionQuery, UserFilter};
use crate::context::Ctx;
use crate::model::{is_called_like_login, may_be_login};
use crate::report::Doubt;
use crate::store::UserType;

/// How many top-level keys of sessions a doubt names, the most frequent first.
const MOST_MEMBERS: usize = 20;

/// Bytes of the longest key that may be one of logins.
const LONGEST_KEY: usize = 200;

/// Which login keys a scan has seen. Its workers share it.
pub(crate) struct LoginKeysSeen<'c> {
    keys: &'c [String],
    seen: Vec<AtomicBool>,
    /// Who says that Django's own key is right, although no live session may hold a login under it.
    known_by: Option<KnownBy>,
    /// Whether a session has a key of the site's own with what may be a login.
    may_be_own: AtomicBool,
    sought: Sought<'c>,
    /// Other keys under which a session without a login has an id that is sought.
    elsewhere: Mutex<BTreeSet<String>>,
}

/// Who knows the key of the logins.
enum KnownBy {
    /// The operator, who named it.
    Operator,
    /// A project, which knows table and engine, but not whether the site has logins of its own.
    Project,
}

/// Whose ids are sought under other keys: a site may log in its staff as Django does, and its members under a key of its own.
enum Sought<'c> {
    Nobodys,
    /// Those of these users, under every key that may be that of a login.
    Of(&'c UserIds),
    /// Every id, under keys that are called like the id of the user who is logged in.
    Anybodys,
    /// The same, in sessions that a query for anonymous ones would take.
    Visitors,
}

impl<'c> LoginKeysSeen<'c> {
    /// `query`: what is asked for. An operator who names keys of logins says that the others are none, so then no ids are sought
    /// elsewhere.
    pub(crate) fn new(ctx: &Ctx<'c>, query: &SessionQuery<'c>) -> Self {
        let keys = &ctx.codec.login.user;
        let seen = keys.iter().map(|_| AtomicBool::new(false)).collect();
        let sought = match query.users {
            _ if !ctx.global.user_keys.is_empty() => Sought::Nobodys,
            UserFilter::These(ids) => Sought::Of(ids),
            UserFilter::AllBut(_) => Sought::Anybodys,
            UserFilter::Anybody if query.is_of_visitors() => Sought::Visitors,
            UserFilter::Anybody | UserFilter::EverythingBut(_) => Sought::Nobodys,
        };
        let is_named = ctx.global.user_keys.iter().any(|key| key == DJANGO_USER_KEY);
        Self {
            keys,
            seen,
            known_by: match &ctx.project {
                _ if is_named => Some(KnownBy::Operator),
                project => project.as_ref().map(|_| KnownBy::Project),
            },
            may_be_own: AtomicBool::new(false),
            sought,
            elsewhere: Mutex::default(),
        }
    }

    /// Whether there is only one login key, so that the beginning of a row shows whether it has a login.
    pub(crate) fn has_one_key(&self) -> bool {
        self.keys.len() == 1
    }

    pub(crate) fn are_all_seen(&self) -> bool {
        self.seen.iter().all(|seen| seen.load(Relaxed))
    }

    /// Notes a login under the first key. `signature` is called only if the key was not seen before: a row that no key
    /// verifies shows nothing about the site.
    pub(crate) fn note_first(&self, signature: impl FnOnce() -> Signature) {
        if let Some(seen) = self.seen.first()
            && !seen.load(Relaxed)
            && signature() != Signature::Invalid
        {
            seen.store(true, Relaxed);
        }
    }

    /// Notes a live session. As long as a login key was not seen, counts the other top-level keys in `members`.
    pub(crate) fn note(&self, session: &Decoded<'_>, verdict: &Verdict<'_>, members: &mut Counts) {
        if let Verdict::Anonymous { own } = verdict {
            self.note_own(own);
        }
        if self.are_all_seen() {
            return;
        }
        match verdict {
            Verdict::Login(_) if self.has_one_key() => self.note_first(|| session.signature()),
            Verdict::Login(_) | Verdict::Anonymous { .. } => {
                let Ok(payload) = session.payload() else { return };
                let is_believed = session.signature() != Signature::Invalid;
                // A payload that is cut off counts, too: its beginning shows keys.
                let mut candidates = Vec::new();
                let _ = payload.members(&mut |key, _| match self
                    .keys
                    .iter()
                    .position(|name| *name == *key)
                {
                    Some(place) if is_believed => {
                        if let Some(seen) = self.seen.get(place) {
                            seen.store(true, Relaxed);
                        }
                    }
                    Some(_) => {}
                    None => {
                        members.add(&key, 1, 0);
                        if candidates.len() < MOST_MEMBERS && may_be_login(&key) {
                            candidates.push(key.into_owned());
                        }
                    }
                });
                if !self.may_be_own.load(Relaxed)
                    && candidates.into_iter().any(|key: String| may_hold_login(&payload, &key))
                {
                    self.may_be_own.store(true, Relaxed);
                }
            }
            Verdict::Unreadable(_) | Verdict::Damaged(_) => {}
        }
    }

    /// Notes the keys of the site's own under which a session without a login has an id that is sought.
    fn note_own(&self, own: &[(Cow<'_, str>, Cow<'_, str>)]) {
        let is_login_key: fn(&str) -> bool = match self.sought {
            Sought::Nobodys | Sought::Visitors => return,
            Sought::Of(_) => |key| key.len() <= LONGEST_KEY,
            Sought::Anybodys => |key| key.len() <= LONGEST_KEY && is_called_like_login(key),
        };
        for (key, _) in own.iter().filter(|(key, id)| is_login_key(key) && self.seeks(id)) {
            self.note_elsewhere(key);
        }
    }

    /// Notes the keys of the site's own because of which a session may be no visitor's.
    pub(crate) fn note_no_visitor(&self, session: &Decoded<'_>, verdict: &Verdict<'_>) {
        for key in keys_of_own_logins(session, verdict) {
            if key.len() <= LONGEST_KEY {
                self.note_elsewhere(&key);
            }
        }
    }

    fn note_elsewhere(&self, key: &str) {
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        if elsewhere.len() < MOST_MEMBERS {
            elsewhere.insert(key.to_owned());
        }
    }

    fn seeks(&self, id: &str) -> bool {
        match self.sought {
            Sought::Nobodys => false,
            Sought::Of(users) => users.contains(id) || users.may_mean(id),
            Sought::Anybodys | Sought::Visitors => is_somebody(id),
        }
    }

    /// The doubt that follows from ids in sessions without a login.
    pub(crate) fn elsewhere(&self) -> Option<Doubt> {
        let elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<String> = elsewhere.iter().cloned().collect();
        (!keys.is_empty()).then_some(match self.sought {
            Sought::Anybodys | Sought::Visitors => Doubt::LoginElsewhere { keys },
            Sought::Of(_) | Sought::Nobodys => Doubt::IdElsewhere { keys },
        })
    }

    /// The doubt after a scan. `members`: the other keys of sessions; without them, keys without a login are no doubt.
    pub(crate) fn doubt(&self, members: Option<Counts>) -> Option<Doubt> {
        let no_login = members.and_then(|members| doubt(self.unseen(), members));
        no_login.or_else(|| self.elsewhere())
    }

    /// The login keys that were not seen, and that nobody vouches for.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let is_known = |key: &str| {
            key == DJANGO_USER_KEY
                && match self.known_by {
                    Some(KnownBy::Operator) => true,
                    Some(KnownBy::Project) => !self.may_be_own.load(Relaxed),
                    None => false,
                }
        };
        let unseen = |(key, seen): (&String, &AtomicBool)| {
            (!seen.load(Relaxed) && !is_known(key)).then(|| key.clone())
        };
        self.keys.iter().zip(&self.seen).filter_map(unseen).collect()
    }
}

/// The doubt if no live session holds a login under these keys. Empty sessions do not count: they cannot hold a login.
pub(crate) fn doubt(looked_for: Vec<String>, members: Counts) -> Option<Doubt> {
    let keys = members.top(MOST_MEMBERS, |key| key.times).into_iter().map(|(key, _)| key);
    let keys: Vec<String> = keys.collect();
    (!looked_for.is_empty() && !keys.is_empty()).then_some(Doubt::NoLogin { looked_for, keys })
}

/// The user id that a session holds under this key.
fn id_under<'s>(payload: &Payload<'s>, key: &str) -> Option<Cow<'s, str>> {
    let keys = LoginKeys { user: vec![key.to_owned()], also: Vec::new(), may_be_own: None };
    payload.auth_under(&keys).ok().and_then(|auth| auth.user_id)
}

/// Whether what stands under a key that is called like one of a login may be a login: the key is called like nothing else,
/// or the value may be an id.
fn may_hold_login(payload: &Payload<'_>, key: &str) -> bool {
    is_called_like_login(key) || id_under(payload, key).is_some_and(|id| is_like_id(&id))
}

/// Whether a text may be a primary key, and not the page to show next, or random text that guards a login with another
/// site (30 characters and more: `google-oauth2_state`, `oauth_token`).
fn is_like_id(text: &str) -> bool {
    const SHORTEST_SECRET: usize = 30;
    let is_short = text.len() < SHORTEST_SECRET && !text.contains('/');
    !text.is_empty() && (is_short || text.contains('@') || UserType::Uuid.fit(text).is_some())
}

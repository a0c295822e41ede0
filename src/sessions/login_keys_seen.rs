//! Whether live sessions hold a login under each of the keys that are looked at. If they do not, the site may keep its logins
//! under another key.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use django_session::{Decoded, LoginKeys, Signature, UserIds, Verdict};

use super::counts::Counts;
use crate::context::Ctx;
use crate::report::Doubt;
use crate::ui;

/// Keys at the top level of sessions that are named, the most frequent first.
const MOST_MEMBERS: usize = 20;

/// `SESSION_KEY` (Django 5.2 `contrib/auth/__init__.py`).
const DJANGO_USER_KEY: &str = "_auth_user_id";

/// Which of the keys a scan has seen. Its workers share it.
pub(crate) struct LoginKeysSeen<'c> {
    keys: &'c [String],
    seen: Vec<AtomicBool>,
    asked: Option<&'c UserIds>,
    /// Other keys under which a session without a login has the id of a user who is asked for.
    elsewhere: Mutex<BTreeSet<String>>,
}

impl<'c> LoginKeysSeen<'c> {
    /// `asked`: the users who are asked for, unless that is everybody. An operator who names keys of logins says that the
    /// others are none, so then their ids are not looked for elsewhere.
    pub(crate) fn new(ctx: &Ctx<'c>, asked: Option<&'c UserIds>) -> Self {
        let keys = &ctx.codec.login.user;
        let seen = keys.iter().map(|_| AtomicBool::new(false)).collect();
        let asked = asked.filter(|_| ctx.global.user_keys.is_empty());
        Self { keys, seen, asked, elsewhere: Mutex::default() }
    }

    /// Whether one look at the beginning of a row tells which of the keys it holds.
    pub(crate) fn has_one_key(&self) -> bool {
        self.keys.len() == 1
    }

    pub(crate) fn are_all_seen(&self) -> bool {
        self.seen.iter().all(|seen| seen.load(Relaxed))
    }

    /// Notes a login that stands under the first key. `signature` is asked only if it matters: one that no key verifies shows
    /// nothing of the site.
    pub(crate) fn note_first(&self, signature: impl FnOnce() -> Signature) {
        if let Some(seen) = self.seen.first()
            && !seen.load(Relaxed)
            && signature() != Signature::Invalid
        {
            seen.store(true, Relaxed);
        }
    }

    /// Notes a live session, and counts in `members` what else stands at its top level as long as a key was not seen.
    pub(crate) fn note(&self, session: &Decoded<'_>, verdict: &Verdict<'_>, members: &mut Counts) {
        if let (Some(asked), Verdict::Anonymous) = (self.asked, verdict) {
            self.note_elsewhere(session, asked);
        }
        if self.are_all_seen() {
            return;
        }
        match verdict {
            Verdict::Login(_) if self.has_one_key() => self.note_first(|| session.signature()),
            Verdict::Login(_) | Verdict::Anonymous => {
                let Ok(payload) = session.payload() else { return };
                let is_believed = session.signature() != Signature::Invalid;
                // A payload that ends in the middle has shown keys all the same.
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
                    None => members.add(&key, 1, 0),
                });
            }
            Verdict::Unreadable(_) | Verdict::Damaged(_) => {}
        }
    }

    /// A site may log in its staff as Django does, and its members under a key of its own.
    fn note_elsewhere(&self, session: &Decoded<'_>, asked: &UserIds) {
        let Ok(payload) = session.payload() else { return };
        let mut candidates = Vec::new();
        // What stands before the end of a damaged payload counts as well.
        let _ = payload.members(&mut |key, _| {
            if candidates.len() < MOST_MEMBERS && ui::may_be_login(&key) {
                candidates.push(key.into_owned());
            }
        });
        for key in candidates {
            let keys = LoginKeys { user: vec![key.clone()], also: Vec::new() };
            let user = payload.auth_under(&keys).ok().and_then(|auth| auth.user_id);
            if user.is_some_and(|id| asked.contains(&id) || asked.may_mean(&id)) {
                let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
                if elsewhere.len() < MOST_MEMBERS {
                    elsewhere.insert(key);
                }
            }
        }
    }

    /// The other keys under which sessions without a login have the id of a user who is asked for.
    pub(crate) fn elsewhere(&self) -> Vec<String> {
        let elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        elsewhere.iter().cloned().collect()
    }

    /// What follows from what was seen; from keys without a login only if what else stands in sessions is given.
    pub(crate) fn doubt(&self, ctx: &Ctx<'_>, members: Option<Counts>) -> Option<Doubt> {
        let no_login = members.and_then(|members| doubt(ctx, &self.unseen(), members));
        no_login.or_else(|| elsewhere_doubt(self.elsewhere()))
    }

    /// The keys that were not seen.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let unseen =
            |(key, seen): (&String, &AtomicBool)| (!seen.load(Relaxed)).then(|| key.clone());
        self.keys.iter().zip(&self.seen).filter_map(unseen).collect()
    }
}

/// The doubt that follows from keys under which no live session holds a login. Django's own key is none if the operator named
/// it: that says that it is right. So does a project, which knows table and engine, unless a key looks like a login of its own.
/// A session that holds nothing cannot hold a login.
pub(crate) fn doubt(ctx: &Ctx<'_>, unseen: &[String], members: Counts) -> Option<Doubt> {
    let is_named = ctx.global.user_keys.iter().any(|key| key == DJANGO_USER_KEY)
        || ctx.project.is_some() && !members.values().any(ui::may_be_login);
    let is_confirmed = |key: &String| key == DJANGO_USER_KEY && is_named;
    let looked_for: Vec<String> = unseen.iter().filter(|key| !is_confirmed(key)).cloned().collect();
    let keys = members.top(MOST_MEMBERS, |key| key.times).into_iter().map(|(key, _)| key);
    let keys: Vec<String> = keys.collect();
    (!looked_for.is_empty() && !keys.is_empty()).then_some(Doubt::NoLogin { looked_for, keys })
}

/// The doubt that follows from ids of the named users under other keys.
pub(crate) fn elsewhere_doubt(keys: Vec<String>) -> Option<Doubt> {
    (!keys.is_empty()).then_some(Doubt::IdElsewhere { keys })
}

//! Whether live sessions hold a login under each of the keys that are looked at. If they do not, the site may keep its logins
//! under another key.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use django_session::{Codec, Decoded, Signature, Verdict};

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
}

impl<'c> LoginKeysSeen<'c> {
    pub(crate) fn new(codec: &'c Codec) -> Self {
        let keys = &codec.login.user;
        Self { keys, seen: keys.iter().map(|_| AtomicBool::new(false)).collect() }
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

//! The order of the sessions of one user, and which of them have to go.

use std::cmp::Reverse;

/// So many sessions more than two times those that are kept are held for a user before they are sorted.
pub(super) const SPARE: usize = 16;

/// What is known of a session and of its last save. The classes of better sessions come first.
///
/// What no key verifies comes last: Django reads it as empty, unless it has another key, so it never takes the place of a
/// session that a key verifies, whatever time it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Dated,
    Undated,
    UnverifiedDated,
    UnverifiedUndated,
}

impl Class {
    pub(super) fn of(is_dated: bool, is_unverified: bool) -> Self {
        match (is_unverified, is_dated) {
            (false, true) => Self::Dated,
            (false, false) => Self::Undated,
            (true, true) => Self::UnverifiedDated,
            (true, false) => Self::UnverifiedUndated,
        }
    }

    pub(super) fn is_unverified(self) -> bool {
        self >= Self::UnverifiedDated
    }
}

/// A session of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranked {
    pub(super) class: Class,
    /// When it was saved, in seconds since 1970; 0 in classes without a time.
    pub(super) saved: i64,
    /// When it expires, in microseconds.
    pub(super) expires: i64,
    pub(super) key: Box<str>,
    /// Whether it is another user's, whom this one impersonates.
    pub(super) is_behind: bool,
    /// Whether it names several users.
    pub(super) is_shared: bool,
}

/// What is decided of the sessions of a user.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) beyond: Vec<Ranked>,
    /// How many more would have to go, of those of which it is unknown which are newer.
    pub(super) unknown: u64,
}

/// Takes out the sessions that have so many newer ones in their class.
pub(super) fn trim(sessions: &mut Vec<Ranked>, keep: usize) -> Vec<Ranked> {
    sort(sessions);
    let (mut beyond, mut class, mut seen) = (Vec::new(), None, 0);
    let mut stay = Vec::with_capacity(sessions.len());
    for session in sessions.drain(..) {
        if class != Some(session.class) {
            (class, seen) = (Some(session.class), 0);
        }
        seen += 1;
        if seen > keep { beyond.push(session) } else { stay.push(session) }
    }
    *sessions = stay;
    beyond
}

/// Decides which sessions of a user have to go so that so many are kept.
///
/// Sessions without a time of saving are compared by when they expire, and those with one by that. Which of two is newer, of one
/// with and one without, is unknown: both stay.
pub(super) fn settle(sessions: Vec<Ranked>, keep: usize) -> Settled {
    let (unverified, verified): (Vec<_>, Vec<_>) =
        sessions.into_iter().partition(|session| session.class.is_unverified());
    let there = verified.len();
    let mut settled = settle_some(verified, keep);
    let rest = settle_some(unverified, keep.saturating_sub(there));
    settled.beyond.extend(rest.beyond);
    settled.unknown += rest.unknown;
    settled
}

/// The same for sessions that a key verifies, or for those that none does.
fn settle_some(mut sessions: Vec<Ranked>, keep: usize) -> Settled {
    let beyond = trim(&mut sessions, keep);
    let unknown = sessions.len().saturating_sub(keep);
    Settled { beyond, unknown: u64::try_from(unknown).unwrap_or(u64::MAX) }
}

/// By class, and the newest first: by the last save, then by the expiry, then by the key.
fn sort(sessions: &mut [Ranked]) {
    sessions.sort_unstable_by(|one, other| {
        let order = |of: &Ranked| (of.class, Reverse((of.saved, of.expires)));
        order(one).cmp(&order(other)).then_with(|| one.key.cmp(&other.key))
    });
}

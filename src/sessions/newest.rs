//! Ranks the sessions of each user by their last save, and finds those beyond the newest few (`--keep-newest`,
//! `--beyond-newest`).
//!
//! Memory is bounded, whatever the number of users and sessions: the table of users holds so many sessions at most. Where there
//! are more, a pass over the sessions ranks some users, by hashes of their ids, and leaves the others for the next pass. While it
//! does so it counts sessions by hash, which tells the next pass which users need no ranking: most have few sessions.
//!
//! What a pass did not see can only add to the sessions that have to go, since each that it did see counts. So a scan that was
//! ended early, or that read only some rows, takes none too many.

mod ranked;
mod sketch;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use django_session::{Decoded, Login, UserIds};

use self::ranked::{Class, Ranked, Settled};
use self::sketch::Sketch;
use super::query::{Newest, SessionQuery, UserFilter};
use crate::model::{Expiry, Row, Timestamp};

/// How far the clocks of the site's servers may be ahead of this one, in seconds. A session that says that it was saved later is
/// one of which it is unknown when.
const AHEAD: i64 = 600;

/// How often the users of a pass are halved: more than enough for any number of them.
const MOST_HALVES: u32 = 60;

/// The smallest table of users: it has room for more sessions than are held of one user.
fn least(keep: usize) -> usize {
    4 * (2 * keep + ranked::SPARE)
}

/// A session of a user.
pub(crate) struct Candidate {
    user: u128,
    /// The user's id, where reports name users.
    id: Option<Box<str>>,
    session: Ranked,
}

/// Sessions that have to go: one whose key is known, or some that are only counted.
pub(crate) struct Beyond {
    pub(crate) key: Option<Box<str>>,
    /// The user's id, where reports name users.
    pub(crate) id: Option<Box<str>>,
    pub(crate) sessions: Counted,
}

/// How many sessions have to go.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counted {
    /// Those that no key verifies are not among them.
    pub(crate) matched: u64,
    pub(crate) unverified: u64,
    /// Of all: those of another user, whom this one impersonates.
    pub(crate) behind: u64,
}

impl Counted {
    fn add(&mut self, session: &Ranked) {
        let is_unverified = session.class.is_unverified();
        self.matched += u64::from(!is_unverified);
        self.unverified += u64::from(is_unverified);
        self.behind += u64::from(session.is_behind);
    }
}

/// What workers need to tell whose a session is and when it was saved.
pub(crate) struct Candidates<'q> {
    query: SessionQuery<'q>,
    newest: Newest,
    /// Sessions that expired before this are not live, and push out no other.
    live_at: Timestamp,
    /// This machine's clock, in seconds since 1970.
    clock: i64,
    hashers: [RandomState; 2],
}

impl<'q> Candidates<'q> {
    pub(crate) fn of(query: &SessionQuery<'q>, live_at: Timestamp) -> Option<Self> {
        Some(Self {
            query: *query,
            newest: query.newest?,
            live_at,
            clock: Timestamp::now().as_seconds(),
            hashers: [RandomState::new(), RandomState::new()],
        })
    }

    /// Adds a session that the query asks for, once for each user whom it names.
    pub(crate) fn add(
        &self,
        to: &mut Vec<Candidate>,
        row: &Row<'_>,
        session: &Decoded<'_>,
        login: &Login<'_>,
    ) {
        let saved = session.saved().filter(|saved| *saved <= self.clock + AHEAD);
        let came_since = self.newest.until.zip(saved).is_some_and(|(until, saved)| saved > until);
        if came_since || !row.expires.may_be_after(self.live_at) {
            return;
        }
        let asked = match self.query.users {
            UserFilter::These(ids) => Some(ids),
            _ => None,
        };
        let class = Class::of(saved.is_some(), login.is_unverified());
        let first = to.len();
        for id in login.users().filter(|id| asked.is_none_or(|ids| ids.contains(id))) {
            let id = UserIds::compared(id);
            let user = self.hash(&id);
            if to.iter().skip(first).any(|one| one.user == user) {
                continue;
            }
            to.push(Candidate {
                user,
                id: asked.map(|_| (*id).into()),
                session: Ranked {
                    class,
                    saved: saved.unwrap_or_default(),
                    expires: micros(row.expires),
                    key: row.key.into(),
                    is_behind: self.query.users.is_behind(login),
                    is_shared: !login.others.is_empty(),
                },
            });
        }
    }

    fn hash(&self, id: &str) -> u128 {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(id)));
        (high << 64) | low
    }
}

fn micros(expires: Expiry) -> i64 {
    let (Expiry::At(at) | Expiry::Wall(at) | Expiry::Unreadable(at)) = expires;
    at.as_micros_since_2000()
}

/// Some of the users: those whose hash ends in this.
#[derive(Clone, Copy)]
struct Region {
    halves: u32,
    end: u128,
}

impl Region {
    const ALL: Self = Self { halves: 0, end: 0 };

    fn has(self, user: u128) -> bool {
        user & ((1 << self.halves) - 1) == self.end
    }

    fn halve(self) -> [Self; 2] {
        let halves = self.halves + 1;
        [Self { halves, ..self }, Self { halves, end: self.end | (1 << self.halves) }]
    }
}

#[derive(Default)]
struct OfUser {
    id: Option<Box<str>>,
    sessions: Vec<Ranked>,
    /// Sessions that have to go, beside those whose keys are collected.
    counted: Counted,
}

/// The ranking of the sessions of all users.
pub(crate) struct Ranking {
    keep: usize,
    /// Most sessions in the table of users.
    most: usize,
    held: usize,
    users: HashMap<u128, OfUser>,
    /// The users of this pass.
    regions: Vec<Region>,
    /// Those of later passes.
    later: Vec<Region>,
    /// What an earlier pass counted.
    counted: Option<Sketch>,
    counts: Sketch,
    /// Most sessions that have to go of which more than the number is known.
    most_keys: usize,
    /// Sessions of users of this pass that have to go.
    beyond: Vec<(u128, Ranked)>,
    /// Sessions of several users that were found to have to go, for one of them.
    shared: HashSet<Box<str>>,
    /// How many sessions stay that would have to go, but which of a user's these are is unknown.
    pub(crate) unknown: u64,
}

impl Ranking {
    /// For a table of users of so many sessions, and so many keys.
    pub(crate) fn new(keep: usize, most: usize, most_keys: usize) -> Self {
        Self {
            keep,
            most: most.max(least(keep)),
            held: 0,
            users: HashMap::new(),
            regions: vec![Region::ALL],
            later: Vec::new(),
            counted: None,
            counts: Sketch::new(),
            most_keys,
            beyond: Vec::new(),
            shared: HashSet::new(),
            unknown: 0,
        }
    }

    pub(crate) fn add(&mut self, candidates: Vec<Candidate>) {
        for Candidate { user, id, session } in candidates {
            if self.counted.as_ref().is_some_and(|counted| !counted.may_exceed(user, self.keep)) {
                continue;
            }
            let is_now = is_among(&self.regions, user);
            if is_now || is_among(&self.later, user) {
                self.counts.count(user);
            }
            if !is_now {
                continue;
            }
            let of_user = self.users.entry(user).or_default();
            of_user.id = of_user.id.take().or(id);
            of_user.sessions.push(session);
            self.held += 1;
            if of_user.sessions.len() > 2 * self.keep + ranked::SPARE {
                self.trim(user);
            }
            if self.held > self.most {
                self.make_room();
            }
        }
    }

    /// How many keys this pass has found.
    pub(crate) fn found(&self) -> usize {
        self.beyond.len()
    }

    /// Ends a pass, and returns whether another one is needed.
    pub(crate) fn end_pass(&mut self) -> bool {
        let users: Vec<u128> = self.users.keys().copied().collect();
        for user in users {
            let Some(of_user) = self.users.get_mut(&user) else { continue };
            let sessions = std::mem::take(&mut of_user.sessions);
            let Settled { beyond, unknown } = ranked::settle(sessions, self.keep);
            self.unknown += unknown;
            self.drop_sessions(user, beyond);
        }
        self.held = 0;
        self.regions = std::mem::take(&mut self.later);
        self.counted = Some(std::mem::replace(&mut self.counts, Sketch::new()));
        !self.regions.is_empty()
    }

    /// The sessions of users of the pass that have to go, after its end, or where it ends early.
    pub(crate) fn take_beyond(&mut self) -> Vec<Beyond> {
        let mut all = Vec::with_capacity(self.beyond.len());
        for (user, session) in std::mem::take(&mut self.beyond) {
            if session.is_shared && !self.shared.insert(session.key.clone()) {
                continue;
            }
            let mut sessions = Counted::default();
            sessions.add(&session);
            let id = self.users.get(&user).and_then(|of_user| of_user.id.clone());
            all.push(Beyond { key: Some(session.key), id, sessions });
        }
        for (_, OfUser { id, counted, .. }) in std::mem::take(&mut self.users) {
            all.push(Beyond { key: None, id, sessions: counted });
        }
        all
    }

    /// Drops the sessions of a user that are beyond the newest of their class.
    fn trim(&mut self, user: u128) {
        let Some(OfUser { sessions, .. }) = self.users.get_mut(&user) else { return };
        let beyond = ranked::trim(sessions, self.keep);
        self.held -= beyond.len();
        self.drop_sessions(user, beyond);
    }

    fn drop_sessions(&mut self, user: u128, sessions: Vec<Ranked>) {
        for session in sessions {
            // Of a session of several users only the key tells whether it was counted for another one.
            if session.is_shared || self.beyond.len() < self.most_keys {
                self.beyond.push((user, session));
            } else if let Some(of_user) = self.users.get_mut(&user) {
                of_user.counted.add(&session);
            }
        }
    }

    /// Leaves some users for a later pass.
    fn make_room(&mut self) {
        let users: Vec<u128> = self.users.keys().copied().collect();
        for user in users {
            self.trim(user);
        }
        while self.held > self.most / 4 * 3 {
            match (self.regions.pop(), self.regions.is_empty()) {
                (Some(region), false) => self.later.push(region),
                (Some(region), true) if region.halves < MOST_HALVES => {
                    let [here, later] = region.halve();
                    self.regions.push(here);
                    self.later.push(later);
                }
                (region, _) => {
                    self.regions.extend(region);
                    return;
                }
            }
            // What was found of the others is found again.
            let regions = &self.regions;
            self.users.retain(|user, _| is_among(regions, *user));
            self.beyond.retain(|(user, _)| is_among(regions, *user));
            self.held = self.users.values().map(|of_user| of_user.sessions.len()).sum();
        }
    }
}

fn is_among(regions: &[Region], user: u128) -> bool {
    regions.iter().any(|region| region.has(user))
}

#[cfg(test)]
mod tests;

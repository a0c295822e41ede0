//! The report of `flush-all`, as data.

use serde::Serialize;

use crate::model::Tally;
use crate::report::{
    Doubt, Ending, Matches, Paused, Proof, Referenced, ReferencesDeleted, Sum, both,
};

/// The report of `flush-all`.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct FlushReport {
    /// `flush-all`.
    pub command: &'static str,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// The contents of the table before; `None` if they were not counted.
    #[serde(flatten)]
    pub census: Option<Census>,
    /// The same, under the names that all commands share.
    pub tally: Option<Tally>,
    /// Sessions to end, and rows that the last scan could not classify.
    #[serde(flatten)]
    pub matches: Matches,
    /// Different users of those sessions that no key verifies, counted up to 10,000.
    pub unverified_users: u64,
    /// What the run proved.
    pub verdict: Proof,
    /// Why nothing is proved although the last scan found no session.
    pub doubts: Vec<Doubt>,
    /// Keys that signatures were checked with: `SECRET_KEY` and its fallbacks. Without one, none was checked.
    pub secret_keys: usize,
    /// Deleted rows; `None` if the table was truncated.
    pub deleted: Option<u64>,
    /// Rows of other tables that were deleted with them.
    #[serde(flatten)]
    pub references: ReferencesDeleted,
    /// Rows that were rewritten without their login, with `--keep-data`.
    pub rewritten: u64,
    /// Whether users were spared.
    #[serde(skip)]
    pub some_spared: bool,
    /// Logins that the last scan found; `None` if no scan followed the last delete.
    pub remaining: Option<u64>,
    /// Deleted sessions that exist again: a trigger or a rule keeps them, or the site wrote them back.
    pub not_deleted: u64,
    /// Sessions that stay because other tables refer to them.
    #[serde(flatten)]
    pub kept: Referenced,
    /// Rounds of scan and delete: more than one if some came back.
    pub rounds: u32,
    /// Whether a cache in front of the table may still hold sessions.
    pub cached: bool,
    /// Entries that were deleted from that cache; `None` if no cache was named.
    pub cache_entries_deleted: Option<u64>,
    /// Whether unverified sessions were spared.
    #[serde(skip)]
    pub verified_only: bool,
    /// Whether the session engine of the site is unknown.
    #[serde(skip)]
    pub engine_unknown: bool,
    /// Why it ended.
    pub ended: Ending,
    /// Seconds that it paused.
    pub paused: Paused,
    /// Transactions committed.
    pub batches: u64,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
}

/// The contents of a table.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Census {
    /// Rows.
    pub rows: u64,
    /// Live ones that name a user.
    pub live_users: u64,
    /// Live ones that name none.
    pub live_anonymous: u64,
    /// Live ones that name a user and that no key verifies.
    pub live_unverified: u64,
    /// Different users of these, counted up to 10,000.
    pub live_unverified_users: u64,
    /// Live ones that cannot be read and may be logins.
    pub live_unreadable: u64,
    /// Live ones that no key verifies and that no Django could read.
    pub live_damaged: u64,
    /// Live ones that name a user who is spared: they stay.
    pub live_spared: u64,
    /// Expired ones.
    pub expired: u64,
}

impl From<Tally> for Census {
    fn from(tally: Tally) -> Self {
        Self {
            rows: tally.scanned,
            live_users: tally.logins,
            live_anonymous: tally.anonymous,
            live_unverified: tally.unverified,
            live_unverified_users: 0,
            live_unreadable: tally.unreadable,
            live_damaged: tally.damaged,
            live_spared: 0,
            expired: tally.expired,
        }
    }
}

impl Census {
    /// Adds the counts of another table.
    pub(super) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.live_users += other.live_users;
        self.live_anonymous += other.live_anonymous;
        self.live_unverified += other.live_unverified;
        self.live_unverified_users += other.live_unverified_users;
        self.live_unreadable += other.live_unreadable;
        self.live_damaged += other.live_damaged;
        self.live_spared += other.live_spared;
        self.expired += other.expired;
    }
}

impl Sum for FlushReport {
    fn begin(&self) -> Self {
        self.clone()
    }

    fn add(&mut self, other: &Self) {
        match (&mut self.census, &other.census) {
            (Some(census), Some(other)) => census.add(*other),
            (census, _) => *census = None,
        }
        match (&mut self.tally, &other.tally) {
            (Some(tally), Some(other)) => *tally += *other,
            (tally, _) => *tally = None,
        }
        self.matches += other.matches;
        self.unverified_users += other.unverified_users;
        self.verdict = self.verdict.and(other.verdict);
        self.doubts.extend(other.doubts.iter().cloned());
        self.deleted = both(self.deleted, other.deleted);
        self.references.add(&other.references);
        self.rewritten += other.rewritten;
        self.remaining = both(self.remaining, other.remaining);
        self.not_deleted += other.not_deleted;
        self.kept.add(&other.kept);
        self.rounds = self.rounds.max(other.rounds);
        self.cached |= other.cached;
        self.cache_entries_deleted = both(self.cache_entries_deleted, other.cache_entries_deleted);
        self.ended = self.ended.or(other.ended);
        self.paused.add(other.paused);
        self.batches += other.batches;
        self.elapsed_seconds += other.elapsed_seconds;
    }

    fn others_are_unknown(&mut self) {
        self.remaining = None;
        self.verdict = Proof::Unknown;
        self.ended = self.ended.or(Ending::Failed);
    }

    fn changed(&self) -> u64 {
        self.deleted.unwrap_or(0) + self.rewritten
    }
}

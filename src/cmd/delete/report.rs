//! The report of `delete`, as data.

use serde::Serialize;

use crate::model::Tally;
use crate::report::{
    Doubt, Ending, ListedSession, Matches, Paused, Proof, Referenced, ReferencesDeleted, Sum, both,
};

/// The report of `delete`.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct DeleteReport {
    /// `delete`.
    pub command: &'static str,
    /// The conditions as the operator typed them; of a session key only the part that may be shown.
    pub conditions: Vec<String>,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// Rows that the first scan read.
    pub scanned: u64,
    /// Sessions that meet the conditions, and rows of which that is unknown.
    #[serde(flatten)]
    pub matches: Matches,
    /// The sessions that the first scan found, by what they are.
    pub kinds: Tally,
    /// All rows that the last scan read, by what they are.
    pub tally: Tally,
    /// What the run proved.
    pub verdict: Proof,
    /// Why nothing is proved although the last scan found no session.
    pub doubts: Vec<Doubt>,
    /// Keys that signatures were checked with: `SECRET_KEY` and its fallbacks. Without one, none was checked.
    pub secret_keys: usize,
    /// Deleted rows.
    pub deleted: u64,
    /// Rows of other tables that were deleted with them.
    #[serde(flatten)]
    pub references: ReferencesDeleted,
    /// Sessions that the last scan found; `None` if no scan followed the last delete.
    pub remaining: Option<u64>,
    /// Deleted sessions that exist again: a trigger or a rule keeps them, or the site wrote them back.
    pub not_deleted: u64,
    /// Sessions that stay because other tables refer to them.
    #[serde(flatten)]
    pub kept: Referenced,
    /// Rounds of scan and delete: more than one if some came back.
    pub rounds: u32,
    /// Whether a cache in front of the table may still hold these sessions.
    pub cached: bool,
    /// Entries that were deleted from that cache; `None` if no cache was named.
    pub cache_entries_deleted: Option<u64>,
    /// Why it ended.
    pub ended: Ending,
    /// Seconds that it paused.
    pub paused: Paused,
    /// Transactions committed.
    pub batches: u64,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
    /// Whether sessions beyond the newest of their user were to go.
    #[serde(skip)]
    pub is_of_newest: bool,
    /// Sessions that stay because no key has verified any.
    #[serde(skip)]
    pub unverified_left: u64,
    /// Whether the session engine of the site is unknown.
    #[serde(skip)]
    pub engine_unknown: bool,
    /// Whether a doubt remains, even if the last scan found no session.
    #[serde(skip)]
    pub unsure: bool,
    /// The first sessions that a dry run found, for the operator to check.
    #[serde(skip)]
    pub preview: Vec<ListedSession>,
}

impl Sum for DeleteReport {
    fn begin(&self) -> Self {
        Self { preview: Vec::new(), ..self.clone() }
    }

    fn add(&mut self, other: &Self) {
        self.scanned += other.scanned;
        self.matches += other.matches;
        self.kinds += other.kinds;
        self.tally += other.tally;
        self.verdict = self.verdict.and(other.verdict);
        self.doubts.extend(other.doubts.iter().cloned());
        self.deleted += other.deleted;
        self.references.add(&other.references);
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
        self.unverified_left += other.unverified_left;
        self.unsure |= other.unsure;
    }

    fn others_are_unknown(&mut self) {
        self.remaining = None;
        self.verdict = Proof::Unknown;
        self.unsure = true;
        self.ended = self.ended.or(Ending::Failed);
    }

    fn changed(&self) -> u64 {
        self.deleted
    }
}

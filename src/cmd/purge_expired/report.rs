//! The report of `purge-expired`, as data.

use serde::Serialize;

use crate::report::{Ending, Paused, Referenced, ReferencesDeleted, Sum, both};

/// The report of `purge-expired`.
#[derive(Clone, Debug, Serialize)]
pub struct PurgeReport {
    /// `purge-expired`.
    pub command: &'static str,
    /// Rows that expired before this were to be deleted, RFC 3339 in UTC.
    pub cutoff: String,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// Deleted rows.
    pub deleted: u64,
    /// Rows of other tables that were deleted with them.
    #[serde(flatten)]
    pub references: ReferencesDeleted,
    /// Expired rows that stayed because another session held a lock on them to the end.
    pub locked: u64,
    /// Expired rows that stay because other tables refer to them.
    #[serde(flatten)]
    pub kept: Referenced,
    /// Expired rows that are left; `None` if counting took too long.
    pub left: Option<u64>,
    /// When the oldest of them expired.
    pub oldest_left: Option<String>,
    /// Why it ended.
    pub ended: Ending,
    /// Seconds that it paused.
    pub paused: Paused,
    /// Transactions committed.
    pub batches: u64,
    /// Dead rows that still take up space, if the database knows their number.
    pub dead_rows: Option<u64>,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
}

impl Sum for PurgeReport {
    fn begin(&self) -> Self {
        self.clone()
    }

    fn add(&mut self, other: &Self) {
        self.deleted += other.deleted;
        self.references.add(&other.references);
        self.locked += other.locked;
        self.kept.add(&other.kept);
        self.left = both(self.left, other.left);
        // Texts in RFC 3339 and UTC sort like the times.
        self.oldest_left =
            self.oldest_left.take().into_iter().chain(other.oldest_left.clone()).min();
        self.ended = self.ended.or(other.ended);
        self.paused.add(other.paused);
        self.batches += other.batches;
        self.dead_rows = both(self.dead_rows, other.dead_rows);
        self.elapsed_seconds += other.elapsed_seconds;
    }

    fn others_are_unknown(&mut self) {
        self.left = None;
        self.ended = self.ended.or(Ending::Failed);
    }

    fn changed(&self) -> u64 {
        self.deleted
    }
}

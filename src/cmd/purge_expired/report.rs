//! The report of `purge-expired`, as data.

use serde::Serialize;

use crate::report::{Ending, Paused, Referenced, Sum, both};

/// What `purge-expired` did.
#[derive(Clone, Debug, Serialize)]
pub struct PurgeReport {
    /// `purge-expired`.
    pub command: &'static str,
    /// What expired before it was to go, RFC 3339 in UTC.
    pub cutoff: String,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// Rows deleted.
    pub deleted: u64,
    /// Expired rows that stayed because somebody else held a lock on them to the end.
    pub locked: u64,
    /// Expired rows that stay because other tables refer to them.
    #[serde(flatten)]
    pub kept: Referenced,
    /// Expired rows that are in the table still; `None` if counting took too long.
    pub left: Option<u64>,
    /// When the oldest of them expired.
    pub oldest_left: Option<String>,
    /// Why it ended.
    pub ended: Ending,
    /// Seconds for which it had to wait.
    pub paused: Paused,
    /// Transactions committed.
    pub batches: u64,
    /// Deleted rows that still take up space, where the database knows.
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
        self.locked += other.locked;
        self.kept.add(&other.kept);
        self.left = both(self.left, other.left);
        // RFC 3339 in UTC: the order of the texts is that of the times.
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

//! The report of `backfill`, as data.

use serde::Serialize;

use crate::model::Tally;
use crate::report::{Ending, Paused, Sum, both, same};

/// What `backfill` did, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct BackfillReport {
    /// `backfill`.
    pub command: &'static str,
    /// The column.
    pub column: String,
    /// Its type: `text`, `bigint` or `uuid`.
    #[serde(rename = "type")]
    pub column_type: &'static str,
    /// Whether nothing was to be written.
    pub dry_run: bool,
    /// Whether only the last hour was asked for.
    #[serde(skip)]
    pub watch_nulls: bool,
    /// What a dry run would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<ColumnPlan>,
    /// Rows that the last look read.
    pub scanned: u64,
    /// Rows that were filled.
    pub filled: u64,
    /// Logins that the last look saw.
    pub logins: u64,
    /// Of these: found without a user id; `None` where no look came to its end after the last write.
    pub missing: Option<u64>,
    /// Of these: found with another one.
    pub different: u64,
    /// Of these: of users whose id the column cannot hold.
    pub misfits: u64,
    /// Some of those ids.
    pub misfit_ids: Vec<String>,
    /// Of these: of users who are not in the table that the column refers to.
    pub unknown_users: u64,
    /// That table.
    #[serde(skip)]
    pub users: Option<String>,
    /// Rows that name no user.
    pub anonymous: u64,
    /// Rows that name one and that Django reads as empty.
    pub unverified: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
    /// The same, under the names that all commands share.
    pub tally: Tally,
    /// Logins that were saved within the last hour.
    pub saved_last_hour: u64,
    /// Of these: found without a user id.
    pub missing_last_hour: u64,
    /// Looks that were taken after the filling.
    pub rounds: u32,
    /// Transactions.
    pub batches: u64,
    /// Why there was no more.
    pub ended: Ending,
    /// For how long it had to wait.
    pub paused: Paused,
    /// All in all.
    pub elapsed_seconds: f64,
}

/// What `backfill` would do to the table.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnPlan {
    /// Whether the column is there.
    pub exists: bool,
    /// What would be run before the filling, and after it.
    pub sql: Vec<String>,
    /// How long filling would take, by what was measured elsewhere.
    pub seconds: u64,
    /// What the table would grow by at most.
    pub table_bytes: u64,
    /// About what the index would take up.
    pub index_bytes: u64,
}

impl Sum for BackfillReport {
    fn begin(&self) -> Self {
        let plan = self.plan.as_ref();
        let plan = plan.map(|plan| ColumnPlan { sql: Vec::new(), ..plan.clone() });
        Self { plan, ..self.clone() }
    }

    fn add(&mut self, other: &Self) {
        if let (Some(plan), Some(other)) = (&mut self.plan, &other.plan) {
            plan.exists &= other.exists;
            plan.seconds += other.seconds;
            plan.table_bytes += other.table_bytes;
            plan.index_bytes += other.index_bytes;
        }
        if self.column_type != other.column_type {
            self.column_type = "various";
        }
        self.scanned += other.scanned;
        self.filled += other.filled;
        self.logins += other.logins;
        self.missing = both(self.missing, other.missing);
        self.different += other.different;
        self.misfits += other.misfits;
        self.misfit_ids.extend(other.misfit_ids.iter().cloned());
        self.unknown_users += other.unknown_users;
        same(&mut self.users, other.users.as_deref());
        self.anonymous += other.anonymous;
        self.unverified += other.unverified;
        self.unreadable += other.unreadable;
        self.tally += other.tally;
        self.saved_last_hour += other.saved_last_hour;
        self.missing_last_hour += other.missing_last_hour;
        self.rounds = self.rounds.max(other.rounds);
        self.batches += other.batches;
        self.ended = self.ended.or(other.ended);
        self.paused.add(other.paused);
        self.elapsed_seconds += other.elapsed_seconds;
    }

    fn others_are_unknown(&mut self) {
        self.ended = self.ended.or(Ending::Failed);
    }

    fn changed(&self) -> u64 {
        self.filled
    }
}

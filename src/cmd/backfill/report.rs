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
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// Whether only logins of the last hour were checked (`--watch-nulls`).
    #[serde(skip)]
    pub watch_nulls: bool,
    /// What a dry run would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<ColumnPlan>,
    /// Rows that the last scan read.
    pub scanned: u64,
    /// Rows that were filled.
    pub filled: u64,
    /// Logins that the last scan saw.
    pub logins: u64,
    /// Of these: with NULL in the column; `None` if no scan was completed after the last write.
    pub missing: Option<u64>,
    /// Of these: with another user id in the column.
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
    /// Rows that name a user but that no key verifies, so that Django reads them as empty.
    pub unverified: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
    /// The same, under the names that all commands share.
    pub tally: Tally,
    /// Logins that were saved within the last hour.
    pub saved_last_hour: u64,
    /// Of these: with NULL in the column.
    pub missing_last_hour: u64,
    /// Scans after the filling.
    pub rounds: u32,
    /// Transactions.
    pub batches: u64,
    /// Why it ended.
    pub ended: Ending,
    /// How long it paused.
    pub paused: Paused,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
}

/// What `backfill` would do to the table.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnPlan {
    /// Whether the column exists.
    pub exists: bool,
    /// The statements before and after the filling.
    pub sql: Vec<String>,
    /// Estimated seconds for filling, from measurements on another machine.
    pub seconds: u64,
    /// How much the table would grow at most.
    pub table_bytes: u64,
    /// The approximate size of the index.
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

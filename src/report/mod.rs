//! What a command found or did, as data. The names of these fields are a promise to scripts: see
//! `docs/output.md`.

mod audit;
mod doctor;
mod flush;
mod matches;
mod named;
mod proof;
mod referenced;
mod stats;
mod total;

use serde::Serialize;
use serde_json::value::RawValue;

pub use audit::{AuditBegan, AuditEnded, AuditedRun};
pub use doctor::Diagnosis;
pub use flush::{Census, FlushReport};
pub use matches::Matches;
pub use named::{NamedUser, ResolvedUser};
pub use proof::{Doubt, Proof};
pub use referenced::Referenced;
pub use stats::{
    BackendStats, DayStats, LargeSession, MemberStats, SizeStats, StatsReport, UserStats,
};
pub use total::{InSchema, Sum, Total};

use crate::model::{Health, Layout, Serializer, Signature, Tally};

/// What a session is, judged by its content; whether Django would believe it, the signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It names a user.
    User,
    /// It names none.
    Anonymous,
    /// It cannot be read.
    Unreadable,
}

/// One `session_data`, decoded.
#[derive(Clone, Debug, Serialize)]
pub struct DecodedSession {
    /// What it is.
    pub state: State,
    /// `_auth_user_id` as text.
    pub user_id: Option<String>,
    /// `_auth_user_backend`.
    pub backend: Option<String>,
    /// Whom else it holds: who is behind an impersonation.
    pub behind: Vec<String>,
    /// Whether there may be more of them than could be understood.
    pub behind_unclear: bool,
    /// Whether Django would believe it.
    pub signature: Signature,
    /// When it was last saved, RFC 3339 in UTC.
    pub saved: Option<String>,
    /// How it is laid out; `None` if in no way of Django's.
    pub layout: Option<Layout>,
    /// How its payload is serialized.
    pub serializer: Option<Serializer>,
    /// Whether its payload is stored as zlib.
    pub compressed: bool,
    /// Why it, or its payload, cannot be read.
    pub error: Option<String>,
    /// The whole payload.
    pub payload: Option<Box<RawValue>>,
}

impl DecodedSession {
    /// Bytes of what can be large in it.
    pub fn held_bytes(&self) -> usize {
        let texts = [&self.user_id, &self.backend, &self.error].into_iter().flatten();
        let texts = texts.chain(&self.behind).map(|text| text.len() + size_of::<String>());
        texts.sum::<usize>() + self.payload.as_ref().map_or(0, |payload| payload.get().len())
    }
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct ListedSession {
    /// The schema of its table, if several were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// `session_key`, masked unless it was asked for.
    pub session_key: String,
    /// `expire_date`, RFC 3339; without `Z` where the database does not tell the time zone.
    pub expires: Option<String>,
    /// Bytes of `session_data` as stored.
    pub size: usize,
    /// The rest.
    #[serde(flatten)]
    pub session: DecodedSession,
}

/// What `logout-user` did.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct LogoutReport {
    /// `logout-user`.
    pub command: &'static str,
    /// The ids that were asked for, as they were given.
    pub users: Vec<String>,
    /// Those of them who were named otherwise than by their ids.
    pub resolved: Vec<ResolvedUser>,
    /// All users who were named, each once.
    pub named: Vec<NamedUser>,
    /// The table of users that was believed: in which they were looked up, or which says whether they exist.
    pub user_table: Option<String>,
    /// Some of the ids of sessions that stayed because the key of the table of users cannot hold them.
    pub unfit_ids: Vec<String>,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// Rows that the first look read.
    pub scanned: u64,
    /// Sessions of these users that all looks found, less the one that was excepted, and what the last look could not
    /// tell.
    #[serde(flatten)]
    pub matches: Matches,
    /// All live rows, by what they are: of the last look that read all of them.
    pub tally: Tally,
    /// What is proved.
    pub verdict: Proof,
    /// Why nothing is proved, although no session is left that was looked for.
    pub doubts: Vec<Doubt>,
    /// Keys that signatures were checked with: `SECRET_KEY` and its fallbacks. Without one, none was checked.
    pub secret_keys: usize,
    /// Rows deleted.
    pub deleted: u64,
    /// Rows of django-allauth's deleted with them; `None` without `--cleanup-allauth` and in a dry run.
    pub allauth_deleted: Option<u64>,
    /// Rows written anew without their login, with `--keep-data`.
    pub rewritten: u64,
    /// Sessions that the last look found; `None` if there was no look after the last delete.
    pub remaining: Option<u64>,
    /// Sessions that were deleted and are there: a trigger or a rule keeps them, or the site wrote them back.
    pub not_deleted: u64,
    /// Sessions that stay because other tables refer to them.
    #[serde(flatten)]
    pub kept: Referenced,
    /// How often sessions were looked for and deleted: more than once if some came back.
    pub rounds: u32,
    /// The column that sessions were looked up by, if there was one.
    pub user_column: Option<String>,
    /// Whether the proof rests on what that column says.
    pub by_column: bool,
    /// Whether a cache in front of the table may still hold these sessions.
    pub cached: bool,
    /// Transactions committed.
    pub batches: u64,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
    /// Whether users were asked for by what the site knows of them.
    #[serde(skip)]
    pub of_selected: bool,
    /// Whether users were asked for who exist no longer.
    #[serde(skip)]
    pub of_deleted: bool,
    /// Whether sessions only lose their login.
    #[serde(skip)]
    pub keep_data: bool,
    /// Whether one session was to stay.
    #[serde(skip)]
    pub excepted: bool,
    /// Whether only sessions saved at some time were to go.
    #[serde(skip)]
    pub of_a_time: bool,
    /// Whether sessions that no key verifies were to stay.
    #[serde(skip)]
    pub verified_only: bool,
    /// Whether nobody said which engine the site runs.
    #[serde(skip)]
    pub engine_unknown: bool,
    /// Whether there is a doubt, whatever was found in the end.
    #[serde(skip)]
    pub unsure: bool,
    /// Whether it came to an early end.
    #[serde(skip)]
    pub stopped: bool,
    /// Whether that was a failure.
    #[serde(skip)]
    pub failed: bool,
    /// Whether it is of one schema of several.
    #[serde(skip)]
    pub of_a_schema: bool,
    /// Whether it is a sum, and some schemas failed, were not begun, or came to an early end.
    #[serde(skip)]
    pub others_unknown: bool,
    /// Some of what a dry run found, for a person to look at.
    #[serde(skip)]
    pub preview: Vec<ListedSession>,
}

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

/// Why a command that deletes much ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It came to its end.
    Done,
    /// `--limit`.
    Limit,
    /// `--run-time`.
    RunTime,
    /// A signal.
    Interrupted,
    /// An error, which is told beside.
    Failed,
}

/// Seconds that batches had to wait, by reason.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Paused {
    /// A replica was too far behind.
    pub lag: f64,
    /// The pause file was there.
    pub file: f64,
}

/// Whether expired sessions pile up.
#[derive(Debug)]
pub struct CheckReport {
    /// The verdict.
    pub health: Health,
    /// Expired rows; `None` if counting took too long.
    pub expired: Option<u64>,
    /// How many may be.
    pub max_expired: Option<u64>,
    /// Seconds since the oldest expired; `None` without any.
    pub oldest: Option<u64>,
    /// How many seconds that may be.
    pub max_age: u64,
}

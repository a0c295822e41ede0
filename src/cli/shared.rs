//! Options that several commands share.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{OUTPUT, PACE, SAFETY, WHICH};

/// Most sessions that are kept of each user by `--keep-newest` and `--beyond-newest`: all that are kept of one user are held in
/// memory.
pub(super) const MOST_NEWEST: i64 = 1_000;

/// Options of commands that find sessions by user.
#[derive(Debug, Default, Args)]
pub struct UserLookup {
    /// Column with the user id of a session. Otherwise user_id or account_id, if the table has it. It finds
    /// sessions fast; the scan that proves still reads the data of all live rows.
    #[arg(long, value_name = "NAME", help_heading = WHICH)]
    pub user_column: Option<String>,
    /// Use no user column.
    #[arg(long, conflicts_with = "user_column", help_heading = WHICH)]
    pub no_user_column: bool,
    /// Believe the column, and read no other rows: only where the site fills it at every login.
    #[arg(long, conflicts_with = "no_user_column", help_heading = WHICH)]
    pub trust_column: bool,
}

/// Options that select sessions by their last save.
#[derive(Debug, Default, Args)]
pub struct Saved {
    /// Only sessions that were last saved from the first time on and before the second, such as
    /// 2026-11-20 or 2026-11-20T14:30Z. Without a zone it is one of --timezone.
    #[arg(long, num_args = 2, value_names = ["FROM", "UNTIL"], conflicts_with = "idle", help_heading = WHICH)]
    pub saved_between: Vec<String>,
    /// Only sessions that were not saved for this long.
    #[arg(long, value_name = "DURATION", help_heading = WHICH)]
    pub idle: Option<String>,
    /// Time zone of these times. Otherwise TIME_ZONE of the project (--django), or UTC.
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true, help_heading = WHICH)]
    pub timezone: Option<String>,
}

/// Rows of other tables that go with the sessions.
#[derive(Debug, Args)]
pub struct References {
    /// Delete their rows of django-allauth (allauth.usersessions), too.
    #[arg(long, help_heading = WHICH)]
    pub cleanup_allauth: bool,
    /// Delete the rows with their keys in this column, too; may be repeated.
    #[arg(long, value_name = "TABLE.COLUMN", help_heading = WHICH)]
    pub delete_references: Vec<String>,
}

/// Options of commands that delete.
#[derive(Debug, Args)]
pub struct Batches {
    /// Rows per transaction. Otherwise as many as take about 50 ms.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = PACE)]
    pub batch_size: Option<u32>,
    /// Pause between transactions, at least.
    #[arg(long, value_name = "DURATION", default_value = "0s", help_heading = PACE)]
    pub sleep: String,
}

/// Options of commands that delete many rows.
#[derive(Debug, Args)]
pub struct Pace {
    /// Transactions.
    #[command(flatten)]
    pub batches: Batches,
    /// Pause for this many times as long as the last transaction took.
    #[arg(long, value_name = "FACTOR", default_value = "0", help_heading = PACE)]
    pub nice: f64,
    /// End after this time, with exit code 3 if rows are left.
    #[arg(long, value_name = "DURATION", help_heading = PACE)]
    pub run_time: Option<String>,
    /// End after this many rows.
    #[arg(long, value_name = "N", help_heading = PACE)]
    pub limit: Option<u64>,
    /// Pause while a replica is further behind than this (PostgreSQL, MySQL).
    #[arg(long, value_name = "DURATION", help_heading = PACE)]
    pub max_lag: Option<String>,
    /// Replica for --max-lag; may be repeated (MySQL, whose primary does not know its replicas).
    /// mysql://host:3306; account and encryption are those of the database, unless the URL names others.
    #[arg(long = "replica", value_name = "URL", requires = "max_lag", help_heading = PACE)]
    pub replicas: Vec<String>,
    /// Pause while this file exists.
    #[arg(long, value_name = "FILE", help_heading = PACE)]
    pub pause_file: Option<PathBuf>,
}

/// What is done about the cache of a site with cached_db.
#[derive(Debug, Args)]
pub struct Cache {
    /// The cache of a site with cached_db, where the entries of the sessions are deleted, too: redis://host:6379/1
    /// (Redis, Valkey), rediss:// with TLS, unix:///path/of/socket?db=1; otherwise the project's (--django), then
    /// SESSCTL_CACHE_URL.
    /// Several as in Django's LOCATION: the first is written, replicas follow. ?key_prefix=shop&version=3 says what
    /// the site's KEY_PREFIX and VERSION are.
    #[arg(long, value_name = "URL", help_heading = SAFETY)]
    pub cache: Option<String>,
    /// The cache of a site with cached_db was cleared after earlier runs: it has no copy of sessions whose rows went.
    #[arg(long, help_heading = SAFETY)]
    pub cache_cleared: bool,
    /// Print the cache keys of the sessions that are gone, one a line, for a site with cached_db:
    /// | xargs redis-cli DEL. Each is a login. The report then goes to standard error.
    #[arg(long, conflicts_with = "cache", help_heading = OUTPUT)]
    pub print_cache_keys: bool,
}

/// Options of commands that change the table.
#[derive(Debug, Args)]
pub struct Audit {
    /// Append lines of JSON to this file: who did what where, when and why, and the result.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub audit_file: Option<PathBuf>,
    /// Why, for the audit file.
    #[arg(long, value_name = "TEXT", requires = "audit_file", help_heading = OUTPUT)]
    pub reason: Option<String>,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Human,
    /// One object.
    Json,
}

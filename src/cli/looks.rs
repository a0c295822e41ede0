//! Commands that only look.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::{Args, ValueEnum};

use super::examples;
use super::shared::{ReportFormat, Saved, UserLookup};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::DOCTOR)]
pub struct Doctor {
    /// Print only the SQL that gives a role what these commands need, and no more (PostgreSQL); without commands what each
    /// of them needs.
    #[arg(long, value_name = "COMMAND,...", value_enum, num_args = 0.., value_delimiter = ',', conflicts_with = "format")]
    pub grants: Option<Vec<Granted>>,
    /// That role; otherwise the one that this connects as.
    #[arg(long, value_name = "NAME", requires = "grants")]
    pub role: Option<String>,
    /// What to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
}

/// What a role is to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Granted {
    /// List sessions.
    List,
    /// Show one.
    Show,
    /// Count them.
    Stats,
    /// Say whether expired ones pile up.
    Check,
    /// Look for problems.
    Doctor,
    /// By id, name, address and the like.
    LogoutUser,
    /// Delete expired sessions.
    PurgeExpired,
    /// Without --truncate.
    FlushAll,
    /// Fill the user column, once it is there.
    Backfill,
    /// flush-all --truncate.
    Truncate,
    /// --keep-data, with logout-user or flush-all.
    KeepData,
    /// --cleanup-allauth, with logout-user or flush-all.
    CleanupAllauth,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::CHECK)]
pub struct Check {
    /// Warn of more expired sessions than this; twice as many are critical.
    #[arg(long, value_name = "N")]
    pub max_expired: Option<u64>,
    /// Warn of a session that expired longer ago than this; twice as long is critical.
    #[arg(long, value_name = "DURATION", default_value = "2d")]
    pub max_age: String,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::LIST)]
pub struct List {
    /// Only sessions of this user; may be repeated.
    #[arg(long = "user", value_name = "ID", allow_negative_numbers = true)]
    pub users: Vec<String>,
    /// By what column.
    #[command(flatten)]
    pub lookup: UserLookup,
    /// When they were saved.
    #[command(flatten)]
    pub saved: Saved,
    /// Expired sessions too.
    #[arg(long)]
    pub all: bool,
    /// At most so many.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Print session keys whole. Each is a login.
    #[arg(long)]
    pub show_keys: bool,
    /// What to print.
    #[arg(long, value_enum, default_value = "table")]
    pub format: ListFormat,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::SHOW)]
pub struct Show {
    /// Beginning of the session key, 8 to 31 characters; - reads it, whole if need be, from
    /// standard input.
    #[arg(value_name = "KEY-PREFIX")]
    pub prefix: String,
    /// Print the session key whole. It is a login.
    #[arg(long)]
    pub show_keys: bool,
    /// What to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
}

/// Arguments of `stats`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::STATS)]
pub struct Stats {
    /// When they were saved.
    #[command(flatten)]
    pub saved: Saved,
    /// Users with the most sessions that are named.
    #[arg(long, value_name = "N", default_value = "10")]
    pub top: usize,
    /// What to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
}

/// How sessions are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// One array.
    Json,
    /// One object a line.
    Jsonl,
    /// RFC 4180, with a header.
    Csv,
    /// The user id of each logged-in session, one a line.
    Ids,
    /// How many there are.
    Count,
}

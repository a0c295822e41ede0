//! Arguments of `doctor`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::{Args, ValueEnum};

use super::OUTPUT;
use super::shared::ReportFormat;

const EXAMPLES: &str = "\
Examples:
  sessctl doctor
  sessctl doctor --quiet
  sessctl doctor --format json
  sessctl doctor --grants";

/// Check everything that sessctl depends on, and print what is wrong and what to do.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Doctor {
    /// Print only the SQL that gives a role what these commands need, and no more (PostgreSQL, MySQL); without commands what each
    /// of them needs.
    #[arg(long, value_name = "COMMAND,...", value_enum, num_args = 0.., value_delimiter = ',', conflicts_with = "format", help_heading = OUTPUT)]
    pub grants: Option<Vec<Granted>>,
    /// The role to grant to; otherwise the one that sessctl connects as.
    #[arg(long, value_name = "NAME", requires = "grants", help_heading = OUTPUT)]
    pub role: Option<String>,
    /// What to print.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
}

/// A task that a role gets rights for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Granted {
    /// List sessions.
    List,
    /// Show one session.
    Show,
    /// Count sessions.
    Stats,
    /// Warn where expired sessions pile up.
    Check,
    /// Look for problems.
    Doctor,
    /// By id, name, address and the like.
    LogoutUser,
    /// Delete expired sessions.
    PurgeExpired,
    /// Without --truncate.
    FlushAll,
    /// By what sessions are.
    Delete,
    /// Fill the user column, once it is there.
    Backfill,
    /// flush-all --truncate.
    Truncate,
    /// --keep-data, with logout-user or flush-all.
    KeepData,
    /// --cleanup-allauth, with what deletes.
    CleanupAllauth,
    /// --revoke-tokens, with logout-user.
    RevokeTokens,
}

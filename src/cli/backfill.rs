//! Arguments of `backfill`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::{Args, ValueEnum};

use super::shared::{Audit, Pace, ReportFormat};
use super::{OUTPUT, SAFETY, WHICH};

const COLUMN: &str = "Column";

const EXAMPLES: &str = "\
Examples:
  sessctl backfill --dry-run
  sessctl backfill --column user_id --type bigint
  sessctl backfill --watch-nulls
  sessctl backfill --drop --dry-run";

/// Add a column with the user id of each session and fill it, or take it away again.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct Backfill {
    /// Show the SQL and count what would be filled, and write nothing.
    #[arg(short = 'n', long, help_heading = SAFETY)]
    pub dry_run: bool,
    /// With --drop: do not ask.
    #[arg(long, requires = "drop", help_heading = SAFETY)]
    pub yes: bool,
    /// Only count the logins of the last hour that the site left without a user id.
    #[arg(long, conflicts_with_all = ["dry_run", "restart"], help_heading = SAFETY)]
    pub watch_nulls: bool,
    /// Take the column away again, with its index: only one that backfill made, and that nothing else needs.
    #[arg(long, conflicts_with_all = ["watch_nulls", "restart", "include_expired", "no_index", "column_type"], help_heading = COLUMN)]
    pub drop: bool,
    /// Name of the column.
    #[arg(long, value_name = "NAME", default_value = "user_id", help_heading = COLUMN)]
    pub column: String,
    /// Its type; auto decides by the key of auth_user and the ids in the sessions.
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value = "auto", help_heading = COLUMN)]
    pub column_type: AutoColumnType,
    /// Do not index it: every lookup by user then reads all rows.
    #[arg(long, help_heading = COLUMN)]
    pub no_index: bool,
    /// Fill expired sessions too.
    #[arg(long, help_heading = WHICH)]
    pub include_expired: bool,
    /// Also correct user ids that are there already.
    #[arg(long, help_heading = WHICH)]
    pub restart: bool,
    /// How fast to write.
    #[command(flatten)]
    pub pace: Pace,
    /// What to print.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
    /// The audit log.
    #[command(flatten)]
    pub audit: Audit,
}

/// The type of the user column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AutoColumnType {
    /// The type that fits.
    Auto,
    /// Any id.
    Text,
    /// 64-bit numbers.
    Bigint,
    /// UUIDs.
    Uuid,
}

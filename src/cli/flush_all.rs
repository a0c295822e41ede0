//! Arguments of `flush-all`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::Args;

use super::shared::{Audit, Cache, Pace, References, ReportFormat};
use super::{OUTPUT, PACE, SAFETY, WHICH, WHOM};

const EXAMPLES: &str = "\
Examples:
  sessctl flush-all --dry-run
  sessctl flush-all --yes --authenticated-only
  sessctl flush-all --yes --except-user 1
  sessctl flush-all --yes --keep-data --secret-key-file key";

/// Log everybody out: delete all sessions.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct FlushAll {
    /// Leave the sessions of this user; may be repeated.
    #[arg(long = "except-user", value_name = "ID", allow_negative_numbers = true, help_heading = WHOM)]
    pub except_users: Vec<String>,
    /// Count what would be deleted, and delete nothing.
    #[arg(short = 'n', long, help_heading = SAFETY)]
    pub dry_run: bool,
    /// Delete without asking.
    #[arg(long, help_heading = SAFETY)]
    pub yes: bool,
    /// With --authenticated-only or --keep-data: leave sessions of users that none of the keys verifies. They are
    /// counted, and make the exit code 3.
    #[arg(long, conflicts_with = "truncate", help_heading = SAFETY)]
    pub verified_only: bool,
    /// Wait before the second scan, for requests in flight to end.
    #[arg(long, value_name = "DURATION", default_value = "0s", help_heading = SAFETY)]
    pub settle: String,
    /// Take the login out of the sessions and keep the rest: carts. Only deleting cannot be undone by
    /// a request in flight.
    #[arg(long, help_heading = SAFETY)]
    pub keep_data: bool,
    /// Leave sessions that name no user: carts.
    #[arg(long, help_heading = WHICH)]
    pub authenticated_only: bool,
    /// Rows of other tables.
    #[command(flatten)]
    pub references: References,
    /// Empty the table at once, with a lock that keeps everybody out for an instant.
    #[arg(long, conflicts_with_all = ["except_users", "authenticated_only", "keep_data", "limit", "pause_file", "print_cache_keys"], help_heading = PACE)]
    pub truncate: bool,
    /// How fast to delete.
    #[command(flatten)]
    pub pace: Pace,
    /// What to print.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
    /// The cache.
    #[command(flatten)]
    pub cache: Cache,
    /// The audit log.
    #[command(flatten)]
    pub audit: Audit,
}

//! Arguments of `delete`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::Args;

use super::conditions::Conditions;
use super::shared::{Audit, Cache, MOST_NEWEST, Pace, References, ReportFormat, Saved};
use super::{OUTPUT, SAFETY, WHICH};

const EXAMPLES: &str = "\
Examples:
  sessctl delete --anonymous --idle 30d --dry-run
  sessctl delete --anonymous --saved-between 2026-11-20T14:00Z 2026-11-20T16:30Z
  sessctl delete --match oidc.sid=08a5019c-17e1-4977-8f42 --yes
  sessctl delete --serializer pickle --larger-than 1MB --dry-run
  sessctl delete --beyond-newest 3 --yes
  sessctl delete --signed-by 2 --logged-in --dry-run
  sessctl delete --session jo3q3qa3";

/// Delete live sessions by what they are, and prove that none of these is left.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct Delete {
    /// Show what would be deleted, and delete nothing.
    #[arg(short = 'n', long, help_heading = SAFETY)]
    pub dry_run: bool,
    /// Delete without asking. --session never asks.
    #[arg(long, help_heading = SAFETY)]
    pub yes: bool,
    /// Wait before the scan that proves, for requests in flight to end.
    #[arg(long, value_name = "DURATION", default_value = "0s", help_heading = SAFETY)]
    pub settle: String,
    /// One session: the beginning of its key, 8 to 31 characters; - reads it, or the whole key, from standard input.
    #[arg(long, value_name = "KEY-PREFIX", conflicts_with_all = Conditions::NAMES, conflicts_with_all = ["saved_between", "idle"], help_heading = WHICH)]
    pub session: Option<String>,
    /// Of each user the sessions beyond the newest so many, those that were saved last: a limit of concurrent logins, from cron.
    #[arg(
        long,
        alias = "keep-newest",
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=MOST_NEWEST),
        conflicts_with_all = Conditions::NAMES,
        conflicts_with_all = ["saved_between", "idle", "session"],
        help_heading = WHICH
    )]
    pub beyond_newest: Option<u16>,
    /// What sessions are.
    #[command(flatten)]
    pub conditions: Conditions,
    /// Sessions by their last save.
    #[command(flatten)]
    pub saved: Saved,
    /// Rows of other tables.
    #[command(flatten)]
    pub references: References,
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

//! Arguments of `logout-user`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use std::path::PathBuf;

use clap::Args;

use super::shared::{
    Audit, Batches, Cache, MOST_NEWEST, References, ReportFormat, Saved, UserLookup,
};
use super::user_selectors::UserSelectors;
use super::{OUTPUT, SAFETY, WHICH, WHOM};

const EXAMPLES: &str = "\
Examples:
  sessctl logout-user 42 --dry-run
  sessctl logout-user 42 1042 --settle 5s
  sessctl logout-user 42 --all-schemas --audit-file /var/log/sessctl.jsonl --reason laptop-stolen
  sessctl logout-user --from-file stolen.txt --saved-between 2026-11-20T14:00 2026-11-20T16:30
  sessctl logout-user 42 --except jo3q3qa3
  sessctl logout-user --username anna --keep-newest 1
  sessctl logout-user --username anna --username bert --dry-run
  sessctl logout-user --staff --deactivated
  sessctl --django /srv/shop logout-user --deleted-users";

/// Delete all live sessions of users, and prove that none is left.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct LogoutUser {
    /// Primary keys of the users.
    #[arg(
        value_name = "USER_ID",
        allow_negative_numbers = true,
        required_unless_present_any = UserSelectors::OR_IDS,
        help_heading = WHOM
    )]
    pub users: Vec<String>,
    /// Also the ids in this file, one a line; - is standard input.
    #[arg(long, value_name = "FILE", help_heading = WHOM)]
    pub from_file: Option<PathBuf>,
    /// Show what would be deleted, and delete nothing.
    #[arg(short = 'n', long, help_heading = SAFETY)]
    pub dry_run: bool,
    /// Users by name and the like.
    #[command(flatten)]
    pub selectors: UserSelectors,
    /// Take ids that the key of the table of users cannot hold, such as numbers from before a change to UUIDs.
    #[arg(long, help_heading = SAFETY)]
    pub unfit_ids: bool,
    /// Do not ask where --deleted-users finds more than half of the users who are logged in, or several backends.
    #[arg(long, help_heading = SAFETY)]
    pub yes: bool,
    /// Wait before the second scan, for requests in flight to end.
    #[arg(long, value_name = "DURATION", default_value = "0s", help_heading = SAFETY)]
    pub settle: String,
    /// Do not scan a second time.
    #[arg(long, conflicts_with = "settle", help_heading = SAFETY)]
    pub no_verify: bool,
    /// Leave sessions of these users that none of the keys verifies. They are counted, and make the exit code 3.
    #[arg(long, help_heading = SAFETY)]
    pub verified_only: bool,
    /// Take the login out of the sessions and keep the rest: carts. Only deleting cannot be undone by
    /// a request in flight.
    #[arg(long, conflicts_with = "no_verify", help_heading = SAFETY)]
    pub keep_data: bool,
    /// Keep the one session whose key begins with this (at least 8 characters), such as your own.
    #[arg(long, value_name = "PREFIX", help_heading = WHICH)]
    pub except: Option<String>,
    /// Keep so many sessions of each of these users, those that were saved last. Which of them is whose browser is unknown:
    /// --except keeps a certain one.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=MOST_NEWEST),
        conflicts_with_all = ["except", "saved_between", "idle"],
        help_heading = WHICH
    )]
    pub keep_newest: Option<u16>,
    /// Sessions by their last save.
    #[command(flatten)]
    pub saved: Saved,
    /// The user column.
    #[command(flatten)]
    pub lookup: UserLookup,
    /// Rows of other tables.
    #[command(flatten)]
    pub references: References,
    /// How fast to delete.
    #[command(flatten)]
    pub batches: Batches,
    /// What to print.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
    /// Also end API tokens and the like of these users, which outlive a logout, in tables of packages that are known: the report
    /// counts them.
    #[arg(long, help_heading = SAFETY)]
    pub revoke_tokens: bool,
    /// The cache.
    #[command(flatten)]
    pub cache: Cache,
    /// The audit log.
    #[command(flatten)]
    pub audit: Audit,
}

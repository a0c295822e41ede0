//! Arguments of `list`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::{Args, ValueEnum};

use super::conditions::Conditions;
use super::shared::{Saved, UserLookup};
use super::user_selectors::UserSelectors;
use super::{OUTPUT, WHICH, WHOM};

const EXAMPLES: &str = "\
Examples:
  sessctl list --user 42
  sessctl list --username anna
  sessctl list --format jsonl
  sessctl list --idle 30d --format ids
  sessctl list --anonymous --larger-than 100kB";

/// List sessions.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct List {
    /// Only sessions of this user; may be repeated.
    #[arg(long = "user", value_name = "ID", allow_negative_numbers = true, help_heading = WHOM)]
    pub users: Vec<String>,
    /// Users by what the site knows of them.
    #[command(flatten)]
    pub selectors: UserSelectors,
    /// Expired sessions too.
    #[arg(long, help_heading = WHICH)]
    pub all: bool,
    /// What sessions are.
    #[command(flatten)]
    pub conditions: Conditions,
    /// Sessions by their last save.
    #[command(flatten)]
    pub saved: Saved,
    /// The user column.
    #[command(flatten)]
    pub lookup: UserLookup,
    /// At most this many.
    #[arg(long, value_name = "N", help_heading = WHICH)]
    pub limit: Option<u64>,
    /// What to print.
    #[arg(long, value_enum, default_value = "table", help_heading = OUTPUT)]
    pub format: ListFormat,
    /// Print session keys whole. Each is a login.
    #[arg(long, help_heading = OUTPUT)]
    pub show_keys: bool,
    /// Do not look up the names of users.
    #[arg(long, help_heading = OUTPUT)]
    pub no_names: bool,
}

/// The format of a list.
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
    /// Only the number of sessions.
    Count,
}

//! What is typed of `list`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::{Args, ValueEnum};

use super::shared::{Saved, UserLookup};
use super::{OUTPUT, WHICH, WHOM};

const EXAMPLES: &str = "\
Examples:
  sessctl list --user 42
  sessctl list --format jsonl
  sessctl list --idle 30d --format ids";

/// List sessions.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct List {
    /// Only sessions of this user; may be repeated.
    #[arg(long = "user", value_name = "ID", allow_negative_numbers = true, help_heading = WHOM)]
    pub users: Vec<String>,
    /// Expired sessions too.
    #[arg(long, help_heading = WHICH)]
    pub all: bool,
    /// When they were saved.
    #[command(flatten)]
    pub saved: Saved,
    /// By what column.
    #[command(flatten)]
    pub lookup: UserLookup,
    /// At most so many.
    #[arg(long, value_name = "N", help_heading = WHICH)]
    pub limit: Option<u64>,
    /// What to print.
    #[arg(long, value_enum, default_value = "table", help_heading = OUTPUT)]
    pub format: ListFormat,
    /// Print session keys whole. Each is a login.
    #[arg(long, help_heading = OUTPUT)]
    pub show_keys: bool,
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

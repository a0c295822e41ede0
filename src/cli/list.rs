//! Arguments of `list`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::{Args, ValueEnum};

use super::conditions::Conditions;
use super::shared::{Saved, UserLookup};
use super::user_selectors::Whom;
use super::{OUTPUT, WHICH};

const EXAMPLES: &str = "\
Examples:
  sessctl list --logged-in --limit 10
  sessctl list --user 42
  sessctl list --username anna
  sessctl list --format jsonl
  sessctl list --idle 30d --format ids
  sessctl list --anonymous --larger-than 100kB
  sessctl list --signed-by 2
  sessctl list --sort size --limit 20 --columns session_key,username,size,saved";

/// List sessions.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct List {
    /// Whose sessions.
    #[command(flatten)]
    pub whom: Whom,
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
    /// At most this many; a table has 1000 unless this says otherwise.
    #[arg(long, value_name = "N", help_heading = WHICH)]
    pub limit: Option<u64>,
    /// In which order. A table begins with the newest; the other formats, and none, take the sessions as they come, and a
    /// limit is then reached sooner.
    #[arg(long, value_enum, value_name = "BY", help_heading = OUTPUT)]
    pub sort: Option<SortBy>,
    /// These columns of a table or of CSV, separated by commas. A terminal otherwise gets those for which it is wide enough.
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',', help_heading = OUTPUT)]
    pub columns: Vec<ListColumn>,
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
    /// Everything about each, for people: what `show` prints.
    #[value(skip)]
    Whole,
}

impl ListFormat {
    /// Whether it is a format of JSON.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl)
    }
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// The last saved first.
    Saved,
    /// Those that expire next first.
    Expires,
    /// The largest first.
    Size,
    /// By user id, and of each user the last saved first.
    User,
    /// As they come.
    None,
}

/// A column of a table or of CSV, named like its field in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields of a session are described in docs/output.md")]
pub enum ListColumn {
    Schema,
    SessionKey,
    State,
    UserId,
    Username,
    Backend,
    Behind,
    Signature,
    Key,
    Saved,
    Expires,
    Size,
    Layout,
    Serializer,
    Compressed,
    Error,
    /// Layout, serializer and compression, or why the row cannot be read.
    Format,
}

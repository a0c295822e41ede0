//! Arguments of `show`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::Args;

use super::shared::ReportFormat;
use super::user_selectors::Whom;
use super::{OUTPUT, WHICH};

const EXAMPLES: &str = "\
Examples:
  sessctl show jo3q3qa3
  sessctl show - --format json
  sessctl show --username anna";

/// Show one session, or all live sessions of users, with everything in them.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Show {
    /// Whose sessions, instead of one.
    #[command(flatten)]
    pub whom: Whom,
    /// Beginning of the session key, 8 to 31 characters; - reads it, or the whole key, from
    /// standard input.
    #[arg(value_name = "KEY-PREFIX", required_unless_present_any = Whom::OPTIONS, help_heading = WHICH)]
    pub prefix: Option<String>,
    /// With users, at most this many; without it, 100 for people and all as JSON.
    #[arg(long, value_name = "N", help_heading = WHICH)]
    pub limit: Option<u64>,
    /// What to print. Sessions of users are one array as JSON.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
    /// Print session keys whole. Each is a login.
    #[arg(long, help_heading = OUTPUT)]
    pub show_keys: bool,
    /// Do not look up the names of users.
    #[arg(long, help_heading = OUTPUT)]
    pub no_names: bool,
}

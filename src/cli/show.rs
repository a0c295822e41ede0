//! Arguments of `show`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::Args;

use super::shared::ReportFormat;
use super::{OUTPUT, WHICH};

const EXAMPLES: &str = "\
Examples:
  sessctl show jo3q3qa3
  sessctl show - --format json";

/// Show one session.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Show {
    /// Beginning of the session key, 8 to 31 characters; - reads it, or the whole key, from
    /// standard input.
    #[arg(value_name = "KEY-PREFIX", help_heading = WHICH)]
    pub prefix: String,
    /// What to print.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
    /// Print the session key whole. It is a login.
    #[arg(long, help_heading = OUTPUT)]
    pub show_keys: bool,
    /// Do not look up the name of the user.
    #[arg(long, help_heading = OUTPUT)]
    pub no_names: bool,
}

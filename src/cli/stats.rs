//! Arguments of `stats`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use std::path::PathBuf;

use clap::Args;

use super::OUTPUT;
use super::conditions::Conditions;
use super::shared::{ReportFormat, Saved};
use super::user_selectors::Whom;

const EXAMPLES: &str = "\
Examples:
  sessctl stats
  sessctl stats --top 20 --format json
  sessctl stats --saved-between 2026-11-20 2026-11-21
  sessctl stats --staff
  sessctl stats --svg incident.svg
  sessctl stats --anonymous --larger-than 100kB";

/// Count what is in the table: logged-in users, formats, what takes the space.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Stats {
    /// Whose sessions.
    #[command(flatten)]
    pub whom: Whom,
    /// What sessions are.
    #[command(flatten)]
    pub conditions: Conditions,
    /// Sessions by their last save.
    #[command(flatten)]
    pub saved: Saved,
    /// How many of the users with the most sessions to name.
    #[arg(long, value_name = "N", default_value = "10", help_heading = OUTPUT)]
    pub top: usize,
    /// What to print.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
    /// Also draw it, for an incident report, into this new file: a picture if its name ends in .svg, a page if it ends in .html.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub svg: Option<PathBuf>,
    /// Do not look up the names of users, and who is staff.
    #[arg(long, help_heading = OUTPUT)]
    pub no_names: bool,
}

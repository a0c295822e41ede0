//! What is typed of `stats`.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::Args;

use super::OUTPUT;
use super::shared::{ReportFormat, Saved};

const EXAMPLES: &str = "\
Examples:
  sessctl stats
  sessctl stats --top 20 --format json
  sessctl stats --saved-between 2026-11-20 2026-11-21";

/// Say what is in the table: who is logged in, in what formats, what takes the space.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Stats {
    /// When they were saved.
    #[command(flatten)]
    pub saved: Saved,
    /// Users with the most sessions that are named.
    #[arg(long, value_name = "N", default_value = "10", help_heading = OUTPUT)]
    pub top: usize,
    /// What to print.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
}

//! Arguments of `check`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  sessctl check
  sessctl check --max-expired 100000 --max-age 2d";

/// Warn where expired sessions pile up, as a Nagios plugin does.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Check {
    /// Warn of more expired sessions than this; twice as many are critical.
    #[arg(long, value_name = "N")]
    pub max_expired: Option<u64>,
    /// Warn of a session that expired longer ago than this; twice as long is critical.
    #[arg(long, value_name = "DURATION", default_value = "2d")]
    pub max_age: String,
}

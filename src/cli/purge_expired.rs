//! Arguments of `purge-expired`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use std::path::PathBuf;

use clap::Args;

use super::shared::{Audit, Pace, References, ReportFormat};
use super::{OUTPUT, PACE, SAFETY, WHICH};

const EXAMPLES: &str = "\
Examples:
  sessctl purge-expired --dry-run
  sessctl purge-expired --quiet --skip-if-running --run-time 1h
  sessctl purge-expired --older-than 30d --nice 1.0 --max-lag 5s";

/// Delete expired sessions beside a live site, as cron does.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct PurgeExpired {
    /// Count what would be deleted, and delete nothing.
    #[arg(short = 'n', long, help_heading = SAFETY)]
    pub dry_run: bool,
    /// If another sessctl of this user purges this database, exit with 0; if somebody else holds its lock, with 3.
    #[arg(long, help_heading = SAFETY)]
    pub skip_if_running: bool,
    /// Leave what expired less than this ago.
    #[arg(long, value_name = "DURATION", default_value = "0s", allow_hyphen_values = true, help_heading = WHICH)]
    pub older_than: String,
    /// Rows of other tables.
    #[command(flatten)]
    pub references: References,
    /// How fast to delete.
    #[command(flatten)]
    pub pace: Pace,
    /// Renew the planner's statistics of the table at the end.
    #[arg(long, help_heading = PACE)]
    pub analyze: bool,
    /// What to print.
    #[arg(long, value_enum, default_value = "human", help_heading = OUTPUT)]
    pub format: ReportFormat,
    /// Write metrics for the textfile collector of Prometheus' node exporter.
    #[arg(long, value_name = "FILE.prom", help_heading = OUTPUT)]
    pub metrics_file: Option<PathBuf>,
    /// The audit log.
    #[command(flatten)]
    pub audit: Audit,
}

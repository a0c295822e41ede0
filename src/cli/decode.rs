//! Arguments of `decode`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  sessctl decode values.txt
  sessctl decode -0 - --secret-key-file key";

/// Decode session_data values; needs no database.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Decode {
    /// File with one value a line; - is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,
    /// Values end with NUL, not with a line end: rows of Django 1.4 and before contain line ends.
    #[arg(short = '0', long)]
    pub null: bool,
}

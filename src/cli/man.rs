//! Arguments of `man`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  sessctl man --output /usr/local/share/man/man1
  sessctl man";

/// Print the manual page, or write those of all commands into a folder.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Man {
    /// Write sessctl.1, sessctl-logout-user.1 and so on into this folder.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

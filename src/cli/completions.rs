//! Arguments of `completions`, as clap reads them.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

use clap::Args;
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  sessctl completions bash >/etc/bash_completion.d/sessctl
  sessctl completions zsh >/usr/local/share/zsh/site-functions/_sessctl";

/// Print a script with which a shell completes these commands.
#[derive(Debug, Args)]
#[command(before_long_help = EXAMPLES)]
pub struct Completions {
    /// The shell.
    pub shell: Shell,
}

//! `completions`: a script for the shell.

use std::io::Write;

use crate::cli::{self, Completions};
use crate::error::{Error, Exit};

pub(super) fn run(args: &Completions, out: &mut dyn Write) -> Result<Exit, Error> {
    let mut script = Vec::new();
    cli::write_completions(args.shell, &mut script);
    out.write_all(&script)?;
    Ok(Exit::Done)
}

//! `completions`: a script for the shell.

use crate::cli::{self, Completions};
use crate::context::Ctx;
use crate::error::{Error, Exit};

pub(super) fn run(ctx: &mut Ctx<'_>, args: &Completions) -> Result<Exit, Error> {
    let mut script = Vec::new();
    cli::write_completions(args.shell, &mut script);
    ctx.out.write_all(&script)?;
    Ok(Exit::Done)
}

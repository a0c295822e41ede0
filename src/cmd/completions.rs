//! `completions`: prints a completion script for a shell.

use std::io::Write;

use super::Command;
use crate::cli::{self, Completions};
use crate::context::Ctx;
use crate::error::{Error, Exit};

impl Command for Completions {
    fn run(&self, _ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let mut script = Vec::new();
        cli::write_completions(self.shell, &mut script);
        out.write_all(&script)?;
        Ok(Exit::Done)
    }
}

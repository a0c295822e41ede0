//! `man`: prints manual pages.

use std::io::Write;

use super::Command;
use crate::cli::{self, Man};
use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::files::Folder;

impl Command for Man {
    fn run(&self, _ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let pages = cli::manual_pages()?;
        let Some(folder) = &self.output else {
            for (_, text) in pages.iter().take(1) {
                out.write_all(text)?;
            }
            return Ok(Exit::Done);
        };
        let made = Folder::make(folder).map_err(|error| Error::cannot_write(folder, error))?;
        for (name, text) in pages {
            made.place(&name)
                .and_then(|page| page.replace(&text))
                .map_err(|error| Error::cannot_write(&folder.join(&name), error))?;
        }
        Ok(Exit::Done)
    }
}

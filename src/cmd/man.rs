//! `man`: manual pages.

use std::fs;

use super::Ctx;
use crate::cli::{self, Man};
use crate::error::{Error, Exit};

pub(super) fn run(ctx: &mut Ctx<'_>, args: &Man) -> Result<Exit, Error> {
    let pages = cli::manual_pages()?;
    let Some(folder) = &args.output else {
        for (_, text) in pages.iter().take(1) {
            ctx.out.write_all(text)?;
        }
        return Ok(Exit::Done);
    };
    fs::create_dir_all(folder).map_err(|error| Error::cannot_write(folder, error))?;
    for (name, text) in pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| Error::cannot_write(&path, error))?;
    }
    Ok(Exit::Done)
}

//! `show`: everything about one session.

use super::Ctx;
use super::find::find;
use crate::cli::{ReportFormat, Show};
use crate::error::{Error, Exit};
use crate::{settings, ui};

pub(super) fn run(ctx: &mut Ctx<'_>, args: &Show) -> Result<Exit, Error> {
    ctx.note_unchecked();
    let prefix = settings::key_prefix("KEY-PREFIX", &args.prefix)?;
    let store = ctx.open()?;
    let found = find(ctx, &mut *store.reader()?, &prefix, args.show_keys.into())?;
    match args.format {
        ReportFormat::Human => ui::write_session(&mut ctx.out, &found.session)?,
        ReportFormat::Json => ui::write_json(&mut ctx.out, &found.session)?,
    }
    Ok(Exit::Done)
}

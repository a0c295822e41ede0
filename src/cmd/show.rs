//! `show`: prints everything about one session.

use std::io::Write;

use super::Command;
use crate::cli::{ReportFormat, Show};
use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::sessions::describe::{Described, Detail, describe, listed};
use crate::sessions::find::find;
use crate::sessions::user_names::UserNames;
use crate::{settings, ui};
use django_session::Decoder;

impl Command for Show {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let ctx = &ctx.reading_sessions();
        let prefix = settings::key_prefix("KEY-PREFIX", &self.prefix)?;
        let store = ctx.open()?;
        let found = find(&mut *store.reader()?, &prefix)?;
        let row = found.row()?;
        let mut decoder = Decoder::new(ctx.codec);
        let stored = row.decode(&mut decoder);
        let Described { session, large } = describe(&stored, Detail::Payload);
        let mut session = listed(&row, session, self.show_keys.into());
        if !self.no_names {
            UserNames::of(ctx, &*store, None)?.add(ctx, std::slice::from_mut(&mut session));
        }
        let write = |out: &mut dyn Write| large.map_or(Ok(()), |payload| payload.write_json(out));
        let large = large.map(|_| &write as ui::WriteLarge<'_>);
        match self.format {
            ReportFormat::Human => ui::write_session(out, &session, large)?,
            ReportFormat::Json => ui::write_json(out, &session, large)?,
        }
        Ok(Exit::Done)
    }

    fn reads_stdin(&self) -> usize {
        usize::from(self.prefix == "-")
    }
}

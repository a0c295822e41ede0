//! `show`: prints everything about one session, or about each session of users.

use std::io::{self, Write};

use super::Command;
use crate::cli::{self, List, ListFormat, ReportFormat, Show};
use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::report::ListedSession;
use crate::sessions::describe::{Described, Detail, describe, listed, write_whole};
use crate::sessions::find::find;
use crate::sessions::user_names::UserNames;
use crate::{settings, ui};
use django_session::{Decoder, Payload};

impl Command for Show {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let Some(prefix) = &self.prefix else { return self.list().run(ctx, out) };
        if self.whom.is_given() {
            return Err(Error::usage(
                "a session is named, and users are",
                "leave out one of the two; `sessctl list` shows the keys of a user's sessions",
            ));
        }
        let ctx = &ctx.reading_sessions();
        let prefix = settings::key_prefix("KEY-PREFIX", prefix)?;
        let store = ctx.open()?;
        let found = find(&mut *store.reader()?, &prefix)?;
        let row = found.row()?;
        let mut decoder = Decoder::new(ctx.codec);
        let stored = row.decode(&mut decoder);
        let Described { session, large } = describe(&stored, Detail::Payload);
        let mut session = listed(&row, session, self.show_keys.into());
        if !self.no_names {
            let table = self.whom.selectors.user_table.as_deref();
            UserNames::of(ctx, &*store, table)?.add(ctx, std::slice::from_mut(&mut session));
        }
        match self.format {
            ReportFormat::Human => write_whole(out, &session, large)?,
            ReportFormat::Json => write_json_lines(out, &session, large)?,
        }
        Ok(Exit::Done)
    }

    fn reads_stdin(&self) -> usize {
        let from_file = self.whom.from_file.as_deref().is_some_and(settings::is_stdin);
        usize::from(self.prefix.as_deref() == Some("-")) + usize::from(from_file)
    }
}

impl Show {
    /// The list of the users' sessions, each with everything in it.
    fn list(&self) -> List {
        List {
            whom: self.whom.clone(),
            all: false,
            conditions: cli::Conditions::default(),
            saved: cli::Saved::default(),
            lookup: cli::UserLookup::default(),
            limit: self.limit,
            sort: None,
            columns: Vec::new(),
            format: match self.format {
                ReportFormat::Human => ListFormat::Whole,
                ReportFormat::Json => ListFormat::Json,
            },
            show_keys: self.show_keys,
            no_names: self.no_names,
        }
    }
}

/// Writes a session over several lines.
fn write_json_lines(
    out: &mut dyn Write,
    session: &ListedSession,
    large: Option<Payload<'_>>,
) -> io::Result<()> {
    let write = |out: &mut dyn Write| large.map_or(Ok(()), |payload| payload.write_json(out));
    ui::write_json(out, session, large.map(|_| &write as ui::WriteLarge<'_>))
}

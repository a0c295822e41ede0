//! Writes the list of sessions in each output format.

use std::io::Write;

use django_session::Payload;

use crate::cli::ListFormat;
use crate::report::{ListedSession, State};
use crate::sessions::describe::write_json;
use crate::ui::{self, Columns};

/// A list that is printed while the scan runs.
pub(super) struct Listing<'o> {
    out: &'o mut dyn Write,
    format: ListFormat,
    limit: u64,
    /// Whether each session shows its schema.
    pub(super) with_schemas: bool,
    /// Whether sessions may show the names of users.
    pub(super) with_names: bool,
    count: u64,
    /// Known from the first sessions on.
    columns: Option<Columns>,
    begun: bool,
    /// With `--format ids`: sessions whose user id cannot be printed as it is.
    pub(super) inexact_ids: u64,
}

impl<'o> Listing<'o> {
    pub(super) fn new(
        out: &'o mut dyn Write,
        format: ListFormat,
        limit: u64,
        with_schemas: bool,
    ) -> Self {
        let (count, columns, begun, inexact_ids) = (0, None, false, 0);
        let with_names = false;
        Self { out, format, limit, with_schemas, with_names, count, columns, begun, inexact_ids }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count == self.limit
    }

    /// How many more sessions it takes.
    pub(super) fn room(&self) -> usize {
        usize::try_from(self.limit.saturating_sub(self.count)).unwrap_or(usize::MAX)
    }

    /// Writes the header once, and only with the first sessions: a table that cannot be read then leaves no
    /// partial list.
    pub(super) fn begin(&mut self, first: &[ListedSession]) -> std::io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        match self.format {
            ListFormat::Table => {
                let columns = Columns::of(first, self.with_schemas, self.with_names);
                self.columns.insert(columns).write_header(self.out)
            }
            ListFormat::Csv => ui::write_csv_header(self.out, self.with_schemas),
            ListFormat::Json => self.out.write_all(b"["),
            ListFormat::Jsonl | ListFormat::Ids | ListFormat::Count => Ok(()),
        }
    }

    pub(super) fn add(
        &mut self,
        session: &ListedSession,
        large: Option<Payload<'_>>,
    ) -> std::io::Result<()> {
        self.begin(std::slice::from_ref(session))?;
        let first = self.count == 0;
        self.count += 1;
        match self.format {
            ListFormat::Table => {
                self.columns.map_or(Ok(()), |columns| columns.write_row(self.out, session))
            }
            ListFormat::Csv => ui::write_csv_row(self.out, session),
            ListFormat::Json => {
                self.out.write_all(if first { b"\n" } else { b"," })?;
                write_json(self.out, session, large)
            }
            ListFormat::Jsonl => write_json(self.out, session, large),
            ListFormat::Ids => match &session.session.user_id {
                Some(id) if session.session.state == State::User => {
                    self.inexact_ids += u64::from(!ui::write_id(self.out, id)?);
                    Ok(())
                }
                _ => Ok(()),
            },
            ListFormat::Count => Ok(()),
        }
    }

    pub(super) fn end(&mut self) -> std::io::Result<()> {
        match self.format {
            ListFormat::Json => self.out.write_all(b"]\n"),
            ListFormat::Count => writeln!(self.out, "{}", self.count),
            _ => Ok(()),
        }
    }
}

//! Writes the list of sessions in each output format.

use std::io::Write;

use django_session::Payload;

use super::lines::Line;
use crate::cli::ListFormat;
use crate::report::{Column, ListedSession, State};
use crate::sessions::describe::{write_json, write_whole};
use crate::ui::{self, Table};

/// A list that is printed while the scan runs.
pub(super) struct Listing<'o> {
    out: &'o mut dyn Write,
    format: ListFormat,
    limit: u64,
    /// Whether each session shows its schema.
    pub(super) with_schemas: bool,
    /// Whether sessions may show the names of users.
    pub(super) with_names: bool,
    /// The columns that were asked for.
    pub(super) columns: Vec<Column>,
    /// Sessions that come after the last one that is listed.
    pub(super) more: u64,
    count: u64,
    /// Known from the first sessions on.
    table: Option<Table>,
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
        Self {
            out,
            format,
            limit,
            with_schemas,
            with_names: false,
            columns: Vec::new(),
            more: 0,
            count: 0,
            table: None,
            begun: false,
            inexact_ids: 0,
        }
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
    pub(super) fn begin<'s>(
        &mut self,
        first: &(impl Iterator<Item = &'s ListedSession> + Clone),
    ) -> std::io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        match self.format {
            ListFormat::Table => {
                let table = Table::of(first, &self.columns, self.with_schemas, self.with_names);
                self.table.insert(table).write_header(self.out)
            }
            ListFormat::Csv => {
                self.columns = ui::csv_columns(&self.columns, self.with_schemas);
                ui::write_csv_header(self.out, &self.columns)
            }
            ListFormat::Json => self.out.write_all(b"["),
            ListFormat::Jsonl | ListFormat::Ids | ListFormat::Count | ListFormat::Whole => Ok(()),
        }
    }

    pub(super) fn add(
        &mut self,
        session: &ListedSession,
        large: Option<Payload<'_>>,
    ) -> std::io::Result<()> {
        self.begin(&std::iter::once(session))?;
        if self.format.is_json() {
            self.begin_line()?;
            return write_json(self.out, session, large);
        }
        let first = self.count == 0;
        self.count += 1;
        match self.format {
            ListFormat::Table => {
                self.table.as_ref().map_or(Ok(()), |table| table.write_row(self.out, session))
            }
            ListFormat::Csv => ui::write_csv_row(self.out, session, &self.columns),
            ListFormat::Whole => {
                self.out.write_all(if first { b"" } else { b"\n" })?;
                write_whole(self.out, session, large)
            }
            ListFormat::Ids => match &session.session.user_id {
                Some(id) if session.session.state == State::User => {
                    self.inexact_ids += u64::from(!ui::write_id(self.out, id)?);
                    Ok(())
                }
                _ => Ok(()),
            },
            ListFormat::Json | ListFormat::Jsonl | ListFormat::Count => Ok(()),
        }
    }

    /// Adds a session that is JSON already.
    pub(super) fn add_line(&mut self, line: &Line<'_>, name: Option<&str>) -> std::io::Result<()> {
        self.begin_line()?;
        self.out.write_all(line.before)?;
        match name {
            Some(name) => ui::write_json_value(self.out, name)?,
            None => self.out.write_all(b"null")?,
        }
        self.out.write_all(line.after)
    }

    fn begin_line(&mut self) -> std::io::Result<()> {
        self.begin(&std::iter::empty())?;
        if self.format == ListFormat::Json {
            self.out.write_all(if self.count == 0 { b"\n" } else { b"," })?;
        }
        self.count += 1;
        Ok(())
    }

    pub(super) fn end(&mut self) -> std::io::Result<()> {
        match self.format {
            ListFormat::Json => self.out.write_all(b"]\n"),
            ListFormat::Count => writeln!(self.out, "{}", self.count),
            ListFormat::Table if self.more > 0 => writeln!(
                self.out,
                "... and {} more: --limit N lists as many, --format jsonl all",
                self.more
            ),
            ListFormat::Whole if self.count == 0 => writeln!(self.out, "No live session."),
            ListFormat::Whole if self.more > 0 => writeln!(
                self.out,
                "\n... and {} more: --limit N shows as many, --format json all",
                self.more
            ),
            _ => Ok(()),
        }
    }
}

//! Session tables in SQLite. In rollback journal mode no session can commit while a reader holds the file's
//! shared lock, so a reader holds it only for one page at a time. A writer pauses between its batches for the
//! same reason.

mod activity_watch;
mod connection;
mod credentials;
mod drop_column;
mod expired;
mod facts;
mod fault;
mod free_pages;
mod holder;
mod open;
mod purge_lock;
mod reader;
mod references;
mod referring;
mod row;
mod source;
mod unchanged;
mod user_column;
mod users;
mod users_found;
mod walk;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use self::connection::Limited;
use self::fault::{fail, hint_on_rights};
use self::purge_lock::SqlitePurgeLock;
use self::reader::SqliteReader;
pub use self::source::SqliteBackend;
use self::writer::SqliteWriter;
use super::waits::Waits;
use super::{
    BlindSpot, Facts, Fault, OtherTable, PurgeLock, Reader, ReferringColumn, Schemas, Store,
    StoreError, Table, Terms, Traits, WallClock, Writer,
};
use crate::consent::Consent;
use crate::model::Timestamp;

/// How long a writer waits for a lock before SQLite reports `SQLITE_BUSY`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The same for a reader. It is longer: a reader is not retried, and blocks no one while it waits.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// A database file.
pub struct Sqlite {
    path: PathBuf,
    table: Table,
    referring: Vec<ReferringColumn>,
    clock: WallClock,
    waits: Waits,
    terms: Terms,
    /// Whether it is known that all files of the database are beside this name.
    is_known: AtomicBool,
}

impl Sqlite {
    /// A store on a file. The file is opened with each reader and writer.
    pub fn new(path: PathBuf, table: Table, clock: WallClock) -> Self {
        let (waits, terms) = (Waits::default(), Terms::default());
        let referring = Vec::new();
        Self { path, table, referring, clock, waits, terms, is_known: false.into() }
    }

    /// Sets how long to wait.
    #[must_use]
    pub fn waiting(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }

    /// Sets the columns of other tables whose rows go with their sessions.
    #[must_use]
    pub fn with_referring(self, referring: Vec<ReferringColumn>) -> Self {
        Self { referring, ..self }
    }

    /// Sets what the operator allows.
    #[must_use]
    pub fn on(self, terms: Terms) -> Self {
        Self { terms, ..self }
    }

    fn connect(&self, access: OpenFlags, wait: Duration) -> Result<Limited, StoreError> {
        let connection = self.connect_to_any(access, wait)?;
        self.check_columns(&connection)?;
        Ok(connection)
    }

    fn check_columns(&self, connection: &Connection) -> Result<(), StoreError> {
        let cannot = |error| fail(error, format!("cannot read {}", self.path.display()));
        let columns = columns(connection, &self.table).map_err(cannot)?;
        if columns.is_empty() {
            let alike = typed(tables_alike(connection).map_err(cannot)?);
            return Err(super::table::missing(
                &self.table,
                &self.path.display().to_string(),
                &alike,
            ));
        }
        // Names are the same to SQLite in either case.
        let columns: Vec<_> = columns.iter().map(|name| name.to_ascii_lowercase()).collect();
        super::table::check_columns(&self.table, &columns)
    }

    fn what(&self, doing: &str) -> String {
        format!("cannot {doing} table \"{}\" in {}", self.table, self.path.display())
    }
}

impl Store for Sqlite {
    fn traits(&self) -> &'static Traits {
        &source::TRAITS
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY, READER_TIMEOUT)?;
        let reader = SqliteReader::new(self, connection);
        Ok(Box::new(reader.map_err(|error| fail(error, self.what("read")))?))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, BUSY_TIMEOUT)?;
        if connection.is_readonly("main").unwrap_or(true) {
            return Err(StoreError::new(Fault::Fatal, self.what("delete from"))
                .because("the file may not be written")
                .hint(read_only_hint(&self.path)));
        }
        Ok(Box::new(SqliteWriter::new(self, connection)))
    }

    fn facts(&self) -> Result<Facts, StoreError> {
        self.gather_facts()
    }

    fn others_alike(&self) -> Result<Vec<OtherTable>, StoreError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY, READER_TIMEOUT)?;
        let mut tables =
            tables_alike(&connection).map_err(|error| fail(error, self.what("read")))?;
        // Names are the same to SQLite in either case.
        tables.retain(|name| !name.eq_ignore_ascii_case(self.table.name()));
        Ok(typed(tables).into_iter().map(|name| OtherTable { name, is_in_reach: true }).collect())
    }

    fn renamed_alike(&self) -> Result<Vec<String>, StoreError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY, READER_TIMEOUT)?;
        let tables = renamed_alike(&connection);
        Ok(typed(tables.map_err(|error| fail(error, self.what("read")))?))
    }

    fn schemas(&self) -> Option<&dyn Schemas> {
        Some(self)
    }

    fn purge_lock(&self) -> Box<dyn PurgeLock + '_> {
        Box::new(SqlitePurgeLock::new(&self.path))
    }
}

impl Schemas for Sqlite {
    fn schemas(&self) -> Result<Vec<String>, StoreError> {
        self.reader().map(|_| vec!["main".into()])
    }
}

impl Sqlite {
    /// The column that identifies a row and gives the order of storage: the row number, or the key in a table
    /// WITHOUT ROWID.
    fn row_address(&self, connection: &Connection) -> &'static str {
        let sql = format!("SELECT _rowid_ FROM {}", self.table.quoted());
        if connection.prepare(&sql).is_ok() { "_rowid_" } else { "session_key" }
    }
}

impl Sqlite {
    /// A view may hide rows, by its definition.
    fn blind_spot(
        &self,
        connection: &Connection,
        table: &Table,
    ) -> Result<Option<BlindSpot>, StoreError> {
        match is_view(connection, table) {
            Ok(is_view) => Ok(is_view.then_some(BlindSpot::View)),
            Err(error) => Err(fail(
                error,
                format!("cannot read table \"{table}\" in {}", self.path.display()),
            )),
        }
    }
}

/// Whether it is a view. `PRAGMA table_list` would tell it too, but expands every view of the file first:
/// nested views take hours, during which SQLite never asks whether to continue.
fn is_view(connection: &Connection, table: &Table) -> rusqlite::Result<bool> {
    let schema = super::table::quote(table.schema().unwrap_or("main"));
    connection
        .prepare(&format!(
            "SELECT 1 FROM {schema}.sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE"
        ))?
        .exists([table.name()])
}

/// The text to which stored times are compared, to separate those before and after `when`.
fn comparable(bound: Option<String>, when: Timestamp) -> Result<String, StoreError> {
    bound.ok_or_else(|| {
        StoreError::new(Fault::Fatal, format!("cannot compare {when} with stored times"))
    })
}

fn columns(connection: &Connection, table: &Table) -> rusqlite::Result<Vec<String>> {
    let schema = table.schema().unwrap_or("main");
    let known = connection
        .prepare("SELECT 1 FROM pragma_database_list WHERE name = ?1 COLLATE NOCASE")?
        .exists([schema])?;
    if !known {
        return Ok(Vec::new());
    }
    connection
        .prepare("SELECT name FROM pragma_table_info(?1, ?2)")?
        .query_map([table.name(), schema], |row| row.get(0))?
        .collect()
}

fn tables_alike(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare(
            "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND lower(c.name) IN ('session_key', 'session_data', 'expire_date') \
             GROUP BY t.name HAVING count(*) = 3 ORDER BY t.name",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// Tables with the shape of a session table, and columns of other names.
fn renamed_alike(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare(
            "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' GROUP BY t.name \
             HAVING max(c.pk) = 1 AND sum(c.pk = 1 AND lower(c.type) = 'varchar(40)') = 1 \
                AND sum(c.pk = 0 AND lower(c.type) = 'text') AND sum(c.pk = 0 AND lower(c.type) = 'datetime') \
                AND sum(lower(c.name) IN ('session_key', 'session_data', 'expire_date')) < 3 ORDER BY t.name",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// Names of tables as an operator would type them.
fn typed(names: Vec<String>) -> Vec<String> {
    let plain = |name: &String| name.parse::<Table>().is_ok_and(|table| table.name() == name);
    names
        .into_iter()
        .map(|name| if plain(&name) { name } else { super::table::quote(&name) })
        .collect()
}

fn read_only_hint(path: &Path) -> String {
    let path = path.display();
    hint_on_rights(&format!(
        "run as a user that may write {path} and its folder; or is the disk mounted read-only?"
    ))
}

//! SQLite. A reader holds the file's shared lock only for the time of one page, since in rollback
//! journal mode nobody can commit while it is held; a writer rests between its batches for the
//! same reason.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSql, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::{Emit, Fault, Filter, Reader, Store, StoreError, Table, WallClock, Writer};
use crate::consent::Consent;
use crate::model::{Expiry, Page, Row};

/// How long SQLite itself waits for a lock before it reports `SQLITE_BUSY`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// The same for a reader, which nobody tries again and which keeps nobody waiting meanwhile.
const READER_TIMEOUT: Duration = Duration::from_secs(10);
/// For how long one statement may hold the shared lock. Django's own writers wait 5 s by default.
const READ_SLICE: Duration = Duration::from_millis(50);
/// Less than any 64-bit integer: row numbers may be negative.
const BEFORE_EVERY_ROWID: f64 = -1e19;
/// The clock is looked at once in so many rows.
const ROWS_PER_LOOK: u32 = 256;

/// A database file.
pub struct Sqlite {
    path: PathBuf,
    table: Table,
    clock: WallClock,
}

impl Sqlite {
    /// A file that is opened when a reader or a writer is asked for.
    pub fn new(path: PathBuf, table: Table, clock: WallClock) -> Self {
        Self { path, table, clock }
    }

    fn connect(&self, access: OpenFlags, wait: Duration) -> Result<Connection, StoreError> {
        if self.path.is_dir() {
            let what = format!("cannot open {}", self.path.display());
            return Err(StoreError::new(Fault::Fatal, what)
                .because("it is a folder")
                .hint("check the path: it must be the database file itself"));
        }
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)
            .and_then(|connection| {
                connection.busy_timeout(wait)?;
                Ok(connection)
            })
            .map_err(|error| fail(error, format!("cannot open {}", self.path.display())))?;
        self.check_columns(&connection)?;
        Ok(connection)
    }

    fn check_columns(&self, connection: &Connection) -> Result<(), StoreError> {
        let cannot = |error| fail(error, format!("cannot read {}", self.path.display()));
        let columns = columns(connection, &self.table).map_err(cannot)?;
        if columns.is_empty() {
            let alike = tables_alike(connection).map_err(cannot)?;
            return Err(super::table::missing(
                &self.table,
                &self.path.display().to_string(),
                &alike,
            ));
        }
        super::table::check_columns(&self.table, &columns)
    }

    fn what(&self, doing: &str) -> String {
        format!("cannot {doing} table \"{}\" in {}", self.table, self.path.display())
    }
}

impl Store for Sqlite {
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY, READER_TIMEOUT)?;
        Ok(Box::new(SqliteReader {
            connection,
            table: self.table.clone(),
            clock: self.clock.clone(),
            what: self.what("read"),
        }))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, BUSY_TIMEOUT)?;
        if connection.is_readonly("main").unwrap_or(true) {
            return Err(StoreError::new(Fault::Fatal, self.what("delete from"))
                .because("the file may not be written")
                .hint(read_only_hint(&self.path)));
        }
        Ok(Box::new(SqliteWriter {
            connection,
            delete: format!("DELETE FROM {} WHERE session_key = ?1", self.table.quoted()),
            what: self.what("delete from"),
        }))
    }

    /// Writers that wait look again after at most 100 ms (`sqliteDefaultBusyCallback`).
    fn courtesy(&self) -> Duration {
        Duration::from_millis(100)
    }
}

struct SqliteReader {
    connection: Connection,
    table: Table,
    clock: WallClock,
    what: String,
}

impl Reader for SqliteReader {
    /// The largest row number: rows are numbered as they come, so this is never too small.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        let sql = format!("SELECT max(_rowid_) FROM {}", self.table.quoted());
        Ok(self
            .connection
            .query_row(&sql, [], |row| row.get::<_, Option<i64>>(0))
            .ok()
            .flatten()
            .and_then(|rowid| u64::try_from(rowid).ok()))
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let live_bound = match filter.live_at {
            None => None,
            Some(now) => Some(self.clock.live_bound(now).ok_or_else(|| {
                StoreError::new(Fault::Fatal, format!("cannot compare {now} with stored times"))
            })?),
        };
        // Row numbers make a walk cheap and let it be interrupted anywhere; a table WITHOUT ROWID
        // has none, and is stored in the order of its key.
        let by_rowid = self.walk("_rowid_");
        let by_key = self.walk("session_key");
        let (sql, start): (_, Box<dyn ToSql>) = match self.connection.prepare(&by_rowid) {
            Ok(_) => (by_rowid, Box::new(BEFORE_EVERY_ROWID)),
            Err(_) => (by_key, Box::new("")),
        };
        let walk = Walk {
            connection: &self.connection,
            sql: &sql,
            clock: &self.clock,
            live_bound: live_bound.as_deref().map(str::as_bytes),
            key_prefix: filter.key_prefix.as_deref().unwrap_or_default(),
        };
        walk.run(start, emit).map_err(|error| fail(error, self.what.clone()))
    }
}

impl SqliteReader {
    fn walk(&self, cursor: &str) -> String {
        format!(
            "SELECT {cursor}, session_key, session_data, expire_date FROM {} \
             WHERE {cursor} > ?1 ORDER BY {cursor}",
            self.table.quoted()
        )
    }
}

/// One walk over the table, in slices.
struct Walk<'w> {
    connection: &'w Connection,
    sql: &'w str,
    clock: &'w WallClock,
    live_bound: Option<&'w [u8]>,
    key_prefix: &'w str,
}

impl Walk<'_> {
    fn run(&self, start: Box<dyn ToSql>, emit: &mut Emit<'_>) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare(self.sql)?;
        let mut cursor = start;
        let mut page = Page::default();
        loop {
            let began = Instant::now();
            let mut rows = statement.query([&cursor])?;
            let mut seen = 0_u32;
            let mut last = None;
            while let Some(row) = rows.next()? {
                self.push(row, &mut page)?;
                seen += 1;
                let slice_over = seen.is_multiple_of(ROWS_PER_LOOK) && began.elapsed() > READ_SLICE;
                if page.is_full() || slice_over {
                    last = Some(row.get::<_, Value>(0)?);
                    break;
                }
            }
            drop(rows);
            let Some(at) = last else { break };
            cursor = Box::new(at);
            // Full or not, and be it empty: whoever reads may want to break off long before an old
            // table has a page of live rows.
            match emit(page) {
                ControlFlow::Continue(empty) => page = empty,
                ControlFlow::Break(()) => return Ok(()),
            }
        }
        if !page.is_empty() {
            let _ = emit(page);
        }
        Ok(())
    }

    fn push(&self, row: &rusqlite::Row<'_>, page: &mut Page) -> rusqlite::Result<()> {
        let expires = row.get_ref(3)?;
        if !self.live_bound.is_none_or(|bound| greater(expires, bound)) {
            return Ok(());
        }
        let key = text(row.get_ref(1)?);
        if !key.starts_with(self.key_prefix) {
            return Ok(());
        }
        page.push(Row {
            key: &key,
            data: &text(row.get_ref(2)?),
            expires: match expires {
                ValueRef::Text(shown) => self.clock.read(shown),
                _ => Expiry::Unreadable,
            },
        });
        Ok(())
    }
}

/// `value > bound` as SQLite itself compares a column with a text: numbers sort before every text,
/// blobs after (SQLite docs, "Datatypes" §4.1).
fn greater(value: ValueRef<'_>, bound: &[u8]) -> bool {
    match value {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => false,
        ValueRef::Text(text) => text > bound,
        ValueRef::Blob(_) => true,
    }
}

/// The text of a column. Django stores nothing else; what is not text decodes to nothing.
fn text(value: ValueRef<'_>) -> std::borrow::Cow<'_, str> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes),
        _ => "".into(),
    }
}

struct SqliteWriter {
    connection: Connection,
    delete: String,
    what: String,
}

impl Writer for SqliteWriter {
    fn delete(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        self.delete_all(keys).map_err(|error| fail(error, self.what.clone()))
    }
}

impl SqliteWriter {
    fn delete_all(&mut self, keys: &[&str]) -> rusqlite::Result<u64> {
        // IMMEDIATE takes the write lock at once, where waiting for it is still possible: a read
        // that turns into a write fails instead (SQLite docs, "Transaction" §2.2).
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut deleted = 0;
        {
            let mut statement = transaction.prepare_cached(&self.delete)?;
            for key in keys {
                deleted += u64::try_from(statement.execute([key])?).unwrap_or(u64::MAX);
            }
        }
        transaction.commit()?;
        Ok(deleted)
    }
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
             WHERE t.type = 'table' AND c.name IN ('session_key', 'session_data', 'expire_date') \
             GROUP BY t.name HAVING count(*) = 3 ORDER BY t.name",
        )?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn fail(error: rusqlite::Error, what: String) -> StoreError {
    let (fault, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Fault::Busy,
            Some("another process holds the write lock; look for a long transaction on the file"),
        ),
        Some(ErrorCode::NotADatabase) => (Fault::Fatal, Some("the file is not an SQLite database")),
        Some(ErrorCode::CannotOpen) => (
            Fault::Fatal,
            Some(
                "check the path, and that the file may be read and its folder, for the journal, written",
            ),
        ),
        Some(ErrorCode::ReadOnly) => {
            (Fault::Fatal, Some("run as a user that may write the file and its folder"))
        }
        Some(ErrorCode::DiskFull) => {
            (Fault::Fatal, Some("free some space; nothing of this batch was done"))
        }
        Some(ErrorCode::SystemIoFailure) => {
            (Fault::Fatal, Some("check the disk and its mount; the system log may tell more"))
        }
        Some(ErrorCode::Unknown) if error.to_string().contains("because it is a view") => {
            (Fault::Fatal, Some("name the table itself with --table"))
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            (Fault::Fatal, Some("check the file with `sqlite3 FILE 'PRAGMA integrity_check'`"))
        }
        _ => (Fault::Fatal, None),
    };
    let store_error = StoreError::new(fault, what).because(match error {
        rusqlite::Error::SqliteFailure(_, Some(said)) => said,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        error => error.to_string(),
    });
    match hint {
        Some(hint) => store_error.hint(hint),
        None => store_error,
    }
}

fn read_only_hint(path: &Path) -> String {
    format!("run as a user that may write {} and its folder", path.display())
}

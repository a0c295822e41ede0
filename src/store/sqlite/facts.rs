//! What `doctor` checks on the file. It does not check the integrity of the file, which would read all of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use rustix::fs::{Access, access};

use super::fault::fail;
use super::free_pages::FreePages;
use super::{READER_TIMEOUT, Sqlite, is_view, read_only_hint, tables_alike, typed};
use crate::model::Finding;
use crate::store::facts::{Column, Facts, column_finding, not_made, reference_finding};
use crate::store::indexes::{
    Doubles, KeyIndex, Maker, Missing, SHOWN, STANDARD, delete_doubles, find_doubles, index_finding,
};
use crate::store::{Fault, StoreError, Table};

/// The columns as Django creates them (Django 5.2 `sqlite3/base.py`).
const EXPECTED: [(&str, &str); 3] =
    [("session_key", "varchar(40)"), ("session_data", "text"), ("expire_date", "datetime")];

/// How long to search for duplicate keys.
const PATIENCE: Duration = Duration::from_secs(3);

const KEY_IS_UNIQUE: &str = "
    SELECT 1 FROM pragma_table_info(?1, ?2) WHERE name = 'session_key' AND pk = 1
        AND NOT EXISTS (SELECT 1 FROM pragma_table_info(?1, ?2) WHERE pk > 1)
    UNION ALL
    SELECT 1 FROM pragma_index_list(?1, ?2) l WHERE l.\"unique\" AND NOT l.partial
        AND (SELECT group_concat(name) FROM pragma_index_info(l.name, ?2)) = 'session_key'";

impl Sqlite {
    pub(super) fn gather_facts(&self) -> Result<Facts, StoreError> {
        let connection = self.connect_to_any(OpenFlags::SQLITE_OPEN_READ_ONLY, READER_TIMEOUT)?;
        let mut facts = Facts::default();
        let findings = &mut facts.findings;
        let place = self.path.display().to_string();
        let columns =
            match self.columns(&connection).map_err(|error| fail(error, self.what("read"))) {
                Ok(columns) => columns,
                // It is a database, and another connection holds an exclusive lock.
                Err(error) if error.fault() == Fault::Busy => {
                    findings.push(may_write(&self.path));
                    findings.push(not_made("table", &error));
                    return Ok(facts);
                }
                Err(error) => return Err(error),
            };
        findings.push(Finding::ok("connection", format!("{place} can be read")));
        findings.push(self.made("server", journal(&connection)));
        findings.push(may_write(&self.path));
        if columns.is_empty() {
            let alike =
                tables_alike(&connection).map_err(|error| fail(error, self.what("read")))?;
            let error = crate::store::table::missing(&self.table, &place, &typed(alike));
            let next_step = error.next_step().unwrap_or_default();
            findings.push(Finding::problem("table", error.to_string(), next_step));
            return Ok(facts);
        }
        findings.push(Finding::ok("table", self.table.to_string()));
        findings.push(column_finding(&EXPECTED, &columns));
        let expiry_indexed = self.is_indexed(&connection, "expire_date");
        facts.expiry_indexed = matches!(expiry_indexed, Ok(true));
        findings.push(self.made("indexes", self.indexes(&connection, expiry_indexed)));
        findings.push(self.made("triggers", self.triggers(&connection)));
        findings.push(self.references(&connection).map_or_else(
            |error| not_made("foreign-keys", &error),
            |found| reference_finding(&found),
        ));
        findings.push(self.made("free-space", free_space(&connection)));
        Ok(facts)
    }

    fn made(&self, check: &'static str, found: rusqlite::Result<Finding>) -> Finding {
        found.unwrap_or_else(|error| not_made(check, &fail(error, self.what("read"))))
    }

    fn columns(&self, connection: &Connection) -> rusqlite::Result<Vec<Column>> {
        let schema = self.table.schema().unwrap_or("main");
        // The primary key of a table WITHOUT ROWID is NOT NULL even if it is not declared so.
        connection
            .prepare("SELECT name, type, \"notnull\" OR pk FROM pragma_table_info(?1, ?2)")?
            .query_map([self.table.name(), schema], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect()
    }

    fn indexes(
        &self,
        connection: &Connection,
        expiry_indexed: rusqlite::Result<bool>,
    ) -> rusqlite::Result<Finding> {
        let schema = self.table.schema().unwrap_or("main");
        if is_view(connection, &self.table)? {
            return Ok(Finding::unknown("indexes", "a view has those of its tables"));
        }
        let has_row_ids = self.row_address(connection) == "_rowid_";
        // CREATE INDEX accepts a schema only in the name of the index.
        let table = Table::new(None, self.table.name().into());
        let key = if connection.prepare(KEY_IS_UNIQUE)?.exists([self.table.name(), schema])? {
            KeyIndex::Unique(Vec::new())
        } else {
            KeyIndex::Missing(Missing {
                finds_key: self.is_indexed(connection, "session_key")?,
                with: Vec::new(),
                doubles: self.doubles(connection, has_row_ids)?,
            })
        };
        let names: BTreeSet<String> = connection
            .prepare("SELECT lower(name) FROM sqlite_schema")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let is_taken = |name: &str| names.contains(&name.to_ascii_lowercase());
        let caution = "; to make one keeps every writer out meanwhile";
        let maker = Maker {
            dialect: STANDARD,
            table: &table,
            is_taken: &is_taken,
            concurrently: "",
            caution,
        };
        Ok(index_finding(&key, expiry_indexed?, &maker))
    }

    /// Searches for duplicate keys, for a few seconds.
    fn doubles(&self, connection: &Connection, has_row_ids: bool) -> rusqlite::Result<Doubles> {
        let sql = format!("{} LIMIT {}", find_doubles(&STANDARD, &self.table, &[]), SHOWN + 1);
        let (done, is_done) = mpsc::channel::<()>();
        let handle = connection.get_interrupt_handle();
        let found: rusqlite::Result<Vec<String>> = std::thread::scope(|scope| {
            scope.spawn(move || {
                if is_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                    handle.interrupt();
                }
            });
            let found = connection.prepare(&sql).and_then(|mut statement| {
                let key = |row: &Row<'_>| {
                    Ok(String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default())
                        .into_owned())
                };
                statement.query_map([], key)?.collect()
            });
            drop(done);
            found
        });
        match found {
            Ok(keys) => Ok(Doubles::of(&keys, || {
                has_row_ids.then(|| delete_doubles(&self.table, &[], "rowid"))
            })),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                Ok(Doubles::Unknown(format!("it took longer than {} s", PATIENCE.as_secs())))
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OutOfMemory) => {
                Ok(Doubles::Unknown("it takes too much memory".into()))
            }
            Err(error) => Err(error),
        }
    }

    fn triggers(&self, connection: &Connection) -> rusqlite::Result<Finding> {
        let names: Vec<String> = connection
            .prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY 1",
            )?
            .query_map([self.table.name()], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(match names.as_slice() {
            [] => Finding::ok("triggers", "none"),
            names => Finding::warning(
                "triggers",
                format!("{}: they run for rows that are deleted or written", names.join(", ")),
                format!("see what they do (.schema {}) before a purge", self.table),
            ),
        })
    }
}

fn journal(connection: &Connection) -> rusqlite::Result<Finding> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let meaning = if mode == "wal" {
        "readers and writers do not wait for each other"
    } else {
        "readers and writers wait for each other; PRAGMA journal_mode = wal would end that"
    };
    let version = rusqlite::version();
    Ok(Finding::ok("server", format!("SQLite {version}, journal mode {mode}: {meaning}")))
}

/// Checks the file's permissions without opening it: closing a file of SQLite's would drop its locks.
fn may_write(path: &Path) -> Finding {
    const CHECK: &str = "privileges";
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let may = |path: &Path, how: Access| access(path, how).is_ok();
    match (may(path, Access::WRITE_OK), may(folder, Access::WRITE_OK | Access::EXEC_OK)) {
        (true, true) => {
            Finding::ok(CHECK, "file and folder can be written: enough for every command")
        }
        (file, _) => Finding::warning(
            CHECK,
            format!(
                "the {} cannot be written: enough for list, show, stats and check only",
                if file { "folder" } else { "file" }
            ),
            read_only_hint(path),
        ),
    }
}

fn free_space(connection: &Connection) -> rusqlite::Result<Finding> {
    let pages = FreePages::of(connection)?;
    let text = format!("{} of {} pages are free: {} MB", pages.free, pages.all, pages.megabytes());
    Ok(if pages.are_many() {
        Finding::warning(
            "free-space",
            format!("{text}, which new rows use first"),
            "VACUUM gives it back to the file system; it keeps every writer out meanwhile",
        )
    } else {
        Finding::ok("free-space", text)
    })
}

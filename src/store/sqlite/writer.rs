use std::time::Duration;

use rusqlite::{Connection, Params, TransactionBehavior};

use super::expired::parse_address;
use super::fault::fail;
use super::reader::push;
use super::{Sqlite, comparable};
use crate::model::{Page, Timestamp};
use crate::store::{BATCH, Cursor, Locked, Replacement, StoreError, Turn, Window, Writer};

/// A rest in which a writer that has waited for one batch gets its turn: it looks again after at
/// most 25 ms as long as it has not waited for more than 128 ms (`sqliteDefaultBusyCallback`).
const REST: Duration = Duration::from_millis(25);
/// Where others do write, batches are short, and the rest is one in which everybody who waits,
/// however long, looks again: after at most 100 ms. In rollback journal mode much of a batch is its
/// commit, which waits for the disk two or three times, so shorter ones would do little else.
const SHORT_BATCH: Duration = Duration::from_millis(15);
const SHORT_BATCH_WITH_ROLLBACK_JOURNAL: Duration = Duration::from_millis(40);
const LONG_REST: Duration = Duration::from_millis(100);

/// Of SQLite's page cache, for a purge.
const PURGE_CACHE_KIB: i64 = 32 << 10;

pub(super) struct SqliteWriter<'s> {
    store: &'s Sqlite,
    connection: Connection,
    /// Changes when another connection commits (SQLite docs, `PRAGMA data_version`).
    data_version: Option<i64>,
    short_batch: Duration,
}

impl<'s> SqliteWriter<'s> {
    pub(super) fn new(store: &'s Sqlite, connection: Connection) -> Self {
        let mut writer = Self { store, connection, data_version: None, short_batch: SHORT_BATCH };
        if !writer.is_wal() {
            writer.short_batch = SHORT_BATCH_WITH_ROLLBACK_JOURNAL;
        }
        writer
    }

    /// Runs a statement for each of the rows, in one transaction.
    fn batch<P: Params>(
        &mut self,
        sql: &str,
        rows: impl Iterator<Item = P>,
    ) -> Result<u64, StoreError> {
        let run = || -> rusqlite::Result<u64> {
            // IMMEDIATE takes the write lock at once, where waiting for it is still possible: a
            // read that turns into a write fails instead (SQLite docs, "Transaction" §2.2).
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut done = 0;
            {
                let mut statement = transaction.prepare_cached(sql)?;
                for row in rows {
                    done += u64::try_from(statement.execute(row)?).unwrap_or(u64::MAX);
                }
            }
            transaction.commit()?;
            Ok(done)
        };
        run().map_err(|error| fail(error, self.store.what("delete from")))
    }

    fn is_wal(&self) -> bool {
        self.pragma::<String>("journal_mode").is_some_and(|mode| mode == "wal")
    }

    fn pragma<T: rusqlite::types::FromSql>(&self, name: &str) -> Option<T> {
        self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).ok()
    }
}

impl Writer for SqliteWriter<'_> {
    fn delete(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        let sql = format!("DELETE FROM {} WHERE session_key = ?1", self.store.table.quoted());
        self.batch(&sql, keys.iter().map(|key| [key]))
    }

    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError> {
        let sql = format!(
            "SELECT session_key, session_data, expire_date FROM {} WHERE session_key = ?1",
            self.store.table.quoted()
        );
        let clock = &self.store.clock;
        let mut page = Page::default();
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            for key in keys {
                let mut rows = statement.query([key])?;
                while let Some(row) = rows.next()? {
                    push(&mut page, clock, row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?);
                }
            }
            Ok(())
        };
        read().map_err(|error| fail(error, self.store.what("read")))?;
        Ok(page)
    }

    fn replace(&mut self, rows: &[Replacement<'_>]) -> Result<u64, StoreError> {
        let sql = format!(
            "UPDATE {} SET session_data = ?3 WHERE session_key = ?1 AND session_data = ?2",
            self.store.table.quoted()
        );
        self.batch(&sql, rows.iter().map(|row| [row.key, row.old, row.new]))
    }

    /// DELETE without a condition clears whole pages (SQLite docs, "DELETE" §3).
    fn truncate(&mut self) -> Result<(), StoreError> {
        let sql = format!("BEGIN IMMEDIATE; DELETE FROM {}; COMMIT", self.store.table.quoted());
        self.connection.execute_batch(&sql).map_err(|error| {
            let _ = self.connection.execute_batch("ROLLBACK");
            fail(error, self.store.what("truncate"))
        })
    }

    fn pick_expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError> {
        // What a power cut may undo of a purge the next one does again. In rollback journal mode
        // less than FULL could harm the file (SQLite docs, `PRAGMA synchronous`).
        if self.is_wal() {
            self.connection
                .pragma_update(None, "synchronous", "NORMAL")
                .map_err(|error| fail(error, self.store.what("delete from")))?;
        }
        // Expired rows are anywhere in the index of the keys, whose pages come again with every batch.
        self.connection
            .pragma_update(None, "cache_size", -PURGE_CACHE_KIB)
            .map_err(|error| fail(error, self.store.what("delete from")))?;
        self.store.pick_expired(&self.connection, cutoff, from, limit)
    }

    /// One writer at a time can be in the file, so no single row can be locked.
    fn delete_expired(
        &mut self,
        rows: &[&str],
        cutoff: Timestamp,
        _: Locked,
    ) -> Result<u64, StoreError> {
        let store = self.store;
        let bound = comparable(store.clock.expired_bound(cutoff), cutoff)?;
        let address = store.row_address(&self.connection);
        let sql = format!(
            "DELETE FROM {} WHERE {address} = ?1 AND expire_date < ?2 AND expire_date > ''",
            store.table.quoted()
        );
        self.batch(&sql, rows.iter().map(|row| (parse_address(address, row), &bound)))
    }

    fn turn(&mut self) -> Turn {
        let version = self.pragma("data_version");
        let others_write = self.data_version.is_some() && version != self.data_version;
        self.data_version = version;
        if others_write {
            Turn { batch: self.short_batch, rest: LONG_REST }
        } else {
            Turn { batch: BATCH, rest: REST }
        }
    }

    fn replica_lag(&mut self) -> Result<Option<Duration>, StoreError> {
        Ok(None)
    }

    fn analyze(&mut self) -> Result<(), StoreError> {
        let sql = format!("ANALYZE {}", self.store.table.quoted());
        self.connection.execute_batch(&sql).map_err(|error| fail(error, self.store.what("analyze")))
    }
}

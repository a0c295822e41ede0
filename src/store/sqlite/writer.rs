//! The writing connection: deletes rows, replaces their data, and fills the user column. It pauses between
//! batches so that the site's own writers get the lock.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rusqlite::vtab::array;
use rusqlite::{Transaction, TransactionBehavior};

use super::activity_watch::ActivityWatch;
use super::connection::Limited;
use super::fault::fail;
use super::row::{MOST_BYTES_OF_BATCH, NAMED, columns, data, push, size_column};
use super::unchanged::{IS_UNCHANGED, is_unchanged};
use super::{Sqlite, comparable};
use crate::model::{MOST_DATA_BYTES, Page, Timestamp};
use crate::store::waits::Work;
use crate::store::{
    Assigned, Assignment, BATCH, BatchBudget, CredentialTable, Cursor, ExpiryWriter, Fault, Gone,
    Locked, Reference, Replacement, Rewriter, StoreError, Truncator, UserColumn, UserColumnWriter,
    Window, Writer,
};

/// A pause in which a connection that waited for the last batch can take the lock. SQLite's busy handler
/// retries every 25 ms or less until it has waited for 128 ms, every 50 ms until 228 ms, and then every 100
/// ms (`sqliteDefaultBusyCallback`).
const REST: Duration = Duration::from_millis(25);
const REST_AFTER_128_MS: Duration = Duration::from_millis(50);
const REST_AFTER_228_MS: Duration = Duration::from_millis(100);
/// Batches before such a pause, if no other connection has written lately.
const BATCHES_IN_A_ROW: u32 = 2;
const LATELY: Duration = Duration::from_secs(2);
/// Short batches and long pauses while other connections write. Few requests in a hundred meet such a batch,
/// and even a connection that retries rarely most likely finds the lock free.
const SHORT_BATCH: Duration = Duration::from_millis(8);
const LONG_REST: Duration = Duration::from_millis(50);

/// Long batches while no other process uses the file. Short batches write the pages of the key index again
/// and again; with a rollback journal each writes most of its pages twice and waits for the disk three times.
/// So batches double up to a length for which a site's request can wait.
const ALONE_AFTER: Duration = Duration::from_millis(500);
const BATCH_ALONE: Duration = Duration::from_secs(1);

/// Rows between checkpoints while no other connection writes. In WAL mode a checkpoint blocks no writer, but
/// the connection that commits when it is due does the work (SQLite docs, "Write-Ahead Logging" §3.1). So a
/// checkpoint is no part of a batch, and follows each batch while other connections write. Otherwise it runs
/// rarely, so that a page that changes often is written once. The log grows by about 5 KiB per row: each row
/// is in a page of its own of the key index.
const ROWS_TO_CHECKPOINT: u64 = 32_000;

/// The size of SQLite's page cache during a purge.
const PURGE_CACHE_KIB: i64 = 32 << 10;

pub(super) struct SqliteWriter<'s> {
    pub(super) store: &'s Sqlite,
    pub(super) connection: Limited,
    /// Changes when another connection commits (SQLite docs, `PRAGMA data_version`).
    data_version: Option<i64>,
    others_wrote: Option<Instant>,
    activity: ActivityWatch,
    /// How long the last batch held the lock.
    last_batch: Duration,
    wrote: bool,
    /// Rows written since the last checkpoint.
    not_checkpointed: u64,
    /// Batches since the last pause.
    without_rest: u32,
    /// Foreign keys of other tables, once they were read.
    pub(super) references: Option<Rc<[Reference]>>,
}

impl<'s> SqliteWriter<'s> {
    pub(super) fn new(store: &'s Sqlite, connection: Limited) -> Self {
        let writer = Self {
            store,
            connection,
            data_version: None,
            others_wrote: None,
            activity: ActivityWatch::new(),
            last_batch: Duration::ZERO,
            wrote: false,
            not_checkpointed: 0,
            without_rest: 0,
            references: None,
        };
        let _ = writer.connection.pragma_update(None, "wal_autocheckpoint", 0);
        // As in Django: a row that another one refers to must not be deleted, whatever the default of this
        // build of SQLite.
        let _ = writer.connection.pragma_update(None, "foreign_keys", true);
        let _ = array::load_module(&writer.connection);
        writer
    }

    /// Runs `run` in one transaction. It also returns how many rows it wrote.
    pub(super) fn transaction<T>(
        &mut self,
        doing: &str,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<(u64, T)>,
    ) -> Result<T, StoreError> {
        self.store.recheck_siblings()?;
        self.try_transaction(write).map_err(|error| fail(error, self.store.what(doing)))
    }

    /// The same, with SQLite's own error.
    pub(super) fn try_transaction<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<(u64, T)>,
    ) -> rusqlite::Result<T> {
        self.activity.finish();
        // IMMEDIATE takes the write lock at once, when waiting for it is still possible: a read that is
        // upgraded to a write fails instead (SQLite docs, "Transaction" §2.2).
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let began = Instant::now();
        let (rows, done) = write(&transaction)?;
        transaction.commit()?;
        self.last_batch = began.elapsed();
        self.wrote = true;
        self.not_checkpointed += rows;
        Ok(done)
    }

    /// Runs a checkpoint. A failure does no harm: the log only grows.
    fn checkpoint(&mut self) {
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
        self.not_checkpointed = 0;
    }

    fn others_write(&mut self) -> bool {
        let version = self.pragma("data_version");
        if self.data_version.is_some() && version != self.data_version {
            self.others_wrote = Some(Instant::now());
        }
        self.data_version = version;
        self.others_wrote.is_some_and(|then| then.elapsed() < LATELY)
    }

    fn is_wal(&self) -> bool {
        self.pragma::<String>("journal_mode").is_some_and(|mode| mode == "wal")
    }

    fn pragma<T: rusqlite::types::FromSql>(&self, name: &str) -> Option<T> {
        self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).ok()
    }
}

fn rest_after(batch: Duration) -> Duration {
    match batch.as_millis() {
        0..=128 => REST,
        129..=228 => REST_AFTER_128_MS,
        _ => REST_AFTER_228_MS,
    }
}

impl Drop for SqliteWriter<'_> {
    /// Leaves no long log to the next commit, and no log on the disk, unless it is in use.
    fn drop(&mut self) {
        if self.wrote {
            self.checkpoint();
            let _ = self.connection.busy_timeout(Duration::ZERO);
            let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }
}

impl Writer for SqliteWriter<'_> {
    fn end_credentials(
        &mut self,
        table: &CredentialTable,
        _: Option<&str>,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        self.end_those(table, ids)
    }

    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        self.delete_by_key(keys)
    }

    fn count(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        self.store.recheck_siblings()?;
        let sql = format!("SELECT 1 FROM {} WHERE {NAMED}", self.store.table.quoted());
        let count = || -> rusqlite::Result<u64> {
            // One read transaction for all.
            let transaction = self.connection.unchecked_transaction()?;
            let mut statement = transaction.prepare_cached(&sql)?;
            let mut there = 0;
            for key in keys {
                there += u64::from(statement.exists([key])?);
            }
            Ok(there)
        };
        count().map_err(|error| fail(error, self.store.what("read")))
    }

    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError> {
        self.store.recheck_siblings()?;
        let most = if keys.len() > 1 { MOST_BYTES_OF_BATCH } else { MOST_DATA_BYTES };
        let sql = format!(
            "SELECT {}, {} FROM {} WHERE {NAMED}",
            columns(most),
            size_column(most),
            self.store.table.quoted()
        );
        let clock = &self.store.clock;
        let mut page = Page::default();
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            for key in keys {
                let mut rows = statement.query([key])?;
                while let Some(row) = rows.next()? {
                    let data = data(row.get_ref(1)?, row.get_ref(3)?);
                    push(&mut page, clock, row.get_ref(0)?, data, row.get_ref(2)?, None);
                }
            }
            Ok(())
        };
        read().map_err(|error| fail(error, self.store.what("read")))?;
        Ok(page)
    }

    fn batch_budget(&mut self) -> BatchBudget {
        // The next batch reports the error.
        if self.store.recheck_siblings().is_err() {
            return BatchBudget { batch: BATCH, rest: Duration::ZERO };
        }
        let others_write = self.others_write();
        let began = Instant::now();
        if others_write || self.not_checkpointed >= ROWS_TO_CHECKPOINT {
            self.checkpoint();
        }
        if others_write {
            return BatchBudget { batch: SHORT_BATCH, rest: LONG_REST };
        }
        // This process does not use the file until the next batch begins.
        self.activity.start(&self.store.path);
        if self.activity.idle_for() >= ALONE_AFTER {
            return BatchBudget { batch: BATCH_ALONE, rest: rest_after(self.last_batch) };
        }
        self.without_rest += 1;
        let rest = REST.saturating_sub(began.elapsed());
        if rest.is_zero() || self.without_rest == BATCHES_IN_A_ROW {
            self.without_rest = 0;
            BatchBudget { batch: BATCH, rest }
        } else {
            BatchBudget { batch: BATCH, rest: Duration::ZERO }
        }
    }

    fn expiry(&mut self) -> Option<&mut dyn ExpiryWriter> {
        Some(self)
    }

    fn user_columns(&mut self) -> Option<&mut dyn UserColumnWriter> {
        Some(self)
    }

    fn rewriting(&mut self) -> Option<&mut dyn Rewriter> {
        Some(self)
    }

    fn truncation(&mut self) -> Option<&mut dyn Truncator> {
        Some(self)
    }
}

impl Rewriter for SqliteWriter<'_> {
    fn replace(&mut self, rows: &[Replacement<'_>]) -> Result<u64, StoreError> {
        let table = self.store.table.quoted();
        let sql = format!("UPDATE {table} SET session_data = ?3 WHERE {NAMED} AND {IS_UNCHANGED}");
        self.transaction("update", |transaction| {
            let mut update = transaction.prepare_cached(&sql)?;
            let mut done = 0;
            for row in rows {
                if is_unchanged(transaction, &table, row.key, row.old)? {
                    let rows = update.execute((row.key, row.old.text(), row.new))?;
                    done += u64::try_from(rows).unwrap_or(u64::MAX);
                }
            }
            Ok((done, done))
        })
    }
}

impl UserColumnWriter for SqliteWriter<'_> {
    fn add_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.store.recheck_siblings()?;
        self.add_column(column)
    }

    fn assign(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError> {
        self.assign_users(column, rows, overwrite)
    }

    fn index_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.store.recheck_siblings()?;
        self.connection.wait_for(Work::Build);
        let indexed = self.index_column(column);
        self.connection.wait_for(Work::Batch);
        indexed
    }

    fn drop_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.store.recheck_siblings()?;
        self.connection.wait_for(Work::Build);
        let dropped = self.drop_column(column);
        self.connection.wait_for(Work::Batch);
        dropped
    }
}

impl Truncator for SqliteWriter<'_> {
    /// Empties the table: DELETE without a condition clears whole pages (SQLite docs, "DELETE" §3).
    fn truncate(&mut self) -> Result<(), StoreError> {
        self.store.recheck_siblings()?;
        let table = self.store.table.quoted();
        let mut truncate = || -> rusqlite::Result<bool> {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(&format!("DELETE FROM {table}"), [])?;
            let any = format!("SELECT EXISTS (SELECT 1 FROM {table})");
            let kept: bool = transaction.query_row(&any, [], |row| row.get(0))?;
            if !kept {
                transaction.commit()?;
                self.wrote = true;
            }
            Ok(kept)
        };
        let kept = truncate().map_err(|error| fail(error, self.store.what("truncate")))?;
        if kept {
            return Err(StoreError::new(Fault::Fatal, self.store.what("truncate"))
                .because("rows would be left: a trigger keeps them")
                .hint("`sessctl doctor` names the triggers; without --truncate all others go"));
        }
        Ok(())
    }
}

impl ExpiryWriter for SqliteWriter<'_> {
    fn pick_expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError> {
        self.store.recheck_siblings()?;
        // If a power cut undoes a part of a purge, the next purge repeats it. In rollback journal mode less
        // than FULL could corrupt the file (SQLite docs, `PRAGMA synchronous`).
        if self.is_wal() {
            self.connection
                .pragma_update(None, "synchronous", "NORMAL")
                .map_err(|error| fail(error, self.store.what("delete from")))?;
        }
        // Expired rows are all over the key index, so every batch touches the same pages again.
        self.connection
            .pragma_update(None, "cache_size", -PURGE_CACHE_KIB)
            .map_err(|error| fail(error, self.store.what("delete from")))?;
        self.store.pick_expired(&self.connection, cutoff, from, limit)
    }

    /// SQLite allows one writer at a time, so single rows cannot be locked.
    fn delete_expired(
        &mut self,
        rows: &[&str],
        cutoff: Timestamp,
        _: Locked,
    ) -> Result<Gone, StoreError> {
        let bound = comparable(self.store.clock.expired_bound(cutoff), cutoff)?;
        self.delete_by_address(rows, &bound)
    }

    fn analyze(&mut self) -> Result<(), StoreError> {
        self.store.recheck_siblings()?;
        let sql = format!("ANALYZE {}", self.store.table.quoted());
        self.connection.wait_for(Work::Build);
        let analyzed = self.connection.execute_batch(&sql);
        self.connection.wait_for(Work::Batch);
        analyzed.map_err(|error| fail(error, self.store.what("analyze")))
    }
}

//! A connection with limits of time and memory. Another user may have made the file, and its schema (views,
//! triggers, expressions) makes SQLite run code.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, OpenFlags};

use crate::stop::Calls;
use crate::store::waits::{Waits, Watch, Work};

/// The most bytes of a value that SQLite creates or reads. A trigger may copy a session of 12 MiB in another
/// form.
const MOST_OF_A_VALUE: i32 = 64 << 20;
/// The most memory of SQLite in the whole process (SQLite docs, `PRAGMA hard_heap_limit`): a statement can
/// have thousands of values.
const MOST_MEMORY: i64 = 192 << 20;
/// SQLite's virtual machine calls back after this many steps, some ten microseconds, to ask whether to
/// continue.
const STEPS: i32 = 1_000;

/// A connection on which each piece of work has its own time limit.
pub(super) struct Limited {
    connection: Connection,
    watch: Arc<Watch>,
}

impl Limited {
    /// Opens a file. `patience` limits the wait for a lock; `waits` limits other work.
    pub(super) fn open(
        path: &std::path::Path,
        flags: OpenFlags,
        for_lock: Duration,
        waits: &Waits,
        work: Work,
    ) -> rusqlite::Result<Self> {
        let mut connection = Connection::open_with_flags(path, flags)?;
        // Set before anything of the file is read, its schema included.
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MOST_OF_A_VALUE)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.query_row(&format!("PRAGMA hard_heap_limit = {MOST_MEMORY}"), [], |_| Ok(()))?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        let watch = waits.watch(waits.patience(work));
        let (mut clock, calls) = (watch.clock(), Arc::new(Calls::default()));
        waits.stop().watch(&calls);
        trace(&mut connection, Arc::clone(&calls))?;
        let is_over = move || {
            calls.beat();
            clock.over().is_some()
        };
        connection.progress_handler(STEPS, Some(is_over))?;
        connection.busy_handler(Some(wait_for_lock(waits.clone(), for_lock)))?;
        Ok(Self { connection, watch })
    }

    /// Sets the time limit for this kind of work. Sorting stays in limited memory: temporary files have no
    /// limit, and a view or a trigger of the file could fill the disk. Only building an index may need more.
    pub(super) fn wait_for(&self, work: Work) {
        self.watch.wait_for(work);
        let place = if work == Work::Build { "FILE" } else { "MEMORY" };
        // If this fails, sorting works as before.
        let _ = self.connection.pragma_update(None, "temp_store", place);
    }

    /// Restarts the time limit: an answer came.
    pub(super) fn moved(&self) {
        self.watch.moved();
    }
}

/// Tells when statements begin and end. In between, SQLite asks whether to go on, but not within one call of a function.
fn trace(connection: &mut Connection, calls: Arc<Calls>) -> rusqlite::Result<()> {
    let codes = TraceEventCodes::SQLITE_TRACE_STMT | TraceEventCodes::SQLITE_TRACE_PROFILE;
    let on_event = move |event: TraceEvent<'_>| match event {
        // A trigger is a part of a statement (SQLite docs, `SQLITE_TRACE_STMT`).
        TraceEvent::Stmt(_, sql) if !sql.starts_with("--") => calls.begin(),
        TraceEvent::Profile(..) => calls.end(),
        _ => {}
    };
    connection.trace_v2(codes, Some(on_event))
}

/// Waits as SQLite's own handler does (`sqliteDefaultBusyCallback`), but stops when the run is asked to stop.
fn wait_for_lock(waits: Waits, patience: Duration) -> impl FnMut(i32) -> bool + Send {
    const MILLIS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];
    let mut since = Instant::now();
    move |tries| {
        if tries == 0 {
            since = Instant::now();
        }
        let left = patience.saturating_sub(since.elapsed());
        if left.is_zero() || waits.stop().must_end() {
            return false;
        }
        let place = usize::try_from(tries).unwrap_or(usize::MAX).min(MILLIS.len() - 1);
        let millis = MILLIS.get(place).copied().unwrap_or(100);
        sleep(left.min(Duration::from_millis(millis)));
        true
    }
}

impl Deref for Limited {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.watch.moved();
        &self.connection
    }
}

impl DerefMut for Limited {
    fn deref_mut(&mut self) -> &mut Connection {
        self.watch.moved();
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cell that begins behind the end of its page, beside the row that is read.
    #[test]
    fn a_page_with_a_cell_that_is_not_in_it_is_not_read() {
        let path = std::env::temp_dir().join(format!("sessctl-cell-{}", std::process::id()));
        let made = Connection::open(&path).unwrap();
        made.execute_batch(
            "PRAGMA page_size = 4096; CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)",
        )
        .unwrap();
        drop(made);
        let mut file = std::fs::read(&path).unwrap();
        // Page 2 is the table (SQLite docs, "Database File Format": B-tree pages); its third cell.
        file[4096 + 8 + 2 * 2..][..2].copy_from_slice(&4095_u16.to_be_bytes());
        std::fs::write(&path, file).unwrap();
        let read = |connection: &Connection| {
            connection.query_row("SELECT x FROM t WHERE rowid = 1", [], |row| row.get::<_, i64>(0))
        };
        assert_eq!(
            read(&Connection::open(&path).unwrap()).unwrap(),
            1,
            "the damage is seen anyway"
        );
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let limited =
            Limited::open(&path, flags, Duration::ZERO, &Waits::default(), Work::Batch).unwrap();
        let error = read(&limited).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseCorrupt));
        std::fs::remove_file(path).unwrap();
    }
}

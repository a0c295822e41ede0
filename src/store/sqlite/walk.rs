//! Walks over the table in short slices. Each slice is a read transaction of its own, so that other
//! connections can commit in between.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rusqlite::types::{Value, ValueRef};
use rusqlite::{CachedStatement, ErrorCode, Rows, params};

use super::connection::Limited;
use super::row::{bytes, data, push};
use super::user_column::shown;
use crate::model::{Data, Page};
use crate::store::{ByUser, Emit, WallClock};

/// How long one statement may hold the shared lock. Django's own writers wait 5 s by default.
const READ_SLICE: Duration = Duration::from_millis(50);
/// The time is checked once in this many rows.
const ROWS_PER_LOOK: u32 = 256;

/// One walk over the table. Its statements read the row number or NULL, the [`columns`](super::row::columns),
/// and the user column if needed.
pub(super) struct Walk<'w> {
    pub(super) connection: &'w Limited,
    pub(super) way: Way,
    pub(super) clock: &'w WallClock,
    pub(super) live_bound: Option<&'w [u8]>,
    pub(super) key_prefix: Option<&'w str>,
    pub(super) by: Option<&'w ByUser>,
    /// The caller ended the scan.
    pub(super) over: bool,
    /// The walk stopped because rows may have been renumbered.
    pub(super) renumbered: bool,
}

/// How the rows of a table are read.
pub(super) enum Way {
    /// In slices, each of which continues after the last row of the one before. New rows get higher numbers,
    /// so the walk meets a session again that moves to another key.
    ByNumber {
        /// Statements that read every row, and as the last column the size of too large data.
        whatever: Statements,
        /// The same, but they fail at too large data.
        refusing: Statements,
        /// Reads the key of the row with the number ?1.
        key: String,
    },
    /// In one statement, if rows have no numbers (WITHOUT ROWID, a view). Between two statements a session
    /// could move to a key that was passed already, and keys need not be unique. Without WAL, writers wait
    /// meanwhile. ?1 is NULL.
    AtOnce {
        sql: String,
        /// A view may produce rows without end, so the time limit covers the whole statement, not each page.
        is_view: bool,
    },
}

/// Statements to begin a walk and to continue it. No number is certain to be before every row, since numbers
/// may be negative.
pub(super) struct Statements {
    /// Reads from the first row on; ?1 is NULL.
    pub(super) first: String,
    /// Reads from the row after the number ?1 on.
    pub(super) next: String,
}

/// The position of a walk.
#[derive(Default)]
struct Place {
    /// The number of the last row.
    number: Option<i64>,
    /// Its key, once a slice is over.
    key: Option<Vec<u8>>,
    /// The version of the schema when it was read.
    schema: Option<i64>,
    /// Whether the next row is too large.
    too_large: bool,
}

impl Walk<'_> {
    /// Walks over all rows, or over those with one value in the user column.
    pub(super) fn run(
        &mut self,
        user: Option<&Value>,
        emit: &mut Emit<'_>,
    ) -> rusqlite::Result<()> {
        if self.over || self.renumbered {
            return Ok(());
        }
        let mut page = Page::default();
        match &self.way {
            Way::AtOnce { sql, is_view } => {
                let mut statement = self.connection.prepare_cached(sql)?;
                let mut rows = query(&mut statement, None, user)?;
                while let Some(row) = rows.next()? {
                    self.push(row, true, &mut page)?;
                    if page.is_full() {
                        match emit(page) {
                            ControlFlow::Continue(empty) => page = empty,
                            ControlFlow::Break(()) => {
                                self.over = true;
                                return Ok(());
                            }
                        }
                        if !is_view {
                            self.connection.moved();
                        }
                    }
                }
            }
            Way::ByNumber { whatever, refusing, key } => {
                let mut place = Place::default();
                loop {
                    // The check of the position and the slice share one snapshot.
                    let snapshot = self.connection.unchecked_transaction()?;
                    if !self.is_in_place(&mut place, key)? {
                        self.renumbered = true;
                        return Ok(());
                    }
                    let goes_on = self.slice(whatever, refusing, &mut place, user, &mut page)?;
                    place.key = self.key_at(&place, key)?;
                    snapshot.finish()?;
                    if !goes_on {
                        break;
                    }
                    // Emit the page even if it is not full, or empty: the caller may want to stop long before
                    // an old table has filled a page with live rows.
                    match emit(page) {
                        ControlFlow::Continue(empty) => page = empty,
                        ControlFlow::Break(()) => {
                            self.over = true;
                            return Ok(());
                        }
                    }
                }
            }
        }
        if !page.is_empty() {
            self.over = emit(page).is_break();
        }
        Ok(())
    }

    /// Whether rows still have the same numbers. VACUUM renumbers them in the same order and without gaps. If
    /// the last row kept its number, so did all rows before it, and no row after it moved before it.
    fn is_in_place(&self, place: &mut Place, key: &str) -> rusqlite::Result<bool> {
        // VACUUM changes the version too (SQLite docs, `PRAGMA schema_version`).
        let schema =
            Some(self.connection.query_row("PRAGMA schema_version", [], |row| row.get(0))?);
        let before = std::mem::replace(&mut place.schema, schema);
        let is_moved = before != schema && place.number.is_some();
        Ok(!is_moved || place.key.is_some() && self.key_at(place, key)? == place.key)
    }

    /// The key of the row with the number of the last row.
    fn key_at(&self, place: &Place, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        let Some(number) = place.number else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(key)?;
        let mut rows = statement.query([number])?;
        rows.next()?.map(|row| row.get_ref(0).map(|key| bytes(key).to_vec())).transpose()
    }

    /// Reads until the page must be handed over. Returns whether there may be more rows.
    fn slice(
        &self,
        whatever: &Statements,
        refusing: &Statements,
        place: &mut Place,
        user: Option<&Value>,
        page: &mut Page,
    ) -> rusqlite::Result<bool> {
        let refuses = !std::mem::take(&mut place.too_large);
        let began = Instant::now();
        let statements = if refuses { refusing } else { whatever };
        let sql = if place.number.is_some() { &statements.next } else { &statements.first };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = query(&mut statement, place.number, user)?;
        let mut seen = 0_u32;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(false),
                Err(error) if refuses && is_too_large(&error) => {
                    place.too_large = true;
                    return Ok(true);
                }
                Err(error) => return Err(error),
            };
            place.number = Some(next_number(place.number, row.get(0)?)?);
            self.push(row, !refuses, page)?;
            seen += 1;
            let slice_over = seen.is_multiple_of(ROWS_PER_LOOK) && began.elapsed() > READ_SLICE;
            if page.is_full() || slice_over {
                return Ok(true);
            }
        }
    }

    fn push(
        &self,
        row: &rusqlite::Row<'_>,
        with_size: bool,
        page: &mut Page,
    ) -> rusqlite::Result<()> {
        let expires = row.get_ref(3)?;
        if !self.live_bound.is_none_or(|bound| greater(expires, bound)) {
            return Ok(());
        }
        let key = row.get_ref(1)?;
        if !self.key_prefix.is_none_or(|prefix| bytes(key).starts_with(prefix.as_bytes())) {
            return Ok(());
        }
        let user = match self.by {
            Some(by) => shown(by.column.kind, row.get_ref(4)?),
            None => None,
        };
        if self.by.is_some_and(|by| !by.condition.include(user.as_deref())) {
            return Ok(());
        }
        let text = row.get_ref(2)?;
        let data = if with_size {
            data(text, row.get_ref(if self.by.is_some() { 5 } else { 4 })?)
        } else {
            Data::Text(bytes(text))
        };
        push(page, self.clock, key, data, expires, user.as_deref());
        Ok(())
    }
}

fn is_too_large(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::TooBig)
}

fn query<'s>(
    statement: &'s mut CachedStatement<'_>,
    after: Option<i64>,
    user: Option<&Value>,
) -> rusqlite::Result<Rows<'s>> {
    match user {
        Some(user) => statement.query(params![after, user]),
        None => statement.query([after]),
    }
}

/// The number of a row. It must be greater than that of the row before: in a damaged file a walk could loop
/// forever.
fn next_number(before: Option<i64>, at: i64) -> rusqlite::Result<i64> {
    if before.is_some_and(|before| at <= before) { Err(out_of_order()) } else { Ok(at) }
}

fn out_of_order() -> rusqlite::Error {
    let malformed = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let said = "database disk image is malformed: rows are not in their order";
    rusqlite::Error::SqliteFailure(malformed, Some(said.into()))
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::OpenFlags;

    use super::*;
    use crate::store::waits::{Waits, Work};

    /// In rollback journal mode Django's writers wait for a reader, even one that matches few rows.
    #[test]
    fn a_slice_is_over_when_its_time_is_though_no_page_is_full() {
        let memory = Path::new(":memory:");
        let (flags, waits) = (OpenFlags::default(), Waits::default());
        let connection = Limited::open(memory, flags, Duration::ZERO, &waits, Work::Scan).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (x); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700)
                 INSERT INTO t SELECT i FROM n",
            )
            .unwrap();
        // Each row takes its time to be read, and none is live.
        let rows = |which: &str| {
            format!(
                "SELECT _rowid_, 'key', 'data', '2020-01-01', (WITH RECURSIVE n (i) AS
                     (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000 + x % 2) SELECT max(i) FROM n)
                 FROM t WHERE {which} ORDER BY _rowid_"
            )
        };
        let statements = || Statements { first: rows("?1 IS NULL"), next: rows("_rowid_ > ?1") };
        let mut walk = Walk {
            connection: &connection,
            way: Way::ByNumber {
                whatever: statements(),
                refusing: statements(),
                key: "SELECT 'key' FROM t WHERE _rowid_ = ?1".into(),
            },
            clock: &WallClock::unknown(),
            live_bound: Some(b"2026-01-01"),
            key_prefix: None,
            by: None,
            over: false,
            renumbered: false,
        };
        let mut pages = Vec::new();
        let emit = &mut |page: Page| {
            pages.push(page.len());
            ControlFlow::Continue(page)
        };
        walk.run(None, emit).unwrap();
        assert_eq!(pages, [0, 0], "after 256 rows, and after 512");
    }
}

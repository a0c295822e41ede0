use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rusqlite::types::{ToSql, Value, ValueRef};
use rusqlite::{Connection, params};

use super::fault::fail;
use super::user_column::{shown, values};
use super::{Sqlite, comparable};
use crate::model::{Expiry, Page, RawRow, Timestamp};
use crate::store::{
    ByUser, Cursor, Emit, Expired, Filter, Reader, Reference, StoreError, Upkeep, User, UserColumn,
    UserColumnPlan, UserType, Users, WallClock, WhichUsers,
};

/// For how long one statement may hold the shared lock. Django's own writers wait 5 s by default.
const READ_SLICE: Duration = Duration::from_millis(50);
/// Less than any 64-bit integer: row numbers may be negative.
const BEFORE_EVERY_ROWID: f64 = -1e19;
/// The clock is looked at once in so many rows.
const ROWS_PER_LOOK: u32 = 256;

pub(super) struct SqliteReader<'s> {
    pub(super) store: &'s Sqlite,
    pub(super) connection: Connection,
}

impl Reader for SqliteReader<'_> {
    /// The largest row number: rows are numbered as they come, so this is never too small.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        let sql = format!("SELECT max(_rowid_) FROM {}", self.store.table.quoted());
        Ok(self
            .connection
            .query_row(&sql, [], |row| row.get::<_, Option<i64>>(0))
            .ok()
            .flatten()
            .and_then(|rowid| u64::try_from(rowid).ok()))
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        if let Some(rows) = filter.newest {
            return self
                .newest(rows, filter.user.as_ref(), emit)
                .map_err(|error| fail(error, self.store.what("read")));
        }
        let (store, clock) = (self.store, &self.store.clock);
        let live_bound = filter.live_at.map(|now| comparable(clock.live_bound(now), now));
        let live_bound = live_bound.transpose()?;
        // Row numbers make a walk cheap and let it be interrupted anywhere.
        let cursor = store.row_address(&self.connection);
        let start: Box<dyn ToSql> =
            if cursor == "_rowid_" { Box::new(BEFORE_EVERY_ROWID) } else { Box::new("") };
        let user = filter.user.as_ref().map(|by| by.column.quoted());
        let mut columns = format!("{cursor}, session_key, session_data, expire_date");
        columns.extend(user.iter().flat_map(|user| [", ", user]));
        // The index holds the row numbers too, in order within each value.
        let values = filter.user.as_ref().and_then(values);
        let is_user = match (&user, &values) {
            (Some(user), Some(_)) => format!("{user} IS ?2 AND"),
            _ => String::new(),
        };
        let mut walk = Walk {
            connection: &self.connection,
            sql: format!(
                "SELECT {columns} FROM {} WHERE {is_user} {cursor} > ?1 ORDER BY {cursor}",
                store.table.quoted()
            ),
            clock,
            live_bound: live_bound.as_deref().map(str::as_bytes),
            key_prefix: filter.key_prefix.as_deref().unwrap_or_default(),
            by: filter.user.as_ref(),
            over: false,
        };
        match values {
            None => walk.run(&*start, None, emit),
            Some(values) => {
                values.iter().try_for_each(|value| walk.run(&*start, Some(value), emit))
            }
        }
        .map_err(|error| fail(error, store.what("read")))
    }

    fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError> {
        self.store.user_column(&self.connection, name)
    }

    fn now(&mut self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::now())
    }

    fn expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        patience: Duration,
    ) -> Result<Expired, StoreError> {
        self.store.count_expired(&self.connection, cutoff, from, patience)
    }

    fn user_key(&mut self, users: &Users) -> Result<Option<UserType>, StoreError> {
        self.store.user_key(&self.connection, users)
    }

    fn users(
        &mut self,
        users: &Users,
        which: WhichUsers<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        self.store.read_users(&self.connection, users, which, emit)
    }

    fn user_column_plan(&mut self, column: &UserColumn) -> Result<UserColumnPlan, StoreError> {
        Ok(self.store.user_column_plan(column))
    }

    fn references(&mut self) -> Result<Vec<Reference>, StoreError> {
        self.store.references(&self.connection)
    }

    fn has_allauth(&mut self) -> Result<bool, StoreError> {
        self.store.has_allauth(&self.connection)
    }

    fn upkeep(&mut self) -> Result<Upkeep, StoreError> {
        upkeep(&self.connection).map_err(|error| fail(error, self.store.what("read")))
    }
}

impl SqliteReader<'_> {
    /// So few that one statement can read them.
    fn newest(&self, rows: u32, by: Option<&ByUser>, emit: &mut Emit<'_>) -> rusqlite::Result<()> {
        let user = by.map_or_else(|| "NULL".into(), |by| by.column.quoted());
        let sql = format!(
            "SELECT session_key, session_data, expire_date, {user} FROM {} \
             ORDER BY expire_date DESC LIMIT {rows}",
            self.store.table.quoted()
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut page = Page::default();
        while let Some(row) = rows.next()? {
            let user = match by {
                Some(by) => shown(by.column.kind, row.get_ref(3)?),
                None => None,
            };
            let (key, data, expires) = (row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?);
            push(&mut page, &self.store.clock, key, data, expires, user.as_deref());
            if page.is_full() {
                match emit(page) {
                    ControlFlow::Continue(empty) => page = empty,
                    ControlFlow::Break(()) => return Ok(()),
                }
            }
        }
        if !page.is_empty() {
            let _ = emit(page);
        }
        Ok(())
    }
}

impl Sqlite {
    /// The foreign keys that point at the table.
    pub(super) fn references(&self, connection: &Connection) -> Result<Vec<Reference>, StoreError> {
        references(connection, self.table.name()).map_err(|error| fail(error, self.what("read")))
    }
}

fn references(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Reference>> {
    connection
        .prepare(
            "SELECT DISTINCT t.name, f.on_delete FROM sqlite_schema t, pragma_foreign_key_list(t.name) f \
             WHERE t.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE ORDER BY 1",
        )?
        .query_map([table], |row| Ok(Reference { table: row.get(0)?, on_delete: row.get(1)? }))?
        .collect()
}

fn upkeep(connection: &Connection) -> rusqlite::Result<Upkeep> {
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
    };
    let free = number("freelist_count")? * number("page_size")?;
    let advice = format!(
        "{} MB in the file are free: new rows use them again; VACUUM gives them back to the file system, \
         keeps every writer out meanwhile, and needs twice the size of the file on the disk",
        free / 1_000_000
    );
    Ok(Upkeep { dead_rows: None, advice: if free > 0 { vec![advice] } else { Vec::new() } })
}

/// One walk over the table, in slices.
struct Walk<'w> {
    connection: &'w Connection,
    sql: String,
    clock: &'w WallClock,
    live_bound: Option<&'w [u8]>,
    key_prefix: &'w str,
    by: Option<&'w ByUser>,
    /// Whoever reads has enough.
    over: bool,
}

impl Walk<'_> {
    /// Walks from a row address on; with `user`, over the rows of which the column says this.
    fn run(
        &mut self,
        start: &dyn ToSql,
        user: Option<&Value>,
        emit: &mut Emit<'_>,
    ) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(&self.sql)?;
        let mut cursor = None;
        let mut number = None;
        let mut page = Page::default();
        while !self.over {
            let began = Instant::now();
            let from = cursor.as_ref().map_or(start, |at: &Value| at);
            let mut rows = match user {
                Some(user) => statement.query(params![from, user])?,
                None => statement.query([from])?,
            };
            let mut seen = 0_u32;
            let mut last = None;
            while let Some(row) = rows.next()? {
                number = next_number(number, row.get_ref(0)?)?;
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
            cursor = Some(at);
            // Full or not, and be it empty: whoever reads may want to break off long before an old
            // table has a page of live rows.
            match emit(page) {
                ControlFlow::Continue(empty) => page = empty,
                ControlFlow::Break(()) => {
                    self.over = true;
                    return Ok(());
                }
            }
        }
        if !page.is_empty() {
            self.over = emit(page).is_break();
        }
        Ok(())
    }

    fn push(&self, row: &rusqlite::Row<'_>, page: &mut Page) -> rusqlite::Result<()> {
        let expires = row.get_ref(3)?;
        if !self.live_bound.is_none_or(|bound| greater(expires, bound)) {
            return Ok(());
        }
        let key = row.get_ref(1)?;
        if !bytes(key).starts_with(self.key_prefix.as_bytes()) {
            return Ok(());
        }
        let user = match self.by {
            Some(by) => shown(by.column.kind, row.get_ref(4)?),
            None => None,
        };
        if self.by.is_some_and(|by| !by.stamps.include(user.as_deref())) {
            return Ok(());
        }
        push(page, self.clock, key, row.get_ref(2)?, expires, user.as_deref());
        Ok(())
    }
}

/// The number of a row, which is above that of the row before: in a damaged file a walk could come round
/// for ever.
fn next_number(before: Option<i64>, at: ValueRef<'_>) -> rusqlite::Result<Option<i64>> {
    match (before, at) {
        (Some(before), ValueRef::Integer(at)) if at <= before => Err(out_of_order()),
        (_, ValueRef::Integer(at)) => Ok(Some(at)),
        _ => Ok(None),
    }
}

fn out_of_order() -> rusqlite::Error {
    let malformed = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let said = "database disk image is malformed: rows are not in their order";
    rusqlite::Error::SqliteFailure(malformed, Some(said.into()))
}

/// Puts the columns of a row into a page.
pub(super) fn push(
    page: &mut Page,
    clock: &WallClock,
    key: ValueRef<'_>,
    data: ValueRef<'_>,
    expires: ValueRef<'_>,
    user: Option<&str>,
) {
    let expires = match expires {
        ValueRef::Text(shown) => clock.read(shown),
        _ => Expiry::Unreadable,
    };
    page.push_raw(RawRow {
        key: bytes(key),
        data: bytes(data),
        expires,
        user: user.map(str::as_bytes),
    });
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

/// The text of a column.
pub(super) fn text(value: ValueRef<'_>) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes(value))
}

/// The bytes of a text. Django stores nothing else; what is not text decodes to nothing.
fn bytes(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    }
}

//! Picks expired rows in order of expiry. The index that Django creates holds the row numbers too, so a
//! position in this order is exact, and finding it reads no row of the table.
//!
//! A row has expired if SQLite says that `expire_date < now`, as in Django's `clearsessions`. Numbers sort
//! before every text, so they have expired; NULL and blobs have not.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::vtab::array::Array;
use rusqlite::{Connection, params};

use super::fault::fail;
use super::{Sqlite, comparable};
use crate::model::{Expiry, Keys, Timestamp};
use crate::store::{Cursor, Expired, StoreError, Table, Window};

/// Rows that one statement reads: it takes a few milliseconds, in which no connection can commit in rollback
/// journal mode.
const SLICE: usize = 10_000;
/// Rows in a window. It is large enough that a batch in order of address meets several rows per page of the
/// table, and small enough that it meets several per page of the index of expiry.
const WINDOW: usize = 100_000;

impl Sqlite {
    /// Picks a window of expired rows, sorted by address so that a batch touches few pages.
    pub(super) fn pick_expired(
        &self,
        connection: &Connection,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError> {
        let limit = limit.min(WINDOW);
        let mut next = from.cloned();
        let mut picked = Vec::new();
        while picked.len() < limit {
            let wanted = SLICE.min(limit - picked.len());
            let slice = self.expired_rows(connection, cutoff, next.as_ref(), wanted)?;
            next = slice.last().filter(|_| slice.len() == wanted).map(after);
            picked.extend(slice.into_iter().map(|(_, address)| address));
            if next.is_none() {
                break;
            }
        }
        picked.sort_by(in_order);
        let mut rows = Keys::default();
        for address in &picked {
            rows.push(&as_text(address));
        }
        Ok(Window { rows, next })
    }

    /// Counts expired rows, window by window.
    pub(super) fn count_expired(
        &self,
        connection: &Connection,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        patience: Duration,
    ) -> Result<Expired, StoreError> {
        let began = Instant::now();
        let mut from = from.cloned();
        let (mut rows, mut oldest) = (0, None);
        loop {
            let window = self.expired_rows(connection, cutoff, from.as_ref(), SLICE)?;
            rows += u64::try_from(window.len()).unwrap_or(u64::MAX);
            oldest =
                oldest.or_else(|| window.iter().find_map(|(expires, _)| self.instant(expires)));
            match window.last() {
                Some(_) if began.elapsed() > patience => return Ok(Expired { rows: None, oldest }),
                Some(last) if window.len() == SLICE => from = Some(after(last)),
                _ => break,
            }
        }
        Ok(Expired { rows: Some(rows), oldest })
    }

    /// Adds up what a statement counts that begins before the FROM and ends after the condition for expired rows.
    pub(super) fn add_up_expired(
        &self,
        connection: &Connection,
        cutoff: Timestamp,
        (select, condition): (&str, &str),
        patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let (began, address) = (Instant::now(), self.row_address(connection));
        let sql = format!(
            "{select} FROM {} NOT INDEXED WHERE {address} IN (SELECT value FROM rarray(?1)){condition}",
            self.table.quoted()
        );
        let (mut from, mut rows) = (None, 0);
        loop {
            let window = self.expired_rows(connection, cutoff, from.as_ref(), SLICE)?;
            from = window.last().filter(|_| window.len() == SLICE).map(after);
            let named: Array = Rc::new(window.into_iter().map(|(_, address)| address).collect());
            let found = connection
                .prepare_cached(&sql)
                .and_then(|mut count| count.query_row(params![named], |row| row.get::<_, i64>(0)))
                .map_err(|error| fail(error, self.what("read")))?;
            rows += u64::try_from(found).unwrap_or(0);
            match from {
                None => return Ok(Some(rows)),
                Some(_) if began.elapsed() > patience => return Ok(None),
                Some(_) => {}
            }
        }
    }

    fn instant(&self, expires: &Stored) -> Option<Timestamp> {
        match expires {
            Stored::Text(shown) => match self.clock.read(shown) {
                Expiry::At(instant) | Expiry::Wall(instant) => Some(instant),
                Expiry::Unreadable(_) => None,
            },
            Stored::Integer(_) | Stored::Real(_) => None,
        }
    }

    fn expired_rows(
        &self,
        connection: &Connection,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Vec<(Stored, Value)>, StoreError> {
        let bound = comparable(self.clock.expired_bound(cutoff), cutoff)?;
        let address = self.row_address(connection);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found =
            |row: &rusqlite::Row<'_>| Ok((Stored::of(row.get_ref(0)?), row.get::<_, Value>(1)?));
        let read = || -> rusqlite::Result<Vec<_>> {
            let Some(from) = from else {
                let mut first =
                    connection.prepare(&first_window_statement(&self.table, address))?;
                return first.query_map(params![bound, limit], found)?.collect();
            };
            let expires = Stored::parse(&from.expires);
            let row = parse_address(address, from.row.as_deref().unwrap_or_default());
            let mut next = connection.prepare(&window_statement(&self.table, address))?;
            next.query_map(params![bound, expires, row, limit], found)?.collect()
        };
        read().map_err(|error| fail(error, self.what("read")))
    }
}

/// The `expire_date` of an expired row.
enum Stored {
    Integer(i64),
    Real(f64),
    /// In any encoding.
    Text(Vec<u8>),
}

impl Stored {
    fn of(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) | ValueRef::Blob(text) => Self::Text(text.to_vec()),
            ValueRef::Null => Self::Text(Vec::new()),
        }
    }

    /// The exact value, for a [`Cursor`]. If it were rounded, rows between the real and the remembered value
    /// would be read again, or never.
    fn remembered(&self) -> String {
        let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
        let hex = |text: &[u8]| -> String {
            text.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
        };
        match self {
            Self::Integer(number) => format!("i{number}"),
            Self::Real(number) => format!("r{}", number.to_bits()),
            Self::Text(text) => format!("t{}", hex(text)),
        }
    }

    fn parse(remembered: &str) -> Self {
        let kind = remembered.get(..1).unwrap_or_default();
        let rest = remembered.get(1..).unwrap_or_default();
        match kind {
            "i" => Self::Integer(rest.parse().unwrap_or(i64::MIN)),
            "r" => Self::Real(f64::from_bits(rest.parse().unwrap_or_default())),
            _ => {
                let byte = |at: usize| u8::from_str_radix(rest.get(at..at + 2)?, 16).ok();
                Self::Text((0..rest.len()).step_by(2).map_while(byte).collect())
            }
        }
    }
}

impl ToSql for Stored {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text),
        }))
    }
}

/// Selects the first window of rows that expired before ?1. NULL does not compare as less.
fn first_window_statement(table: &Table, address: &str) -> String {
    format!(
        "SELECT expire_date, {address} FROM {} WHERE expire_date < ?1 ORDER BY 1, 2 LIMIT ?2",
        table.quoted()
    )
}

/// Selects a window of rows that expired before ?1 and come after the position ?2, ?3. For `(expire_date,
/// _rowid_) > (?2, ?3)` SQLite would use the index for the first part alone, and read all rows with that
/// expiry again.
fn window_statement(table: &Table, address: &str) -> String {
    let table = table.quoted();
    format!(
        "SELECT expire_date, {address} FROM {table} \
         WHERE expire_date = ?2 AND expire_date < ?1 AND {address} > ?3 \
         UNION ALL SELECT expire_date, {address} FROM {table} \
         WHERE expire_date > ?2 AND expire_date < ?1 \
         ORDER BY 1, 2 LIMIT ?4"
    )
}

/// Deletes those of the rows ?1 that expired before ?2, in one statement. NOT INDEXED makes SQLite find them
/// by address instead of the index of expiry.
pub(super) fn delete_statement(table: &Table, address: &str) -> String {
    format!("DELETE FROM {} NOT INDEXED WHERE {}", table.quoted(), find_statement(address))
}

/// The condition of that delete.
pub(super) fn find_statement(address: &str) -> String {
    format!("{address} IN (SELECT value FROM rarray(?1)) AND expire_date < ?2")
}

/// Parses the address of a row.
pub(super) fn parse_address(address: &str, text: &str) -> Value {
    match text.parse() {
        Ok(number) if address == "_rowid_" => Value::Integer(number),
        _ => Value::Text(text.to_owned()),
    }
}

/// The cursor after a row.
fn after((expires, address): &(Stored, Value)) -> Cursor {
    Cursor { expires: expires.remembered(), row: Some(as_text(address)) }
}

pub(super) fn as_text(address: &Value) -> String {
    match address {
        Value::Integer(number) => number.to_string(),
        Value::Text(key) => key.clone(),
        _ => String::new(),
    }
}

fn in_order(one: &Value, other: &Value) -> std::cmp::Ordering {
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        _ => std::cmp::Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each kind of row address: a table, and SQLite's query plan for a statement on it.
    fn plans(statement: fn(&Table, &str) -> String) -> [(&'static str, Vec<String>); 2] {
        [("", "_rowid_"), ("WITHOUT ROWID", "session_key")].map(|(option, address)| {
            let connection = Connection::open_in_memory().unwrap();
            rusqlite::vtab::array::load_module(&connection).unwrap();
            connection
                .execute_batch(&format!(
                    "CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY, \
                         session_data text NOT NULL, expire_date datetime NOT NULL) {option}; \
                     CREATE INDEX expiry ON django_session (expire_date)"
                ))
                .unwrap();
            let sql = statement(&Table::default(), address);
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = explain.raw_query().mapped(|row| row.get::<_, String>(3));
            (address.trim_matches('_'), steps.map(Result::unwrap).collect())
        })
    }

    #[test]
    fn a_window_is_looked_up_in_the_index_and_not_sorted() {
        for (_, steps) in plans(first_window_statement) {
            assert_eq!(
                steps,
                ["SEARCH django_session USING COVERING INDEX expiry (expire_date<?)"]
            );
        }
        for (address, steps) in plans(window_statement) {
            let lookups: Vec<_> =
                steps.iter().filter_map(|step| step.split_once("COVERING INDEX expiry ")).collect();
            let tie = format!("(expire_date=? AND {address}>?)");
            assert_eq!(lookups.len(), 2, "{steps:?}");
            assert_eq!(lookups[0].1, tie, "{steps:?}");
            assert!(steps.iter().all(|step| !step.contains("TEMP B-TREE")), "{steps:?}");
        }
    }

    #[test]
    fn a_batch_is_looked_up_by_address() {
        for (address, steps) in plans(delete_statement) {
            assert!(steps[0].starts_with("SEARCH"), "{steps:?}");
            assert!(steps[0].ends_with(&format!("PRIMARY KEY ({address}=?)")), "{steps:?}");
        }
    }
}

//! Counts and ends credentials of users in tables of packages.

use std::rc::Rc;

use rusqlite::types::Value;
use rusqlite::vtab::array::Array;
use rusqlite::{Connection, params};

use super::fault::fail;
use super::writer::SqliteWriter;
use super::{Sqlite, columns, comparable};
use crate::model::Timestamp;
use crate::store::credentials::{Dialect, count_logins};
use crate::store::table::quote;
use crate::store::{CredentialTable, StoreError, Users};

/// SQLite's words.
struct Words<'s> {
    store: &'s Sqlite,
    now: String,
}

impl Words<'_> {
    fn of(store: &Sqlite) -> Result<Words<'_>, StoreError> {
        let now = Timestamp::now();
        Ok(Words { store, now: comparable(store.clock.live_bound(now), now)? })
    }
}

impl Dialect for Words<'_> {
    fn table(&self, name: &str) -> String {
        self.store.table.beside(name).quoted()
    }

    fn quote(&self, name: &str) -> String {
        quote(name)
    }

    fn is_among(&self, column: &str) -> String {
        format!("CAST({column} AS TEXT) IN rarray(?1)")
    }

    fn now(&self) -> String {
        format!("'{}'", self.now)
    }
}

impl Sqlite {
    pub(super) fn count_credentials(
        &self,
        connection: &Connection,
        table: &CredentialTable,
        ids: &[String],
    ) -> Result<Option<u64>, StoreError> {
        let cannot = |error| fail(error, self.what_of("read", table.table));
        for name in table.tables() {
            if columns(connection, &self.table.beside(name)).map_err(cannot)?.is_empty() {
                return Ok(None);
            }
        }
        let sql = table.count(&Words::of(self)?);
        count(connection, &sql, ids).map(Some).map_err(cannot)
    }

    pub(super) fn count_logins(
        &self,
        connection: &Connection,
        users: &Users,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        let sql = count_logins(users, &users.table.quoted(), &Words::of(self)?);
        count(connection, &sql, ids)
            .map_err(|error| fail(error, self.what_of("read", users.table.name())))
    }

    fn what_of(&self, doing: &str, table: &str) -> String {
        format!("cannot {doing} table \"{table}\" in {}", self.path.display())
    }
}

impl SqliteWriter<'_> {
    pub(super) fn end_those(
        &mut self,
        table: &CredentialTable,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        let store = self.store;
        store.recheck_siblings()?;
        let all = table.end(&Words::of(store)?);
        let ended = self.try_transaction(|transaction| {
            let mut rows = 0;
            for sql in &all {
                rows = transaction.execute(sql, params![array(ids)])?;
            }
            let rows = u64::try_from(rows).unwrap_or(u64::MAX);
            Ok((rows, rows))
        });
        ended.map_err(|error| fail(error, store.what_of("write to", table.table)))
    }
}

fn count(connection: &Connection, sql: &str, ids: &[String]) -> rusqlite::Result<u64> {
    let rows: i64 = connection.query_row(sql, params![array(ids)], |row| row.get(0))?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

fn array(ids: &[String]) -> Array {
    Rc::new(ids.iter().map(|id| Value::from(id.clone())).collect())
}

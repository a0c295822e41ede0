//! Counts and ends credentials of users in tables of packages.

use mysql_async::Value;

use super::client::Client;
use super::fault::fail;
use super::row::number;
use super::sql::{quote, quoted};
use super::writer::MySqlWriter;
use super::{MySql, comparable};
use crate::model::Timestamp;
use crate::store::credentials::{Dialect, count_logins};
use crate::store::{CredentialTable, StoreError, Users};

const NO_SUCH_TABLE: u16 = 1146;
/// What an account without a right to a table is told, whether or not the table exists.
const DENIED: u16 = 1142;

/// Rights to a whole database or server with which an account sees the names of all tables.
const SHOWING: &str = "('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'CREATE', 'DROP', 'ALTER', 'INDEX', 'REFERENCES', 'TRIGGER', 'CREATE VIEW', 'SHOW VIEW')";

/// MySQL's words.
struct Words<'s> {
    store: &'s MySql,
    ids: usize,
    now: String,
}

impl Words<'_> {
    fn of(store: &MySql, ids: usize) -> Result<Words<'_>, StoreError> {
        let now = Timestamp::now();
        Ok(Words { store, ids, now: comparable(store.clock.live_bound(now), now)? })
    }
}

impl Dialect for Words<'_> {
    fn table(&self, name: &str) -> String {
        quoted(&self.store.table.beside(name))
    }

    fn quote(&self, name: &str) -> String {
        quote(name)
    }

    /// Compared as bytes: most collations take `Anna` and `anna` for equal, and the users are others where the key's does not.
    fn is_among(&self, column: &str) -> String {
        let ids = vec!["CAST(? AS BINARY)"; self.ids].join(", ");
        format!("CAST(CONVERT({column} USING utf8mb4) AS BINARY) IN ({ids})")
    }

    fn now(&self) -> String {
        format!("CAST('{}' AS DATETIME(6))", self.now)
    }
}

impl MySql {
    pub(super) fn count_credentials(
        &self,
        client: &mut Client,
        table: &CredentialTable,
        ids: &[String],
    ) -> Result<Option<u64>, StoreError> {
        for name in table.tables() {
            self.demand_trust(client, &self.table.beside(name))?;
        }
        let sql = table.count(&Words::of(self, ids.len())?);
        match client.first(&sql, values(ids)) {
            Ok(row) => Ok(row.and_then(|row| number(&row, 0))),
            Err(failure) if failure.code() == Some(NO_SUCH_TABLE) => Ok(None),
            Err(failure) if failure.code() == Some(DENIED) && self.knows_none(client, table) => {
                Ok(None)
            }
            Err(failure) => Err(fail(failure, self.what_of("read", table.table))),
        }
    }

    pub(super) fn count_logins(
        &self,
        client: &mut Client,
        users: &Users,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        self.demand_trust(client, &users.table)?;
        let sql = count_logins(users, &quoted(&users.table), &Words::of(self, ids.len())?);
        let row = client.first(&sql, values(ids));
        let row = row.map_err(|failure| fail(failure, self.what_of("read", users.table.name())))?;
        Ok(row.and_then(|row| number(&row, 0)).unwrap_or_default())
    }

    /// Whether one of the tables is known not to exist. If that cannot be read, it is not.
    fn knows_none(&self, client: &mut Client, table: &CredentialTable) -> bool {
        let names = table.tables();
        let schema = || self.table.schema().map_or(Value::NULL, Value::from);
        let sql = format!(
            "SELECT (SELECT count(*) FROM information_schema.tables
                     WHERE table_schema = COALESCE(?, DATABASE()) AND table_name IN ({})),
                EXISTS (SELECT 1 FROM information_schema.schema_privileges
                        WHERE privilege_type IN {SHOWING} AND COALESCE(?, DATABASE()) LIKE table_schema)
                OR EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type IN {SHOWING})",
            vec!["?"; names.len()].join(", ")
        );
        let bound = names.iter().map(|name| Value::from(*name));
        let values = [schema()].into_iter().chain(bound).chain([schema()]).collect();
        let Ok(Some(row)) = client.first(&sql, values) else { return false };
        let there = number(&row, 0).and_then(|there| usize::try_from(there).ok());
        number(&row, 1) == Some(1) && there.is_some_and(|there| there < names.len())
    }

    fn what_of(&self, doing: &str, table: &str) -> String {
        format!("cannot {doing} table \"{table}\" in {}", self.params.place())
    }
}

impl MySqlWriter<'_> {
    pub(super) fn end_those(
        &mut self,
        table: &CredentialTable,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        let store = self.store;
        for name in table.tables() {
            store.demand_trust(&mut self.client, &store.table.beside(name))?;
        }
        let mut rows = 0;
        for sql in table.end(&Words::of(store, ids.len())?) {
            let ended = self.client.change(&sql, values(ids));
            rows =
                ended.map_err(|failure| fail(failure, store.what_of("write to", table.table)))?;
        }
        Ok(rows)
    }
}

fn values(ids: &[String]) -> Vec<Value> {
    ids.iter().map(|id| id.as_str().into()).collect()
}

//! The optional capabilities of the reader: expired rows, the user column, the table of users, foreign keys, and
//! columns of other tables with keys of sessions.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, ToSql, Type};

use super::client::Client;
use super::fault::fail;
use super::instant::{EVER, Instant, instant};
use super::reader::PostgresReader;
use crate::model::Timestamp;
use crate::store::reference::{hindrances, kept, unless_kept};
use crate::store::{
    Bloat, CredentialPlace, CredentialTable, Cursor, Expired, ExpiryReader, Kept, Reference,
    ReferenceReader, ReferringReader, StoreError, Table, Uniqueness, User, UserColumn,
    UserColumnDrop, UserColumnPlan, UserColumnReader, UserKey, UserQuery, UserReader, Users,
    UsersFound,
};

impl UserColumnReader for PostgresReader<'_> {
    fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.user_column(self.client()?, oid, name)
    }

    fn user_column_plan(&mut self, column: &UserColumn) -> Result<UserColumnPlan, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.user_column_plan(self.client()?, oid, column)
    }

    fn user_column_drop(&mut self, column: &UserColumn) -> Result<UserColumnDrop, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.user_column_drop(self.client()?, oid, column)
    }
}

impl ExpiryReader for PostgresReader<'_> {
    /// Reads the oldest first, from one end of an index: it is known even if counting the others takes too
    /// long.
    fn expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        patience: Duration,
    ) -> Result<Expired, StoreError> {
        self.store.demand_instants(&self.found)?;
        let (from, cutoff) = (from.map_or(EVER, instant), Instant(cutoff));
        let oldest = self.in_time("pg_catalog.min(expire_date)", from, cutoff, patience)?;
        let rows: Option<i64> = self.in_time("pg_catalog.count(*)", from, cutoff, patience)?;
        Ok(Expired {
            rows: rows.and_then(|rows| u64::try_from(rows).ok()),
            oldest: oldest.map(|Instant(oldest)| oldest),
        })
    }

    fn expired_and_kept(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let Some(kept) = kept(&hindrances(&self.references()?)) else { return Ok(Some(0)) };
        let count = format!("pg_catalog.count(*) FILTER (WHERE {kept})");
        let rows: Option<i64> = self.in_time(&count, EVER, Instant(cutoff), patience)?;
        Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
    }

    fn bloat(&mut self) -> Result<Bloat, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.bloat(self.client()?, oid)
    }
}

impl UserReader for PostgresReader<'_> {
    fn user_key(&mut self, users: &Users) -> Result<Option<UserKey>, StoreError> {
        let store = self.store;
        store.user_key(self.client()?, users)
    }

    fn schema_beside(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.schema_beside(self.client()?, oid, name)
    }

    fn users_found(&mut self) -> Result<Vec<UsersFound>, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.users_found(self.client()?, oid)
    }

    fn described(&mut self, users: &Table) -> Result<Option<Users>, StoreError> {
        let store = self.store;
        store.described(self.client()?, users)
    }

    fn uniqueness(&mut self, users: &Table, column: &str) -> Result<Uniqueness, StoreError> {
        let store = self.store;
        store.uniqueness(self.client()?, users, column)
    }

    fn users(
        &mut self,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        let store = self.store;
        store.read_users(self.client()?, users, which, emit)
    }

    fn credential_place(
        &mut self,
        table: &CredentialTable,
        users: Option<&Users>,
    ) -> Result<CredentialPlace, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.credential_place(self.client()?, oid, table, users)
    }

    fn credentials(
        &mut self,
        table: &CredentialTable,
        schema: Option<&str>,
        ids: &[String],
    ) -> Result<Option<u64>, StoreError> {
        let store = self.store;
        store.count_credentials(self.client()?, table, schema, ids)
    }

    fn logins(&mut self, users: &Users, ids: &[String]) -> Result<Option<u64>, StoreError> {
        let store = self.store;
        store.count_logins(self.client()?, users, ids).map(Some)
    }
}

impl ReferenceReader for PostgresReader<'_> {
    fn references(&mut self) -> Result<Vec<Reference>, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.references(self.client()?, oid)
    }

    fn referenced(&mut self, keys: &[&str]) -> Result<Kept, StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        store.referenced(self.client()?, oid, keys)
    }
}

impl ReferringReader for PostgresReader<'_> {
    fn check_referring(&mut self) -> Result<Vec<String>, StoreError> {
        let (store, sessions) = (self.store, self.found.oid);
        store.check_referring(self.client()?, sessions)
    }

    fn count_referring(&mut self, keys: &[&str]) -> Result<Vec<u64>, StoreError> {
        let store = self.store;
        store.count_referring(self.client()?, keys)
    }

    fn count_referring_to_expired(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let references = self.references()?;
        let stay = unless_kept(&hindrances(&references));
        let sessions = self.store.table.quoted();
        let mut counts = Vec::new();
        for (table, column) in self.store.referring_names() {
            // Its other columns may have names of those of the session table.
            let from = format!(
                "{sessions} JOIN (SELECT {column}::pg_catalog.text AS sessctl_key FROM {table}) AS sessctl_joined \
                 ON sessctl_key OPERATOR(pg_catalog.=) {sessions}.session_key"
            );
            let count = format!("pg_catalog.count(*) FILTER (WHERE true{stay})");
            let rows: Option<i64> =
                self.in_time_of(&from, &count, (EVER, Instant(cutoff)), patience)?;
            counts.push(rows.and_then(|rows| u64::try_from(rows).ok()));
        }
        Ok(counts)
    }
}

impl PostgresReader<'_> {
    /// An aggregate of the rows that expired between two times; `None` if it is NULL or takes too long.
    fn in_time<T: for<'v> FromSql<'v>>(
        &mut self,
        aggregate: &str,
        from: Instant,
        cutoff: Instant,
        patience: Duration,
    ) -> Result<Option<T>, StoreError> {
        let table = self.store.table.quoted();
        self.in_time_of(&table, aggregate, (from, cutoff), patience)
    }

    /// The same of these rows joined with rows of other tables.
    fn in_time_of<T: for<'v> FromSql<'v>>(
        &mut self,
        tables: &str,
        aggregate: &str,
        (from, cutoff): (Instant, Instant),
        patience: Duration,
    ) -> Result<Option<T>, StoreError> {
        let store = self.store;
        let sql = format!(
            "SELECT {aggregate} FROM {tables} \
             WHERE expire_date OPERATOR(pg_catalog.>=) $1 AND expire_date OPERATOR(pg_catalog.<) $2"
        );
        let client = self.client()?;
        client.wait_longer_than(patience);
        let ask = |client: &mut Client| {
            client.batch_execute(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = '10s'",
                patience.as_millis().max(1)
            ))?;
            let values: [(&(dyn ToSql + Sync), Type); 2] =
                [(&from, Type::TIMESTAMPTZ), (&cutoff, Type::TIMESTAMPTZ)];
            let row = client.query_typed_one(&sql, &values)?;
            client.batch_execute("COMMIT")?;
            row.try_get(0)
        };
        ask(client).or_else(|error: tokio_postgres::Error| {
            if error.code() != Some(&SqlState::QUERY_CANCELED) {
                return Err(fail(error, store.what("read")));
            }
            client.batch_execute("ROLLBACK").map_err(|error| fail(error, store.what("read")))?;
            Ok(None)
        })
    }
}

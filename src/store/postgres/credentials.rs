//! Counts and ends credentials of users in tables of packages. Statements name operators, functions and types in full.

use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::sight::{hidden, is_hidden};
use super::sql::BEGIN_SCAN;
use super::transaction::Failed;
use super::writer::PostgresWriter;
use crate::store::credentials::{Dialect, count_logins};
use crate::store::table::quote;
use crate::store::{CredentialTable, StoreError, Users};

/// PostgreSQL's words, for tables in this schema or else beside the session table.
struct Words<'s>(&'s Postgres, Option<&'s str>);

impl Dialect for Words<'_> {
    fn table(&self, name: &str) -> String {
        match self.1 {
            Some(schema) => format!("{}.{}", quote(schema), quote(name)),
            None => self.0.table.beside(name).quoted(),
        }
    }

    fn quote(&self, name: &str) -> String {
        quote(name)
    }

    fn is_among(&self, column: &str) -> String {
        format!("{column}::pg_catalog.text OPERATOR(pg_catalog.=) ANY($1)")
    }

    fn now(&self) -> String {
        "pg_catalog.now()".into()
    }

    fn operator(&self, operator: &str) -> String {
        format!("OPERATOR(pg_catalog.{operator})")
    }

    fn function(&self, function: &str) -> String {
        format!("pg_catalog.{function}")
    }
}

impl Postgres {
    pub(super) fn count_credentials(
        &self,
        client: &mut Client,
        table: &CredentialTable,
        schema: Option<&str>,
        ids: &[String],
    ) -> Result<Option<u64>, StoreError> {
        let words = Words(self, schema);
        let what = || self.what_of("read", table.table);
        let names: Vec<String> = table.tables().into_iter().map(|name| words.table(name)).collect();
        if !self.are_there(client, &names, false, what)? {
            return Ok(None);
        }
        count_in(client, &names, &table.count(&words), ids, what).map(Some)
    }

    pub(super) fn count_logins(
        &self,
        client: &mut Client,
        users: &Users,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        let (name, what) =
            (users.table.quoted(), || self.what_of("read", &users.table.to_string()));
        self.demand_trust_in(client, &name, what)?;
        let sql = count_logins(users, &name, &Words(self, None));
        count_in(client, &[name], &sql, ids, what)
    }

    /// Whether all of these tables exist. An error if they may run code of others that this role must not.
    fn are_there(
        &self,
        client: &mut Client,
        names: &[String],
        writes: bool,
        what: impl Fn() -> String,
    ) -> Result<bool, StoreError> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let oids = client.resolve_all(&names).map_err(|error| fail(error, what()))?;
        if oids.contains(&0) {
            return Ok(false);
        }
        self.demand_trust(client, &oids, writes, what)?;
        Ok(true)
    }

    fn what_of(&self, doing: &str, table: &str) -> String {
        format!("cannot {doing} table \"{table}\" in {}", self.server())
    }
}

impl PostgresWriter<'_> {
    pub(super) fn end_those(
        &mut self,
        table: &CredentialTable,
        schema: Option<&str>,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        let store = self.store;
        let words = Words(store, schema);
        let what = || store.what_of("write to", table.table);
        let names: Vec<String> = table.tables().into_iter().map(|name| words.table(name)).collect();
        if !store.are_there(&mut self.client, &names, true, what)? {
            return Ok(0);
        }
        let all = table.end(&words);
        let ended = self.transaction("delete from", "", |client| {
            let mut rows = 0;
            for sql in &all {
                rows = client.execute_typed(sql, &[(&ids, Type::TEXT_ARRAY)])?;
            }
            Ok(rows)
        });
        ended.map_err(|error| {
            // If this fails, the next statement fails too.
            let _ = self.client.batch_execute("ROLLBACK");
            match error {
                Failed::Server(error) => fail(error, what()),
                Failed::Untrusted(error) => error,
            }
        })
    }
}

/// Runs a statement that counts rows of these tables. An error if row security hides some.
fn count_in(
    client: &mut Client,
    tables: &[String],
    sql: &str,
    ids: &[String],
    what: impl Fn() -> String,
) -> Result<u64, StoreError> {
    let mut count = || -> Result<Option<i64>, Error> {
        client.batch_execute(BEGIN_SCAN)?;
        let mut rows = None;
        let hides = tables.iter().map(|table| is_hidden(client, table));
        if !hides.collect::<Result<Vec<_>, _>>()?.contains(&true) {
            let values: [(&(dyn ToSql + Sync), Type); 1] = [(&ids, Type::TEXT_ARRAY)];
            rows = Some(client.query_typed_one(sql, &values)?.try_get(0)?);
        }
        client.batch_execute("COMMIT")?;
        Ok(rows)
    };
    match count() {
        Ok(Some(rows)) => Ok(u64::try_from(rows).unwrap_or_default()),
        Ok(None) => Err(hidden(what())),
        Err(error) => {
            let error = fail(error, what());
            // If this fails, the next statement fails too.
            let _ = client.batch_execute("ROLLBACK");
            Err(error)
        }
    }
}

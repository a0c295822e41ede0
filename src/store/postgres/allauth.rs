//! The table of django-allauth that has a row for each login: finds it, and deletes from it together with the
//! sessions.

use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::doomed::Doomed;
use super::fault::fail;
use super::grants::Need;
use super::references::kept_rows;
use super::sql::BY_KEY;
use super::writer::PostgresWriter;
use crate::store::reference::{hindrances, unless_kept};
use crate::store::{BlindSpot, Fault, Gone, StoreError, Table};

const FIND: &str = "
    SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute
                   WHERE attrelid = $1 AND attname = 'session_key' AND NOT attisdropped)";

impl Postgres {
    pub(super) fn has_allauth(&self, client: &mut Client) -> Result<bool, StoreError> {
        let table = self.table.of_allauth();
        let what = || format!("cannot delete from \"{table}\" in {}", self.server());
        let there = client
            .resolve(&table.quoted())
            .and_then(|oid| client.query_typed_one(FIND, &[(&oid, Type::OID)]))
            .and_then(|row| row.try_get(0))
            .map_err(|error| fail(error, self.what("read")))?;
        if there {
            let oid = client.resolve(&table.quoted()).map_err(|error| fail(error, what()))?;
            self.demand_trust(client, oid.as_slice(), true, what)?;
        }
        // Hidden rows of it would stay without an error.
        if there && self.blind_spot(client, &table)? == Some(BlindSpot::View) {
            return Err(StoreError::new(Fault::Fatal, what())
                .because("it is a view, which may hide rows")
                .hint("leave --cleanup-allauth out, and delete from the table behind the view"));
        }
        Ok(there)
    }
}

impl PostgresWriter<'_> {
    /// Deletes sessions and their rows of django-allauth in one statement: a row goes only if its session
    /// went.
    pub(super) fn delete_both(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        let references = self.references()?;
        let hindrances = hindrances(&references);
        let doomed = Doomed::by_key(BY_KEY);
        let (sessions, allauth) = (self.found.table.quoted(), self.store.table.of_allauth());
        let listed = self.guard_allauth(&allauth)?;
        let sql = format!(
            "WITH gone AS (
                 DELETE FROM {sessions} WHERE {}{}
                 RETURNING session_key::pg_catalog.text AS key
             ), listed AS (
                 DELETE FROM {listed}
                 WHERE session_key OPERATOR(pg_catalog.=) ANY(ARRAY(SELECT key FROM gone))
                     AND session_key::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=)
                         ANY(ARRAY(SELECT key FROM gone)) RETURNING 1
             )
             SELECT (SELECT pg_catalog.count(*) FROM gone), (SELECT pg_catalog.count(*) FROM listed)",
            doomed.delete,
            unless_kept(&hindrances),
        );
        let count = |rows: i64| u64::try_from(rows).unwrap_or_default();
        let needs: Vec<Need> = [&self.store.table, &allauth]
            .into_iter()
            .flat_map(|table| [Need::of("SELECT", table), Need::of("DELETE", table)])
            .collect();
        self.in_halves(keys, BY_KEY, &needs, |client, keys| {
            let values: [(&(dyn ToSql + Sync), Type); 1] = [(&keys, Type::TEXT_ARRAY)];
            let row = client.query_typed_one(&sql, &values)?;
            Ok(Gone {
                sessions: count(row.try_get(0)?),
                allauth: count(row.try_get(1)?),
                kept: kept_rows(client, &sessions, &doomed, &hindrances, &values)?,
            })
        })
    }

    /// Has each batch check the table too, if it checks that of the sessions. Returns its quoted name.
    fn guard_allauth(&mut self, allauth: &Table) -> Result<String, StoreError> {
        let name = allauth.quoted();
        if self.guarded.is_empty() {
            return Ok(name);
        }
        let found = self.guarded.also_written(&mut self.client, &name);
        let found = found.map_err(|error| fail(error, self.store.what("delete from")))?;
        Ok(found.unwrap_or(name))
    }
}

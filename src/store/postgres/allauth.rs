//! django-allauth's own rows of sessions.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::writer::{BY_KEY, PostgresWriter};
use crate::store::{Gone, StoreError};

const FIND: &str = "
    SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute
                   WHERE attrelid = pg_catalog.to_regclass($1) AND attname = 'session_key' AND NOT attisdropped)";

impl Postgres {
    pub(super) fn has_allauth(&self, client: &mut Client) -> Result<bool, StoreError> {
        let name = self.table.of_allauth().quoted();
        client
            .query_typed_one(FIND, &[(&name, Type::TEXT)])
            .and_then(|row| row.try_get(0))
            .map_err(|error| fail(error, self.what("read")))
    }
}

impl PostgresWriter<'_> {
    /// In one statement: a row goes only with the session that went.
    pub(super) fn delete_both(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        let (sessions, allauth) = (&self.store.table, self.store.table.of_allauth());
        let sql = format!(
            "WITH gone AS (
                 DELETE FROM {} WHERE session_key OPERATOR(pg_catalog.=) ANY($1)
                 RETURNING session_key::pg_catalog.text AS key
             ), listed AS (
                 DELETE FROM {}
                 WHERE session_key OPERATOR(pg_catalog.=) ANY(ARRAY(SELECT key FROM gone)) RETURNING 1
             )
             SELECT (SELECT pg_catalog.count(*) FROM gone), (SELECT pg_catalog.count(*) FROM listed)",
            sessions.quoted(),
            allauth.quoted()
        );
        let deleted = self.transaction(BY_KEY, |client| {
            let row = client.query_typed_one(&sql, &[(&keys, Type::TEXT_ARRAY)])?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        });
        let count = |rows: i64| u64::try_from(rows).unwrap_or_default();
        match deleted {
            Ok((sessions, rows)) => Ok(Gone { sessions: count(sessions), allauth: count(rows) }),
            Err(error) => {
                let denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
                let error = self.give_up(error, "delete from");
                Err(if denied {
                    error.hint(format!(
                        "--cleanup-allauth: grant the role SELECT and DELETE on {allauth} too"
                    ))
                } else {
                    error
                })
            }
        }
    }
}

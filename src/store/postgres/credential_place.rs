//! Finds the schema in which the site looks for a table of credentials, and whether its users are the site's.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use crate::store::{CredentialPlace, CredentialTable, StoreError, Users};

/// The schemas with a table `$4`, in the order in which the site looks: along the search path `$2` if that led to the sessions
/// `$1` (`$3`); else the schema of the sessions, then the rest of the path, then `public`; then, with a NULL, schemas where it
/// does not look. With whether that is the schema of the sessions, and whether the foreign key of the column `$6` of the table
/// `$5` refers to `$7`; NULL without one.
const PLACES: &str = "
    WITH own (schema, at) AS (
        SELECT n.oid, coalesce(pg_catalog.array_position($2, n.nspname::text), 0)
        FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace WHERE s.oid = $1)
    SELECT n.nspname::text, n.oid = own.schema,
        CASE WHEN $3 AND p.at IS NOT NULL OR p.at > own.at THEN p.at
             WHEN n.oid = own.schema THEN 0
             WHEN n.nspname = 'public' THEN 1000000 END AS place,
        (SELECT pg_catalog.bool_or(f.confrelid = $7)
         FROM pg_catalog.pg_class o JOIN pg_catalog.pg_attribute a ON a.attrelid = o.oid AND a.attname = $6
             JOIN pg_catalog.pg_constraint f ON f.conrelid = o.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
         WHERE o.relnamespace = n.oid AND o.relname = $5)
    FROM own, pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.unnest($2) WITH ORDINALITY AS p (name, at) ON p.name = n.nspname
    WHERE c.relname = $4 AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND NOT c.relispartition AND n.nspname !~ '^pg_'
    ORDER BY place NULLS LAST, n.nspname";

impl Postgres {
    pub(super) fn credential_place(
        &self,
        client: &mut Client,
        sessions: u32,
        table: &CredentialTable,
        users: Option<&Users>,
    ) -> Result<CredentialPlace, StoreError> {
        let cannot = |error| fail(error, self.what("look beside"));
        let path = client.search_path().map_err(cannot)?;
        let users = match users.map(|users| client.resolve(&users.table.quoted())) {
            Some(Ok(oid)) => oid,
            // The role may lack the right to use the schema, whose GRANT it asks for.
            Some(Err(error)) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => None,
            Some(Err(error)) => return Err(cannot(error)),
            None => None,
        };
        let (owner, column) = table.owner();
        let values: [(&(dyn ToSql + Sync), Type); 7] = [
            (&sessions, Type::OID),
            (&path, Type::TEXT_ARRAY),
            (&self.table.schema().is_none(), Type::BOOL),
            (&table.table, Type::TEXT),
            (&owner, Type::TEXT),
            (&column, Type::TEXT),
            (&users, Type::OID),
        ];
        let mut elsewhere = Vec::new();
        for row in client.query_typed(PLACES, &values).map_err(cannot)? {
            let read = || -> Result<_, tokio_postgres::Error> {
                let place: Option<i64> = row.try_get(2)?;
                let is_of_users: Option<bool> = row.try_get(3)?;
                Ok((row.try_get::<_, String>(0)?, row.try_get(1)?, place.is_some(), is_of_users))
            };
            match read().map_err(cannot)? {
                (_, true, true, _) if elsewhere.is_empty() => return Ok(CredentialPlace::Beside),
                (schema, false, true, Some(true)) if elsewhere.is_empty() => {
                    return Ok(CredentialPlace::In(schema));
                }
                // Another site's.
                (_, _, false, Some(false)) => {}
                (schema, ..) => elsewhere.push(schema),
            }
        }
        Ok(CredentialPlace::Unclear(elsewhere))
    }
}

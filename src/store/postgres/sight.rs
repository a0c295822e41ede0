//! Detects whether a table may hide rows from this role. Row security hides rows without an error, and so can
//! a view or another server. If rows may be hidden, a scan that finds no session proves nothing.

use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use crate::store::{BlindSpot, Fault, StoreError, Table};

const BLIND_SPOT: &str = "
    SELECT c.relkind IN ('v', 'm'),
           EXISTS (
               WITH RECURSIVE parts (part) AS (
                   SELECT c.oid UNION SELECT inhrelid FROM parts JOIN pg_catalog.pg_inherits ON inhparent = part)
               SELECT FROM parts JOIN pg_catalog.pg_class p ON p.oid = part WHERE p.relkind = 'f')
    FROM pg_catalog.pg_class c WHERE c.oid = $1";

const IS_HIDDEN: &str = "SELECT coalesce(pg_catalog.row_security_active($1), false)";

/// The cause of the error for row security, and its hint.
pub(super) const HIDDEN: &str =
    "row security hides rows of it from this role, so that nothing could be proved";
pub(super) const SEE_ALL: &str = "connect as the owner of the table or as a role with BYPASSRLS";

/// Whether row security hides rows of this table, whose name is quoted, from this role.
pub(super) fn is_hidden(client: &mut Client, table: &str) -> Result<bool, Error> {
    let oid = client.resolve(table)?;
    client.query_typed_one(IS_HIDDEN, &[(&oid, Type::OID)])?.try_get(0)
}

impl Postgres {
    /// What may hide rows of a table. Row security is an error.
    pub(super) fn blind_spot(
        &self,
        client: &mut Client,
        table: &Table,
    ) -> Result<Option<BlindSpot>, StoreError> {
        let what = || format!("cannot read table \"{table}\" in {}", self.server());
        let name = table.quoted();
        let mut read = || -> Result<_, Error> {
            if is_hidden(client, &name)? {
                return Ok(Err(hidden(what())));
            }
            let oid = client.resolve(&name)?;
            let found = client.query_typed_opt(BLIND_SPOT, &[(&oid, Type::OID)])?;
            let Some(row) = found else { return Ok(Ok(None)) };
            Ok(Ok(match (row.try_get(0)?, row.try_get(1)?) {
                (true, _) => Some(BlindSpot::View),
                (_, true) => Some(BlindSpot::Elsewhere),
                _ => None,
            }))
        };
        read().map_err(|error| fail(error, what()))?
    }
}

/// The error for a table with rows that row security hides.
pub(super) fn hidden(what: String) -> StoreError {
    StoreError::new(Fault::Fatal, what).because(HIDDEN).hint(SEE_ALL)
}

//! Names the sessions that hold a lock on the table, for the error of a lock timeout.

use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::Postgres;
use super::client::Client;
use crate::store::StoreError;

/// Other sessions that hold a lock on the table, longest first. Their statements are not shown: these may
/// hold private data.
const HOLDERS: &str = "
    SELECT 'pid ' || a.pid || ' (user ' || coalesce(a.usename, '?') || ', application '
           || coalesce(nullif(a.application_name, ''), '?') || ', ' || coalesce(a.state, '?') || ') since '
           || coalesce(pg_catalog.date_trunc('second', a.xact_start)::text, '?'),
           extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::int8
    FROM pg_catalog.pg_stat_activity a
    WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.pid IN (
        SELECT pid FROM pg_catalog.pg_locks
        WHERE relation = $1 AND granted
          AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
    ORDER BY a.xact_start LIMIT 5";

impl Postgres {
    /// Adds the holders of the lock to an error.
    pub(super) fn name_holders(
        &self,
        client: &mut Client,
        oid: u32,
        error: StoreError,
    ) -> StoreError {
        let holders = holders(client, oid).unwrap_or_default();
        let holders: Vec<String> = holders.into_iter().map(|(holder, _)| holder).collect();
        let held = match holders.as_slice() {
            [] => "nobody was seen to hold one on it afterwards, but somebody may on a part of it: try again".into(),
            holders => format!("it is held by {}", holders.join(", ")),
        };
        let name = self.table.quoted();
        error.because(format!("no ACCESS EXCLUSIVE lock on {name} was to be had: {held}")).hint(
            "wait for them or end them (pg_terminate_backend), or leave --truncate out: batches need no such lock",
        )
    }
}

/// The sessions that hold a lock on the table, longest first, and for how many seconds if this role may see
/// that.
pub(super) fn holders(client: &mut Client, oid: u32) -> Result<Vec<(String, Option<u64>)>, Error> {
    let rows = client.query_typed(HOLDERS, &[(&oid, Type::OID)])?;
    let age = |seconds: i64| u64::try_from(seconds).unwrap_or(0);
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get::<_, Option<i64>>(1)?.map(age))))
        .collect()
}

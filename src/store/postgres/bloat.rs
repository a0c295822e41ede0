//! Reads how many dead rows a table has and when autovacuum will clear them, for the advice after a purge.

use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::grants::printable;
use crate::model::counted;
use crate::store::{Bloat, StoreError};

/// The number of dead rows, whether autovacuum is on, and its threshold (PostgreSQL docs, "The Autovacuum
/// Daemon").
const BLOAT: &str = "
    WITH options AS (
        SELECT o.option_name AS name, o.option_value AS value
        FROM pg_catalog.pg_class c, pg_catalog.pg_options_to_table(c.reloptions) o WHERE c.oid = $1)
    SELECT pg_catalog.pg_stat_get_dead_tuples(c.oid),
           pg_catalog.current_setting('autovacuum')::bool
               AND coalesce((SELECT value::bool FROM options WHERE name = 'autovacuum_enabled'), true),
           (coalesce((SELECT value FROM options WHERE name = 'autovacuum_vacuum_threshold'),
                     pg_catalog.current_setting('autovacuum_vacuum_threshold'))::float8
            + coalesce((SELECT value FROM options WHERE name = 'autovacuum_vacuum_scale_factor'),
                       pg_catalog.current_setting('autovacuum_vacuum_scale_factor'))::float8
            * greatest(c.reltuples, 0))::int8,
           pg_catalog.date_trunc('second', greatest(pg_catalog.pg_stat_get_last_autovacuum_time(c.oid),
                                                    pg_catalog.pg_stat_get_last_vacuum_time(c.oid)))::text
    FROM pg_catalog.pg_class c WHERE c.oid = $1 AND c.relkind IN ('r', 'm')";

impl Postgres {
    /// The dead rows and the advice about them. For a partitioned or foreign table nothing is known of its
    /// parts.
    pub(super) fn bloat(&self, client: &mut Client, oid: u32) -> Result<Bloat, StoreError> {
        let name = printable(&self.table.quoted());
        let read = |client: &mut Client| {
            let vacuum = Vacuum::of(client, oid)?;
            Ok::<_, Error>(vacuum.map_or_else(Bloat::default, |vacuum| describe(&name, &vacuum)))
        };
        read(client).map_err(|error| fail(error, self.what("read")))
    }
}

/// The dead rows of a table, and when autovacuum clears them.
pub(super) struct Vacuum {
    pub(super) dead: i64,
    pub(super) is_automatic: bool,
    /// The number of dead rows from which autovacuum runs.
    pub(super) threshold: i64,
    /// When a vacuum last ran.
    pub(super) last: Option<String>,
}

impl Vacuum {
    pub(super) fn of(client: &mut Client, oid: u32) -> Result<Option<Self>, Error> {
        let Some(row) = client.query_typed_opt(BLOAT, &[(&oid, Type::OID)])? else {
            return Ok(None);
        };
        Ok(Some(Self {
            dead: row.try_get(0)?,
            is_automatic: row.try_get(1)?,
            threshold: row.try_get(2)?,
            last: row.try_get(3)?,
        }))
    }
}

fn describe(table: &str, vacuum: &Vacuum) -> Bloat {
    let Vacuum { dead, is_automatic, threshold, .. } = *vacuum;
    let dead_rows = u64::try_from(dead).unwrap_or(0);
    let comes_from = u64::try_from(threshold).unwrap_or(0);
    if dead_rows == 0 {
        return Bloat { dead_rows: Some(0), advice: Vec::new() };
    }
    let dead = counted(dead_rows, "dead row");
    let cleared = if !is_automatic {
        format!("{dead} in the table, and autovacuum is off: run VACUUM {table}")
    } else if dead_rows > comes_from {
        format!(
            "{dead} in the table: autovacuum, which comes from {comes_from} on, will clear them"
        )
    } else {
        format!(
            "{dead} in the table: autovacuum comes only from {comes_from} on; VACUUM {table} clears them now"
        )
    };
    let space = format!(
        "new rows use their space again; it returns to the file system only by a rewrite: \
         VACUUM FULL {table} takes an ACCESS EXCLUSIVE lock, which stops the site meanwhile; pg_repack does without"
    );
    Bloat { dead_rows: Some(dead_rows), advice: vec![cleared, space] }
}

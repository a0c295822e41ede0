//! Tells what changed in a table since an earlier moment, by the transaction that made each row (`xmin`, PostgreSQL docs,
//! "System Columns").
//!
//! A row that one snapshot sees and an earlier one did not was made by a transaction that ran then, or began later: its
//! number is at least the `xmin` of the earlier snapshot (PostgreSQL docs, "Transaction ID and Snapshot Information
//! Functions"). Subtransactions have higher numbers than their transaction, prepared transactions count as running, and
//! VACUUM keeps the number of a row that it freezes. This holds within one run of one server, of which a process gives
//! evidence that was there at the beginning: after a crash, transactions whose commit was not yet written are forgotten,
//! and their numbers come again. It holds for an ordinary table whose file is the same as before: rows of a partition can
//! be older than its place in the table, and rows of a table that is distributed have numbers of other servers.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::catalog::Found;
use super::client::Client;
use super::instant::Instant;
use crate::store::{Filter, Mark};

/// A snapshot, the server process that took it, and the file that the table had then.
struct Snapshot {
    /// The lowest number of a transaction that ran then, with its epoch.
    xmin: i64,
    process: i32,
    process_began: Instant,
    file: u32,
}

/// Where Citus has brought this catalog, the table may be distributed. The last columns are of functions that are needed later.
const MARK: &str = "
    SELECT txid_snapshot_xmin(txid_current_snapshot()), pg_backend_pid(), own.backend_start, pg_relation_filenode($1),
           txid_snapshot_xmax(txid_current_snapshot()), age('3'::xid)
    FROM pg_stat_get_activity(pg_backend_pid()) AS own
    WHERE own.backend_start IS NOT NULL AND to_regclass('pg_catalog.pg_dist_partition') IS NULL";

/// `age` compares numbers as VACUUM does, and does not tell numbers apart that are two billion transactions from each
/// other.
const STILL_HOLDS: &str = "
    SELECT pg_catalog.to_regclass($1)::pg_catalog.oid OPERATOR(pg_catalog.=) $2
       AND pg_catalog.pg_relation_filenode($2) OPERATOR(pg_catalog.=) $3
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent OPERATOR(pg_catalog.=) $2)
       AND EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity($4) AS a WHERE a.backend_start OPERATOR(pg_catalog.=) $5)
       AND (pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) OPERATOR(pg_catalog.-) $6)
           OPERATOR(pg_catalog.<) 1000000000";

/// Notes the present state. `None` where rows do not tell what changed, or the role may not call one of the functions.
pub(super) fn mark(client: &mut Client, found: &Found) -> Result<Option<Mark>, Error> {
    if !found.has_row_addresses {
        return Ok(None);
    }
    let row = match client.query_typed_opt(MARK, &[(&found.oid, Type::OID)]) {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(None),
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(file) = row.try_get(3)? else { return Ok(None) };
    let (xmin, process, process_began) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(Some(Mark::new(Snapshot { xmin, process, process_began, file })))
}

/// The statement that takes the lock of a reader, before the transaction has a snapshot: afterwards the table keeps its
/// file, which a rewrite would replace by one that the snapshot finds empty (PostgreSQL docs, "Caveats" of "Concurrency
/// Control").
pub(super) fn lock(table: &str) -> String {
    format!("LOCK TABLE {table} IN ACCESS SHARE MODE")
}

/// Called within the transaction of a scan that has locked the table: whether rows tell what changed since the mark.
pub(super) fn still_holds(
    client: &mut Client,
    found: &Found,
    table: &str,
    mark: &Mark,
) -> Result<bool, Error> {
    let Some(snapshot) = mark.state::<Snapshot>().filter(|_| found.has_row_addresses) else {
        return Ok(false);
    };
    let holds = client.query_typed_one(
        STILL_HOLDS,
        &[
            (&table, Type::TEXT),
            (&found.oid, Type::OID),
            (&snapshot.file, Type::OID),
            (&snapshot.process, Type::INT4),
            (&snapshot.process_began, Type::TIMESTAMPTZ),
            (&snapshot.xmin, Type::INT8),
        ],
    )?;
    Ok(holds.try_get::<_, Option<bool>>(0)?.unwrap_or_default())
}

/// The condition for rows that were made since the mark, if the filter asks for these alone.
pub(super) fn condition(filter: &Filter) -> Option<String> {
    let since = filter.since.as_ref().filter(|since| since.only_changes)?;
    let snapshot = since.mark.state::<Snapshot>()?;
    // The number as rows have it, without its epoch.
    let xmin = snapshot.xmin & i64::from(u32::MAX);
    Some(format!(
        "pg_catalog.age(xmin) OPERATOR(pg_catalog.<=) (SELECT pg_catalog.age('{xmin}'::pg_catalog.xid))"
    ))
}

//! Tells what changed in a table since an earlier moment, by the transaction that made each row (`xmin`, PostgreSQL docs,
//! "System Columns").
//!
//! A row that one snapshot sees and an earlier one did not was made by a transaction that ran then, or began later: its
//! number is at least the `xmin` of the earlier snapshot (PostgreSQL docs, "Transaction ID and Snapshot Information
//! Functions"). Subtransactions have higher numbers than their transaction, prepared transactions count as running, and
//! VACUUM keeps the number of a row that it freezes. This holds within one run of one server, of which a process gives
//! evidence that was there at the beginning: after a crash, transactions whose commit was not yet written are forgotten,
//! and their numbers come again. It holds for an ordinary table whose file and columns are the same as before: rows of a
//! partition can be older than its place in the table, rows of a table that is distributed have numbers of other servers,
//! and a column that takes the name of another brings its values along.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::catalog::Found;
use super::client::Client;
use super::instant::Instant;
use crate::store::{Filter, Mark, Since};

/// A snapshot, the server process that took it, and the file and columns that the table had then.
struct Snapshot {
    /// The lowest number of a transaction that ran then, with its epoch.
    xmin: i64,
    process: i32,
    process_began: Instant,
    file: u32,
    columns: String,
}

/// The catalog's rows of the columns that are read. A change of one makes its row anew, with another `xmin`.
const COLUMNS: &str = "pg_catalog.array_to_string(ARRAY(
        SELECT pg_catalog.concat_ws(' ', attname, attnum, xmin) FROM pg_catalog.pg_attribute
        WHERE attrelid OPERATOR(pg_catalog.=) $1 AND attname OPERATOR(pg_catalog.=)
            ANY('{session_key,session_data,expire_date}'::pg_catalog.name[])
        ORDER BY attnum), ',')";

/// Where Citus has brought this catalog, the table may be distributed. The last columns are of functions that are needed later.
const MARK: &str = "
    txid_snapshot_xmin(txid_current_snapshot()), pg_backend_pid(), own.backend_start, pg_relation_filenode($1),
        txid_snapshot_xmax(txid_current_snapshot()), age('3'::xid)
    FROM pg_stat_get_activity(pg_backend_pid()) AS own
    WHERE own.backend_start IS NOT NULL AND to_regclass('pg_catalog.pg_dist_partition') IS NULL";

/// The process must be of this database: a copy of it (`CREATE DATABASE ... TEMPLATE`) has the same tables. `age` compares
/// numbers as VACUUM does, and does not tell numbers apart that are two billion transactions from each other.
const STILL_HOLDS: &str = "
    pg_catalog.to_regclass($2)::pg_catalog.oid OPERATOR(pg_catalog.=) $1
       AND pg_catalog.pg_relation_filenode($1) OPERATOR(pg_catalog.=) $3
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent OPERATOR(pg_catalog.=) $1)
       AND EXISTS (
           SELECT FROM pg_catalog.pg_stat_get_activity($4) AS a, pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) AS own
           WHERE a.backend_start OPERATOR(pg_catalog.=) $5 AND a.datid OPERATOR(pg_catalog.=) own.datid)
       AND (pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) OPERATOR(pg_catalog.-) $6)
           OPERATOR(pg_catalog.<) 1000000000";

/// Holds the keys of rows that are read even if they have not changed, until the end of the transaction: `COPY` takes no
/// parameter, and the server may log its text.
const ALSO: &str = "sessctl.also";

/// Notes the present state. `None` where rows do not tell what changed, or the role may not call one of the functions.
pub(super) fn mark(client: &mut Client, found: &Found) -> Result<Option<Mark>, Error> {
    if !found.has_row_addresses {
        return Ok(None);
    }
    let sql = format!("SELECT {COLUMNS}, {MARK}");
    let row = match client.query_typed_opt(&sql, &[(&found.oid, Type::OID)]) {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(None),
        Err(error) if error.code().is_some_and(is_refusal) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(file) = row.try_get(4)? else { return Ok(None) };
    let (xmin, process, process_began) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    let columns = row.try_get(0)?;
    Ok(Some(Mark::new(Snapshot { xmin, process, process_began, file, columns })))
}

/// Whether the server lacks one of the functions, or keeps it from the role.
fn is_refusal(code: &SqlState) -> bool {
    [
        &SqlState::INSUFFICIENT_PRIVILEGE,
        &SqlState::UNDEFINED_FUNCTION,
        &SqlState::FEATURE_NOT_SUPPORTED,
    ]
    .contains(&code)
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
        &format!("SELECT {COLUMNS} OPERATOR(pg_catalog.=) $7 AND {STILL_HOLDS}"),
        &[
            (&found.oid, Type::OID),
            (&table, Type::TEXT),
            (&snapshot.file, Type::OID),
            (&snapshot.process, Type::INT4),
            (&snapshot.process_began, Type::TIMESTAMPTZ),
            (&snapshot.xmin, Type::INT8),
            (&snapshot.columns, Type::TEXT),
        ],
    )?;
    Ok(holds.try_get::<_, Option<bool>>(0)?.unwrap_or_default())
}

/// Called within the transaction of a scan of changes: names the rows that it reads besides. With less memory than it thinks
/// a hash table takes, the server would compare each row with each key.
pub(super) fn name_others(client: &mut Client, since: &Since) -> Result<(), Error> {
    if since.also.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = since.also.iter().collect();
    let sql = format!(
        "SELECT pg_catalog.set_config('{ALSO}', $1::pg_catalog.text, true), pg_catalog.set_config('work_mem', '16MB', true)"
    );
    client.query_typed_one(&sql, &[(&keys, Type::TEXT_ARRAY)]).map(|_| ())
}

/// The condition for rows that were made since the mark, or are named, if the filter asks for these alone.
pub(super) fn condition(filter: &Filter) -> Option<String> {
    let since = filter.since.as_ref().filter(|since| since.only_changes)?;
    let snapshot = since.mark.state::<Snapshot>()?;
    // The number as rows have it, without its epoch.
    let xmin = snapshot.xmin & i64::from(u32::MAX);
    let is_new = format!(
        "pg_catalog.age(xmin) OPERATOR(pg_catalog.<=) (SELECT pg_catalog.age('{xmin}'::pg_catalog.xid))"
    );
    if since.also.is_empty() {
        return Some(is_new);
    }
    // Behind OR the server cannot use an index, which might be damaged; it looks each key up in a hash table.
    Some(format!(
        "({is_new} OR session_key::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) \
         ANY (SELECT pg_catalog.unnest(pg_catalog.current_setting('{ALSO}')::pg_catalog.text[])))"
    ))
}

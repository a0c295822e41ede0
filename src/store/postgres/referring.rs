//! Columns of other tables that hold keys of sessions: checks them, counts their rows, and deletes these in the statement that
//! deletes their sessions.

use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::sql::BEGIN_SCAN;
use crate::store::referring::{Described, DescribedColumn, Kind, check};
use crate::store::table::quote;
use crate::store::{BlindSpot, Gone, ReferringColumn, StoreError};

/// The columns of a table: whether they hold texts, and whether an index of all rows finds a value.
const COLUMNS: &str = "
    SELECT attname::text, typcategory = 'S', EXISTS (
               SELECT FROM pg_catalog.pg_index JOIN pg_catalog.pg_class i ON i.oid = indexrelid
               JOIN pg_catalog.pg_am m ON m.oid = i.relam
               WHERE indrelid = attrelid AND indkey[0] = attnum AND indisvalid AND indpred IS NULL AND amname IN ('btree', 'hash'))
    FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type t ON t.oid = atttypid
    WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

/// Whether a table, or a part of it, refers to another one ON DELETE CASCADE.
const TAKES: &str = "
    WITH RECURSIVE parts (part) AS (
        SELECT $1 UNION SELECT inhrelid FROM parts JOIN pg_catalog.pg_inherits ON inhparent = part)
    SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint JOIN parts ON conrelid = part
                   WHERE contype = 'f' AND confrelid = $2 AND confdeltype = 'c')";

/// The tables of the schema, or of that of the session table.
const TABLES: &str = "
    SELECT relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f') AND CASE WHEN $2::text IS NULL
        THEN relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = $1) ELSE nspname = $2 END ORDER BY 1";

/// A table whose rows go with their sessions: its name and that of the column, quoted.
pub(super) struct Referring {
    pub(super) table: String,
    pub(super) column: String,
    is_indexed: bool,
}

/// The condition that a row refers to one of the keys `$1`. As with the keys of sessions, the first part finds the rows, and the
/// second part tells keys apart byte by byte.
fn refers_to(column: &str, keys: &str) -> String {
    format!(
        "{column} OPERATOR(pg_catalog.=) ANY({keys}) \
         AND {column}::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) ANY({keys})"
    )
}

/// The statement that deletes sessions and the rows that refer to those that went. The server checks foreign keys at its end.
pub(super) fn delete_with(delete: &str, referring: &[Referring]) -> String {
    let (mut parts, mut counts) = (String::new(), String::new());
    for (place, Referring { table, column, is_indexed }) in referring.iter().enumerate() {
        let refers = if *is_indexed {
            refers_to(column, "ARRAY(SELECT key FROM gone)")
        } else {
            // Of all rows, each of which the server looks up among the keys, rather than to compare it with all of them.
            format!(
                "{column}::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) ANY(SELECT key FROM gone)"
            )
        };
        let part = format!(", gone{place} AS (DELETE FROM {table} WHERE {refers} RETURNING 1)");
        parts.push_str(&part);
        let count = format!(", (SELECT pg_catalog.count(*) FROM gone{place})");
        counts.push_str(&count);
    }
    format!(
        "WITH gone AS ({delete} RETURNING session_key::pg_catalog.text AS key){parts} \
         SELECT (SELECT pg_catalog.count(*) FROM gone){counts}"
    )
}

/// What that statement deleted.
pub(super) fn deleted(row: &tokio_postgres::Row) -> Result<Gone, Error> {
    let count = |place| Ok(u64::try_from(row.try_get::<_, i64>(place)?).unwrap_or_default());
    let referring: Result<Vec<u64>, Error> = (1..row.len()).map(count).collect();
    Ok(Gone { referring: referring?, ..Gone::of(count(0)?) })
}

impl Postgres {
    /// The tables whose rows go with their sessions.
    pub(super) fn find_referring(&self, client: &mut Client) -> Result<Vec<Referring>, Error> {
        let tables = self.referring_tables(client)?;
        let names = self.referring_names().into_iter().zip(&self.referring);
        let find = |(((table, column), referring), oid): ((_, &ReferringColumn), u32)| {
            let columns = columns(client, Some(oid))?;
            let found = columns.iter().find(|found| found.name == referring.column());
            let is_indexed = found.is_some_and(|found| found.is_indexed);
            Ok(Referring { table, column, is_indexed })
        };
        names.zip(tables).map(find).collect()
    }

    /// The names of the tables and columns, quoted.
    pub(super) fn referring_names(&self) -> Vec<(String, String)> {
        let name = |referring: &ReferringColumn| {
            (referring.table_beside(&self.table).quoted(), quote(referring.column()))
        };
        self.referring.iter().map(name).collect()
    }

    /// The tables to which these columns belong; 0 for one that is missing.
    pub(super) fn referring_tables(&self, client: &mut Client) -> Result<Vec<u32>, Error> {
        if self.referring.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.referring_names();
        client.resolve_all(&names.iter().map(|(table, _)| table.as_str()).collect::<Vec<_>>())
    }

    pub(super) fn check_referring(
        &self,
        client: &mut Client,
        sessions: u32,
    ) -> Result<Vec<String>, StoreError> {
        let checked =
            self.referring.iter().map(|column| self.check_column(client, sessions, column));
        Ok(checked.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    pub(super) fn count_referring(
        &self,
        client: &mut Client,
        keys: &[&str],
    ) -> Result<Vec<u64>, StoreError> {
        let count = |column: &(String, String)| {
            count_column(client, column, keys).map_err(|error| {
                fail(error, format!("cannot read table {} in {}", column.0, self.server()))
            })
        };
        self.referring_names().iter().map(count).collect()
    }

    fn check_column(
        &self,
        client: &mut Client,
        sessions: u32,
        referring: &ReferringColumn,
    ) -> Result<Option<String>, StoreError> {
        let table = referring.table_beside(&self.table);
        let what = || format!("cannot delete from \"{table}\" in {}", self.server());
        let oid = client.resolve(&table.quoted()).map_err(|error| fail(error, what()))?;
        let kind = match oid {
            None => Kind::Nothing,
            Some(oid) if oid == sessions => Kind::Sessions,
            Some(oid) => {
                self.demand_trust(client, &[oid], true, what)?;
                // Hidden rows of it would stay without an error.
                match self.blind_spot(client, &table)? {
                    Some(BlindSpot::View) => Kind::View,
                    _ => Kind::Table,
                }
            }
        };
        let described = describe(client, oid, (sessions, referring), kind);
        let described = described.map_err(|error| fail(error, self.what("read")))?;
        check(referring, &described)
    }
}

fn count_column(
    client: &mut Client,
    (table, column): &(String, String),
    keys: &[&str],
) -> Result<u64, Error> {
    let refers = refers_to(column, "$1");
    let sql = format!("SELECT pg_catalog.count(*) FROM {table} WHERE {refers}");
    client.batch_execute(BEGIN_SCAN)?;
    let values: [(&(dyn ToSql + Sync), Type); 1] = [(&keys, Type::TEXT_ARRAY)];
    let rows: i64 = client.query_typed_one(&sql, &values)?.try_get(0)?;
    client.batch_execute("COMMIT")?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

fn columns(client: &mut Client, table: Option<u32>) -> Result<Vec<DescribedColumn>, Error> {
    let rows = client.query_typed(COLUMNS, &[(&table, Type::OID)])?;
    let column = |row: &tokio_postgres::Row| {
        let (name, is_text, is_indexed) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(DescribedColumn { name, is_text, is_indexed })
    };
    rows.iter().map(column).collect()
}

fn describe(
    client: &mut Client,
    oid: Option<u32>,
    (sessions, referring): (u32, &ReferringColumn),
    kind: Kind,
) -> Result<Described, Error> {
    let columns = columns(client, oid)?;
    let values: [(&(dyn ToSql + Sync), Type); 2] = [(&sessions, Type::OID), (&oid, Type::OID)];
    let takes_sessions = client.query_typed_one(TAKES, &values)?.try_get(0)?;
    let schema = referring.table().schema();
    let others = if oid.is_some() {
        Vec::new()
    } else {
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&sessions, Type::OID), (&schema, Type::TEXT)];
        client.query_typed(TABLES, &values)?
    };
    let others: Result<Vec<String>, Error> = others.iter().map(|row| row.try_get(0)).collect();
    let (table, column) = (referring.table().quoted(), quote(referring.column()));
    let make_index = format!("CREATE INDEX CONCURRENTLY ON {table} ({column})");
    Ok(Described { kind, columns, takes_sessions, others: others?, make_index })
}

//! Drops the user column, unless something else depends on it.

use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::grants::printable;
use super::sql::type_name;
use super::user_column::BEGIN_ALTER;
use super::writer::PostgresWriter;
use crate::store::table::quote;
use crate::store::{StoreError, Table, UserColumn, UserColumnDrop};

const FACTS: &str = "
    SELECT a.attnotnull, a.attinhcount > 0, pg_catalog.format_type(a.atttypid, a.atttypmod)
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = $1 AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped";

/// What depends on the column: DROP COLUMN would take its indexes and constraints along silently. The second column is
/// the name of an index, and the third whether it is one of this column alone.
const DEPENDENTS: &str = "
    SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), coalesce(c.relname::pg_catalog.text, ''),
        coalesce((SELECT i.indnatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT i.indisunique
                  FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid), false)
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid AND c.relkind IN ('i', 'I')
    WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $1 AND a.attname = $2
        AND NOT a.attisdropped
    ORDER BY 1";

impl Postgres {
    pub(super) fn user_column_drop(
        &self,
        client: &mut Client,
        oid: u32,
        column: &UserColumn,
    ) -> Result<UserColumnDrop, StoreError> {
        let (indexes, others) = self.dependents(client, oid, column)?;
        let sql = indexes.into_iter().chain([self.drop_column_sql(column)]);
        let sql = sql.map(|sql| printable(&sql)).collect();
        Ok(UserColumnDrop { sql, others, rewrites: false })
    }

    /// The statements that drop the column's own indexes, and what shows that something else needs the column. An index of that
    /// name on another table is not its own.
    fn dependents(
        &self,
        client: &mut Client,
        oid: u32,
        column: &UserColumn,
    ) -> Result<(Vec<String>, Vec<String>), StoreError> {
        let cannot = |error| fail(error, self.what("read"));
        let parts = self.parts(client, oid)?;
        let is_whole = parts.iter().any(|(part, _)| *part == oid);
        let (mut sql, mut others) = (Vec::new(), Vec::new());
        let root = (!is_whole).then(|| (oid, self.table.clone()));
        for (part, table) in parts.into_iter().chain(root) {
            let values: [(&(dyn ToSql + Sync), Type); 2] =
                [(&part, Type::OID), (&column.name, Type::TEXT)];
            let found = client.query_typed_opt(FACTS, &values).map_err(cannot)?;
            let Some(row) = found else { continue };
            let is_not_null: bool = row.try_get(0).map_err(cannot)?;
            let is_inherited: bool = row.try_get(1).map_err(cannot)?;
            let declared: String = row.try_get(2).map_err(cannot)?;
            others.extend(is_not_null.then(|| "it is NOT NULL".to_owned()));
            others.extend((is_inherited && part == oid).then(|| "it is inherited".to_owned()));
            let own_type = type_name(column.kind).trim_start_matches("pg_catalog.");
            let wrong_type = declared != own_type;
            others.extend(wrong_type.then(|| format!("it is of type {declared}")));
            let index = column.index_name(&table);
            for row in client.query_typed(DEPENDENTS, &values).map_err(cannot)? {
                let name: String = row.try_get(1).map_err(cannot)?;
                let is_of_column: bool = row.try_get(2).map_err(cannot)?;
                if name != index || !is_of_column {
                    let what: String = row.try_get(0).map_err(cannot)?;
                    others.push(format!("{what} depends on it"));
                } else if is_whole {
                    let index = in_schema_of(&table, &index);
                    sql.push(format!("DROP INDEX CONCURRENTLY IF EXISTS {index}"));
                }
            }
        }
        others.dedup();
        Ok((sql, others))
    }

    fn drop_column_sql(&self, column: &UserColumn) -> String {
        format!("ALTER TABLE {} DROP COLUMN IF EXISTS {}", self.table.quoted(), column.quoted())
    }
}

impl PostgresWriter<'_> {
    /// The index goes first, without a lock that blocks the site. Then the column takes an ACCESS EXCLUSIVE lock for a moment.
    pub(super) fn drop_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        if store.user_column(&mut self.client, oid, &column.name)?.is_none() {
            return Ok(());
        }
        let (indexes, others) = store.dependents(&mut self.client, oid, column)?;
        let found = UserColumnDrop { others, ..UserColumnDrop::default() };
        found.demand_own(|| store.what("drop a column of"))?;
        for sql in indexes {
            self.client
                .batch_execute(&sql)
                .map_err(|error| self.give_up(error, "drop an index of"))?;
        }
        let sql = format!("{BEGIN_ALTER}; {}; COMMIT", store.drop_column_sql(column));
        self.client.batch_execute(&sql).map_err(|error| self.give_up(error, "drop a column of"))
    }
}

/// An index is in the schema of its table.
fn in_schema_of(table: &Table, index: &str) -> String {
    match table.schema() {
        Some(schema) => format!("{}.{}", quote(schema), quote(index)),
        None => quote(index),
    }
}

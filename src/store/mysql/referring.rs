//! Columns of other tables that hold keys of sessions: checks them, counts their rows, and deletes these in the transaction of
//! their sessions.

use mysql_async::Row;

use super::MySql;
use super::catalog::{Found, look, named};
use super::client::Client;
use super::fault::{Failure, fail};
use super::keys::{MOST_KEYS, Named};
use super::row::{number, text};
use super::sql::{quote, quoted};
use crate::store::referring::{Described, DescribedColumn, Kind, check};
use crate::store::{Reference, ReferringColumn, StoreError, Table};

const INDEXED: &str = "SELECT DISTINCT column_name FROM information_schema.statistics \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND seq_in_index = 1 AND index_type <> 'FULLTEXT'";

const TABLES: &str = "SELECT table_name FROM information_schema.tables \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_type LIKE '%TABLE' ORDER BY table_name";

const HAS_TRANSACTIONS: &str =
    "SELECT COUNT(*) FROM information_schema.engines WHERE engine = ? AND transactions = 'YES'";

const IS_SAME_SCHEMA: &str = "SELECT COALESCE(?, DATABASE()) = COALESCE(?, DATABASE())";

/// Whether a table refers to another one ON DELETE CASCADE.
const TAKES: &str = "SELECT COUNT(*) FROM information_schema.referential_constraints \
    WHERE constraint_schema = COALESCE(?, DATABASE()) AND table_name = ? \
    AND unique_constraint_schema = COALESCE(?, DATABASE()) AND referenced_table_name = ? AND delete_rule = 'CASCADE'";

/// A table whose rows go with their sessions, and what the catalog says of it; the column is that of the keys.
pub(super) struct Referring {
    pub(super) table: Table,
    pub(super) found: Found,
    is_indexed: bool,
}

impl Referring {
    pub(super) fn of(
        store: &MySql,
        client: &mut Client,
        column: &ReferringColumn,
    ) -> Result<Self, Failure> {
        let table = column.table_beside(&store.table);
        let found = Found { key_column: column.column().to_owned(), ..look(client, &table)? };
        let indexed = client.query(INDEXED, named(&table))?;
        let is_indexed = indexed.iter().any(|row| text(row, 0) == column.column());
        Ok(Self { table, found, is_indexed })
    }

    /// The rows that refer to these keys.
    pub(super) fn named(&self, keys: &[&str]) -> Named {
        if self.is_indexed {
            Named::new(&self.table, &self.found, keys, None)
        } else {
            Named::in_one_scan(&self.table, &self.found, keys)
        }
    }
}

impl MySql {
    pub(super) fn check_referring(&self, client: &mut Client) -> Result<Vec<String>, StoreError> {
        let checked = self.referring.iter().map(|column| self.check_column(client, column));
        Ok(checked.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    pub(super) fn count_referring(
        &self,
        client: &mut Client,
        keys: &[&str],
    ) -> Result<Vec<u64>, StoreError> {
        let mut counts = vec![0; self.referring.len()];
        for (column, count) in self.referring.iter().zip(&mut counts) {
            let mut add_up = || -> Result<(), Failure> {
                let referring = Referring::of(self, client, column)?;
                for keys in keys.chunks(MOST_KEYS) {
                    let named = referring.named(keys);
                    let row = client.first(&named.select("COUNT(*)"), named.values)?;
                    *count += row.and_then(|row| number(&row, 0)).unwrap_or(0);
                }
                Ok(())
            };
            add_up().map_err(|failure| fail(failure, self.what("see what refers to")))?;
        }
        Ok(counts)
    }

    fn check_column(
        &self,
        client: &mut Client,
        referring: &ReferringColumn,
    ) -> Result<Option<String>, StoreError> {
        let table = referring.table_beside(&self.table);
        self.demand_trust(client, &table)?;
        let described = self.describe(client, referring, &table);
        check(referring, &described.map_err(|failure| fail(failure, self.what("read")))?)
    }

    fn describe(
        &self,
        client: &mut Client,
        referring: &ReferringColumn,
        table: &Table,
    ) -> Result<Described, Failure> {
        let found = look(client, table)?;
        let schemas = [&self.table, table].map(|table| table.schema().map(str::to_owned).into());
        let same = client.first(IS_SAME_SCHEMA, schemas.to_vec())?;
        let is_sessions = table.name().eq_ignore_ascii_case(self.table.name())
            && same.and_then(|row| number(&row, 0)) == Some(1);
        let first = |rows: Vec<Row>| rows.iter().map(|row| text(row, 0)).collect::<Vec<_>>();
        let kind = if found.columns.is_empty() {
            // Of a table to which the account has no right the catalog knows nothing.
            match client.prepare(&format!("SELECT 1 FROM {}", quoted(table))) {
                Err(failure) if matches!(failure.code(), Some(1142 | 1143)) => return Err(failure),
                _ => Kind::Nothing,
            }
        } else if is_sessions {
            Kind::Sessions
        } else if found.is_view {
            Kind::View
        } else {
            // Both tables have to keep or undo what one transaction does. A view has no engine.
            let mut engines = vec![found.engine.clone(), look(client, &self.table)?.engine];
            engines.retain(|engine| !engine.is_empty());
            let mut without = None;
            for engine in engines {
                let row = client.first(HAS_TRANSACTIONS, vec![engine.as_str().into()])?;
                if row.and_then(|row| number(&row, 0)) != Some(1) {
                    without = Some(engine);
                }
            }
            without.map_or(Kind::Table, Kind::WithoutTransactions)
        };
        let indexed = first(client.query(INDEXED, named(table))?);
        let schema = vec![table.schema().map(str::to_owned).into()];
        let others = first(client.query(TABLES, schema)?);
        let columns = found.columns.iter().map(|column| DescribedColumn {
            name: column.name.clone(),
            is_text: column.charset.is_some() || column.kind.contains("binary"),
            is_indexed: indexed.contains(&column.name),
        });
        let takes = client.first(TAKES, [named(&self.table), named(table)].concat())?;
        let takes_sessions = takes.and_then(|row| number(&row, 0)) != Some(0);
        let index = quote(&table.index_name(referring.column(), 1));
        let column = quote(referring.column());
        let make_index = format!("CREATE INDEX {index} ON {} ({column})", quoted(table));
        Ok(Described { kind, columns: columns.collect(), takes_sessions, others, make_index })
    }

    /// Whether rows that refer by this foreign key of a table in this schema go with their sessions.
    pub(super) fn deletes_references(&self, schema: &str, reference: &Reference) -> bool {
        self.referring.iter().any(|referring| {
            let table = referring.table_beside(&self.table);
            table.name() == reference.table
                && table.schema().is_none_or(|named| named == schema)
                && referring.is_in(&reference.columns)
        })
    }
}

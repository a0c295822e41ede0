//! Columns of other tables that hold keys of sessions: checks them, counts their rows, and deletes these in the transaction of
//! their sessions.

use std::rc::Rc;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::vtab::array::Array;
use rusqlite::{Connection, params};

use super::fault::fail;
use super::{Sqlite, is_view};
use crate::model::Timestamp;
use crate::store::reference::{hindrances, unless_kept};
use crate::store::referring::{Described, DescribedColumn, Kind, check};
use crate::store::table::quote;
use crate::store::{ReferringColumn, StoreError};

/// The columns of a table: whether they hold texts, by the rules of SQLite's documentation ("Datatypes" §3.1), and whether an
/// index of all rows finds a value.
const COLUMNS: &str = "
    SELECT c.name,
           c.type NOT LIKE '%INT%' AND (c.type LIKE '%CHAR%' OR c.type LIKE '%CLOB%' OR c.type LIKE '%TEXT%'
               OR c.type LIKE '%BLOB%' OR c.type = ''),
           EXISTS (SELECT 1 FROM pragma_index_list(?1, ?2) l, pragma_index_info(l.name, ?2) i
                   WHERE NOT l.partial AND i.seqno = 0 AND i.cid = c.cid)
    FROM pragma_table_info(?1, ?2) c";

/// Whether a table refers to another one ON DELETE CASCADE.
const TAKES: &str = "
    SELECT EXISTS (SELECT 1 FROM pragma_foreign_key_list(?1)
                   WHERE \"table\" = ?2 COLLATE NOCASE AND on_delete = 'CASCADE')";

impl Sqlite {
    /// The tables and columns whose rows go with their sessions, quoted.
    fn referring_names(&self) -> impl Iterator<Item = (String, String)> {
        self.referring.iter().map(|referring| {
            (referring.table_beside(&self.table).quoted(), quote(referring.column()))
        })
    }

    /// For each of these the statement that deletes the rows which refer to the keys ?1. Of a batch of them it reads the table
    /// once, where there is no index.
    pub(super) fn referring_deletes(&self) -> Vec<String> {
        self.referring_names()
            .map(|(table, column)| format!("DELETE FROM {table} WHERE {}", refers_to(&column)))
            .collect()
    }

    /// Whether rows that refer by these columns of this table go with their sessions.
    pub(super) fn deletes_references(&self, table: &str, columns: &[String]) -> bool {
        self.referring.iter().any(|referring| {
            referring.table().name().eq_ignore_ascii_case(table) && referring.is_in(columns)
        })
    }

    pub(super) fn check_referring(
        &self,
        connection: &Connection,
    ) -> Result<Vec<String>, StoreError> {
        let mut warnings = Vec::new();
        for referring in &self.referring {
            let described = self.describe(connection, referring);
            let described = described.map_err(|error| fail(error, self.what("read")))?;
            warnings.extend(check(referring, &described)?);
        }
        Ok(warnings)
    }

    pub(super) fn count_referring(
        &self,
        connection: &Connection,
        keys: &[&str],
    ) -> Result<Vec<u64>, StoreError> {
        let keys: Array = Rc::new(keys.iter().map(|key| Value::from((*key).to_owned())).collect());
        let count = |(table, column): (String, String)| {
            let sql = format!("SELECT count(*) FROM {table} WHERE {}", refers_to(&column));
            connection.prepare_cached(&sql)?.query_row(params![keys], |row| row.get(0))
        };
        let counts: rusqlite::Result<Vec<i64>> = self.referring_names().map(count).collect();
        let counts = counts.map_err(|error| fail(error, self.what("see what refers to")))?;
        Ok(counts.into_iter().map(|rows| u64::try_from(rows).unwrap_or_default()).collect())
    }

    pub(super) fn count_referring_to_expired(
        &self,
        connection: &Connection,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let references = self.references(connection)?;
        let stay = unless_kept(&hindrances(&references));
        let count = |(table, column): (String, String)| {
            let select = format!(
                "SELECT count(*) FROM {table} WHERE {column} COLLATE BINARY IN (SELECT session_key"
            );
            self.add_up_expired(connection, cutoff, (&select, &format!("{stay})")), patience)
        };
        self.referring_names().map(count).collect()
    }

    fn describe(
        &self,
        connection: &Connection,
        referring: &ReferringColumn,
    ) -> rusqlite::Result<Described> {
        let table = referring.table_beside(&self.table);
        let column = |row: &rusqlite::Row<'_>| {
            let (name, is_text, is_indexed) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(DescribedColumn { name, is_text, is_indexed })
        };
        let columns: Vec<_> = if super::columns(connection, &table)?.is_empty() {
            Vec::new()
        } else {
            connection
                .prepare(COLUMNS)?
                .query_map(params![table.name(), table.schema().unwrap_or("main")], column)?
                .collect::<Result<_, _>>()?
        };
        let kind = if columns.is_empty() {
            Kind::Nothing
        } else if table.name().eq_ignore_ascii_case(self.table.name()) {
            Kind::Sessions
        } else if is_view(connection, &table)? {
            Kind::View
        } else {
            Kind::Table
        };
        let others = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let takes_sessions =
            connection.query_row(TAKES, [self.table.name(), table.name()], |row| row.get(0))?;
        let index = quote(&table.index_name(referring.column(), 1));
        let column = quote(referring.column());
        let make_index = format!("CREATE INDEX {index} ON {} ({column})", quote(table.name()));
        Ok(Described { kind, columns, takes_sessions, others, make_index })
    }
}

/// The condition that a row refers to one of the keys ?1, byte by byte whatever the collation of the column.
fn refers_to(column: &str) -> String {
    format!("{column} IN rarray(?1) AND {column} COLLATE BINARY IN rarray(?1)")
}

/// Deletes the rows that refer to these keys. Returns how many each statement deleted.
pub(super) fn delete_referring(
    connection: &Connection,
    deletes: &[String],
    keys: Vec<Value>,
) -> rusqlite::Result<Vec<u64>> {
    let keys: Array = Rc::new(keys);
    let delete = |sql: &String| {
        let rows = connection.prepare_cached(sql)?.execute(params![keys])?;
        Ok(u64::try_from(rows).unwrap_or(u64::MAX))
    };
    deletes.iter().map(delete).collect()
}

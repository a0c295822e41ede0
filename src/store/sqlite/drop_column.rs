//! Drops the user column, unless something else has it.

use rusqlite::{Connection, TransactionBehavior};

use super::Sqlite;
use super::fault::fail;
use super::user_column::type_name;
use super::writer::SqliteWriter;
use crate::store::table::quote;
use crate::store::{StoreError, UserColumn, UserColumnDrop};

const FACTS: &str = r#"
    SELECT type, "notnull", dflt_value IS NOT NULL, pk > 0, hidden > 0 FROM pragma_table_xinfo(?1, ?2)
    WHERE name = ?3 COLLATE NOCASE"#;

/// Indexes that need the column, by their columns, or by the text of their expressions and conditions. The second column is
/// whether it is an index of this column alone.
const INDEXES: &str = r#"
    SELECT l.name, l."unique" = 0 AND l.partial = 0 AND (SELECT count(*) = 1 FROM pragma_index_info(l.name, ?2))
                   AND EXISTS (SELECT 1 FROM pragma_index_info(l.name, ?2) WHERE name = ?3 COLLATE NOCASE)
    FROM pragma_index_list(?1, ?2) l
    WHERE EXISTS (SELECT 1 FROM pragma_index_info(l.name, ?2) WHERE name = ?3 COLLATE NOCASE)
        OR (l.partial = 1 OR EXISTS (SELECT 1 FROM pragma_index_info(l.name, ?2) WHERE cid = -2))
           AND EXISTS (SELECT 1 FROM sqlite_schema s WHERE s.type = 'index' AND s.name = l.name
                       AND instr(substr(lower(sql), instr(lower(sql), ' on ')), lower(?3)) > 0)
    ORDER BY 1"#;

/// Views and triggers in which the names of the table and the column occur: SQLite refuses to drop a column that they need.
const TEXTS: &str = "
    SELECT type || ' ' || name FROM sqlite_schema
    WHERE type IN ('view', 'trigger') AND instr(lower(sql), lower(?1)) > 0 AND instr(lower(sql), lower(?2)) > 0";

impl Sqlite {
    pub(super) fn user_column_drop(
        &self,
        connection: &Connection,
        column: &UserColumn,
    ) -> Result<UserColumnDrop, StoreError> {
        let (sql, others) =
            self.drop_facts(connection, column).map_err(|error| fail(error, self.what("read")))?;
        Ok(UserColumnDrop { sql, others, rewrites: true })
    }

    /// The statements, and what shows that somebody else needs the column.
    fn drop_facts(
        &self,
        connection: &Connection,
        column: &UserColumn,
    ) -> rusqlite::Result<(Vec<String>, Vec<String>)> {
        let schema = self.table.schema().unwrap_or("main");
        let named = [self.table.name(), schema, &column.name];
        let mut others = Vec::new();
        let (declared, facts) = connection.prepare(FACTS)?.query_row(named, |row| {
            let facts: [bool; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            Ok((row.get::<_, String>(0)?, facts))
        })?;
        let words =
            ["it is NOT NULL", "it has a default", "it is part of the key", "it is generated"];
        let facts = words.into_iter().zip(facts).filter(|(_, holds)| *holds);
        others.extend(facts.map(|(word, _)| word.to_owned()));
        if !declared.eq_ignore_ascii_case(type_name(column.kind)) {
            others.push(format!("it is of type {declared}"));
        }
        others.extend(
            column.users.as_ref().map(|users| format!("it refers to table {}", users.name)),
        );
        let (mut sql, own) = (Vec::new(), column.index_name(&self.table));
        let here = format!("{}.sqlite_schema", quote(schema));
        let mut indexes = connection.prepare(&INDEXES.replacen("sqlite_schema", &here, 1))?;
        for index in indexes.query_map(named, |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))? {
            let (index, is_of_column): (_, bool) = index?;
            if index.eq_ignore_ascii_case(&own) && is_of_column {
                sql.push(format!("DROP INDEX {}.{}", quote(schema), quote(&own)));
            } else {
                others.push(format!("index {index} has it, too"));
            }
        }
        let mut texts = connection.prepare(&TEXTS.replacen("sqlite_schema", &here, 1))?;
        for text in
            texts.query_map([self.table.name(), &*column.name], |row| row.get::<_, String>(0))?
        {
            others.push(format!("it is in the {}", text?));
        }
        sql.push(format!("ALTER TABLE {} DROP COLUMN {}", self.table.quoted(), column.quoted()));
        Ok((sql, others))
    }
}

impl SqliteWriter<'_> {
    /// Both go in one transaction, in which SQLite writes every row anew (SQLite docs, "ALTER TABLE DROP COLUMN").
    pub(super) fn drop_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let store = self.store;
        let cannot = |error| fail(error, store.what("drop a column of"));
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(cannot)?;
        if store.user_column(&transaction, &column.name)?.is_some() {
            let found = store.user_column_drop(&transaction, column)?;
            found.demand_own(|| store.what("drop a column of"))?;
            transaction.execute_batch(&found.sql.join(";")).map_err(cannot)?;
        }
        transaction.commit().map_err(cannot)
    }
}

//! Drops the user column, unless something else has it.

use mysql_async::Value;

use super::MySql;
use super::catalog::{look, named};
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::{number, text};
use super::sql::{quote, quoted};
use super::user_column::{INPLACE, INSTANT, NOT_SO};
use super::writer::MySqlWriter;
use crate::store::waits::Work;
use crate::store::{StoreError, UserColumn, UserColumnDrop, UserType};

/// Each finds what else needs the column, by the database, the table and the column. MySQL itself takes a column out of
/// indexes, and leaves views and triggers broken.
const OTHERS: [(&str, &str); 6] = [
    (
        "SELECT 'NULL' FROM information_schema.columns \
         WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND column_name = ? AND is_nullable = 'NO'",
        "it is NOT",
    ),
    (
        // MariaDB says NULL in words.
        "SELECT 'default' FROM information_schema.columns \
         WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND column_name = ? \
             AND (COALESCE(column_default, 'NULL') <> 'NULL' OR extra <> '')",
        "it has a",
    ),
    (
        "SELECT constraint_name FROM information_schema.key_column_usage \
         WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND column_name = ? AND referenced_table_name IS NOT NULL",
        "it has the foreign key",
    ),
    (
        "SELECT trigger_name FROM information_schema.triggers \
         WHERE event_object_schema = COALESCE(?, DATABASE()) AND event_object_table = ? AND LOCATE(?, action_statement) > 0",
        "it is in the trigger",
    ),
    (
        "SELECT table_name FROM information_schema.views \
         WHERE table_schema = COALESCE(?, DATABASE()) AND LOCATE(?, view_definition) > 0 AND LOCATE(?, view_definition) > 0",
        "it is in the view",
    ),
    (
        "SELECT DISTINCT s.index_name, \
             (SELECT COUNT(*) > 1 OR MIN(o.non_unique) = 0 FROM information_schema.statistics o \
              WHERE o.table_schema = s.table_schema AND o.table_name = s.table_name AND o.index_name = s.index_name) \
         FROM information_schema.statistics s \
         WHERE s.table_schema = COALESCE(?, DATABASE()) AND s.table_name = ? AND s.column_name = ?",
        "it is in the index",
    ),
];

impl MySql {
    pub(super) fn user_column_drop(
        &self,
        client: &mut Client,
        column: &UserColumn,
    ) -> Result<UserColumnDrop, StoreError> {
        let found = self.drop_facts(client, column);
        found.map_err(|failure| fail(failure, self.what("read")))
    }

    fn drop_facts(
        &self,
        client: &mut Client,
        column: &UserColumn,
    ) -> Result<UserColumnDrop, Failure> {
        let (mut others, mut has_index) = (Vec::new(), false);
        let own = column.index_name(&self.table);
        for (sql, what) in OTHERS {
            let mut values: Vec<Value> = named(&self.table);
            values.push((&*column.name).into());
            for row in client.query(sql, values)? {
                let name = text(&row, 0);
                // Unique, or of several columns.
                let is_more = number(&row, 1) == Some(1);
                // Names of columns and indexes are compared in any letter case.
                if name.eq_ignore_ascii_case(&own) && !is_more {
                    has_index = true;
                } else {
                    others.push(format!("{what} {name}"));
                }
            }
        }
        let mut values: Vec<Value> = named(&self.table);
        values.push((&*column.name).into());
        let declared = client.first(
            "SELECT column_type FROM information_schema.columns \
             WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND column_name = ?",
            values,
        )?;
        let declared = declared.map(|row| text(&row, 0).to_ascii_lowercase()).unwrap_or_default();
        let own_type = match column.kind {
            UserType::Text => "text",
            UserType::Bigint => "bigint",
            UserType::Uuid => "char(32)",
        };
        // MariaDB has a width in it: bigint(20).
        let is_own = declared == own_type
            || column.kind == UserType::Bigint
                && declared.starts_with("bigint(")
                && !declared.contains(' ');
        others.extend((!is_own).then(|| format!("it is of type {declared}")));
        let table = quoted(&self.table);
        let index =
            has_index.then(|| format!("ALTER TABLE {table} DROP INDEX {}, {INPLACE}", quote(&own)));
        let sql = index.into_iter().chain([self.drop_column_sql(column, INSTANT)]).collect();
        Ok(UserColumnDrop { sql, others, rewrites: false })
    }

    fn drop_column_sql(&self, column: &UserColumn, how: &str) -> String {
        format!("ALTER TABLE {} DROP COLUMN {}, {how}", quoted(&self.table), quote(&column.name))
    }
}

impl MySqlWriter<'_> {
    /// The index goes first. Servers that cannot drop a column instantly write the table anew, beside the site's own work.
    pub(super) fn drop_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let (store, what) = (self.store, self.store.what("drop a column of"));
        if store.user_column(&mut self.client, &column.name)?.is_none() {
            return Ok(());
        }
        let found = store.user_column_drop(&mut self.client, column)?;
        found.demand_own(|| what.clone())?;
        self.client.wait_for(Work::Build);
        let dropped = self.drop_in_place(column, &found.sql);
        self.client.wait_for(Work::Batch);
        dropped.map_err(|failure| fail(failure, what))?;
        let found = look(&mut self.client, &store.table);
        self.found = found.map_err(|failure| fail(failure, store.what("read")))?;
        Ok(())
    }

    fn drop_in_place(&mut self, column: &UserColumn, sql: &[String]) -> Result<(), Failure> {
        for statement in sql {
            let done = self.alter(statement);
            let is_refused = done
                .as_ref()
                .is_err_and(|failure| failure.code().is_some_and(|code| NOT_SO.contains(&code)));
            if is_refused && statement.ends_with(INSTANT) {
                self.alter(&self.store.drop_column_sql(column, INPLACE))?;
            } else {
                done?;
            }
        }
        Ok(())
    }
}

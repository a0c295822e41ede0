//! The user column: finds it, adds it, fills it and indexes it.
//!
//! A UUID is stored as Django stores it in SQLite: 32 hexadecimal digits without hyphens.

use std::borrow::Cow;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::Sqlite;
use super::fault::fail;
use super::row::{NAMED, text};
use super::unchanged::{IS_UNCHANGED, is_unchanged};
use super::writer::SqliteWriter;
use crate::store::table::quote;
use crate::store::user_column::uuid;
use crate::store::{
    Assigned, Assignment, ByUser, ColumnCondition, Fault, StoreError, UserColumn, UserColumnPlan,
    UserKey, UserTable, UserType, Users,
};

/// Rows filled per second, the two scans of the table included.
const ROWS_PER_SECOND: u64 = 60_000;

/// The type as Django declares it.
pub(super) fn type_name(kind: UserType) -> &'static str {
    match kind {
        UserType::Text => "text",
        UserType::Bigint => "bigint",
        UserType::Uuid => "char(32)",
    }
}

/// The type of the column, by SQLite's rules for declared types (SQLite docs, "Datatypes" §3.1).
fn kind(declared: &str) -> Option<UserType> {
    let declared = declared.to_ascii_lowercase();
    if declared == "char(32)" || declared.contains("uuid") {
        Some(UserType::Uuid)
    } else if declared.contains("int") {
        Some(UserType::Bigint)
    } else if ["char", "text", "clob"].iter().any(|name| declared.contains(name)) {
        Some(UserType::Text)
    } else {
        None
    }
}

/// The id as the column stores it.
pub(super) fn stored(kind: UserType, id: &str) -> Value {
    match kind {
        UserType::Text => Value::Text(id.into()),
        UserType::Bigint => id.parse().map_or_else(|_| Value::Text(id.into()), Value::Integer),
        UserType::Uuid => Value::Text(id.replace('-', "")),
    }
}

/// The value of the column, spelled as [`UserType::fit`] returns it.
pub(super) fn shown(kind: UserType, value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into()),
        ValueRef::Real(number) => Some(number.to_string().into()),
        value => {
            let text = text(value);
            let canonical = if kind == UserType::Uuid { uuid(&text) } else { None };
            Some(canonical.map_or(text, Cow::Owned))
        }
    }
}

/// The values by which the index finds the rows; `None` if all rows must be read.
pub(super) fn values(by: &ByUser) -> Option<Vec<Value>> {
    let (null, ids) = match &by.condition {
        ColumnCondition::Missing => (Some(Value::Null), None),
        ColumnCondition::OneOf(ids) => (None, Some(ids)),
        ColumnCondition::Any => return None,
    };
    let ids = ids.into_iter().flatten().map(|id| stored(by.column.kind, id));
    by.column.indexed.then(|| null.into_iter().chain(ids).collect())
}

impl Sqlite {
    pub(super) fn user_column(
        &self,
        connection: &Connection,
        name: &str,
    ) -> Result<Option<UserColumn>, StoreError> {
        let cannot = |error| fail(error, self.what("read"));
        let declared = self.declared_type(connection, name).map_err(cannot)?;
        let Some(declared) = declared else { return Ok(None) };
        let Some(kind) = kind(&declared) else {
            return Err(StoreError::new(Fault::Fatal, self.what("use a user column of"))
                .because(format!("its column \"{name}\" is declared as \"{declared}\""))
                .hint("a user column is text, bigint or char(32); name another one"));
        };
        let indexed = self.is_indexed(connection, name).map_err(cannot)?;
        // SQLite stores values that are longer than declared, so there is no width.
        let users = self.users(connection, name).map_err(cannot)?;
        Ok(Some(UserColumn { name: name.into(), kind, width: None, indexed, users }))
    }

    pub(super) fn user_key(
        &self,
        connection: &Connection,
        users: &Users,
    ) -> Result<Option<UserKey>, StoreError> {
        let (table, schema) = (users.table.name(), users.table.schema().unwrap_or("main"));
        let read = || -> rusqlite::Result<Option<String>> {
            connection
                .prepare("SELECT type FROM pragma_table_info(?1, ?2) WHERE name = ?3")?
                .query_row([table, schema, &users.key], |row| row.get(0))
                .optional()
        };
        let declared = read().map_err(|error| fail(error, self.what("read")))?;
        Ok(declared.map(|declared| match kind(&declared) {
            Some(kind) => UserKey::Of(kind),
            None => UserKey::Other(declared),
        }))
    }

    pub(super) fn user_column_plan(&self, column: &UserColumn) -> UserColumnPlan {
        UserColumnPlan {
            add: self.add_column_sql(column),
            index: vec![self.index_column_sql(column)],
            copies_rows: false,
            rows_per_second: ROWS_PER_SECOND,
        }
    }

    fn add_column_sql(&self, column: &UserColumn) -> String {
        format!(
            "ALTER TABLE {} ADD COLUMN {} {}",
            self.table.quoted(),
            column.quoted(),
            type_name(column.kind)
        )
    }

    fn index_column_sql(&self, column: &UserColumn) -> String {
        let schema = self.table.schema().map_or_else(String::new, |schema| quote(schema) + ".");
        format!(
            "CREATE INDEX {schema}{} ON {} ({})",
            quote(&column.index_name(&self.table)),
            quote(self.table.name()),
            column.quoted()
        )
    }

    fn declared_type(
        &self,
        connection: &Connection,
        name: &str,
    ) -> rusqlite::Result<Option<String>> {
        let schema = self.table.schema().unwrap_or("main");
        connection
            .prepare("SELECT type FROM pragma_table_info(?1, ?2) WHERE name = ?3 COLLATE NOCASE")?
            .query_row([self.table.name(), schema, name], |row| row.get(0))
            .optional()
    }

    fn users(&self, connection: &Connection, column: &str) -> rusqlite::Result<Option<UserTable>> {
        let schema = self.table.schema().unwrap_or("main");
        connection
            .prepare(
                r#"SELECT "table", coalesce("to", (SELECT name FROM pragma_table_info("table", ?2) WHERE pk = 1))
                   FROM pragma_foreign_key_list(?1, ?2)
                   GROUP BY id HAVING count(*) = 1 AND "from" = ?3 COLLATE NOCASE"#,
            )?
            .query_row([self.table.name(), schema, column], |row| {
                Ok(UserTable { name: row.get(0)?, key: row.get(1)?, hidden: false })
            })
            .optional()
    }

    pub(super) fn is_indexed(&self, connection: &Connection, name: &str) -> rusqlite::Result<bool> {
        let schema = self.table.schema().unwrap_or("main");
        connection
            .prepare(
                "SELECT 1 FROM pragma_index_list(?1, ?2) l, pragma_index_info(l.name, ?2) c \
                 WHERE l.partial = 0 AND c.seqno = 0 AND c.name = ?3 COLLATE NOCASE",
            )?
            .exists([self.table.name(), schema, name])
    }
}

impl SqliteWriter<'_> {
    pub(super) fn add_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let store = self.store;
        self.unless_there(&store.add_column_sql(column), |connection| {
            Ok(store.declared_type(connection, &column.name)?.is_some())
        })
        .map_err(|error| fail(error, store.what("add a column to")))
    }

    pub(super) fn assign_users(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError> {
        let name = column.quoted();
        let news = if overwrite { format!("{name} IS NOT ?3") } else { format!("{name} IS NULL") };
        let sql = format!(
            "UPDATE {} SET {name} = ?3 WHERE {NAMED} AND {IS_UNCHANGED} AND {news}",
            self.store.table.quoted()
        );
        let table = self.store.table.quoted();
        let schema = quote(self.store.table.schema().unwrap_or("main"));
        let is_user = column.users.as_ref().map(|users| {
            format!(
                "SELECT 1 FROM {schema}.{} WHERE {} = ?1",
                quote(&users.name),
                quote(&users.key)
            )
        });
        self.transaction("update", |transaction| {
            let mut update = transaction.prepare_cached(&sql)?;
            let mut is_user = is_user.map(|sql| transaction.prepare_cached(&sql)).transpose()?;
            let mut done = Assigned::default();
            for row in rows {
                let mut user = row.user.map(|id| stored(column.kind, id));
                if let (Some(is_user), Some(id)) = (&mut is_user, row.user)
                    && !is_user.exists([&user])?
                {
                    done.unknown.insert(id.into());
                    if !overwrite {
                        continue;
                    }
                    user = None;
                }
                if !is_unchanged(transaction, &table, row.key, row.data)? {
                    continue;
                }
                let rows = update.execute((row.key, row.data.text(), user))?;
                done.rows += u64::try_from(rows).unwrap_or(u64::MAX);
            }
            Ok((done.rows, done))
        })
    }

    /// Creates the index. SQLite does it in one transaction, which blocks every writer for about a second per
    /// million rows.
    pub(super) fn index_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let store = self.store;
        self.unless_there(&store.index_column_sql(column), |connection| {
            store.is_indexed(connection, &column.name)
        })
        .map_err(|error| fail(error, store.what("index")))
    }

    /// Runs a statement, unless another process has done so or is doing so now.
    fn unless_there(
        &mut self,
        sql: &str,
        is_there: impl Fn(&Connection) -> rusqlite::Result<bool>,
    ) -> rusqlite::Result<()> {
        if is_there(&self.connection)? {
            return Ok(());
        }
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !is_there(&transaction)? {
            transaction.execute_batch(sql)?;
        }
        transaction.commit()
    }
}

//! The user column: finds it, adds it, fills it and indexes it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mysql_async::{Row, Value};

use super::MySql;
use super::catalog::{Column, bound, look, named};
use super::client::Client;
use super::fault::{Failure, fail};
use super::keys::{MOST_KEYS, UNCHANGED, joined_with};
use super::row::{number, text};
use super::sql::{quote, quoted};
use super::writer::MySqlWriter;
use crate::store::user_column::uuid;
use crate::store::waits::Work;
use crate::store::{
    Assigned, Assignment, ByUser, ColumnCondition, Fault, StoreError, UserColumn, UserColumnPlan,
    UserKey, UserTable, UserType, Users,
};

/// Rows filled per second, the two scans of the table included.
const ROWS_PER_SECOND: u64 = 20_000;
/// Most ids that a statement names. With more of them all rows are read.
const MOST_IDS: usize = 1_000;
/// Characters of a text that its index holds: what fits into every row format.
const INDEXED: u32 = 191;
/// How often a change of the table is tried. Each waits for one second: who uses the table meanwhile waits behind it.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);

/// What refers to users: one foreign key of one column.
const USERS: &str = "
    SELECT MAX(k.referenced_table_name), MAX(k.referenced_column_name)
    FROM information_schema.key_column_usage k
    WHERE k.table_schema = COALESCE(?, DATABASE()) AND k.table_name = ? AND k.referenced_table_name IS NOT NULL
    GROUP BY k.constraint_name HAVING COUNT(*) = 1 AND MAX(k.column_name) = ?";

const IS_INDEXED: &str = "
    SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND seq_in_index = 1 AND column_name = ? AND index_type = 'BTREE'";

/// The type that a new column gets. A text is compared byte by byte; without a length, as an id may have any.
fn type_name(kind: UserType) -> &'static str {
    match kind {
        UserType::Text => "text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        UserType::Bigint => "bigint",
        UserType::Uuid => "char(32) CHARACTER SET ascii COLLATE ascii_bin",
    }
}

/// The type of a column, and how much it holds, if that is less than the type allows.
fn kind(column: &Column) -> Option<(UserType, Option<u32>)> {
    let declared = column.kind.to_ascii_lowercase();
    let name = declared.split(['(', ' ']).next().unwrap_or_default();
    let length = declared.split(['(', ')']).nth(1).and_then(|length| length.parse().ok());
    Some(match (name, length) {
        ("bigint", _) => (UserType::Bigint, None),
        ("int", _) => (UserType::Bigint, Some(4)),
        ("mediumint", _) => (UserType::Bigint, Some(3)),
        ("smallint", _) => (UserType::Bigint, Some(2)),
        // Django's BooleanField.
        ("tinyint", Some(1)) => return None,
        ("tinyint", _) => (UserType::Bigint, Some(1)),
        ("uuid", _) | ("char", Some(32)) => (UserType::Uuid, None),
        ("char" | "varchar", length) => (UserType::Text, length),
        ("text" | "mediumtext" | "longtext", _) => (UserType::Text, None),
        _ => return None,
    })
}

/// The id as a value of a statement.
pub(super) fn stored(kind: UserType, id: &str) -> Value {
    match kind {
        UserType::Text => id.into(),
        UserType::Bigint => id.parse::<i64>().map_or_else(|_| id.into(), Value::Int),
        UserType::Uuid => id.replace('-', "").into(),
    }
}

/// The value of the column, spelled as [`UserType::fit`] returns it.
pub(super) fn shown(kind: UserType, value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::NULL => None,
        Value::Int(number) => Some(number.to_string().into()),
        Value::UInt(number) => Some(number.to_string().into()),
        Value::Bytes(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let canonical = if kind == UserType::Uuid { uuid(&text) } else { None };
            Some(canonical.map_or(text, Cow::Owned))
        }
        other => Some(other.as_sql(true).into()),
    }
}

/// A condition that holds for the rows that are asked for, and perhaps for others: a collation takes different texts for the
/// same. `None` for all rows.
pub(super) fn condition(by: &ByUser, column: Option<&Column>) -> Option<(String, Vec<Value>)> {
    let name = format!("s.{}", quote(&by.column.name));
    match &by.condition {
        ColumnCondition::Any => None,
        ColumnCondition::Missing => Some((format!("{name} IS NULL"), Vec::new())),
        ColumnCondition::OneOf(ids) if ids.is_empty() => Some(("FALSE".into(), Vec::new())),
        ColumnCondition::OneOf(ids) if ids.len() > MOST_IDS => None,
        ColumnCondition::OneOf(ids) => {
            let kind = by.column.kind;
            let places = vec![place(kind, column); ids.len()].join(", ");
            let values = ids.iter().map(|id| stored(kind, id)).collect();
            Some((format!("{name} IN ({places})"), values))
        }
    }
}

/// A bound id, as the column has it.
fn place(kind: UserType, column: Option<&Column>) -> String {
    match kind {
        UserType::Bigint => "CAST(? AS SIGNED)".into(),
        UserType::Text | UserType::Uuid
            if column.is_some_and(|column| column.charset.is_some()) =>
        {
            bound(column)
        }
        UserType::Text | UserType::Uuid => "?".into(),
    }
}

impl MySql {
    pub(super) fn user_column(
        &self,
        client: &mut Client,
        name: &str,
    ) -> Result<Option<UserColumn>, StoreError> {
        let cannot = |failure| fail(failure, self.what("read"));
        let found = look(client, &self.table).map_err(cannot)?;
        let Some(column) = found.column(name) else { return Ok(None) };
        let Some((kind, width)) = kind(column) else {
            return Err(StoreError::new(Fault::Fatal, self.what("use a user column of"))
                .because(format!("its column \"{name}\" has the type {}", column.kind))
                .hint("a user column is text, varchar, bigint, int, uuid or char(32); name another one"));
        };
        let indexed = self.is_indexed(client, name).map_err(cannot)?;
        let users = self.referred_users(client, name).map_err(cannot)?;
        Ok(Some(UserColumn { name: name.into(), kind, width, indexed, users }))
    }

    pub(super) fn user_key(
        &self,
        client: &mut Client,
        users: &Users,
    ) -> Result<Option<UserKey>, StoreError> {
        let found =
            look(client, &users.table).map_err(|failure| fail(failure, self.what("read")))?;
        Ok(found.column(&users.key).map(|column| match kind(column) {
            Some((UserType::Text, _)) if column.ignores_case() => UserKey::AnyCase,
            Some((kind, _)) => UserKey::Of(kind),
            None => UserKey::Other(column.kind.clone()),
        }))
    }

    pub(super) fn user_column_plan(&self, column: &UserColumn) -> UserColumnPlan {
        UserColumnPlan {
            add: self.add_column_sql(column, INSTANT),
            index: vec![self.index_column_sql(column)],
            copies_rows: false,
            rows_per_second: ROWS_PER_SECOND,
        }
    }

    fn add_column_sql(&self, column: &UserColumn, how: &str) -> String {
        let (table, name) = (quoted(&self.table), quote(&column.name));
        format!("ALTER TABLE {table} ADD COLUMN {name} {} NULL, {how}", type_name(column.kind))
    }

    fn index_column_sql(&self, column: &UserColumn) -> String {
        let name = quote(&column.name);
        let part = match (column.kind, column.width) {
            (UserType::Text, width) if width.is_none_or(|width| width > INDEXED) => {
                format!("{name} ({INDEXED})")
            }
            _ => name,
        };
        let index = quote(&column.index_name(&self.table));
        format!("ALTER TABLE {} ADD INDEX {index} ({part}), {INPLACE}", quoted(&self.table))
    }

    pub(super) fn is_indexed(&self, client: &mut Client, name: &str) -> Result<bool, Failure> {
        let mut values = named(&self.table);
        values.push(name.into());
        let row = client.first(IS_INDEXED, values)?;
        Ok(row.and_then(|row| number(&row, 0)) > Some(0))
    }

    fn referred_users(
        &self,
        client: &mut Client,
        name: &str,
    ) -> Result<Option<UserTable>, Failure> {
        let mut values = named(&self.table);
        values.push(name.into());
        let table = |row: Row| UserTable { name: text(&row, 0), key: text(&row, 1), hidden: false };
        Ok(client.first(USERS, values)?.map(table))
    }
}

/// MySQL refuses INSTANT together with LOCK=NONE.
pub(super) const INSTANT: &str = "ALGORITHM=INSTANT";
pub(super) const INPLACE: &str = "ALGORITHM=INPLACE, LOCK=NONE";
/// The algorithm is not to be had for this table.
pub(super) const NOT_SO: [u16; 2] = [1845, 1846];
const COLUMN_IS_THERE: u16 = 1060;
const INDEX_IS_THERE: u16 = 1061;

impl MySqlWriter<'_> {
    pub(super) fn add_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let (store, what) = (self.store, self.store.what("add a column to"));
        let mut added = self.alter(&store.add_column_sql(column, INSTANT));
        if added
            .as_ref()
            .is_err_and(|failure| failure.code().is_some_and(|code| NOT_SO.contains(&code)))
        {
            added = self.alter(&store.add_column_sql(column, INPLACE));
        }
        match added {
            Err(failure) if failure.code() == Some(COLUMN_IS_THERE) => Ok(()),
            Err(failure) if failure.code().is_some_and(|code| NOT_SO.contains(&code)) => {
                Err(fail(failure, what).hint(format!(
                    "this table cannot be changed without being copied, which keeps the site's writers out: in a maintenance window run: {}",
                    store.add_column_sql(column, "ALGORITHM=COPY")
                )))
            }
            added => added.map_err(|failure| fail(failure, what)),
        }?;
        let found = look(&mut self.client, &store.table);
        self.found = found.map_err(|failure| fail(failure, store.what("read")))?;
        Ok(())
    }

    pub(super) fn index_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let (store, what) = (self.store, self.store.what("index"));
        if self.has_index(column)? {
            return Ok(());
        }
        self.client.wait_for(Work::Build);
        let indexed = self.alter(&store.index_column_sql(column));
        self.client.wait_for(Work::Batch);
        match indexed {
            // Another backfill may have made it meanwhile.
            Err(failure)
                if failure.code() == Some(INDEX_IS_THERE) && !self.has_index(column)? =>
            {
                Err(fail(failure, what)
                    .hint("an index of that name is on another column: drop or rename it"))
            }
            Err(failure) if failure.code() != Some(INDEX_IS_THERE) => Err(fail(failure, what)),
            _ => Ok(()),
        }
    }

    fn has_index(&mut self, column: &UserColumn) -> Result<bool, StoreError> {
        let found = self.store.is_indexed(&mut self.client, &column.name);
        found.map_err(|failure| fail(failure, self.store.what("read")))
    }

    /// Runs a statement that needs the table for itself for a moment. While it waits for that everybody else waits behind it,
    /// so each try is short.
    pub(super) fn alter(&mut self, sql: &str) -> Result<(), Failure> {
        self.client.execute("SET SESSION lock_wait_timeout = 1")?;
        let mut altered = self.client.execute(sql);
        for _ in 1..TRIES {
            let is_busy = altered.as_ref().is_err_and(|failure| failure.fault() == Fault::Busy);
            if !is_busy || self.store.waits.stop().asked().is_some() {
                break;
            }
            let until = Instant::now() + BETWEEN_TRIES;
            self.store.waits.stop().sleep(until.saturating_duration_since(Instant::now()));
            altered = self.client.execute(sql);
        }
        let reset = self.client.execute("SET SESSION lock_wait_timeout = 5");
        altered.and(reset).map(|_| ())
    }

    pub(super) fn assign_users(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError> {
        let mut done = Assigned::default();
        for rows in rows.chunks(MOST_KEYS) {
            let assigned = self.assign_some(column, rows, overwrite, &mut done.unknown);
            done.rows += assigned.map_err(|failure| fail(failure, self.store.what("update")))?;
        }
        Ok(done)
    }

    fn assign_some(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
        unknown: &mut BTreeSet<String>,
    ) -> Result<u64, Failure> {
        let mut values = Vec::new();
        let missing = self.missing_users(column, rows)?;
        for row in rows {
            let is_missing = row.user.is_some_and(|id| missing.contains(id));
            unknown.extend(row.user.filter(|_| is_missing).map(str::to_owned));
            if is_missing && !overwrite {
                continue;
            }
            let user = row.user.filter(|_| !is_missing).map(|id| stored(column.kind, id));
            let key = self.found.key_value(row.key);
            values.extend([key, row.data.hex().into(), user.unwrap_or(Value::NULL)]);
        }
        if values.is_empty() {
            return Ok(0);
        }
        let name = format!("s.{}", quote(&column.name));
        let news = match column.kind {
            _ if !overwrite => format!("{name} IS NULL"),
            // The collation may take the old user for the new one.
            UserType::Text => format!("NOT (CAST({name} AS BINARY) <=> CAST(x.v AS BINARY))"),
            UserType::Bigint | UserType::Uuid => format!("NOT ({name} <=> x.v)"),
        };
        let user = place(column.kind, self.found.column(&column.name));
        let sql = format!(
            "UPDATE {} SET {name} = x.v WHERE {UNCHANGED} AND {news}",
            joined_with(self.store, &self.found, &user, values.len() / 3)
        );
        self.client.change(&sql, values)
    }

    /// Of the users of these rows, those whom the table lacks that the column refers to.
    fn missing_users(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
    ) -> Result<BTreeSet<String>, Failure> {
        let Some(users) = &column.users else { return Ok(BTreeSet::new()) };
        let mut missing: BTreeSet<String> =
            rows.iter().filter_map(|row| row.user.map(str::to_owned)).collect();
        if missing.is_empty() {
            return Ok(missing);
        }
        let places = vec!["?"; missing.len()].join(", ");
        let (table, key) = (self.store.table.beside(&users.name), quote(&users.key));
        let sql = format!("SELECT {key} FROM {} WHERE {key} IN ({places})", quoted(&table));
        let values = missing.iter().map(|id| stored(column.kind, id)).collect();
        for row in self.client.query(&sql, values)? {
            if let Some(id) = row.as_ref(0).and_then(|value| shown(column.kind, value)) {
                missing.remove(&*id);
            }
        }
        Ok(missing)
    }
}

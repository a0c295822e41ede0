//! The user column: finds it, adds it, fills it and indexes it.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::grants::printable;
use super::sight::hidden;
use super::sql::{BY_KEY, IS_UNCHANGED, PAIRED, type_name};
use super::transaction::Failed;
use super::writer::PostgresWriter;
use crate::store::table::quote;
use crate::store::{
    Assigned, Assignment, Fault, StoreError, Table, UserColumn, UserColumnPlan, UserKey, UserTable,
    UserType, Users,
};

/// ACCESS EXCLUSIVE blocks every later query, so give up after 0.5 s.
pub(super) const BEGIN_ALTER: &str = "BEGIN READ WRITE; SET LOCAL lock_timeout = '500ms'";

/// Locks the table to detect another sessctl that is building the index now: its unfinished index looks like
/// the leftover of an interrupted run, but it holds a lock on the table.
const BEGIN_INDEX: &str = "BEGIN READ WRITE; SET LOCAL lock_timeout = '2s'; LOCK TABLE";

/// Rows filled per second, with fsync, the two scans of the table included.
const ROWS_PER_SECOND: u64 = 30_000;

/// A hint, since settings of a transaction do not apply to CREATE INDEX CONCURRENTLY.
const NO_TIMEOUT: &str = "if that was its statement_timeout: add ?options=-c%20statement_timeout%3D0 to the URL for this run";

const FIND: &str = "
    SELECT a.atttypid::pg_catalog.regtype::pg_catalog.text, a.attlen, a.atttypmod,
           EXISTS (SELECT FROM pg_catalog.pg_index i
                   WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL
                       AND (SELECT amname = 'btree' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am m ON m.oid = c.relam
                            WHERE c.oid = i.indexrelid)),
           f.confrelid,
           k.attname::pg_catalog.text,
           coalesce(pg_catalog.row_security_active(f.confrelid), false)
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_constraint f ON f.conrelid = a.attrelid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
    LEFT JOIN pg_catalog.pg_attribute k ON k.attrelid = f.confrelid AND k.attnum = f.confkey[1]
    WHERE a.attrelid = $1 AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped";

/// The invalid index that an interrupted CREATE INDEX CONCURRENTLY left behind (PostgreSQL docs, "CREATE
/// INDEX").
const IS_INVALID: &str = "
    SELECT c.oid
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = $1 AND c.relname = $2 AND NOT i.indisvalid";

/// The tables that hold the rows: the table itself, its partitions, or tables that inherit from it.
const PARTS: &str = "
    WITH RECURSIVE parts (part) AS (
        SELECT $1 UNION SELECT inhrelid FROM parts JOIN pg_catalog.pg_inherits ON inhparent = part)
    SELECT part, nspname::pg_catalog.text, relname::pg_catalog.text
    FROM parts JOIN pg_catalog.pg_class c ON c.oid = part JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'r' ORDER BY part";

/// The type of a key; for a domain, its base type.
const USER_KEY: &str = "
    SELECT coalesce(nullif(t.typbasetype, 0), t.oid)::pg_catalog.regtype::pg_catalog.text,
           CASE WHEN t.typbasetype = 0 THEN a.atttypmod ELSE t.typtypmod END
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1 AND a.attname = $2 AND NOT a.attisdropped";

fn kind(declared: &str) -> Option<UserType> {
    match declared {
        "text" | "character varying" => Some(UserType::Text),
        "bigint" | "integer" | "smallint" => Some(UserType::Bigint),
        "uuid" => Some(UserType::Uuid),
        _ => None,
    }
}

/// The kind of a key with this declared type. The modifier of a numeric type holds its total digits and its
/// decimal places in 16 bits each, plus four for the header.
fn key(declared: String, modifier: i32) -> UserKey {
    let has_modifier = modifier >= 4;
    let digits = modifier.wrapping_sub(4);
    match &*declared {
        "character" => UserKey::Padded,
        name if name == "citext" || name.ends_with(".citext") => UserKey::AnyCase,
        "numeric" if has_modifier && digits >> 16 <= BIGINT_DIGITS && digits % 0x1_0000 == 0 => {
            UserKey::Of(UserType::Bigint)
        }
        name => match kind(name) {
            Some(kind) => UserKey::Of(kind),
            None => UserKey::Other(declared),
        },
    }
}

/// Decimal digits that fit 64 bits.
const BIGINT_DIGITS: i32 = 18;

impl Postgres {
    pub(super) fn user_column(
        &self,
        client: &mut Client,
        oid: u32,
        name: &str,
    ) -> Result<Option<UserColumn>, StoreError> {
        let cannot = |error| fail(error, self.what("read"));
        let found =
            client.query_typed(FIND, &[(&oid, Type::OID), (&name, Type::TEXT)]).map_err(cannot)?;
        let Some(row) = found.first() else { return Ok(None) };
        let declared: String = row.try_get(0).map_err(cannot)?;
        let kind = kind(&declared).ok_or_else(|| self.no_user_column(name, &declared))?;
        let bytes: i16 = row.try_get(1).map_err(cannot)?;
        let modifier: i32 = row.try_get(2).map_err(cannot)?;
        let width = match kind {
            // varchar(n): n and the four bytes of its header.
            UserType::Text => modifier.checked_sub(4).and_then(|chars| u32::try_from(chars).ok()),
            UserType::Bigint => u32::try_from(bytes).ok().filter(|bytes| *bytes < 8),
            UserType::Uuid => None,
        };
        let indexed = row.try_get(3).map_err(cannot)?;
        let (table, key): (Option<u32>, Option<String>) =
            (row.try_get(4).map_err(cannot)?, row.try_get(5).map_err(cannot)?);
        let hidden = row.try_get(6).map_err(cannot)?;
        let named = client.names(table.as_slice()).map_err(cannot)?.into_values().next();
        let users = named.zip(key).map(|(name, key)| UserTable { name, key, hidden });
        Ok(Some(UserColumn { name: name.into(), kind, width, indexed, users }))
    }

    pub(super) fn user_key(
        &self,
        client: &mut Client,
        users: &Users,
    ) -> Result<Option<UserKey>, StoreError> {
        let cannot = |error| fail(error, self.what("read"));
        let oid = client.resolve(&users.table.quoted()).map_err(cannot)?;
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&oid, Type::OID), (&users.key, Type::TEXT)];
        let found = client.query_typed_opt(USER_KEY, &values).map_err(cannot)?;
        let Some(row) = found else { return Ok(None) };
        let declared: String = row.try_get(0).map_err(cannot)?;
        Ok(Some(key(declared, row.try_get(1).map_err(cannot)?)))
    }

    pub(super) fn user_column_plan(
        &self,
        client: &mut Client,
        oid: u32,
        column: &UserColumn,
    ) -> Result<UserColumnPlan, StoreError> {
        self.demand_users(client, column)?;
        let mut index = Vec::new();
        for (part, table) in self.parts(client, oid)? {
            if part != oid {
                index.push(index_sql("INDEX CONCURRENTLY", &table, column));
            }
        }
        let concurrently = if index.is_empty() { "INDEX CONCURRENTLY" } else { "INDEX" };
        index.push(index_sql(concurrently, &self.table, column));
        Ok(UserColumnPlan {
            add: printable(&self.add_column_sql(column)),
            index: index.iter().map(|sql| printable(sql)).collect(),
            copies_rows: true,
            rows_per_second: ROWS_PER_SECOND,
        })
    }

    /// The tables that hold the rows.
    pub(super) fn parts(
        &self,
        client: &mut Client,
        oid: u32,
    ) -> Result<Vec<(u32, Table)>, StoreError> {
        let read = |row: &tokio_postgres::Row| {
            Ok((row.try_get(0)?, Table::new(Some(row.try_get(1)?), row.try_get(2)?)))
        };
        client
            .query_typed(PARTS, &[(&oid, Type::OID)])
            .and_then(|rows| rows.iter().map(read).collect())
            .map_err(|error| fail(error, self.what("read")))
    }

    /// An error if row security hides users to whom the column refers: they would seem missing.
    fn demand_users(&self, client: &mut Client, column: &UserColumn) -> Result<(), StoreError> {
        let Some(users) = &column.users else { return Ok(()) };
        let (name, refers, server) = (&users.name, &column.name, self.server());
        let what =
            || format!("cannot read {name}, to which column \"{refers}\" refers, in {server}");
        if users.hidden {
            return Err(hidden(what()));
        }
        self.demand_trust_in(client, name, what)
    }

    fn add_column_sql(&self, column: &UserColumn) -> String {
        format!(
            "ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}",
            self.table.quoted(),
            column.quoted(),
            type_name(column.kind)
        )
    }

    fn no_user_column(&self, name: &str, declared: &str) -> StoreError {
        StoreError::new(Fault::Fatal, self.what("use a user column of"))
            .because(format!("its column \"{name}\" is of type {declared}"))
            .hint("a user column is text, bigint or uuid; name another one")
    }
}

impl PostgresWriter<'_> {
    pub(super) fn add_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        // An existing column must need neither a lock nor ownership of the table.
        if let Some(found) = store.user_column(&mut self.client, oid, &column.name)? {
            return store.demand_users(&mut self.client, &found);
        }
        if self.found.has_foreign_parts {
            return Err(StoreError::new(Fault::Fatal, store.what("add a column to"))
                .because("rows of it are on another server, whose table would not have the column")
                .hint("add the column there first, and then here"));
        }
        let sql = format!("{BEGIN_ALTER}; {}; COMMIT", store.add_column_sql(column));
        self.client.batch_execute(&sql).map_err(|error| {
            let denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
            let error = self.give_up(error, "add a column to");
            if denied { error.hint("connect as the owner of the table") } else { error }
        })
    }

    pub(super) fn assign_users(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError> {
        column.users.as_ref().map_or(Ok(()), |users| self.guard_read(&users.name))?;
        let name = column.quoted();
        let id = format!("n.id::{}", type_name(column.kind));
        let is_user = column.users.as_ref().map(|users| {
            let (table, key) = (&users.name, quote(&users.key));
            format!("EXISTS (SELECT FROM {table} AS u WHERE u.{key} OPERATOR(pg_catalog.=) {id})")
        });
        let unknown = is_user.as_ref().map(|is_user| {
            format!(
                "SELECT DISTINCT n.id FROM pg_catalog.unnest($1) AS n (id) \
                 WHERE n.id IS NOT NULL AND NOT {is_user}"
            )
        });
        let said = match &is_user {
            Some(is_user) => format!("CASE WHEN {is_user} THEN {id} END"),
            None => id,
        };
        let news = match &is_user {
            // The long form of IS DISTINCT FROM, whose operator cannot be named with its schema.
            _ if overwrite => format!(
                "CASE WHEN t.{name} IS NULL OR ({said}) IS NULL THEN (t.{name} IS NULL) OPERATOR(pg_catalog.<>) (({said}) IS NULL) \
                 ELSE t.{name} OPERATOR(pg_catalog.<>) ({said}) END"
            ),
            Some(is_user) => format!("t.{name} IS NULL AND {is_user}"),
            None => format!("t.{name} IS NULL"),
        };
        let sql = format!(
            "UPDATE {} AS t SET {name} = {said} \
             FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), \
                 pg_catalog.unnest($3), pg_catalog.unnest($4)) AS n (key, was, hash, id) \
             WHERE {PAIRED} AND {IS_UNCHANGED} AND {news}",
            self.found.table.quoted()
        );
        let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        let was: Vec<_> = rows.iter().map(|row| row.data.text()).collect();
        let hashes: Vec<_> = rows.iter().map(|row| row.data.sha256()).collect();
        let ids: Vec<_> = rows.iter().map(|row| row.user).collect();
        let values: [(&(dyn ToSql + Sync), Type); 4] = [
            (&keys, Type::TEXT_ARRAY),
            (&was, Type::TEXT_ARRAY),
            (&hashes, Type::BYTEA_ARRAY),
            (&ids, Type::TEXT_ARRAY),
        ];
        let done = self.transaction("update", BY_KEY, |client| {
            let mut done = Assigned::default();
            if let Some(unknown) = &unknown {
                for row in client.query_typed(unknown, &[(&ids, Type::TEXT_ARRAY)])? {
                    done.unknown.insert(row.try_get(0)?);
                }
            }
            done.rows = client.execute_typed(&sql, &values)?;
            Ok(done)
        });
        done.map_err(|error| self.cannot_assign(error, column))
    }

    fn cannot_assign(&mut self, error: Failed, column: &UserColumn) -> StoreError {
        let code = error.code().cloned();
        let error = self.give_up(error, "update");
        match (code, &column.users) {
            // The user was deleted a moment ago: a retry will find the user missing.
            (Some(SqlState::FOREIGN_KEY_VIOLATION), Some(users)) => error
                .busy()
                .hint(format!("the column refers to {}, where a user is missing", users.name)),
            (Some(SqlState::INSUFFICIENT_PRIVILEGE), Some(users)) => error.hint(format!(
                "grant the role SELECT and UPDATE on the table, and SELECT on {}, to which the column refers",
                users.name
            )),
            _ => error,
        }
    }

    /// Creates the index. CONCURRENTLY does not block writes, but it cannot run in a transaction, nor on a
    /// partitioned table: there the index only joins those of the partitions.
    pub(super) fn index_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        let (store, oid) = (self.store, self.found.oid);
        for (part, table) in store.parts(&mut self.client, oid)? {
            if self.is_indexed(part, column)? {
                continue;
            }
            let lock =
                format!("{BEGIN_INDEX} {} IN SHARE UPDATE EXCLUSIVE MODE; COMMIT", table.quoted());
            self.client.batch_execute(&lock).map_err(|error| self.give_up(error, "index"))?;
            if !self.is_indexed(part, column)? {
                self.build_index(part, &table, column).map_err(|error| {
                    let (code, error) = (error.code().cloned(), fail(error, store.what("index")));
                    match code {
                        Some(SqlState::QUERY_CANCELED) => error.hint(NO_TIMEOUT),
                        Some(SqlState::DUPLICATE_TABLE) => error.busy(),
                        _ => error,
                    }
                })?;
            }
        }
        if !self.is_indexed(oid, column)? {
            let sql = index_sql("INDEX", &self.found.table, column);
            self.client
                .batch_execute(&format!("{BEGIN_ALTER}; {sql}; COMMIT"))
                .map_err(|error| self.give_up(error, "index"))?;
        }
        let analyze = format!("ANALYZE {} ({})", self.found.table.quoted(), column.quoted());
        self.client.batch_execute(&analyze).map_err(|error| fail(error, store.what("analyze")))
    }

    fn is_indexed(&mut self, table: u32, column: &UserColumn) -> Result<bool, StoreError> {
        let found = self.store.user_column(&mut self.client, table, &column.name)?;
        Ok(found.is_some_and(|found| found.indexed))
    }

    fn build_index(
        &mut self,
        oid: u32,
        table: &Table,
        column: &UserColumn,
    ) -> Result<(), tokio_postgres::Error> {
        let name = column.index_name(table);
        let invalid =
            self.client.query_typed(IS_INVALID, &[(&oid, Type::OID), (&name, Type::TEXT)])?;
        let invalid = invalid.first().map(|row| row.try_get(0)).transpose()?;
        for index in self.client.names(invalid.as_slice())?.into_values() {
            self.client.batch_execute(&format!("DROP INDEX CONCURRENTLY {index}"))?;
        }
        self.client.batch_execute(&index_sql("INDEX CONCURRENTLY", table, column))
    }
}

fn index_sql(index: &str, table: &Table, column: &UserColumn) -> String {
    let name = quote(&column.index_name(table));
    format!("CREATE {index} {name} ON {} ({})", table.quoted(), column.quoted())
}

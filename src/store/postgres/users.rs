//! The site's users.

use std::collections::BTreeSet;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::catalog::named;
use super::client::Client;
use super::fault::fail;
use super::filter::literal;
use super::grants::{Need, hint};
use super::sight::{hidden, is_hidden};
use super::sql::{BEGIN_SCAN, type_name};
use crate::store::table::quote;
use crate::store::users::REFERRING;
use crate::store::{StoreError, Table, User, UserKey, Users, WhichUsers};

/// Where the table `$2` is that goes with the sessions `$1`, of the search path `$3`. The site finds its sessions along the
/// path, so it finds the table in the schema of the sessions or in a later one.
const SCHEMA_BESIDE: &str = "
    WITH own (schema) AS (
        SELECT n.nspname::text FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
        WHERE s.oid = $1),
    places (schema, place) AS (
        SELECT schema, 0 FROM own
        UNION ALL
        SELECT p.schema, p.place FROM own, pg_catalog.unnest($3) WITH ORDINALITY AS p (schema, place)
        WHERE p.place > coalesce(pg_catalog.array_position($3, own.schema), 0))
    SELECT p.schema, c.oid
    FROM places p JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema
        LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = $2 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    WHERE c.oid IS NOT NULL OR p.place = 0
    ORDER BY c.oid IS NULL, p.place LIMIT 1";

/// Django names the tables of a model's `groups` and `user_permissions` after the model's own: only a model of users has both.
const OTHER_USERS: &str = "
    SELECT DISTINCT f.confrelid
    FROM pg_catalog.pg_class s JOIN pg_catalog.pg_class u ON u.oid = $2
        JOIN pg_catalog.pg_class c ON c.oid = s.oid OR c.relnamespace IN (s.relnamespace, u.relnamespace)
        JOIN pg_catalog.pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f'
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND f.conkey = ARRAY[a.attnum]
        JOIN pg_catalog.pg_class other ON other.oid = f.confrelid
    WHERE s.oid = $1 AND f.confrelid <> $2
        AND ((c.oid = s.oid OR c.relname = ANY($3)) AND a.attname = 'user_id'
            OR c.relname = other.relname || '_groups' AND EXISTS (
                SELECT FROM pg_catalog.pg_class p JOIN pg_catalog.pg_constraint t ON t.conrelid = p.oid AND t.contype = 'f'
                WHERE p.relnamespace = c.relnamespace AND p.relname = other.relname || '_user_permissions'
                    AND t.confrelid = other.oid))";

impl Postgres {
    pub(super) fn schema_beside(
        &self,
        client: &mut Client,
        oid: u32,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let cannot = |error| fail(error, self.what("look beside"));
        let front = client.resolve(&quote(name)).map_err(cannot)?;
        let path = client.search_path().map_err(cannot)?;
        let values: [(&(dyn ToSql + Sync), Type); 3] =
            [(&oid, Type::OID), (&name, Type::TEXT), (&path, Type::TEXT_ARRAY)];
        let found = client.query_typed_opt(SCHEMA_BESIDE, &values).map_err(cannot)?;
        let Some(row) = found else { return Ok(None) };
        let table: Option<u32> = row.try_get(1).map_err(cannot)?;
        // Then the name alone leads there, and is shorter for people.
        if front == table && self.table.schema().is_none() {
            return Ok(None);
        }
        row.try_get(0).map_err(cannot).map(Some)
    }

    pub(super) fn other_users(
        &self,
        client: &mut Client,
        oid: u32,
        users: &Table,
    ) -> Result<Vec<String>, StoreError> {
        let cannot = |error| fail(error, self.what("look beside"));
        let users = client.resolve(&users.quoted()).map_err(cannot)?;
        let values: [(&(dyn ToSql + Sync), Type); 3] =
            [(&oid, Type::OID), (&users, Type::OID), (&REFERRING.as_slice(), Type::TEXT_ARRAY)];
        named(client, OTHER_USERS, &values).map_err(cannot)
    }

    pub(super) fn read_users(
        &self,
        client: &mut Client,
        users: &Users,
        which: WhichUsers<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        let name = users.username.as_deref().map_or("NULL".into(), text);
        let exact = which.exact_column().map_or("NULL::pg_catalog.text".into(), text);
        let sql = format!(
            // As it is sent to Django: a cast would take the blanks away that fill a char(n).
            "SELECT pg_catalog.concat(u.{}), {name}, {exact} FROM {} u WHERE {}",
            quote(&users.key),
            users.table.quoted(),
            condition(users, which)
        );
        let what = format!("cannot read users in table \"{}\" in {}", users.table, self.server());
        self.demand_trust_in(client, &users.table.quoted(), || what.clone())?;
        let mut read = || -> Result<bool, tokio_postgres::Error> {
            client.batch_execute(BEGIN_SCAN)?;
            if is_hidden(client, &users.table.quoted())? {
                client.batch_execute("COMMIT")?;
                return Ok(false);
            }
            let none: [(&str, Type); 0] = [];
            let mut rows = client.query_typed_raw(&sql, none)?;
            while let Some(row) = rows.next()? {
                if which.is(row.try_get(2)?) {
                    emit(User { id: row.try_get(0)?, name: row.try_get(1)? });
                }
            }
            drop(rows);
            client.batch_execute("COMMIT").map(|()| true)
        };
        match read() {
            Ok(true) => Ok(()),
            Ok(false) => Err(hidden(what)),
            Err(error) => {
                let denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
                let error = fail(error, what);
                // Or the transaction that failed answers nothing more.
                let answers = denied && client.batch_execute("ROLLBACK").is_ok();
                Err(match answers.then(|| hint(client, &[need(users, which)])).flatten() {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
        }
    }
}

/// The columns that are read.
fn need(users: &Users, which: WhichUsers<'_>) -> Need {
    let asked = match which {
        WhichUsers::Having(column, _)
        | WhichUsers::Mail(column, _)
        | WhichUsers::Whether(column, _) => Some(column),
        WhichUsers::Any | WhichUsers::Keys(..) => None,
    };
    let columns: BTreeSet<&str> =
        [Some(&*users.key), users.username.as_deref(), asked].into_iter().flatten().collect();
    Need::of_columns("SELECT", &users.table, columns)
}

fn condition(users: &Users, which: WhichUsers<'_>) -> String {
    let equal = |left: &str, right: &str| {
        format!("{left} OPERATOR(pg_catalog.=) {}::pg_catalog.text", literal(right))
    };
    match which {
        WhichUsers::Having(column, value) => equal(&text(column), value),
        WhichUsers::Mail(column, address) => {
            let (column, len) = (text(column), address.local.chars().count());
            equal(&format!("pg_catalog.substr({column}, 1, {len})"), address.local)
        }
        WhichUsers::Whether(column, true) => format!("u.{} IS true", quote(column)),
        WhichUsers::Whether(column, false) => format!("u.{} IS NOT true", quote(column)),
        WhichUsers::Any => "true LIMIT 1".into(),
        WhichUsers::Keys(key, keys) => {
            let keys: Vec<String> = keys.iter().map(|key| literal(key)).collect();
            let keys = keys.join(",");
            let column = format!("u.{}", quote(&users.key));
            let (left, right) = match key {
                UserKey::Of(kind) => (column, format!("ARRAY[{keys}]::{}[]", type_name(*kind))),
                UserKey::Padded => (column, format!("ARRAY[{keys}]::pg_catalog.bpchar[]")),
                UserKey::Other(_) => (
                    format!("pg_catalog.concat({column})"),
                    format!("ARRAY[{keys}]::pg_catalog.text[]"),
                ),
                // What the operator of citext does, which is code of an extension.
                UserKey::AnyCase => (
                    format!("pg_catalog.lower({column}::pg_catalog.text)"),
                    format!(
                        "ARRAY(SELECT pg_catalog.lower(key) FROM pg_catalog.unnest(ARRAY[{keys}]::pg_catalog.text[]) AS k (key))"
                    ),
                ),
            };
            format!("{left} OPERATOR(pg_catalog.=) ANY({right})")
        }
    }
}

fn text(column: &str) -> String {
    format!("u.{}::pg_catalog.text", quote(column))
}

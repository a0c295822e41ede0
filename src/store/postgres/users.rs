//! Reads the table of the site's users.

use std::collections::BTreeSet;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::filter::literal;
use super::grants::{Need, hint};
use super::sight::{hidden, is_hidden};
use super::sql::{BEGIN_SCAN, type_name};
use crate::store::table::quote;
use crate::store::users::all_of;
use crate::store::{StoreError, User, UserKey, UserQuery, Users};

impl Postgres {
    pub(super) fn read_users(
        &self,
        client: &mut Client,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        let name = users.username.as_deref().map_or("NULL".into(), text);
        let exact = which.exact_column().map_or("NULL::pg_catalog.text".into(), text);
        let sql = format!(
            // The same form that Django receives: a cast would strip the blanks that pad a char(n).
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
                    emit(User::new(row.try_get(0)?, row.try_get(1)?));
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
                // After an error the transaction answers no further query, so it is rolled back first.
                let answers = denied && client.batch_execute("ROLLBACK").is_ok();
                Err(match answers.then(|| hint(client, &[need(users, which)])).flatten() {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
        }
    }
}

/// The right to read the columns that the query uses.
fn need(users: &Users, which: UserQuery<'_>) -> Need {
    let flags = match which {
        UserQuery::Whether(flags) => flags,
        _ => &[],
    };
    let known = [Some(&*users.key), users.username.as_deref(), which.exact_column()];
    let columns: BTreeSet<&str> =
        known.into_iter().flatten().chain(flags.iter().map(|(column, _)| *column)).collect();
    Need::of_columns("SELECT", &users.table, columns)
}

fn condition(users: &Users, which: UserQuery<'_>) -> String {
    let equal = |left: &str, right: &str| {
        format!("{left} OPERATOR(pg_catalog.=) {}::pg_catalog.text", literal(right))
    };
    match which {
        UserQuery::Having(column, value) => equal(&text(column), value),
        UserQuery::AnyCase(column, value) => {
            let lower = |text: &str| format!("pg_catalog.lower({text})");
            let value = lower(&format!("{}::pg_catalog.text", literal(value)));
            format!("{} OPERATOR(pg_catalog.=) {value}", lower(&text(column)))
        }
        UserQuery::Mail(column, address) => {
            let (column, len) = (text(column), address.local.chars().count());
            equal(&format!("pg_catalog.substr({column}, 1, {len})"), address.local)
        }
        UserQuery::Whether(flags) => all_of(flags, |column| format!("u.{}", quote(column))),
        UserQuery::Any => "true LIMIT 1".into(),
        UserQuery::Keys(key, keys) => {
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
                // The same as the operator of citext, which is code of an extension.
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

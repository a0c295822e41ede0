//! The site's users.

use std::collections::BTreeSet;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use super::filter::literal;
use super::grants::{Need, hint};
use super::reader::BEGIN_SCAN;
use super::sight::{hidden, is_hidden};
use super::user_column::type_name;
use crate::store::table::quote;
use crate::store::{StoreError, User, Users, WhichUsers};

impl Postgres {
    pub(super) fn read_users(
        &self,
        client: &mut Client,
        users: &Users,
        which: WhichUsers<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        let name = users.username.as_deref().map_or("NULL".into(), text);
        let sql = format!(
            "SELECT {}, {name} FROM {} u WHERE {}",
            text(&users.key),
            users.table.quoted(),
            condition(users, which)
        );
        let what = format!("cannot read users in table \"{}\" in {}", users.table, self.server());
        let mut read = || -> Result<bool, tokio_postgres::Error> {
            client.batch_execute(BEGIN_SCAN)?;
            if is_hidden(client, &users.table.quoted())? {
                client.batch_execute("COMMIT")?;
                return Ok(false);
            }
            let none: [(&str, Type); 0] = [];
            let mut rows = client.query_typed_raw(&sql, none)?;
            while let Some(row) = rows.next()? {
                emit(User { id: row.try_get(0)?, name: row.try_get(1)? });
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
            let local = equal(&format!("pg_catalog.substr({column}, 1, {len})"), address.local);
            let domain = format!("pg_catalog.lower(pg_catalog.substr({column}, {}))", len + 1);
            format!("{local} AND {}", equal(&domain, &address.domain.to_lowercase()))
        }
        WhichUsers::Whether(column, value) => format!("u.{} IS {value}", quote(column)),
        WhichUsers::Any => "true LIMIT 1".into(),
        WhichUsers::Keys(kind, keys) => {
            let keys: Vec<String> = keys.iter().map(|key| literal(key)).collect();
            let (key, kind) = (quote(&users.key), type_name(kind));
            format!("u.{key} OPERATOR(pg_catalog.=) ANY(ARRAY[{}]::{kind}[])", keys.join(","))
        }
    }
}

fn text(column: &str) -> String {
    format!("u.{}::pg_catalog.text", quote(column))
}

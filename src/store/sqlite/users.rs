//! Reads the table of the site's users.

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::Sqlite;
use super::fault::fail;
use super::row::text;
use super::user_column::{shown, stored};
use crate::store::table::quote;
use crate::store::users::all_of;
use crate::store::{StoreError, User, UserQuery, UserType, Users};

/// Most users that are read under one shared lock.
const PAGE: usize = 5_000;

impl Sqlite {
    pub(super) fn read_users(
        &self,
        connection: &Connection,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        let what =
            || format!("cannot read users in table \"{}\" in {}", users.table, self.path.display());
        read(connection, users, which, emit).map_err(|error| fail(error, what()))
    }
}

fn read(
    connection: &Connection,
    users: &Users,
    which: UserQuery<'_>,
    emit: &mut dyn FnMut(User),
) -> rusqlite::Result<()> {
    let kind = match which {
        UserQuery::Keys(key, _) => key.kind(),
        _ => None,
    };
    let kind = kind.unwrap_or(UserType::Text);
    let key = column(&users.key);
    let name = users.username.as_deref().map_or("NULL".into(), column);
    let (condition, mut values) = condition(users, which);
    let exact = which.exact_column().map_or("NULL".into(), column);
    let select =
        format!("SELECT {key}, {name}, {exact} FROM {} u WHERE {condition}", users.table.quoted());
    let values_alone = values.len();
    let only_one = matches!(which, UserQuery::Any);
    let page = if only_one { 1 } else { PAGE };
    let mut after = String::new();
    loop {
        let mut statement =
            connection.prepare_cached(&format!("{select}{after} ORDER BY {key} LIMIT {page}"))?;
        let mut rows = statement.query(params_from_iter(&values))?;
        let mut last = None;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            if seen == page && !only_one {
                last = Some(row.get::<_, Value>(0)?);
            }
            let text_of = |column| -> rusqlite::Result<_> {
                let value = row.get_ref(column)?;
                Ok((value != ValueRef::Null).then(|| text(value)))
            };
            let id = shown(kind, row.get_ref(0)?);
            if let (Some(id), true) = (id, which.is(text_of(2)?.as_deref())) {
                emit(User::new(id.into_owned(), text_of(1)?.as_deref()));
            }
        }
        let Some(last) = last else { return Ok(()) };
        values.truncate(values_alone);
        values.push(last);
        after = format!(" AND {key} > ?{}", values.len());
    }
}

fn condition(users: &Users, which: UserQuery<'_>) -> (String, Vec<Value>) {
    match which {
        UserQuery::Having(name, value) => {
            (format!("{} = ?1", column(name)), vec![Value::Text(value.into())])
        }
        UserQuery::AnyCase(name, value) => {
            (format!("lower({}) = lower(?1)", column(name)), vec![Value::Text(value.into())])
        }
        UserQuery::Mail(name, address) => {
            let (name, len) = (column(name), address.local.chars().count());
            (format!("substr({name}, 1, {len}) = ?1"), vec![Value::Text(address.local.into())])
        }
        UserQuery::Whether(flags) => (all_of(flags, column), Vec::new()),
        UserQuery::Any => ("true".into(), Vec::new()),
        UserQuery::Keys(key, keys) => {
            let kind = key.kind().unwrap_or(UserType::Text);
            let values: Vec<Value> = keys.iter().map(|key| stored(kind, key)).collect();
            let places = vec!["?"; values.len()].join(",");
            (format!("{} IN ({places})", column(&users.key)), values)
        }
    }
}

/// A column of the table of users, with the table before it: SQLite takes an unknown bare name for a text.
fn column(name: &str) -> String {
    format!("u.{}", quote(name))
}

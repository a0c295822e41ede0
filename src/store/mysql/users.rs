//! Reads the table of the site's users.

use std::borrow::Cow;

use mysql_async::Value;

use super::MySql;
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::bytes;
use super::sql::{quote, quoted};
use super::user_column::{shown, stored};
use crate::store::users::all_of;
use crate::store::{StoreError, User, UserQuery, UserType, Users};

/// Most users that one statement reads, and most keys that it names.
const PAGE: usize = 5_000;

impl MySql {
    pub(super) fn read_users(
        &self,
        client: &mut Client,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        self.demand_trust(client, &users.table)?;
        let what =
            || format!("cannot read users in table \"{}\" in {}", users.table, self.params.place());
        let read = match which {
            UserQuery::Keys(key, keys) => keys
                .chunks(PAGE)
                .try_for_each(|keys| read(client, users, UserQuery::Keys(key, keys), emit)),
            which => read(client, users, which, emit),
        };
        read.map_err(|failure| fail(failure, what()))
    }
}

fn read(
    client: &mut Client,
    users: &Users,
    which: UserQuery<'_>,
    emit: &mut dyn FnMut(User),
) -> Result<(), Failure> {
    let kind = match which {
        UserQuery::Keys(key, _) => key.kind(),
        _ => None,
    };
    let kind = kind.unwrap_or(UserType::Text);
    let key = column(&users.key);
    let name = users.username.as_deref().map_or("NULL".into(), column);
    let exact = which.exact_column().map_or("NULL".into(), column);
    let (condition, values) = condition(users, which);
    let select =
        format!("SELECT {key}, {name}, {exact} FROM {} u WHERE {condition}", quoted(&users.table));
    let only_one = matches!(which, UserQuery::Any);
    let page = if only_one { 1 } else { PAGE };
    let mut after: Option<Value> = None;
    loop {
        let (mut values, mut next) = (values.clone(), "");
        if let Some(last) = after.take() {
            values.push(last);
            next = " AND {key} > ?";
        }
        let next = next.replace("{key}", &key);
        let rows = client.query(&format!("{select}{next} ORDER BY {key} LIMIT {page}"), values)?;
        for row in &rows {
            let text = |at| match row.as_ref(at) {
                Some(Value::Bytes(_)) => Some(String::from_utf8_lossy(bytes(row, at))),
                Some(value) => shown(UserType::Text, value),
                None => None,
            };
            let id = row.as_ref(0).and_then(|value| shown(kind, value));
            if let (Some(id), true) = (id, which.is(text(2).as_deref())) {
                emit(User { id: id.into_owned(), name: text(1).map(Cow::into_owned) });
            }
        }
        if only_one || rows.len() < page {
            return Ok(());
        }
        after = rows.last().and_then(|row| row.as_ref(0)).cloned();
    }
}

/// A condition that holds for the users who are asked for, and perhaps for others: a collation takes different texts for the
/// same.
fn condition(users: &Users, which: UserQuery<'_>) -> (String, Vec<Value>) {
    match which {
        UserQuery::Having(name, value) => (format!("{} = ?", column(name)), vec![value.into()]),
        UserQuery::AnyCase(name, value) => {
            (format!("LOWER({}) = LOWER(?)", column(name)), vec![value.into()])
        }
        UserQuery::Mail(name, address) => {
            let characters = address.local.chars().count();
            (format!("LEFT({}, {characters}) = ?", column(name)), vec![address.local.into()])
        }
        UserQuery::Whether(flags) => (all_of(flags, column), Vec::new()),
        UserQuery::Any => ("TRUE".into(), Vec::new()),
        UserQuery::Keys(key, keys) => {
            let kind = key.kind().unwrap_or(UserType::Text);
            let values: Vec<Value> = keys.iter().map(|key| stored(kind, key)).collect();
            let places = vec!["?"; values.len()].join(", ");
            (format!("{} IN ({places})", column(&users.key)), values)
        }
    }
}

fn column(name: &str) -> String {
    format!("u.{}", quote(name))
}

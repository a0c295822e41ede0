//! Columns of other tables that hold keys of sessions, and whose rows are deleted with their sessions: how an operator
//! names them, and the checks before the first delete.

use std::fmt;
use std::str::FromStr;

use super::table::part;
use super::{Fault, StoreError, Table};

/// A column of another table that holds keys of sessions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferringColumn {
    table: Table,
    column: String,
}

/// Why a text names no column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no column of a table: expected TABLE.COLUMN or SCHEMA.TABLE.COLUMN, with \"double quotes\" around a part that holds a dot"
)]
pub struct NotAColumn;

impl ReferringColumn {
    /// That of django-allauth's app `usersessions`, which has a row for each login.
    pub fn of_allauth() -> Self {
        Self { table: Table::default().of_allauth(), column: "session_key".into() }
    }

    /// The table, as the operator named it.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The name of the column.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The table, in the schema of the session table unless another one was named.
    pub(super) fn table_beside(&self, sessions: &Table) -> Table {
        match self.table.schema() {
            Some(_) => self.table.clone(),
            None => sessions.beside(self.table.name()),
        }
    }

    /// Whether a foreign key of this table with these columns is this column.
    pub(super) fn is_in(&self, columns: &[String]) -> bool {
        columns.iter().any(|column| column.eq_ignore_ascii_case(&self.column))
    }
}

impl FromStr for ReferringColumn {
    type Err = NotAColumn;

    fn from_str(text: &str) -> Result<Self, NotAColumn> {
        let mut parts = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (name, after) = part(text).map_err(|_| NotAColumn)?;
            parts.push(name);
            rest = match after.strip_prefix('.') {
                None if !after.is_empty() => return Err(NotAColumn),
                more => more,
            };
        }
        let column = parts.pop().ok_or(NotAColumn)?;
        let name = parts.pop().ok_or(NotAColumn)?;
        let schema = parts.pop();
        let is_whole = parts.is_empty();
        is_whole.then(|| Self { table: Table::new(schema, name), column }).ok_or(NotAColumn)
    }
}

/// As an operator would type it.
impl fmt::Display for ReferringColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// What a database says of a table that is to refer to sessions.
pub(super) struct Described {
    pub(super) kind: Kind,
    pub(super) columns: Vec<DescribedColumn>,
    /// Whether the session table refers to it ON DELETE CASCADE.
    pub(super) takes_sessions: bool,
    /// Other tables in its schema. Needed only if there is none of its name.
    pub(super) others: Vec<String>,
    /// The SQL that makes an index on the column.
    pub(super) make_index: String,
}

impl Described {
    /// Refuses a table whose rows would take sessions with them that no scan looked at.
    fn refuse_cascade(
        &self,
        ReferringColumn { table, .. }: &ReferringColumn,
    ) -> Result<(), StoreError> {
        if !self.takes_sessions {
            return Ok(());
        }
        let what = format!(
            "sessions refer to table {table} ON DELETE CASCADE: with its rows the database would delete whichever sessions refer to them"
        );
        let hint = "leave that column out: a session that a foreign key of the table keeps then stays, and is counted";
        Err(StoreError::new(Fault::Fatal, what).hint(hint).misused())
    }

    /// Refuses a table with the columns that Django's `AbstractBaseUser` and `AbstractUser` give to a table of users.
    fn refuse_users(&self, referring: &ReferringColumn) -> Result<(), StoreError> {
        let has = |name| self.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        if !has("password") || !["last_login", "is_active", "is_superuser"].into_iter().any(has) {
            return Ok(());
        }
        let ReferringColumn { table, column } = referring;
        let what =
            format!("table {table} holds users: their accounts would go with their sessions");
        let hint = format!("UPDATE {table} SET {column} = NULL for these sessions instead");
        Err(StoreError::new(Fault::Fatal, what).hint(&hint).misused())
    }
}

/// What a name leads to.
pub(super) enum Kind {
    Nothing,
    /// The session table itself.
    Sessions,
    View,
    /// A table of this storage engine, which has no transactions.
    WithoutTransactions(String),
    Table,
}

pub(super) struct DescribedColumn {
    pub(super) name: String,
    pub(super) is_text: bool,
    /// Whether an index finds a value of it.
    pub(super) is_indexed: bool,
}

/// Most names that a hint lists.
const MOST_NAMED: usize = 8;

/// Checks that rows of the table can be deleted with the sessions that the column names. Returns a warning if that is slow.
pub(super) fn check(
    referring: &ReferringColumn,
    found: &Described,
) -> Result<Option<String>, StoreError> {
    let ReferringColumn { table, column } = referring;
    let unfit = |what: String, hint: &str| StoreError::new(Fault::Fatal, what).hint(hint);
    let refuse = |what: String, hint: &str| Err(unfit(what, hint).misused());
    match &found.kind {
        Kind::Nothing => {
            let place = if table.schema().is_some() { "" } else { " beside the session table" };
            let hint = hint_for(referring, found);
            return refuse(format!("there is no table {table}{place}"), &hint);
        }
        Kind::Sessions => {
            return refuse(
                format!("{table} is the session table itself"),
                "name tables that refer to it; `sessctl delete --match` selects sessions by what they hold",
            );
        }
        Kind::View => {
            let what = format!("cannot delete from {table}: it is a view, which may hide rows");
            return Err(unfit(what, "name the table behind the view, or leave the option out"));
        }
        Kind::WithoutTransactions(engine) => {
            let what = format!(
                "cannot delete from {table} with the sessions: {engine} has no transactions, so that its rows could go and their \
                 sessions stay"
            );
            return Err(unfit(
                what,
                "ALTER TABLE ... ENGINE=InnoDB, or delete its rows afterwards",
            ));
        }
        Kind::Table => {
            found.refuse_users(referring)?;
            found.refuse_cascade(referring)?;
        }
    }
    let names = || found.columns.iter().filter(|column| column.is_text).map(|found| &*found.name);
    match found.columns.iter().find(|found| found.name == *column) {
        None => {
            let hint = match near(column, names()) {
                Some(near) => format!("it has a column {near}"),
                None if names().next().is_none() => "it has no column of texts".into(),
                None => format!("its columns of texts are {}", some(names())),
            };
            refuse(format!("table {table} has no column {column}"), &hint)
        }
        Some(found) if !found.is_text => refuse(
            format!("column {column} of table {table} holds no texts, and so no keys of sessions"),
            "name the column that holds session_key",
        ),
        Some(column) => Ok((!column.is_indexed).then(|| {
            format!(
                "{referring} has no index: each batch reads the whole table {table} (a larger --batch-size has fewer). {} makes one",
                found.make_index
            )
        })),
    }
}

fn hint_for(referring: &ReferringColumn, found: &Described) -> String {
    if *referring == ReferringColumn::of_allauth() {
        return "leave --cleanup-allauth out, unless the site has allauth.usersessions; --table SCHEMA.NAME names the schema of both".into();
    }
    match near(referring.table.name(), found.others.iter().map(String::as_str)) {
        Some(near) => format!("there is a table {near}"),
        None => "name it as the database does: Django's are called APP_MODEL, and SCHEMA.TABLE.COLUMN names one elsewhere".into(),
    }
}

/// A name that may be meant: the same in other letters, or one that begins or ends with it.
fn near<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', ' ', '-'], "");
    let typed = plain(typed);
    let distance = |name: &str| {
        let name = plain(name);
        let more = name.len().abs_diff(typed.len());
        (name == typed
            || name.ends_with(&typed)
            || typed.ends_with(&name)
            || name.starts_with(&typed)
            || typed.starts_with(&name))
        .then_some(more)
    };
    names
        .filter(|name| name.len() > 2)
        .filter_map(|name| Some((distance(name)?, name)))
        .min()
        .map(|(_, name)| name)
}

fn some<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let more = names.len() > MOST_NAMED;
    names.truncate(MOST_NAMED);
    format!("{}{}", names.join(", "), if more { ", ..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(String, String)> {
        let column: ReferringColumn = text.parse().ok()?;
        Some((column.table.quoted(), column.column))
    }

    #[test]
    fn columns_are_named_with_or_without_a_schema() {
        for (text, table, column) in [
            ("shop_device.session_key", r#""shop_device""#, "session_key"),
            ("tenant.shop_device.key", r#""tenant"."shop_device""#, "key"),
            (r#""my.table"."Session Key""#, r#""my.table""#, "Session Key"),
            (r#"a."b""c".d"#, r#""a"."b""c""#, "d"),
        ] {
            assert_eq!(parsed(text), Some((table.to_owned(), column.to_owned())), "{text}");
        }
        for text in [
            "", ".", "device", "device.", ".key", "a.b.c.d", "\"a.b", "a..b", "a.b\"c", "\"a\"b.c",
            "a.\0",
        ] {
            assert_eq!(parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_that_may_be_meant() {
        let near =
            |typed: &str| near(typed, ["shop_device", "shop_devicelog", "Session Key"].into_iter());
        assert_eq!(near("device"), Some("shop_device"));
        assert_eq!(near("Shop_Device"), Some("shop_device"));
        assert_eq!(near("session_key"), Some("Session Key"));
        assert_eq!(near("cart"), None);
    }
}

//! Finds the tables that may be the table of the site's users.

use mysql_async::{Row, Value};

use super::MySql;
use super::catalog::named;
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::{number, text};
use crate::store::users::{OF_HISTORY, PEOPLE, REFERRING};
use crate::store::{Evidence, StoreError, Table, Uniqueness, Users, UsersFound};

/// The tables to which `user_id` of these tables refers, and which of them it is.
fn referred(tables: usize) -> String {
    format!(
        "SELECT MAX(referenced_table_name), MAX(referenced_column_name), table_name
         FROM information_schema.key_column_usage
         WHERE table_schema = COALESCE(?, DATABASE()) AND table_name IN ({}) AND referenced_table_schema = table_schema
         GROUP BY table_name, constraint_name HAVING COUNT(*) = 1 AND MAX(column_name) = 'user_id'",
        vec!["?"; tables].join(", ")
    )
}

/// The tables to which a table of groups and one of permissions refer, which are named after them.
const GROUPS: &str = "
    SELECT MAX(referenced_table_name), MAX(CASE WHEN table_name LIKE '%groups' THEN referenced_column_name END)
    FROM information_schema.key_column_usage
    WHERE table_schema = COALESCE(?, DATABASE()) AND referenced_table_schema = table_schema
      AND table_name IN (CONCAT(referenced_table_name, '_groups'), CONCAT(referenced_table_name, '_user_permissions'))
    GROUP BY referenced_table_name HAVING COUNT(DISTINCT table_name) = 2";

const SHAPE: &str = "
    SELECT DISTINCT table_name, NULL FROM information_schema.columns
    WHERE table_schema = COALESCE(?, DATABASE()) AND (column_name = 'password' OR table_name = 'auth_user')";

const COLUMNS: &str = "
    SELECT column_name, column_key = 'PRI' FROM information_schema.columns
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ordinal_position";

/// The table to which a column refers.
const PARENT: &str = "
    SELECT MAX(referenced_table_name) FROM information_schema.key_column_usage
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND referenced_table_schema = table_schema
    GROUP BY constraint_name HAVING COUNT(*) = 1 AND MAX(column_name) = ?";

/// The unique indexes of a table: whether it is that of the primary key, and its column, if it has one.
const UNIQUE: &str = "
    SELECT index_name = 'PRIMARY', CASE WHEN COUNT(*) = 1 THEN MAX(column_name) END
    FROM information_schema.statistics
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND non_unique = 0 GROUP BY index_name";

impl MySql {
    pub(super) fn uniqueness(
        &self,
        client: &mut Client,
        users: &Table,
        column: &str,
    ) -> Result<Uniqueness, StoreError> {
        let rows = client.query(UNIQUE, named(users));
        let rows = rows.map_err(|failure| fail(failure, self.what("look beside")))?;
        let is_unique = rows.iter().any(|row| text(row, 1).eq_ignore_ascii_case(column));
        let has_others = rows.iter().any(|row| number(row, 0) != Some(1));
        Ok(Uniqueness::of(is_unique, has_others))
    }

    pub(super) fn users_found(&self, client: &mut Client) -> Result<Vec<UsersFound>, StoreError> {
        self.find_users(client).map_err(|failure| fail(failure, self.what("look beside")))
    }

    fn find_users(&self, client: &mut Client) -> Result<Vec<UsersFound>, Failure> {
        let schema = Value::from(self.table.schema().map(str::to_owned));
        let referring: Vec<&str> = REFERRING.into_iter().chain([self.table.name()]).collect();
        let names = referring.iter().map(|name| Value::from(*name));
        let values = std::iter::once(schema.clone()).chain(names).collect();
        let mut rows = client.query(&referred(referring.len()), values)?;
        rows.sort_by_key(|row| {
            let table = text(row, 2);
            referring.iter().position(|name| table.eq_ignore_ascii_case(name))
        });
        let mut seen: Vec<(Evidence, Row)> =
            rows.into_iter().map(|row| (Evidence::Referred, row)).collect();
        for (evidence, sql) in [(Evidence::Groups, GROUPS), (Evidence::Shape, SHAPE)] {
            let rows = client.query(sql, vec![schema.clone()])?;
            seen.extend(rows.into_iter().map(|row| (evidence, row)));
        }
        let mut all = Vec::new();
        for (evidence, row) in seen {
            let table = self.table.beside(&text(&row, 0));
            let Some(described) = describe(client, &table)? else { continue };
            if evidence == Evidence::Shape && !described.is_shaped() {
                continue;
            }
            let Described { mut users, parent, .. } = described;
            let key = text(&row, 1);
            if !key.is_empty() {
                users.key = key;
            }
            all.push(UsersFound { users, evidence, place: 0, parent });
        }
        Ok(all)
    }

    pub(super) fn described(
        &self,
        client: &mut Client,
        users: &Table,
    ) -> Result<Option<Users>, StoreError> {
        let described =
            describe(client, users).map_err(|failure| fail(failure, self.what("look beside")))?;
        Ok(described.filter(|described| described.has_key).map(|described| described.users))
    }
}

/// A table that exists.
struct Described {
    users: Users,
    /// Whether it has a primary key of one column; otherwise `id` is assumed.
    has_key: bool,
    has_last_login: bool,
    /// The table to which its key refers.
    parent: Option<Table>,
}

impl Described {
    /// Whether a table with passwords may be that of users. Django's default may in any case.
    fn is_shaped(&self) -> bool {
        let name = self.users.table.name().to_ascii_lowercase();
        let is_of_people = || PEOPLE.iter().any(|word| name.contains(word));
        let is_users = self.has_key && (self.has_last_login || is_of_people());
        (name == "auth_user" || is_users) && !OF_HISTORY.contains(&&*self.users.key)
    }
}

fn describe(client: &mut Client, table: &Table) -> Result<Option<Described>, Failure> {
    let columns = client.query(COLUMNS, named(table))?;
    if columns.is_empty() {
        return Ok(None);
    }
    let is_key = |row: &&Row| number(row, 1) == Some(1);
    let mut keys = columns.iter().filter(is_key).map(|row| text(row, 0));
    let key = keys.next().filter(|_| keys.next().is_none());
    let (has_key, key) = (key.is_some(), key.unwrap_or_else(|| "id".into()));
    let names: Vec<String> = columns.iter().map(|row| text(row, 0)).collect();
    let mut values = named(table);
    values.push(key.as_str().into());
    let parent = client.first(PARENT, values)?.map(|row| table.beside(&text(&row, 0)));
    let has_last_login = names.iter().any(|name| name.eq_ignore_ascii_case("last_login"));
    let users = Users::of(table.clone(), key, &names);
    Ok(Some(Described { users, has_key, has_last_login, parent }))
}

//! Finds the tables that may be the table of the site's users.

use rusqlite::{Connection, Row};

use super::Sqlite;
use super::fault::fail;
use crate::store::users::{OF_HISTORY, PEOPLE, REFERRING};
use crate::store::{Evidence, StoreError, Table, Uniqueness, Users, UsersFound};

/// The tables to which `user_id` of the table `?1` refers.
const REFERRED: &str = r#"
    SELECT "table", "to" FROM pragma_foreign_key_list(?1, 'main')
    GROUP BY id HAVING count(*) = 1 AND "from" = 'user_id' COLLATE NOCASE"#;

const GROUPS: &str = r#"
    SELECT f."table", f."to" FROM main.sqlite_master t, pragma_foreign_key_list(t.name, 'main') f
    WHERE t.type = 'table' AND t.name = f."table" || '_groups' COLLATE NOCASE AND EXISTS (
        SELECT 1 FROM main.sqlite_master p, pragma_foreign_key_list(p.name, 'main') o
        WHERE p.type = 'table' AND p.name = f."table" || '_user_permissions' COLLATE NOCASE
            AND o."table" = f."table" COLLATE NOCASE)"#;

const SHAPE: &str = "
    SELECT t.name, NULL FROM main.sqlite_master t
    WHERE t.type IN ('table', 'view') AND t.name = 'auth_user' COLLATE NOCASE OR t.type = 'table' AND EXISTS (
        SELECT 1 FROM pragma_table_info(t.name, 'main') WHERE lower(name) = 'password')";

/// The unique indexes of table `?1`: whether it is that of the primary key; if it covers all rows and has one
/// column or expression, the column, or NULL, and the statement that made the index.
const UNIQUE: &str = r#"
    SELECT i.origin = 'pk', CASE WHEN count(*) = 1 AND NOT i.partial THEN x.name END,
        CASE WHEN count(*) = 1 AND NOT i.partial AND x.name IS NULL THEN
            (SELECT sql FROM main.sqlite_master WHERE type = 'index' AND name = i.name) END
    FROM pragma_index_list(?1, 'main') i, pragma_index_xinfo(i.name, 'main') x
    WHERE i."unique" AND x.key
    GROUP BY i.name"#;

impl Sqlite {
    pub(super) fn uniqueness(
        &self,
        connection: &Connection,
        users: &Table,
        column: &str,
    ) -> Result<Uniqueness, StoreError> {
        let find = || -> rusqlite::Result<Uniqueness> {
            let mut indexes = connection.prepare(UNIQUE)?;
            let mut rows = indexes.query([users.name()])?;
            let (mut is_unique, mut has_others) = (false, false);
            while let Some(row) = rows.next()? {
                let (name, sql): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
                has_others |= !row.get::<_, bool>(0)?;
                is_unique |= name.is_some_and(|name| name.eq_ignore_ascii_case(column))
                    || sql.is_some_and(|sql| is_case_of(&sql, column));
            }
            Ok(Uniqueness::of(is_unique, has_others))
        };
        find().map_err(|error| fail(error, self.what("look beside")))
    }

    pub(super) fn users_found(
        &self,
        connection: &Connection,
    ) -> Result<Vec<UsersFound>, StoreError> {
        self.find_users(connection).map_err(|error| fail(error, self.what("look beside")))
    }

    fn find_users(&self, connection: &Connection) -> rusqlite::Result<Vec<UsersFound>> {
        let pair = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let mut seen: Vec<(Evidence, (String, Option<String>))> = Vec::new();
        let mut referred = connection.prepare(REFERRED)?;
        for table in REFERRING.into_iter().chain([self.table.name()]) {
            for found in referred.query_map([table], pair)? {
                seen.push((Evidence::Referred, found?));
            }
        }
        for (evidence, sql) in [(Evidence::Groups, GROUPS), (Evidence::Shape, SHAPE)] {
            for found in connection.prepare(sql)?.query_map([], pair)? {
                seen.push((evidence, found?));
            }
        }
        let mut all = Vec::new();
        for (evidence, (name, key)) in seen {
            let table = Table::new(None, name);
            let Some(described) = describe(connection, &table)? else { continue };
            if evidence == Evidence::Shape && !described.is_shaped() {
                continue;
            }
            let Described { mut users, parent, .. } = described;
            if let Some(key) = key {
                users.key = key;
            }
            all.push(UsersFound { users, evidence, place: 0, parent });
        }
        Ok(all)
    }

    pub(super) fn described(
        &self,
        connection: &Connection,
        users: &Table,
    ) -> Result<Option<Users>, StoreError> {
        let described = describe(connection, users);
        let described = described.map_err(|error| fail(error, self.what("look beside")))?;
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

fn describe(connection: &Connection, table: &Table) -> rusqlite::Result<Option<Described>> {
    let schema = table.schema().unwrap_or("main");
    let mut statement = connection.prepare("SELECT name, pk FROM pragma_table_info(?1, ?2)")?;
    let columns = statement
        .query_map([table.name(), schema], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut keys = columns.iter().filter(|(_, place)| *place > 0).map(|(name, _)| name.clone());
    let key = keys.next().filter(|_| keys.next().is_none());
    let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let (has_key, key) = (key.is_some(), key.unwrap_or_else(|| "id".into()));
    let mut statement = connection.prepare(
        r#"SELECT "table" FROM pragma_foreign_key_list(?1, ?2)
           GROUP BY id HAVING count(*) = 1 AND "from" = ?3 COLLATE NOCASE"#,
    )?;
    let parents = statement
        .query_map([table.name(), schema, &*key], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    let parent = parents.into_iter().next().map(|name| Table::new(None, name));
    let has_last_login = names.iter().any(|name| name.eq_ignore_ascii_case("last_login"));
    let users = Users::of(table.clone(), key, &names);
    Ok(Some(Described { users, has_key, has_last_login, parent }))
}

/// Whether a statement makes an index on `lower(column)` or `upper(column)`, as Django's
/// `UniqueConstraint(Lower("username"))` does.
fn is_case_of(sql: &str, column: &str) -> bool {
    let Some((_, expression)) = sql.split_once('(') else { return false };
    let bare = expression.trim_matches(|one: char| one.is_whitespace() || "()".contains(one));
    let Some((function, of)) = bare.split_once('(') else { return false };
    let is_function =
        ["lower", "upper"].iter().any(|name| function.trim().eq_ignore_ascii_case(name));
    let of = of.trim().trim_matches(['"', '`', '[', ']']);
    is_function && of.eq_ignore_ascii_case(column)
}

//! What the server's catalog says of the session table.

use mysql_async::{Row, Value};

use super::MySql;
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::{number, text};
use super::session::{Access, Lists};
use super::sql::quoted;
use crate::store::{StoreError, Table, table};

/// Nobody's database but the server's.
pub(super) const SYSTEM: &str = "'information_schema', 'mysql', 'performance_schema', 'sys'";

const COLUMNS: &str = "SELECT column_name, character_set_name, collation_name, column_type, is_nullable = 'YES' \
    FROM information_schema.columns WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? ORDER BY ordinal_position";

const KIND: &str = "SELECT table_type, engine, VERSION() FROM information_schema.tables \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";

/// Unique indexes on the whole key and nothing else.
const IS_UNIQUE: &str = "SELECT COUNT(*) FROM (SELECT index_name FROM information_schema.statistics \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? GROUP BY index_name \
    HAVING COUNT(*) = 1 AND MAX(column_name = 'session_key') = 1 AND MAX(non_unique) = 0 AND MAX(sub_part IS NOT NULL) = 0) i";

/// In one database: what is in another belongs to another site, and has a name of its own for every account.
const ALIKE: &str = "SELECT table_name FROM information_schema.columns \
    WHERE table_schema = COALESCE(?, DATABASE()) AND column_name IN ('session_key', 'session_data', 'expire_date') \
    GROUP BY table_name HAVING COUNT(*) = 3 ORDER BY table_name";

const RENAMED_ALIKE: &str = "SELECT table_name FROM information_schema.columns \
    WHERE table_schema = COALESCE(?, DATABASE()) GROUP BY table_name \
    HAVING SUM(column_key = 'PRI') = 1 AND SUM(column_key = 'PRI' AND column_type = 'varchar(40)') = 1 \
       AND SUM(data_type = 'longtext') > 0 AND SUM(data_type = 'datetime') > 0 \
       AND SUM(column_name IN ('session_key', 'session_data', 'expire_date')) < 3 ORDER BY table_name";

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// The character set and the collation of a text.
    pub(super) charset: Option<(String, String)>,
    /// As in `CREATE TABLE`: `varchar(40)`, `datetime(6)`.
    pub(super) kind: String,
    pub(super) is_nullable: bool,
}

impl Column {
    /// The character set and the collation of a text, as words of a statement.
    pub(super) fn text(&self) -> Option<(&str, &str)> {
        let (charset, collation) = self.charset.as_ref()?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (charset.chars().all(is_plain) && collation.chars().all(is_plain))
            .then_some((charset, collation))
    }

    /// Whether its collation takes letters of either case for the same.
    pub(super) fn ignores_case(&self) -> bool {
        self.charset.as_ref().is_some_and(|(_, collation)| collation.ends_with("_ci"))
    }
}

/// What is known of the session table, or of another table with keys of sessions.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) columns: Vec<Column>,
    /// The column of the keys.
    pub(super) key_column: String,
    pub(super) is_view: bool,
    /// `InnoDB`; empty for a view.
    pub(super) engine: String,
    /// Whether no two rows have the same key.
    pub(super) is_unique: bool,
    pub(super) lists: Lists,
}

impl Found {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// A bound key, with the character set and the collation of the column, so that it is found in the index.
    pub(super) fn key(&self) -> String {
        self.key_of("?")
    }

    /// The same of the key that an expression yields.
    pub(super) fn key_of(&self, expression: &str) -> String {
        comparable(expression, self.column(&self.key_column))
    }

    /// A key as a value to be bound; NULL, which no row has, for one that the column cannot hold. To convert it would be an
    /// error on MySQL, and on MariaDB make question marks of it.
    pub(super) fn key_value(&self, key: &str) -> Value {
        if self.can_hold(key) { key.into() } else { Value::NULL }
    }

    /// Whether the character set of the keys has these characters.
    pub(super) fn can_hold(&self, key: &str) -> bool {
        let charset = self.column(&self.key_column).and_then(|column| column.charset.as_ref());
        let charset = charset.map_or("utf8", |(charset, _)| charset);
        key.chars().all(|c| match charset {
            _ if c.is_ascii() || charset.starts_with("utf8") => true,
            // Latin-1 as in Windows, which has other letters where that has control characters.
            "latin1" => ('\u{a0}'..='\u{ff}').contains(&c),
            _ => false,
        })
    }

    /// Whether a SELECT sees one state of the table, and holds no locks.
    pub(super) fn has_snapshots(&self) -> bool {
        self.engine.eq_ignore_ascii_case("InnoDB") || self.is_view
    }
}

/// A bound text to be compared with this column.
pub(super) fn bound(column: Option<&Column>) -> String {
    comparable("?", column)
}

/// A text, which an expression yields, to be compared with this column.
fn comparable(expression: &str, column: Option<&Column>) -> String {
    match column.and_then(Column::text) {
        Some((charset, collation)) => {
            format!("CONVERT({expression} USING {charset}) COLLATE {collation}")
        }
        None => format!("CAST({expression} AS BINARY)"),
    }
}

/// The database and the name of a table, as values of a statement.
pub(super) fn named(table: &Table) -> Vec<Value> {
    vec![table.schema().map(str::to_owned).into(), table.name().into()]
}

impl MySql {
    /// The databases with a table of this name, sorted, as far as the account has a right to it.
    pub(super) fn find_schemas(&self) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT table_schema FROM information_schema.tables WHERE table_name = ? \
             AND table_schema NOT IN ({SYSTEM}) ORDER BY table_schema"
        );
        let (mut client, _) = self.connect(Access::Read)?;
        let rows = client.query(&sql, vec![self.table.name().into()]);
        let rows = rows.map_err(|failure| fail(failure, self.what("read")))?;
        Ok(rows.iter().map(|row| text(row, 0)).collect())
    }

    /// Reads about the session table; an error if it is none.
    pub(super) fn find(&self, client: &mut Client) -> Result<Found, StoreError> {
        self.demand_trust(client, &self.table)?;
        let cannot = |failure| fail(failure, self.what("read"));
        let found = look(client, &self.table).map_err(cannot)?;
        if found.columns.is_empty() {
            // A table without any right to it is not in the catalog, either.
            return Err(match client.prepare(&format!("SELECT 1 FROM {}", quoted(&self.table))) {
                Err(failure) if failure.code() != Some(NO_SUCH_TABLE) => cannot(failure),
                _ => {
                    let mut alike = self.alike(client)?;
                    if alike.is_empty() {
                        // Those of the database that was connected to, where another one was named.
                        alike = self.tables(client, ALIKE, None)?;
                    }
                    let names: Vec<String> =
                        alike.into_iter().map(|alike| alike.to_string()).collect();
                    table::missing(&self.table, &self.params.place(), &names)
                }
            });
        }
        let names: Vec<String> =
            found.columns.iter().map(|column| column.name.to_ascii_lowercase()).collect();
        table::check_columns(&self.table, &names)?;
        Ok(found)
    }

    /// The tables of the database that have the columns of a session table.
    pub(super) fn alike(&self, client: &mut Client) -> Result<Vec<Table>, StoreError> {
        self.tables(client, ALIKE, self.table.schema())
    }

    /// Those with the shape of a session table, and columns of other names.
    pub(super) fn renamed(&self, client: &mut Client) -> Result<Vec<Table>, StoreError> {
        self.tables(client, RENAMED_ALIKE, self.table.schema())
    }

    fn tables(
        &self,
        client: &mut Client,
        sql: &str,
        schema: Option<&str>,
    ) -> Result<Vec<Table>, StoreError> {
        let rows = client.query(sql, vec![schema.map(str::to_owned).into()]);
        let rows = rows.map_err(|failure| fail(failure, self.what("read")))?;
        let named = |row: &Row| Table::new(schema.map(str::to_owned), text(row, 0));
        Ok(rows.iter().map(named).collect())
    }
}

const NO_SUCH_TABLE: u16 = 1146;

/// What the catalog says of a table; without columns, if it does not know it.
pub(super) fn look(client: &mut Client, table: &Table) -> Result<Found, Failure> {
    let columns = client.query(COLUMNS, named(table))?;
    let kind = client.first(KIND, named(table))?;
    let unique = client.first(IS_UNIQUE, named(table))?;
    let table_type = kind.as_ref().map(|row| text(row, 0)).unwrap_or_default();
    let column = |row: &Row| Column {
        name: text(row, 0),
        charset: Some((text(row, 1), text(row, 2))).filter(|(charset, _)| !charset.is_empty()),
        kind: text(row, 3),
        is_nullable: number(row, 4) == Some(1),
    };
    Ok(Found {
        columns: columns.iter().map(column).collect(),
        key_column: "session_key".into(),
        is_view: table_type.contains("VIEW"),
        lists: Lists::of(&kind.as_ref().map(|row| text(row, 2)).unwrap_or_default()),
        engine: kind.map(|row| text(&row, 1)).unwrap_or_default(),
        is_unique: unique.and_then(|row| number(&row, 0)) > Some(0),
    })
}

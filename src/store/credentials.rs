//! Tables in which packages keep other credentials of users than sessions, as SQL that each database says in its own words.

use super::users::Users;

/// Where the site looks for a table of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialPlace {
    /// Beside the session table, if it exists.
    Beside,
    /// In this schema. Its users are the site's.
    In(String),
    /// In these schemas, if in any: its users may be others, or another tenant's.
    Unclear(Vec<String>),
}

/// A table with credentials of users that outlive their sessions.
#[derive(Debug)]
pub struct CredentialTable {
    /// Its name.
    pub table: &'static str,
    /// What a row of it is.
    pub what: &'static str,
    /// The package that makes it.
    pub package: &'static str,
    pub(super) whose: Whose,
    pub(super) valid: &'static [Valid],
    pub(super) end: End,
}

/// How a row names its user.
#[derive(Debug)]
pub(super) enum Whose {
    /// By this column.
    Column(&'static str),
    /// By this column, which refers to the `id` of a row in this table with a `user_id`.
    Through(&'static str, &'static str),
}

/// When a row is a valid credential.
#[derive(Debug)]
pub(super) enum Valid {
    /// Until this time, or without one.
    Until(&'static str),
    /// While this column is NULL.
    Null(&'static str),
    /// Unless the column of this table refers to its `id`.
    Unlisted(&'static str, &'static str),
    /// While this column is true.
    True(&'static str),
    /// While this column holds this text.
    Is(&'static str, &'static str),
}

/// How a row is ended.
#[derive(Debug)]
pub(super) enum End {
    Delete,
    /// By deleting it, once this column of this table refers to it no more.
    DeleteReferred(&'static str, &'static str),
    /// By a time in the past in this column: other tables refer to the row.
    Past(&'static str),
    /// By a row in this table that refers to it by this column, with the time in another column.
    List(&'static str, &'static str, &'static str),
    /// Not at all: the user logs in with it.
    Stays,
}

/// A time before all tokens, as all databases read it.
const PAST: &str = "'2000-01-01 00:00:00'";

/// How a database says it.
pub(super) trait Dialect {
    /// A table in the schema of the table of credentials, quoted.
    fn table(&self, name: &str) -> String;
    /// A name in quotes.
    fn quote(&self, name: &str) -> String;
    /// A column of the table that a statement is about. It is named in full: SQLite takes an unknown name in quotes for a text,
    /// and so a table without the column for one that has it.
    fn own(&self, table: &str, column: &str) -> String {
        format!("{}.{}", self.table(table), self.quote(column))
    }
    /// That a column holds one of the users' ids, in every letter and space.
    fn is_among(&self, column: &str) -> String;
    /// The time now, as tables hold it.
    fn now(&self) -> String;
    /// An operator.
    fn operator(&self, operator: &str) -> String {
        operator.into()
    }
    /// A function of the database.
    fn function(&self, function: &str) -> String {
        function.into()
    }
}

impl CredentialTable {
    /// All tables that its statements name.
    pub(super) fn tables(&self) -> Vec<&'static str> {
        let mut tables = vec![self.table];
        if let Whose::Through(_, other) = self.whose {
            tables.push(other);
        }
        if let End::DeleteReferred(other, _) = self.end {
            tables.push(other);
        }
        tables.extend(self.valid.iter().filter_map(|valid| match valid {
            Valid::Unlisted(other, _) => Some(*other),
            _ => None,
        }));
        tables
    }

    /// The table and the column that name the user.
    pub(super) fn owner(&self) -> (&'static str, &'static str) {
        match self.whose {
            Whose::Column(column) => (self.table, column),
            Whose::Through(_, other) => (other, "user_id"),
        }
    }

    /// The rights on each table that it takes to count and to end these, with columns in quotes where a right on them suffices.
    pub(super) fn rights(&self, quote: impl Fn(&str) -> String) -> Vec<(&'static str, String)> {
        let update = |column| format!("SELECT, UPDATE ({})", quote(column));
        let mut rights: Vec<_> =
            self.tables().into_iter().map(|table| (table, "SELECT".to_owned())).collect();
        let (table, needed) = match self.end {
            End::Stays => return rights,
            End::Delete | End::DeleteReferred(..) => (self.table, "SELECT, DELETE".into()),
            End::Past(column) => (self.table, update(column)),
            End::List(list, ..) => (list, "SELECT, INSERT".into()),
        };
        let mut need = |table, needed: String| {
            rights
                .iter_mut()
                .filter(|(other, _)| *other == table)
                .for_each(|right| right.1.clone_from(&needed));
        };
        need(table, needed);
        if let End::DeleteReferred(other, column) = self.end {
            need(other, update(column));
        }
        rights
    }

    /// The table into which ending these inserts rows.
    pub(super) fn list(&self) -> Option<&'static str> {
        match self.end {
            End::List(list, ..) => Some(list),
            _ => None,
        }
    }

    /// The statement that counts the valid ones of the users.
    pub(super) fn count(&self, say: &dyn Dialect) -> String {
        let count = say.function("count");
        format!("SELECT {count}(*) FROM {} WHERE {}", say.table(self.table), self.condition(say))
    }

    /// The statements that end these, in their order. The last one changes as many rows as end.
    pub(super) fn end(&self, say: &dyn Dialect) -> Vec<String> {
        let (table, condition) = (say.table(self.table), self.condition(say));
        let delete = || format!("DELETE FROM {table} WHERE {condition}");
        match self.end {
            End::Stays => Vec::new(),
            End::Delete => vec![delete()],
            End::DeleteReferred(other, refers) => {
                let forget = format!(
                    "UPDATE {} SET {} = NULL WHERE EXISTS (SELECT 1 FROM {table} WHERE {} {} {} AND {condition})",
                    say.table(other),
                    say.quote(refers),
                    of(say, self.table, "id"),
                    say.operator("="),
                    of(say, other, refers),
                );
                vec![forget, delete()]
            }
            End::Past(column) => {
                vec![format!("UPDATE {table} SET {} = {PAST} WHERE {condition}", say.quote(column))]
            }
            End::List(list, refers, at) => vec![format!(
                "INSERT INTO {} ({}, {}) SELECT {}, {} FROM {table} WHERE {condition}",
                say.table(list),
                say.quote(refers),
                say.quote(at),
                say.own(self.table, "id"),
                say.now(),
            )],
        }
    }

    fn condition(&self, say: &dyn Dialect) -> String {
        let equals = say.operator("=");
        let whose = match self.whose {
            Whose::Column(column) => say.is_among(&say.own(self.table, column)),
            Whose::Through(column, other) => format!(
                "EXISTS (SELECT 1 FROM {} WHERE {} {equals} {} AND {})",
                say.table(other),
                of(say, other, "id"),
                of(say, self.table, column),
                say.is_among(&of(say, other, "user_id"))
            ),
        };
        let valid = self.valid.iter().map(|valid| match valid {
            Valid::Until(column) => {
                let (column, later) = (say.own(self.table, column), say.operator(">"));
                format!("({column} IS NULL OR {column} {later} {})", say.now())
            }
            Valid::Null(column) => format!("{} IS NULL", say.own(self.table, column)),
            Valid::True(column) => format!("{} IS TRUE", say.own(self.table, column)),
            Valid::Is(column, text) => format!("{} {equals} '{text}'", say.own(self.table, column)),
            Valid::Unlisted(other, refers) => format!(
                "NOT EXISTS (SELECT 1 FROM {} WHERE {} {equals} {})",
                say.table(other),
                of(say, other, refers),
                of(say, self.table, "id")
            ),
        });
        [whose].into_iter().chain(valid).collect::<Vec<_>>().join(" AND ")
    }

    /// The statement that ends those of these users in a schema, for the operator; `None` for too many users, or for names that
    /// databases quote in different ways.
    pub fn shown(&self, ids: &[String], schema: Option<&str>) -> Option<String> {
        const MOST_IDS: usize = 20;
        let is_plain =
            |id: &String| id.chars().all(|c| c.is_alphanumeric() || "-_@.+:".contains(c));
        let is_name = |schema: &str| {
            let mut all = schema.bytes();
            all.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
                && !schema.starts_with(|c: char| c.is_ascii_digit())
        };
        let can_be_shown =
            ids.len() <= MOST_IDS && ids.iter().all(is_plain) && schema.is_none_or(is_name);
        let all = if can_be_shown { self.end(&Shown { ids, schema }) } else { Vec::new() };
        (!all.is_empty()).then(|| all.join("; ") + ";")
    }
}

/// The column of one of several tables.
fn of(say: &dyn Dialect, table: &str, column: &str) -> String {
    format!("{}.{}", say.table(table), say.quote(column))
}

/// SQL that all databases read.
struct Shown<'i> {
    ids: &'i [String],
    schema: Option<&'i str>,
}

impl Dialect for Shown<'_> {
    fn table(&self, name: &str) -> String {
        self.schema.map_or_else(|| name.into(), |schema| format!("{schema}.{name}"))
    }

    fn own(&self, _: &str, column: &str) -> String {
        column.into()
    }

    fn quote(&self, name: &str) -> String {
        name.into()
    }

    fn is_among(&self, column: &str) -> String {
        let ids: Vec<String> = self.ids.iter().map(|id| format!("'{id}'")).collect();
        format!("{column} IN ({})", ids.join(", "))
    }

    fn now(&self) -> String {
        "CURRENT_TIMESTAMP".into()
    }
}

/// The statement that counts those of the users whose account is active and has a password that can be used, as Django stores
/// them.
pub(super) fn count_logins(users: &Users, table: &str, say: &dyn Dialect) -> String {
    let (count, first) = (say.function("count"), say.function("substr"));
    let own = |column: &str| format!("{table}.{}", say.quote(column));
    let active = users
        .is_active
        .as_deref()
        .map_or_else(String::new, |column| format!(" AND {} IS TRUE", own(column)));
    let (password, differs) = (own("password"), say.operator("<>"));
    format!(
        "SELECT {count}(*) FROM {table} WHERE {}{active} AND {password} {differs} '' AND {first}({password}, 1, 1) {differs} '!'",
        say.is_among(&own(&users.key))
    )
}

//! Names of tables: parsing, quoting for SQL, and the checks that a table is a session table.

use std::fmt;
use std::str::FromStr;

use super::{Fault, StoreError};

/// The name of a session table: `[schema.]name`, case-sensitive as written, or quoted as in SQL if a part
/// contains a dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    schema: Option<String>,
    name: String,
}

/// Why a text is not the name of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a table name: expected [schema.]name, with \"double quotes\" around a part that holds a dot"
)]
pub struct NotATable;

impl Table {
    pub(super) fn new(schema: Option<String>, name: String) -> Self {
        Self { schema, name }
    }

    /// The schema, if given.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The name without the schema.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The table of the same name in this schema.
    pub fn in_schema(&self, schema: &str) -> Result<Self, NotATable> {
        let plain = !schema.is_empty() && !schema.contains('\0');
        let table = Self { schema: Some(schema.to_owned()), name: self.name.clone() };
        plain.then_some(table).ok_or(NotATable)
    }

    /// The table of django-allauth's app `usersessions`, which has a row for each login.
    pub(super) fn of_allauth(&self) -> Self {
        self.beside("usersessions_usersession")
    }

    /// A table in the same schema.
    pub(super) fn beside(&self, name: &str) -> Self {
        Self { schema: self.schema.clone(), name: name.into() }
    }

    /// A name for an index on this column, of at most the 63 bytes that PostgreSQL keeps. It cuts the name of
    /// the table first, so that indexes on two columns differ. `number` separates tables with the same
    /// beginning.
    pub(super) fn index_name(&self, column: &str, number: usize) -> String {
        let number = if number > 1 { number.to_string() } else { String::new() };
        let column = cut(column, 40);
        let end = format!("_{column}_sessctl{number}");
        format!("{}{end}", cut(&self.name, 63 - end.len().min(62)))
    }

    /// Schema and name, quoted for SQL: safe with any characters.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&self.name)),
            None => quote(&self.name),
        }
    }
}

impl Default for Table {
    fn default() -> Self {
        Self { schema: None, name: "django_session".into() }
    }
}

/// As an operator would type it.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

impl FromStr for Table {
    type Err = NotATable;

    fn from_str(text: &str) -> Result<Self, NotATable> {
        let (first, rest) = part(text)?;
        match rest.strip_prefix('.') {
            None if rest.is_empty() => Ok(Self { schema: None, name: first }),
            None => Err(NotATable),
            Some(rest) => match part(rest)? {
                (name, "") => Ok(Self { schema: Some(first), name }),
                _ => Err(NotATable),
            },
        }
    }
}

/// Splits off the first part of a name.
pub(super) fn part(text: &str) -> Result<(String, &str), NotATable> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let plain = !name.is_empty() && !name.contains(['"', '\0']);
        return plain.then(|| (name.to_owned(), rest)).ok_or(NotATable);
    };
    let mut name = String::new();
    loop {
        let (before, after) = rest.split_once('"').ok_or(NotATable)?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None if name.is_empty() || name.contains('\0') => return Err(NotATable),
            None => return Ok((name, after)),
        }
    }
}

/// Most tables that an error names.
const MOST_NAMED: usize = 20;

/// The error for a missing table; `alike` are the names of tables with the columns of a session table.
pub(super) fn missing(table: &Table, database: &str, alike: &[String]) -> StoreError {
    let error = StoreError::new(Fault::Fatal, format!("no table \"{table}\" in {database}"));
    error.hint(match alike {
        [] => {
            "is this the site's database? No table in it has the columns of a session table".into()
        }
        names => format!(
            "these have the columns of a session table: {}; name one with --table",
            names.get(..MOST_NAMED).unwrap_or(names).join(", ")
        ),
    })
}

/// Checks that a table has the columns of a session table.
pub(super) fn check_columns(table: &Table, columns: &[String]) -> Result<(), StoreError> {
    let lacking: Vec<_> = ["session_key", "session_data", "expire_date"]
        .into_iter()
        .filter(|wanted| !columns.iter().any(|column| column == wanted))
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let what = format!(
        "table \"{table}\" is not a session table: it has no column {}",
        lacking.join(", ")
    );
    Err(StoreError::new(Fault::Fatal, what)
        .hint("name the site's session table with --table; Django's own is django_session"))
}

/// The beginning of a text, of at most this many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str) -> Option<String> {
        text.parse::<Table>().ok().map(|table| table.quoted())
    }

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        assert_eq!(quoted("django_session").as_deref(), Some(r#""django_session""#));
        assert_eq!(
            quoted("tenant.django_session").as_deref(),
            Some(r#""tenant"."django_session""#)
        );
        assert_eq!(
            quoted("Robert'); DROP TABLE x; --").as_deref(),
            Some(r#""Robert'); DROP TABLE x; --""#)
        );
        assert_eq!(quoted(r#""we.ird"."na""me""#).as_deref(), Some(r#""we.ird"."na""me""#));
    }

    #[test]
    fn names_of_indexes_are_short_and_differ() {
        let table = Table::default();
        assert_eq!(table.index_name("user_id", 1), "django_session_user_id_sessctl");
        assert_eq!(table.index_name("user_id", 2), "django_session_user_id_sessctl2");
        for letter in ["x", "é"] {
            let table = Table::new(None, letter.repeat(63 / letter.len()));
            let names = [("session_key", 1), ("session_key", 2), ("expire_date", 1)];
            let names = names.map(|(column, number)| table.index_name(column, number));
            assert!(names.iter().all(|name| name.len() <= 63 && *name != table.name), "{names:?}");
            assert!(names[0] != names[1] && names[0] != names[2], "{names:?}");
            assert!(table.index_name(&letter.repeat(63 / letter.len()), 999).len() <= 63);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", ".", "a.", ".a", "a.b.c", "\"a", "\"\"", "a\"b", "a\0b", "\"a\"b"] {
            assert_eq!(quoted(text), None, "{text:?}");
        }
    }
}

//! Checks the indexes that commands rely on, for `doctor`, and proposes SQL that creates missing ones. The
//! proposed SQL must be able to succeed, so duplicate keys are found first.

use super::Table;
use super::table::quote;
use crate::model::{Finding, masked_key};

const CHECK: &str = "indexes";

/// Most duplicate keys that are shown.
pub(super) const SHOWN: usize = 3;

/// The index that makes session keys unique.
#[derive(Debug)]
pub(super) enum KeyIndex {
    /// A unique index on `session_key` and these other columns, by which the table is partitioned.
    Unique(Vec<String>),
    /// There is none, but one can be created.
    Missing(Missing),
    /// There is none, and the database allows none.
    Impossible {
        /// Why.
        why: String,
        /// Whether some index finds a key nevertheless.
        finds_key: bool,
    },
}

/// What a missing unique index would need.
#[derive(Debug)]
pub(super) struct Missing {
    /// Whether some index finds a key nevertheless.
    pub finds_key: bool,
    /// The columns that the index must have besides `session_key`.
    pub with: Vec<String>,
    /// Duplicate rows that would make its creation fail.
    pub doubles: Doubles,
}

/// Rows with the same key.
#[derive(Debug)]
pub(super) enum Doubles {
    /// There are none.
    None,
    /// Some of the duplicate keys, masked, and the SQL that deletes all but one row of each key, if there is
    /// such SQL.
    Found { keys: Vec<String>, delete: Option<String> },
    /// Why they could not be searched for.
    Unknown(String),
}

impl Doubles {
    /// From the keys that a query found, at most one more than are shown.
    pub(super) fn of(keys: &[String], delete: impl FnOnce() -> Option<String>) -> Self {
        if keys.is_empty() {
            return Self::None;
        }
        let masked = keys.iter().map(|key| format!("{}...", masked_key(key)));
        Self::Found { keys: masked.collect(), delete: delete() }
    }
}

/// How a database writes SQL.
pub(super) struct Dialect {
    /// A name in its quotes.
    pub quote: fn(&str) -> String,
    /// A table in its quotes.
    pub quoted: fn(&Table) -> String,
    /// What ends the statement that creates an index.
    pub end: &'static str,
}

/// With names in double quotes.
pub(super) const STANDARD: Dialect = Dialect { quote, quoted: Table::quoted, end: "" };

/// Builds the SQL that creates an index.
pub(super) struct Maker<'a> {
    /// How it is written.
    pub dialect: Dialect,
    /// The table as the statement must name it.
    pub table: &'a Table,
    /// Whether something else has this name.
    pub is_taken: &'a dyn Fn(&str) -> bool,
    /// ` CONCURRENTLY`, if the database can create the index without blocking writes.
    pub concurrently: &'static str,
    /// A caution for the operator.
    pub caution: &'static str,
}

impl Maker<'_> {
    fn sql(&self, index: &str, column: &str, with: &[String]) -> String {
        let free = |number: &usize| !(self.is_taken)(&self.table.index_name(column, *number));
        let number = (1..1000).find(free).unwrap_or(1);
        let Self { dialect: Dialect { quote, quoted, end }, table, concurrently, .. } = self;
        let (name, table) = (quote(&table.index_name(column, number)), quoted(table));
        format!("CREATE {index}{concurrently} {name} ON {table} ({}){end}", all(column, with))
    }
}

fn all(column: &str, with: &[String]) -> String {
    let with = with.iter().map(|name| format!(", {}", quote(name)));
    std::iter::once(column.to_owned()).chain(with).collect()
}

/// The SQL that finds duplicate keys.
pub(super) fn find_doubles(dialect: &Dialect, table: &Table, with: &[String]) -> String {
    let columns = all("session_key", with);
    format!(
        "SELECT session_key FROM {} WHERE session_key IS NOT NULL GROUP BY {columns} HAVING count(*) > 1",
        (dialect.quoted)(table)
    )
}

/// The SQL that keeps, of each key, only the row that expires last. `row` identifies a row.
pub(super) fn delete_doubles(table: &Table, with: &[String], row: &str) -> String {
    let (table, columns) = (table.quoted(), all("session_key", with));
    format!(
        "DELETE FROM {table} WHERE ({row}) IN (SELECT {row} FROM (SELECT {row}, row_number() OVER \
         (PARTITION BY {columns} ORDER BY expire_date DESC) AS place FROM {table} \
         WHERE session_key IS NOT NULL) AS ranked WHERE place > 1)"
    )
}

/// Reports whether the indexes exist that commands rely on.
pub(super) fn index_finding(key: &KeyIndex, expiry: bool, maker: &Maker<'_>) -> Finding {
    match key {
        KeyIndex::Missing(missing) => missing.describe(maker),
        KeyIndex::Impossible { why, finds_key } => Finding::warning(
            CHECK,
            format!("{}, and there can be no unique one: {why}", lacking(*finds_key)),
            if *finds_key {
                "see that the site never writes two rows with the same session_key".into()
            } else {
                maker.sql("INDEX", "session_key", &[])
            },
        ),
        KeyIndex::Unique(with) => {
            let key = match with.as_slice() {
                [] => "session_key is unique".to_owned(),
                with => {
                    let with = with.join(", ");
                    format!("session_key is unique with {with}, by which the table is partitioned")
                }
            };
            if expiry {
                return Finding::ok(CHECK, format!("{key}, expire_date has an index"));
            }
            Finding::warning(
                CHECK,
                format!(
                    "expire_date has none that can be used: each step of a purge reads the whole table{}",
                    maker.caution
                ),
                maker.sql("INDEX", "expire_date", &[]),
            )
        }
    }
}

impl Missing {
    fn describe(&self, maker: &Maker<'_>) -> Finding {
        let text = lacking(self.finds_key);
        let make = maker.sql("UNIQUE INDEX", "session_key", &self.with);
        let caution = maker.caution;
        match &self.doubles {
            Doubles::None => Finding::problem(CHECK, format!("{text}{caution}"), make),
            Doubles::Found { keys, delete } => {
                let more = if keys.len() > SHOWN { ", and more" } else { "" };
                let keys: Vec<&str> = keys.iter().take(SHOWN).map(String::as_str).collect();
                let next = match delete {
                    Some(sql) => format!(
                        "{sql}, which leaves of each key the row that expires last; then run doctor again"
                    ),
                    None => "delete of the rows that have the same session_key all but the one that expires last; \
                             then run doctor again"
                        .into(),
                };
                let keys = keys.join(", ");
                Finding::problem(
                    CHECK,
                    format!("{text}; several rows have the same key: {keys}{more}"),
                    next,
                )
            }
            Doubles::Unknown(why) => Finding::problem(
                CHECK,
                format!(
                    "{text}; whether several rows have the same key is not known: {why}{caution}"
                ),
                format!(
                    "SELECT count(*) FROM ({}) AS doubles must say 0; then {make}",
                    find_doubles(&maker.dialect, maker.table, &self.with)
                ),
            ),
        }
    }
}

fn lacking(finds_key: bool) -> &'static str {
    if finds_key {
        "session_key has no unique one: two rows may have the same key"
    } else {
        "session_key has no unique one: each batch reads the whole table, and so does each request"
    }
}

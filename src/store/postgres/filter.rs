//! Turns the filter of a scan into SQL.

use std::collections::BTreeSet;

use super::changes;
use super::instant::Times;
use super::sql::type_name;
use crate::model::Timestamp;
use crate::store::{ByUser, ColumnCondition, Filter, Table};

/// The `FROM` clause of the rows that match. `COPY` accepts no parameters, so values are literals: our own
/// numbers, and quoted texts.
pub(super) fn rows(table: &Table, times: Times, filter: &Filter) -> String {
    let mut conditions = Vec::new();
    if let Some(now) = filter.live_at {
        // The clocks of this machine, the server and the site may differ. The earlier time leaves fewer live
        // sessions out.
        conditions.push(times.may_be_live(&timestamptz(now)));
    }
    if let Some(prefix) = &filter.key_prefix {
        // Byte by byte: with some collations the column has no notion of a prefix.
        conditions.push(format!(
            "pg_catalog.starts_with(session_key::pg_catalog.text COLLATE pg_catalog.\"C\", {})",
            literal(prefix)
        ));
    }
    if let Some(by) = &filter.user {
        conditions.extend(stamped(by));
    }
    conditions.extend(changes::condition(filter));
    let condition = if conditions.is_empty() { "true".into() } else { conditions.join(" AND ") };
    let newest = filter.newest.map_or_else(String::new, |rows| {
        format!(" ORDER BY {}.expire_date DESC LIMIT {rows}", table.quoted())
    });
    format!("FROM {} WHERE {condition}{newest}", table.quoted())
}

/// The user column, to append to a list of columns.
pub(super) fn user(filter: &Filter) -> String {
    filter
        .user
        .as_ref()
        .map_or_else(String::new, |by| format!(", {}::pg_catalog.text", by.column.quoted()))
}

fn timestamptz(instant: Timestamp) -> String {
    format!(
        "pg_catalog.to_timestamp({}::pg_catalog.float8 OPERATOR(pg_catalog./) 1000000)",
        instant.as_micros()
    )
}

/// The condition on the user column.
fn stamped(by: &ByUser) -> Option<String> {
    let column = by.column.quoted();
    let missing = format!("{column} IS NULL");
    let one_of = |ids: &BTreeSet<String>| {
        let ids: Vec<String> = ids.iter().map(|id| literal(id)).collect();
        let kind = type_name(by.column.kind);
        format!("{column} OPERATOR(pg_catalog.=) ANY(ARRAY[{}]::{kind}[])", ids.join(","))
    };
    match &by.condition {
        ColumnCondition::Any => None,
        ColumnCondition::Missing => Some(missing),
        ColumnCondition::OneOf(ids) => Some(one_of(ids)),
    }
}

/// A text as an SQL literal, safe with any value of `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    let text = text.replace('\0', "").replace('\\', "\\\\").replace('\'', "''");
    format!("E'{text}'")
}

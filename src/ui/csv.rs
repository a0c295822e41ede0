//! Writes sessions as CSV, with cells that no spreadsheet runs as formulas.

use std::borrow::Cow;
use std::io::{self, Write};

use super::human::format;
use super::json::word;
use crate::report::{Column, ListedSession};

/// The columns that were asked for, or all.
pub fn csv_columns(asked: &[Column], with_schemas: bool) -> Vec<Column> {
    if !asked.is_empty() {
        return asked.to_vec();
    }
    let schema = with_schemas.then_some(Column::Schema);
    schema.into_iter().chain(Column::OF_CSV).collect()
}

/// Writes the names of the columns.
pub fn write_csv_header(out: &mut dyn Write, columns: &[Column]) -> io::Result<()> {
    let names: Vec<_> = columns.iter().map(|column| column.name()).collect();
    write!(out, "{}\r\n", names.join(","))
}

/// Writes one session as a line of RFC 4180, without its payload.
pub fn write_csv_row(
    out: &mut dyn Write,
    row: &ListedSession,
    columns: &[Column],
) -> io::Result<()> {
    let quoted: Vec<_> = columns.iter().map(|column| quote(&field(row, *column))).collect();
    write!(out, "{}\r\n", quoted.join(","))
}

fn field(row: &ListedSession, column: Column) -> Cow<'_, str> {
    let session = &row.session;
    let text = |field: &'_ Option<String>| field.clone().unwrap_or_default();
    match column {
        Column::Schema => text(&row.schema),
        Column::SessionKey => return row.session_key.as_str().into(),
        Column::State => word(session.state),
        Column::UserId => text(&session.user_id),
        Column::Username => text(&row.username),
        Column::Backend => text(&session.backend),
        Column::Behind => session.behind.join(";"),
        Column::Signature => word(session.signature),
        Column::Key => session.key.map_or_else(String::new, |key| key.to_string()),
        Column::Saved => text(&session.saved),
        Column::Expires => text(&row.expires),
        Column::Size => row.size.to_string(),
        Column::Layout => session.layout.map(word).unwrap_or_default(),
        Column::Serializer => session.serializer.map(word).unwrap_or_default(),
        Column::Compressed => session.compressed.to_string(),
        Column::Error => text(&session.error),
        Column::Format => format(row),
    }
    .into()
}

fn quote(field: &str) -> String {
    let field = super::sanitize(field);
    let inert = if is_formula(&field) { "'" } else { "" };
    // In many countries spreadsheets split cells at these, as at a comma.
    if field.contains(['"', ',', ';', '\t', '\r', '\n']) {
        format!("\"{inert}{}\"", field.replace('"', "\"\""))
    } else {
        format!("{inert}{field}")
    }
}

/// Whether a spreadsheet would run this cell as a formula, quoted or not. Numbers are left alone; no text begins with a tab or
/// a line end here.
fn is_formula(field: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    field.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
        && !field.strip_prefix('-').is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (field, cell) in [
            ("42", "42"),
            ("-42", "-42"),
            ("a=1", "a=1"),
            ("=1+1", "'=1+1"),
            ("+42", "'+42"),
            ("-", "'-"),
            ("-1+2", "'-1+2"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\t=1", "\\u{9}=1"),
            ("\r=1", "\\u{d}=1"),
            ("x;=1", "\"x;=1\""),
            ("=HYPERLINK(\"x\",1)", "\"'=HYPERLINK(\"\"x\"\",1)\""),
        ] {
            assert_eq!(quote(field), cell);
        }
    }
}

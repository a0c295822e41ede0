//! Writes sessions as CSV, with cells that no spreadsheet runs as formulas.

use std::io::{self, Write};

use crate::report::ListedSession;

/// Writes the names of the columns.
pub fn write_csv_header(out: &mut dyn Write, with_schemas: bool) -> io::Result<()> {
    if with_schemas {
        out.write_all(b"schema,")?;
    }
    out.write_all(b"session_key,state,user_id,backend,signature,saved,expires,size,layout,serializer,compressed,error,behind,username\r\n")
}

/// Writes one session as a line of RFC 4180, without its payload.
pub fn write_csv_row(out: &mut dyn Write, row: &ListedSession) -> io::Result<()> {
    let session = &row.session;
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let fields = [
        row.session_key.clone(),
        word(session.state),
        text(&session.user_id),
        text(&session.backend),
        word(session.signature),
        text(&session.saved),
        text(&row.expires),
        row.size.to_string(),
        session.layout.map(word).unwrap_or_default(),
        session.serializer.map(word).unwrap_or_default(),
        session.compressed.to_string(),
        text(&session.error),
        session.behind.join(";"),
        text(&row.username),
    ];
    let quoted: Vec<_> = row.schema.iter().chain(&fields).map(|field| quote(field)).collect();
    write!(out, "{}\r\n", quoted.join(","))
}

/// The word for a variant in JSON, so that all formats use the same words.
pub fn word<T: serde::Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
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

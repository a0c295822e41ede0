use std::io::{self, Write};

use crate::report::ListedSession;

/// Writes the names of the columns.
pub fn write_csv_header(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"session_key,state,user_id,backend,signature,saved,expires,size,layout,serializer,compressed,error\r\n")
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
    ];
    let quoted: Vec<_> = fields.iter().map(|field| quote(field)).collect();
    write!(out, "{}\r\n", quoted.join(","))
}

/// The word that an enum is in JSON, so that no format has names of its own.
pub fn word<T: serde::Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn quote(field: &str) -> String {
    let field = super::sanitize(field);
    if field.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.into_owned()
    }
}

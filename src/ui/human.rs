//! Writes sessions for people: as lines of a table, or one session with everything about it.

use std::borrow::Cow;
use std::io::{self, Write};

use super::csv::word;
use super::json::{Pretty, WriteLarge};
use super::{sanitize, sanitize_name};
use crate::report::{DecodedSession, ListedSession, State};

/// Writes the head of a table of sessions.
pub fn write_table_header(out: &mut dyn Write, with_schemas: bool) -> io::Result<()> {
    if with_schemas {
        write_schema(out, "SCHEMA")?;
    }
    write_columns(out, ["SESSION", "USER", "LAST SAVED", "EXPIRES", "SIZE", "SIGNATURE", "FORMAT"])
}

/// Writes one session as a line of a table. Columns have a fixed width, so that a table of any
/// length can be printed as it is read.
pub fn write_table_row(out: &mut dyn Write, row: &ListedSession) -> io::Result<()> {
    if let Some(schema) = &row.schema {
        write_schema(out, &sanitize(schema))?;
    }
    let session = &row.session;
    let user = match session.state {
        State::User => session.user_id.as_deref().unwrap_or_default(),
        State::Anonymous => "-",
        State::Unreadable => "?",
    };
    let user = format!("{}{}", sanitize_name(user), behind(session, MOST_BEHIND));
    write_columns(
        out,
        [
            &sanitize_name(&row.session_key),
            &user,
            &seconds(session.saved.as_deref()),
            &seconds(row.expires.as_deref()),
            &row.size.to_string(),
            &word(session.signature),
            &format(row),
        ],
    )
}

/// How many identities a line of a table shows.
const MOST_BEHIND: usize = 3;

/// The users behind an impersonation.
fn behind(session: &DecodedSession, most: usize) -> String {
    let mut words: Vec<_> = session.behind.iter().take(most).map(|id| sanitize_name(id)).collect();
    let more = session.behind.len().saturating_sub(most);
    if more > 0 {
        words.push(format!("{more} more").into());
    }
    if session.behind_unclear {
        words.push("?".into());
    }
    if words.is_empty() { String::new() } else { format!(" (behind: {})", words.join(", ")) }
}

fn write_schema(out: &mut dyn Write, schema: &str) -> io::Result<()> {
    write!(out, "{schema:<16}  ")
}

fn write_columns(out: &mut dyn Write, columns: [&str; 7]) -> io::Result<()> {
    let [session, user, saved, expires, size, signature, format] = columns;
    writeln!(
        out,
        "{session:<8}  {user:<12}  {saved:<20}  {expires:<20}  {size:>7}  {signature:<9}  {format}"
    )
}

/// Layout, serializer and compression, or why the row cannot be read.
fn format(row: &ListedSession) -> String {
    let session = &row.session;
    let mut words: Vec<String> = Vec::new();
    words.extend(session.layout.map(word));
    words.extend(session.serializer.map(word));
    words.extend(session.compressed.then(|| "zlib".to_owned()));
    words.extend(session.error.as_ref().map(|error| format!("({error})")));
    words.join(" ")
}

/// A time without its fraction.
fn seconds(time: Option<&str>) -> Cow<'_, str> {
    let time = time.unwrap_or("-");
    match time.split_once('.') {
        Some((seconds, fraction)) if fraction.ends_with('Z') => format!("{seconds}Z").into(),
        Some((seconds, _)) => seconds.into(),
        None => time.into(),
    }
}

/// Writes everything about one session.
pub fn write_session(
    out: &mut dyn Write,
    row: &ListedSession,
    large: Option<WriteLarge<'_>>,
) -> io::Result<()> {
    let session = &row.session;
    let user = match (session.state, &session.user_id) {
        (State::User, Some(user)) => sanitize_name(user).into_owned(),
        (State::Anonymous, _) => "none: an anonymous session".into(),
        _ => "unknown: the session cannot be read".into(),
    };
    writeln!(out, "session     {}", sanitize_name(&row.session_key))?;
    writeln!(out, "user        {user}{}", behind(session, usize::MAX))?;
    if let Some(backend) = &session.backend {
        writeln!(out, "backend     {}", sanitize_name(backend))?;
    }
    writeln!(out, "signature   {}", word(session.signature))?;
    writeln!(out, "last saved  {}", session.saved.as_deref().unwrap_or("not recorded"))?;
    writeln!(out, "expires     {}", row.expires.as_deref().unwrap_or("unreadable"))?;
    writeln!(out, "stored as   {}, {} bytes", format(row), row.size)?;
    match &session.payload {
        Some(payload) => {
            out.write_all(b"\n")?;
            match large {
                Some(write) => write(&mut Pretty::new(out))?,
                None => Pretty::new(out).write_all(payload.get().as_bytes())?,
            }
            out.write_all(b"\n")
        }
        None => Ok(()),
    }
}

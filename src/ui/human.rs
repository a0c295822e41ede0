//! Writes sessions for people: as lines of a table, or one session with everything about it.

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::RangeInclusive;

use super::csv::word;
use super::json::{Pretty, WriteLarge};
use super::{sanitize, sanitize_name};
use crate::report::{DecodedSession, ListedSession, State};

/// The columns of a table of sessions. They have a fixed width, so that a table of any length can be printed as it is read.
#[derive(Clone, Copy)]
pub struct Columns {
    with_schemas: bool,
    user: usize,
    /// `None` if no name can be known.
    username: Option<usize>,
}

/// Widths of the columns for ids and for names.
const USER: RangeInclusive<usize> = 7..=40;
const USERNAME: RangeInclusive<usize> = 8..=40;

impl Columns {
    /// Columns in which the first sessions have room.
    pub fn of(first: &[ListedSession], with_schemas: bool, with_names: bool) -> Self {
        let fit = |widths: RangeInclusive<usize>, text: &dyn Fn(&ListedSession) -> String| {
            let longest = first.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
            longest.clamp(*widths.start(), *widths.end())
        };
        let username = with_names.then(|| fit(USERNAME, &username));
        Self { with_schemas, user: fit(USER, &user), username }
    }

    /// Writes the head of the table.
    pub fn write_header(&self, out: &mut dyn Write) -> io::Result<()> {
        let columns = ["USER", "USERNAME", "LAST SAVED", "EXPIRES", "SIZE", "SIGNATURE", "FORMAT"];
        self.write(out, "SCHEMA", "SESSION", columns)
    }

    /// Writes one session as a line of the table.
    pub fn write_row(&self, out: &mut dyn Write, row: &ListedSession) -> io::Result<()> {
        let session = &row.session;
        self.write(
            out,
            &sanitize(row.schema.as_deref().unwrap_or_default()),
            &sanitize_name(&row.session_key),
            [
                &user(row),
                &username(row),
                &seconds(session.saved.as_deref()),
                &seconds(row.expires.as_deref()),
                &row.size.to_string(),
                &word(session.signature),
                &format(row),
            ],
        )
    }

    fn write(
        &self,
        out: &mut dyn Write,
        schema: &str,
        key: &str,
        columns: [&str; 7],
    ) -> io::Result<()> {
        let [user, username, saved, expires, size, signature, format] = columns;
        if self.with_schemas {
            write!(out, "{schema:<16}  ")?;
        }
        write!(out, "{key:<8}  {user:<width$}  ", width = self.user)?;
        if let Some(width) = self.username {
            write!(out, "{username:<width$}  ")?;
        }
        writeln!(out, "{saved:<20}  {expires:<20}  {size:>7}  {signature:<9}  {format}")
    }
}

/// Writes the first of the sessions that a dry run found, and how many more there are.
pub fn write_preview(out: &mut dyn Write, first: &[ListedSession], found: u64) -> io::Result<()> {
    if first.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let has_names = first.iter().any(|row| row.username.is_some());
    let columns = Columns::of(first, false, has_names);
    columns.write_header(out)?;
    for row in first {
        columns.write_row(out, row)?;
    }
    match found.saturating_sub(u64::try_from(first.len()).unwrap_or(u64::MAX)) {
        0 => Ok(()),
        more => writeln!(out, "... and {more} more"),
    }
}

/// The user id, and who is behind an impersonation.
fn user(row: &ListedSession) -> String {
    let session = &row.session;
    let user = match session.state {
        State::User => session.user_id.as_deref().unwrap_or_default(),
        State::Anonymous => "-",
        State::Unreadable => "?",
    };
    format!("{}{}", sanitize_name(user), behind(session, MOST_BEHIND))
}

fn username(row: &ListedSession) -> String {
    sanitize_name(row.username.as_deref().unwrap_or("-")).into_owned()
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
    if let Some(name) = &row.username {
        writeln!(out, "username    {}", sanitize_name(name))?;
    }
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

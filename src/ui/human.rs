use std::borrow::Cow;
use std::io::{self, Write};

use super::csv::word;
use super::ending::{write_allauth, write_cached, write_left, write_unverified};
use super::json::pretty;
use super::named::write_users;
use super::{Report, sanitize};
use crate::model::{counted, uuid_digits};
use crate::report::{DecodedSession, ListedSession, LogoutReport, State};

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
    let user = format!("{}{}", sanitize(user), behind(session, MOST_BEHIND));
    write_columns(
        out,
        [
            &sanitize(&row.session_key),
            &user,
            &seconds(session.saved.as_deref()),
            &seconds(row.expires.as_deref()),
            &row.size.to_string(),
            &word(session.signature),
            &format(row),
        ],
    )
}

/// Identities that a line of a table has room for.
const MOST_BEHIND: usize = 3;

/// Who is behind an impersonation, if it is one.
fn behind(session: &DecodedSession, most: usize) -> String {
    let mut words: Vec<_> = session.behind.iter().take(most).map(|id| sanitize(id)).collect();
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

/// Layout, serializer and compression, or why there is none of it.
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
pub fn write_session(out: &mut dyn Write, row: &ListedSession) -> io::Result<()> {
    let session = &row.session;
    let user = match (session.state, &session.user_id) {
        (State::User, Some(user)) => sanitize(user).into_owned(),
        (State::Anonymous, _) => "none: an anonymous session".into(),
        _ => "unknown: the session cannot be read".into(),
    };
    writeln!(out, "session     {}", sanitize(&row.session_key))?;
    writeln!(out, "user        {user}{}", behind(session, usize::MAX))?;
    if let Some(backend) = &session.backend {
        writeln!(out, "backend     {}", sanitize(backend))?;
    }
    writeln!(out, "signature   {}", word(session.signature))?;
    writeln!(out, "last saved  {}", session.saved.as_deref().unwrap_or("not recorded"))?;
    writeln!(out, "expires     {}", row.expires.as_deref().unwrap_or("unreadable"))?;
    writeln!(out, "stored as   {}, {} bytes", format(row), row.size)?;
    match &session.payload {
        Some(payload) => writeln!(out, "\n{}", pretty(payload.get())),
        None => Ok(()),
    }
}

/// Users who are shown by name.
const MOST_USERS: usize = 20;

impl Report for LogoutReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let whom = match self.users.as_slice() {
            [user] => format!("user {}", sanitize(user)),
            users => format!("{} users", users.len()),
        };
        let looked =
            format!("{} read in {:.1} s", counted(self.scanned, "row"), self.elapsed_seconds);
        if self.stopped && self.matched == 0 {
            writeln!(
                out,
                "Stopped while looking for sessions of {whom}; nothing was deleted ({looked})."
            )?;
        } else if self.stopped {
            let found = counted(self.matched, "session");
            writeln!(
                out,
                "Stopped: {} of {found} of {whom} deleted, not looked again ({looked}). Run it again for the rest.",
                self.deleted
            )?;
        } else if self.dry_run {
            let found = counted(self.matched, "live session");
            let deed = if self.keep_data { "lose their login" } else { "be deleted" };
            writeln!(out, "Dry run: {found} of {whom} would {deed} ({looked}).")?;
            write_resolved(out, self)?;
            write_preview(out, self)?;
        } else {
            let proof = match self.remaining {
                Some(0) => match (self.excepted, self.of_a_time) {
                    (false, false) => "none is left",
                    (false, true) => "none of that time is left",
                    (true, false) => "no other is left",
                    (true, true) => "no other of that time is left",
                }
                .into(),
                Some(1) => "1 IS LEFT".into(),
                Some(left) => format!("{left} ARE LEFT"),
                None => "not looked again".into(),
            };
            let deleted = counted(self.deleted, "session");
            let done = match self.remaining {
                Some(1..) => "NOT logged out,",
                _ if self.cached || self.unreadable + self.different + self.undated > 0 => {
                    "NOT known to be logged out,"
                }
                _ => "Logged out",
            };
            let place = if self.cached { "in the table " } else { "" };
            writeln!(out, "{done} {whom}: {deleted} deleted, {place}{proof} ({looked}).")?;
        }
        write_users(out, self)?;
        write_allauth(out, self.allauth_deleted)?;
        write_cached(out, self.cached && !self.dry_run)?;
        write_left(out, self.not_deleted, self.rounds)?;
        write_unverified(out, self.unverified, "with this user id")?;
        let nothing_found = self.matched + self.unverified == 0 && !self.stopped;
        if nothing_found
            && self.resolved.is_empty()
            && self.users.iter().any(|user| looks_like_a_name(user))
        {
            writeln!(
                out,
                "No session was found: an id is a primary key. --username and --email take names."
            )?;
        }
        if self.different > 0 {
            let what = counted(self.different, "row");
            let column = sanitize(self.user_column.as_deref().unwrap_or_default()).into_owned();
            writeln!(
                out,
                "{what} that {column} calls theirs is somebody else's login and stayed: the column is wrong, so others may \
                 be missing from it. See --no-user-column, and `sessctl backfill --restart`."
            )?;
        }
        if self.undated > 0 {
            let what = counted(self.undated, "session");
            writeln!(
                out,
                "{what} of {whom} stayed: only sessions as Django 3.1 and later sign them say when they were saved."
            )?;
        }
        if self.unreadable > 0 {
            let what = counted(self.unreadable, "row");
            writeln!(out, "{what} could not be read and may be anybody's: see `sessctl list`.")?;
        }
        Ok(())
    }
}

/// Most primary keys are numbers or UUIDs.
fn looks_like_a_name(user: &str) -> bool {
    user.parse::<i128>().is_err() && uuid_digits(user).is_none()
}

/// Writes who was found under the names that were given.
fn write_resolved(out: &mut dyn Write, report: &LogoutReport) -> io::Result<()> {
    if report.resolved.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:<12}  USERNAME", "USER")?;
    for user in report.resolved.iter().take(MOST_USERS) {
        let name = user.username.as_deref().unwrap_or("-");
        writeln!(out, "{:<12}  {}", sanitize(&user.id), sanitize(name))?;
    }
    match report.resolved.len().saturating_sub(MOST_USERS) {
        0 => Ok(()),
        more => writeln!(out, "... and {more} more"),
    }
}

fn write_preview(out: &mut dyn Write, report: &LogoutReport) -> io::Result<()> {
    if report.preview.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    write_table_header(out, false)?;
    for row in &report.preview {
        write_table_row(out, row)?;
    }
    let shown = u64::try_from(report.preview.len()).unwrap_or(u64::MAX);
    match report.matched.saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "... and {more} more"),
    }
}

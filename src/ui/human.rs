//! Writes one session for people, with everything about it, and what a table shows of each.

use std::borrow::Cow;
use std::io::{self, Write};

use super::json::{Pretty, WriteLarge, word};
use super::sanitize_name;
use crate::report::{DecodedSession, ListedSession, State};

/// The user id, and who is behind an impersonation.
pub(super) fn user(row: &ListedSession) -> String {
    let session = &row.session;
    let user = match session.state {
        State::User => session.user_id.as_deref().unwrap_or_default(),
        State::Anonymous => "-",
        State::Unreadable => "?",
    };
    format!("{}{}", sanitize_name(user), behind(session, MOST_BEHIND))
}

pub(super) fn username(row: &ListedSession) -> String {
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
pub(super) fn format(row: &ListedSession) -> String {
    let session = &row.session;
    let mut words: Vec<String> = Vec::new();
    words.extend(session.layout.map(word));
    words.extend(session.serializer.map(word));
    words.extend(session.compressed.then(|| "zlib".to_owned()));
    words.extend(session.error.as_ref().map(|error| format!("({error})")));
    words.join(" ")
}

/// Whether a key verifies it, and which one if it is not `SECRET_KEY`.
pub(super) fn signature(session: &DecodedSession) -> String {
    match session.key {
        Some(key) if key > 1 => format!("{} ({key})", word(session.signature)),
        _ => word(session.signature),
    }
}

/// A time without its fraction.
pub(super) fn seconds(time: Option<&str>) -> Cow<'_, str> {
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
    writeln!(out, "signature   {}", signature(session))?;
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

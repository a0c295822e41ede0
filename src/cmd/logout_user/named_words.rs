//! The part of the report's text about the users whom the operator named.

use std::io::{self, Write};

use super::report::LogoutReport;
use crate::model::counted;
use crate::report::NamedUser;
use crate::ui::{UNFIT, sanitize, sanitize_name};

/// Writes where users were looked up, and which users stayed.
pub(super) fn write_users(out: &mut dyn Write, report: &LogoutReport) -> io::Result<()> {
    if !(report.stopped || report.of_a_schema || report.others_unknown) {
        write_without_session(out, report)?;
    }
    if let Some(table) =
        report.user_table.as_ref().filter(|_| report.of_selected || report.matches.unfit > 0)
    {
        writeln!(out, "Users were looked up in table \"{}\".", sanitize(table))?;
    }
    write_unfit(out, report)
}

/// Writes which sessions have ids that the key of the table of users cannot hold.
fn write_unfit(out: &mut dyn Write, report: &LogoutReport) -> io::Result<()> {
    if report.matches.unfit == 0 {
        return Ok(());
    }
    let sessions = counted(report.matches.unfit, "session");
    let names = if report.matches.unfit == 1 { "names a user" } else { "name users" };
    let table = if report.user_table.is_some() { "that table" } else { "the site's users" };
    let ids = some(report.unfit_ids.iter().map(|id| quoted(id)));
    write!(out, "{sessions} stayed and {names} whom no key of {table} can mean ({ids}): ")?;
    if !report.of_deleted {
        return writeln!(out, "{UNFIT}");
    }
    // An id that is too long to be accepted ends so.
    let is_too_long = report.unfit_ids.iter().any(|id| id.ends_with('…'));
    let but = if is_too_long { ", but none of more than 1,000 bytes" } else { "" };
    writeln!(
        out,
        "--unfit-ids takes them{but}. Use it only where they are of before the key's type was changed: where the site's key field \
         writes ids in another form, these are the site's users, and all of them would be logged out."
    )
}

/// Writes the users without a session: a typo in an id looks the same.
fn write_without_session(out: &mut dyn Write, report: &LogoutReport) -> io::Result<()> {
    let without = || report.named.iter().filter(|user| user.given && !user.seen);
    let (some_have, number) = (report.named.len() > without().count(), without().count());
    if number == 0 {
        return Ok(());
    }
    let missing = || without().filter(|user| user.exists == Some(false));
    match (number, some_have) {
        (1, false) => write!(out, "No live session was found")?,
        (number, _) => {
            let of = format!("{number} of {} users", report.named.len());
            write!(out, "No live session was found of {of}: {}", users(without()))?;
        }
    }
    match missing().count() {
        0 => writeln!(out, "."),
        1 if number == 1 => writeln!(out, ", and there is no such user."),
        missing_users => {
            writeln!(out, "; {missing_users} of these do not exist: {}.", users(missing()))
        }
    }
}

fn users<'u>(users: impl Iterator<Item = &'u NamedUser>) -> String {
    some(users.map(|user| match &user.username {
        Some(name) => name_and_id(name, &user.id),
        None => quoted(&user.id),
    }))
}

/// A user, by name. A name that Django's own validator would refuse is quoted: it may read like a part of the sentence.
pub(super) fn name_and_id(name: &str, id: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
    let is_plain = !name.is_empty() && name.chars().all(is_plain);
    let name = if is_plain { sanitize_name(name).into_owned() } else { quoted(name) };
    format!("{name} ({})", sanitize_name(id))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", sanitize_name(text).replace('"', "\\u{22}"))
}

/// Most users who are named.
const MOST_NAMED: usize = 5;

/// The first few of these.
fn some(named: impl Iterator<Item = String>) -> String {
    let named: Vec<String> = named.collect();
    let first = named.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match named.len().saturating_sub(MOST_NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

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
    let ids = some(report.unfit_ids.iter().map(String::as_str));
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
            let users = format!("{number} of {} users", report.named.len());
            write!(out, "No live session was found of {users}: {}", ids(without()))?;
        }
    }
    match missing().count() {
        0 => writeln!(out, "."),
        1 if number == 1 => writeln!(out, ", and there is no such user."),
        missing_users => {
            writeln!(out, "; {missing_users} of these do not exist: {}.", ids(missing()))
        }
    }
}

fn ids<'u>(users: impl Iterator<Item = &'u NamedUser>) -> String {
    some(users.map(|user| &*user.id))
}

/// Most ids that are named.
const MOST_IDS: usize = 5;

/// The first few of these ids.
fn some<'i>(ids: impl Iterator<Item = &'i str>) -> String {
    let ids: Vec<&str> = ids.collect();
    let named: Vec<String> =
        ids.iter().take(MOST_IDS).map(|id| format!("\"{}\"", sanitize_name(id))).collect();
    match ids.len().saturating_sub(MOST_IDS) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

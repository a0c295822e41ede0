//! The part of the report's text about what lets users in who were logged out.

use std::io::{self, Write};

use super::report::LogoutReport;
use crate::model::counted;
use crate::report::OtherCredentials;
use crate::ui::sanitize;

/// Writes which credentials the users have besides, and whether they can log in again.
pub(super) fn write_access(
    out: &mut dyn Write,
    report: &LogoutReport,
    whom: &str,
) -> io::Result<()> {
    let others = &report.access.other_credentials;
    for one in others.iter().filter(|one| one.revoked > 0) {
        writeln!(out, "{} ended.", what(one, one.revoked))?;
    }
    let mut unknown = others.iter().filter_map(|one| Some((one.name(), one.error.as_ref()?)));
    if let Some((first, error)) = unknown.next() {
        let tables: Vec<String> =
            [first].into_iter().chain(unknown.map(|(table, _)| table)).collect();
        writeln!(
            out,
            "Whether {whom} can come in by rows of {} is NOT known: {}.",
            sanitize(&some(&tables)),
            sanitize(error)
        )?;
    }
    let valid = others.iter().filter_map(|one| Some((one, one.valid.filter(|rows| *rows > 0)?)));
    let valid: Vec<_> = valid.collect();
    if report.revokes && others.is_empty() && !report.stopped {
        writeln!(out, "No token of {whom} is in a table that sessctl knows.")?;
    }
    if !valid.is_empty() {
        let all: Vec<String> = valid.iter().map(|(one, rows)| what(one, *rows)).collect();
        let is_one = matches!(*valid, [(_, 1)]);
        let fate = match (report.revokes, report.dry_run) {
            (true, true) => "would end, too",
            (true, false) if is_one => "IS LEFT",
            (true, false) => "ARE LEFT",
            (false, _) if is_one => {
                "stays valid, since a logout ends sessions only; --revoke-tokens ends it, too"
            }
            (false, _) => {
                "stay valid, since a logout ends sessions only; --revoke-tokens ends these, too"
            }
        };
        writeln!(out, "{} of {whom} {fate}.", all.join(", "))?;
        for sql in valid.iter().filter_map(|(one, _)| one.sql.as_ref()) {
            writeln!(out, "  {}", sanitize(sql))?;
        }
    }
    write_logins(out, report, whom)
}

/// Writes by what they can log in again.
fn write_logins(out: &mut dyn Write, report: &LogoutReport, whom: &str) -> io::Result<()> {
    let logins = report.access.other_logins.iter();
    let logins: Vec<_> =
        logins.filter_map(|one| Some((one, one.valid.filter(|rows| *rows > 0)?))).collect();
    if !logins.is_empty() && !report.dry_run && !report.stopped {
        let all: Vec<String> = logins.iter().map(|(one, rows)| what(one, *rows)).collect();
        let (stay, are) =
            if matches!(*logins, [(_, 1)]) { ("stays", "it is") } else { ("stay", "they are") };
        let all = all.join(", ");
        writeln!(out, "{all} of {whom} {stay}: {are} for logging in, as a password is.")?;
    }
    match report.access.can_log_in {
        Some(users @ 1..) if !report.dry_run && !report.stopped => {
            let who = if report.users.len() == 1 {
                format!("{whom} can")
            } else {
                format!("{} of these can", counted(users, "user"))
            };
            writeln!(out, "{who} log in again: active, with a usable password.")
        }
        _ => Ok(()),
    }
}

/// The names of the tables, or of the first ones.
fn some(tables: &[String]) -> String {
    const MOST: usize = 4;
    match tables.get(..MOST) {
        Some(first) if tables.len() > MOST => {
            format!("{} and {} more", first.join(", "), tables.len() - MOST)
        }
        _ => tables.join(", "),
    }
}

/// So many rows of a table.
fn what(one: &OtherCredentials, rows: u64) -> String {
    format!("{} ({}, {})", counted(rows, one.what), one.package, sanitize(&one.name()))
}

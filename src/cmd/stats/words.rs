//! The report of `stats`, as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::report::{DayStats, StatsReport, UserStats};
use crate::model::counted;
use crate::ui::{Report, sanitize, sanitize_name};

/// Most days in a chart.
const DAYS: usize = 14;
/// Columns of the longest bar.
const BAR: u64 = 40;

impl Report for StatsReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write_rows(out, self)?;
        write_formats(out, self)?;
        write_keys(out, self)?;
        write_tops(out, self)?;
        let earlier = self.saved.len().saturating_sub(DAYS);
        write_days(out, "LAST SAVED, LIVE SESSIONS", &self.saved, earlier)?;
        write_days(out, "EXPIRES", &self.expires, 0)
    }

    fn write_quiet(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write(out)
    }
}

/// Writes how many rows there are, by kind.
fn write_rows(out: &mut dyn Write, report: &StatsReport) -> io::Result<()> {
    let about = |exact: bool| if exact { "" } else { "about " };
    writeln!(out, "rows        {}: {} live, {} expired", report.rows, report.live, report.expired)?;
    writeln!(
        out,
        "live        {} of {}{}, {} anonymous",
        counted(report.logged_in, "login"),
        about(report.users_exact),
        counted(report.users, "user"),
        report.anonymous
    )?;
    let others = [
        (report.unverified, "of a user fail verification"),
        (report.unreadable, "cannot be read"),
        (report.damaged, "are damaged"),
    ];
    let others: Vec<String> = others
        .iter()
        .filter(|(rows, _)| *rows > 0)
        .map(|(rows, what)| format!("{rows} {what}"))
        .collect();
    if !others.is_empty() {
        writeln!(out, "            {}", others.join(", "))?;
    }
    if report.impersonated > 0 {
        writeln!(
            out,
            "            {} with somebody else behind them",
            counted(report.impersonated, "login")
        )?;
    }
    if report.never_expire > 0 {
        writeln!(out, "            {} never expire", report.never_expire)?;
    }
    if report.saved_later > 0 {
        writeln!(
            out,
            "            {} saved again after that time, not counted: only the last save is known",
            counted(report.saved_later, "live session")
        )?;
    }
    Ok(())
}

/// Writes the formats in which the rows are stored.
fn write_formats(out: &mut dyn Write, report: &StatsReport) -> io::Result<()> {
    let pickles = report.serializers.get("pickle").copied().unwrap_or(0);
    writeln!(out, "layouts     {}", list(&report.layouts))?;
    writeln!(out, "serializers {}", list(&report.serializers))?;
    writeln!(
        out,
        "            {}",
        match pickles {
            0 => "no pickle is left".into(),
            pickles => format!("{} left", counted(pickles, "pickle")),
        }
    )?;
    writeln!(out, "signatures  {}", list(&report.signatures))?;
    writeln!(out, "zlib        {}", report.compressed)?;
    let size = &report.size;
    writeln!(
        out,
        "size        {}; median {}, 90% up to {}, 99% up to {}, largest {} bytes",
        bytes(size.total),
        size.median,
        size.p90,
        size.p99,
        size.largest
    )
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn list(rows: &BTreeMap<String, u64>) -> String {
    let words: Vec<_> = rows.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
    words.join(", ")
}

fn at_least(exact: bool) -> &'static str {
    if exact { "" } else { " (at least)" }
}

/// Writes users and how many sessions each has.
fn write_users(
    out: &mut dyn Write,
    title: &str,
    users: &[UserStats],
    exact: bool,
) -> io::Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:>10}  {title}", "SESSIONS")?;
    for user in users {
        let name = user.username.as_ref();
        let name = name.map_or(String::new(), |name| format!(" ({})", sanitize_name(name)));
        let id = sanitize_name(&user.user_id);
        writeln!(out, "{:>10}  {id}{name}{}", user.sessions, at_least(exact))?;
    }
    Ok(())
}

fn write_tops(out: &mut dyn Write, report: &StatsReport) -> io::Result<()> {
    write_users(out, "USER", &report.top_users, report.top_users_exact)?;
    if let Some(staff) = &report.staff {
        let (sessions, users) = (counted(staff.sessions, "session"), counted(staff.users, "user"));
        write_users(out, &format!("STAFF, {sessions} of {users}"), &staff.top, staff.exact)?;
    }
    let exact = report.impersonators_exact;
    write_users(out, "WHO IMPERSONATES OTHERS", &report.impersonators, exact)?;
    if !report.backends.is_empty() {
        writeln!(out, "\n{:>10}  BACKEND", "SESSIONS")?;
        for backend in &report.backends {
            let name = sanitize(&backend.backend);
            let least = at_least(report.backends_exact);
            writeln!(out, "{:>10}  {name}{least}", backend.sessions)?;
        }
    }
    if !report.keys.is_empty() {
        writeln!(out, "\n{:>12}  {:>10}  KEY", "BYTES", "SESSIONS")?;
        for key in &report.keys {
            let (name, least) = (sanitize(&key.key), at_least(report.keys_exact));
            writeln!(out, "{:>12}  {:>10}  {name}{least}", key.bytes, key.sessions)?;
        }
    }
    if !report.largest.is_empty() {
        writeln!(out, "\n{:>12}  {:<8}  USER", "BYTES", "SESSION")?;
        for row in &report.largest {
            let user = row.user_id.as_deref().unwrap_or("-");
            writeln!(
                out,
                "{:>12}  {:<8}  {}",
                row.size,
                sanitize_name(&row.session_key),
                sanitize_name(user)
            )?;
        }
    }
    Ok(())
}

/// Writes which key signed how many sessions, where there are several keys.
fn write_keys(out: &mut dyn Write, report: &StatsReport) -> io::Result<()> {
    if report.signed_by.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\n{:>10}  {:>10}  {:<20}  SIGNED BY", "LIVE", "LOGINS", "LAST SAVED")?;
    for key in &report.signed_by {
        let saved = key.last_saved.as_deref().unwrap_or("-");
        let is = if key.key == 1 { "SECRET_KEY" } else { "fallback" };
        writeln!(out, "{:>10}  {:>10}  {saved:<20}  {} ({is})", key.live, key.logins, key.key)?;
    }
    Ok(())
}

/// Draws days from `first` on, and says how many were left out.
fn write_days(out: &mut dyn Write, title: &str, days: &[DayStats], first: usize) -> io::Result<()> {
    let dates = days.iter().position(|day| !day.is_date()).unwrap_or(days.len());
    let (days, others) = days.split_at_checked(dates).unwrap_or((days, &[]));
    let shown = days.get(first..).unwrap_or_default();
    let shown = shown.get(..DAYS).unwrap_or(shown);
    let all = shown.iter().chain(others);
    let Some(most) = all.map(|day| day.sessions).max().filter(|most| *most > 0) else {
        return Ok(());
    };
    writeln!(out, "\n{:<10}  {:>10}  {title}", "DAY", "SESSIONS")?;
    let rest = |out: &mut dyn Write, days: &[DayStats], when: &str| match days
        .iter()
        .map(|day| day.sessions)
        .sum::<u64>()
    {
        0 => Ok(()),
        sessions => writeln!(out, "{when:<10}  {sessions:>10}"),
    };
    rest(out, days.get(..first).unwrap_or_default(), "before")?;
    let draw = |out: &mut dyn Write, day: &DayStats| {
        let columns = |rows: u64| usize::try_from((rows * BAR).div_ceil(most)).unwrap_or(0);
        let others = columns(day.sessions.saturating_sub(day.anonymous));
        let visitors = columns(day.sessions).saturating_sub(others);
        write!(out, "{:<10}  {:>10}  ", day.day, day.sessions)?;
        write!(out, "{}{}", "#".repeat(others), ".".repeat(visitors))?;
        match (day.anonymous * 100).checked_div(day.sessions).filter(|_| day.anonymous > 0) {
            Some(percent) => writeln!(out, "  {percent}% anonymous"),
            None => writeln!(out),
        }
    };
    shown.iter().try_for_each(|day| draw(out, day))?;
    rest(out, days.get(first + shown.len()..).unwrap_or_default(), "later")?;
    others.iter().try_for_each(|day| draw(out, day))
}

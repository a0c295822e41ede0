//! The report of `check`, as text.

use std::io::{self, Write};

use super::report::CheckReport;
use crate::error::Error;
use crate::model::{Health, counted, rough_time};
use crate::ui::sanitize;
use crate::ui::usage::{explained, unrepeated};

/// Writes one line: the verdict, the reason, and after a vertical bar the figures with their limits for
/// warning and critical.
pub(super) fn write_report(out: &mut dyn Write, report: &CheckReport) -> io::Result<()> {
    let rows = match report.expired {
        Some(rows) => counted(rows, "expired session"),
        None => "more expired sessions than can be counted in time".into(),
    };
    let oldest = match report.oldest {
        Some(seconds) => format!(", the oldest for {}", rough_time(seconds)),
        None => String::new(),
    };
    let bounds = |bound: Option<u64>| match bound {
        Some(bound) => format!("{bound};{}", bound.saturating_mul(2)),
        None => ";".into(),
    };
    let number = report.expired.map_or("U".into(), |rows| rows.to_string());
    writeln!(
        out,
        "SESSIONS {} - {rows}{oldest} | expired={number};{};0 oldest={}s;{};0",
        word(report.health),
        bounds(report.max_expired),
        report.oldest.unwrap_or(0),
        bounds(Some(report.max_age)),
    )
}

/// Writes one line with the reason why there is no verdict.
pub(super) fn write_failure(out: &mut dyn Write, error: &Error) -> io::Result<()> {
    let mut said = vec![error.to_string()];
    said.extend(error.causes());
    write_unknown(out, &said.join(": "))
}

/// Writes one line with this reason why there is no verdict.
pub fn write_unknown(out: &mut dyn Write, why: &str) -> io::Result<()> {
    // A vertical bar would begin the figures.
    let why = unrepeated(why).replace('|', "/");
    writeln!(out, "SESSIONS {} - {}", word(Health::Unknown), sanitize(&why).replace('\n', " "))
}

/// Writes one line about a wrong command line.
pub fn write_misuse(out: &mut dyn Write, said: &str) -> io::Result<()> {
    let said = explained(said);
    let said = said.trim_start_matches("error: ").replace('|', "/");
    writeln!(out, "SESSIONS {} - {said}", word(Health::Unknown))
}

fn word(health: Health) -> &'static str {
    match health {
        Health::Ok => "OK",
        Health::Warning => "WARNING",
        Health::Critical => "CRITICAL",
        Health::Unknown => "UNKNOWN",
    }
}

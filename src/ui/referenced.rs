//! Sentences about sessions that stay because other tables refer to them.

use std::io::{self, Write};

use super::sanitize;
use crate::model::counted;
use crate::report::Referenced;

/// The hint where `--keep-data` would help.
pub const KEEP_DATA_HELPS: &str =
    ", or give --keep-data, which takes the login out of a session and leaves the row";

/// How many of the sessions that a dry run found would be deleted, without those that other tables keep.
pub fn going(found: u64, kept: &Referenced, what: &str) -> String {
    match kept.referenced {
        0 => counted(found, what),
        stay => format!("{} of {}", found.saturating_sub(stay), counted(found, what)),
    }
}

/// Writes which sessions stay because other tables refer to them, and what to do.
pub fn write_referenced(
    out: &mut dyn Write,
    referenced: &Referenced,
    dry_run: bool,
    help: &str,
) -> io::Result<()> {
    let Referenced { referenced: rows, referenced_by: tables } = referenced;
    if *rows == 0 && tables.is_empty() {
        return Ok(());
    }
    let tables: Vec<_> = tables.iter().map(|table| sanitize(table)).collect();
    let tables = tables.join(", ");
    if *rows == 0 {
        return writeln!(
            out,
            "Sessions to which rows of {tables} refer would stay: counting them took too long."
        );
    }
    let them = if *rows == 1 { "it" } else { "them" };
    writeln!(
        out,
        "{} {}: rows of {tables} refer to {them}. Delete those rows first{help}.",
        counted(*rows, "session"),
        match (dry_run, *rows) {
            (true, _) => "would stay",
            (false, 1) => "stays",
            (false, _) => "stay",
        }
    )
}

//! Sentences about rows of other tables that refer to sessions.

use std::io::{self, Write};

use super::sanitize;
use crate::model::counted;
use crate::report::{DeletedOf, Referenced, ReferencesDeleted};

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
        "{} {}: rows of {tables} refer to {them}. Delete those rows first, or with them (--delete-references){help}.",
        counted(*rows, "session"),
        match (dry_run, *rows) {
            (true, _) => "would stay",
            (false, 1) => "stays",
            (false, _) => "stay",
        }
    )
}

/// Writes how many rows of other tables were deleted with the sessions, or would be.
pub fn write_deleted(
    out: &mut dyn Write,
    references: &ReferencesDeleted,
    dry_run: bool,
) -> io::Result<()> {
    for DeletedOf { table, rows, left, at_least, is_of_allauth, .. } in &references.columns {
        let table = if *is_of_allauth { "django-allauth".into() } else { sanitize(table) };
        let would = if dry_run { " would be" } else { "" };
        let at_least = if *at_least { "At least " } else { "" };
        match rows {
            Some(rows) => {
                let rows = counted(*rows, "row");
                writeln!(out, "{at_least}{rows} of {table}{would} deleted with them.")?;
            }
            None => writeln!(
                out,
                "Rows of {table} would be deleted with them: counting them took too long."
            )?,
        }
        if let Some(rows @ 1..) = left {
            let (what, they) = (counted(*rows, "row"), if *rows == 1 { "refers" } else { "refer" });
            writeln!(
                out,
                "{what} of {table} {they} to sessions that were deleted: a trigger keeps such rows, or \
                 meanwhile the site wrote them, or ended the session itself."
            )?;
        }
    }
    Ok(())
}

use std::io::{self, Write};

use crate::model::counted;
use crate::report::{Ending, Paused};

/// Why there was no more, as the end of a clause.
pub(super) fn stopped(ended: Ending) -> &'static str {
    match ended {
        Ending::Done => "",
        Ending::Limit => ", stopped at --limit",
        Ending::RunTime => ", --run-time is over",
        Ending::Interrupted => ", interrupted",
        Ending::Failed => ", failed",
    }
}

/// Writes for how long it had to wait and for what, if it had to.
pub(super) fn write_paused(out: &mut dyn Write, paused: Paused) -> io::Result<()> {
    for (seconds, why) in [
        (paused.lag, "for replicas that were behind"),
        (paused.file, "while the pause file was there"),
    ] {
        if seconds > 0.0 {
            write!(out, "; paused {seconds:.1} s {why}")?;
        }
    }
    Ok(())
}

/// Writes how many rows of django-allauth's went with the sessions, if that was asked for.
pub(super) fn write_allauth(out: &mut dyn Write, deleted: Option<u64>) -> io::Result<()> {
    match deleted {
        Some(rows) => {
            writeln!(out, "{} of django-allauth deleted with them.", counted(rows, "row"))
        }
        None => Ok(()),
    }
}

/// Says why sessions may be left that were deleted: they never went, or came back.
pub(super) fn write_left(out: &mut dyn Write, not_deleted: u64, rounds: u32) -> io::Result<()> {
    if not_deleted > 0 {
        let (what, are) =
            (counted(not_deleted, "session"), if not_deleted == 1 { "is" } else { "are" });
        writeln!(
            out,
            "{what} of those that were deleted {are} in the table: a trigger or a rule keeps them, or the site \
             writes them back. `sessctl doctor` names triggers."
        )
    } else if rounds > 1 {
        writeln!(out, "Sessions came back while this ran; it took {rounds} rounds.")
    } else {
        Ok(())
    }
}

/// Says which rows stayed although they name a user.
pub(super) fn write_unverified(out: &mut dyn Write, rows: u64, which: &str) -> io::Result<()> {
    if rows > 0 {
        writeln!(
            out,
            "{} {which} failed verification and stayed: Django reads it as empty, unless it has a key that was not given here.",
            counted(rows, "row")
        )?;
    }
    Ok(())
}

/// Says that the table is not all there is.
pub(super) fn write_cached(out: &mut dyn Write, cached: bool) -> io::Result<()> {
    if cached {
        writeln!(
            out,
            "The cache may still hold their sessions, and is asked before the table: clear it."
        )?;
    }
    Ok(())
}

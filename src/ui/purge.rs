use std::io::{self, Write};

use super::ending::{stopped, write_paused};
use crate::model::counted;
use crate::report::{Ending, PurgeReport};

/// Writes one line: what went, what is left, and why it ended and paused.
pub fn write_purge_report(out: &mut dyn Write, report: &PurgeReport) -> io::Result<()> {
    let left = match report.left {
        Some(0) => "none is left".into(),
        Some(1) => "1 is left".into(),
        Some(rows) => format!("{rows} are left"),
        None => "nobody knows how many are left".into(),
    };
    if report.dry_run {
        let rows = match report.left {
            Some(rows) => counted(rows, "session"),
            None => "more sessions than can be counted in time".into(),
        };
        return writeln!(
            out,
            "Dry run: {rows} that expired before {} would be deleted.",
            report.cutoff
        );
    }
    let ended = match report.ended {
        Ending::Done if report.locked > 0 => {
            " that could not be deleted: locked, or kept by a trigger"
        }
        ended => stopped(ended),
    };
    write!(
        out,
        "Purged {} in {:.1} s: {left}{ended} ({}",
        counted(report.deleted, "expired session"),
        report.elapsed_seconds,
        counted(report.batches, "batch"),
    )?;
    write_paused(out, report.paused)?;
    writeln!(out, ").")
}

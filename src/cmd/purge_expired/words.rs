//! The report of `purge-expired`, as text.

use std::io::{self, Write};

use super::report::PurgeReport;
use crate::model::counted;
use crate::report::Ending;
use crate::ui::Report;
use crate::ui::ending::{stopped, write_paused};
use crate::ui::referenced::{write_deleted, write_referenced};

impl Report for PurgeReport {
    /// Writes one line: what was deleted, what is left, and why it ended and paused.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let left = match self.left {
            Some(0) => "none is left".into(),
            Some(1) => "1 is left".into(),
            Some(rows) => format!("{rows} are left"),
            None => "nobody knows how many are left".into(),
        };
        if self.dry_run {
            let rows = match self.left {
                Some(rows) => counted(rows.saturating_sub(self.kept.referenced), "session"),
                None => "more sessions than can be counted in time".into(),
            };
            writeln!(out, "Dry run: {rows} that expired before {} would be deleted.", self.cutoff)?;
            write_deleted(out, &self.references, true)?;
            return write_referenced(out, &self.kept, true, "");
        }
        let ended = match self.ended {
            Ending::Done if self.locked > 0 => {
                " that could not be deleted: locked, or kept by a trigger"
            }
            ended => stopped(ended),
        };
        write!(
            out,
            "Purged {} in {:.1} s: {left}{ended} ({}",
            counted(self.deleted, "expired session"),
            self.elapsed_seconds,
            counted(self.batches, "batch"),
        )?;
        write_paused(out, self.paused)?;
        writeln!(out, ").")?;
        write_deleted(out, &self.references, false)?;
        write_referenced(out, &self.kept, false, "")
    }
}

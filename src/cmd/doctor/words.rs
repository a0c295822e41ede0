//! The report of `doctor`, as text.

use std::io::{self, Write};

use super::report::Diagnosis;
use crate::model::{Status, counted};
use crate::ui::{Report, sanitize, word};

impl Report for Diagnosis {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write(self, out, false)
    }

    fn write_quiet(&self, out: &mut dyn Write) -> io::Result<()> {
        write(self, out, true)
    }
}

/// Writes one line per finding, its next step below it, and the number of problems. If `brief`, it omits
/// findings without a problem.
fn write(diagnosis: &Diagnosis, out: &mut dyn Write, brief: bool) -> io::Result<()> {
    let shown = |status: Status| !brief || status >= Status::Warning;
    for finding in diagnosis.findings.iter().filter(|finding| shown(finding.status)) {
        let (word, text) = (word(finding.status), sanitize(&finding.text));
        writeln!(out, "{word:<8} {:<13} {text}", finding.check)?;
        if let Some(next_step) = &finding.next_step {
            writeln!(out, "{:<22} next: {}", "", sanitize(next_step))?;
        }
    }
    if brief {
        return Ok(());
    }
    let count = |wanted| {
        let found = diagnosis.findings.iter().filter(|finding| finding.status == wanted).count();
        u64::try_from(found).unwrap_or(u64::MAX)
    };
    let mut sum = vec![
        counted(count(Status::Problem), "problem"),
        counted(count(Status::Warning), "warning"),
    ];
    match count(Status::Unknown) {
        0 => {}
        unknown => sum.push(format!("{unknown} could not be found out")),
    }
    writeln!(out, "\n{}.", sum.join(", "))
}

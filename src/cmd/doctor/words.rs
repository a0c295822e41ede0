//! The report of `doctor`, as text.

use std::io::{self, Write};

use super::report::Diagnosis;
use crate::model::{Status, counted};
use crate::ui::{Report, Terminal, sanitize, word};

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
    let terminal = Terminal::of_stdout();
    let shown = |status: Status| !brief || status >= Status::Warning;
    for finding in diagnosis.findings.iter().filter(|finding| shown(finding.status)) {
        let word = format!("{:<8}", word(finding.status));
        let word = terminal.paint(colour(finding.status), &word);
        let head = format!("{:<13}", finding.check);
        let text = sanitize(&finding.text);
        writeln!(out, "{word} {head} {}", terminal.wrap(10 + head.len(), &text))?;
        if let Some(next_step) = &finding.next_step {
            let next_step = sanitize(next_step);
            writeln!(out, "{:<22} next: {}", "", terminal.wrap(29, &next_step))?;
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

/// In SGR's numbers.
fn colour(status: Status) -> &'static str {
    match status {
        Status::Ok => "32",
        Status::Unknown => "36",
        Status::Warning => "33",
        Status::Problem => "31",
    }
}

use std::io::{self, Write};

use super::sanitize;
use crate::model::{Status, counted};
use crate::report::Diagnosis;

/// Writes one line for each finding, the next step below it, and how many are no good. Told to be
/// brief, it leaves out what is.
pub fn write_diagnosis(out: &mut dyn Write, diagnosis: &Diagnosis, brief: bool) -> io::Result<()> {
    let shown = |status: Status| !brief || status >= Status::Warning;
    for finding in diagnosis.findings.iter().filter(|finding| shown(finding.status)) {
        let (word, text) = (super::word(finding.status), sanitize(&finding.text));
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

/// Writes statements of SQL, one a line.
pub fn write_sql(out: &mut dyn Write, statements: &[String]) -> io::Result<()> {
    statements.iter().try_for_each(|statement| writeln!(out, "{statement}"))
}

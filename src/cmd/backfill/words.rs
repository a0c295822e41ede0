//! The report of `backfill`, as text.

use std::io::{self, Write};

use super::report::{BackfillReport, ColumnPlan};
use crate::model::{counted, shell_word};
use crate::report::Ending;
use crate::ui::ending::{stopped, write_paused};
use crate::ui::{Report, sanitize, sanitize_name};

impl Report for BackfillReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let column = sanitize(&self.column);
        if self.watch_nulls {
            return writeln!(
                out,
                "Column {column}: of {} saved in the last hour {} without a user id in it.",
                counted(self.saved_last_hour, "login"),
                match self.missing_last_hour {
                    1 => "1 is".into(),
                    rows => format!("{rows} are"),
                }
            );
        }
        if let Some(plan) = &self.plan {
            write_plan(out, &column, self, plan)?;
        } else {
            let truth = match (self.ended, self.missing, self.different) {
                (Ending::Done, Some(0), 0) if self.misfits + self.unknown_users > 0 => {
                    "it is right where it holds an id".into()
                }
                (Ending::Done, Some(0), 0) => "it is right for every login".into(),
                (Ending::Done, Some(missing), different) => format!(
                    "it is NOT right: {} without a user id, {different} with another one",
                    counted(missing, "login")
                ),
                _ => "nobody looked whether it is right".into(),
            };
            write!(
                out,
                "Column {column} ({}): {} filled in {:.1} s; {truth}{} ({}",
                self.column_type,
                counted(self.filled, "session"),
                self.elapsed_seconds,
                stopped(self.ended),
                counted(self.batches, "batch"),
            )?;
            write_paused(out, self.paused)?;
            writeln!(out, ").")?;
        }
        write_exceptions(out, self)?;
        let right = self.missing == Some(0) && self.different + self.misfits == 0;
        if self.plan.is_none() && self.ended == Ending::Done && right {
            writeln!(
                out,
                "Next: `sessctl django-code --column {} --type {}` prints an app with which the site fills it at \
                 every login.",
                sanitize(&shell_word(&self.column)),
                self.column_type
            )?;
        }
        Ok(())
    }
}

fn write_plan(
    out: &mut dyn Write,
    column: &str,
    report: &BackfillReport,
    plan: &ColumnPlan,
) -> io::Result<()> {
    writeln!(
        out,
        "Dry run: column {column} ({}) {}; {} of {} would be filled.",
        report.column_type,
        if plan.exists { "is there" } else { "would be added" },
        report.missing.unwrap_or(0),
        counted(report.logins, "login"),
    )?;
    for sql in &plan.sql {
        writeln!(out, "  {};", sanitize(sql))?;
    }
    writeln!(
        out,
        "That takes about {} s, and up to {} MB more in the table and {} MB for the index.",
        plan.seconds,
        plan.table_bytes.div_ceil(1_000_000),
        plan.index_bytes.div_ceil(1_000_000)
    )
}

/// Rows that stay without a user id, and why.
fn write_exceptions(out: &mut dyn Write, report: &BackfillReport) -> io::Result<()> {
    if report.unverified + report.unreadable > 0 {
        writeln!(
            out,
            "Left without a user id: {} that Django would not believe, {} that cannot be read.",
            report.unverified, report.unreadable
        )?;
    }
    if let (Some(users), rows @ 1..) = (&report.users, report.unknown_users) {
        let logins = if rows == 1 {
            "1 login of a user who is".into()
        } else {
            format!("{rows} logins of users who are")
        };
        writeln!(
            out,
            "Left without a user id: {logins} not in {}, to which the column refers.",
            sanitize(users)
        )?;
    }
    if report.misfits > 0 {
        let ids: Vec<_> = report.misfit_ids.iter().map(|id| sanitize_name(id)).collect();
        writeln!(
            out,
            "Left without a user id: {} of users whose id is no {}, such as {}.",
            counted(report.misfits, "login"),
            report.column_type,
            ids.join(", ")
        )?;
    }
    Ok(())
}

use std::io::{self, Write};

use super::sanitize;
use crate::model::counted;
use crate::report::LogoutReport;

/// Writes where users were looked up, and who of them stayed.
pub(super) fn write_users(out: &mut dyn Write, report: &LogoutReport) -> io::Result<()> {
    if let Some(table) = &report.user_table {
        writeln!(out, "Users were looked up in table \"{}\".", sanitize(table))?;
    }
    if report.unfit > 0 {
        let sessions = counted(report.unfit, "session");
        let names = if report.unfit == 1 { "names a user" } else { "name users" };
        let ids: Vec<String> =
            report.unfit_ids.iter().map(|id| format!("\"{}\"", sanitize(id))).collect();
        writeln!(
            out,
            "{sessions} stayed and {names} whom no key of that table can mean ({}): --unfit-ids takes them.",
            ids.join(", ")
        )?;
    }
    Ok(())
}

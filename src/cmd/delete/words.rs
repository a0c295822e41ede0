//! The report of `delete`, as text.

use std::io::{self, Write};

use super::report::DeleteReport;
use crate::model::{Tally, counted};
use crate::report::{Ending, Proof};
use crate::ui::ending::{stopped, write_entries, write_left, write_paused, write_unranked};
use crate::ui::referenced::{going, write_deleted, write_referenced};
use crate::ui::{Report, sanitize, write_preview};

/// What these sessions are, for a question: `3 of users, 2 anonymous`.
pub(super) fn kinds(of: &Tally) -> String {
    let Tally { logins, anonymous, unverified, unreadable, damaged, .. } = *of;
    let all = [
        (logins, "of users"),
        (anonymous, "anonymous"),
        (unverified, "of users that fail verification (Django reads them as empty)"),
        (unreadable, "that cannot be read"),
        (damaged, "damaged"),
    ];
    let some = all.into_iter().filter(|(rows, _)| *rows > 0);
    let some: Vec<String> = some.map(|(rows, what)| format!("{rows} {what}")).collect();
    some.join(", ")
}

impl Report for DeleteReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let which = sanitize(&self.conditions.join(" ")).into_owned();
        let looked = format!(
            "{} read in {:.1} s",
            counted(self.scanned.max(self.tally.scanned), "row"),
            self.elapsed_seconds
        );
        if self.dry_run {
            let found = going(self.matches.matched, &self.kept, "session");
            let stopped = stopped(self.ended);
            writeln!(out, "Dry run: {found} ({which}) would be deleted{stopped} ({looked}).")?;
            let kinds = kinds(&self.kinds);
            if !kinds.is_empty() {
                writeln!(out, "They are: {kinds}.")?;
            }
            write_preview(out, &self.preview, self.matches.matched)?;
        } else {
            let deleted = counted(self.deleted, "session");
            let (said, stopped, proof) = (self.claim(), stopped(self.ended), self.proof());
            write!(out, "{said}: {deleted} deleted ({which}){stopped}, {proof} ({looked}")?;
            write_paused(out, self.paused)?;
            writeln!(out, ").")?;
        }
        self.write_rest(out)
    }
}

impl DeleteReport {
    /// The claim about the sessions that meet the conditions.
    fn claim(&self) -> &'static str {
        match (self.remaining, self.verdict) {
            _ if self.ended != Ending::Done => "NOT done",
            (Some(1..), _) => "NOT all are gone",
            (Some(0), Proof::Unknown) => "NOT known whether all are gone",
            _ if self.unsure => "NOT known whether all are gone",
            _ => "Done",
        }
    }

    /// What the last scan proved.
    fn proof(&self) -> String {
        let place = if self.cached || self.engine_unknown { " in the table" } else { "" };
        match self.remaining {
            Some(0) => format!("none is left{place}"),
            Some(1) => "1 IS LEFT".into(),
            Some(left) => format!("{left} ARE LEFT"),
            None => "not looked again".into(),
        }
    }

    fn write_rest(&self, out: &mut dyn Write) -> io::Result<()> {
        write_deleted(out, &self.references, self.dry_run)?;
        write_entries(out, self.cache_entries_deleted.filter(|_| !self.dry_run))?;
        if self.cached && !self.dry_run {
            writeln!(
                out,
                "The cache may still hold copies of deleted sessions, and is asked before the table: clear it."
            )?;
        }
        write_left(out, self.not_deleted, self.rounds)?;
        write_referenced(out, &self.kept, self.dry_run, "")?;
        let unproved = self.unverified_left;
        if unproved > 0 {
            writeln!(
                out,
                "{} stayed: no key verifies them, nor any other row that shows the key to be right.",
                counted(unproved, "row")
            )?;
        } else if self.matches.unverified > 0 {
            let would = match (self.dry_run, self.ended) {
                (true, _) => "would go",
                (false, Ending::Done) => "went",
                _ => "are to go",
            };
            writeln!(
                out,
                "{} of these that no key verifies {would}, too: another row shows that the key is right.",
                counted(self.matches.unverified, "row")
            )?;
        }
        if self.is_of_newest {
            write_unranked(out, self.matches.undated)?;
        } else if self.matches.undated > 0 {
            writeln!(
                out,
                "{} stayed: only sessions as Django 3.1 and later sign them say when they were saved.",
                counted(self.matches.undated, "session")
            )?;
        }
        if self.matches.saved_later > 0 {
            writeln!(
                out,
                "{} stayed: saved after that time, or after this command began. Only the last save is known.",
                counted(self.matches.saved_later, "session")
            )?;
        }
        if self.matches.unreadable > 0 {
            writeln!(
                out,
                "{} stayed that may be among these: what decides cannot be read. See `sessctl list --unreadable`.",
                counted(self.matches.unreadable, "row")
            )?;
        }
        Ok(())
    }
}

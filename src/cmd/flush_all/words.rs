//! The report of `flush-all`, as text.

use std::io::{self, Write};

use super::report::{Census, FlushReport};
use crate::model::counted;
use crate::report::{Matches, Proof};
use crate::ui::Report;
use crate::ui::ending::{
    stopped, without_login, write_alike, write_cached, write_entries, write_left, write_paused,
    write_unreadable, write_unverified,
};
use crate::ui::referenced::{KEEP_DATA_HELPS, going, write_deleted, write_referenced};

/// Describes the contents of the table, and what the run would delete.
pub(super) fn intent(
    census: &Census,
    logins_only: bool,
    keep_data: bool,
    some_spared: bool,
) -> String {
    let Census { live_users, live_anonymous, expired, .. } = census;
    let mut others = String::new();
    if census.live_unverified > 0 {
        let users = counted(census.live_unverified_users, "user");
        let rows = census.live_unverified;
        others = format!(", {rows} of {users} that fail verification (Django reads them as empty)");
    }
    for (rows, what) in
        [(census.live_unreadable, "that cannot be read"), (census.live_damaged, "that are damaged")]
    {
        if rows > 0 {
            others = format!("{others}, {rows} {what}");
        }
    }
    let found = format!(
        "the table has {}: {} of users, {live_anonymous} anonymous{others}, {expired} expired",
        counted(census.rows, "row"),
        counted(*live_users, "live session"),
    );
    let but = if some_spared {
        format!(", but for {} of users who are spared", counted(census.live_spared, "session"))
    } else {
        String::new()
    };
    match (logins_only, keep_data) {
        (_, true) => {
            format!("{found}; the logins are to go, and what else the sessions hold stays{but}")
        }
        (true, _) => format!("{found}; those of users are to go{but}"),
        _ => format!("{found}; all are to go, with the carts of anonymous visitors{but}"),
    }
}

impl Report for FlushReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let seconds = self.elapsed_seconds;
        if self.dry_run {
            let sessions = going(self.matches.matched, &self.kept, "session");
            writeln!(out, "Dry run: {sessions} would go ({seconds:.1} s).")?;
            write_deleted(out, &self.references, true)?;
            write_referenced(out, &self.kept, true, KEEP_DATA_HELPS)?;
            return self.write_rest(out);
        }
        let deleted = match self.deleted {
            Some(rows) => format!("{} deleted", counted(rows, "session")),
            None => "table emptied".into(),
        };
        let rewritten = match self.rewritten {
            0 => String::new(),
            rows => format!(", {rows} {}", without_login(rows)),
        };
        let everybody = match self.verdict {
            Proof::Unknown if self.only_spared_are_in_doubt() => {
                "Logged out everybody else, and perhaps users who are to be spared"
            }
            Proof::Unknown => "NOT everybody is known to be logged out",
            _ if self.some_spared => "Logged out everybody else",
            _ => "Logged out everybody",
        };
        let place =
            if self.cached || self.engine_unknown { " as far as the table tells" } else { "" };
        let proof = match self.remaining {
            Some(0) if self.verdict == Proof::Unknown => format!("no other login was found{place}"),
            Some(0) if self.some_spared => format!("nobody else is logged in{place}"),
            Some(0) => format!("nobody is logged in{place}"),
            Some(logins) => format!("LOGINS LEFT: {logins}"),
            None => "not looked again".into(),
        };
        let stopped = stopped(self.ended);
        write!(out, "{everybody}: {deleted}{rewritten}{stopped}, {proof} ({seconds:.1} s")?;
        write_paused(out, self.paused)?;
        writeln!(out, ").")?;
        write_deleted(out, &self.references, self.dry_run)?;
        write_entries(out, self.cache_entries_deleted)?;
        write_cached(out, self.cached)?;
        write_left(out, self.not_deleted, self.rounds)?;
        write_referenced(out, &self.kept, false, KEEP_DATA_HELPS)?;
        self.write_rest(out)
    }
}

impl FlushReport {
    /// Whether everything is proved except that the spared users were spared.
    fn only_spared_are_in_doubt(&self) -> bool {
        let Matches { maybe_spared, shared, alike, unfit, unreadable, .. } = self.matches;
        let proved = self.remaining == Some(0) && self.doubts.is_empty() && !self.cached;
        maybe_spared > 0 && shared + alike + unfit + unreadable == 0 && proved
    }

    fn write_rest(&self, out: &mut dyn Write) -> io::Result<()> {
        let went = match (self.verified_only, self.dry_run) {
            (true, _) => "stay",
            (_, true) => "would go, too",
            _ => "went, too",
        };
        if let Some(census) = self.census.filter(|_| self.some_spared) {
            let (sessions, stay) = match census.live_spared {
                1 => ("1 session".into(), "stays"),
                rows => (counted(rows, "session"), "stay"),
            };
            writeln!(out, "{sessions} of users who are spared {stay}.")?;
        }
        write_unverified(out, self.matches.unverified, Some(self.unverified_users), went)?;
        if self.matches.shared > 0 {
            writeln!(
                out,
                "{} stayed that name a user who is spared and somebody else, too: one impersonates the other. See \
                 `sessctl list`.",
                counted(self.matches.shared, "session")
            )?;
        }
        write_alike(out, self.matches.alike, "that of a user who is spared")?;
        if self.matches.unfit > 0 {
            writeln!(
                out,
                "{} stayed: no key of the table of users can mean their users, one of whom may be a user who is spared.",
                counted(self.matches.unfit, "session")
            )?;
        }
        if self.matches.maybe_spared > 0 {
            let rows = counted(self.matches.maybe_spared, "row");
            writeln!(
                out,
                "{rows} that could not be read {went}: a user who is to be spared may be logged in by one."
            )?;
        }
        write_unreadable(out, self.matches.unreadable)
    }
}

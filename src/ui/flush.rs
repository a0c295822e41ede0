use std::io::{self, Write};

use super::Report;
use super::ending::{
    stopped, write_allauth, write_cached, write_left, write_paused, write_unverified,
};
use crate::model::counted;
use crate::report::{Census, Ending, FlushReport};

/// What is in the table, and what would go of it.
pub fn flush_intent(
    census: &Census,
    logins_only: bool,
    keep_data: bool,
    some_spared: bool,
) -> String {
    let Census { live_users, live_anonymous, live_unreadable, expired, .. } = census;
    let unreadable = match live_unreadable {
        0 => String::new(),
        rows => format!(", {rows} that cannot be read"),
    };
    let found = format!(
        "the table has {}: {} of users, {live_anonymous} anonymous{unreadable}, {expired} expired",
        counted(census.rows, "row"),
        counted(*live_users, "live session"),
    );
    let but = if some_spared { ", but for the users that are spared" } else { "" };
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
            let sessions = counted(self.matched, "session");
            return writeln!(out, "Dry run: {sessions} would go ({seconds:.1} s).");
        }
        let deleted = match self.deleted {
            Some(rows) => format!("{} deleted", counted(rows, "session")),
            None => "table emptied".into(),
        };
        let rewritten = match self.rewritten {
            0 => String::new(),
            rows => format!(", {rows} kept without their login"),
        };
        let everybody = match (self.ended, self.remaining) {
            _ if self.cached || self.unreadable > 0 => "NOT everybody is known to be logged out",
            (Ending::Done, Some(0)) if self.some_spared => "Logged out everybody else",
            (Ending::Done, Some(0)) => "Logged out everybody",
            _ => "NOT everybody is known to be logged out",
        };
        let proof = match self.remaining {
            Some(0) if self.unreadable > 0 => "no other login was found".into(),
            Some(0) if self.some_spared => "nobody else is logged in".into(),
            Some(0) => "nobody is logged in".into(),
            Some(logins) => format!("LOGINS LEFT: {logins}"),
            None => "not looked again".into(),
        };
        let stopped = stopped(self.ended);
        write!(out, "{everybody}: {deleted}{rewritten}{stopped}, {proof} ({seconds:.1} s")?;
        write_paused(out, self.paused)?;
        writeln!(out, ").")?;
        write_allauth(out, self.allauth_deleted)?;
        write_cached(out, self.cached)?;
        write_left(out, self.not_deleted, self.rounds)?;
        write_unverified(out, self.unverified, "of a user")?;
        if self.unreadable > 0 {
            let rows = counted(self.unreadable, "row");
            writeln!(out, "{rows} could not be read and may be anybody's: see `sessctl list`.")?;
        }
        Ok(())
    }
}

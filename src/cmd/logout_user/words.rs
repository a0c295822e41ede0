//! The report of `logout-user`, as text.

use std::io::{self, Write};

use super::access_words::write_access;
use super::named_words::{name_and_id, write_users};
use super::report::LogoutReport;
use crate::model::{counted, uuid_digits};
use crate::report::Proof;
use crate::ui::ending::{
    without_login, write_alike, write_cached, write_entries, write_impersonated, write_left,
    write_unranked, write_unreadable, write_unverified,
};
use crate::ui::referenced::{KEEP_DATA_HELPS, going, write_deleted, write_referenced};
use crate::ui::{Report, sanitize, sanitize_name, write_preview};

/// Most users who are shown by name.
const MOST_USERS: usize = 20;

impl Report for LogoutReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let whom = &self.whom();
        let rows = counted(self.scanned.max(self.tally.scanned), "row");
        let looked = format!("{rows} read in {:.1} s", self.elapsed_seconds);
        if self.stopped && self.matches.matched == 0 {
            writeln!(
                out,
                "Stopped while looking for sessions of {whom}; nothing was deleted ({looked})."
            )?;
        } else if self.stopped {
            let found = counted(self.matches.matched, "session");
            let ended = self.deleted + self.rewritten;
            let did = if self.keep_data { "ended" } else { "deleted" };
            // The error is printed separately, with its hint.
            let next = if self.failed { "" } else { " Run it again for the rest." };
            writeln!(
                out,
                "Stopped: {ended} of {found} of {whom} {did}, not looked again ({looked}).{next}"
            )?;
        } else if self.dry_run {
            let found = going(self.matches.matched, &self.kept, "live session");
            let fate = if self.keep_data { "lose their login" } else { "be deleted" };
            let by = self.by_trusted_column();
            writeln!(out, "Dry run: {found} of {whom} would {fate}{by} ({looked}).")?;
            write_resolved(out, self)?;
            write_preview(out, &self.preview, self.matches.matched)?;
        } else {
            let (said, done, proof) = (self.claim(), self.done(), self.proof());
            writeln!(out, "{said} {whom}: {done}, {proof} ({looked}).")?;
        }
        self.write_rest(out, &self.users())
    }
}

impl LogoutReport {
    /// The users, and which of their sessions stay.
    fn whom(&self) -> String {
        match self.keep_newest {
            None => self.users(),
            Some(1) => format!("{} but for the newest session", self.users()),
            Some(keep) => format!("{} but for the newest {keep} sessions", self.users()),
        }
    }

    /// The user, by name where it is known, or how many users.
    fn users(&self) -> String {
        let [user] = self.users.as_slice() else { return format!("{} users", self.users.len()) };
        let name = match self.named.as_slice() {
            [named] => named.username.as_deref().map(|name| name_and_id(name, &named.id)),
            _ => None,
        };
        name.unwrap_or_else(|| format!("user {}", sanitize_name(user)))
    }

    /// The claim about the users.
    fn claim(&self) -> &'static str {
        match (self.remaining, self.verdict) {
            (Some(1..), _) => "NOT logged out,",
            (Some(0), Proof::Unknown) => "NOT known to be logged out,",
            _ if self.unsure => "NOT known to be logged out,",
            _ => "Logged out",
        }
    }

    /// What was done to their sessions.
    fn done(&self) -> String {
        let deleted = format!("{} deleted", counted(self.deleted, "session"));
        let kept =
            format!("{} {}", counted(self.rewritten, "session"), without_login(self.rewritten));
        match (self.deleted, self.rewritten) {
            (_, 0) => deleted,
            (0, _) => kept,
            _ => format!("{deleted}, {kept}"),
        }
    }

    /// A note that the result relies on the user column, if it does.
    fn by_trusted_column(&self) -> String {
        let column = self.user_column.as_ref().filter(|_| self.by_column);
        column.map_or_else(String::new, |column| format!(" by column {}", sanitize(column)))
    }

    /// What the last scan proved.
    fn proof(&self) -> String {
        let stay = self.keep_newest.is_some() || self.verified_only && self.matches.unverified > 0;
        let which = match (self.excepted || stay, self.of_a_time) {
            (false, false) => "none",
            (false, true) => "none of that time",
            (true, false) => "no other",
            (true, true) => "no other of that time",
        };
        let place = match self.by_trusted_column() {
            by if !by.is_empty() => by,
            _ if self.cached || self.engine_unknown => " in the table".into(),
            _ => String::new(),
        };
        match self.remaining {
            Some(0) => format!("{which} is left{place}"),
            Some(1) => "1 IS LEFT".into(),
            Some(left) => format!("{left} ARE LEFT"),
            None if self.others_unknown => "not known of all schemas".into(),
            None => "not looked again".into(),
        }
    }

    /// Writes the remaining lines.
    fn write_rest(&self, out: &mut dyn Write, whom: &str) -> io::Result<()> {
        if self.others_unknown && self.dry_run {
            writeln!(out, "Nothing is known of the schemas that failed or were not begun.")?;
        }
        write_users(out, self)?;
        write_deleted(out, &self.references, self.dry_run)?;
        write_entries(out, self.cache_entries_deleted)?;
        write_cached(out, self.cached && !self.dry_run)?;
        write_left(out, self.not_deleted, self.rounds)?;
        write_referenced(out, &self.kept, self.dry_run, KEEP_DATA_HELPS)?;
        let went = match (self.verified_only, self.dry_run) {
            (true, _) => "stay",
            (_, true) => "would go, too",
            _ => "went, too",
        };
        write_unverified(out, self.matches.unverified, None, went)?;
        write_impersonated(out, self.matches.impersonated)?;
        write_alike(out, self.matches.alike, "that of a user who was named")?;
        let nothing_found = self.matches.matched + self.matches.unverified == 0 && !self.stopped;
        if nothing_found
            && self.resolved.is_empty()
            && self.users.iter().any(|user| looks_like_a_name(user))
        {
            writeln!(
                out,
                "No session was found: an id is a primary key. --username and --email take names."
            )?;
        }
        if self.matches.different > 0 {
            let what = counted(self.matches.different, "row");
            let column = sanitize(self.user_column.as_deref().unwrap_or_default()).into_owned();
            writeln!(
                out,
                "{what} that {column} calls theirs is somebody else's login and stayed: the column is wrong. \
                 `sessctl backfill --restart` corrects it."
            )?;
        }
        if self.keep_newest.is_some() {
            write_unranked(out, self.matches.undated)?;
        } else if self.matches.undated > 0 {
            let what = counted(self.matches.undated, "session");
            writeln!(
                out,
                "{what} of {whom} stayed: only sessions as Django 3.1 and later sign them say when they were saved."
            )?;
        }
        if self.matches.saved_later > 0 {
            let what = counted(self.matches.saved_later, "session");
            writeln!(
                out,
                "{what} of {whom} stayed: saved again after that time. Only the last save is known."
            )?;
        }
        write_unreadable(out, self.matches.unreadable)?;
        write_access(out, self, whom)
    }
}

/// Most primary keys are numbers or UUIDs.
fn looks_like_a_name(user: &str) -> bool {
    user.parse::<i128>().is_err() && uuid_digits(user).is_none()
}

/// Writes which users the given names selected.
fn write_resolved(out: &mut dyn Write, report: &LogoutReport) -> io::Result<()> {
    // One is in the first line.
    if report.resolved.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\n{:<12}  USERNAME", "USER")?;
    for user in report.resolved.iter().take(MOST_USERS) {
        let name = user.username.as_deref().unwrap_or("-");
        writeln!(out, "{:<12}  {}", sanitize_name(&user.id), sanitize_name(name))?;
    }
    match report.resolved.len().saturating_sub(MOST_USERS) {
        0 => Ok(()),
        more => writeln!(out, "... and {more} more"),
    }
}

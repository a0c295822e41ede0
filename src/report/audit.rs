//! The lines of the audit log.

use serde::Serialize;

/// A run that may change a table, as every line of the audit file says it.
#[derive(Debug, Serialize)]
pub struct AuditedRun {
    /// The same random text in both lines of a run.
    pub run: String,
    /// When it began, RFC 3339 in UTC.
    pub began: String,
    /// The machine that it ran on.
    pub host: Option<String>,
    /// The real user id of the process.
    pub uid: u32,
    /// The user id with which somebody logged in to the machine, as Linux keeps it through `sudo` and `su`. `None` where it
    /// does not: for cron, in containers.
    pub login_uid: Option<u32>,
    /// The name of the system's user that it ran as.
    pub user: Option<String>,
    /// Who became that user by `sudo`, as the environment says it: whoever may set that may write anything there.
    pub sudo_user: Option<String>,
    /// Of sessctl.
    pub version: &'static str,
    /// The command.
    pub command: &'static str,
    /// What was typed, without the database.
    pub arguments: Vec<String>,
    /// The database, without user and password; a file with its whole path. `None` if what was named makes no sense.
    pub database: Option<String>,
    /// `--reason`.
    pub reason: Option<String>,
}

/// The line before the first change.
#[derive(Debug, Serialize)]
pub struct AuditBegan<'a> {
    /// `began`.
    pub event: &'static str,
    /// Which run.
    #[serde(flatten)]
    pub run: &'a AuditedRun,
}

/// The line after the last change.
#[derive(Debug, Serialize)]
pub struct AuditEnded<'a, R> {
    /// `ended`.
    pub event: &'static str,
    /// Which run.
    #[serde(flatten)]
    pub run: &'a AuditedRun,
    /// When it ended.
    pub ended: String,
    /// The exit code.
    pub exit: u8,
    /// What failed on what.
    pub error: Option<String>,
    /// What `--format json` prints; `None` if nothing was begun.
    pub report: Option<&'a R>,
    /// Fingerprints of the sessions that are no login any more, as far as they were read.
    pub keys: Vec<String>,
    /// How many more there were.
    pub keys_left_out: u64,
}

//! The lines of the audit log.

use serde::Serialize;

/// A run that may change a table. Every line of the audit log contains it.
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
    /// The user id of the login to the machine, which Linux keeps through `sudo` and `su`. `None` if there is
    /// none, as for cron and in containers.
    pub login_uid: Option<u32>,
    /// The name of the system's user who ran it.
    pub user: Option<String>,
    /// The user who called `sudo`, according to the environment. Whoever controls the environment can write
    /// anything there.
    pub sudo_user: Option<String>,
    /// The version of sessctl.
    pub version: &'static str,
    /// The command.
    pub command: &'static str,
    /// The command line, without the database.
    pub arguments: Vec<String>,
    /// The database, without user and password; a file with its absolute path. `None` if it cannot be
    /// resolved.
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
    /// The error, if it failed.
    pub error: Option<String>,
    /// What `--format json` prints; `None` if no work began.
    pub report: Option<&'a R>,
    /// Fingerprints of the sessions that this run ended, as far as it read them.
    pub keys: Vec<String>,
    /// How many more sessions it ended.
    pub keys_left_out: u64,
}

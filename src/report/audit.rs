use serde::Serialize;

/// A line of the audit file: a run that may have changed a table.
#[derive(Debug, Serialize)]
pub struct AuditEntry<'a, R> {
    /// When it began, RFC 3339 in UTC.
    pub began: String,
    /// When it ended.
    pub ended: String,
    /// The machine that it ran on.
    pub host: Option<String>,
    /// The system's user that it ran as.
    pub user: Option<String>,
    /// Who became that user by `sudo`.
    pub sudo_user: Option<String>,
    /// Of sessctl.
    pub version: &'static str,
    /// The command.
    pub command: &'static str,
    /// What was typed, without the database.
    pub arguments: Vec<String>,
    /// The database, without user and password; `None` if it did not come so far.
    pub database: Option<String>,
    /// `--reason`.
    pub reason: Option<String>,
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

//! Classifies errors of SQLite: whether a retry can help, and what the operator can do.

use rusqlite::ErrorCode;

use crate::files::acts_as;
use crate::store::{Fault, StoreError};

pub(super) fn fail(error: rusqlite::Error, what: String) -> StoreError {
    let error_code = error.sqlite_error_code();
    let (fault, hint) = classify(&error, error_code);
    let store_error = StoreError::new(fault, what).because(match error {
        _ if fault == Fault::Stopped => {
            "it took too long, or a signal or --run-time asked sessctl to end".into()
        }
        rusqlite::Error::SqliteFailure(_, Some(said)) => said,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        error => error.to_string(),
    });
    let is_about_rights = matches!(error_code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly));
    match hint {
        Some(hint) if is_about_rights => store_error.hint(hint_on_rights(hint)),
        Some(hint) => store_error.hint(hint),
        None => store_error,
    }
}

/// The hint for a file that this user may not use. It explains why even root may be refused.
pub(super) fn hint_on_rights(otherwise: &str) -> String {
    match acts_as() {
        Some(user) => format!(
            "others can change its folder, so root works there with the rights of user {user} alone: see who put the file there; \
             the file and its folder should belong to the site's user"
        ),
        None => otherwise.to_owned(),
    }
}

fn classify(error: &rusqlite::Error, code: Option<ErrorCode>) -> (Fault, Option<&'static str>) {
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Fault::Busy,
            Some("another process holds the write lock; look for a long transaction on the file"),
        ),
        Some(ErrorCode::OperationInterrupted) => (
            Fault::Stopped,
            Some(
                "a view, a trigger or a generated column of the file may never end; --answer-timeout waits longer",
            ),
        ),
        Some(ErrorCode::OutOfMemory | ErrorCode::TooBig) => (
            Fault::Fatal,
            Some(
                "a view, a trigger or a generated column of the file makes values that no session has",
            ),
        ),
        Some(ErrorCode::NotADatabase) => (Fault::Fatal, Some("the file is not an SQLite database")),
        Some(ErrorCode::CannotOpen) => (
            Fault::Fatal,
            Some(
                "check the path, and that the file may be read and its folder, for the journal, written; or is the disk mounted read-only?",
            ),
        ),
        Some(ErrorCode::ReadOnly) => (
            Fault::Fatal,
            Some(
                "run as a user that may write the file and its folder; or is the disk mounted read-only?",
            ),
        ),
        Some(ErrorCode::DiskFull) => (
            Fault::Fatal,
            Some("free some space, and run it again; nothing of this batch was done"),
        ),
        Some(ErrorCode::SystemIoFailure) => (
            Fault::Fatal,
            Some("is the disk full? If not, check it and its mount; the system log may tell more"),
        ),
        Some(ErrorCode::Unknown) if error.to_string().contains("because it is a view") => {
            (Fault::Fatal, Some("name the table itself with --table"))
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            (Fault::Fatal, Some("check the file with `sqlite3 FILE 'PRAGMA integrity_check'`"))
        }
        _ => (Fault::Fatal, None),
    }
}

//! What an error of the server or the connection means for the next step.

use std::io;

use ::postgres::Error;
use ::postgres::error::SqlState;

use crate::store::{Fault, StoreError};

pub(super) fn fail(error: Error, what: String) -> StoreError {
    let (fault, hint) = classify(&error);
    let store_error = StoreError::new(fault, what).because(error);
    match hint {
        Some(hint) => store_error.hint(hint),
        None => store_error,
    }
}

/// An error met while reading `COPY` data: the driver wraps its own into an I/O error.
pub(super) fn fail_io(error: io::Error, what: String) -> StoreError {
    match error.downcast::<Error>() {
        Ok(error) => fail(error, what),
        Err(error) => StoreError::new(Fault::Lost, what).because(error),
    }
}

fn classify(error: &Error) -> (Fault, Option<&'static str>) {
    let Some(code) = error.code() else {
        return if error.is_closed() || io_cause(error).is_some() {
            (Fault::Lost, Some("is the server running, and does it listen at that host and port?"))
        } else {
            (Fault::Fatal, None)
        };
    };
    match code {
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => {
            (Fault::Busy, None)
        }
        &SqlState::LOCK_NOT_AVAILABLE => (
            Fault::Busy,
            Some(
                "another session holds a lock on the table or its rows; see pg_stat_activity and pg_locks",
            ),
        ),
        &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW => {
            (Fault::Lost, None)
        }
        &SqlState::TOO_MANY_CONNECTIONS => (Fault::Lost, Some("the server has no free connection")),
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            (Fault::Fatal, Some("check user and password of the database URL"))
        }
        &SqlState::INVALID_CATALOG_NAME => {
            (Fault::Fatal, Some("check the database name in the URL"))
        }
        &SqlState::INSUFFICIENT_PRIVILEGE => (
            Fault::Fatal,
            Some("grant the role SELECT and DELETE on the table, or connect as another role"),
        ),
        &SqlState::READ_ONLY_SQL_TRANSACTION => (Fault::Fatal, Some("connect to the primary")),
        &SqlState::FOREIGN_KEY_VIOLATION => {
            (Fault::Fatal, Some("another table refers to these sessions; delete its rows first"))
        }
        code if code.code().starts_with("08") => (Fault::Lost, None),
        _ => (Fault::Fatal, None),
    }
}

fn io_cause(error: &Error) -> Option<&io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

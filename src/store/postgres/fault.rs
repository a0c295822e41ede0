//! Classifies errors of the server and of the connection: whether a retry can help, and what the operator can
//! do.

use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::connect::{TooMuch, tls_failure_in};
use crate::store::waits::GaveUp;
use crate::store::{Fault, StoreError};

const PATIENCE: &str = "is the server at work, or out of reach? A smaller --batch-size takes less time; --answer-timeout waits longer";

/// The fault of an error.
pub(super) fn of(error: &Error) -> Fault {
    if let Some(why) = gave_up(error) {
        return of_giving_up(why);
    }
    match tls_failure_in(error) {
        Some(failure) if failure.is_lost() => Fault::Lost,
        Some(_) => Fault::Fatal,
        None => classify(error).0,
    }
}

/// The fault of a wait that was given up: a new connection may bring an answer.
pub(super) fn of_giving_up(why: GaveUp) -> Fault {
    match why {
        GaveUp::Asked => Fault::Stopped,
        GaveUp::Silent(_) => Fault::Lost,
    }
}

/// Why a wait was given up, if that is the cause of the error.
pub(super) fn gave_up(error: &Error) -> Option<GaveUp> {
    io_cause(error)?.get_ref()?.downcast_ref().copied()
}

pub(super) fn fail(error: Error, what: String) -> StoreError {
    if let Some(why) = gave_up(&error) {
        let store_error = StoreError::new(of_giving_up(why), what).because(why);
        return match why {
            GaveUp::Asked => store_error,
            GaveUp::Silent(_) => store_error.hint(PATIENCE),
        };
    }
    if let Some(too_much) = too_much(&error) {
        return StoreError::new(Fault::Fatal, what).because(too_much).hint(
            "is it the site's server that answers there? sslmode=verify-full makes sure of it",
        );
    }
    if let Some(failure) = tls_failure_in(&error) {
        return failure.on(of(&error), what);
    }
    let (fault, hint) = classify(&error);
    let store_error = StoreError::new(fault, what);
    // Only the message of the server: its DETAIL can quote a row with its session key.
    let server = error.as_db_error();
    let store_error = match server {
        Some(server) => store_error.because(server.message()).server_says(server.hint()),
        None => store_error.because(error),
    };
    match hint {
        Some(hint) => store_error.hint(hint),
        None => store_error,
    }
}

fn classify(error: &Error) -> (Fault, Option<&'static str>) {
    match error.code() {
        Some(code) => (fault(code), hint(code)),
        None if error.is_closed() || io_cause(error).is_some() => {
            (Fault::Lost, Some("is the server running, and does it listen at that host and port?"))
        }
        None => (
            Fault::Fatal,
            Some(
                "check user, password and options of the database URL; PGPASSWORD and ~/.pgpass count too",
            ),
        ),
    }
}

fn fault(code: &SqlState) -> Fault {
    match code {
        &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::LOCK_NOT_AVAILABLE => Fault::Busy,
        &SqlState::ADMIN_SHUTDOWN
        | &SqlState::CRASH_SHUTDOWN
        | &SqlState::CANNOT_CONNECT_NOW
        | &SqlState::TOO_MANY_CONNECTIONS
        // Closed for being idle, during a pause or over a slow network.
        | &SqlState::IDLE_SESSION_TIMEOUT
        | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Fault::Lost,
        code if code.code().starts_with("08") => Fault::Lost,
        _ => Fault::Fatal,
    }
}

fn hint(code: &SqlState) -> Option<&'static str> {
    Some(match code {
        &SqlState::LOCK_NOT_AVAILABLE => {
            "another session holds a lock on the table or its rows; see pg_stat_activity and pg_locks"
        }
        &SqlState::IDLE_SESSION_TIMEOUT | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
            "give the role longer idle timeouts, or sessctl shorter rests"
        }
        &SqlState::TOO_MANY_CONNECTIONS => "the server has no free connection",
        &SqlState::INVALID_PASSWORD => "check user and password of the database URL",
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "check user and password of the database URL, sslmode, and sslcert with sslkey if the server asks for a certificate"
        }
        &SqlState::INVALID_CATALOG_NAME => "check the database name in the URL",
        &SqlState::INSUFFICIENT_PRIVILEGE => {
            "grant the role USAGE on the schema, SELECT and DELETE on the table (UPDATE too for --keep-data), or connect as another role"
        }
        &SqlState::QUERY_CANCELED => {
            "if that was its statement_timeout: a smaller --batch-size takes less time"
        }
        &SqlState::WRONG_OBJECT_TYPE | &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => {
            "name the table itself with --table"
        }
        &SqlState::UNDEFINED_FUNCTION | &SqlState::DATATYPE_MISMATCH | &SqlState::CANNOT_COERCE => {
            "do its columns have the types that Django gives them?"
        }
        &SqlState::DISK_FULL => {
            "make room on the server's disk, and run it again; what was committed before stays"
        }
        &SqlState::READ_ONLY_SQL_TRANSACTION => "connect to the primary",
        &SqlState::FOREIGN_KEY_VIOLATION => {
            "another table refers to these sessions; delete its rows first"
        }
        &SqlState::NUMERIC_VALUE_OUT_OF_RANGE | &SqlState::STRING_DATA_RIGHT_TRUNCATION => {
            "a user id does not fit the column: make it bigint or text, or name another --column"
        }
        _ => return None,
    })
}

fn too_much(error: &Error) -> Option<TooMuch> {
    io_cause(error)?.get_ref()?.downcast_ref().copied()
}

fn io_cause(error: &Error) -> Option<&io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

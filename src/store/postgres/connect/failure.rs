//! Why a connection to one server failed, and whether to try the next server.

use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::tls::tls_failure_in;
use crate::store::net::TlsFailure;
use crate::store::postgres::conninfo::Host;
use crate::store::postgres::fault::fail;
use crate::store::waits::GaveUp;
use crate::store::{Fault, StoreError};

pub(super) enum Failure {
    /// The name leads nowhere.
    Name(io::Error),
    /// What the server or the driver said.
    Driver(Error),
    /// TLS could not even be tried.
    Tls(Box<TlsFailure>),
    /// The system has no means left to try it with.
    System(io::Error),
    /// The network does not lead there.
    Unreachable(io::Error),
    /// It did not answer.
    GaveUp(GaveUp),
    /// It is not what `target_session_attrs` demands.
    Unwanted(&'static str),
    /// It is PostgreSQL of this version, which we do not work with.
    TooOld(String),
}

impl Failure {
    /// Whether the next address or host is to be tried. Where a server has said no, libpq asks no
    /// other.
    pub(super) fn is_for_the_next(&self) -> bool {
        match self {
            Self::Name(_)
            | Self::Unreachable(_)
            | Self::GaveUp(GaveUp::Silent(_))
            | Self::Unwanted(_) => true,
            Self::GaveUp(GaveUp::Asked) | Self::Tls(_) | Self::System(_) | Self::TooOld(_) => false,
            Self::Driver(error) => match error.code() {
                Some(code) => *code == SqlState::CANNOT_CONNECT_NOW,
                None => self.fault() == Fault::Lost,
            },
        }
    }

    /// Whether the server might say something else with, or without, encryption.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Driver(error)
            if error.code().is_some_and(|code| code.code().starts_with("28"))
                || tls_failure_in(error).is_some())
    }

    /// Whether it is not the password or the certificate that is wrong.
    pub(super) fn says_nothing_new(&self) -> bool {
        matches!(self, Self::Driver(error)
            if error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION))
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Name(_) | Self::Unreachable(_) => Fault::Lost,
            Self::GaveUp(why) => crate::store::postgres::fault::of_giving_up(*why),
            Self::Tls(_) | Self::Unwanted(_) | Self::System(_) | Self::TooOld(_) => Fault::Fatal,
            Self::Driver(error) => crate::store::postgres::fault::of(error),
        }
    }

    fn into_error(self, what: String) -> StoreError {
        const HINT: &str = "is the server running, and does it listen at that host and port?";
        let fault = self.fault();
        match self {
            Self::Name(error) | Self::Unreachable(error) => {
                StoreError::new(fault, what).because(error).hint(HINT)
            }
            Self::Driver(error) => fail(error, what),
            Self::System(error) => StoreError::new(fault, what).because(error),
            Self::Tls(failure) => failure.on(fault, what),
            Self::GaveUp(why @ GaveUp::Asked) => StoreError::new(fault, what).because(why),
            Self::GaveUp(why) => StoreError::new(fault, what)
                .because(why)
                .hint("is it PostgreSQL that listens there? connect_timeout=SECONDS waits longer"),
            Self::TooOld(version) => StoreError::new(fault, what)
                .because(format!("the server is PostgreSQL {version}, and sessctl needs 11 or later"))
                .hint("upgrade the server; PostgreSQL 10 and before get no more fixes for security either"),
            Self::Unwanted(why) => StoreError::new(fault, what)
                .because(why)
                .hint("see target_session_attrs in the database URL or PGTARGETSESSIONATTRS"),
        }
    }
}

/// What to say where all failed that were tried.
pub(super) fn sum_up(failures: Vec<(Host, Failure)>, what: String) -> StoreError {
    let failures = match <[_; 1]>::try_from(failures) {
        Ok([(_, only)]) => return only.into_error(what),
        Err(failures) => failures,
    };
    let is_any = |fault| failures.iter().any(|(_, failure)| failure.fault() == fault);
    let fault = [Fault::Stopped, Fault::Lost].into_iter().find(|fault| is_any(*fault));
    let errors: Vec<StoreError> =
        failures.into_iter().map(|(host, failure)| failure.into_error(host.to_string())).collect();
    let causes: Vec<String> =
        errors.iter().map(|error| format!("{error}: {}", innermost(error))).collect();
    let sum = StoreError::new(fault.unwrap_or(Fault::Fatal), what).because(causes.join("; "));
    let sum = sum.server_says(errors.iter().rev().find_map(StoreError::server_hint));
    match errors.iter().rev().find_map(StoreError::next_step) {
        Some(hint) => sum.hint(hint),
        None => sum,
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(std::error::Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(String::new, ToString::to_string)
}

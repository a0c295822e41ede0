//! Classifies errors of the server and of the connection: whether a retry can help, and what the operator can do.

use mysql_async::{DriverError, Error, IoError, ServerError};

use super::tls::failure_in;
use crate::store::waits::GaveUp;
use crate::store::{Fault, StoreError};

const PATIENCE: &str = "is the server at work, or out of reach? A smaller --batch-size takes less time; --answer-timeout waits longer";

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// What the server or the driver says.
    Driver(Error),
    /// It was not waited for any longer.
    GaveUp(GaveUp),
    /// The answer has more than this many bytes.
    TooMuch(usize),
    /// Rows did not go that were there, and what refers to them was deleted in the same transaction.
    Stays,
}

impl Failure {
    /// The server's error code.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Driver(Error::Server(error)) => Some(error.code),
            _ => None,
        }
    }

    /// The server's error code, and what it says.
    pub(super) fn server_error(&self) -> Option<(u16, &str)> {
        match self {
            Self::Driver(Error::Server(error)) => Some((error.code, &error.message)),
            _ => None,
        }
    }

    /// Whether a retry can help.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::GaveUp(GaveUp::Asked) => Fault::Stopped,
            Self::GaveUp(GaveUp::Silent(_)) => Fault::Lost,
            Self::TooMuch(_) | Self::Stays => Fault::Fatal,
            Self::Driver(error) => match failure_in(error) {
                Some(failure) if !failure.is_lost() => Fault::Fatal,
                _ => classify(error).0,
            },
        }
    }
}

/// The error of a store for a request that failed.
pub(super) fn fail(failure: Failure, what: String) -> StoreError {
    let fault = failure.fault();
    match failure {
        Failure::GaveUp(GaveUp::Asked) => StoreError::new(fault, what).because(GaveUp::Asked),
        Failure::GaveUp(why) => StoreError::new(fault, what).because(why).hint(PATIENCE),
        Failure::TooMuch(most) => StoreError::new(fault, what)
            .because(format!("the server sent more than {} MB as an answer", most >> 20))
            .hint("is it the site's server that answers there? ssl-mode=VERIFY_IDENTITY makes sure of it"),
        Failure::Stays => StoreError::new(fault, what).because("rows that were there did not go"),
        Failure::Driver(driver) => {
            if let Some(failure) = failure_in(&driver) {
                return failure.on(fault, what);
            }
            let error = StoreError::new(fault, what);
            let hint = classify(&driver).1;
            let hint = lacking(&driver).or_else(|| hint.map(str::to_owned));
            let error = error.because(cause(driver));
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        }
    }
}

/// What the driver or the server says, without what could show a row: the text of 1062 and 1451 quotes keys.
fn cause(error: Error) -> String {
    match error {
        Error::Server(ServerError { code, message, .. }) => match code {
            1062 => "a key is there already (1062)".into(),
            1217 | 1451 | 1452 => format!("a foreign key forbids it ({code})"),
            _ => format!("{message} ({code})"),
        },
        Error::Driver(DriverError::UnexpectedPacket { .. }) => {
            "the server sent what the protocol does not allow".into()
        }
        Error::Driver(error) => error.to_string(),
        Error::Io(IoError::Io(error)) => error.to_string(),
        Error::Io(IoError::Tls(error)) => format!("TLS: {error}"),
        error => error.to_string(),
    }
}

/// What to do where the server says which right is lacking: `DELETE command denied to user 'a'@'h' for table ...`.
fn lacking(error: &Error) -> Option<String> {
    let Error::Server(ServerError { code: 1142 | 1143, message, .. }) = error else { return None };
    let (right, _) = message.split_once(" command denied to user ")?;
    let is_right = right.bytes().all(|byte| byte.is_ascii_uppercase() || b", ".contains(&byte));
    is_right.then(|| {
        format!(
            "grant the account {right} on the table (`sessctl doctor --grants` prints what each command needs), or connect as another"
        )
    })
}

fn classify(error: &Error) -> (Fault, Option<&'static str>) {
    match error {
        Error::Server(error) => classify_code(error.code),
        Error::Io(IoError::Tls(_)) => {
            (Fault::Fatal, Some("check ssl-mode, ssl-ca, ssl-cert and ssl-key"))
        }
        Error::Io(_) => {
            (Fault::Lost, Some("is the server running, and does it listen at that host and port?"))
        }
        Error::Driver(error) => match error {
            DriverError::ConnectionClosed | DriverError::PacketOutOfOrder => (Fault::Lost, None),
            DriverError::NoClientSslFlagFromServer => {
                (Fault::Fatal, Some("the server has no TLS: see its ssl_cert, or check ssl-mode"))
            }
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::CleartextPluginDisabled
            | DriverError::MysqlOldPasswordDisabled => (
                Fault::Fatal,
                Some("give the account caching_sha2_password, mysql_native_password or ed25519"),
            ),
            _ => (Fault::Fatal, None),
        },
        _ => (Fault::Fatal, None),
    }
}

/// The codes are those of MySQL 5.7 to 9 and of MariaDB; from 3101 on some are of one of them, of Galera or others.
fn classify_code(code: u16) -> (Fault, Option<&'static str>) {
    match code {
        1205 | 3572 => (
            Fault::Busy,
            Some(
                "another session holds a lock on the table or its rows; see SHOW PROCESSLIST and information_schema.innodb_trx",
            ),
        ),
        1020 | 1213 | 1452 | 1637 | 3101 | 8002 | 8005 | 8022 | 8028 | 9001..=9003 | 9007 => {
            (Fault::Busy, None)
        }
        1047 => (Fault::Busy, Some("the node of the cluster takes no statements now")),
        1040 | 1203 | 1226 => (Fault::Lost, Some("the server has no free connection")),
        1317 | 1969 | 3024 => (
            Fault::Busy,
            Some(
                "somebody, or a limit of the server, ended the statement; a smaller --batch-size takes less time",
            ),
        ),
        1053 | 1152..=1161 | 1927 | 2006 | 2013 | 2055 | 4031 => (Fault::Lost, None),
        1044 | 1049 => (
            Fault::Fatal,
            Some("check the name of the database, and the rights of the account on it"),
        ),
        1045 => (
            Fault::Fatal,
            Some("check user and password; an account of MySQL belongs to a host, too"),
        ),
        1142 | 1143 | 1227 => (
            Fault::Fatal,
            Some(
                "grant the account SELECT and DELETE on the table (UPDATE too for --keep-data), or connect as another",
            ),
        ),
        1288 => (Fault::Fatal, Some("it is a view: name the table behind it with --table")),
        1290 | 1792 | 1836 => (Fault::Fatal, Some("connect to the primary")),
        3159 => (Fault::Fatal, Some("the server demands TLS: ssl-mode=REQUIRED")),
        1251 => (
            Fault::Fatal,
            Some("give the account caching_sha2_password, mysql_native_password or ed25519"),
        ),
        1217 | 1451 | 1701 => {
            (Fault::Fatal, Some("another table refers to these sessions; delete its rows first"))
        }
        1644 => (
            Fault::Fatal,
            Some("a trigger of the table refuses it; `sessctl doctor` names the triggers"),
        ),
        1665 => (Fault::Fatal, Some("binlog_format=STATEMENT allows no writes at READ COMMITTED")),
        1021 | 1114 | 3675 => (
            Fault::Fatal,
            Some(
                "make room on the server's disk, and run it again; what was committed before stays",
            ),
        ),
        1180 | 8004 => (Fault::Fatal, Some("a smaller --batch-size writes less at a time")),
        1175 => {
            (Fault::Fatal, Some("sql_safe_updates forbids it: is session_key the primary key?"))
        }
        1267 | 1270 | 1271 | 3854 => {
            (Fault::Fatal, Some("do its columns have the types that Django gives them?"))
        }
        _ => (Fault::Fatal, None),
    }
}

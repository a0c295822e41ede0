//! Errors of commands, their hints, and the exit codes.

use std::error::Error as _;
use std::io;
use std::path::Path;

use django_session::DecodeError;

use crate::files;
use crate::model::Health;
use crate::store::{Fault, Holder, NotATable, SourceError, StoreError};

/// How a command ended. The numbers are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: all done.
    Done,
    /// 1: connection, SQL or I/O failed.
    Failed,
    /// 2: the command line or the configuration is wrong, the key is wrong, or the store cannot do what was
    /// asked.
    Usage,
    /// 3: it ran, but not everything could be done or proved.
    Incomplete,
    /// 4: the operator did not confirm, and nothing was changed.
    Refused,
    /// 5: `doctor` found a problem.
    Unhealthy,
    /// 0 to 3: the exit codes of a Nagios plugin, for `check`.
    Checked(Health),
    /// 128 plus the signal: it received a signal, finished its batch and reported.
    Interrupted(i32),
}

impl Exit {
    /// The worse of two exit codes, for a command of two parts.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let weight = |exit| match exit {
            Self::Done => 0,
            Self::Incomplete => 1,
            Self::Unhealthy => 2,
            Self::Refused => 3,
            Self::Usage => 4,
            Self::Failed => 5,
            Self::Checked(health) => health as u8,
            Self::Interrupted(_) => 6,
        };
        if weight(other) > weight(self) { other } else { self }
    }

    /// Whether the process was stopped because its terminal closed. Then no one reads its output, so a
    /// failure to print is no error.
    pub fn is_hangup(self) -> bool {
        const SIGHUP: i32 = 1;
        self == Self::Interrupted(SIGHUP)
    }

    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Refused => 4,
            Self::Unhealthy => 5,
            Self::Checked(health) => health as u8,
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(1),
        }
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be reached, or the table not read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The command line or the environment is wrong.
    #[error("{what}")]
    Usage {
        /// What is wrong with what.
        what: String,
        /// The next step.
        hint: String,
    },
    /// A Django project did not answer the probe.
    #[error("{what}")]
    Project {
        /// What is wrong with the project.
        what: String,
        /// The last lines of its output.
        said: Vec<String>,
        /// The next step.
        hint: String,
    },
    /// A file or standard input could not be read.
    #[error("cannot read {what}")]
    Input {
        /// The file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// A file could not be written.
    #[error("cannot write {what}")]
    CannotWrite {
        /// The file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// No row verifies.
    #[error(
        "not one of {checked} sessions verifies with the given SECRET_KEY; nothing was deleted"
    )]
    WrongKey {
        /// Rows whose signature was checked.
        checked: u64,
    },
    /// No row verifies, and the reason is known: some would with a variant of the given key, or none could
    /// with any key.
    #[error(
        "not one of {checked} sessions verifies with the given SECRET_KEY; nothing was deleted"
    )]
    NearlyRightKey {
        /// Rows whose signature was checked.
        checked: u64,
        /// The next step.
        hint: &'static str,
    },
    /// No session key begins with this text.
    #[error("no session key begins with \"{prefix}\"")]
    NoSuchSession {
        /// The beginning that was given.
        prefix: String,
    },
    /// Several session keys begin with this text.
    #[error("more than one session key begins with \"{prefix}\"")]
    AmbiguousSession {
        /// The beginning that was given.
        prefix: String,
    },
    /// The operator did not confirm.
    #[error("not confirmed: nothing was deleted")]
    NotConfirmed,
    /// A signal stopped the command before it did anything.
    #[error("interrupted: nothing was deleted")]
    Interrupted {
        /// The signal.
        signal: i32,
    },
    /// The purge lock is held, by another sessctl or by somebody else.
    #[error("{}", match .0 {
        Holder::Sessctl => "another sessctl purges this database at the moment".to_owned(),
        Holder::Unknown(who) => {
            format!("the lock that one purge at a time takes is held by {who}, not known to be a sessctl of this user")
        }
    })]
    AnotherInstance(Holder),
    /// Other tables point at the sessions.
    #[error("cannot empty a table that other tables refer to: {tables}")]
    Referenced {
        /// Their names.
        tables: String,
    },
    /// An error in one of several schemas.
    #[error("schema \"{schema}\": {source}")]
    InSchema {
        /// The schema.
        schema: String,
        /// The error.
        source: Box<Self>,
    },
    /// A decoder limit that ends the whole command.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Error {
    /// A usage error.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into() }
    }

    /// A file that could not be written.
    pub fn cannot_write(path: &Path, source: io::Error) -> Self {
        Self::CannotWrite { what: path.display().to_string(), source }
    }

    /// A Django project that did not answer the probe, with the last lines of its output.
    pub fn project(what: impl Into<String>, said: Vec<String>, hint: impl Into<String>) -> Self {
        Self::Project { what: what.into(), said, hint: hint.into() }
    }

    /// The exit code of a command with this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. }
            | Self::Project { .. }
            | Self::WrongKey { .. }
            | Self::NearlyRightKey { .. } => Exit::Usage,
            Self::NotConfirmed => Exit::Refused,
            Self::Interrupted { signal } => Exit::Interrupted(*signal),
            Self::InSchema { source, .. } => source.exit(),
            Self::Store(error) if error.is_misuse() => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    /// The next step for the operator, if one is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Store(error) => error.next_step(),
            Self::Usage { hint, .. } | Self::Project { hint, .. } => Some(hint),
            Self::NearlyRightKey { hint, .. } => Some(hint),
            Self::WrongKey { .. } => Some(
                "give the SECRET_KEY of the site itself; a SessionStore class of its own needs --key-salt; \
                 without a key, rows are decoded unchecked",
            ),
            Self::NoSuchSession { .. } => Some("see `sessctl list --all` for what is there"),
            Self::NotConfirmed => {
                Some("--yes does it without asking; --dry-run only says what would go")
            }
            Self::AnotherInstance(Holder::Sessctl) => {
                Some("let it finish; --skip-if-running makes this no failure")
            }
            Self::AnotherInstance(Holder::Unknown(_)) => {
                Some("find out who that is, and end it: until then nothing is purged here")
            }
            Self::Referenced { .. } => Some(
                "leave --truncate out: then the sessions go to which no row of these tables refers",
            ),
            Self::InSchema { source, .. } => source.hint(),
            Self::AmbiguousSession { .. } => Some("give more characters of the key"),
            Self::Input { source, .. } | Self::CannotWrite { source, .. } => files::hint(source),
            _ => None,
        }
    }

    /// Whether a later run may succeed: after a lock, a lost connection or a slow answer.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => error.fault() != Fault::Fatal,
            Self::InSchema { source, .. } => source.is_passing(),
            _ => false,
        }
    }

    /// The server's own hint. An attacker who impersonates the server can choose it.
    pub fn server_hint(&self) -> Option<&str> {
        match self {
            Self::Store(error) => error.server_hint(),
            Self::InSchema { source, .. } => source.server_hint(),
            _ => None,
        }
    }

    /// Whether the reader of the output closed the pipe, which is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = match self {
            Self::Project { said, .. } => said.clone(),
            Self::InSchema { source, .. } => return source.causes(),
            _ => Vec::new(),
        };
        let mut cause = self.source();
        while let Some(error) = cause {
            causes.push(brief(error.to_string()));
            cause = error.source();
        }
        causes
    }
}

/// Limits the length of a text from a server or a file.
fn brief(mut said: String) -> String {
    const MOST: usize = 1_000;
    if let Some((end, _)) = said.char_indices().nth(MOST) {
        said.truncate(end);
        said.push_str(" ...");
    }
    said
}

impl From<NotATable> for Error {
    fn from(error: NotATable) -> Self {
        Self::usage(
            error.to_string(),
            "for example: --table django_session, --table tenant.django_session",
        )
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        Self::usage(error.to_string(), error.hint())
    }
}

//! Errors of stores, and the fault of each: whether a retry can help.

use std::error::Error;
use std::fmt;

/// Whether a failure can be retried, and how. It is classified where the SQL is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another session holds a lock: retry on the same connection.
    Busy,
    /// The connection was lost: retry on a new one.
    Lost,
    /// The call was abandoned: it took too long, or the run was asked to stop.
    Stopped,
    /// A retry cannot help.
    Fatal,
}

/// A failure to connect to the database, or to read or write the table.
#[derive(Debug)]
pub struct StoreError {
    fault: Fault,
    what: String,
    hint: Option<String>,
    server_hint: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    misused: bool,
}

impl StoreError {
    /// An error; `what` says what failed on what.
    pub fn new(fault: Fault, what: impl Into<String>) -> Self {
        Self {
            fault,
            what: what.into(),
            hint: None,
            server_hint: None,
            cause: None,
            misused: false,
        }
    }

    /// Adds the error of the driver as the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Changes the fault to [`Fault::Busy`].
    #[must_use]
    pub fn busy(mut self) -> Self {
        self.fault = Fault::Busy;
        self
    }

    /// Changes the fault to [`Fault::Fatal`]: no retry can help any longer, unless the operator asked to stop.
    #[must_use]
    pub fn fatal(mut self) -> Self {
        if self.fault != Fault::Stopped {
            self.fault = Fault::Fatal;
        }
        self
    }

    /// Adds the next step for the operator.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the server's own hint. Its words are kept apart from ours.
    #[must_use]
    pub(super) fn server_says(mut self, hint: Option<&str>) -> Self {
        self.server_hint = hint.map(str::to_owned);
        self
    }

    /// Marks the error as misuse: the store cannot do what was asked.
    #[must_use]
    pub(super) fn misused(mut self) -> Self {
        self.misused = true;
        self
    }

    /// Whether the options ask for something that the store cannot do. It is an error of usage then.
    pub fn is_misuse(&self) -> bool {
        self.misused
    }

    /// The server's own hint.
    pub fn server_hint(&self) -> Option<&str> {
        self.server_hint.as_deref()
    }

    /// Whether the failure can be retried.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The next step for the operator, if one is known.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

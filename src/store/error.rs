use std::error::Error;
use std::fmt;

/// What a failure means for the next step. Classified where the SQL is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Somebody else holds a lock: the same connection may try again.
    Busy,
    /// The connection is gone: a new one may try again.
    Lost,
    /// It was given up, since it took too long or an end was asked for.
    Stopped,
    /// Trying again would not help.
    Fatal,
}

/// A failure to reach, read or write the table.
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
    /// An error that says what failed on what.
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

    /// The same, with what the driver said.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same, since somebody else holds a lock.
    #[must_use]
    pub fn busy(mut self) -> Self {
        self.fault = Fault::Busy;
        self
    }

    /// The same, with the next step for the operator.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with what the server calls the next step: its words, never ours.
    #[must_use]
    pub(super) fn server_says(mut self, hint: Option<&str>) -> Self {
        self.server_hint = hint.map(str::to_owned);
        self
    }

    /// The same, since the store was asked for what it cannot do.
    #[must_use]
    pub(super) fn misused(mut self) -> Self {
        self.misused = true;
        self
    }

    /// Whether the store was asked for what it cannot do: what was typed does not fit it.
    pub fn is_misuse(&self) -> bool {
        self.misused
    }

    /// What the server calls the next step.
    pub fn server_hint(&self) -> Option<&str> {
        self.server_hint.as_deref()
    }

    /// What the failure means for the next step.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The next step for the operator, where one is known.
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

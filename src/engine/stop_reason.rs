//! Why batches ended early.

use crate::stop::{Asked, Stop};
use crate::store::{Fault, Holder, StoreError};

/// Why the batches ended early. [`Driver::done`](super::Driver::done) has what was committed before.
#[derive(Debug)]
pub enum StopReason {
    /// The process received this signal.
    Interrupted(i32),
    /// The limit of rows was reached (`--limit`).
    Limit,
    /// The deadline passed (`--run-time`).
    RunTime,
    /// The purge lock is held, by another sessctl or by somebody else.
    AnotherInstance(Holder),
    /// A batch failed, and retrying did not help or cannot help.
    Failed(StoreError),
}

impl StopReason {
    /// The reason for stopping after this error. If a signal or a deadline asked the run to stop, an error
    /// that a retry might heal is not a failure.
    pub fn of(error: StoreError, stop: &Stop) -> Self {
        match stop.asked().filter(|_| error.fault() != Fault::Fatal) {
            Some(asked) => asked.into(),
            None => Self::Failed(error),
        }
    }
}

impl From<Asked> for StopReason {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Signal(signal) => Self::Interrupted(signal),
            Asked::RunTime => Self::RunTime,
        }
    }
}

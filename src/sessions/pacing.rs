//! How batches ended and paused, as it is reported.

use crate::engine::{Done, Why};
use crate::error::Error;
use crate::report::{Ending, Paused};

pub(crate) fn ending(ended: &Result<(), Why>) -> Ending {
    match ended {
        Ok(()) => Ending::Done,
        Err(Why::Limit) => Ending::Limit,
        Err(Why::RunTime) => Ending::RunTime,
        Err(Why::Interrupted(_)) => Ending::Interrupted,
        Err(Why::Failed(_) | Why::AnotherInstance(_)) => Ending::Failed,
    }
}

/// What failed, if something did.
pub(crate) fn failure(ended: Result<(), Why>) -> Result<(), Error> {
    match ended {
        Err(Why::Failed(error)) => Err(error.into()),
        Err(Why::AnotherInstance(holder)) => Err(Error::AnotherInstance(holder)),
        Ok(()) | Err(Why::Limit | Why::RunTime | Why::Interrupted(_)) => Ok(()),
    }
}

pub(crate) fn paused(done: Done) -> Paused {
    Paused { lag: done.paused_for_lag.as_secs_f64(), file: done.paused_by_file.as_secs_f64() }
}

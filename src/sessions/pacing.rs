//! Turns what the engine says about its batches, such as why they ended and how long they paused, into what
//! reports show.

use crate::engine::{Done, StopReason};
use crate::error::Error;
use crate::report::{Ending, Paused};

pub(crate) fn ending(ended: &Result<(), StopReason>) -> Ending {
    match ended {
        Ok(()) => Ending::Done,
        Err(StopReason::Limit) => Ending::Limit,
        Err(StopReason::RunTime) => Ending::RunTime,
        Err(StopReason::Interrupted(_)) => Ending::Interrupted,
        Err(StopReason::Failed(_) | StopReason::AnotherInstance(_)) => Ending::Failed,
    }
}

/// The error of a run that failed. A limit, a deadline or a signal is no error.
pub(crate) fn failure(ended: Result<(), StopReason>) -> Result<(), Error> {
    match ended {
        Err(StopReason::Failed(error)) => Err(error.into()),
        Err(StopReason::AnotherInstance(holder)) => Err(Error::AnotherInstance(holder)),
        Ok(()) | Err(StopReason::Limit | StopReason::RunTime | StopReason::Interrupted(_)) => {
            Ok(())
        }
    }
}

pub(crate) fn paused(done: Done) -> Paused {
    Paused { lag: done.paused_for_lag.as_secs_f64(), file: done.paused_by_file.as_secs_f64() }
}

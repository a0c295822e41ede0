//! How batches ended and paused, as it is reported.

use crate::engine::{Tally, Why};
use crate::report::{Ending, Paused};

pub(super) fn ending(ended: &Result<(), Why>) -> Ending {
    match ended {
        Ok(()) => Ending::Done,
        Err(Why::Limit) => Ending::Limit,
        Err(Why::RunTime) => Ending::RunTime,
        Err(Why::Interrupted(_)) => Ending::Interrupted,
        Err(Why::Failed(_) | Why::AnotherInstance) => Ending::Failed,
    }
}

pub(super) fn paused(done: Tally) -> Paused {
    Paused { lag: done.paused_for_lag.as_secs_f64(), file: done.paused_by_file.as_secs_f64() }
}

//! Progress events of scans and batches. The engine emits them; a progress bar or a log listens.

use std::time::Duration;

use crate::store::StoreError;

/// An event of a scan or of batches.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// A scan begins. `rows` is the estimated number of rows, if known.
    ScanBegins {
        /// The estimate.
        rows: Option<u64>,
    },
    /// More rows were read.
    Scanned {
        /// Rows since the last event.
        rows: u64,
    },
    /// A scan ended.
    ScanEnds,
    /// Batches begin. `rows` is the number of rows in all of them, if known.
    BatchesBegin {
        /// What they do to rows.
        doing: Doing,
        /// The rows in all batches.
        rows: Option<u64>,
    },
    /// A batch was committed.
    Committed {
        /// The rows that the batch was given.
        rows: u64,
    },
    /// A batch failed and will be retried.
    Retrying {
        /// The number of the attempt that failed, from 1.
        attempt: u32,
        /// Whether the connection was lost. Otherwise another session holds a lock.
        lost: bool,
        /// The error.
        error: &'e StoreError,
    },
    /// The next batch waits. Emitted every second while it does.
    Paused {
        /// What it waits for.
        pause: Pause,
    },
    /// Requests in flight get time to end. Emitted every second while they do.
    Settling {
        /// The time that they still have.
        left: Duration,
    },
    /// The wait is over: a pause, retries, or the time to settle.
    WaitEnds,
    /// The batches ended.
    BatchesEnd,
}

/// What batches do to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// They delete rows.
    Deleting,
    /// They replace the data of rows.
    Rewriting,
    /// They fill the user column.
    Filling,
}

/// What batches wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// A replica that lags too much.
    Lag,
    /// The pause file, to be removed.
    File,
}

/// A listener for events. Called from one thread, once per page or batch.
pub trait Progress {
    /// Receives an event.
    fn event(&self, event: Event<'_>);

    /// Whether a person watches, for whom rows are worth counting.
    fn is_watched(&self) -> bool {
        false
    }
}

/// A listener that ignores all events.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}

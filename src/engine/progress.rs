use crate::store::StoreError;

/// What the engine tells whoever listens: a bar, a log, nobody.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// A scan begins, over about so many rows where that is known.
    ScanBegins {
        /// The estimate.
        rows: Option<u64>,
    },
    /// So many more rows were read.
    Scanned {
        /// Since the last event.
        rows: u64,
    },
    /// A scan is over.
    ScanEnds,
    /// Batches begin, over so many rows where that is known.
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
    /// A batch has to be tried again.
    Retrying {
        /// The number of the attempt that failed, from 1.
        attempt: u32,
        /// Whether the connection is lost. Else somebody holds a lock.
        lost: bool,
        /// How.
        error: &'e StoreError,
    },
    /// The next batch has to wait. Told every second, as long as it has to.
    Paused {
        /// For what.
        pause: Pause,
    },
    /// What it waited for is over: the pause, or the attempts.
    WaitEnds,
    /// The batches are over.
    BatchesEnd,
}

/// What batches do to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// They delete them.
    Deleting,
    /// They write other data into them.
    Rewriting,
    /// They write into their user column.
    Filling,
}

/// What batches wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// A replica that is too far behind.
    Lag,
    /// The pause file, to be gone.
    File,
}

/// A listener. Called from one thread, once per page or batch.
pub trait Progress {
    /// Takes note of an event.
    fn event(&self, event: Event<'_>);
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event<'_>) {}
}

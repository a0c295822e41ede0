//! Limits how long the program waits for a server or a file, and lets a signal or a deadline cut a wait
//! short.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::stop::Stop;

/// How long stores wait, and the stop request that ends a wait.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    stop: Arc<Stop>,
    answer: Option<Duration>,
}

/// A kind of work that the database does while we wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A short query, or a transaction that writes: other sessions wait for its locks.
    Batch,
    /// The next row of a scan of a whole table.
    Scan,
    /// Building an index or statistics: it reads a whole table and sends nothing meanwhile.
    Build,
}

/// Many times longer than a request of the site may take.
const BATCH: Duration = Duration::from_secs(60);
/// A server sends nothing while it skips rows that match no filter. A disk reads some 60 GB in this time.
const SCAN: Duration = Duration::from_secs(600);
const BUILD: Duration = Duration::from_secs(6 * 3600);

impl Waits {
    /// Waits that `stop` ends. `answer`, if given, limits the waits for a batch and for a row of a scan.
    pub fn new(stop: Arc<Stop>, answer: Option<Duration>) -> Self {
        Self { stop, answer }
    }

    /// How long to wait for this kind of work.
    pub(crate) fn patience(&self, work: Work) -> Duration {
        match work {
            Work::Batch => self.answer.unwrap_or(BATCH),
            Work::Scan => self.answer.unwrap_or(SCAN),
            Work::Build => BUILD,
        }
    }

    /// The stop request.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// A watch for one connection.
    pub(crate) fn watch(&self, patience: Duration) -> Arc<Watch> {
        let watch = Watch { waits: self.clone(), patience: 0.into(), moved: true.into() };
        watch.set_patience(patience);
        Arc::new(watch)
    }
}

/// The limit of the current wait, shared by a connection and its user.
#[derive(Debug)]
pub(crate) struct Watch {
    waits: Waits,
    /// In milliseconds.
    patience: AtomicU64,
    moved: AtomicBool,
}

impl Watch {
    /// Sets the limit for this kind of work.
    pub(crate) fn wait_for(&self, work: Work) {
        self.set_patience(self.waits.patience(work));
        self.moved();
    }

    /// Sets the limit of later waits.
    pub(crate) fn set_patience(&self, patience: Duration) {
        let millis = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.patience.store(millis, Ordering::Relaxed);
    }

    /// Restarts the wait: an answer came, or another wait begins. Cheap enough to call for every row.
    pub(crate) fn moved(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// A clock that measures the waits.
    pub(crate) fn clock(self: &Arc<Self>) -> Clock {
        Clock { watch: Arc::clone(self), since: Instant::now() }
    }
}

/// Measures how long the current wait has lasted.
pub(crate) struct Clock {
    watch: Arc<Watch>,
    since: Instant,
}

impl Clock {
    /// When the current wait began, as far as it has been looked at.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Whether the wait must end, and why.
    pub(crate) fn over(&mut self) -> Option<GaveUp> {
        if self.watch.moved.swap(false, Ordering::Relaxed) {
            self.since = Instant::now();
        }
        if self.watch.waits.stop.must_end() {
            return Some(GaveUp::Asked);
        }
        let patience = Duration::from_millis(self.watch.patience.load(Ordering::Relaxed));
        (self.since.elapsed() >= patience).then_some(GaveUp::Silent(patience))
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GaveUp {
    /// The run was asked to stop, and the grace period passed.
    Asked,
    /// No answer came for this long.
    Silent(Duration),
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => {
                f.write_str("no answer, and a signal or --run-time asked sessctl to end")
            }
            Self::Silent(patience) => write!(f, "no answer in {} s", patience.as_secs_f32()),
        }
    }
}

impl Error for GaveUp {}

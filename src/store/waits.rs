//! How long a server or a file is waited for.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::stop::Stop;

/// How long stores wait, and who may ask them not to.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    stop: Arc<Stop>,
    answer: Option<Duration>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A question, or a transaction that writes: others wait for its locks.
    Batch,
    /// The next row of what reads a whole table.
    Scan,
    /// An index, or statistics: what reads a whole table and says nothing meanwhile.
    Build,
}

/// As long as a request of the site may take, many times over.
const BATCH: Duration = Duration::from_secs(60);
/// Rows that pass no filter are not told: a disk reads some 60 GB of them in this time.
const SCAN: Duration = Duration::from_secs(600);
const BUILD: Duration = Duration::from_secs(6 * 3600);

impl Waits {
    /// Waits that this one ends; a batch and a scan are waited for so long, if that is given.
    pub fn new(stop: Arc<Stop>, answer: Option<Duration>) -> Self {
        Self { stop, answer }
    }

    /// How long this is waited for.
    pub(super) fn patience(&self, work: Work) -> Duration {
        match work {
            Work::Batch => self.answer.unwrap_or(BATCH),
            Work::Scan => self.answer.unwrap_or(SCAN),
            Work::Build => BUILD,
        }
    }

    /// Who may ask for an end.
    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// For a connection.
    pub(super) fn watch(&self, patience: Duration) -> Arc<Watch> {
        let watch = Watch { waits: self.clone(), patience: 0.into(), moved: true.into() };
        watch.set_patience(patience);
        Arc::new(watch)
    }
}

/// What a connection and whoever uses it have in common.
#[derive(Debug)]
pub(super) struct Watch {
    waits: Waits,
    /// In milliseconds.
    patience: AtomicU64,
    moved: AtomicBool,
}

impl Watch {
    /// From here on this is waited for.
    pub(super) fn wait_for(&self, work: Work) {
        self.set_patience(self.waits.patience(work));
        self.moved();
    }

    /// From here on nothing is waited for longer than this.
    pub(super) fn set_patience(&self, patience: Duration) {
        let millis = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.patience.store(millis, Ordering::Relaxed);
    }

    /// What was waited for came, or something else is waited for. Cheap enough for every row.
    pub(super) fn moved(&self) {
        self.moved.store(true, Ordering::Relaxed);
    }

    /// Measures the waits.
    pub(super) fn clock(self: &Arc<Self>) -> Clock {
        Clock { watch: Arc::clone(self), since: Instant::now() }
    }
}

/// Since when a connection keeps us waiting.
pub(super) struct Clock {
    watch: Arc<Watch>,
    since: Instant,
}

impl Clock {
    /// Why it is not to be waited for any longer, if so.
    pub(super) fn over(&mut self) -> Option<GaveUp> {
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

/// Why something is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GaveUp {
    /// An end was asked for, and it was given time.
    Asked,
    /// It did not answer for so long.
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

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::json;

use super::talk::write_log_line;
use crate::engine::{Event, Progress};

/// How often the state of the work is told.
const INTERVAL: Duration = Duration::from_secs(5);

/// Progress as JSON on standard error: at the beginning and the end of each phase, and every few
/// seconds in between.
#[derive(Default)]
pub struct Lines {
    phase: Cell<Option<Phase>>,
}

#[derive(Clone, Copy)]
struct Phase {
    doing: &'static str,
    rows: u64,
    of: Option<u64>,
    began: Instant,
    told: Instant,
}

impl Lines {
    fn begin(&self, doing: &'static str, of: Option<u64>) {
        let phase = Phase::new(doing, of);
        phase.tell("begins");
        self.phase.set(Some(phase));
    }

    fn advance(&self, rows: u64) {
        let Some(mut phase) = self.phase.get() else { return };
        phase.rows += rows;
        if phase.told.elapsed() >= INTERVAL {
            phase.tell("goes on");
            phase.told = Instant::now();
        }
        self.phase.set(Some(phase));
    }

    /// What did not begin has no end: a connection may only have been tried.
    fn end(&self) {
        if let Some(phase) = self.phase.take() {
            phase.tell("ends");
        }
    }
}

impl Phase {
    fn new(doing: &'static str, of: Option<u64>) -> Self {
        let now = Instant::now();
        Self { doing, rows: 0, of, began: now, told: now }
    }

    fn tell(&self, state: &str) {
        let Self { doing, rows, of, began, .. } = self;
        let seconds = began.elapsed().as_secs_f64();
        write_log_line(&json!({
            "level": "progress", "phase": doing, "state": state, "rows": rows, "of": of, "seconds": seconds
        }));
    }
}

impl Progress for Lines {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::ScanBegins { rows } => self.begin("reading", rows),
            Event::BatchesBegin { rows } => self.begin("writing", rows),
            Event::Scanned { rows } | Event::Committed { rows } => self.advance(rows),
            Event::ScanEnds | Event::BatchesEnd => self.end(),
            Event::Retrying { .. } | Event::Paused { .. } => {}
        }
    }
}

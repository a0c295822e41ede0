//! Progress as lines of JSON on standard error, for programs (`--log-format json`).

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::talk::write_log_line;
use crate::engine::{Event, Pause, Progress};

/// How often the state of the work is printed.
const INTERVAL: Duration = Duration::from_secs(5);

/// Progress as JSON on standard error: at the beginning and the end of each phase and each pause, and every few
/// seconds in between.
#[derive(Default)]
pub struct Lines {
    /// `None` between phases, where a connection may be tried.
    phase: Cell<Option<Phase>>,
    paused: Cell<Option<Pause>>,
    /// When the wait began or was last printed.
    waits: Cell<Option<Instant>>,
}

#[derive(Clone, Copy)]
struct Phase {
    reads: bool,
    rows: u64,
    of: Option<u64>,
    began: Instant,
    printed: Instant,
}

impl Lines {
    fn begin(&self, reads: bool, of: Option<u64>) {
        let phase = Phase::new(reads, of);
        phase.print("begins");
        self.phase.set(Some(phase));
    }

    fn advance(&self, rows: u64) {
        let Some(mut phase) = self.phase.get() else { return };
        phase.rows += rows;
        if phase.printed.elapsed() >= INTERVAL {
            phase.print("goes on");
            phase.printed = Instant::now();
        }
        self.phase.set(Some(phase));
    }

    /// Ends the phase. Without a phase, only a connection was tried, and nothing is printed.
    fn end(&self) {
        self.paused.set(None);
        self.waits.set(None);
        if let Some(phase) = self.phase.take() {
            phase.print("ends");
        }
    }

    /// Prints the reason for a wait: at once if it is new, and then every few seconds.
    fn wait(&self, state: &str, reason: &str, is_new: bool, more: &[(&str, Value)]) {
        let printed = self.waits.get().unwrap_or_else(Instant::now);
        self.waits.set(Some(printed));
        if !is_new && printed.elapsed() < INTERVAL {
            return;
        }
        self.waits.set(Some(Instant::now()));
        let mut said = self.phase.get().map_or_else(
            || json!({"level": "progress", "phase": null, "state": state}),
            |phase| phase.said(state),
        );
        if let Some(said) = said.as_object_mut() {
            said.insert("reason".into(), reason.into());
            said.extend(more.iter().map(|(name, value)| ((*name).into(), value.clone())));
        }
        write_log_line(&said);
    }

    /// Ends a pause. A wait for a lock is short and is not printed.
    fn go_on(&self) {
        self.waits.set(None);
        if self.paused.take().is_some()
            && let Some(phase) = self.phase.get()
        {
            phase.print("goes on");
            self.phase.set(Some(Phase { printed: Instant::now(), ..phase }));
        }
    }
}

impl Phase {
    fn new(reads: bool, of: Option<u64>) -> Self {
        let now = Instant::now();
        Self { reads, rows: 0, of, began: now, printed: now }
    }

    fn said(&self, state: &str) -> Value {
        let Self { reads, rows, of, began, .. } = self;
        let seconds = began.elapsed().as_secs_f64();
        let phase = if *reads { "reading" } else { "writing" };
        json!({
            "level": "progress", "phase": phase, "state": state, "rows": rows, "of": of, "seconds": seconds
        })
    }

    fn print(&self, state: &str) {
        write_log_line(&self.said(state));
    }
}

impl Progress for Lines {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::ScanBegins { rows } => self.begin(true, rows),
            Event::BatchesBegin { rows, .. } => self.begin(false, rows),
            Event::Scanned { rows } => self.advance(rows),
            // A batch in the middle of a scan is counted in rows that the scan read.
            Event::Committed { rows } if self.phase.get().is_some_and(|phase| !phase.reads) => {
                self.advance(rows);
            }
            Event::Committed { .. } | Event::Settling { .. } => {}
            Event::ScanEnds | Event::BatchesEnd => self.end(),
            Event::Paused { pause } => {
                let reason = match pause {
                    Pause::Lag => "replica-lag",
                    Pause::File => "pause-file",
                };
                let is_new = self.paused.replace(Some(pause)) != Some(pause);
                self.wait("paused", reason, is_new, &[]);
            }
            Event::Retrying { attempt, lost, error } => {
                let reason = if lost { "connection" } else { "lock" };
                let more = [("attempt", attempt.into()), ("message", error.to_string().into())];
                self.wait("retrying", reason, lost && attempt == 1, &more);
            }
            Event::WaitEnds => self.go_on(),
        }
    }
}

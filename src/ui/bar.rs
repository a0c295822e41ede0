use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::{Event, Pause, Progress};

/// A progress bar on standard error, if that is a terminal.
pub struct Bar(ProgressBar);

/// Redraws while nothing happens, so that a waiting tool can be told from a dead one.
const TICK: Duration = Duration::from_millis(200);

impl Bar {
    /// A bar that appears with the first event.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, target());
        Self(bar)
    }

    fn begin(&self, doing: &'static str, rows: Option<u64>) {
        let template = if rows.is_some() {
            "{msg} {wide_bar} {percent:>3}%  {human_pos}/{human_len}  {per_sec}  {eta} left"
        } else {
            "{msg} {spinner} {human_pos} rows  {per_sec}  {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        self.0.reset();
        match rows {
            Some(rows) => self.0.set_length(rows),
            None => self.0.unset_length(),
        }
        self.0.set_message(doing);
        self.0.enable_steady_tick(TICK);
    }

    /// Adds rows; an estimate that was too low grows with them.
    fn advance(&self, rows: u64) {
        self.0.inc(rows);
        if let Some(length) = self.0.length().filter(|length| *length < self.0.position()) {
            self.0.set_length(length.max(self.0.position()));
        }
    }
}

fn target() -> ProgressDrawTarget {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if std::io::stderr().is_terminal() && !dumb {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

impl Progress for Bar {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::ScanBegins { rows } => self.begin("reading ", rows),
            Event::BatchesBegin { rows } => self.begin("deleting", rows),
            Event::Scanned { rows } | Event::Committed { rows } => self.advance(rows),
            Event::Retrying { .. } => self.0.set_message("waiting for a lock"),
            Event::Paused { pause: Pause::Lag } => self.0.set_message("waiting for replicas"),
            Event::Paused { pause: Pause::File } => self.0.set_message("paused by file"),
            Event::ScanEnds | Event::BatchesEnd => {
                self.0.disable_steady_tick();
                self.0.finish_and_clear();
            }
        }
    }
}

//! The progress bar on standard error, drawn from the engine's events.

use std::cell::Cell;
use std::fmt;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{
    HumanDuration, HumanFloatCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use super::terminal::{Terminal, is_dumb};
use crate::engine::{Doing, Event, Pause, Progress};

/// A progress bar on standard error, if that is a terminal.
pub struct Bar {
    bar: ProgressBar,
    shown: Cell<Shown>,
}

/// The work that the bar shows.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Nothing,
    /// A wait outside of a phase: a connection is tried, or a single statement.
    Wait,
    Reading,
    Writing(&'static str),
}

/// Redraws while nothing happens, so that the operator sees that the tool waits and is not dead.
const TICK: Duration = Duration::from_millis(200);
const READING: &str = "reading ";

impl Bar {
    /// A bar that appears with the first event.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, target());
        Self { bar, shown: Cell::new(Shown::Nothing) }
    }

    /// Writes lines in the place of the bar, and draws the bar again below them.
    pub fn above(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    fn begin(&self, shown: Shown, doing: &'static str, rows: Option<u64>) {
        self.shown.set(shown);
        let template = match (rows, is_narrow()) {
            _ if shown == Shown::Wait => "{msg} {spinner} {elapsed}",
            (Some(_), false) => {
                "{msg} {wide_bar} {percent:>3}%  {human_pos}/{human_len}  {rate}{left}"
            }
            (Some(_), true) => "{msg} {percent:>3}%{left}",
            (None, false) => "{msg} {spinner} {human_pos} rows  {rate}  {elapsed}",
            (None, true) => "{msg} {human_pos} rows",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            let write_rate = |bar: &ProgressState, out: &mut dyn fmt::Write| {
                // An error is ignored: the next tick draws again.
                let _ = out.write_str(&rate(bar.per_sec()));
            };
            let write_left = |bar: &ProgressState, out: &mut dyn fmt::Write| {
                // Before the first rows nothing is known of the time that the others take.
                if bar.pos() > 0 {
                    let _ = write!(out, "  {:#} left", HumanDuration(bar.eta()));
                }
            };
            self.bar.set_style(style.with_key("rate", write_rate).with_key("left", write_left));
        }
        // Each of these calls may draw, so the style and the words come first.
        self.bar.set_message(doing);
        match rows {
            Some(rows) => self.bar.set_length(rows),
            None => self.bar.unset_length(),
        }
        self.bar.reset();
        self.bar.enable_steady_tick(TICK);
    }

    fn end(&self) {
        self.shown.set(Shown::Nothing);
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }

    /// Adds rows; an estimate that was too low grows with them.
    fn advance(&self, rows: u64) {
        self.bar.inc(rows);
        if let Some(length) = self.bar.length().filter(|length| *length < self.bar.position()) {
            self.bar.set_length(length.max(self.bar.position()));
        }
    }

    fn wait(&self, what: &'static str) {
        if self.shown.get() == Shown::Nothing {
            self.begin(Shown::Wait, what, None);
        } else {
            self.bar.set_message(what);
        }
    }

    fn go_on(&self) {
        match self.shown.get() {
            Shown::Nothing => {}
            Shown::Wait => self.end(),
            Shown::Reading => self.bar.set_message(READING),
            Shown::Writing(doing) => self.bar.set_message(doing),
        }
    }
}

/// Rows a second: whole ones, or two digits where they are few.
fn rate(per_second: f64) -> String {
    let decimals = match per_second {
        9.95.. => 0,
        0.995.. => 1,
        _ => 2,
    };
    format!("{:.decimals$}/s", HumanFloatCount(per_second))
}

/// Whether the bar needs its short form, in one line: of a bar in two lines only one is cleared.
fn is_narrow() -> bool {
    Terminal::of_stderr().columns().is_some_and(|columns| columns < 80)
}

fn target() -> ProgressDrawTarget {
    if std::io::stderr().is_terminal() && !is_dumb() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

impl Progress for Bar {
    fn is_watched(&self) -> bool {
        !self.bar.is_hidden()
    }

    fn event(&self, event: Event<'_>) {
        match (event, self.shown.get()) {
            (Event::ScanBegins { rows }, _) => self.begin(Shown::Reading, READING, rows),
            (Event::BatchesBegin { doing, rows }, _) => {
                let doing = match doing {
                    Doing::Deleting => "deleting",
                    Doing::Rewriting => "rewriting",
                    Doing::Filling => "filling ",
                };
                self.begin(Shown::Writing(doing), doing, rows);
            }
            // A batch in the middle of a scan is counted in rows that the scan read.
            (Event::Scanned { rows }, _) | (Event::Committed { rows }, Shown::Writing(_)) => {
                self.advance(rows);
            }
            (Event::Committed { .. }, _) => {}
            (Event::Retrying { lost: true, .. }, _) => self.wait("connecting again"),
            (Event::Retrying { lost: false, .. }, _) => self.wait("waiting for a lock"),
            (Event::Paused { pause: Pause::Lag }, _) => self.wait("waiting for replicas"),
            (Event::Paused { pause: Pause::File }, _) => self.wait("paused by file"),
            (Event::Settling { left }, _) => {
                self.wait("settling");
                self.bar.set_message(format!("settling: {:.0} s left", left.as_secs_f64().ceil()));
            }
            (Event::WaitEnds, _) => self.go_on(),
            (Event::ScanEnds | Event::BatchesEnd, _) => self.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_have_no_more_digits_than_anybody_reads() {
        for (per_second, shown) in [
            (0.0, "0/s"),
            (0.001, "0/s"),
            (0.123_4, "0.12/s"),
            (0.99, "0.99/s"),
            (0.996, "1/s"),
            (1.26, "1.3/s"),
            (9.949_9, "9.9/s"),
            (9.980_1, "10/s"),
            (42.4, "42/s"),
            (999.6, "1,000/s"),
            (1_234_567.8, "1,234,568/s"),
        ] {
            assert_eq!(rate(per_second), shown);
        }
    }
}

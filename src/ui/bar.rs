use std::fmt;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanFloatCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

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
        let template = match (rows, is_narrow()) {
            (Some(_), false) => {
                "{msg} {wide_bar} {percent:>3}%  {human_pos}/{human_len}  {rate}  {eta} left"
            }
            (Some(_), true) => "{msg} {percent:>3}%  {eta} left",
            (None, false) => "{msg} {spinner} {human_pos} rows  {rate}  {elapsed}",
            (None, true) => "{msg} {human_pos} rows",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            let tell = |bar: &ProgressState, out: &mut dyn fmt::Write| {
                // What does not get on the screen is told at the next tick.
                let _ = out.write_str(&rate(bar.per_sec()));
            };
            self.0.set_style(style.with_key("rate", tell));
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

/// Whole rows a second, or where they are few the first two digits.
fn rate(per_second: f64) -> String {
    let decimals = match per_second {
        9.95.. => 0,
        0.995.. => 1,
        _ => 2,
    };
    format!("{:.decimals$}/s", HumanFloatCount(per_second))
}

/// A bar that takes two lines is not cleared as one.
fn is_narrow() -> bool {
    rustix::termios::tcgetwinsize(std::io::stderr())
        .is_ok_and(|size| (1..80).contains(&size.ws_col))
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

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_have_no_more_digits_than_anybody_reads() {
        for (per_second, told) in [
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
            assert_eq!(rate(per_second), told);
        }
    }
}

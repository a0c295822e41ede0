//! Chooses how progress is shown: by a bar, by lines of JSON, or not at all.

use std::cell::Cell;
use std::error::Error;
use std::io::IsTerminal;

use super::{Bar, Lines, Talk};
use crate::engine::{Event, Pause, Progress};

/// Shows progress, and prints a line for each pause.
pub struct Log {
    /// Where the lines go.
    talk: Talk,
    shown: Shown,
    paused: Cell<Option<Pause>>,
}

/// How progress is shown.
enum Shown {
    Nothing,
    Bar(Bar),
    Lines(Lines),
}

impl Log {
    /// A bar for people, or lines for programs. No bar where the command itself `prints` to the terminal
    /// meanwhile: the bar would overwrite some of these lines.
    pub fn new(talk: Talk, prints: bool) -> Self {
        let shown = if talk.is_json() {
            Shown::Lines(Lines::default())
        } else if prints && std::io::stdout().is_terminal() {
            Shown::Nothing
        } else {
            Shown::Bar(Bar::new())
        };
        Self { talk, shown, paused: Cell::default() }
    }

    fn detail(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.above(|| self.talk.detail(text)),
            Shown::Nothing | Shown::Lines(_) => self.talk.detail(text),
        }
    }

    /// Prints once that a pause begins.
    fn pause(&self, pause: Pause) {
        if self.paused.replace(Some(pause)) != Some(pause) {
            self.detail(match pause {
                Pause::Lag => "paused: a replica is behind",
                Pause::File => "paused: the pause file is there",
            });
        }
    }
}

impl Progress for Log {
    fn is_watched(&self) -> bool {
        matches!(&self.shown, Shown::Bar(bar) if bar.is_watched())
    }

    fn event(&self, event: Event<'_>) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.event(event),
            Shown::Lines(lines) => lines.event(event),
        }
        match event {
            Event::Retrying { attempt, error, .. } => {
                let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
                self.detail(&format!("attempt {attempt} failed: {error}{cause}"));
            }
            Event::Paused { pause } => self.pause(pause),
            Event::WaitEnds => match self.paused.take() {
                Some(Pause::Lag) => self.detail("the pause is over: no replica is behind"),
                Some(Pause::File) => self.detail("the pause is over: the pause file is gone"),
                None => {}
            },
            Event::BatchesEnd => self.paused.set(None),
            _ => {}
        }
    }
}

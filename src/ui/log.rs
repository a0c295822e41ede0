use std::error::Error;
use std::io::IsTerminal;

use super::{Bar, Lines, Talk};
use crate::engine::{Event, Pause, Progress, Silent};

/// Progress, and what holds the work up as lines beside it.
pub struct Log {
    /// Where the lines go.
    talk: Talk,
    /// What else listens.
    progress: Box<dyn Progress>,
}

impl Log {
    /// With a bar for people, or lines for programs. No bar where the work itself `prints` to the terminal
    /// meanwhile: drawn between these lines, it would wipe some of them out.
    pub fn new(talk: Talk, prints: bool) -> Self {
        let progress: Box<dyn Progress> = if talk.is_json() {
            Box::new(Lines::default())
        } else if prints && std::io::stdout().is_terminal() {
            Box::new(Silent)
        } else {
            Box::new(Bar::new())
        };
        Self { talk, progress }
    }
}

impl Progress for Log {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Retrying { attempt, error } => {
                let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
                self.talk.detail(&format!("attempt {attempt} failed: {error}{cause}"));
            }
            Event::Paused { pause: Pause::Lag } => self.talk.detail("paused: a replica is behind"),
            Event::Paused { pause: Pause::File } => {
                self.talk.detail("paused: the pause file is there");
            }
            _ => {}
        }
        self.progress.event(event);
    }
}

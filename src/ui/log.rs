use std::error::Error;

use super::{Bar, Talk};
use crate::engine::{Event, Pause, Progress};

/// The bar, and what holds the work up as lines beside it.
pub struct Log {
    /// Where the lines go.
    pub talk: Talk,
    /// What else listens.
    pub bar: Bar,
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
        self.bar.event(event);
    }
}

//! The wish to stop, and the sleep that heeds it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Set once, by a signal; looked at between pages and batches.
#[derive(Debug, Default)]
pub struct Stop {
    signal: Mutex<Option<i32>>,
    changed: Condvar,
}

impl Stop {
    /// Asks for an end because of this signal. False if that was asked before.
    pub fn request(&self, signal: i32) -> bool {
        let mut current = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        let first = current.is_none();
        current.get_or_insert(signal);
        self.changed.notify_all();
        first
    }

    /// The signal that asked, if one did.
    pub fn requested(&self) -> Option<i32> {
        *self.signal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for `duration`, or until somebody asks for an end.
    pub fn sleep(&self, duration: Duration) {
        let guard = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        // A poisoned lock holds nothing that could be half changed, and a spurious end of the wait
        // is caught by the condition.
        drop(self.changed.wait_timeout_while(guard, duration, |signal| signal.is_none()));
    }
}

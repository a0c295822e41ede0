//! The wish to stop, and the sleep that heeds it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Set once, by a signal; looked at between pages and batches.
#[derive(Debug, Default)]
pub struct Stop {
    signal: Mutex<Option<i32>>,
    heeded: AtomicBool,
    changed: Condvar,
}

impl Stop {
    /// From here on somebody looks at it from time to time. Before, a command may wait for its
    /// standard input.
    pub fn heed(&self) {
        self.heeded.store(true, Ordering::Relaxed);
    }

    /// Runs what waits for a person, during which nobody looks at it: a signal ends the process.
    pub fn unheeded<T>(&self, wait: impl FnOnce() -> T) -> T {
        let heeded = self.heeded.swap(false, Ordering::Relaxed);
        let result = wait();
        self.heeded.store(heeded, Ordering::Relaxed);
        result
    }

    /// Asks for an end because of this signal, unless that was asked before. False if nobody would heed it.
    pub fn request(&self, signal: i32) -> bool {
        let mut current = self.signal.lock().unwrap_or_else(PoisonError::into_inner);
        current.get_or_insert(signal);
        self.changed.notify_all();
        self.heeded.load(Ordering::Relaxed)
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

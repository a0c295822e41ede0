//! Requests to stop, by a signal or by the deadline of `--run-time`, and a sleep that ends early on such a
//! request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For how long what is under way may go on once an end was asked for. Then sessctl gives up whatever it waits for.
pub const GRACE: Duration = Duration::from_secs(5);
/// After this the process is ended: it waits for something that cannot be given up, such as a name server, a disk that
/// went away, or one call of a function inside of SQLite.
pub const LAST_GRACE: Duration = Duration::from_secs(20);

/// Looked at between pages and batches, and while a server or a file is waited for.
#[derive(Debug, Default)]
pub struct Stop {
    state: Mutex<State>,
    heeded: AtomicBool,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The first signal that asked for an end, and when it came.
    signal: Option<(i32, Instant)>,
    /// When the time that the run was given is over.
    end: Option<Instant>,
}

/// Why there shall be an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This signal came.
    Signal(i32),
    /// The time that the run was given is over.
    RunTime,
}

impl State {
    /// Who asked first, and when.
    fn asked(self) -> Option<(Asked, Instant)> {
        let signal = self.signal.map(|(signal, since)| (Asked::Signal(signal), since));
        let run_time = self.end.filter(|end| *end <= Instant::now());
        signal.or(run_time.map(|since| (Asked::RunTime, since)))
    }
}

impl Stop {
    /// From here on somebody looks at it from time to time. Before, a command may wait for its
    /// standard input.
    pub fn heed(&self) {
        self.heeded.store(true, Ordering::Relaxed);
    }

    /// Runs what waits for a person, during which nobody looks at it: a signal ends the process.
    pub fn unheeded<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.while_heeded(false, wait)
    }

    /// Runs what looks at it.
    pub fn heeded<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.while_heeded(true, wait)
    }

    fn while_heeded<T>(&self, is_heeded: bool, wait: impl FnOnce() -> T) -> T {
        let before = self.heeded.swap(is_heeded, Ordering::Relaxed);
        let result = wait();
        self.heeded.store(before, Ordering::Relaxed);
        result
    }

    /// Asks for an end because of this signal, unless that was asked before. False if nobody would heed it.
    pub fn request(&self, signal: i32) -> bool {
        self.state().signal.get_or_insert((signal, Instant::now()));
        self.changed.notify_all();
        self.heeded.load(Ordering::Relaxed)
    }

    /// Asks for an end after this time.
    pub fn end_after(&self, time: Duration) {
        self.state().end = Instant::now().checked_add(time);
        self.changed.notify_all();
    }

    /// The signal that asked, if one did.
    pub fn requested(&self) -> Option<i32> {
        self.state().signal.map(|(signal, _)| signal)
    }

    /// Why there shall be an end, if somebody asked for it.
    pub fn asked(&self) -> Option<Asked> {
        self.state().asked().map(|(asked, _)| asked)
    }

    /// Whether what is under way has had its time since somebody asked for an end.
    pub fn must_end(&self) -> bool {
        self.state().asked().is_some_and(|(_, since)| since.elapsed() >= GRACE)
    }

    /// Returns when an end was asked for and there is none long after that, with the reason.
    pub fn wait_until_overdue(&self) -> Asked {
        const TICK: Duration = Duration::from_secs(1);
        let mut state = self.state();
        loop {
            if let Some((asked, since)) = state.asked()
                && since.elapsed() >= LAST_GRACE
                && self.heeded.load(Ordering::Relaxed)
            {
                return asked;
            }
            let waited = self.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sleeps for `duration`, or until a signal asks for an end.
    pub fn sleep(&self, duration: Duration) {
        // A poisoned lock holds nothing that could be half changed, and a spurious end of the wait
        // is caught by the condition.
        let unasked = |state: &mut State| state.signal.is_none();
        drop(self.changed.wait_timeout_while(self.state(), duration, unasked));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Requests to stop, by a signal or by the deadline of `--run-time`, and a sleep that ends early on such a
//! request.

mod call;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

pub use call::Calls;

/// How long current work may continue after a request to stop. Then sessctl gives up any wait.
pub const GRACE: Duration = Duration::from_secs(5);
/// After this time the process is terminated: it waits for something that cannot be given up, such as a name
/// server, a dead disk, or one call of a function inside SQLite.
pub const LAST_GRACE: Duration = Duration::from_secs(20);

/// The request to stop. It is checked between pages and batches, and while waiting for a server or a file.
#[derive(Debug, Default)]
pub struct Stop {
    state: Mutex<State>,
    is_checked: AtomicBool,
    changed: Condvar,
    calls: Mutex<Vec<Weak<Calls>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The first signal, and when it came.
    signal: Option<(i32, Instant)>,
    /// The deadline of the run.
    end: Option<Instant>,
}

/// Why the run must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The process received this signal.
    Signal(i32),
    /// The deadline of `--run-time` passed.
    RunTime,
}

impl State {
    /// The first reason to stop, and when it came.
    fn asked(self) -> Option<(Asked, Instant)> {
        let signal = self.signal.map(|(signal, since)| (Asked::Signal(signal), since));
        let run_time = self.end.filter(|end| *end <= Instant::now());
        signal.or(run_time.map(|since| (Asked::RunTime, since)))
    }
}

impl Stop {
    /// Declares that the program now checks for requests regularly. Before this, a command may block on its
    /// standard input.
    pub fn start_checking(&self) {
        self.is_checked.store(true, Ordering::Relaxed);
    }

    /// Runs a wait for the operator's input, during which requests are not checked: a signal ends the
    /// process.
    pub fn while_unchecked<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.with_checks(false, wait)
    }

    /// Runs work that checks for requests.
    pub fn while_checked<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.with_checks(true, wait)
    }

    fn with_checks<T>(&self, is_checked: bool, wait: impl FnOnce() -> T) -> T {
        let before = self.is_checked.swap(is_checked, Ordering::Relaxed);
        let result = wait();
        self.is_checked.store(before, Ordering::Relaxed);
        result
    }

    /// Records this signal, unless one came before. Returns false if the program does not check for requests
    /// now.
    pub fn request(&self, signal: i32) -> bool {
        self.state().signal.get_or_insert((signal, Instant::now()));
        self.changed.notify_all();
        self.is_checked.load(Ordering::Relaxed)
    }

    /// Sets a deadline this long from now.
    pub fn end_after(&self, time: Duration) {
        self.state().end = Instant::now().checked_add(time);
        self.changed.notify_all();
    }

    /// The signal that was received, if any.
    pub fn requested(&self) -> Option<i32> {
        self.state().signal.map(|(signal, _)| signal)
    }

    /// Why the run must stop, if it must.
    pub fn asked(&self) -> Option<Asked> {
        self.state().asked().map(|(asked, _)| asked)
    }

    /// Whether the grace period after a request to stop has passed.
    pub fn must_end(&self) -> bool {
        self.state().asked().is_some_and(|(_, since)| since.elapsed() >= GRACE)
    }

    /// Blocks until the process is still running long after a request to stop, and returns the reason.
    pub fn wait_until_overdue(&self) -> Asked {
        const TICK: Duration = Duration::from_secs(1);
        let mut state = self.state();
        loop {
            if let Some((asked, since)) = state.asked()
                && since.elapsed() >= LAST_GRACE
                && self.is_checked.load(Ordering::Relaxed)
            {
                return asked;
            }
            let waited = self.changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Looks after these calls as long as somebody holds them.
    pub fn watch(&self, calls: &Arc<Calls>) {
        let mut all = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|calls| calls.strong_count() > 0);
        all.push(Arc::downgrade(calls));
    }

    /// Whether one call has computed for longer than this and does not look at requests. To be asked every second.
    pub fn has_stuck_call(&self, patience: Duration) -> bool {
        let all = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        // Each of them is to be looked at.
        let stuck = all.iter().filter_map(Weak::upgrade).filter(|calls| calls.is_stuck(patience));
        stuck.count() > 0
    }

    /// Sleeps for `duration`, or until a signal comes.
    pub fn sleep(&self, duration: Duration) {
        // A poisoned lock holds no half-changed data, and the condition catches a spurious wake-up.
        let unasked = |state: &mut State| state.signal.is_none();
        drop(self.changed.wait_timeout_while(self.state(), duration, unasked));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Detects a thread that computes for long in a library that does not check for requests to stop.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The calls of one connection into a library that runs code of others. Shared with the thread that looks at them.
#[derive(Debug, Default)]
pub struct Calls {
    thread: AtomicI32,
    /// Statements that began and did not end.
    running: AtomicU64,
    beats: AtomicU64,
    /// The number of beats at the last look at which it grew or the thread slept, and when that was.
    seen: Mutex<Option<(u64, Instant)>>,
}

impl Calls {
    /// A statement begins in this thread.
    pub fn begin(&self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        self.beat();
    }

    /// A statement ended.
    pub fn end(&self) {
        // Some end without a beginning, as `EXPLAIN` does.
        let one_less = |running: u64| running.checked_sub(1);
        let _ = self.running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        self.beat();
    }

    /// The library looked whether to go on.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the library has computed for so long without a look whether to go on. Looks at one moment only, so it has to be
    /// asked every second. A thread that sleeps waits for a lock, or for whoever takes what it read.
    pub(super) fn is_stuck(&self, patience: Duration) -> bool {
        let beats = self.beats.load(Ordering::Relaxed);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_silent = self.running.load(Ordering::Relaxed) > 0
            && seen.is_some_and(|(before, _)| before == beats)
            && computes(self.thread.load(Ordering::Relaxed));
        if !is_silent {
            *seen = Some((beats, Instant::now()));
        }
        seen.is_some_and(|(_, since)| since.elapsed() >= patience)
    }
}

#[cfg(target_os = "linux")]
fn this_thread() -> i32 {
    rustix::thread::gettid().as_raw_pid()
}

/// The number of no thread: only Linux tells whether one computes.
#[cfg(not(target_os = "linux"))]
fn this_thread() -> i32 {
    0
}

/// Whether a thread of this process runs, or would if there were a processor for it (proc(5), `/proc/pid/stat`).
fn computes(thread: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
    // The name before it may hold anything.
    status
        .is_ok_and(|status| status.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R')))
}

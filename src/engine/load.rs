//! How much of huge sessions may be under way at once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A page that holds more is huge: a full one has half of it and one more row.
const HUGE: usize = 1 << 20;
/// So much of huge pages is under way, or one page.
const MOST: usize = 16 << 20;

/// The bytes of huge pages that are under way. Pages of ordinary size are few and need no counting.
#[derive(Default)]
pub(super) struct Load {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: usize,
    over: bool,
}

impl Load {
    /// Waits until a page of so many bytes may be under way, or nobody works on pages any more.
    pub(super) fn add(&self, bytes: usize) {
        if bytes > HUGE {
            let is_full = |state: &mut State| {
                state.bytes > 0 && state.bytes.saturating_add(bytes) > MOST && !state.over
            };
            let waited = self.changed.wait_while(self.state(), is_full);
            waited.unwrap_or_else(PoisonError::into_inner).bytes += bytes;
        }
    }

    /// A page of so many bytes has been worked on, and its memory given back.
    pub(super) fn remove(&self, bytes: usize) {
        if bytes > HUGE {
            self.state().bytes -= bytes;
            self.changed.notify_all();
        }
    }

    /// Whoever holds this works on pages. The first who does so no longer, for whatever reason, has no
    /// more of them, and lets nobody wait.
    pub(super) fn worked_on(&self) -> Worker<'_> {
        Worker(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Worker<'l>(&'l Load);

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.0.state().over = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn huge_pages_wait_for_each_other_and_small_ones_for_nobody() {
        let load = Load::default();
        load.add(10 * MOST);
        load.add(HUGE);
        thread::scope(|scope| {
            let (told, heard) = channel();
            let load = &load;
            scope.spawn(move || {
                load.add(2 * HUGE);
                told.send(()).unwrap_or_default();
            });
            assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
            load.remove(10 * MOST);
            assert!(heard.recv().is_ok());
        });
        assert_eq!(load.state().bytes, 2 * HUGE);
    }

    #[test]
    fn nobody_waits_for_workers_who_are_gone() {
        let load = Load::default();
        load.add(MOST);
        drop(load.worked_on());
        load.add(MOST);
    }
}

//! How far a scan may get ahead of itself.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A page that holds more is huge: a full one has half of it and one more row.
const HUGE: usize = 1 << 20;
/// So much of huge pages is under way, or one page.
const MOST: usize = 16 << 20;

/// The pages that are under way, between the reader and the fold, and the bytes of the huge ones among them.
///
/// Results are folded in order, so those that overtake a slow page wait for it. The reader waits too, as soon as it is
/// so many pages ahead of the oldest page that is not folded: else a page whose few rows inflate to megabytes would
/// have the results of all the pages behind it pile up. The oldest page never waits for a younger one, so this cannot
/// be a deadlock.
pub(super) struct Load {
    most_pages: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the oldest page that is not folded.
    oldest: u64,
    bytes: usize,
    over: bool,
}

impl Load {
    /// With room for so many pages.
    pub(super) fn new(most_pages: usize) -> Self {
        let most_pages = u64::try_from(most_pages).unwrap_or(u64::MAX);
        Self { most_pages, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits until the page with this number and so many bytes may be under way, or the scan is over.
    pub(super) fn add(&self, number: u64, bytes: usize) {
        let huge = if bytes > HUGE { bytes } else { 0 };
        let is_full = |state: &mut State| {
            let too_far = number.saturating_sub(state.oldest) >= self.most_pages;
            let too_large = huge > 0 && state.bytes > 0 && state.bytes.saturating_add(huge) > MOST;
            (too_far || too_large) && !state.over
        };
        let waited = self.changed.wait_while(self.state(), is_full);
        waited.unwrap_or_else(PoisonError::into_inner).bytes += huge;
    }

    /// A page of so many bytes has been worked on, and its memory given back.
    pub(super) fn remove(&self, bytes: usize) {
        if bytes > HUGE {
            self.state().bytes -= bytes;
            self.changed.notify_all();
        }
    }

    /// All pages before this one are folded.
    pub(super) fn folded(&self, next: u64) {
        self.state().oldest = next;
        self.changed.notify_all();
    }

    /// Whoever holds this works on pages or folds them. The first who does so no longer, for whatever reason, lets
    /// nobody wait.
    pub(super) fn part(&self) -> Part<'_> {
        Part(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Part<'l>(&'l Load);

impl Drop for Part<'_> {
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

    /// Looks that a page has to wait until `change` is made.
    fn waits(load: &Load, number: u64, bytes: usize, change: impl FnOnce(&Load)) {
        thread::scope(|scope| {
            let (told, heard) = channel();
            scope.spawn(move || {
                load.add(number, bytes);
                told.send(()).unwrap_or_default();
            });
            assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
            change(load);
            assert!(heard.recv().is_ok());
        });
    }

    #[test]
    fn huge_pages_wait_for_each_other_and_small_ones_for_nobody() {
        let load = Load::new(10);
        load.add(0, 10 * MOST);
        load.add(1, HUGE);
        waits(&load, 2, 2 * HUGE, |load| load.remove(10 * MOST));
        assert_eq!(load.state().bytes, 2 * HUGE);
    }

    #[test]
    fn pages_wait_for_the_oldest_one() {
        let load = Load::new(2);
        load.add(0, 1);
        load.add(1, 1);
        waits(&load, 2, 1, |load| load.folded(1));
        waits(&load, 3, 1, |load| load.folded(2));
        waits(&load, 99, 1, |load| drop(load.part()));
    }

    #[test]
    fn nobody_waits_for_workers_who_are_gone() {
        let load = Load::new(10);
        load.add(0, MOST);
        drop(load.part());
        load.add(1, MOST);
    }
}

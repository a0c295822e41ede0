//! How far a scan may get ahead of itself.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A page that holds more is huge: a full one has half of it and one more row.
const HUGE: usize = 1 << 20;

/// The pages that are under way, between the reader and the fold.
///
/// Results are folded in order, so those that overtake a slow page wait for it. The reader waits too, as soon as it is
/// so many pages ahead of the oldest page that is not folded: else a page whose few rows inflate to megabytes would
/// have the results of all the pages behind it pile up. Behind a huge page it waits until that is folded. The oldest
/// page never waits for a younger one, so this cannot be a deadlock.
pub(super) struct Load {
    most_pages: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the oldest page that is not folded.
    oldest: u64,
    over: bool,
}

impl Load {
    /// With room for so many pages.
    pub(super) fn new(most_pages: usize) -> Self {
        let most_pages = u64::try_from(most_pages).unwrap_or(u64::MAX);
        Self { most_pages, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits until the page after this one, of so many bytes, may be read, or the scan is over.
    pub(super) fn read(&self, number: u64, bytes: usize) {
        let most = if bytes > HUGE { 1 } else { self.most_pages };
        let is_full = |state: &mut State| {
            // What was folded already is as good as nothing under way.
            let under_way = (number + 1).saturating_sub(state.oldest);
            under_way >= most && !state.over
        };
        drop(self.changed.wait_while(self.state(), is_full));
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

    /// Looks that the reader has to wait after a page until `change` is made.
    fn waits(load: &Load, number: u64, bytes: usize, change: impl FnOnce(&Load)) {
        thread::scope(|scope| {
            let (told, heard) = channel();
            scope.spawn(move || {
                load.read(number, bytes);
                told.send(()).unwrap_or_default();
            });
            assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
            change(load);
            assert!(heard.recv().is_ok());
        });
    }

    #[test]
    fn the_reader_waits_for_the_oldest_page() {
        let load = Load::new(3);
        load.read(0, 1);
        load.read(1, 1);
        waits(&load, 2, 1, |load| load.folded(1));
        waits(&load, 3, 1, |load| load.folded(2));
        waits(&load, 99, 1, |load| drop(load.part()));
    }

    #[test]
    fn the_reader_waits_for_every_huge_page() {
        let load = Load::new(10);
        load.read(0, HUGE);
        waits(&load, 1, HUGE + 1, |load| load.folded(2));
        load.folded(3);
        load.read(2, HUGE + 1);
    }

    #[test]
    fn nobody_waits_for_workers_who_are_gone() {
        let load = Load::new(10);
        drop(load.part());
        load.read(0, 2 * HUGE);
    }
}

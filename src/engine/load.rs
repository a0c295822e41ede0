//! Limits how many pages a scan reads ahead of the oldest page whose result is not folded yet. This bounds
//! the memory of a scan.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A page with more bytes is huge: a full page has at most half of this and one more row.
const HUGE: usize = 1 << 20;

/// The pages between the reader and the fold.
///
/// Results are folded in page order, so the result of a fast page waits for that of a slow page before it.
/// The reader waits too once it is `most_pages` ahead of the oldest unfolded page: otherwise a page of a few
/// rows that inflate to megabytes would make the results of all later pages pile up. Behind a huge page the
/// reader waits until that page is folded. The oldest page never waits for a younger one, so this cannot
/// deadlock.
pub(super) struct Load {
    most_pages: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the oldest page that is not folded yet.
    oldest: u64,
    over: bool,
}

impl Load {
    /// Allows this many pages between the reader and the fold.
    pub(super) fn new(most_pages: usize) -> Self {
        let most_pages = u64::try_from(most_pages).unwrap_or(u64::MAX);
        Self { most_pages, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Called after page `number` of `bytes` bytes was read: waits until the next one may be read, or until
    /// the scan is over.
    pub(super) fn read(&self, number: u64, bytes: usize) {
        let most = if bytes > HUGE { 1 } else { self.most_pages };
        let is_full = |state: &mut State| {
            // The oldest page may already be past this one.
            let under_way = (number + 1).saturating_sub(state.oldest);
            under_way >= most && !state.over
        };
        drop(self.changed.wait_while(self.state(), is_full));
    }

    /// Records that all pages before `next` are folded.
    pub(super) fn folded(&self, next: u64) {
        self.state().oldest = next;
        self.changed.notify_all();
    }

    /// A guard for a thread that decodes or folds pages. When the first such thread ends, for whatever
    /// reason, the reader stops waiting.
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

    /// Asserts that the reader waits after a page until `change` is made.
    fn waits(load: &Load, number: u64, bytes: usize, change: impl FnOnce(&Load)) {
        thread::scope(|scope| {
            let (sender, receiver) = channel();
            scope.spawn(move || {
                load.read(number, bytes);
                sender.send(()).unwrap_or_default();
            });
            assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
            change(load);
            assert!(receiver.recv().is_ok());
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

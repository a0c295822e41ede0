//! One reader, decode workers, and a fold in the order of the table.
//!
//! ```text
//! reader thread ──pages──▶ workers ──results──▶ the caller's thread: sort by page, fold
//!      ▲                      │
//!      └──── empty pages ─────┘
//! ```
//!
//! The channels are short, the reader does not run ahead of the oldest page that is not folded, and huge sessions are read
//! one after the other, however many workers there are: so memory does not depend on the number of rows. A closed
//! channel is what stops everybody.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::load::Load;
use super::progress::{Event, Progress};
use crate::model::Page;
use crate::stop::Stop;
use crate::store::{Fault, Filter, Reader, StoreError};

/// How a scan ended. Only of [`Ended::Whole`] may be said what is *not* in the table.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every row was seen.
    Whole,
    /// The fold had enough.
    Enough,
    /// Somebody asked for an end, with this signal.
    Interrupted(i32),
}

/// What a scan needs beside the work itself.
pub struct Scan<'a> {
    /// Threads that decode.
    pub workers: usize,
    /// Looked at once per page.
    pub stop: &'a Stop,
    /// Who listens.
    pub progress: &'a dyn Progress,
}

/// Pages under way per worker: one that it works on and one that waits.
const PAGES_PER_WORKER: usize = 2;
/// The same and pages that have a result, which may wait for that of an older page.
const PAGES_UNFOLDED_PER_WORKER: usize = 3;

impl Scan<'_> {
    /// Reads all rows that pass `filter`. Each worker gets a function from `worker` that makes a
    /// result of a page, and may take the page for it; `fold` gets the results in the order of the pages.
    pub fn run<T, W>(
        &self,
        reader: &mut dyn Reader,
        filter: &Filter,
        worker: impl Fn() -> W + Sync,
        mut fold: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<Ended, StoreError>
    where
        T: Send,
        W: FnMut(&mut Page) -> T,
    {
        let workers = self.workers.max(1);
        let under_way = workers * PAGES_PER_WORKER;
        let (pages_in, pages_out) = bounded(under_way);
        let (results_in, results_out) = bounded(under_way);
        let (empty_in, empty_out) = bounded(under_way + workers);
        let load = Load::new(workers * PAGES_UNFOLDED_PER_WORKER + 1);
        self.progress.event(Event::ScanBegins { rows: reader.estimate()? });

        let ended = thread::scope(|scope| {
            let load = &load;
            let reading = scope.spawn(move || read(reader, filter, load, &pages_in, &empty_out));
            for _ in 0..workers {
                let (pages, results, empty) =
                    (pages_out.clone(), results_in.clone(), empty_in.clone());
                let worker = &worker;
                scope.spawn(move || work(worker(), load, &pages, &results, &empty));
            }
            drop((pages_out, results_in, empty_in));
            let ended = self.fold_in_order(load, &results_out, &mut fold);
            drop(results_out);
            let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match (read, self.stop.requested()) {
                (Err(error), Some(signal)) if error.fault() != Fault::Fatal => {
                    Ok(Ended::Interrupted(signal))
                }
                (read, _) => read.map(|()| ended),
            }
        });
        self.progress.event(Event::ScanEnds);
        ended
    }

    fn fold_in_order<T>(
        &self,
        load: &Load,
        results: &Receiver<(u64, u64, T)>,
        fold: &mut impl FnMut(T) -> ControlFlow<()>,
    ) -> Ended {
        let _fold = load.part();
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (number, rows, result) in results {
            if let Some(signal) = self.stop.requested() {
                return Ended::Interrupted(signal);
            }
            self.progress.event(Event::Scanned { rows });
            early.insert(number, result);
            while let Some(result) = early.remove(&next) {
                next += 1;
                if fold(result).is_break() {
                    return Ended::Enough;
                }
                load.folded(next);
            }
        }
        // A signal after the last page found the scan complete all the same.
        Ended::Whole
    }
}

fn read(
    reader: &mut dyn Reader,
    filter: &Filter,
    load: &Load,
    pages: &Sender<(u64, Page)>,
    empty: &Receiver<Page>,
) -> Result<(), StoreError> {
    let mut number = 0;
    reader.scan(filter, &mut |page| {
        let bytes = page.bytes();
        if pages.send((number, page)).is_err() {
            return ControlFlow::Break(());
        }
        load.read(number, bytes);
        number += 1;
        ControlFlow::Continue(empty.try_recv().unwrap_or_default())
    })
}

fn work<T>(
    mut make: impl FnMut(&mut Page) -> T,
    load: &Load,
    pages: &Receiver<(u64, Page)>,
    results: &Sender<(u64, u64, T)>,
    empty: &Sender<Page>,
) {
    let _worker = load.part();
    for (number, mut page) in pages {
        let rows = u64::try_from(page.len()).unwrap_or(u64::MAX);
        let result = make(&mut page);
        if results.send((number, rows, result)).is_err() {
            return;
        }
        page.clear();
        // No room means that there are pages enough.
        let _ = empty.try_send(page);
    }
}

//! Scans a table in parallel: one thread reads pages, workers decode them, and the caller's thread folds the
//! results in the order of the table.
//!
//! ```text
//! reader thread ──pages──▶ workers ──results──▶ the caller's thread: sort by page, fold
//!      ▲                      │
//!      └──── empty pages ─────┘
//! ```
//!
//! Memory does not depend on the number of rows: the channels are short, the reader stays close to the oldest page
//! that is not folded, and huge sessions are read one after the other. Closing a channel stops all threads.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::load::Load;
use super::progress::{Event, Progress};
use crate::model::Page;
use crate::stop::Stop;
use crate::store::{Fault, Filter, Reader, StoreError};

/// How a scan ended. Only [`Ended::Whole`] shows that a row is *not* in the table.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every row was read.
    Whole,
    /// The fold stopped the scan.
    Enough,
    /// The process received this signal.
    Interrupted(i32),
}

/// The settings of a scan.
pub struct Scan<'a> {
    /// Threads that decode pages.
    pub workers: usize,
    /// Checked once per page.
    pub stop: &'a Stop,
    /// The listener for progress events.
    pub progress: &'a dyn Progress,
}

/// Pages per worker between the reader and the workers: one that it decodes and one that waits.
const PAGES_PER_WORKER: usize = 2;
/// The same, plus decoded pages whose result waits for that of an older page.
const PAGES_UNFOLDED_PER_WORKER: usize = 3;

impl Scan<'_> {
    /// Reads all rows that match `filter`. `worker` makes a function for each worker, which turns a page into
    /// a result and may keep the page. `fold` gets the results in page order.
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
        // A signal that came after the last page does not make the scan incomplete. Without a page it may have come before.
        match self.stop.requested().filter(|_| next == 0) {
            Some(signal) => Ended::Interrupted(signal),
            None => Ended::Whole,
        }
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
        // If the channel is full, there are enough empty pages.
        let _ = empty.try_send(page);
    }
}

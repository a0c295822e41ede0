//! What a scan tells its listener, and what an error of its reader is after a signal.

use std::cell::RefCell;

use super::*;
use crate::store::{Emit, Reader};

/// A reader that fails after a page.
struct Fails(Fault);

impl Reader for Fails {
    fn scan(&mut self, _: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let _ = emit(Page::default());
        Err(StoreError::new(self.0, "cannot read: a scripted fault"))
    }
}

#[test]
fn a_scan_that_fails_after_a_signal_is_interrupted_unless_the_error_is_fatal() {
    let asked = Stop::default();
    asked.request(SIGTERM);
    let ended = |fault, stop: &Stop| {
        let scan = Scan { workers: 2, stop, progress: &Silent };
        let fold = |()| ControlFlow::Continue(());
        scan.run(&mut Fails(fault), &Filter::default(), || |_: &mut Page| (), fold)
    };
    for fault in [Fault::Busy, Fault::Lost, Fault::Stopped] {
        assert_eq!(ended(fault, &asked).unwrap(), Ended::Interrupted(SIGTERM), "{fault:?}");
        assert_eq!(ended(fault, &Stop::default()).unwrap_err().fault(), fault);
    }
    assert_eq!(ended(Fault::Fatal, &asked).unwrap_err().fault(), Fault::Fatal);
}

#[derive(Default)]
struct Told(RefCell<Vec<(&'static str, Option<u64>)>>);

impl Progress for Told {
    fn event(&self, event: Event<'_>) {
        self.0.borrow_mut().push(match event {
            Event::ScanBegins { rows } => ("begins", rows),
            Event::Scanned { rows } => ("scanned", Some(rows)),
            Event::ScanEnds => ("ends", None),
            _ => return,
        });
    }
}

#[test]
fn a_scan_tells_of_every_row_and_of_its_end() {
    let (memory, stop, told) = (&memory(2_500), Stop::default(), Told::default());
    let scan = Scan { workers: 2, stop: &stop, progress: &told };
    let mut reader = memory.reader().unwrap();
    let fold = |()| ControlFlow::Continue(());
    let ended = scan.run(&mut *reader, &Filter::default(), || |_: &mut Page| (), fold);
    assert_eq!(ended.unwrap(), Ended::Whole);
    let mut told = told.0.into_inner();
    told.sort_unstable();
    let pages = [Some(500), Some(1_000), Some(1_000)].map(|rows| ("scanned", rows));
    assert_eq!(told, [&[("begins", Some(2_500)), ("ends", None)][..], &pages].concat());
}

/// A reader that reads as long as somebody takes its pages, and counts them.
struct Endless(u32);

impl Reader for Endless {
    fn scan(&mut self, _: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        while self.0 < 100_000 && emit(Page::default()).is_continue() {
            self.0 += 1;
        }
        Ok(())
    }
}

#[test]
fn a_scan_that_has_enough_reads_no_further() {
    let stop = Stop::default();
    let scan = Scan { workers: 2, stop: &stop, progress: &Silent };
    let mut reader = Endless(0);
    let fold = |()| ControlFlow::Break(());
    let ended = scan.run(&mut reader, &Filter::default(), || |_: &mut Page| (), fold);
    assert_eq!(ended.unwrap(), Ended::Enough);
    assert!(reader.0 < 100, "{} pages were read", reader.0);
}

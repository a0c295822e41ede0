use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Duration;

use super::*;
use crate::consent::{Ask, Consent};
use crate::model::{Expiry, Keys, Page};
use crate::stop::Stop;
use crate::store::memory::Memory;
use crate::store::{Fault, Filter, Store};

const SIGTERM: i32 = 15;

fn memory(rows: usize) -> Memory {
    let memory = Memory::default();
    for number in 0..rows {
        memory.insert(&format!("{number:06}"), "data", Expiry::Unreadable);
    }
    memory
}

fn keys(memory: &Memory) -> Keys {
    let mut keys = Keys::default();
    for key in memory.keys() {
        keys.push(&key);
    }
    keys
}

/// Deletes every row in batches of ten; the listener may ask for an end.
fn delete_all(memory: &Memory, stop: &Stop, progress: &dyn Progress) -> Result<Tally, Halted> {
    let driver = Driver {
        store: &memory,
        consent: Consent::from_ask(Ask::Explicit).unwrap(),
        stop,
        pace: Pace { batch_size: 10, sleep: Duration::ZERO },
        progress,
    };
    driver.delete(&keys(memory))
}

/// Asks for an end at a certain event, and remembers all.
struct Listener<'a> {
    stop: &'a Stop,
    stop_at: Option<Event>,
    heard: RefCell<Vec<Event>>,
}

impl Progress for Listener<'_> {
    fn event(&self, event: Event) {
        self.heard.borrow_mut().push(event);
        if self.stop_at == Some(event) {
            self.stop.request(SIGTERM);
        }
    }
}

#[test]
fn batches_delete_all_keys() {
    let memory = memory(25);
    let done = delete_all(&memory, &Stop::default(), &Silent).unwrap();
    assert_eq!((done, memory.keys().len()), (Tally { rows: 25, batches: 3 }, 0));
}

#[test]
fn what_is_busy_or_lost_is_tried_again() {
    let memory = memory(25);
    memory.script([Some(Fault::Busy), None, Some(Fault::Lost), Some(Fault::Busy)]);
    let stop = Stop::default();
    let listener = Listener { stop: &stop, stop_at: None, heard: RefCell::default() };
    let done = delete_all(&memory, &stop, &listener).unwrap();
    assert_eq!((done, memory.keys().len()), (Tally { rows: 25, batches: 3 }, 0));
    let retries = listener
        .heard
        .borrow()
        .iter()
        .filter(|event| matches!(event, Event::Retrying { .. }))
        .count();
    assert_eq!(retries, 3);
}

#[test]
fn what_is_fatal_halts_and_says_what_was_done() {
    let memory = memory(25);
    memory.script([None, Some(Fault::Fatal)]);
    let halted = delete_all(&memory, &Stop::default(), &Silent).unwrap_err();
    assert_eq!((halted.done, memory.keys().len()), (Tally { rows: 10, batches: 1 }, 15));
    assert!(matches!(halted.why, Why::Failed(_)));
}

#[test]
fn a_stop_is_heeded_between_batches() {
    let memory = memory(25);
    let stop = Stop::default();
    let stop_at = Some(Event::Committed { rows: 10 });
    let listener = Listener { stop: &stop, stop_at, heard: RefCell::default() };
    let halted = delete_all(&memory, &stop, &listener).unwrap_err();
    assert_eq!((halted.done, memory.keys().len()), (Tally { rows: 10, batches: 1 }, 15));
    assert!(matches!(halted.why, Why::Interrupted(SIGTERM)));
}

/// Scans with four workers; returns how it ended and the keys in the order in which they were folded.
fn scan(memory: &Memory, stop: &Stop, enough: usize) -> (Ended, Vec<String>) {
    let scan = Scan { workers: 4, stop, progress: &Silent };
    let mut seen = Vec::new();
    let worker = || |page: &Page| page.rows().map(|row| row.key.to_owned()).collect::<Vec<_>>();
    let mut reader = memory.reader().unwrap();
    let ended = scan.run(&mut *reader, &Filter::default(), worker, |keys| {
        seen.extend(keys);
        if seen.len() >= enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (ended.unwrap(), seen)
}

#[test]
fn a_scan_folds_every_row_in_order() {
    let memory = memory(20_500);
    let (ended, seen) = scan(&memory, &Stop::default(), usize::MAX);
    assert_eq!(ended, Ended::Whole);
    assert_eq!(seen, memory.keys());
}

#[test]
fn a_scan_that_has_enough_ends_early() {
    let memory = memory(20_500);
    let (ended, seen) = scan(&memory, &Stop::default(), 3_000);
    assert_eq!((ended, seen.len()), (Ended::Enough, 3_000));
}

#[test]
fn a_scan_that_is_stopped_is_not_whole() {
    let stop = Stop::default();
    stop.request(SIGTERM);
    assert_eq!(scan(&memory(5_000), &stop, usize::MAX).0, Ended::Interrupted(SIGTERM));
}

#[test]
fn a_worker_that_panics_ends_the_scan_with_a_panic() {
    let memory = memory(5_000);
    let stop = Stop::default();
    let scan = Scan { workers: 2, stop: &stop, progress: &Silent };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let worker = || |page: &Page| assert!(page.rows().all(|row| row.key != "004242"));
        let store = &memory;
        let mut reader = store.reader().unwrap();
        scan.run(&mut *reader, &Filter::default(), worker, |()| ControlFlow::Continue(()))
    }));
    assert!(outcome.is_err(), "a scan that lost a page must not look whole");
}

mod pauses;
mod retries;
mod scans;
mod windows;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::*;
use crate::consent::{Ask, Consent};
use crate::memory::Memory;
use crate::model::{Expiry, Keys, Page, Timestamp};
use crate::stop::Stop;
use crate::store::{Fault, Filter, Store, StoreError};

const SIGTERM: i32 = 15;

fn memory(rows: usize) -> Memory {
    let memory = Memory::default();
    for number in 0..rows {
        memory.insert(&format!("{number:06}"), "data", Expiry::MISSING);
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

fn work<'a>(
    memory: &'a &'a Memory,
    stop: &'a Stop,
    progress: &'a dyn Progress,
    pace: Pace,
) -> Driver<'a> {
    let consent = Consent::from_ask(Ask::Explicit).unwrap();
    Driver::new(Work { store: memory, consent, stop, pace, progress })
}

fn tens() -> Pace {
    Pace { batch_size: BatchSize::Fixed(10), ..Pace::default() }
}

/// Deletes every row in batches of ten; the listener may ask for an end.
fn delete_all(
    memory: &Memory,
    stop: &Stop,
    progress: &dyn Progress,
) -> (Result<(), StopReason>, u64, u64) {
    let mut driver = work(&memory, stop, progress, tens());
    let ended = driver.delete(&keys(memory));
    (ended, driver.done().rows, driver.done().batches)
}

/// Asks for an end after the first batch if told to, and counts retries.
struct Listener<'a> {
    stop: &'a Stop,
    stop_after_batch: bool,
    retries: Cell<u32>,
}

impl Progress for Listener<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Retrying { .. } => self.retries.set(self.retries.get() + 1),
            Event::Committed { .. } if self.stop_after_batch => {
                self.stop.request(SIGTERM);
            }
            _ => {}
        }
    }
}

#[test]
fn batches_delete_all_keys() {
    let memory = memory(25);
    let (ended, rows, batches) = delete_all(&memory, &Stop::default(), &Silent);
    assert_eq!((ended.is_ok(), rows, batches, memory.keys().len()), (true, 25, 3, 0));
}

#[test]
fn what_is_busy_or_lost_is_tried_again() {
    let memory = memory(25);
    memory.script([Some(Fault::Busy), None, Some(Fault::Lost), Some(Fault::Busy)]);
    let stop = Stop::default();
    let listener = Listener { stop: &stop, stop_after_batch: false, retries: Cell::default() };
    let (ended, rows, batches) = delete_all(&memory, &stop, &listener);
    assert_eq!((ended.is_ok(), rows, batches, memory.keys().len()), (true, 25, 3, 0));
    assert_eq!(listener.retries.get(), 3);
}

#[test]
fn what_is_fatal_halts_and_says_what_was_done() {
    let memory = memory(25);
    memory.script([None, Some(Fault::Fatal)]);
    let (ended, rows, batches) = delete_all(&memory, &Stop::default(), &Silent);
    assert_eq!((rows, batches, memory.keys().len()), (10, 1, 15));
    assert!(matches!(ended, Err(StopReason::Failed(_))));
}

/// What a failure and a request to end make of each other: only what another attempt might heal is an interruption.
#[test]
fn an_error_after_a_signal_is_an_interruption_unless_it_is_fatal() {
    let asked = Stop::default();
    asked.request(SIGTERM);
    let reason = |fault, stop: &Stop| StopReason::of(StoreError::new(fault, "cannot"), stop);
    for fault in [Fault::Busy, Fault::Lost] {
        assert!(matches!(reason(fault, &asked), StopReason::Interrupted(SIGTERM)), "{fault:?}");
        assert!(matches!(reason(fault, &Stop::default()), StopReason::Failed(_)), "{fault:?}");
    }
    assert!(matches!(reason(Fault::Fatal, &asked), StopReason::Failed(_)));
}

#[test]
fn a_check_waits_for_locks_and_for_nothing_else() {
    let memory = &memory(1);
    let stop = Stop::default();
    for (fault, is_passed) in [(Fault::Busy, true), (Fault::Lost, false), (Fault::Fatal, false)] {
        memory.script([Some(fault)]);
        let mut driver = work(&memory, &stop, &Silent, tens());
        let checked = driver.check(|writer| Ok(writer.delete(&[])?.sessions));
        assert_eq!(checked.is_ok(), is_passed, "{checked:?}");
    }
}

#[test]
fn a_stop_is_heeded_between_batches() {
    let memory = memory(25);
    let stop = Stop::default();
    let listener = Listener { stop: &stop, stop_after_batch: true, retries: Cell::default() };
    let (ended, rows, batches) = delete_all(&memory, &stop, &listener);
    assert_eq!((rows, batches, memory.keys().len()), (10, 1, 15));
    assert!(matches!(ended, Err(StopReason::Interrupted(SIGTERM))));
}

/// A purge of 25 expired sessions among 5 live ones; returns how it ended and what it did.
fn purge(memory: &Memory, pace: Pace) -> (Result<(), StopReason>, u64) {
    let stop = Stop::default();
    let mut driver = work(&memory, &stop, &Silent, pace);
    let mut lock = (&memory).purge_lock();
    let cutoff = Timestamp::from_micros(1_000);
    let mut purge = Purge {
        referring: Vec::new(),
        cutoff,
        lock: &mut *lock,
        clean_to: None,
        kept: KeptRows::default(),
        expired: None,
    };
    let ended = purge.run(&mut driver);
    (ended, driver.done().rows)
}

fn expired_and_live() -> Memory {
    let memory = Memory::default();
    for number in 0..30 {
        let expires = if number < 25 { 100 + number % 7 } else { 1_000 + number };
        let expires = Expiry::At(Timestamp::from_micros(expires));
        memory.insert(&format!("{number:06}"), "data", expires);
    }
    memory
}

#[test]
fn a_purge_deletes_what_has_expired() {
    let memory = expired_and_live();
    let (ended, rows) = purge(&memory, tens());
    assert_eq!((ended.is_ok(), rows, memory.keys().len()), (true, 25, 5));
}

#[test]
fn a_purge_gets_through_faults() {
    let memory = expired_and_live();
    memory.script([Some(Fault::Busy), None, Some(Fault::Lost), Some(Fault::Busy)]);
    let (ended, rows) = purge(&memory, tens());
    assert_eq!((ended.is_ok(), rows, memory.keys().len()), (true, 25, 5));
}

#[test]
fn a_purge_leaves_what_stays_locked_and_nothing_else() {
    let memory = expired_and_live();
    memory.lock(&["000003", "000020"]);
    let (ended, rows) = purge(&memory, tens());
    assert_eq!((ended.is_ok(), rows, memory.keys().len()), (true, 23, 7));
    assert!(memory.keys().iter().any(|key| key == "000020"));
}

#[test]
fn a_purge_ends_at_its_limit() {
    let memory = expired_and_live();
    let (ended, rows) = purge(&memory, Pace { limit: Some(13), ..tens() });
    assert_eq!((rows, memory.keys().len()), (13, 17));
    assert!(matches!(ended, Err(StopReason::Limit)));
    let (ended, rows) = purge(&memory, Pace { limit: Some(12), ..tens() });
    assert_eq!((ended.is_ok(), rows, memory.keys().len()), (true, 12, 5));
}

#[test]
fn a_purge_ends_when_its_time_is_over() {
    let memory = expired_and_live();
    let pace = Pace {
        sleep: Duration::from_secs(60),
        run_time: Some(Duration::from_millis(50)),
        ..tens()
    };
    let (ended, rows) = purge(&memory, pace);
    assert_eq!(rows, 10);
    assert!(matches!(ended, Err(StopReason::RunTime)));
}

#[test]
fn a_pause_file_keeps_batches_from_running() {
    let file = std::env::temp_dir().join(format!("sessctl-pause-{}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let memory = expired_and_live();
    let pace = Pace {
        pause_file: Some(file.clone()),
        run_time: Some(Duration::from_millis(50)),
        ..tens()
    };
    let (ended, rows) = purge(&memory, pace.clone());
    assert_eq!(rows, 0);
    assert!(matches!(ended, Err(StopReason::RunTime)));
    std::fs::remove_file(file).unwrap();
    assert!(matches!(purge(&memory, pace), (Ok(()), 25)));
}

/// Scans with four workers; returns how it ended and the keys in the order in which they were folded.
fn scan(memory: &Memory, stop: &Stop, enough: usize) -> (Ended, Vec<String>) {
    let scan = Scan { workers: 4, stop, progress: &Silent };
    let mut seen = Vec::new();
    let worker = || |page: &mut Page| page.rows().map(|row| row.key.to_owned()).collect::<Vec<_>>();
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

/// A result of a page, counted as long as it is there.
struct Counted<'c>(&'c AtomicUsize);

impl<'c> Counted<'c> {
    fn new(there: &'c AtomicUsize, most: &AtomicUsize) -> Self {
        most.fetch_max(there.fetch_add(1, Relaxed) + 1, Relaxed);
        Self(there)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[test]
fn results_that_overtake_a_slow_page_do_not_pile_up() {
    let memory = memory(50_500);
    let (stop, there, most) = (Stop::default(), AtomicUsize::new(0), AtomicUsize::new(0));
    let scan = Scan { workers: 2, stop: &stop, progress: &Silent };
    let worker = || {
        |page: &mut Page| {
            if page.rows().any(|row| row.key == "000000") {
                std::thread::sleep(Duration::from_millis(500));
            }
            Counted::new(&there, &most)
        }
    };
    let mut pages = 0;
    let store = &memory;
    let mut reader = store.reader().unwrap();
    let ended = scan.run(&mut *reader, &Filter::default(), worker, |_| {
        pages += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((ended.unwrap(), pages), (Ended::Whole, 51));
    assert!((2..8).contains(&most.load(Relaxed)), "{most:?} results at once");
}

#[test]
fn a_fold_that_has_enough_lets_no_reader_wait_for_a_slow_page() {
    let memory = memory(50_500);
    let stop = Stop::default();
    let scan = Scan { workers: 1, stop: &stop, progress: &Silent };
    let store = &memory;
    let mut reader = store.reader().unwrap();
    let ended = scan.run(
        &mut *reader,
        &Filter::default(),
        || |_: &mut Page| (),
        |()| {
            // The reader is as far ahead as it may be.
            std::thread::sleep(Duration::from_millis(100));
            ControlFlow::Break(())
        },
    );
    assert_eq!(ended.unwrap(), Ended::Enough);
}

#[test]
fn a_worker_that_panics_ends_the_scan_with_a_panic() {
    let memory = memory(5_000);
    let stop = Stop::default();
    let scan = Scan { workers: 2, stop: &stop, progress: &Silent };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let worker = || |page: &mut Page| assert!(page.rows().all(|row| row.key != "004242"));
        let store = &memory;
        let mut reader = store.reader().unwrap();
        scan.run(&mut *reader, &Filter::default(), worker, |()| ControlFlow::Continue(()))
    }));
    assert!(outcome.is_err(), "a scan that lost a page must not look whole");
}

#[test]
fn what_other_tables_keep_is_counted_once_and_the_rest_goes() {
    for windows in [None, Some(4)] {
        let memory = expired_and_live();
        memory.refer(&["000000", "000003", "000024", "000028"]);
        let stop = Stop::default();
        let table = &memory;
        let pace = Pace { limit: windows, ..tens() };
        let mut driver = work(&table, &stop, &Silent, pace);
        let mut lock = table.purge_lock();
        let cutoff = Timestamp::from_micros(1_000);
        let mut purge = Purge {
            referring: Vec::new(),
            cutoff,
            lock: &mut *lock,
            clean_to: None,
            kept: KeptRows::default(),
            expired: None,
        };
        let ended = purge.run(&mut driver);
        let kept = purge.kept.before + purge.kept.after;
        if windows.is_none() {
            assert!(ended.is_ok());
            assert_eq!((driver.done().rows, kept, memory.keys().len()), (22, 3, 8));
            assert!(purge.kept.by.contains("carts"));
        } else {
            assert!(matches!(ended, Err(StopReason::Limit)));
            assert_eq!(driver.done().rows, 4);
            assert!(kept <= 3);
        }
    }
}

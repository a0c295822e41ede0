//! A purge of several windows: what it says of how far all is clean, and where it begins again.

use super::*;
use crate::store::{Cursor, Holder, LockAttempt, PurgeLock};

/// 25 expired rows, one a microsecond, in windows of 10 and batches of 5.
fn three_windows() -> Memory {
    let memory = Memory::default();
    for number in 0..25 {
        let expires = Expiry::At(Timestamp::from_micros(100 + number));
        memory.insert(&format!("{number:06}"), "data", expires);
    }
    memory.in_windows_of(10);
    memory
}

const CUTOFF: Timestamp = Timestamp::from_micros(1_000);

/// The place after so many rows.
fn after(rows: usize) -> Option<Cursor> {
    let memory = &three_windows();
    memory.in_windows_of(rows);
    let mut writer = memory.writer(Consent::from_ask(Ask::Explicit).unwrap()).unwrap();
    writer.pick_expired(CUTOFF, None, rows).unwrap().next
}

/// Unlocks everything after so many batches.
struct UnlockAfter<'m> {
    memory: &'m Memory,
    after: u32,
    batches: Cell<u32>,
}

impl Progress for UnlockAfter<'_> {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::Committed { .. }) {
            self.batches.set(self.batches.get() + 1);
            if self.batches.get() == self.after {
                self.memory.lock(&[]);
            }
        }
    }
}

/// How it ended, up to where all is said to be clean, and how many expired rows a look from there on finds.
fn purged(
    memory: &Memory,
    progress: &dyn Progress,
) -> (Result<(), StopReason>, Option<Cursor>, u64) {
    let (ended, (clean_to, _)) = purge_with_kept(memory, progress);
    let from = clean_to.as_ref();
    let left = (&memory).reader().unwrap().expired(CUTOFF, from, Duration::MAX).unwrap().rows;
    (ended, clean_to, left.unwrap())
}

fn purge_with_kept(
    memory: &Memory,
    progress: &dyn Progress,
) -> (Result<(), StopReason>, (Option<Cursor>, KeptRows)) {
    let stop = Stop::default();
    let pace = Pace { batch_size: BatchSize::Fixed(5), ..Pace::default() };
    let mut driver = work(&memory, &stop, progress, pace);
    let mut lock = (&memory).purge_lock();
    let mut purge = Purge {
        referring: Vec::new(),
        cutoff: CUTOFF,
        lock: &mut *lock,
        clean_to: None,
        kept: KeptRows::default(),
        expired: None,
    };
    let ended = purge.run(&mut driver);
    (ended, (purge.clean_to, purge.kept))
}

/// What another table refers to is no reason to visit a window again.
#[test]
fn rows_that_are_referred_to_are_counted_once_in_every_window() {
    let memory = three_windows();
    memory.refer(&["000001", "000003", "000013", "000023"]);
    let (ended, (clean_to, kept)) = purge_with_kept(&memory, &Silent);
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!((clean_to, kept.before, kept.after), (after(20), 3, 1));
    assert_eq!(memory.keys(), ["000001", "000003", "000013", "000023"]);
}

/// Of the first walk, of that after a lost connection, of the second pass: each counts them again.
#[test]
fn rows_that_are_referred_to_are_counted_once_however_often_they_are_met() {
    let referred = ["000001", "000004", "000012", "000014", "000023"];
    for (locked, lost_at) in [(None, Some(4)), (Some("000013"), None), (Some("000003"), Some(2))] {
        let memory = three_windows();
        memory.refer(&referred);
        memory.lock(&locked.into_iter().collect::<Vec<_>>());
        memory.script((0..lost_at.unwrap_or(0)).map(|_| None));
        memory.script(lost_at.map(|_| Some(Fault::Lost)));
        let (ended, (_, kept)) = purge_with_kept(&memory, &Silent);
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(kept.before + kept.after, 5, "{locked:?} {lost_at:?}: {kept:?}");
    }
}

struct HeldByAnother;

impl PurgeLock for HeldByAnother {
    fn try_acquire(&mut self) -> Result<LockAttempt, StoreError> {
        Ok(LockAttempt::Held(Holder::Sessctl))
    }
}

#[test]
fn nothing_is_purged_while_another_purge_has_the_lock() {
    let memory = three_windows();
    let stop = Stop::default();
    let table = &memory;
    let mut driver = work(&table, &stop, &Silent, Pace::default());
    let (clean_to, kept, expired) = (None, KeptRows::default(), None);
    let referring = Vec::new();
    let mut purge =
        Purge { cutoff: CUTOFF, lock: &mut HeldByAnother, clean_to, kept, referring, expired };
    assert!(matches!(purge.run(&mut driver), Err(StopReason::AnotherInstance(Holder::Sessctl))));
    assert_eq!((driver.done().rows, memory.keys().len()), (0, 25));
}

#[test]
fn a_failure_of_the_second_pass_ends_it() {
    let memory = three_windows();
    memory.lock(&["000003"]);
    // The first pass leaves the locked row; the second meets it and then a failure.
    memory.script((0..5).map(|_| None).chain([Some(Fault::Fatal)]));
    let (ended, place, left) = purged(&memory, &Silent);
    assert!(matches!(ended, Err(StopReason::Failed(ref error)) if error.fault() == Fault::Fatal));
    assert_eq!((place, left), (None, 1));
}

#[test]
fn a_row_that_stays_is_found_by_the_look_from_where_all_is_clean() {
    for (locked, clean_to) in [(3, None), (13, after(10)), (23, after(20))] {
        let memory = three_windows();
        memory.lock(&[&format!("{locked:06}")]);
        let (ended, place, left) = purged(&memory, &Silent);
        assert!(ended.is_ok(), "{locked}: {ended:?}");
        assert_eq!((place, left), (clean_to, 1), "{locked}");
        assert_eq!(memory.keys(), [format!("{locked:06}")]);
    }
}

#[test]
fn a_second_pass_begins_where_the_first_one_left_a_row() {
    for locked in [3, 13, 23] {
        let memory = three_windows();
        memory.lock(&[&format!("{locked:06}")]);
        // After all batches of the first pass.
        let unlock = UnlockAfter { memory: &memory, after: 5, batches: Cell::new(0) };
        let (ended, _, left) = purged(&memory, &unlock);
        assert_eq!((ended.is_ok(), left, memory.keys().len()), (true, 0, 0), "{locked}");
    }
}

#[test]
fn what_a_failure_leaves_is_found_by_the_look_from_where_all_is_clean() {
    for (good, clean_to) in [(0, None), (1, None), (2, after(10)), (3, after(10)), (4, after(20))] {
        let memory = three_windows();
        memory.script((0..good).map(|_| None).chain([Some(Fault::Fatal)]));
        let (ended, place, left) = purged(&memory, &Silent);
        assert!(matches!(ended, Err(StopReason::Failed(_))), "{good}: {ended:?}");
        assert_eq!((place, left), (clean_to, 25 - 5 * good), "{good}");
    }
}

/// Brings rows back when the connection is lost, as a server does that crashed before their deletion was on the disk.
struct BringBack<'m>(&'m Memory);

impl Progress for BringBack<'_> {
    fn event(&self, event: Event<'_>) {
        if let Event::Retrying { lost: true, .. } = event {
            let expires = Expiry::At(Timestamp::from_micros(100));
            self.0.insert("000000", "data", expires);
        }
    }
}

#[test]
fn what_comes_back_when_a_connection_is_lost_goes_too() {
    for lost_at in 0..5 {
        let memory = three_windows();
        memory.script((0..lost_at).map(|_| None).chain([Some(Fault::Lost)]));
        let (ended, _, left) = purged(&memory, &BringBack(&memory));
        assert_eq!((ended.is_ok(), left, memory.keys().len()), (true, 0, 0), "{lost_at}");
    }
}

/// Then nothing is clean, whatever was before, so the look that tells what is left begins at the first row.
#[test]
fn what_comes_back_before_a_failure_is_told() {
    let memory = three_windows();
    memory.script([None, None, Some(Fault::Lost), Some(Fault::Fatal)]);
    let (ended, place, left) = purged(&memory, &BringBack(&memory));
    assert!(matches!(ended, Err(StopReason::Failed(_))), "{ended:?}");
    assert_eq!((place, left), (None, 16));
}

//! Batches that fail: how often each is tried, which are left, and what else ends them.

use std::cell::RefCell;
use std::time::Instant;

use super::*;
use crate::engine::driver::{IfBusy, Tries};
use crate::engine::pace::FEW_ATTEMPTS;

/// What happens to a batch, however often it is tried.
#[derive(Clone, Copy)]
enum Then {
    Committed,
    Fails(Fault),
}

use Then::{Committed, Fails};

const LOCKED: Then = Fails(Fault::Busy);

/// Runs batches of one row, each of which ends as it is said. Returns how it ended, and how often each batch was tried.
fn batches(then: &[Then], if_busy: IfBusy) -> (Result<u64, StopReason>, Vec<u32>) {
    let memory = &Memory::default();
    let stop = Stop::default();
    let pace = Pace { batch_size: BatchSize::Fixed(1), ..Pace::default() };
    let mut driver = work(&memory, &stop, &Silent, pace);
    let rows: Vec<usize> = (0..then.len()).collect();
    let mut tried = vec![0; then.len()];
    let ended = driver.batches(&rows, Tries { attempts: 1, if_busy }, |_, batch| {
        let row = batch[0];
        tried[row] += 1;
        match then[row] {
            Committed => Ok(1),
            Fails(fault) => Err(StoreError::new(fault, "cannot delete: a scripted fault")),
        }
    });
    let committed = ended.as_ref().map_or(driver.done().batches, |rows| *rows);
    assert_eq!((driver.done().rows, driver.done().batches), (committed, committed));
    (ended, tried)
}

/// One try here, where it is not known yet whether the table is locked; few, where the batch before was locked, too.
#[test]
fn batches_that_stay_locked_are_left_unless_several_in_a_row_are() {
    let (ended, tried) = batches(&[LOCKED, LOCKED, LOCKED, Committed, LOCKED], IfBusy::Leave);
    assert_eq!(tried, [1, FEW_ATTEMPTS, FEW_ATTEMPTS, 1, 1]);
    assert!(matches!(ended, Ok(1)), "{ended:?}");
    let (ended, tried) = batches(&[LOCKED, LOCKED, LOCKED, LOCKED, Committed], IfBusy::Leave);
    assert_eq!(tried, [1, FEW_ATTEMPTS, FEW_ATTEMPTS, FEW_ATTEMPTS, 0]);
    assert!(matches!(ended, Err(StopReason::Failed(error)) if error.fault() == Fault::Busy));
}

#[test]
fn nothing_else_than_what_is_locked_is_left() {
    for (fault, if_busy) in
        [(Fault::Busy, IfBusy::Fail), (Fault::Lost, IfBusy::Leave), (Fault::Fatal, IfBusy::Leave)]
    {
        let (ended, tried) = batches(&[Committed, Fails(fault), Committed], if_busy);
        assert_eq!(tried, [1, 1, 0], "{fault:?}");
        assert!(matches!(ended, Err(StopReason::Failed(error)) if error.fault() == fault));
    }
}

/// What the listener is told of retries: their numbers, whether the connection was lost, and that the wait is over.
#[derive(Default)]
struct Told(RefCell<Vec<String>>);

impl Progress for Told {
    fn event(&self, event: Event<'_>) {
        self.0.borrow_mut().push(match event {
            Event::Retrying { attempt, lost, .. } => format!("{attempt} {lost}"),
            Event::WaitEnds => "ends".into(),
            _ => return,
        });
    }
}

/// Fails as often as there are faults, then not.
fn few_times(
    faults: &[Fault],
    run_time: Option<Duration>,
    stop: &Stop,
) -> (Result<usize, StopReason>, usize, Vec<String>) {
    let (memory, told) = (&Memory::default(), Told::default());
    let mut driver = work(&memory, stop, &told, Pace { run_time, ..Pace::default() });
    let mut tried = 0;
    let ended = driver.few_times(|_| {
        tried += 1;
        match faults.get(tried - 1) {
            Some(fault) => Err(StoreError::new(*fault, "cannot delete: a scripted fault")),
            None => Ok(tried),
        }
    });
    drop(driver);
    (ended, tried, told.0.into_inner())
}

#[test]
fn a_retry_waits_longer_each_time_and_the_last_failure_is_the_end() {
    let (stop, began) = (Stop::default(), Instant::now());
    let (ended, tried, told) = few_times(&[Fault::Busy, Fault::Lost], None, &stop);
    assert!(began.elapsed() >= Duration::from_millis(50 + 100));
    assert!(matches!(ended, Ok(3)), "{ended:?}");
    assert_eq!((tried, told), (3, ["1 false", "2 true", "ends"].map(str::to_owned).into()));
    let (ended, tried, told) = few_times(&[Fault::Busy; 9], None, &stop);
    assert!(matches!(ended, Err(StopReason::Failed(_))), "{ended:?}");
    assert_eq!((tried, told), (3, ["1 false", "2 false", "ends"].map(str::to_owned).into()));
    let (ended, tried, told) = few_times(&[], None, &stop);
    assert!(matches!((ended, tried, &*told), (Ok(1), 1, [])));
}

#[test]
fn nothing_is_tried_once_it_shall_end() {
    let run_time = Some(Duration::from_millis(20));
    let (ended, tried, _) = few_times(&[Fault::Busy; 9], run_time, &Stop::default());
    assert!(matches!((ended, tried), (Err(StopReason::RunTime), 1)));
    let stop = Stop::default();
    stop.request(SIGTERM);
    let (ended, tried, _) = few_times(&[], None, &stop);
    assert!(matches!((ended, tried), (Err(StopReason::Interrupted(SIGTERM)), 0)));
}

/// The time for which it waited for a lock says nothing of how long a batch takes.
#[test]
fn a_batch_that_waited_for_a_lock_makes_the_next_one_no_smaller() {
    let memory = &Memory::default();
    let stop = Stop::default();
    let mut driver = work(&memory, &stop, &Silent, Pace::default());
    let rows = [(); 750];
    let mut sizes = Vec::new();
    let written = driver.write(&rows, |_, batch| {
        sizes.push(batch.len());
        match sizes.len() {
            1..3 => Err(StoreError::new(Fault::Busy, "cannot update: a scripted fault")),
            _ => Ok(0),
        }
    });
    assert!(written.is_ok());
    assert_eq!(sizes, [250, 250, 250, 500]);
}

#[test]
fn a_connection_is_kept_until_it_is_lost_or_given_up() {
    let memory = &Memory::default();
    let stop = Stop::default();
    let mut driver = work(&memory, &stop, &Silent, Pace::default());
    let mut once = |fault: Option<Fault>, opened: usize| {
        let mut faults = fault.into_iter();
        let _ = driver.once(|_| match faults.next() {
            Some(fault) => Err(StoreError::new(fault, "cannot delete: a scripted fault")),
            None => Ok(()),
        });
        assert_eq!(memory.writers(), opened, "{fault:?}");
    };
    once(None, 1);
    once(Some(Fault::Busy), 1);
    once(Some(Fault::Fatal), 1);
    once(Some(Fault::Lost), 2);
    once(Some(Fault::Stopped), 2);
    once(None, 3);
    // What was checked before is not held open while the operator thinks.
    assert!(driver.check(|_| Ok(0)).is_ok());
    assert!(driver.check(|_| Ok(0)).is_ok());
    assert_eq!(memory.writers(), 4);
}

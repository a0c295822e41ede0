//! What batches wait for between each other, and what a listener is told of it.

use std::cell::RefCell;
use std::time::Instant;

use super::*;

/// What it was told, and a file that is removed at the first pause.
#[derive(Default)]
struct Told {
    events: RefCell<Vec<&'static str>>,
    file: Option<std::path::PathBuf>,
}

impl Progress for Told {
    fn event(&self, event: Event<'_>) {
        self.events.borrow_mut().push(match event {
            Event::Paused { pause: Pause::Lag } => "lag",
            Event::Paused { pause: Pause::File } => "file",
            Event::WaitEnds => "ends",
            Event::BatchesEnd => "end",
            Event::Committed { .. } => "batch",
            _ => return,
        });
        if let (Event::Paused { .. }, Some(file)) = (event, &self.file) {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Deletes 25 rows in batches of ten; returns what was done and told.
fn delete(
    memory: &Memory,
    pace: Pace,
    file: Option<std::path::PathBuf>,
) -> (Done, Vec<&'static str>) {
    let (stop, told) = (Stop::default(), Told { file, ..Told::default() });
    let mut driver = work(&memory, &stop, &told, pace);
    let ended = driver.delete(&keys(memory));
    let done = driver.done();
    drop(driver);
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!((done.rows, done.batches, memory.keys().len()), (25, 3, 0));
    (done, told.events.into_inner())
}

#[test]
fn a_replica_that_lags_is_waited_for_and_asked_about_once_a_second() {
    let (memory, began) = (memory(25), Instant::now());
    let most = Duration::from_secs(5);
    // The third is for whoever asks before every batch.
    memory.lag([most + Duration::from_millis(1), most, Duration::ZERO]);
    let (done, told) = delete(&memory, Pace { max_lag: Some(most), ..tens() }, None);
    assert_eq!(told, ["lag", "ends", "batch", "batch", "batch", "end"]);
    let slow = began.elapsed() >= Duration::from_secs(2);
    assert!(slow || memory.lags() == 1, "{}", memory.lags());
    assert!(done.paused_for_lag >= Duration::from_secs(1), "{done:?}");
    assert_eq!(done.paused_by_file, Duration::ZERO);
}

#[test]
fn a_replica_that_lags_later_is_waited_for_too() {
    let memory = memory(25);
    let most = Duration::from_secs(5);
    memory.lag([Duration::ZERO, 2 * most, Duration::ZERO]);
    let sleep = Duration::from_millis(600);
    let (done, told) = delete(&memory, Pace { max_lag: Some(most), sleep, ..tens() }, None);
    assert_eq!(told.iter().filter(|told| **told == "lag").count(), 1, "{told:?}");
    assert!(done.paused_for_lag >= Duration::from_secs(1), "{done:?}");
}

#[test]
fn batches_go_on_when_the_pause_file_is_gone() {
    let file = std::env::temp_dir().join(format!("sessctl-paused-{}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let pace = Pace { pause_file: Some(file.clone()), ..tens() };
    let (done, told) = delete(&memory(25), pace, Some(file));
    assert_eq!(told, ["file", "ends", "batch", "batch", "batch", "end"]);
    assert!(done.paused_by_file >= Duration::from_secs(1), "{done:?}");
    assert_eq!(done.paused_for_lag, Duration::ZERO);
}

#[test]
fn a_batch_of_no_time_is_no_reason_to_be_nice_for_long() {
    let pace = Pace { nice: 9.0, run_time: Some(Duration::from_secs(9)), ..tens() };
    let (_, told) = delete(&memory(25), pace, None);
    assert_eq!(told, ["batch", "batch", "batch", "end"]);
}

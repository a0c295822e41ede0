//! Runs batches of writes: pauses before a batch, runs it, retries it, and stops at a limit, a deadline or a
//! signal. Nothing else in the program sleeps or retries.

use std::time::{Duration, Instant};

use crate::consent::Consent;
use crate::files::as_operator;
use crate::model::Keys;
use crate::stop::Stop;
use crate::store::{Fault, Mark, Store, StoreError, Writer};

use super::pace::{ATTEMPTS, FEW_ATTEMPTS, Pace, backoff};
use super::progress::{Doing, Event, Pause, Progress};
use super::stop_reason::StopReason;

/// Runs batches on one store, over a connection that it opens when the first batch needs it.
pub struct Driver<'a> {
    work: Work<'a>,
    doing: Doing,
    writer: Option<Box<dyn Writer + 'a>>,
    batch_size: usize,
    began: Instant,
    last_batch: Option<LastBatch>,
    lag_checked: Option<Instant>,
    connections_lost: u32,
    done: Done,
}

/// What the driver works with.
#[derive(Clone)]
pub struct Work<'a> {
    /// The session table.
    pub store: &'a dyn Store,
    /// The permission to write: without it no connection can write.
    pub consent: Consent,
    /// Checked between batches and during pauses.
    pub stop: &'a Stop,
    /// Batch size, pauses and limits.
    pub pace: Pace,
    /// The listener for progress events.
    pub progress: &'a dyn Progress,
}

/// How often a batch is tried, and what happens if other sessions keep its locks.
#[derive(Clone, Copy)]
pub(super) struct Tries {
    pub(super) attempts: u32,
    pub(super) if_busy: IfBusy,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum IfBusy {
    Fail,
    /// Skip its rows. If several batches in a row are skipped, the whole table is locked, and the run fails.
    Leave,
}

const ALL_OR_FAIL: Tries = Tries { attempts: ATTEMPTS, if_busy: IfBusy::Fail };
/// Most batches in a row that may be skipped.
const MOST_LEFT_BUSY: u32 = 3;

struct LastBatch {
    rows: usize,
    took: Duration,
    /// Without the way to the server.
    worked: Duration,
}

/// What was committed, and how long batches paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Committed rows.
    pub rows: u64,
    /// Committed transactions.
    pub batches: u64,
    /// Time spent waiting for a replica that lagged.
    pub paused_for_lag: Duration,
    /// Time spent waiting for the pause file to go.
    pub paused_by_file: Duration,
}

/// Interval of checks whether a pause is over, and of checks of replica lag.
const PAUSE_TICK: Duration = Duration::from_secs(1);

impl<'a> Driver<'a> {
    /// Makes a driver. It does not connect yet.
    pub fn new(work: Work<'a>) -> Self {
        Self {
            batch_size: work.pace.batch_size.first(),
            work,
            doing: Doing::Deleting,
            writer: None,
            began: Instant::now(),
            last_batch: None,
            lag_checked: None,
            connections_lost: 0,
            done: Done::default(),
        }
    }

    /// Sets what later batches do, for progress events. The default is deleting.
    pub fn is_doing(&mut self, doing: Doing) {
        self.doing = doing;
    }

    /// What was committed so far, also after a failure.
    pub fn done(&self) -> Done {
        self.done
    }

    /// The listener for progress events.
    pub fn progress(&self) -> &'a dyn Progress {
        self.work.progress
    }

    /// Opens a connection for batches, runs `nothing` on it, which writes no row, and closes it: so a missing
    /// right is found before the work begins. It retries if rows are locked, but not if the server cannot be
    /// reached: at this point a wrong host name is the likely cause.
    pub fn check(
        &mut self,
        nothing: impl FnMut(&mut dyn Writer) -> Result<u64, StoreError>,
    ) -> Result<(), StopReason> {
        let checked = self.attempt(ATTEMPTS, |fault| fault == Fault::Busy, nothing);
        self.writer = None;
        self.work.progress.event(Event::BatchesEnd);
        checked.map(|_| ())
    }

    /// Notes the state of the database, and closes the connection again: an idle one may be dropped by a firewall.
    pub fn mark(&mut self) -> Result<Option<Mark>, StopReason> {
        let mark = self.once(|writer| writer.mark());
        self.writer = None;
        mark
    }

    /// Deletes the rows with these keys, batch by batch.
    pub fn delete(&mut self, keys: &Keys) -> Result<(), StopReason> {
        self.each(keys, |writer, batch| Ok(writer.delete(batch)?.sessions))
    }

    /// Calls `run` for each batch of these keys; `run` returns how many rows it changed.
    pub fn each(
        &mut self,
        keys: &Keys,
        run: impl FnMut(&mut dyn Writer, &[&str]) -> Result<u64, StoreError>,
    ) -> Result<(), StopReason> {
        let rows = u64::try_from(keys.len()).ok();
        self.work.progress.event(Event::BatchesBegin { doing: self.doing, rows });
        let keys: Vec<&str> = keys.iter().collect();
        let ended = self.batches(&keys, ALL_OR_FAIL, run).map(|_| ());
        self.work.progress.event(Event::BatchesEnd);
        ended
    }

    /// Calls `run` for each batch of these rows, as a part of a larger step.
    pub fn write<T>(
        &mut self,
        rows: &[T],
        run: impl FnMut(&mut dyn Writer, &[T]) -> Result<u64, StoreError>,
    ) -> Result<(), StopReason> {
        self.batches(rows, ALL_OR_FAIL, run).map(|_| ())
    }

    /// How often the connection was lost so far.
    pub(super) fn connections_lost(&self) -> u32 {
        self.connections_lost
    }

    /// Calls `run` for each batch of `rows`, at the requested pace. Returns the sum of what `run` returned.
    pub(super) fn batches<T>(
        &mut self,
        rows: &[T],
        tries: Tries,
        mut run: impl FnMut(&mut dyn Writer, &[T]) -> Result<u64, StoreError>,
    ) -> Result<u64, StopReason> {
        let before = self.done.rows;
        let mut rest = rows;
        let mut left_busy = 0;
        while !rest.is_empty() {
            self.rest()?;
            let size = self.batch_size.min(self.rows_to_limit()?).min(rest.len());
            let (batch, later) = rest.split_at(size);
            rest = later;
            let attempts = if left_busy == 0 { tries.attempts } else { FEW_ATTEMPTS };
            let (mut took, mut worked) = (Duration::ZERO, Duration::ZERO);
            let done = self.attempt(attempts, heals, |writer| {
                writer.time_under_way();
                let began = Instant::now();
                let done = run(writer, batch);
                took = began.elapsed();
                worked = took.saturating_sub(writer.time_under_way());
                done
            });
            match done {
                Ok(rows) => self.done.rows += rows,
                Err(StopReason::Failed(error))
                    if error.fault() == Fault::Busy
                        && tries.if_busy == IfBusy::Leave
                        && left_busy < MOST_LEFT_BUSY =>
                {
                    left_busy += 1;
                    continue;
                }
                Err(reason) => return Err(reason),
            }
            left_busy = 0;
            self.done.batches += 1;
            self.last_batch = Some(LastBatch { rows: size, took, worked });
            self.work
                .progress
                .event(Event::Committed { rows: u64::try_from(batch.len()).unwrap_or(u64::MAX) });
        }
        Ok(self.done.rows - before)
    }

    /// One call that is no batch, with retries.
    pub fn once<T>(
        &mut self,
        call: impl FnMut(&mut dyn Writer) -> Result<T, StoreError>,
    ) -> Result<T, StopReason> {
        self.attempt(ATTEMPTS, heals, call)
    }

    /// One call that makes other sessions wait, so it is retried only a few times.
    pub fn few_times<T>(
        &mut self,
        call: impl FnMut(&mut dyn Writer) -> Result<T, StoreError>,
    ) -> Result<T, StopReason> {
        self.attempt(FEW_ATTEMPTS, heals, call)
    }

    /// A call that does not use the writer, with retries.
    pub(super) fn retry<T>(
        &self,
        attempts: u32,
        can_heal: impl Fn(Fault) -> bool,
        mut call: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, StopReason> {
        let mut attempt = 1;
        let ended = loop {
            if let Some(asked) = self.work.stop.asked() {
                break Err(asked.into());
            }
            let error = match call() {
                Ok(value) => break Ok(value),
                Err(error) => error,
            };
            if attempt >= attempts || !can_heal(error.fault()) {
                break Err(StopReason::of(error, self.work.stop));
            }
            let lost = error.fault() == Fault::Lost;
            self.work.progress.event(Event::Retrying { attempt, lost, error: &error });
            self.sleep(backoff(attempt));
            if let Err(reason) = self.time_left() {
                break Err(reason);
            }
            attempt += 1;
        };
        if attempt > 1 {
            self.work.progress.event(Event::WaitEnds);
        }
        ended
    }

    fn attempt<T>(
        &mut self,
        attempts: u32,
        can_heal: impl Fn(Fault) -> bool,
        mut call: impl FnMut(&mut dyn Writer) -> Result<T, StoreError>,
    ) -> Result<T, StopReason> {
        let mut writer = self.writer.take();
        let mut lost = 0;
        let work = self.work.clone();
        let result = self.retry(attempts, can_heal, || {
            let open = match writer.take() {
                Some(open) => open,
                None => work.store.writer(work.consent)?,
            };
            let open = writer.insert(open);
            let called = call(&mut **open);
            match called.as_ref().map_err(StoreError::fault) {
                Err(Fault::Lost) => {
                    writer = None;
                    lost += 1;
                }
                Err(Fault::Stopped) => writer = None,
                _ => {}
            }
            called
        });
        self.connections_lost += lost;
        self.writer = writer;
        result
    }

    fn rows_to_limit(&self) -> Result<usize, StopReason> {
        match self.work.pace.limit.map(|limit| limit.saturating_sub(self.done.rows)) {
            Some(0) => Err(StopReason::Limit),
            Some(left) => Ok(usize::try_from(left).unwrap_or(usize::MAX)),
            None => Ok(usize::MAX),
        }
    }

    /// How many rows the limit still allows, at most `rows`.
    pub(super) fn at_most(&self, rows: usize) -> usize {
        self.rows_to_limit().map_or(rows, |left| rows.min(left))
    }

    /// Pauses after the last batch as long as the store, the pace and the batch require, and then as long as
    /// there is a reason to pause.
    fn rest(&mut self) -> Result<(), StopReason> {
        if let (Some(last), Some(writer)) = (self.last_batch.take(), &mut self.writer) {
            let budget = writer.batch_budget();
            let pace = self.work.pace.batch_size;
            self.batch_size = pace.next(self.batch_size, last.rows, last.worked, budget.batch);
            let nice = last.took.as_secs_f64() * self.work.pace.nice;
            let nice = Duration::try_from_secs_f64(nice).unwrap_or(Duration::MAX);
            self.sleep(budget.rest.max(self.work.pace.sleep).max(nice));
        }
        let mut was_paused = false;
        while let Some(pause) = self.reason_to_pause()? {
            self.time_left()?;
            was_paused = true;
            self.work.progress.event(Event::Paused { pause });
            let began = Instant::now();
            self.sleep(PAUSE_TICK);
            let paused = match pause {
                Pause::Lag => &mut self.done.paused_for_lag,
                Pause::File => &mut self.done.paused_by_file,
            };
            *paused += began.elapsed();
        }
        if was_paused {
            self.work.progress.event(Event::WaitEnds);
        }
        self.time_left().map(|_| ())
    }

    fn reason_to_pause(&mut self) -> Result<Option<Pause>, StopReason> {
        if let Some(asked) = self.work.stop.asked() {
            return Err(asked.into());
        }
        if self.work.pace.pause_file.as_ref().is_some_and(|file| as_operator(|| file.exists())) {
            return Ok(Some(Pause::File));
        }
        let Some(max_lag) = self.work.pace.max_lag else { return Ok(None) };
        if self.lag_checked.is_some_and(|then| then.elapsed() < PAUSE_TICK) {
            return Ok(None);
        }
        let lag = self.once(|writer| writer.replica_lag())?;
        let behind = lag.is_some_and(|lag| lag > max_lag);
        self.lag_checked = (!behind).then(Instant::now);
        Ok(behind.then_some(Pause::Lag))
    }

    fn sleep(&self, duration: Duration) {
        let left = self.time_left().unwrap_or(Duration::ZERO);
        self.work.stop.sleep(duration.min(left));
    }

    /// The time until the deadline.
    fn time_left(&self) -> Result<Duration, StopReason> {
        match self.work.pace.run_time.map(|time| time.saturating_sub(self.began.elapsed())) {
            Some(Duration::ZERO) => Err(StopReason::RunTime),
            Some(left) => Ok(left),
            None => Ok(Duration::MAX),
        }
    }
}

/// Whether a retry can heal this fault.
pub(super) fn heals(fault: Fault) -> bool {
    matches!(fault, Fault::Busy | Fault::Lost)
}

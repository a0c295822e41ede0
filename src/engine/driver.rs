use crate::consent::Consent;
use crate::model::Keys;
use crate::stop::Stop;
use crate::store::{Fault, Store, StoreError, Writer};

use super::pace::{ATTEMPTS, Pace, backoff};
use super::progress::{Event, Progress};

/// Runs batches: rest, run, retry, stop. Nothing else sleeps or tries again.
pub struct Driver<'a> {
    /// The table.
    pub store: &'a dyn Store,
    /// Without it there is no connection that could write.
    pub consent: Consent,
    /// Looked at between batches and while resting.
    pub stop: &'a Stop,
    /// How fast.
    pub pace: Pace,
    /// Who listens.
    pub progress: &'a dyn Progress,
}

/// What was committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows.
    pub rows: u64,
    /// Transactions.
    pub batches: u64,
}

/// Batches that came to an early end, with the work that was done before it.
#[derive(Debug)]
pub struct Halted {
    /// What was committed.
    pub done: Tally,
    /// Why no more was.
    pub why: Why,
}

/// Why batches came to an early end.
#[derive(Debug)]
pub enum Why {
    /// Somebody asked for it with this signal.
    Interrupted(i32),
    /// A batch failed, and trying again would not have helped or did not help.
    Failed(StoreError),
}

impl<'a> Driver<'a> {
    /// Opens the connection that [`delete`](Self::delete) needs, deletes nothing with it and
    /// closes it again: what forbids the work is found before the work begins. Locks are waited
    /// for; a server that cannot be reached now is most likely a slip in its name.
    pub fn check(&self) -> Result<(), Why> {
        let checked = self.batch(&mut None, &[], |fault| fault == Fault::Busy).map(|_| ());
        self.progress.event(Event::BatchesEnd);
        checked
    }

    /// Deletes the rows with these keys, batch by batch.
    pub fn delete(&self, keys: &Keys) -> Result<Tally, Halted> {
        let mut done = Tally::default();
        let mut writer = None;
        let all: Vec<&str> = keys.iter().collect();
        let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
        self.progress.event(Event::BatchesBegin { rows: total });
        for (index, batch) in all.chunks(self.pace.batch_size.max(1)).enumerate() {
            if index > 0 {
                self.stop.sleep(self.pace.sleep.max(self.store.courtesy()));
            }
            done.rows += self
                .batch(&mut writer, batch, |fault| fault != Fault::Fatal)
                .map_err(|why| Halted { done, why })?;
            done.batches += 1;
            let rows = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            self.progress.event(Event::Committed { rows });
        }
        self.progress.event(Event::BatchesEnd);
        Ok(done)
    }

    /// One batch, tried again as long as that can help.
    fn batch(
        &self,
        writer: &mut Option<Box<dyn Writer + 'a>>,
        keys: &[&str],
        can_heal: impl Fn(Fault) -> bool,
    ) -> Result<u64, Why> {
        let mut attempt = 1;
        loop {
            if let Some(signal) = self.stop.requested() {
                return Err(Why::Interrupted(signal));
            }
            let error = match self.attempt(writer, keys) {
                Ok(deleted) => return Ok(deleted),
                Err(error) => error,
            };
            if attempt == ATTEMPTS || !can_heal(error.fault()) {
                return Err(Why::Failed(error));
            }
            if error.fault() == Fault::Lost {
                *writer = None;
            }
            self.progress.event(Event::Retrying { attempt });
            self.stop.sleep(backoff(attempt));
            attempt += 1;
        }
    }

    fn attempt(
        &self,
        writer: &mut Option<Box<dyn Writer + 'a>>,
        keys: &[&str],
    ) -> Result<u64, StoreError> {
        let writer = match writer {
            Some(writer) => writer,
            None => writer.insert(self.store.writer(self.consent)?),
        };
        writer.delete(keys)
    }
}

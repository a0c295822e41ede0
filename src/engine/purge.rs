//! Deletes expired rows: picks them in windows, in order of expiry, and deletes each window in batches.

use std::collections::BTreeSet;

use crate::model::Timestamp;
use crate::store::{Cursor, Fault, LockAttempt, Locked, PurgeLock, add_each};

use super::driver::{Driver, IfBusy, Tries, heals};
use super::pace::{ATTEMPTS, FEW_ATTEMPTS};
use super::progress::{Doing, Event};
use super::stop_reason::StopReason;

/// A purge of one table.
///
/// One statement picks a window of rows; batches delete them, and each checks the expiry again. The lower
/// bound moves with the windows. If every statement began at the oldest row, it would read again all dead
/// index entries of earlier batches, which vacuum cannot remove as long as a session holds an old snapshot.
pub struct Purge<'p> {
    /// Rows that expired before this are deleted.
    pub cutoff: Timestamp,
    /// Keeps other purges of the database out.
    pub lock: &'p mut dyn PurgeLock,
    /// The cursor before which no expired row is left, except those that other tables keep.
    pub clean_to: Option<Cursor>,
    /// Expired rows that other tables keep.
    pub kept: KeptRows,
    /// Deleted rows that referred to them, of each column.
    pub referring: Vec<u64>,
    /// About how many rows there are to delete, if somebody counted them.
    pub expired: Option<u64>,
}

/// Expired rows that stay because other tables refer to them.
#[derive(Debug, Default)]
pub struct KeptRows {
    /// Those before `clean_to`.
    pub before: u64,
    /// Those after it.
    pub after: u64,
    /// The other tables.
    pub by: BTreeSet<String>,
}

/// How one pass treats locked rows.
#[derive(Clone, Copy)]
struct Pass {
    locked: Locked,
    tries: Tries,
}

impl Purge<'_> {
    /// Acquires the purge lock and purges, at the driver's pace. Locked rows are left for a second pass,
    /// which waits for their locks. Rows that are locked even then stay, after [`clean_to`](Self::clean_to).
    pub fn run(&mut self, driver: &mut Driver<'_>) -> Result<(), StopReason> {
        driver.progress().event(Event::BatchesBegin { doing: Doing::Deleting, rows: self.expired });
        let ended = self.walks(driver);
        driver.progress().event(Event::BatchesEnd);
        ended
    }

    /// Repeats the purge from the beginning after a lost connection: a server that crashed, or the replica
    /// that replaced it, may have restored deleted rows.
    fn walks(&mut self, driver: &mut Driver<'_>) -> Result<(), StopReason> {
        loop {
            let lost = driver.connections_lost();
            let ended = self.passes(driver);
            if driver.connections_lost() == lost {
                return ended;
            }
            self.clean_to = None;
            self.kept.before = 0;
            ended?;
        }
    }

    fn passes(&mut self, driver: &mut Driver<'_>) -> Result<(), StopReason> {
        let skip = Pass {
            locked: Locked::Skip,
            tries: Tries { attempts: ATTEMPTS, if_busy: IfBusy::Leave },
        };
        let wait = Pass {
            locked: Locked::Wait,
            tries: Tries { attempts: FEW_ATTEMPTS, if_busy: IfBusy::Fail },
        };
        if self.pass(driver, skip)? {
            return Ok(());
        }
        match self.pass(driver, wait) {
            Err(StopReason::Failed(error)) if error.fault() == Fault::Busy => {
                // One locked row makes its whole batch fail. This pass skips it and deletes the others.
                self.pass(driver, skip).map(|_| ())
            }
            ended => ended.map(|_| ()),
        }
    }

    /// Continues from `clean_to`. Returns whether every row that was picked is gone.
    fn pass(&mut self, driver: &mut Driver<'_>, pass: Pass) -> Result<bool, StopReason> {
        let cutoff = self.cutoff;
        let mut from = self.clean_to.clone();
        let mut clean = true;
        self.kept.after = 0;
        loop {
            let attempt = driver.retry(ATTEMPTS, heals, || self.lock.try_acquire())?;
            if let LockAttempt::Held(holder) = attempt {
                return Err(StopReason::AnotherInstance(holder));
            }
            let limit = driver.at_most(usize::MAX);
            let window =
                driver.once(|writer| writer.pick_expired(cutoff, from.as_ref(), limit.max(1)))?;
            let rows: Vec<&str> = window.rows.iter().collect();
            let (kept, referring) = (&mut self.kept, &mut self.referring);
            let before = kept.after;
            let deleted = driver.batches(&rows, pass.tries, |writer, batch| {
                let gone = writer.delete_expired(batch, cutoff, pass.locked)?;
                kept.after += gone.kept.count();
                kept.by.extend(gone.kept.by);
                add_each(referring, &gone.referring);
                Ok(gone.sessions)
            })?;
            let done = deleted + kept.after - before;
            clean &= usize::try_from(done) == Ok(window.rows.len());
            let Some(next) = window.next else { return Ok(clean) };
            from = Some(next);
            if clean {
                self.clean_to.clone_from(&from);
                kept.before += std::mem::take(&mut kept.after);
            }
        }
    }
}

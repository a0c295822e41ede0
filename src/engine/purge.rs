use std::collections::BTreeSet;

use crate::model::Timestamp;
use crate::store::{Cursor, Fault, LockAttempt, Locked, PurgeLock};

use super::driver::{Driver, IfBusy, StopReason, Tries, heals};
use super::pace::{ATTEMPTS, FEW_ATTEMPTS};
use super::progress::{Doing, Event};

/// Deletes what has expired, in windows and in order of expiry.
///
/// A window is picked in one statement and deleted in batches, each of which looks at the expiry
/// again. The lower bound moves with the windows: from the beginning on, every batch would read all
/// that earlier ones have left behind for vacuum, as long as anybody holds an old snapshot.
pub struct Purge<'p> {
    /// What expired before it goes.
    pub cutoff: Timestamp,
    /// That nobody else purges.
    pub lock: &'p mut dyn PurgeLock,
    /// Before this place nothing that has expired is left, but for what other tables keep.
    pub clean_to: Option<Cursor>,
    /// What other tables keep.
    pub kept: KeptRows,
}

/// Expired rows that stay because other tables refer to them.
#[derive(Debug, Default)]
pub struct KeptRows {
    /// Before the place up to which all is clean.
    pub before: u64,
    /// After it.
    pub after: u64,
    /// The other tables.
    pub by: BTreeSet<String>,
}

/// How a pass is done.
#[derive(Clone, Copy)]
struct Pass {
    locked: Locked,
    tries: Tries,
}

impl Purge<'_> {
    /// Claims the database and purges it, at the pace of the driver. Rows that are locked are left
    /// for a second pass, which waits for them; what is locked even then stays, after
    /// [`clean_to`](Self::clean_to).
    pub fn run(&mut self, driver: &mut Driver<'_>) -> Result<(), StopReason> {
        driver.progress().event(Event::BatchesBegin { doing: Doing::Deleting, rows: None });
        let ended = self.walks(driver);
        driver.progress().event(Event::BatchesEnd);
        ended
    }

    /// Walks again from the beginning after a connection was lost: a server that crashed, or the
    /// one that took its place, may have brought back what was deleted.
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
                // One locked row keeps its whole batch; the others of it need not stay.
                self.pass(driver, skip).map(|_| ())
            }
            ended => ended.map(|_| ()),
        }
    }

    /// Walks on from where all is clean; whether every row that was picked is gone.
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
            let kept = &mut self.kept;
            let before = kept.after;
            let deleted = driver.batches(&rows, pass.tries, |writer, batch| {
                let gone = writer.delete_expired(batch, cutoff, pass.locked)?;
                kept.after += gone.kept.count();
                kept.by.extend(gone.kept.by);
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

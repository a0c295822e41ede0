//! Look, act, look again.
//!
//! The second look is what makes the answer true. A login or a password change moves a session to
//! a new key while the first look runs, and Django up to 1.9 and django-user-sessions write a
//! deleted row back from a request in flight.

use std::collections::HashSet;
use std::time::Duration;

use super::Ctx;
use super::cache_keys::CacheKeys;
use super::how::How;
use super::keep_data::Kept;
use super::survey::{Collect, Survey, Wanted, look_for_proof};
use crate::engine::{Driver, Ended, Why};
use crate::error::{Error, Exit};
use crate::model::Keys;
use crate::report::ListedSession;
use crate::store::Store;

/// How often sessions that came back are acted on before the operator is told that they do.
const MAX_ROUNDS: u32 = 3;

/// Keys that are looked up in one statement.
const KEYS_AT_ONCE: usize = 1_000;

/// Which sessions are to end, and how.
pub(super) struct Plan<'p> {
    pub(super) store: &'p dyn Store,
    pub(super) wanted: Wanted<'p>,
    /// What must not be there afterwards; `None` if nobody is to look.
    pub(super) unwanted: Option<Wanted<'p>>,
    /// To wait before looking again.
    pub(super) settle: Duration,
    pub(super) how: How,
    pub(super) cache: &'p CacheKeys,
    /// The table was emptied just now. What came since proves nothing of the key, and whatever
    /// happens, what was done is reported.
    pub(super) emptied: bool,
}

/// What was found and done, and what put an end to it.
pub(super) struct Outcome {
    /// Rows that the first look read.
    pub(super) scanned: u64,
    /// Sessions that all looks found.
    pub(super) matched: u64,
    pub(super) deleted: u64,
    /// Rows of django-allauth's that went with them.
    pub(super) allauth: u64,
    /// All rows went at once before the first look, uncounted.
    pub(super) emptied: bool,
    pub(super) rewritten: u64,
    pub(super) batches: u64,
    /// Sessions that the last look found, if there was one after the last act.
    pub(super) remaining: Option<u64>,
    /// Sessions that were deleted and that the last look found.
    pub(super) not_deleted: u64,
    pub(super) rounds: u32,
    /// Of the last look: rows that nobody can be sure of.
    pub(super) unverified: u64,
    pub(super) unreadable: u64,
    pub(super) different: u64,
    pub(super) undated: u64,
    /// Some of what a dry run found.
    pub(super) preview: Vec<ListedSession>,
    pub(super) ended: Result<(), Why>,
}

impl Outcome {
    /// Looks and acts until a look finds nothing; without a driver looks once.
    pub(super) fn run(
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        driver: Option<&mut Driver<'_>>,
    ) -> Result<Self, Error> {
        let mut outcome = Self { emptied: plan.emptied, ..Self::nothing_yet() };
        let collect = if driver.is_some() { Collect::Keys } else { Collect::CountOnly };
        let first = match Survey::take(ctx, plan.store, &plan.wanted, collect) {
            Err(error) if plan.emptied => {
                outcome.ended = Err(Why::Failed(error));
                return Ok(outcome);
            }
            first => first?,
        };
        outcome.scanned = first.scanned;
        outcome.note(&first);
        if let Some(looked_at) = first.nothing_verifies().filter(|_| !plan.emptied) {
            // Rows of one user, which the column finds, may all be of before the key was changed.
            let by_column = plan.wanted.by_user.is_some();
            match by_column.then(|| look_for_proof(ctx, plan.store)).transpose()? {
                Some(Ended::Enough) => {}
                Some(Ended::Interrupted(signal)) => outcome.ended = Err(Why::Interrupted(signal)),
                Some(Ended::Whole) | None => return Err(Error::WrongKey { looked_at }),
            }
        }
        match driver {
            _ if outcome.ended.is_err() => {}
            None => {
                outcome.matched = first.matched;
                outcome.preview = first.preview();
            }
            Some(driver) => outcome.act_and_look(ctx, plan, driver, first),
        }
        Ok(outcome)
    }

    /// A command that was interrupted before its first look.
    pub(super) fn interrupted(why: Why) -> Self {
        Self { ended: Err(why), ..Self::nothing_yet() }
    }

    fn nothing_yet() -> Self {
        Self {
            scanned: 0,
            matched: 0,
            deleted: 0,
            allauth: 0,
            emptied: false,
            rewritten: 0,
            batches: 0,
            remaining: None,
            not_deleted: 0,
            rounds: 1,
            unverified: 0,
            unreadable: 0,
            different: 0,
            undated: 0,
            preview: Vec::new(),
            ended: Ok(()),
        }
    }

    fn act_and_look(
        &mut self,
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        driver: &mut Driver<'_>,
        mut found: Survey,
    ) {
        let mut wanted = plan.wanted;
        loop {
            self.matched += found.matched;
            self.remaining = None;
            let before = self.deleted + self.rewritten;
            self.act(ctx, plan, driver, &wanted, &found.keys);
            if self.ended.is_err() {
                return;
            }
            let whole = found.ended == Ended::Whole;
            if !whole && self.deleted + self.rewritten == before {
                // A trigger, say, keeps them all: looking on would never end.
                return self.remaining = Some(found.matched);
            }
            if whole {
                let Some(unwanted) = plan.unwanted else {
                    return self.look_for_kept(driver, &found.keys);
                };
                wanted = unwanted;
                ctx.stop.sleep(plan.settle);
            }
            let gone = match Survey::take(ctx, plan.store, &wanted, Collect::Keys) {
                Ok(next) => std::mem::replace(&mut found, next).keys,
                Err(error) => return self.ended = Err(Why::Failed(error)),
            };
            if !matches!(plan.how, How::KeepData) {
                self.not_deleted = in_both(&gone, &found.keys);
            }
            if let Ended::Interrupted(signal) = found.ended {
                return self.ended = Err(Why::Interrupted(signal));
            }
            self.note(&found);
            if whole {
                self.remaining = Some(found.matched);
                if found.matched == 0 || self.rounds == MAX_ROUNDS {
                    return;
                }
                self.rounds += 1;
            }
        }
    }

    fn act(
        &mut self,
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        driver: &mut Driver<'_>,
        wanted: &Wanted<'_>,
        keys: &Keys,
    ) {
        let before = driver.done().rows;
        match plan.how {
            How::KeepData => {
                let mut kept = Kept::default();
                self.ended = kept.act(ctx, wanted, driver, keys, plan.cache);
                self.rewritten += kept.rewritten;
                self.deleted += kept.deleted;
            }
            How::Delete => {
                self.ended = driver.each(keys, |writer, batch| {
                    plan.cache.go_on()?;
                    let gone = writer.delete(batch)?;
                    ctx.gone(plan.cache, batch);
                    Ok(gone.sessions)
                });
                self.deleted += driver.done().rows - before;
            }
            How::DeleteWithAllauth => {
                self.ended = driver.each(keys, |writer, batch| {
                    plan.cache.go_on()?;
                    let gone = writer.delete_with_allauth(batch)?;
                    self.allauth += gone.allauth;
                    ctx.gone(plan.cache, batch);
                    Ok(gone.sessions)
                });
                self.deleted += driver.done().rows - before;
            }
        }
        self.batches = driver.done().batches;
        // Also after the last batch, and where another reason came first.
        if let Err(error) = plan.cache.go_on() {
            self.ended = Err(Why::Failed(error));
        }
    }

    /// Whether those that were deleted are gone, where no other look tells. A trigger or a rule can keep rows, and no
    /// error says so.
    fn look_for_kept(&mut self, driver: &mut Driver<'_>, keys: &Keys) {
        let keys: Vec<&str> = keys.iter().collect();
        for some in keys.chunks(KEYS_AT_ONCE) {
            match driver.once(|writer| writer.count(some)) {
                Ok(rows) => self.not_deleted += rows,
                Err(why) => return self.ended = Err(why),
            }
        }
        if self.not_deleted > 0 {
            self.remaining = Some(self.not_deleted);
        }
    }

    fn note(&mut self, survey: &Survey) {
        self.unverified = survey.unverified;
        self.unreadable = survey.unreadable;
        self.undated = survey.undated;
        self.different = self.different.max(survey.different);
        if let Ended::Interrupted(signal) = survey.ended {
            self.ended = Err(Why::Interrupted(signal));
        }
    }

    /// Rows that may be what was looked for, for all that can be told.
    fn not_sure(&self) -> u64 {
        self.unreadable + self.different + self.undated
    }

    pub(super) fn exit(&self) -> Exit {
        match &self.ended {
            Ok(()) if self.remaining.unwrap_or(0) + self.not_sure() > 0 => Exit::Incomplete,
            Ok(()) => Exit::Done,
            Err(Why::Limit | Why::RunTime) => Exit::Incomplete,
            Err(Why::Interrupted(signal)) => Exit::Interrupted(*signal),
            Err(Why::Failed(_) | Why::AnotherInstance) => Exit::Failed,
        }
    }
}

fn in_both(some: &Keys, others: &Keys) -> u64 {
    let others: HashSet<&str> = others.iter().collect();
    let both = some.iter().filter(|key| others.contains(key)).count();
    u64::try_from(both).unwrap_or(u64::MAX)
}

//! Scans for sessions, deletes them, and scans again until a scan finds none.
//!
//! Only a scan after the last delete proves that no session is left. The first scan may be a quick one, by
//! the user column or by the beginning of each row. Sessions may come back meanwhile: a login or a password
//! change moves a session to a new key, and Django up to 1.9 and django-user-sessions write a deleted row
//! back from a request in flight.

use std::collections::HashSet;
use std::time::Duration;

use super::keep_data::Kept;
use super::login_keys_seen;
use super::query::{SessionQuery, UserFilter};
use super::record::Record;
use super::references::{KeptSessions, ReferencesGone};
use super::removal::Removal;
use super::survey::{Survey, SurveyOptions, find_verified_row};
use crate::context::Ctx;
use crate::engine::{Driver, Ended, StopReason};
use crate::error::Error;
use crate::model::{Keys, Signatures};
use crate::store::{self, Store, StoreError};

mod base;
mod outcome;
#[cfg(test)]
pub(super) mod tests;

use base::Base;
pub(crate) use outcome::Outcome;

/// Rounds of scan and delete before the run gives up and reports that sessions keep coming.
const MAX_ROUNDS: u32 = 3;

/// Most keys in one statement.
const KEYS_AT_ONCE: usize = 1_000;

/// Which sessions to end, and how.
pub(crate) struct Plan<'p> {
    pub(crate) store: &'p dyn Store,
    /// The scan that finds the sessions.
    pub(crate) first: SurveyOptions<'p>,
    /// The scan that proves that none is left; `None` if no scan shall follow.
    pub(crate) proof: Option<SurveyOptions<'p>>,
    /// Pause before the next scan (`--settle`).
    pub(crate) settle: Duration,
    pub(crate) removal: Removal,
    pub(crate) record: Record<'p>,
    /// The table was truncated just now. Rows that came since cannot prove the key right, and the report is
    /// printed whatever fails.
    pub(crate) emptied: bool,
    /// Whether a table without any login is a doubt.
    pub(crate) doubts_no_login: bool,
}

impl Outcome {
    /// Scans and ends sessions until a scan finds none. Without a driver, as in a dry run, it scans once.
    pub(crate) fn run(
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        mut driver: Option<&mut Driver<'_>>,
    ) -> Result<Self, Error> {
        let by_column = plan.proof.as_ref().unwrap_or(&plan.first).by_user.is_some();
        let mut outcome = Self::nothing_yet();
        (outcome.emptied, outcome.by_column) = (plan.emptied, by_column);
        let proof = plan.proof.filter(|_| !plan.emptied);
        let begun = Base::before(&plan.first, proof, plan.removal, driver.as_deref_mut());
        let mut base = match begun {
            Err(StopReason::Failed(error)) => return Err(error.into()),
            Err(interrupted) => {
                outcome.ended = Err(interrupted);
                return Ok(outcome);
            }
            Ok(base) => base,
        };
        let options = base.first().unwrap_or(plan.first);
        let mut first = match options.run_since(ctx, plan.store, base.since(false)) {
            Err(error) if plan.emptied || ctx.stop.asked().is_some() => {
                outcome.ended = Err(StopReason::of(error, ctx.stop));
                return Ok(outcome);
            }
            first => first?,
        };
        outcome.scanned = first.tally.scanned;
        outcome.prove_key(ctx, plan, &mut first)?;
        base.judge(&first);
        outcome.note(&options, &mut first);
        outcome.kinds = first.kinds;
        match driver {
            _ if outcome.ended.is_err() => {}
            None => {
                outcome.count(&mut first);
                outcome.kept = KeptSessions::foreseen(plan.store, &first.keys)?;
                let going = outcome.kept.not_among(&first.keys);
                let found = first.matches.matched.saturating_sub(outcome.kept.count());
                outcome.references = ReferencesGone::foreseen(ctx, plan.store, &going, found)?;
                outcome.preview = first.preview();
            }
            Some(driver) => {
                outcome.delete_until_gone(ctx, plan, driver, (options, first), base)?;
            }
        }
        if plan.doubts_no_login && outcome.ended.is_ok() {
            let unseen = outcome.unseen.take().unwrap_or_default();
            let members = std::mem::take(&mut outcome.members);
            let doubt = login_keys_seen::doubt(unseen, members);
            outcome.doubts.extend(doubt.or(outcome.elsewhere.take()));
        }
        Ok(outcome)
    }

    /// Finds out whether the keys are the site's. Only then may the run also end sessions of the users that
    /// no key verifies.
    fn prove_key(
        &mut self,
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        first: &mut Survey,
    ) -> Result<(), Error> {
        let Signatures { checked, valid } = first.tally.signatures;
        self.key_is_right = plan.first.key_is_right || valid > 0;
        let is_open = checked > 0 && !self.key_is_right && !plan.emptied;
        // The first scan may have read only rows of one user, who has not logged in since the key was
        // changed.
        if is_open && !matches!(first.ended, Ended::Interrupted(_)) {
            let reads_all = plan.first.reads_all_rows() && first.ended == Ended::Whole;
            match if reads_all { Ended::Whole } else { find_verified_row(ctx, plan.store)? } {
                Ended::Enough => self.key_is_right = true,
                Ended::Interrupted(signal) => self.ended = Err(StopReason::Interrupted(signal)),
                Ended::Whole => return Err(Error::WrongKey { checked }),
            }
        }
        Ok(())
    }

    fn delete_until_gone(
        &mut self,
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        driver: &mut Driver<'_>,
        (mut options, mut found): (SurveyOptions<'_>, Survey),
        mut base: Base<'_>,
    ) -> Result<(), Error> {
        loop {
            self.count(&mut found);
            self.remaining = None;
            let before = self.deleted + self.rewritten;
            self.act(ctx, plan, driver, &options.query, &found.keys);
            if self.ended.is_ok() {
                let done = self.deleted + self.rewritten - before;
                base.check_gone(&found.keys, done);
            }
            if self.ended.is_err() {
                return Ok(());
            }
            let whole = found.ended == Ended::Whole;
            if !whole && self.deleted + self.rewritten == before {
                // Something, such as a trigger, keeps all of them: another round would find them again.
                self.remaining = Some(found.matches.matched);
                return Ok(());
            }
            if whole {
                let Some(proof) = plan.proof else {
                    self.count_kept(ctx, plan, driver, &found.keys);
                    return Ok(());
                };
                options = proof;
            }
            let again = self.look_again(ctx, plan, driver, (options, &mut base), whole);
            let Some((next, back)) = again else { return Ok(()) };
            let gone = std::mem::replace(&mut found, next).keys;
            self.refuse_wrong_key(plan, &found)?;
            self.look_for_references(ctx, plan, &gone);
            let mut unranked = 0;
            if !matches!(plan.removal, Removal::KeepData) {
                self.not_deleted = self.kept.deleted_and_found(&gone, &found.keys);
                if options.query.newest.is_some() {
                    unranked = self.count_written_back(driver, &gone, &found.keys);
                }
            }
            if self.ended.is_err() {
                return Ok(());
            }
            if whole {
                self.remaining = Some(found.matches.matched + unranked);
                let is_done = self.kept.among(&found.keys) == found.keys.len() && back == 0;
                if is_done || self.rounds == MAX_ROUNDS {
                    // The proving scan reads all rows but collects only those that are logins.
                    if !matches!(plan.first.query.users, UserFilter::EverythingBut(_)) {
                        self.kept.retain(&found.keys);
                    }
                    return Ok(());
                }
                self.rounds += 1;
            }
        }
    }

    /// Refuses a wrong key. The first scan may have used the user column, and then may have read no row that
    /// could tell.
    fn refuse_wrong_key(&self, plan: &Plan<'_>, found: &Survey) -> Result<(), Error> {
        match found.nothing_verifies() {
            Some(checked) if !self.key_is_right && !plan.emptied => {
                Err(Error::WrongKey { checked })
            }
            _ => Ok(()),
        }
    }

    /// Looks for sessions again: in the cache, if all were found before, and in the table. The cache comes first: whoever
    /// used an entry there may have a new row by now. `None` if that ended the run; otherwise also how many entries had to
    /// go.
    fn look_again(
        &mut self,
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        driver: &mut Driver<'_>,
        (options, base): (SurveyOptions<'_>, &mut Base<'_>),
        whole: bool,
    ) -> Option<(Survey, u64)> {
        let in_cache = if whole {
            ctx.settle(plan.settle);
            plan.record.cache.look(ctx, &options.query, plan.removal, driver)
        } else {
            Ok(0)
        };
        let found = in_cache.and_then(|back| {
            let found = self.scan_again(ctx, plan, (options, base));
            Ok((found.map_err(|error| StopReason::of(error, ctx.stop))?, back))
        });
        found.map_err(|why| self.ended = Err(why)).ok()
    }

    fn scan_again(
        &mut self,
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        (options, base): (SurveyOptions<'_>, &mut Base<'_>),
    ) -> Result<Survey, StoreError> {
        let options = SurveyOptions { key_is_right: self.key_is_right, ..options };
        let mut found = match base.changes(ctx, plan.store, &options)? {
            Some(changes) => changes,
            None => options.run(ctx, plan.store)?,
        };
        self.key_is_right |= found.tally.signatures.valid > 0;
        self.note(&options, &mut found);
        Ok(found)
    }

    fn act(
        &mut self,
        ctx: &Ctx<'_>,
        plan: &Plan<'_>,
        driver: &mut Driver<'_>,
        query: &SessionQuery<'_>,
        keys: &Keys,
    ) {
        let before = driver.done().rows;
        let mut stay = store::Kept::default();
        match plan.removal {
            Removal::KeepData => {
                let mut kept = Kept::default();
                self.ended = kept.act(ctx, query, driver, keys, plan.record);
                self.rewritten += kept.rewritten;
                self.deleted += kept.deleted;
                stay.add(kept.stay);
            }
            Removal::Delete => {
                self.ended = driver.each(keys, |writer, batch| {
                    plan.record.cache.go_on()?;
                    let gone = plan.record.deleted(batch, writer.delete(batch))?;
                    stay.add(gone.kept);
                    self.references.add(&gone.referring);
                    Ok(gone.sessions)
                });
                self.deleted += driver.done().rows - before;
            }
        }
        self.kept.acted(keys, stay);
        self.batches = driver.done().batches;
        // Checked after the last batch too, and even if the batches ended for another reason.
        if let Err(error) = plan.record.cache.go_on() {
            self.ended = Err(StopReason::Failed(error));
        }
    }

    /// Counts rows of other tables that refer to deleted sessions although they were to go with these.
    fn look_for_references(&mut self, ctx: &Ctx<'_>, plan: &Plan<'_>, deleted: &Keys) {
        let deleted = self.kept.not_among(deleted);
        if let Err(error) = self.references.look(ctx, plan.store, &deleted) {
            self.ended = Err(StopReason::of(error, ctx.stop));
        }
    }

    /// Counts deleted sessions that exist again although the scan does not tell: a request in flight wrote one back, which is the
    /// newest of its user now.
    fn count_written_back(&mut self, driver: &mut Driver<'_>, gone: &Keys, found: &Keys) -> u64 {
        let found: HashSet<&str> = found.iter().collect();
        let gone = self.kept.not_among(gone).into_iter().filter(|key| !found.contains(key));
        let gone: Vec<&str> = gone.collect();
        let mut there = 0;
        for some in gone.chunks(KEYS_AT_ONCE) {
            match driver.once(|writer| writer.count(some)) {
                Ok(rows) => there += rows,
                Err(why) => self.ended = Err(why),
            }
        }
        self.not_deleted += there;
        there
    }

    /// Checks that the deleted rows are gone, where no scan follows. A trigger or a rule can keep rows
    /// without an error.
    fn count_kept(&mut self, ctx: &Ctx<'_>, plan: &Plan<'_>, driver: &mut Driver<'_>, keys: &Keys) {
        self.look_for_references(ctx, plan, keys);
        let keys = self.kept.not_among(keys);
        for some in keys.chunks(KEYS_AT_ONCE) {
            match driver.once(|writer| writer.count(some)) {
                Ok(rows) => self.not_deleted += rows,
                Err(why) => return self.ended = Err(why),
            }
        }
        let left = self.not_deleted + self.kept.count();
        if left > 0 {
            self.remaining = Some(left);
        }
    }
}

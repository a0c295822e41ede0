//! `purge-expired`: deletes expired sessions. Made for cron.

mod metrics;
mod report;
mod words;

use std::io::Write;
use std::time::{Duration, Instant};

use self::report::PurgeReport;
use super::COUNT_PATIENCE;
use super::Command;
use crate::cli::PurgeExpired;
use crate::consent::{Ask, Consent};
use crate::context::Ctx;
use crate::engine::{Driver, KeptRows, Pace, Purge, StopReason, Work};
use crate::error::{Error, Exit};
use crate::model::Timestamp;
use crate::report::{Ending, Paused, Referenced, ReferencesDeleted};
use crate::sessions::command_run::{CommandOutcome, CommandRun};
use crate::sessions::pacing::{ending, paused};
use crate::sessions::{references, schemas};
use crate::settings;
use crate::store::{Bloat, Capability, Cursor, Expired, Holder, Reference, Store, StoreError};

impl Command for PurgeExpired {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let run = CommandRun {
            command: "purge-expired",
            format: self.format,
            out,
            audit: &self.audit,
            acts: !self.dry_run,
        };
        run.execute(ctx, |_| {
            if let (Some(file), false) = (&self.metrics_file, self.dry_run) {
                metrics::may_write(file)?;
            }
            let pace = settings::pace(&self.pace, ctx.database()?.traits)?;
            let grace = settings::duration("--older-than", &self.older_than)?;
            let ctx = &ctx.deleting_references(references::asked(&self.references, None)?);
            let mut outcome = schemas::each(ctx, &pace, |ctx, pace| act(ctx, self, grace, pace))?;
            if let (Some(file), Some(report)) = (&self.metrics_file, &outcome.report)
                && let (Some(sum), false) = (&report.sum, self.dry_run)
            {
                let measured = metrics::write(file, sum, outcome.exit);
                outcome.failed = outcome.failed.and(measured);
            }
            Ok(outcome)
        })
    }

    fn replicas(&self) -> &[String] {
        &self.pace.replicas
    }
}

fn act(
    ctx: &Ctx<'_>,
    args: &PurgeExpired,
    grace: Duration,
    pace: Pace,
) -> Result<CommandOutcome<PurgeReport>, Error> {
    let began = Instant::now();
    ctx.begin(&pace);
    let store = ctx.open()?;
    store.demand(Capability::Expiry)?;
    let (cutoff, references, expired) = cutoff(ctx, &*store, grace, args.dry_run)?;
    let consent = Consent::from_ask(if args.dry_run { Ask::DryRun } else { Ask::Explicit });

    let mut report = report(cutoff, args.dry_run);
    let mut bloat = Bloat::default();
    let mut ended = Ok(());
    if let Some(consent) = consent {
        let work = Work { store: &*store, consent, stop: ctx.stop, pace, progress: ctx.progress };
        let (clean_to, kept_before, referring);
        (ended, clean_to, kept_before, referring) =
            purge(work, cutoff, expired, args.analyze, &mut report);
        let referring: Vec<_> = referring.into_iter().map(Some).collect();
        report.references = references::report(ctx, false, (&referring, None, false));
        match ended {
            Err(StopReason::AnotherInstance(holder)) if report.batches == 0 => {
                return another_instance(holder, args.skip_if_running);
            }
            // Nothing was done, so there is nothing to report.
            Err(StopReason::Failed(error)) if report.batches == 0 => return Err(error.into()),
            _ => {}
        }
        // Rows that other tables keep before that cursor are left too, so count from the beginning.
        let from = clean_to.as_ref().filter(|_| !kept_before);
        match count_left(&*store, cutoff, from) {
            Ok((left, found)) => {
                report.note_left(left);
                bloat = found;
            }
            // After a failure the count may fail too; then the first error is the one that matters.
            Err(error) if ended.is_ok() => ctx.talk.warning(&format!("cannot look back: {error}")),
            Err(_) => {}
        }
    } else {
        let mut reader = store.reader()?;
        report
            .note_left(ctx.stop.while_unchecked(|| reader.expired(cutoff, None, COUNT_PATIENCE))?);
        let kept = ctx.stop.while_unchecked(|| reader.expired_and_kept(cutoff, COUNT_PATIENCE))?;
        report.note_kept(kept, &references);
        if !ctx.referring.is_empty() {
            let rows = ctx
                .stop
                .while_unchecked(|| reader.count_referring_to_expired(cutoff, COUNT_PATIENCE))?;
            report.references = references::report(ctx, true, (&rows, None, false));
        }
    }
    report.dead_rows = bloat.dead_rows;
    report.elapsed_seconds = began.elapsed().as_secs_f64();
    let exit = exit(&ended, &report);
    Ok(CommandOutcome { advice: bloat.advice, ..CommandOutcome::new(report, ended, exit) })
}

/// How long the operator waits for the count of what is left.
const COUNT_LEFT_PATIENCE: Duration = Duration::from_secs(5);

/// How long a person who watches waits for the total of the bar.
const TOTAL_PATIENCE: Duration = Duration::from_secs(1);

/// The cutoff of the purge, the foreign keys that may keep rows, and how many rows there are, if a person watches. Fails first if
/// nothing can be deleted.
fn cutoff(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    grace: Duration,
    dry_run: bool,
) -> Result<(Timestamp, Vec<Reference>, Option<u64>), Error> {
    let mut reader = store.reader()?;
    if !dry_run {
        reader.demand_writes()?;
    }
    let references = references::note(ctx, &mut *reader)?;
    let cutoff = reader.now()?.before(grace);
    let counts = !dry_run && ctx.progress.is_watched();
    // Without a total, the bar has none.
    let expired = counts.then(|| reader.expired(cutoff, None, TOTAL_PATIENCE).ok());
    Ok((cutoff, references, expired.flatten().and_then(|expired| expired.rows)))
}

/// Runs the purge. Returns how it ended, the cursor before which no expired row is left, whether other tables keep rows before
/// that cursor, and how many rows of other tables it deleted.
fn purge(
    work: Work<'_>,
    cutoff: Timestamp,
    expired: Option<u64>,
    analyze: bool,
    report: &mut PurgeReport,
) -> (Result<(), StopReason>, Option<Cursor>, bool, Vec<u64>) {
    let mut lock = work.store.purge_lock();
    let mut driver = Driver::new(work);
    let mut purge = Purge {
        cutoff,
        lock: &mut *lock,
        clean_to: None,
        kept: KeptRows::default(),
        referring: Vec::new(),
        expired,
    };
    let checked = driver.check(|writer| {
        if analyze {
            writer.demand_analyze()?;
        }
        Ok(writer.delete(&[])?.sessions)
    });
    let mut ended = checked.and_then(|()| purge.run(&mut driver));
    if analyze && matches!(ended, Ok(()) | Err(StopReason::Limit)) {
        ended = driver.once(|writer| writer.analyze()).and(ended);
    }
    let done = driver.done();
    report.deleted = done.rows;
    report.batches = done.batches;
    report.paused = paused(done);
    report.ended = ending(&ended);
    let KeptRows { before, after, by } = purge.kept;
    report.kept = Referenced { referenced: before + after, referenced_by: by };
    (ended, purge.clean_to, before > 0, purge.referring)
}

/// Counts the expired rows that are left.
fn count_left(
    store: &dyn Store,
    cutoff: Timestamp,
    clean_to: Option<&Cursor>,
) -> Result<(Expired, Bloat), StoreError> {
    let mut reader = store.reader()?;
    Ok((reader.expired(cutoff, clean_to, COUNT_LEFT_PATIENCE)?, reader.bloat()?))
}

fn another_instance(
    holder: Holder,
    skip_if_running: bool,
) -> Result<CommandOutcome<PurgeReport>, Error> {
    if skip_if_running {
        Ok(CommandOutcome::skipped(holder))
    } else {
        Err(Error::AnotherInstance(holder))
    }
}

fn exit(ended: &Result<(), StopReason>, report: &PurgeReport) -> Exit {
    match ended {
        Ok(()) if report.dry_run || report.left == Some(0) => Exit::Done,
        Err(StopReason::Limit) => Exit::Done,
        Ok(()) | Err(StopReason::RunTime) => Exit::Incomplete,
        Err(StopReason::Interrupted(signal)) => Exit::Interrupted(*signal),
        Err(StopReason::Failed(_) | StopReason::AnotherInstance(_)) => Exit::Failed,
    }
}

fn report(cutoff: Timestamp, dry_run: bool) -> PurgeReport {
    PurgeReport {
        command: "purge-expired",
        cutoff: cutoff.to_string(),
        dry_run,
        deleted: 0,
        references: ReferencesDeleted::default(),
        locked: 0,
        kept: Referenced::default(),
        left: None,
        oldest_left: None,
        ended: Ending::Done,
        paused: Paused::default(),
        batches: 0,
        dead_rows: None,
        elapsed_seconds: 0.0,
    }
}

impl PurgeReport {
    /// Adds what a dry run found.
    fn note_kept(&mut self, rows: Option<u64>, references: &[Reference]) {
        let by = references.iter().filter(|reference| reference.hinders());
        if rows != Some(0) {
            self.kept.referenced_by = by.map(|reference| reference.table.clone()).collect();
        }
        self.kept.referenced = rows.unwrap_or(0);
    }

    fn note_left(&mut self, left: Expired) {
        self.left = left.rows;
        self.oldest_left = left.oldest.map(|oldest| oldest.to_string());
        if self.ended == Ending::Done && !self.dry_run {
            self.locked = left.rows.unwrap_or(0).saturating_sub(self.kept.referenced);
        }
    }
}

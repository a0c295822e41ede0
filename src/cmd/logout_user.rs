//! `logout-user`: look, delete, look again.
//!
//! The second look is what makes the answer true. A login or a password change moves a session to
//! a new key while the first look runs, and Django up to 1.9 and django-user-sessions write a
//! deleted row back from a request in flight.

mod survey;

use std::time::Instant;

use self::survey::{Survey, Wanted};
use super::Ctx;
use super::describe::KeyDisplay;
use super::find::find;
use crate::cli::{LogoutUser, ReportFormat};
use crate::codec::UserIds;
use crate::consent::{Ask, Consent};
use crate::engine::{Driver, Ended, Halted, Why};
use crate::error::{Error, Exit};
use crate::report::LogoutReport;
use crate::store::{Store, StoreError};
use crate::{settings, ui};

/// How often sessions that came back are deleted before the operator is told that they do.
const MAX_ROUNDS: u32 = 3;

pub(super) fn run(ctx: &mut Ctx<'_>, args: &LogoutUser) -> Result<Exit, Error> {
    let users = settings::user_ids(args)?;
    let pace = settings::pace(&args.pace)?;
    let settle = settings::duration("--settle", &args.settle)?;
    let ids: UserIds = users.iter().collect();
    let began = Instant::now();

    let store = ctx.open()?;
    let consent = Consent::from_ask(if args.dry_run { Ask::DryRun } else { Ask::Explicit });
    let driver = consent.map(|consent| Driver {
        store: &*store,
        consent,
        stop: ctx.stop,
        pace,
        progress: &*ctx.progress,
    });
    if let Some(driver) = &driver {
        driver.check()?;
    }
    let spared = spared_key(ctx, &*store, args)?;
    let wanted = Wanted { ids: &ids, spared: spared.as_deref() };

    let mut run = Run { report: report(users), ended: Ok(()) };
    let first = Survey::take(ctx, &*store, &wanted)?;
    run.report.scanned = first.scanned;
    run.note(&first);
    if let Some(looked_at) = first.nothing_verifies() {
        return Err(Error::WrongKey { looked_at });
    }
    match (&driver, first.ended) {
        (_, Ended::Interrupted(signal)) => run.ended = Err(Why::Interrupted(signal)),
        (None, _) => run.preview(first),
        (Some(driver), _) => {
            let look_again = || {
                ctx.stop.sleep(settle);
                Survey::take(ctx, &*store, &wanted)
            };
            run.delete_all(driver, first, (!args.no_verify).then_some(&look_again));
        }
    }
    run.report.elapsed_seconds = began.elapsed().as_secs_f64();
    let exit = run.exit();
    match args.format {
        ReportFormat::Json => ui::write_json_line(&mut ctx.out, &run.report)?,
        ReportFormat::Human if ctx.talk.is_quiet() => {}
        ReportFormat::Human => ui::write_logout_report(&mut ctx.out, &run.report)?,
    }
    ctx.out.flush()?;
    match run.ended {
        Err(Why::Failed(error)) => Err(error.into()),
        _ => Ok(exit),
    }
}

/// The key that `--except` names.
fn spared_key(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    args: &LogoutUser,
) -> Result<Option<String>, Error> {
    let Some(prefix) = &args.except else {
        return Ok(None);
    };
    let prefix = settings::key_prefix("--except", prefix)?;
    let found = find(ctx, &mut *store.reader()?, &prefix, KeyDisplay::Masked)?;
    Ok(Some(found.key))
}

/// What was done so far, and what put an end to it.
struct Run {
    report: LogoutReport,
    ended: Result<(), Why>,
}

impl Run {
    /// Rows that nobody can be sure of are those of the last look.
    fn note(&mut self, survey: &Survey) {
        self.report.unverified = survey.unverified;
        self.report.unreadable = survey.unreadable;
    }

    fn preview(&mut self, survey: Survey) {
        self.report.dry_run = true;
        self.report.matched = survey.matched();
        self.report.preview = survey.preview();
    }

    /// Deletes what was found, and what the looks after that find.
    fn delete_all(
        &mut self,
        driver: &Driver<'_>,
        mut found: Survey,
        look_again: Option<&dyn Fn() -> Result<Survey, StoreError>>,
    ) {
        for round in 1..=MAX_ROUNDS {
            self.report.rounds = round;
            self.report.matched += found.matched();
            self.delete(driver, &found);
            let (Ok(()), Some(look_again)) = (&self.ended, look_again) else { return };
            found = match look_again() {
                Ok(Survey { ended: Ended::Interrupted(signal), .. }) => {
                    self.ended = Err(Why::Interrupted(signal));
                    return;
                }
                Ok(survey) => survey,
                Err(error) => {
                    self.ended = Err(Why::Failed(error));
                    return;
                }
            };
            self.note(&found);
            self.report.remaining = Some(found.matched());
            if found.matched() == 0 {
                return;
            }
        }
    }

    /// Deletes what one look found.
    fn delete(&mut self, driver: &Driver<'_>, found: &Survey) {
        self.report.remaining = None;
        let (done, ended) = match driver.delete(&found.keys) {
            Ok(done) => (done, Ok(())),
            Err(Halted { done, why }) => (done, Err(why)),
        };
        self.report.deleted += done.rows;
        self.report.batches += done.batches;
        self.ended = ended;
    }

    fn exit(&self) -> Exit {
        match &self.ended {
            Err(Why::Interrupted(signal)) => Exit::Interrupted(*signal),
            Err(Why::Failed(_)) => Exit::Failed,
            Ok(()) if self.report.remaining.unwrap_or(0) > 0 || self.report.unreadable > 0 => {
                Exit::Incomplete
            }
            Ok(()) => Exit::Done,
        }
    }
}

fn report(users: Vec<String>) -> LogoutReport {
    LogoutReport {
        command: "logout-user",
        users,
        dry_run: false,
        scanned: 0,
        matched: 0,
        deleted: 0,
        remaining: None,
        rounds: 1,
        unverified: 0,
        unreadable: 0,
        batches: 0,
        elapsed_seconds: 0.0,
        preview: Vec::new(),
    }
}

//! `logout-user`: look, delete, look again.
//!
//! The second look is what makes the answer true. A login or a password change moves a session to
//! a new key while the first look runs, and Django up to 1.9 and django-user-sessions write a
//! deleted row back from a request in flight.

mod survey;

use std::io::ErrorKind;
use std::time::Instant;

use self::survey::{Survey, Wanted};
use super::Ctx;
use super::describe::KeyDisplay;
use super::find::find;
use crate::cli::{LogoutUser, ReportFormat};
use crate::codec::UserIds;
use crate::consent::{Ask, Consent};
use crate::engine::{Driver, Ended, Why, Work};
use crate::error::{Error, Exit};
use crate::report::LogoutReport;
use crate::store::{Store, StoreError};
use crate::{settings, ui};

/// How often sessions that came back are deleted before the operator is told that they do.
const MAX_ROUNDS: u32 = 3;

pub(super) fn run(ctx: &mut Ctx<'_>, args: &LogoutUser) -> Result<Exit, Error> {
    let users = settings::user_ids(args)?;
    let pace = settings::batches(&args.batches)?;
    ctx.note_unchecked();
    let settle = settings::duration("--settle", &args.settle)?;
    let ids: UserIds = users.iter().collect();
    let began = Instant::now();

    let store = ctx.open()?;
    let consent = Consent::from_ask(if args.dry_run { Ask::DryRun } else { Ask::Explicit });
    let mut driver = consent.map(|consent| {
        let (stop, progress) = (ctx.stop, &*ctx.progress);
        Driver::new(Work { store: &*store, consent, stop, pace, progress })
    });
    let mut run = Run { report: report(users, args.dry_run), ended: Ok(()) };
    match driver.as_mut().map_or(Ok(()), Driver::check) {
        Err(Why::Failed(error)) => return Err(error.into()),
        Err(interrupted) => run.ended = Err(interrupted),
        Ok(()) => {
            let spared = spared_key(ctx, &*store, args)?;
            let wanted = Wanted { ids: &ids, spared: spared.as_deref() };
            let look = || Survey::take(ctx, &*store, &wanted);
            let look_again = || {
                ctx.stop.sleep(settle);
                look()
            };
            let look_again = (!args.no_verify).then_some(&look_again as Look<'_>);
            run.look_and_delete(driver.as_mut(), &look, look_again)?;
        }
    }
    drop(driver);
    run.report.elapsed_seconds = began.elapsed().as_secs_f64();
    let exit = run.exit();
    run.report.stopped = run.ended.is_err();
    let told = tell(ctx, args.format, &run.report);
    match (run.ended, told) {
        (Err(Why::Failed(error)), _) => Err(error.into()),
        // Whether somebody read the report changes nothing of how it ended.
        (_, Err(error)) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(exit),
    }
}

fn tell(ctx: &mut Ctx<'_>, format: ReportFormat, report: &LogoutReport) -> std::io::Result<()> {
    match format {
        ReportFormat::Json => ui::write_json_line(&mut ctx.out, report)?,
        ReportFormat::Human if ctx.talk.is_quiet() => {}
        ReportFormat::Human => ui::write_logout_report(&mut ctx.out, report)?,
    }
    ctx.out.flush()
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

/// Takes a look at the table.
type Look<'l> = &'l dyn Fn() -> Result<Survey, StoreError>;

/// What was done so far, and what put an end to it.
struct Run {
    report: LogoutReport,
    ended: Result<(), Why>,
}

impl Run {
    fn look_and_delete(
        &mut self,
        driver: Option<&mut Driver<'_>>,
        look: Look<'_>,
        look_again: Option<Look<'_>>,
    ) -> Result<(), Error> {
        let first = look()?;
        self.report.scanned = first.scanned;
        self.note(&first);
        if let Some(looked_at) = first.nothing_verifies() {
            return Err(Error::WrongKey { looked_at });
        }
        match (driver, first.ended) {
            (_, Ended::Interrupted(signal)) => self.ended = Err(Why::Interrupted(signal)),
            (None, _) => self.preview(first),
            (Some(driver), _) => self.delete_all(driver, first, look_again),
        }
        Ok(())
    }

    /// Rows that nobody can be sure of are those of the last look.
    fn note(&mut self, survey: &Survey) {
        self.report.unverified = survey.unverified;
        self.report.unreadable = survey.unreadable;
    }

    fn preview(&mut self, survey: Survey) {
        self.report.matched = survey.matched();
        self.report.preview = survey.preview();
    }

    /// Deletes what was found, and what the looks after that find.
    fn delete_all(
        &mut self,
        driver: &mut Driver<'_>,
        mut found: Survey,
        look_again: Option<Look<'_>>,
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
    fn delete(&mut self, driver: &mut Driver<'_>, found: &Survey) {
        self.report.remaining = None;
        self.ended = driver.delete(&found.keys);
        let done = driver.done();
        self.report.deleted = done.rows;
        self.report.batches = done.batches;
    }

    fn exit(&self) -> Exit {
        match &self.ended {
            Err(Why::Interrupted(signal)) => Exit::Interrupted(*signal),
            Err(_) => Exit::Failed,
            Ok(()) if self.report.remaining.unwrap_or(0) > 0 || self.report.unreadable > 0 => {
                Exit::Incomplete
            }
            Ok(()) => Exit::Done,
        }
    }
}

fn report(users: Vec<String>, dry_run: bool) -> LogoutReport {
    LogoutReport {
        command: "logout-user",
        users,
        dry_run,
        scanned: 0,
        matched: 0,
        deleted: 0,
        remaining: None,
        rounds: 1,
        unverified: 0,
        unreadable: 0,
        batches: 0,
        elapsed_seconds: 0.0,
        stopped: false,
        preview: Vec::new(),
    }
}

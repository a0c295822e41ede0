//! `backfill`: adds the user column, fills it, indexes it, and checks that its values are right; or drops it.
//!
//! All state is in the table: an interrupted run continues where it stopped, because filled rows are skipped.

mod drop;
mod judge;
mod pass;
mod report;
mod words;

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Instant;

use self::judge::Findings;
use self::pass::{Act, Scope, mend};
use self::report::{BackfillReport, ColumnPlan};
use super::Command;
use crate::cli::{AutoColumnType, Backfill};
use crate::consent::{Ask, Consent};
use crate::context::Ctx;
use crate::engine::{Driver, Ended, Pace, StopReason, Work};
use crate::error::{Error, Exit};
use crate::model::{Keys, Tally};
use crate::report::{Ending, Paused};
use crate::sessions::command_run::{CommandOutcome, CommandRun};
use crate::sessions::pacing::{ending, paused};
use crate::sessions::schemas;
use crate::sessions::site_users::users;
use crate::settings;
use crate::store::{
    Capability, ColumnCondition, Reader, Store, UserColumn, UserColumnPlan, UserType, Users,
};

/// Logins in the sample whose ids and signatures are checked before anything is changed.
const SAMPLE: u64 = 10_000;
/// Bytes of a row besides `session_data`: its key, its expiry and the database's header.
const ROW_OVERHEAD_BYTES: u64 = 80;
/// Rough bytes of an id in a row, and of an index entry with the row's address.
const USER_BYTES: u64 = 8;
const INDEX_ENTRY_BYTES: u64 = 24;
/// Passes over rows that arrived during the backfill before giving up.
const MAX_ROUNDS: u32 = 3;

impl Command for Backfill {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let run = CommandRun {
            command: "backfill",
            format: self.format,
            out,
            audit: &self.audit,
            acts: !(self.dry_run || self.watch_nulls),
        };
        if self.drop {
            return run.execute(ctx, |_| {
                let traits = ctx.database()?.traits;
                let pace = settings::pace(&self.pace, traits)?;
                settings::check_user_column("--column", &self.column, traits)?;
                schemas::each(ctx, &pace, |ctx, pace| drop::act(ctx, self, pace))
            });
        }
        run.execute(ctx, |_| {
            let traits = ctx.database()?.traits;
            let pace = settings::pace(&self.pace, traits)?;
            settings::check_user_column("--column", &self.column, traits)?;
            let ctx = &ctx.reading_sessions();
            schemas::each(ctx, &pace, |ctx, pace| act(ctx, self, pace))
        })
    }

    fn replicas(&self) -> &[String] {
        &self.pace.replicas
    }
}

fn act(
    ctx: &Ctx<'_>,
    args: &Backfill,
    pace: Pace,
) -> Result<CommandOutcome<BackfillReport>, Error> {
    let began = Instant::now();
    ctx.begin(&pace);
    let store = ctx.open()?;
    store.demand(Capability::UserColumn)?;
    let mut reader = store.reader()?;
    let only_reads = args.dry_run || args.watch_nulls;
    if !only_reads {
        reader.demand_writes()?;
    }
    let (column, exists, sample) = column(ctx, &mut *reader, args)?;
    // Fails if the column cannot be filled.
    let plan = reader.user_column_plan(&column)?;
    let mut report = report(&column, args);
    let fill = Fill { ctx, store: &*store, column, include_expired: args.include_expired };
    let consent = Consent::from_ask(if only_reads { Ask::DryRun } else { Ask::Explicit });
    let ended = match consent {
        None => {
            drop(reader);
            let ended = fill.scan(exists, &BTreeSet::new(), &mut report).map(|_| ());
            report.plan = Some(column_plan(plan, &fill.column, exists, args, &sample, &report));
            ended
        }
        Some(consent) => {
            drop(reader);
            let (stop, progress) = (ctx.stop, ctx.progress);
            let mut driver = Driver::new(Work { store: &*store, consent, stop, pace, progress });
            let ended = fill.run(&mut driver, args, &mut report);
            let done = driver.done();
            report.filled = done.rows;
            report.batches = done.batches;
            report.paused = paused(done);
            ended
        }
    };
    report.ended = ending(&ended);
    report.missing = report.missing.filter(|_| ended.is_ok());
    report.elapsed_seconds = began.elapsed().as_secs_f64();
    let exit = exit(&ended, &report);
    Ok(CommandOutcome::new(report, ended, exit))
}

/// The column to fill, and whether it exists. First it samples some logins: what their ids are, and whether
/// the key is the site's.
fn column(
    ctx: &Ctx<'_>,
    reader: &mut dyn Reader,
    args: &Backfill,
) -> Result<(UserColumn, bool, Findings), Error> {
    let found = reader.user_column(&args.column)?;
    let text = UserColumn {
        name: args.column.clone(),
        kind: UserType::Text,
        width: None,
        indexed: false,
        users: None,
    };
    let scope = Scope {
        column: &text,
        exists: false,
        condition: ColumnCondition::Any,
        include_expired: args.include_expired,
        // If the operator chose a type, every id is checked: a column of the wrong type would have to be
        // altered back.
        enough: matches!(args.column_type, AutoColumnType::Auto | AutoColumnType::Text)
            .then_some(SAMPLE),
        unknown: &BTreeSet::new(),
    };
    let (sample, ended) = Findings::take(ctx, reader, &scope, None)?;
    if let (Some(checked), Ok(Ended::Whole)) = (sample.tally.signatures.none_is_valid(), ended) {
        return Err(Error::WrongKey { checked });
    }
    let wanted = match args.column_type {
        AutoColumnType::Auto => None,
        AutoColumnType::Text => Some(UserType::Text),
        AutoColumnType::Bigint => Some(UserType::Bigint),
        AutoColumnType::Uuid => Some(UserType::Uuid),
    };
    match (found, wanted) {
        (Some(found), Some(wanted)) if found.kind != wanted => Err(Error::usage(
            format!("column \"{}\" is there already, and of another type", args.column),
            "leave --type out, or name another --column",
        )),
        (Some(found), _) => Ok((found, true, sample)),
        (None, wanted) => {
            let sessions = ctx.table()?;
            let users = users(ctx, reader).unwrap_or_else(|_| Users::beside(&sessions));
            let key = reader.user_key(&users)?.and_then(|key| key.kind());
            if let Some(wanted) = wanted {
                demand_fit(&sample, key, wanted)?;
            }
            let kind = wanted.unwrap_or_else(|| narrowest(&sample, key));
            Ok((UserColumn { kind, ..text }, false, sample))
        }
    }
}

/// Fails if the type cannot hold the ids of the users.
fn demand_fit(sample: &Findings, key: Option<UserType>, wanted: UserType) -> Result<(), Error> {
    let (name, others) = match wanted {
        UserType::Text => return Ok(()),
        UserType::Bigint => ("bigint", sample.no_number || key == Some(UserType::Uuid)),
        UserType::Uuid => ("uuid", sample.no_uuid || key == Some(UserType::Bigint)),
    };
    if !others {
        return Ok(());
    }
    Err(Error::usage(
        format!("--type {name} cannot hold the ids of this site's users; nothing was altered"),
        "leave --type out: then a type is taken that can",
    ))
}

/// The type of the key of the table of users if all ids fit it, otherwise the narrowest type that they fit.
fn narrowest(sample: &Findings, key: Option<UserType>) -> UserType {
    let fits = |kind| match kind {
        UserType::Text => true,
        UserType::Bigint => !sample.no_number,
        UserType::Uuid => !sample.no_uuid,
    };
    match key {
        Some(key) if fits(key) => key,
        _ if sample.tally.logins == 0 => UserType::Text,
        _ => [UserType::Bigint, UserType::Uuid]
            .into_iter()
            .find(|kind| fits(*kind))
            .unwrap_or(UserType::Text),
    }
}

struct Fill<'f, 'c> {
    ctx: &'f Ctx<'c>,
    store: &'f dyn Store,
    column: UserColumn,
    include_expired: bool,
}

impl Fill<'_, '_> {
    fn run(
        &self,
        driver: &mut Driver<'_>,
        args: &Backfill,
        report: &mut BackfillReport,
    ) -> Result<(), StopReason> {
        driver.once(|writer| writer.add_user_column(&self.column))?;
        let mut unknown = self.fill(driver, args.restart, report)?;
        if !args.no_index {
            self.ctx.talk.detail("building the index");
            driver.once(|writer| writer.index_user_column(&self.column))?;
        }
        loop {
            let wrong = self.scan(true, &unknown, report)?;
            report.rounds += 1;
            let right = report.missing == Some(0) && (report.different == 0 || !args.restart);
            if right || report.rounds >= MAX_ROUNDS {
                return Ok(());
            }
            let act = Act { driver, overwrite: args.restart, unknown: &mut unknown };
            mend(self.ctx, &self.column, act, &wrong)?;
        }
    }

    /// Fills rows with NULL; with `overwrite` also corrects wrong values. Returns users who are missing from
    /// the table that the column refers to.
    fn fill(
        &self,
        driver: &mut Driver<'_>,
        overwrite: bool,
        report: &mut BackfillReport,
    ) -> Result<BTreeSet<String>, StopReason> {
        let condition = if overwrite { ColumnCondition::Any } else { ColumnCondition::Missing };
        let mut reader =
            self.store.reader().map_err(|error| StopReason::of(error, self.ctx.stop))?;
        let mut unknown = BTreeSet::new();
        let act = Act { driver, overwrite, unknown: &mut unknown };
        let none = BTreeSet::new();
        let scope = self.scope(true, condition, &none);
        let (found, ended) = Findings::take(self.ctx, &mut *reader, &scope, Some(act))
            .map_err(|error| StopReason::of(error, self.ctx.stop))?;
        report.note(found);
        whole(ended).map(|()| unknown)
    }

    /// Scans all rows and updates the report. Returns keys of rows whose column is wrong.
    fn scan(
        &self,
        exists: bool,
        unknown: &BTreeSet<String>,
        report: &mut BackfillReport,
    ) -> Result<Keys, StopReason> {
        let mut reader =
            self.store.reader().map_err(|error| StopReason::of(error, self.ctx.stop))?;
        let scope = self.scope(exists, ColumnCondition::Any, unknown);
        let (mut found, ended) = Findings::take(self.ctx, &mut *reader, &scope, None)
            .map_err(|error| StopReason::of(error, self.ctx.stop))?;
        let wrong = std::mem::take(&mut found.wrong);
        report.note(found);
        whole(ended).map(|()| wrong)
    }

    fn scope<'s>(
        &'s self,
        exists: bool,
        condition: ColumnCondition,
        unknown: &'s BTreeSet<String>,
    ) -> Scope<'s> {
        Scope {
            column: &self.column,
            exists,
            condition,
            include_expired: self.include_expired,
            enough: None,
            unknown,
        }
    }
}

fn whole(ended: Result<Ended, StopReason>) -> Result<(), StopReason> {
    match ended? {
        Ended::Interrupted(signal) => Err(StopReason::Interrupted(signal)),
        Ended::Whole | Ended::Enough => Ok(()),
    }
}

fn column_plan(
    plan: UserColumnPlan,
    column: &UserColumn,
    exists: bool,
    args: &Backfill,
    sample: &Findings,
    report: &BackfillReport,
) -> ColumnPlan {
    let missing = report.missing.unwrap_or(0);
    let adds = (!exists).then_some(plan.add);
    let indexes = !args.no_index && !column.indexed;
    let index = plan.index.into_iter().filter(|_| indexes);
    let copy = sample.bytes.checked_div(sample.tally.logins).unwrap_or(0) + ROW_OVERHEAD_BYTES;
    ColumnPlan {
        exists,
        sql: adds.into_iter().chain(index).collect(),
        seconds: missing.div_ceil(plan.rows_per_second.max(1)),
        table_bytes: missing * if plan.copies_rows { copy } else { USER_BYTES },
        index_bytes: report.logins * if indexes { INDEX_ENTRY_BYTES } else { 0 },
    }
}

fn exit(ended: &Result<(), StopReason>, report: &BackfillReport) -> Exit {
    match ended {
        Ok(()) if report.dry_run || report.watch_nulls => Exit::Done,
        Ok(()) if report.missing.unwrap_or(0) + report.different + report.misfits > 0 => {
            Exit::Incomplete
        }
        Ok(()) | Err(StopReason::Limit) => Exit::Done,
        Err(StopReason::RunTime) => Exit::Incomplete,
        Err(StopReason::Interrupted(signal)) => Exit::Interrupted(*signal),
        Err(StopReason::Failed(_) | StopReason::AnotherInstance(_)) => Exit::Failed,
    }
}

fn report(column: &UserColumn, args: &Backfill) -> BackfillReport {
    BackfillReport {
        command: "backfill",
        column: column.name.clone(),
        column_type: match column.kind {
            UserType::Text => "text",
            UserType::Bigint => "bigint",
            UserType::Uuid => "uuid",
        },
        dry_run: args.dry_run,
        watch_nulls: args.watch_nulls,
        plan: None,
        scanned: 0,
        filled: 0,
        logins: 0,
        missing: None,
        different: 0,
        misfits: 0,
        misfit_ids: Vec::new(),
        unknown_users: 0,
        users: column.users.as_ref().map(|users| users.name.clone()),
        anonymous: 0,
        unverified: 0,
        unreadable: 0,
        tally: Tally::default(),
        saved_last_hour: 0,
        missing_last_hour: 0,
        rounds: 0,
        batches: 0,
        ended: Ending::Done,
        paused: Paused::default(),
        elapsed_seconds: 0.0,
    }
}

impl BackfillReport {
    /// Takes over the findings of the last scan.
    fn note(&mut self, found: Findings) {
        self.scanned = found.tally.scanned;
        self.logins = found.tally.logins;
        self.missing = Some(found.missing);
        self.different = found.different;
        self.misfits = found.misfits;
        self.misfit_ids = found.misfit_ids.into_vec();
        self.unknown_users = found.unknown;
        self.anonymous = found.tally.anonymous;
        self.unverified = found.tally.unverified;
        self.unreadable = found.tally.unreadable + found.tally.damaged;
        self.tally = found.tally;
        self.saved_last_hour = found.recent;
        self.missing_last_hour = found.recent_missing;
    }
}

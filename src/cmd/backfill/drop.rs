//! `backfill --drop`: takes the index and the user column away again.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Instant;

use django_session::Decoder;
use serde::Serialize;

use crate::cli::Backfill;
use crate::consent::{Ask, Consent};
use crate::context::Ctx;
use crate::engine::{Driver, Ended, Pace, StopReason, Work};
use crate::error::{Error, Exit};
use crate::model::{Page, Timestamp, counted};
use crate::report::{Ending, Sum};
use crate::sessions::command_run::CommandOutcome;
use crate::sessions::confirmation::confirm;
use crate::sessions::pacing::ending;
use crate::store::{ByUser, Capability, ColumnCondition, Filter, Store, UserColumn};
use crate::ui::{Report, sanitize};

/// What `backfill --drop` did, or would do.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DropReport {
    /// `backfill`.
    command: &'static str,
    /// The column.
    column: String,
    /// Whether it was a dry run.
    dry_run: bool,
    /// Whether the column is gone.
    dropped: bool,
    /// The statements, the index first.
    sql: Vec<String>,
    /// Rows in the table.
    scanned: u64,
    /// Of these: with a user id in the column.
    filled: u64,
    /// Of these: saved within the last hour.
    filled_last_hour: u64,
    /// Bytes of `session_data`.
    bytes: u64,
    /// Whether the database writes the whole table anew.
    rewrites: bool,
    /// Why it ended.
    ended: Ending,
    /// Wall-clock time.
    elapsed_seconds: f64,
}

impl Sum for DropReport {
    fn begin(&self) -> Self {
        Self { sql: Vec::new(), ..self.clone() }
    }

    fn add(&mut self, other: &Self) {
        self.dropped &= other.dropped;
        self.scanned += other.scanned;
        self.filled += other.filled;
        self.filled_last_hour += other.filled_last_hour;
        self.bytes += other.bytes;
        self.rewrites |= other.rewrites;
        self.ended = self.ended.or(other.ended);
        self.elapsed_seconds += other.elapsed_seconds;
    }

    fn others_are_unknown(&mut self) {
        self.ended = self.ended.or(Ending::Failed);
    }

    fn changed(&self) -> u64 {
        0
    }
}

/// What is in the column.
#[derive(Clone, Copy, Default)]
struct Held {
    rows: u64,
    filled: u64,
    filled_last_hour: u64,
    bytes: u64,
}

const LAST_HOUR: i64 = 3_600;

/// Drops the column of one table.
pub(super) fn act(
    ctx: &Ctx<'_>,
    args: &Backfill,
    pace: Pace,
) -> Result<CommandOutcome<DropReport>, Error> {
    let began = Instant::now();
    let store = ctx.open()?;
    store.demand(Capability::UserColumn)?;
    let mut reader = store.reader()?;
    if !args.dry_run {
        reader.demand_writes()?;
    }
    let Some(column) = reader.user_column(&args.column)? else {
        return Err(Error::usage(
            format!("the table has no column \"{}\"", args.column),
            "--column names another one; if it was dropped already, nothing is left to do",
        ));
    };
    demand_unused(ctx, &column)?;
    let plan = reader.user_column_drop(&column)?;
    plan.demand_own(|| format!("cannot drop column \"{}\"", column.name))?;
    drop(reader);
    let (held, ended) = count(ctx, &*store, &column)?;
    let mut report = DropReport {
        command: "backfill",
        column: column.name.clone(),
        dry_run: args.dry_run,
        dropped: false,
        sql: plan.sql,
        scanned: held.rows,
        filled: held.filled,
        filled_last_hour: held.filled_last_hour,
        bytes: held.bytes,
        rewrites: plan.rewrites,
        ended: Ending::Done,
        elapsed_seconds: 0.0,
    };
    let done = match ended {
        Ended::Interrupted(signal) => Err(StopReason::Interrupted(signal)),
        Ended::Whole | Ended::Enough => run(ctx, args, &*store, &column, (&report, pace))?,
    };
    report.dropped = done.is_ok() && !args.dry_run;
    report.ended = ending(&done);
    report.elapsed_seconds = began.elapsed().as_secs_f64();
    let exit = match &done {
        Ok(()) => Exit::Done,
        Err(StopReason::Interrupted(signal)) => Exit::Interrupted(*signal),
        Err(_) => Exit::Failed,
    };
    Ok(CommandOutcome::new(report, done, exit))
}

/// Drops it, once the operator agrees.
fn run(
    ctx: &Ctx<'_>,
    args: &Backfill,
    store: &dyn Store,
    column: &UserColumn,
    (report, pace): (&DropReport, Pace),
) -> Result<Result<(), StopReason>, Error> {
    if report.filled_last_hour > 0 {
        ctx.talk.warning(&format!(
            "{} saved in the last hour with a user id in it: if the site fills the column, it fails without it; first take \
             out what fills it, and restart the site",
            counted(report.filled_last_hour, "session")
        ));
    }
    let Some(consent) = consent(ctx, args, report)? else { return Ok(Ok(())) };
    let (stop, progress) = (ctx.stop, ctx.progress);
    let mut driver = Driver::new(Work { store, consent, stop, pace, progress });
    Ok(driver.once(|writer| writer.drop_user_column(column)))
}

fn consent(ctx: &Ctx<'_>, args: &Backfill, report: &DropReport) -> Result<Option<Consent>, Error> {
    if args.dry_run {
        return Ok(Consent::from_ask(Ask::DryRun));
    }
    if args.yes {
        return Ok(Consent::from_ask(Ask::Explicit));
    }
    let place = ctx.schema.as_ref().map_or(String::new(), |name| format!("schema \"{name}\": "));
    let column = sanitize(&report.column);
    ctx.talk.note(&format!("{place}column {column} goes, with its index{}", rewriting(report)));
    let question = format!("Type the number of user ids in it ({}) to go on:", report.filled);
    confirm(ctx, report.filled, &question)
}

/// What it means that the table is written anew.
fn rewriting(report: &DropReport) -> String {
    if !report.rewrites {
        return String::new();
    }
    format!(
        ". The database writes the whole table anew for that, {} MB of sessions, in one transaction: meanwhile no request \
         can save a session",
        report.bytes.div_ceil(1_000_000)
    )
}

/// An error if the project's own session model has the column.
fn demand_unused(ctx: &Ctx<'_>, column: &UserColumn) -> Result<(), Error> {
    let model = ctx.project.as_ref().filter(|project| project.has_session_field(&column.name));
    if model.is_none() {
        return Ok(());
    }
    Err(Error::usage(
        format!(
            "the project's session model has a field in column \"{}\": without it the site fails",
            column.name
        ),
        "take the field out of the model, or go back to Django's own, and let a migration drop the column",
    ))
}

/// Counts the rows, and those with an id in the column.
fn count(ctx: &Ctx<'_>, store: &dyn Store, column: &UserColumn) -> Result<(Held, Ended), Error> {
    let hour_ago = Timestamp::now().as_seconds() - LAST_HOUR;
    let by_user = ByUser { column: column.clone(), condition: ColumnCondition::Any };
    let filter = Filter { user: Some(by_user), ..Filter::default() };
    let worker = || {
        let mut decoder = Decoder::new(ctx.codec);
        move |page: &mut Page| {
            let (mut held, mut decoder) = (Held::default(), decoder.page());
            for row in page.rows() {
                held.rows += 1;
                held.bytes += u64::try_from(row.data.bytes()).unwrap_or(u64::MAX);
                if row.user.is_some() {
                    held.filled += 1;
                    let saved = row.decode(&mut decoder).saved();
                    held.filled_last_hour += u64::from(saved.is_some_and(|saved| saved > hour_ago));
                }
            }
            held
        }
    };
    let mut all = Held::default();
    let ended = ctx.scan().run(&mut *store.reader()?, &filter, worker, |held| {
        all.rows += held.rows;
        all.filled += held.filled;
        all.filled_last_hour += held.filled_last_hour;
        all.bytes = all.bytes.saturating_add(held.bytes);
        ControlFlow::Continue(())
    })?;
    Ok((all, ended))
}

impl Report for DropReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let column = sanitize(&self.column);
        let ids =
            format!("{} of {}", counted(self.filled, "user id"), counted(self.scanned, "session"));
        if self.dry_run {
            writeln!(out, "Dry run: column {column} would go, with {ids}{}.", rewriting(self))?;
            return self.sql.iter().try_for_each(|sql| writeln!(out, "  {};", sanitize(sql)));
        }
        if self.dropped {
            writeln!(
                out,
                "Column {column} is gone, with its index and {ids} ({:.1} s).",
                self.elapsed_seconds
            )
        } else {
            writeln!(out, "Column {column} is NOT gone.")
        }
    }
}

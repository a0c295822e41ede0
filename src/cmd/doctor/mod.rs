//! `doctor`: checks everything that sessctl depends on, and says what is wrong and what to do.

mod expired;
mod grants;
mod report;
mod sample;
mod user_column;
mod words;
mod zone;

use std::io::Write;

use self::report::Diagnosis;
use self::sample::Sample;
use super::Command;
use crate::cli::Doctor;
use crate::context::Ctx;
use crate::error::{Error, Exit};
use crate::model::{Finding, Status, shell_word};
use crate::report::Doubt;
use crate::sessions::proof;
use crate::sessions::site_users::SiteUsers;
use crate::settings::{Database, Project};
use crate::store::{Capability, Facts, Reader, ReferringColumn, Store, StoreError, WallClock};
use crate::ui;

impl Command for Doctor {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let Database { traits, clock, .. } = ctx.database()?;
        let clock = traits.naive_clock.then_some(clock);
        let store = ctx.open()?;
        if let Some(granted) = &self.grants {
            return grants::print(ctx, out, &*store, granted, self.role.as_deref());
        }
        let diagnosis =
            ctx.stop.while_unchecked(|| Diagnosis::new(run_checks(ctx, &*store, clock.as_ref())));
        ctx.print(out, self.format, &diagnosis)?;
        Ok(if diagnosis.status == Status::Problem { Exit::Unhealthy } else { Exit::Done })
    }
}

fn run_checks(ctx: &Ctx<'_>, store: &dyn Store, clock: Option<&WallClock>) -> Vec<Finding> {
    let mut facts = match store.facts() {
        Ok(facts) => facts,
        Err(error) => {
            let next_step = error.next_step().unwrap_or("see the cause").to_owned();
            return vec![Finding::problem("connection", message(error), next_step)];
        }
    };
    let mut findings = std::mem::take(&mut facts.findings);
    findings.extend(ctx.project.as_ref().map(engine));
    match store.reader() {
        Ok(mut reader) => {
            let elsewhere = proof::other_tables(ctx, store, None, false);
            let elsewhere: Vec<_> = elsewhere.iter().map(wrong_table).collect();
            findings.extend(read(ctx, (store, &mut *reader), &facts, clock, elsewhere));
        }
        Err(error) => findings.push(Finding::unknown("rows", message(error))),
    }
    findings
}

/// The finding about the project's session engine. An engine without rows fails earlier.
fn engine(project: &Project) -> Finding {
    match project.cached_engine() {
        None => {
            Finding::ok("engine", "SESSION_ENGINE keeps sessions in the table, and nowhere else")
        }
        Some(engine) if project.cache_place().is_some() => Finding::ok(
            "engine",
            format!(
                "SESSION_ENGINE is {engine}, whose entries logout-user and flush-all delete, too: {}",
                project.cache_place().unwrap_or_default()
            ),
        ),
        Some(engine) => Finding::warning(
            "engine",
            format!("SESSION_ENGINE is {engine}, which is asked before the table"),
            "give logout-user and flush-all --print-cache-keys, and delete these from the cache",
        ),
    }
}

/// The findings from the rows themselves.
fn read(
    ctx: &Ctx<'_>,
    (store, reader): (&dyn Store, &mut dyn Reader),
    facts: &Facts,
    clock: Option<&WallClock>,
    elsewhere: Vec<Finding>,
) -> Vec<Finding> {
    let mut findings = elsewhere;
    let column = user_column::find(reader);
    let usable = column.as_ref().ok().and_then(Option::as_ref);
    let sample = match Sample::take(ctx, reader, facts.expiry_indexed, usable) {
        Ok(sample) => sample,
        Err(error) => return vec![Finding::unknown("rows", message(error))],
    };
    if sample.rows == 0 {
        if findings.is_empty() {
            findings.push(empty(ctx, store));
        }
    } else {
        findings.push(sample.describe_keys());
        findings.extend(sample.describe_formats());
    }
    if let Some(clock) = clock {
        findings.push(zone::describe(&sample.moments, clock));
    }
    if reader.expiry().is_some() {
        findings.push(expired::describe(reader).unwrap_or_else(|error| not_made("expired", error)));
    }
    if reader.user_columns().is_some() {
        findings.push(column.map_or_else(
            |finding| finding,
            |column| user_column::describe(column.as_ref(), &sample),
        ));
    }
    if store.demand(Capability::Users).is_ok() {
        findings.extend(users(ctx, store));
    }
    findings
}

/// Checks that users can be looked up, if there is a table of users.
fn users(ctx: &Ctx<'_>, store: &dyn Store) -> Option<Finding> {
    const CHECK: &str = "users";
    match SiteUsers::trouble(ctx, store) {
        Ok(None) => {
            let site = SiteUsers::find(ctx, store, None).ok().flatten()?;
            Some(Finding::ok(CHECK, site.key_type()))
        }
        Ok(Some(trouble)) => {
            let hint = trouble.hint().unwrap_or("name it with --user-table").to_owned();
            Some(Finding::warning(CHECK, trouble.to_string(), hint))
        }
        Err(Error::Store(error)) => Some(not_made(CHECK, error)),
        // A project may keep its users in another database.
        Err(_) => None,
    }
}

/// The same doubt that other commands report: the site's sessions may be in another table.
fn wrong_table(doubt: &Doubt) -> Finding {
    let next_step = "name the site's session table with --table, or let --django find it";
    Finding::warning("rows", ui::doubt(doubt), next_step)
}

/// Most other tables that are named.
const MOST_NAMED: usize = 20;

/// The finding for an empty table: the site may use another one.
fn empty(ctx: &Ctx<'_>, store: &dyn Store) -> Finding {
    let is_named = ctx.global.table.is_some() || ctx.project.is_some();
    // If the list cannot be read, the finding is only less detailed.
    let others = if is_named { Vec::new() } else { store.others_alike().unwrap_or_default() };
    let others = others.iter().take(MOST_NAMED).map(|other| shell_word(&other.name));
    let others: Vec<_> = others.collect();
    match others.as_slice() {
        [_, ..] => Finding::warning(
            "rows",
            format!(
                "the table is empty, and there are other session tables: {}",
                others.join(", ")
            ),
            ui::WHICH_TABLE,
        ),
        _ if has_allauth(ctx) => Finding::ok(
            "rows",
            "the table is empty; that of django-allauth lists logins, but holds no sessions",
        )
        .next("does SESSION_ENGINE keep sessions in the database?"),
        _ => Finding::ok("rows", "the table is empty"),
    }
}

/// Whether there is a table of django-allauth that lists logins.
fn has_allauth(ctx: &Ctx<'_>) -> bool {
    let store = ctx.deleting_references(vec![ReferringColumn::of_allauth()]).open();
    let has = |store: Box<dyn Store>| Ok(store.reader()?.check_referring().is_ok());
    store.and_then(has).unwrap_or(false)
}

fn not_made(check: &'static str, error: StoreError) -> Finding {
    Finding::unknown(check, message(error))
}

/// An error with its causes, on one line.
fn message(error: StoreError) -> String {
    let error = Error::from(error);
    let mut said = vec![error.to_string()];
    said.extend(error.causes());
    said.join(": ")
}

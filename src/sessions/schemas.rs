//! `--schema`, `--all-schemas`: runs a command on several session tables, one after the other. A site with
//! django-tenants has one for each tenant.

use std::collections::BTreeSet;
use std::time::Instant;

use super::command_run::CommandOutcome;
use super::similar_keys;
use crate::context::{self, Ctx};
use crate::engine::Pace;
use crate::error::{Error, Exit};
use crate::report::{InSchema, Sum, Total};
use crate::settings;
use crate::store::{Capability, Fault, Holder};

impl Ctx<'_> {
    /// A context for each session table that the options select.
    pub(crate) fn each(&self) -> Result<Vec<Self>, Error> {
        Ok(match self.schemas()? {
            Some(schemas) => schemas.into_iter().map(|schema| self.in_schema(schema)).collect(),
            None => vec![self.clone()],
        })
    }

    /// The schemas that the options select; `None` if they select one table. A schema that was named and does
    /// not exist is an error: a typo in a name must not look like a tenant without sessions.
    pub(crate) fn schemas(&self) -> Result<Option<Vec<String>>, Error> {
        if !self.is_about_many() {
            return Ok(None);
        }
        let base = settings::table(self.global, self.project.as_ref(), None)?;
        let store = self.open_table(base.clone())?;
        store.demand(Capability::Schemas)?;
        let there = Capability::Schemas.of(store.schemas())?.schemas()?;
        let named = &self.global.schemas;
        let missing: Vec<_> = named.iter().filter(|name| !there.contains(name)).collect();
        if let [first, ..] = *missing {
            return Err(Error::usage(
                format!("schema \"{first}\" has no session table \"{base}\""),
                format!("schemas that have one: {}", some(&there)),
            ));
        }
        if there.is_empty() {
            return Err(Error::usage(
                format!("--all-schemas: no schema has a session table \"{base}\""),
                "is this the site's database? --table names another table",
            ));
        }
        if self.global.all_schemas {
            return Ok(Some(there));
        }
        let mut seen = BTreeSet::new();
        Ok(Some(named.iter().filter(|name| seen.insert(*name)).cloned().collect()))
    }
}

/// Most schemas that a hint names.
const MOST_NAMED: usize = 20;

fn some(schemas: &[String]) -> String {
    let named: Vec<&str> = schemas.iter().take(MOST_NAMED).map(String::as_str).collect();
    let more = if schemas.len() > MOST_NAMED { " and more" } else { "" };
    if named.is_empty() { "none".into() } else { format!("{}{more}", named.join(", ")) }
}

/// Runs a command on the session table, or on that of each schema. A failure in one schema does not stop the
/// others, unless the server itself failed.
pub(crate) fn each<R: Sum>(
    ctx: &Ctx<'_>,
    pace: &Pace,
    mut act: impl FnMut(&Ctx<'_>, Pace) -> Result<CommandOutcome<R>, Error>,
) -> Result<CommandOutcome<Total<R>>, Error> {
    let Some(schemas) = ctx.schemas()? else { return one(ctx, act(ctx, pace.clone())) };
    let began = Instant::now();
    let mut parts = Vec::new();
    let (mut exit, mut over, mut advice) = (Exit::Done, false, Vec::new());
    let mut skipped = None;
    let mut waiting = schemas.into_iter();
    for schema in waiting.by_ref() {
        ctx.talk.detail(&format!("schema \"{schema}\""));
        let ctx = &ctx.in_schema(schema.clone());
        let done = parts
            .iter()
            .filter_map(|part: &InSchema<R>| part.report.as_ref())
            .map(R::changed)
            .sum();
        let acted = act(ctx, pace.left(done, began.elapsed()));
        let (report, failed) = match acted {
            Err(error) => (None, Err(similar_keys::explain(ctx, error))),
            Ok(CommandOutcome { skipped: Some(holder), exit: of_skipped, .. }) => {
                exit = exit.worse(of_skipped);
                skipped = Some((schema, holder));
                break;
            }
            Ok(outcome) => {
                over = outcome.over;
                exit = exit.worse(outcome.exit);
                advice.extend(outcome.advice);
                (outcome.report, outcome.failed)
            }
        };
        let error = failed.as_ref().err().map(ToString::to_string);
        parts.push(InSchema { schema: schema.clone(), report, error });
        if let Err(error) = failed {
            exit = exit.worse(context::exit(&error, ctx.stop));
            over |= ends_all(&error);
            ctx.talk.error(&Error::InSchema { schema, source: Box::new(error) });
        }
        if over {
            break;
        }
    }
    if let Some((schema, holder)) = &skipped {
        exit = exit.worse(skip(ctx, schema, holder, parts.is_empty()));
    }
    let (schema, holder) = skipped.unzip();
    let not_begun = schema.into_iter().chain(waiting).collect();
    let report = Some(Total::of_many(parts, not_begun));
    Ok(CommandOutcome { report, failed: Ok(()), exit, advice, over, skipped: holder })
}

/// The outcome of the command on a single table.
fn one<R: Sum>(
    ctx: &Ctx<'_>,
    acted: Result<CommandOutcome<R>, Error>,
) -> Result<CommandOutcome<Total<R>>, Error> {
    let outcome = acted.map_err(|error| similar_keys::explain(ctx, error))?;
    if let Some(holder) = &outcome.skipped {
        report_holder(ctx, holder);
    }
    let CommandOutcome { report, failed, exit, advice, over, skipped } = outcome;
    let report = report.map(Total::of_one);
    Ok(CommandOutcome { report, failed, exit, advice, over, skipped })
}

/// Says why nothing is purged.
fn report_holder(ctx: &Ctx<'_>, holder: &Holder) {
    let why = Error::AnotherInstance(holder.clone());
    match holder {
        Holder::Sessctl => ctx.talk.note(&format!("{why}: nothing to do")),
        Holder::Unknown(_) => ctx.talk.warning(&format!("{why}: nothing was purged")),
    }
}

/// Decides the exit code if the purge lock is held; one lock covers all schemas of a database. If another
/// sessctl held it from the start, that one does the work. If it took the lock later, its schemas are
/// unknown.
fn skip(ctx: &Ctx<'_>, schema: &str, holder: &Holder, is_first: bool) -> Exit {
    if is_first {
        report_holder(ctx, holder);
        return Exit::Done;
    }
    let why = Error::AnotherInstance(holder.clone());
    ctx.talk.warning(&format!("{why}: schema \"{schema}\" and those after it were skipped"));
    Exit::Incomplete
}

/// Whether the next schema would fail with the same error.
fn ends_all(error: &Error) -> bool {
    match error {
        Error::Store(error) => matches!(error.fault(), Fault::Lost | Fault::Stopped),
        Error::Interrupted { .. } | Error::AnotherInstance(_) => true,
        _ => false,
    }
}

//! `flush-all`: everybody's sessions.

mod census;
mod spared;

use std::time::{Duration, Instant};

use super::Ctx;
use super::cache_keys::CacheKeys;
use super::deed::{Deed, Told};
use super::how::How;
use super::keep_data;
use super::pacing::{ending, paused};
use super::references;
use super::rounds::{Outcome, Plan};
use super::schemas;
use super::survey::{Wanted, Who};
use crate::cli::FlushAll;
use crate::codec::UserIds;
use crate::consent::{Ask, Consent};
use crate::engine::{Driver, Pace, Tally, Why, Work};
use crate::error::{Error, Exit};
use crate::report::{Census, FlushReport};
use crate::store::Store;
use crate::{settings, ui};

pub(super) fn run(ctx: &mut Ctx<'_>, args: &FlushAll) -> Result<Exit, Error> {
    let audit = (!args.dry_run).then_some(&args.audit);
    let told = Told { command: "flush-all", format: args.format, audit };
    told.of(ctx, |ctx| {
        let pace = settings::pace(&args.pace, &ctx.database()?.target)?;
        let pace = keep_data::pace(pace, args.keep_data);
        let task = Task::of(ctx, args)?;
        schemas::each(ctx, &pace, |ctx, pace| task.run(ctx, pace))
    })
}

/// What is to be done, in whatever table.
struct Task<'a> {
    args: &'a FlushAll,
    how: How,
    spared: UserIds,
    cache: CacheKeys,
}

impl<'a> Task<'a> {
    fn of(ctx: &mut Ctx<'_>, args: &'a FlushAll) -> Result<Self, Error> {
        let how = How::asked(args.cleanup_allauth, args.keep_data, args.truncate)?;
        settings::refuse_blank("--except-user", &args.except_users)?;
        let spared = args.except_users.iter().collect();
        ctx.note_unchecked();
        keep_data::check(ctx, args.keep_data)?;
        if ctx.is_about_many() && !args.yes && !args.dry_run {
            return Err(Error::NotConfirmed);
        }
        let cache = CacheKeys::asked(ctx, args.print_cache_keys)?;
        spared::demand(ctx, &args.except_users)?;
        Ok(Self { args, how, spared, cache })
    }

    fn run(&self, ctx: &mut Ctx<'_>, pace: Pace) -> Result<Deed<FlushReport>, Error> {
        let Self { args, how, ref spared, ref cache } = *self;
        let began = Instant::now();
        let store = ctx.open()?;
        let mut reader = store.reader()?;
        if !args.dry_run {
            reader.demand_writes()?;
        }
        how.check(ctx, &*store, args.dry_run)?;
        if args.truncate {
            references::refuse(&mut *reader)?;
        }
        references::note(ctx, &mut *reader)?;
        drop(reader);
        let census = census(ctx, &*store, args, spared)?;
        let consent = consent(ctx, args, census.as_ref())?;

        let flush = Flush { ctx, store: &*store, args, spared, how, cache };
        let (outcome, done) = flush.run(consent, pace)?;
        let exit = cache.exit(outcome.exit(), args.dry_run);
        let report = FlushReport {
            cached: cache.may_hold(),
            elapsed_seconds: began.elapsed().as_secs_f64(),
            ..report(args, census, &outcome, done)
        };
        Ok(Deed::new(report, outcome.ended, exit))
    }
}

/// Counts what is there, except where the table is to be emptied at once and unasked.
fn census(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    args: &FlushAll,
    spared: &UserIds,
) -> Result<Option<Census>, Error> {
    if args.truncate && args.yes {
        return Ok(None);
    }
    let (census, found) = census::take(ctx, store, spared)?;
    let intent =
        ui::flush_intent(&census, args.authenticated_only, args.keep_data, !spared.is_empty());
    let place =
        ctx.schema.as_ref().map_or(String::new(), |schema| format!("schema \"{schema}\": "));
    ctx.talk.note(&format!("{place}{intent}"));
    for user in args.except_users.iter().filter(|user| !found.contains(user)) {
        ctx.talk.note(&format!("{place}user {user}, who is to be spared, has no live session"));
    }
    Ok(Some(census))
}

fn consent(
    ctx: &Ctx<'_>,
    args: &FlushAll,
    census: Option<&Census>,
) -> Result<Option<Consent>, Error> {
    if args.dry_run {
        return Ok(Consent::from_ask(Ask::DryRun));
    }
    if args.yes {
        return Ok(Consent::from_ask(Ask::Explicit));
    }
    let rows = census.map_or(0, |census| census.rows);
    let question = format!("Type the number of rows in the table ({rows}) to go on:");
    let answer = ctx.stop.unheeded(|| ui::ask(&question)).unwrap_or_default();
    match Consent::from_ask(Ask::Typed { rows, answer: &answer }) {
        None => Err(Error::NotConfirmed),
        consent => Ok(consent),
    }
}

struct Flush<'f, 'c> {
    ctx: &'f Ctx<'c>,
    store: &'f dyn Store,
    args: &'f FlushAll,
    spared: &'f UserIds,
    how: How,
    cache: &'f CacheKeys,
}

impl Flush<'_, '_> {
    fn run(&self, consent: Option<Consent>, pace: Pace) -> Result<(Outcome, Tally), Error> {
        let (ctx, store) = (self.ctx, self.store);
        let mut driver = consent.map(|consent| {
            let (stop, progress) = (ctx.stop, &*ctx.progress);
            Driver::new(Work { store, consent, stop, pace, progress })
        });
        let begun = driver.as_mut().map_or(Ok(()), |driver| {
            if self.args.truncate {
                driver.few_times(|writer| writer.truncate())
            } else {
                self.how.may(driver)
            }
        });
        let outcome = match begun {
            Err(Why::Failed(error)) => return Err(error.into()),
            Err(interrupted) => Outcome::interrupted(interrupted),
            Ok(()) => Outcome::run(ctx, &self.plan(driver.is_some()), driver.as_mut())?,
        };
        Ok((outcome, driver.map(|driver| driver.done()).unwrap_or_default()))
    }

    /// Afterwards nobody may be logged in; new visitors may be there.
    fn plan(&self, acting: bool) -> Plan<'_> {
        let wanted = |who| Wanted { who, saved: None, spared: None, by_user: None, skim: false };
        let logins = wanted(Who::AllBut(self.spared));
        let emptied = self.args.truncate && acting;
        let only_logins = self.args.authenticated_only || self.args.keep_data || emptied;
        Plan {
            store: self.store,
            wanted: if only_logins { logins } else { wanted(Who::EverythingBut(self.spared)) },
            unwanted: Some(logins),
            settle: Duration::ZERO,
            how: self.how,
            cache: self.cache,
            emptied,
        }
    }
}

fn report(args: &FlushAll, census: Option<Census>, outcome: &Outcome, done: Tally) -> FlushReport {
    FlushReport {
        command: "flush-all",
        dry_run: args.dry_run,
        census,
        matched: outcome.matched,
        deleted: (!outcome.emptied).then_some(outcome.deleted),
        allauth_deleted: (args.cleanup_allauth && !args.dry_run).then_some(outcome.allauth),
        rewritten: outcome.rewritten,
        remaining: outcome.remaining,
        not_deleted: outcome.not_deleted,
        some_spared: !args.except_users.is_empty(),
        rounds: outcome.rounds,
        unverified: outcome.unverified,
        unreadable: outcome.unreadable,
        cached: false,
        ended: ending(&outcome.ended),
        paused: paused(done),
        batches: outcome.batches,
        elapsed_seconds: 0.0,
    }
}

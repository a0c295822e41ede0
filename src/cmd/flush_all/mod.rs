//! `flush-all`: logs out all users, except those of `--except-user`.

mod census;
mod report;
mod spared;
mod words;

use std::io::Write;
use std::time::{Duration, Instant};

use django_session::UserIds;

use self::census::Counted;
use self::report::FlushReport;
use super::Command;
use crate::cli::FlushAll;
use crate::consent::{Ask, Consent};
use crate::context::Ctx;
use crate::engine::{Done, Driver, Pace, StopReason, Work};
use crate::error::{Error, Exit};
use crate::model::Tally;
use crate::report::{Proof, ReferencesDeleted};
use crate::sessions::asked_users::AskedUsers;
use crate::sessions::audit::Audit;
use crate::sessions::cache_keys::CacheKeys;
use crate::sessions::command_run::{CommandOutcome, CommandRun};
use crate::sessions::confirmation::confirm;
use crate::sessions::delete_until_gone::{Outcome, Plan};
use crate::sessions::keep_data;
use crate::sessions::pacing::{ending, paused};
use crate::sessions::proof;
use crate::sessions::query::{SessionQuery, UserFilter};
use crate::sessions::record::Record;
use crate::sessions::references;
use crate::sessions::removal::Removal;
use crate::sessions::schemas;
use crate::sessions::survey::{Collect, SurveyOptions};
use crate::store::{Capability, Store};
use crate::{settings, ui};

impl Command for FlushAll {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        let run = CommandRun {
            command: "flush-all",
            format: self.format,
            out: if self.cache.print_cache_keys { &mut *ui::stderr() } else { out },
            audit: &self.audit,
            acts: !self.dry_run,
        };
        run.execute(ctx, |audit| {
            let pace = settings::pace(&self.pace, ctx.database()?.traits)?;
            let pace = keep_data::pace(pace, self.keep_data);
            let ctx = &ctx.reading_sessions();
            let task = Task::of(ctx, self)?;
            let otherwise = [(self.keep_data, "--keep-data"), (self.truncate, "--truncate")];
            let otherwise = otherwise.into_iter().find(|(given, _)| *given).map(|(_, name)| name);
            let referring = references::asked(&self.references, otherwise)?;
            let ctx = &ctx.not_knowing(task.cache.unknown_engine()).deleting_references(referring);
            spared::demand(ctx, &self.except_users)?;
            schemas::each(ctx, &pace, |ctx, pace| task.run(ctx, pace, audit))
        })
    }

    fn cache(&self) -> Option<&str> {
        self.cache.cache.as_deref()
    }

    fn prints(&self) -> bool {
        self.cache.print_cache_keys
    }

    fn replicas(&self) -> &[String] {
        &self.pace.replicas
    }
}

/// The work to do in each table.
struct Task<'a> {
    args: &'a FlushAll,
    removal: Removal,
    settle: Duration,
    cache: CacheKeys,
}

impl<'a> Task<'a> {
    fn of(ctx: &Ctx<'_>, args: &'a FlushAll) -> Result<Self, Error> {
        if args.verified_only && !args.authenticated_only && !args.keep_data {
            return Err(Error::usage(
                "--verified-only: all sessions are to go, whatever verifies them",
                "leave it out, or add --authenticated-only",
            ));
        }
        let removal = Removal::of(args.keep_data);
        let settle = settings::duration("--settle", &args.settle)?;
        settings::refuse_blank("--except-user", &args.except_users)?;
        ctx.demand_key(args.verified_only)?;
        keep_data::check(ctx, args.keep_data)?;
        if ctx.is_about_many() && !args.yes && !args.dry_run {
            return Err(Error::NotConfirmed);
        }
        let cache = CacheKeys::asked(ctx, &args.cache, args.dry_run)?;
        Ok(Self { args, removal, settle, cache })
    }

    fn run(
        &self,
        ctx: &Ctx<'_>,
        pace: Pace,
        audit: Option<&Audit>,
    ) -> Result<CommandOutcome<FlushReport>, Error> {
        let Self { args, removal, settle, ref cache } = *self;
        let began = Instant::now();
        // Otherwise the operator is asked first, which may take time.
        if args.yes || args.dry_run {
            ctx.begin(&pace);
        }
        let store = ctx.open()?;
        let asked = AskedUsers::of(ctx, &*store, None, &args.except_users, false)?;
        let spared = &asked.set();
        let needs_keys = self.may_begin(ctx, &*store)?;
        let known = proof::before_logout(ctx, &*store)?;
        let counted = census(ctx, &*store, args, &asked)?;
        let census = counted.as_ref().map(|counted| counted.tally);
        let consent = consent(ctx, args, census.as_ref())?;

        let key_is_right = census.is_some_and(|tally| tally.signatures.valid > 0);
        // Checked before anything is deleted. A table that is truncated is not counted.
        let saw_login = census.is_some_and(|tally| tally.named() > 0);
        let others = proof::other_tables(ctx, &*store, Some(UserFilter::AllBut(spared)), saw_login);
        let record = Record { audit, cache };
        let flush = Flush {
            ctx,
            store: &*store,
            args,
            spared,
            removal,
            settle,
            record,
            key_is_right,
            needs_keys,
        };
        let (mut outcome, done) = flush.run(consent, pace)?;
        let all_go = !args.authenticated_only && !args.keep_data;
        if all_go && !spared.is_empty() {
            outcome.matches.maybe_spared = census.map_or(0, |tally| tally.unreadable);
        }
        outcome.doubts.extend(known.into_iter().chain(others).chain(asked.doubt));
        outcome.doubts.extend(cache.doubts(ctx, args.dry_run));
        proof::warn(ctx, &outcome);
        let exit = cache.exit(outcome.exit(), args.dry_run);
        let mut report = FlushReport {
            verdict: proof::of(&outcome, cache, args.dry_run),
            references: outcome.references.report(ctx, args.dry_run),
            secret_keys: ctx.codec.keyring.len(),
            cached: cache.may_hold(),
            cache_entries_deleted: cache.entries_deleted(),
            engine_unknown: cache.is_unknown(),
            elapsed_seconds: began.elapsed().as_secs_f64(),
            census: counted.as_ref().map(Counted::census),
            ..report(args, census, &mut outcome, done)
        };
        if let Some(counted) = counted.filter(|_| all_go && (args.dry_run || !args.truncate)) {
            counted.report_unverified(&mut report);
        }
        Ok(CommandOutcome::new(report, outcome.ended, exit))
    }

    /// Refuses what the table does not allow, before anything is done. Returns whether a dry run needs keys.
    fn may_begin(&self, ctx: &Ctx<'_>, store: &dyn Store) -> Result<bool, Error> {
        let args = self.args;
        let mut reader = store.reader()?;
        if !args.dry_run {
            reader.demand_writes()?;
        }
        self.removal.check(store)?;
        if args.truncate {
            store.demand(Capability::Truncate)?;
            references::refuse(&mut *reader)?;
        }
        let references = references::note(ctx, &mut *reader)?;
        Ok(!args.keep_data && references::need_keys(ctx, &references))
    }
}

/// Counts the rows, unless the table is truncated without a question.
fn census(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    args: &FlushAll,
    asked: &AskedUsers,
) -> Result<Option<Counted>, Error> {
    if args.truncate && args.yes {
        return Ok(None);
    }
    let counted = census::take(ctx, store, &asked.set())?;
    let (census, found) = (counted.census(), &counted.found);
    let intent =
        words::intent(&census, args.authenticated_only, args.keep_data, !asked.ids.is_empty());
    let place =
        ctx.schema.as_ref().map_or(String::new(), |schema| format!("schema \"{schema}\": "));
    ctx.talk.note(&format!("{place}{intent}"));
    for user in args.except_users.iter().filter(|user| !asked.is_among(user, found)) {
        ctx.talk.note(&format!("{place}user {user}, who is to be spared, has no live session"));
    }
    Ok(Some(counted))
}

fn consent(
    ctx: &Ctx<'_>,
    args: &FlushAll,
    census: Option<&Tally>,
) -> Result<Option<Consent>, Error> {
    if args.dry_run {
        return Ok(Consent::from_ask(Ask::DryRun));
    }
    if args.yes {
        return Ok(Consent::from_ask(Ask::Explicit));
    }
    let rows = census.map_or(0, |tally| tally.scanned);
    let question = format!("Type the number of rows in the table ({rows}) to go on:");
    confirm(ctx, rows, &question)
}

struct Flush<'f, 'c> {
    ctx: &'f Ctx<'c>,
    store: &'f dyn Store,
    args: &'f FlushAll,
    spared: &'f UserIds,
    removal: Removal,
    settle: Duration,
    record: Record<'f>,
    /// Whether a key verifies a row of the table.
    key_is_right: bool,
    /// Whether a dry run needs the keys of sessions, because rows of other tables refer to them.
    needs_keys: bool,
}

impl Flush<'_, '_> {
    fn run(&self, consent: Option<Consent>, pace: Pace) -> Result<(Outcome, Done), Error> {
        let (ctx, store) = (self.ctx, self.store);
        ctx.begin(&pace);
        let mut driver = consent.map(|consent| {
            let (stop, progress) = (ctx.stop, ctx.progress);
            Driver::new(Work { store, consent, stop, pace, progress })
        });
        let begun = driver.as_mut().map_or(Ok(()), |driver| {
            if self.args.truncate {
                driver.few_times(|writer| writer.truncate())
            } else {
                self.removal.may(driver)
            }
        });
        let outcome = match begun {
            Err(StopReason::Failed(error)) => return Err(error.into()),
            Err(interrupted) => Outcome::interrupted(interrupted),
            Ok(()) => Outcome::run(ctx, &self.plan(driver.is_some()), driver.as_mut())?,
        };
        Ok((outcome, driver.map(|driver| driver.done()).unwrap_or_default()))
    }

    /// The plan: at the end no login may be left, but anonymous rows of new visitors may exist.
    fn plan(&self, acting: bool) -> Plan<'_> {
        let options = |who| SurveyOptions {
            query: SessionQuery { verified_only: self.args.verified_only, ..SessionQuery::of(who) },
            by_user: None,
            skim: false,
            collect: if acting { Collect::Keys } else { Collect::of_dry_run(self.needs_keys) },
            key_is_right: self.key_is_right,
        };
        let logins = options(UserFilter::AllBut(self.spared));
        let emptied = self.args.truncate && acting;
        let only_logins = self.args.authenticated_only || self.args.keep_data;
        Plan {
            store: self.store,
            first: if only_logins || emptied {
                logins
            } else {
                options(UserFilter::EverythingBut(self.spared))
            },
            proof: Some(logins),
            settle: self.settle,
            removal: self.removal,
            record: self.record,
            emptied,
            doubts_no_login: only_logins,
        }
    }
}

fn report(args: &FlushAll, tally: Option<Tally>, outcome: &mut Outcome, done: Done) -> FlushReport {
    FlushReport {
        command: "flush-all",
        dry_run: args.dry_run,
        census: None,
        tally,
        matches: outcome.matches,
        unverified_users: outcome.unverified_users(),
        verdict: Proof::Unknown,
        doubts: std::mem::take(&mut outcome.doubts),
        secret_keys: 0,
        deleted: (!outcome.emptied).then_some(outcome.deleted),
        references: ReferencesDeleted::default(),
        rewritten: outcome.rewritten,
        remaining: outcome.remaining,
        not_deleted: outcome.not_deleted,
        kept: outcome.referenced(),
        some_spared: !args.except_users.is_empty(),
        rounds: outcome.rounds,
        cached: false,
        cache_entries_deleted: None,
        verified_only: args.verified_only,
        engine_unknown: false,
        ended: ending(&outcome.ended),
        paused: paused(done),
        batches: outcome.batches,
        elapsed_seconds: 0.0,
    }
}

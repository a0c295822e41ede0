//! `delete`: deletes live sessions by what they are, or one session.

mod report;
mod words;

use std::io::Write;
use std::time::{Duration, Instant};

use django_session::UserIds;

use self::report::DeleteReport;
use super::Command;
use crate::cli::Delete;
use crate::consent::{Ask, Consent};
use crate::context::Ctx;
use crate::engine::{Done, Driver, Pace, StopReason, Work};
use crate::error::{Error, Exit};
use crate::model::{SavedWindow, counted};
use crate::report::{Doubt, Proof, ReferencesDeleted};
use crate::sessions::audit::Audit;
use crate::sessions::cache_keys::CacheKeys;
use crate::sessions::command_run::{CommandOutcome, CommandRun};
use crate::sessions::conditions::Conditions;
use crate::sessions::confirmation::confirm;
use crate::sessions::delete_until_gone::{Outcome, Plan};
use crate::sessions::find::find;
use crate::sessions::pacing::{ending, paused};
use crate::sessions::proof;
use crate::sessions::query::{Newest, SessionQuery, UserFilter};
use crate::sessions::record::Record;
use crate::sessions::references;
use crate::sessions::removal::Removal;
use crate::sessions::schemas;
use crate::sessions::survey::{Collect, SurveyOptions};
use crate::sessions::user_names::UserNames;
use crate::store::Store;
use crate::{settings, ui};

impl Command for Delete {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        // Validate before writing the audit log: `--session` may contain a whole session key.
        let session = self.session.as_deref();
        let session =
            session.map(|prefix| settings::key_prefix("--session", prefix)).transpose()?;
        let run = CommandRun {
            command: "delete",
            format: self.format,
            out: if self.cache.print_cache_keys { &mut *ui::stderr() } else { out },
            audit: &self.audit,
            acts: !self.dry_run,
        };
        run.execute(ctx, |audit| {
            let ctx = &ctx.reading_sessions();
            let task = Task::of(ctx, self, session)?;
            let pace = settings::pace(&self.pace, ctx.database()?.traits)?;
            let referring = references::asked(&self.references, None)?;
            let ctx = &ctx.not_knowing(task.cache.unknown_engine()).deleting_references(referring);
            schemas::each(ctx, &pace, |ctx, pace| task.run(ctx, pace, audit))
        })
    }

    fn cache(&self) -> Option<&str> {
        self.cache.cache.as_deref()
    }

    fn prints(&self) -> bool {
        self.cache.print_cache_keys
    }

    fn reads_stdin(&self) -> usize {
        usize::from(self.session.as_deref() == Some("-"))
    }

    fn replicas(&self) -> &[String] {
        &self.pace.replicas
    }
}

/// The work to do in each table.
struct Task<'a> {
    args: &'a Delete,
    which: Which,
    /// Users whose sessions stay.
    nobody: UserIds,
    removal: Removal,
    settle: Duration,
    saved: Option<SavedWindow>,
    cache: CacheKeys,
}

/// Which sessions are to go.
enum Which {
    /// Those that meet these.
    Meeting(Conditions),
    /// Of each user those beyond the newest so many.
    Beyond,
    /// The one whose key begins so.
    One(String),
}

impl<'a> Task<'a> {
    fn of(ctx: &Ctx<'_>, args: &'a Delete, session: Option<String>) -> Result<Self, Error> {
        let saved = ctx.saved_window(&args.saved)?;
        ctx.refuse_many("--session", session.is_some())?;
        let conditions = Conditions::of(ctx, &args.conditions)?;
        let which = match (session, args.beyond_newest, conditions) {
            (Some(prefix), ..) => Which::One(prefix),
            (None, Some(_), _) => Which::Beyond,
            (None, None, Some(conditions)) => Which::Meeting(conditions.for_deletion(ctx)),
            (None, None, None) if saved.is_some() => {
                Which::Meeting(Conditions::default().for_deletion(ctx))
            }
            (None, None, None) => {
                return Err(Error::usage(
                    "delete: which sessions? None were described, and all live ones would go",
                    "describe them, as --anonymous, --idle 30d or --match KEY=VALUE (see `sessctl delete --help`), or name one \
                     with --session; `sessctl logout-user` ends those of a user, `sessctl flush-all` all",
                ));
            }
        };
        if ctx.is_about_many() && !args.yes && !args.dry_run {
            return Err(Error::NotConfirmed);
        }
        Ok(Self {
            args,
            which,
            removal: Removal::Delete,
            nobody: UserIds::default(),
            settle: settings::duration("--settle", &args.settle)?,
            saved,
            cache: CacheKeys::asked(ctx, &args.cache, args.dry_run)?,
        })
    }

    fn run(
        &self,
        ctx: &Ctx<'_>,
        pace: Pace,
        audit: Option<&Audit>,
    ) -> Result<CommandOutcome<DeleteReport>, Error> {
        let Self { args, removal, ref cache, .. } = *self;
        let began = Instant::now();
        let store = ctx.open()?;
        let mut reader = store.reader()?;
        if !args.dry_run {
            reader.demand_writes()?;
        }
        removal.check(&*store)?;
        let references = references::note(ctx, &mut *reader)?;
        let one;
        let conditions = match &self.which {
            Which::Meeting(conditions) => Some(conditions),
            Which::Beyond => None,
            Which::One(prefix) => {
                let found = find(&mut *reader, prefix)?;
                one = Conditions::of_session(found.row()?.key).for_deletion(ctx);
                Some(&one)
            }
        };
        drop(reader);
        let known = known_doubts(ctx, &*store, conditions)?;
        let needs_keys = references::need_keys(ctx, &references);
        let deletion = Deletion { ctx, task: self, store: &*store, conditions, audit };
        let (mut outcome, done) = deletion.run(needs_keys, pace)?;
        let of_one = matches!(self.which, Which::One(_));
        if outcome.ended.is_ok() && !of_one && outcome.named == 0 {
            outcome.doubts.extend(proof::other_tables(ctx, &*store, None, false));
        }
        if !outcome.preview.is_empty() {
            UserNames::of(ctx, &*store, None)?.add(ctx, &mut outcome.preview);
        }
        outcome.doubts.splice(0..0, known);
        outcome.doubts.extend(cache.doubts(ctx, args.dry_run));
        proof::warn(ctx, &outcome);
        let exit = cache.exit(outcome.exit(), args.dry_run);
        let report = DeleteReport {
            conditions: self.typed(conditions),
            verdict: proof::of(&outcome, cache, args.dry_run),
            references: outcome.references.report(ctx, args.dry_run),
            secret_keys: ctx.codec.keyring.len(),
            cached: cache.may_hold(),
            cache_entries_deleted: cache.entries_deleted(),
            engine_unknown: cache.is_unknown(),
            elapsed_seconds: began.elapsed().as_secs_f64(),
            ..report(args, &mut outcome, done)
        };
        Ok(CommandOutcome::new(report, outcome.ended, exit))
    }

    /// All conditions as they were typed.
    fn typed(&self, conditions: Option<&Conditions>) -> Vec<String> {
        let beyond = self.args.beyond_newest.iter().map(|keep| format!("--beyond-newest {keep}"));
        let saved = &self.args.saved;
        let idle = saved.idle.iter().map(|idle| format!("--idle {idle}"));
        let window = (!saved.saved_between.is_empty())
            .then(|| format!("--saved-between {}", saved.saved_between.join(" ")));
        let conditions = conditions.map(Conditions::typed).unwrap_or_default().iter().cloned();
        conditions.chain(beyond).chain(idle).chain(window).collect()
    }
}

/// The doubts that are known before the first scan. If logins may be unread, it is unknown which sessions are anonymous; other
/// conditions do not depend on logins.
fn known_doubts(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    conditions: Option<&Conditions>,
) -> Result<Vec<Doubt>, Error> {
    let mut known = proof::before_logout(ctx, store)?;
    let Some(conditions) = conditions else { return Ok(known) };
    if conditions.are_for_visitors() {
        refuse_unknown_logins(&known)?;
    }
    known.retain(|doubt| !matches!(doubt, Doubt::OwnForm { .. }));
    Ok(known)
}

/// Refuses to take sessions for anonymous where logins may be under other keys, or in another form, than are read.
fn refuse_unknown_logins(doubts: &[Doubt]) -> Result<(), Error> {
    let is_unknown =
        |doubt: &&Doubt| matches!(doubt, Doubt::NoLogin { .. } | Doubt::OwnForm { .. });
    match doubts.iter().find(is_unknown) {
        None => Ok(()),
        Some(doubt) => Err(Error::usage(
            "--anonymous: it is not known which sessions hold a login, so nothing was deleted",
            ui::doubt(doubt),
        )),
    }
}

/// The sessions to delete in one table.
struct Deletion<'d, 'c> {
    ctx: &'d Ctx<'c>,
    task: &'d Task<'d>,
    store: &'d dyn Store,
    /// What sessions have to be; `None` if those beyond the newest are to go.
    conditions: Option<&'d Conditions>,
    audit: Option<&'d Audit>,
}

impl Deletion<'_, '_> {
    fn plan(&self, collect: Collect) -> Plan<'_> {
        let users = match self.conditions {
            Some(_) => UserFilter::Anybody,
            None => UserFilter::AllBut(&self.task.nobody),
        };
        let query = SessionQuery {
            saved: self.task.saved,
            conditions: self.conditions,
            newest: Newest::of(self.task.args.beyond_newest),
            ..SessionQuery::of(users)
        };
        let options =
            SurveyOptions { query, by_user: None, skim: false, collect, key_is_right: false };
        Plan {
            store: self.store,
            first: options,
            proof: (collect == Collect::Keys)
                .then(|| SurveyOptions { query: query.proving(), ..options }),
            settle: self.task.settle,
            removal: self.task.removal,
            record: Record { audit: self.audit, cache: &self.task.cache },
            emptied: false,
            doubts_no_login: self.conditions.is_none_or(Conditions::are_for_visitors),
        }
    }

    /// Deletes them. A scan that counts goes before that where the operator is asked, or where it shows whether logins are
    /// known.
    fn run(&self, needs_keys: bool, pace: Pace) -> Result<(Outcome, Done), Error> {
        let is_for_visitors = self.conditions.is_some_and(Conditions::are_for_visitors);
        let at_once = !(self.task.args.dry_run || self.asks() || is_for_visitors);
        if let Some(consent) = Consent::from_ask(Ask::Explicit).filter(|_| at_once) {
            return self.act(consent, pace);
        }
        let plan = self.plan(Collect::of_dry_run(needs_keys));
        let found = Outcome::run(self.ctx, &plan, None)?;
        if is_for_visitors {
            refuse_unknown_logins(&found.doubts)?;
        }
        match self.consent(&found)? {
            None => Ok((found, Done::default())),
            Some(consent) => self.act(consent, pace),
        }
    }

    /// Whether the operator is asked before anything is deleted.
    fn asks(&self) -> bool {
        !(self.task.args.yes || matches!(self.task.which, Which::One(_)))
    }

    /// The operator's consent to delete what a dry run found. `None` in a dry run, or if that was interrupted.
    fn consent(&self, found: &Outcome) -> Result<Option<Consent>, Error> {
        if self.task.args.dry_run || found.ended.is_err() {
            return Ok(Consent::from_ask(Ask::DryRun));
        }
        let sessions = found.matches.matched.saturating_sub(found.kept.count());
        if !self.asks() || sessions == 0 {
            return Ok(Consent::from_ask(Ask::Explicit));
        }
        self.ctx.talk.note(&format!(
            "{} of {} are to go: {}",
            sessions,
            counted(found.tally.scanned, "live session"),
            words::kinds(&found.kinds)
        ));
        let question = format!("Type the number of sessions to delete ({sessions}) to go on:");
        confirm(self.ctx, sessions, &question)
    }

    fn act(&self, consent: Consent, pace: Pace) -> Result<(Outcome, Done), Error> {
        let Self { ctx, store, task, .. } = *self;
        // The operator may have taken time to answer.
        ctx.begin(&pace);
        let (stop, progress) = (ctx.stop, ctx.progress);
        let mut driver = Driver::new(Work { store, consent, stop, pace, progress });
        let outcome = match task.removal.may(&mut driver) {
            Err(StopReason::Failed(error)) => return Err(error.into()),
            Err(interrupted) => Outcome::interrupted(interrupted),
            Ok(()) => Outcome::run(ctx, &self.plan(Collect::Keys), Some(&mut driver))?,
        };
        Ok((outcome, driver.done()))
    }
}

fn report(args: &Delete, outcome: &mut Outcome, done: Done) -> DeleteReport {
    // Computed before the doubts are moved.
    let unsure = outcome.is_unsure();
    DeleteReport {
        command: "delete",
        conditions: Vec::new(),
        dry_run: args.dry_run,
        scanned: outcome.scanned,
        matches: outcome.matches,
        kinds: outcome.kinds,
        tally: outcome.tally,
        verdict: Proof::Unknown,
        doubts: std::mem::take(&mut outcome.doubts),
        secret_keys: 0,
        deleted: outcome.deleted,
        references: ReferencesDeleted::default(),
        remaining: outcome.remaining,
        not_deleted: outcome.not_deleted,
        kept: outcome.referenced(),
        rounds: outcome.rounds,
        cached: false,
        cache_entries_deleted: None,
        ended: ending(&outcome.ended),
        paused: paused(done),
        batches: outcome.batches,
        elapsed_seconds: 0.0,
        is_of_newest: args.beyond_newest.is_some(),
        unverified_left: outcome.unverified_left,
        engine_unknown: false,
        unsure,
        preview: std::mem::take(&mut outcome.preview),
    }
}

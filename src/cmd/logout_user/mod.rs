//! `logout-user`: logs out some users by ending their live sessions.

mod access_words;
mod named_words;
mod report;
mod words;

use std::io::Write;
use std::time::{Duration, Instant};

use django_session::{Decoder, UserIds};

use self::report::LogoutReport;
use super::Command;
use crate::cli::LogoutUser;
use crate::context::Ctx;
use crate::engine::{Driver, Pace, StopReason, Work};
use crate::error::{Error, Exit};
use crate::model::{SavedWindow, counted};
use crate::sessions::asked_users::AskedUsers;
use crate::sessions::audit::Audit;
use crate::sessions::cache_keys::CacheKeys;
use crate::sessions::command_run::{CommandOutcome, CommandRun};
use crate::sessions::delete_until_gone::{Outcome, Plan};
use crate::sessions::find::find;
use crate::sessions::keep_data;
use crate::sessions::lookup::by_user;
use crate::sessions::named_users::NamedUsers;
use crate::sessions::other_credentials::Access;
use crate::sessions::proof;
use crate::sessions::query::{Newest, SessionQuery, UserFilter};
use crate::sessions::record::Record;
use crate::sessions::references;
use crate::sessions::removal::Removal;
use crate::sessions::schemas;
use crate::sessions::survey::{Collect, SurveyOptions};
use crate::sessions::unfit_ids::GivenIds;
use crate::sessions::user_selectors::{self, Meant};
use crate::settings::{self, Ids};
use crate::store::{ByUser, Store};
use crate::ui;

impl Command for LogoutUser {
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error> {
        // Validate before writing the audit log: `--except` may contain a whole session key.
        let except = self.except.as_deref();
        let except = except.map(|prefix| settings::key_prefix("--except", prefix)).transpose()?;
        let run = CommandRun {
            command: "logout-user",
            format: self.format,
            out: if self.cache.print_cache_keys { &mut *ui::stderr() } else { out },
            audit: &self.audit,
            acts: !self.dry_run,
        };
        run.execute(ctx, |audit| {
            let pace = keep_data::pace(settings::batches(&self.batches)?, self.keep_data);
            let ctx = &ctx.reading_sessions();
            let task = Task::of(ctx, self, except)?;
            let keep_data = self.keep_data.then_some("--keep-data");
            let referring = references::asked(&self.references, keep_data)?;
            let ctx = &ctx.not_knowing(task.cache.unknown_engine()).deleting_references(referring);
            task.check(ctx)?;
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
        let from_file = self.from_file.as_deref().is_some_and(settings::is_stdin);
        usize::from(from_file) + usize::from(self.except.as_deref() == Some("-"))
    }
}

/// The work to do in each table.
struct Task<'a> {
    args: &'a LogoutUser,
    given: Ids,
    /// The beginning of the key of the session that stays.
    except: Option<String>,
    removal: Removal,
    settle: Duration,
    saved: Option<SavedWindow>,
    cache: CacheKeys,
}

/// The result in one table.
struct Ran {
    outcome: Outcome,
    /// The user column that was used.
    column: Option<String>,
    named: NamedUsers,
    access: Access,
}

impl Ran {
    fn interrupted(reason: StopReason) -> Self {
        Self {
            outcome: Outcome::interrupted(reason),
            column: None,
            named: NamedUsers::default(),
            access: Access::nothing(),
        }
    }
}

impl<'a> Task<'a> {
    fn of(ctx: &Ctx<'_>, args: &'a LogoutUser, except: Option<String>) -> Result<Self, Error> {
        let given = settings::user_ids(args)?;
        let removal = Removal::of(args.keep_data);
        let settle = settings::duration("--settle", &args.settle)?;
        let saved = ctx.saved_window(&args.saved)?;
        ctx.refuse_many("--except", except.is_some())?;
        ctx.demand_key(args.verified_only)?;
        keep_data::check(ctx, args.keep_data)?;
        let cache = CacheKeys::asked(ctx, &args.cache, args.dry_run)?;
        Ok(Self { args, given, except, removal, settle, saved, cache })
    }

    /// Refuses ids and names that no user can have in any of the tables.
    fn check(&self, ctx: &Ctx<'_>) -> Result<(), Error> {
        user_selectors::demand(ctx, &self.args.selectors, self.args.dry_run)
            .map_err(nobody_is_logged_out)?;
        if ctx.is_about_many() {
            given_ids(self.args, &self.given).refuse_unfit_everywhere(ctx)?;
        }
        Ok(())
    }

    fn run(
        &self,
        ctx: &Ctx<'_>,
        pace: Pace,
        audit: Option<&Audit>,
    ) -> Result<CommandOutcome<LogoutReport>, Error> {
        let Self { args, removal, ref cache, .. } = *self;
        let began = Instant::now();
        let store = ctx.open()?;
        removal.check(&*store)?;
        let references = references::note(ctx, &mut *store.reader()?)?;
        let known = proof::before_logout(ctx, &*store)?;
        let needs_keys = !args.keep_data && references::need_keys(ctx, &references);
        let meant =
            user_selectors::resolve(ctx, &*store, &args.selectors, args.dry_run, args.unfit_ids)
                .map_err(nobody_is_logged_out)?;
        let consent = meant.consent(ctx, args.dry_run, args.yes)?;
        let users = meant.with_ids(&self.given.ids);
        if users.is_empty() && !ctx.is_about_many() {
            ctx.talk.note("no user is as was asked for");
            cache.is_about_nobody();
        }
        let mut driver = consent.map(|consent| {
            let (stop, progress) = (ctx.stop, ctx.progress);
            Driver::new(Work { store: &*store, consent, stop, pace, progress })
        });
        let Ran { mut outcome, column, named, access } =
            match driver.as_mut().map_or(Ok(()), |driver| removal.may(driver)) {
                Err(StopReason::Failed(error)) => return Err(error.into()),
                Err(interrupted) => Ran::interrupted(interrupted),
                Ok(()) => {
                    self.end(ctx, &*store, (&meant, &users), needs_keys, (driver.as_mut(), audit))?
                }
            };
        drop(driver);
        note_several_backends(ctx, &meant, &outcome);
        outcome.doubts.splice(0..0, known.into_iter().chain(meant.doubt.clone()));
        outcome.doubts.extend(cache.doubts(ctx, args.dry_run));
        proof::warn(ctx, &outcome);
        let exit = access.exit(cache.exit(outcome.exit(), args.dry_run));
        named.name(&mut outcome.preview);
        let report = LogoutReport {
            resolved: meant.resolved(),
            user_table: meant.user_table.or(named.table.clone()),
            named: named.with(&outcome.sessions_of),
            unfit_ids: std::mem::take(&mut outcome.unfit_ids).into_vec(),
            verdict: proof::of(&outcome, cache, args.dry_run),
            references: outcome.references.report(ctx, args.dry_run),
            secret_keys: ctx.codec.keyring.len(),
            of_a_schema: ctx.is_about_many(),
            cached: cache.may_hold(),
            cache_entries_deleted: cache.entries_deleted(),
            engine_unknown: cache.is_unknown(),
            by_column: column.is_some() && args.lookup.trust_column,
            user_column: column,
            elapsed_seconds: began.elapsed().as_secs_f64(),
            ..LogoutReport::of(args, users, &mut outcome, access.report)
        };
        Ok(CommandOutcome::new(report, outcome.ended.and(access.ended), exit))
    }

    /// Ends the sessions of these users.
    fn end(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        (meant, users): (&Meant, &[String]),
        needs_keys: bool,
        (mut driver, audit): (Option<&mut Driver<'_>>, Option<&Audit>),
    ) -> Result<Ran, Error> {
        let args = self.args;
        if !ctx.is_about_many() {
            given_ids(args, &self.given).refuse_unfit(ctx, store)?;
        }
        let table = args.selectors.user_table.as_deref();
        let named = NamedUsers::of(ctx, store, &self.given.ids, table, meant)?;
        let asked = AskedUsers::of(ctx, store, table, users, args.selectors.deleted_users)?;
        let ids = asked.set();
        // A session that the column does not give to its user may be newer than those that it does.
        let finds = args.keep_newest.is_none() || args.lookup.trust_column;
        let by_user = by_user(ctx, store, &args.lookup, &asked.ids)?.filter(|_| finds);
        let spared = self.spared_key(ctx, store, &ids)?;
        let scans = self.scans(&ids, by_user.as_ref(), spared.as_deref(), needs_keys);
        let mut outcome =
            Outcome::run(ctx, &self.plan(store, scans, audit), driver.as_deref_mut())?;
        if !args.unfit_ids {
            let has_session = |id: &str| outcome.sessions_of.has(id);
            let absent = asked.doubt_absent(&self.given.ids, has_session, outcome.logins);
            outcome.doubts.extend(asked.doubt.into_iter().chain(absent));
        }
        if outcome.ended.is_ok() {
            let (who, saw_login) = (UserFilter::These(&ids), outcome.named > 0);
            outcome.doubts.extend(proof::other_tables(ctx, store, Some(who), saw_login));
        }
        let access = match outcome.ended {
            Ok(()) => {
                let revoking = driver.filter(|_| args.revoke_tokens);
                Access::of(ctx, store, &asked.ids, table, revoking)
            }
            Err(_) => Access::nothing(),
        };
        Ok(Ran { access, outcome, column: by_user.map(|by| by.column.name), named })
    }

    /// The scan that finds sessions, and the scan that proves that none is left. The user column finds
    /// sessions fast. The proof reads the data of all live rows, unless the operator trusts the column.
    fn scans<'l>(
        &self,
        ids: &'l UserIds,
        by_user: Option<&'l ByUser>,
        spared: Option<&'l str>,
        needs_keys: bool,
    ) -> (SurveyOptions<'l>, Option<SurveyOptions<'l>>) {
        let args = self.args;
        let proves = !args.no_verify && !args.dry_run;
        let trusted = by_user.filter(|_| args.lookup.trust_column);
        let first = SurveyOptions {
            query: SessionQuery {
                users: UserFilter::These(ids),
                saved: self.saved,
                spared,
                verified_only: args.verified_only,
                conditions: None,
                newest: Newest::of(args.keep_newest),
            },
            by_user: if proves { by_user } else { trusted },
            skim: args.keep_newest.is_none() && (args.no_verify || !args.dry_run),
            collect: if args.dry_run { Collect::of_dry_run(needs_keys) } else { Collect::Keys },
            key_is_right: false,
        };
        let proof =
            SurveyOptions { query: first.query.proving(), skim: false, by_user: trusted, ..first };
        (first, proves.then_some(proof))
    }

    fn plan<'p>(
        &'p self,
        store: &'p dyn Store,
        (first, proof): (SurveyOptions<'p>, Option<SurveyOptions<'p>>),
        audit: Option<&'p Audit>,
    ) -> Plan<'p> {
        Plan {
            store,
            first,
            proof,
            settle: self.settle,
            removal: self.removal,
            record: Record { audit, cache: &self.cache },
            emptied: false,
            doubts_no_login: proof.as_ref().unwrap_or(&first).by_user.is_none(),
        }
    }

    /// The key that `--except` names. Fails if it is another user's session: that would stay anyway, so the
    /// operator confuses it with another one.
    fn spared_key(
        &self,
        ctx: &Ctx<'_>,
        store: &dyn Store,
        ids: &UserIds,
    ) -> Result<Option<String>, Error> {
        let Some(prefix) = &self.except else { return Ok(None) };
        let found = find(&mut *store.reader()?, prefix)?;
        let row = found.row()?;
        let mut decoder = Decoder::new(ctx.codec);
        let auth = row.decode(&mut decoder).auth().unwrap_or_default();
        let users: Vec<_> = auth.user_id.into_iter().chain(auth.others).collect();
        if ids.is_empty() || users.iter().any(|id| ids.contains(id)) {
            return Ok(Some(row.key.to_owned()));
        }
        let whose = users.first().map_or("names no user".into(), |id| {
            format!("is of user \"{id}\", who is not to be logged out")
        });
        Err(Error::usage(
            format!("the session that --except names {whose}"),
            "see `sessctl list --user ID` for the sessions of a user",
        ))
    }
}

/// Says so of a refusal, which `list` makes in the same words.
fn nobody_is_logged_out(error: Error) -> Error {
    match error {
        Error::Usage { what, hint } => Error::usage(format!("{what}: nobody is logged out"), hint),
        other => other,
    }
}

/// Notes users, looked up in one table, whose logins were made by more than one authentication backend. That is
/// ordinary; but a site may have two kinds of users, each with a table and a backend, whose ids overlap.
fn note_several_backends(ctx: &Ctx<'_>, meant: &Meant, outcome: &Outcome) {
    let several = outcome.sessions_of.with_several_backends();
    if let Some(id) = several.first().filter(|_| !meant.users.is_empty()) {
        let users = counted(u64::try_from(several.len()).unwrap_or(u64::MAX), "user");
        ctx.talk.note(&format!(
            "logins of {users} were made by more than one authentication backend (`list --user {id} --format jsonl` shows \
             them): if one of these has users in another table, somebody else with that id is logged out, too",
            id = ui::sanitize(id),
        ));
    }
}

/// The ids from the command line and from the file.
fn given_ids<'a>(args: &'a LogoutUser, given: &'a Ids) -> GivenIds<'a> {
    GivenIds {
        ids: if args.unfit_ids { &[] } else { &given.ids },
        lines: Some(&given.lines),
        user_table: args.selectors.user_table.as_deref(),
        hint: "--username and --email take names; --user-table or --django names the table of users; \
               --unfit-ids takes ids of before their type was changed",
    }
}

//! One file per command. A command asks for what it needs, does it, and hands a report to `ui`.

mod asked_users;
mod audit;
mod backfill;
mod cache_keys;
mod check;
mod completions;
mod counts;
mod decode;
mod deed;
mod deleted_users;
mod describe;
mod distinct;
mod django_code;
mod doctor;
mod find;
mod flush_all;
mod how;
mod keep_data;
mod list;
mod login_keys_seen;
mod logout_user;
mod lookup;
mod man;
mod named_users;
mod nearly;
mod pacing;
mod proof;
mod purge_expired;
mod query;
mod read_few;
mod references;
mod rounds;
mod schemas;
mod show;
mod site_users;
mod stats;
mod survey;
mod unfit_ids;
mod whose;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use django_session::Codec;

use self::audit::Audit;
use self::cache_keys::CacheKeys;
use crate::cli::{Cli, Command, Global, ListFormat, Saved};
use crate::engine::{Pace, Progress, Scan, Silent};
use crate::error::{Error, Exit};
use crate::model::{Health, SavedWindow};
use crate::settings::{self, Backends, Database, Project};
use crate::stop::{Asked, Stop};
use crate::store::{
    Capability, Fault, Gone, Notice, Opening, Store, StoreError, Table, Terms, Waits,
};
use crate::ui::{self, Log, Talk};

/// One reader feeds no more workers than this, and each holds some pages in memory.
const MOST_WORKERS: usize = 8;

/// For how long expired rows are counted where that is what was asked for.
const COUNT_PATIENCE: Duration = Duration::from_secs(30);

/// What every command has at hand.
struct Ctx<'a> {
    global: &'a Global,
    project: Option<Project>,
    backends: Backends,
    /// The schema of the session table, where one is known.
    schema: Option<String>,
    /// Which database was opened, for people.
    place: OnceCell<String>,
    audit: Option<Audit>,
    /// What is not known of the site, until it is told.
    unknown: RefCell<Vec<String>>,
    codec: Codec,
    stop: &'a Stop,
    waits: Waits,
    progress: Box<dyn Progress>,
    talk: Talk,
    terms: Terms,
    out: Box<dyn Write>,
    workers: usize,
    /// Keys that one look collects.
    most_keys: usize,
}

/// Runs the command that was typed.
pub fn run(cli: &Cli, stop: &Arc<Stop>, talk: Talk, backends: Backends) -> Result<Exit, Error> {
    match begin(cli, stop, talk, backends) {
        // A monitor reads standard output, and takes 1 for a warning.
        Err(error) if matches!(cli.command, Command::Check(_)) && !error.is_broken_pipe() => {
            ui::write_check_failure(&mut ui::stdout(), &error)?;
            Ok(Exit::Checked(Health::Unknown))
        }
        ended => ended,
    }
}

fn begin(cli: &Cli, stop: &Arc<Stop>, talk: Talk, backends: Backends) -> Result<Exit, Error> {
    settings::refuse_misplaced_connection(&cli.global)?;
    settings::check_stdin(cli)?;
    let progress: Box<dyn Progress> = if talk.is_quiet() {
        Box::new(Silent)
    } else {
        Box::new(Log::new(talk, prints(&cli.command)))
    };
    let project = settings::project(&cli.global, backends, stop)?;
    if let Some(project) = &project {
        talk.detail(&project.summary());
        if let Some(warning) = project.warning() {
            talk.warning(&warning);
        }
    }
    if let Some(name) = settings::unread_fallbacks(&cli.global) {
        talk.note(&format!(
            "{name} is set and not read: with --secret-key-file, fallbacks are further lines of the file"
        ));
    }
    let mut ctx = Ctx {
        global: &cli.global,
        codec: settings::codec(&cli.global, project.as_ref())?,
        project,
        backends,
        schema: if let [schema] = &*cli.global.schemas { Some(schema.clone()) } else { None },
        place: OnceCell::new(),
        audit: None,
        unknown: RefCell::default(),
        stop,
        waits: Waits::new(Arc::clone(stop), settings::answer_timeout(&cli.global)?),
        progress,
        talk,
        terms: terms(cli, talk),
        out: ui::stdout(),
        workers: std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS),
        most_keys: survey::MOST_KEYS,
    };
    let exit = match &cli.command {
        Command::LogoutUser(args) => logout_user::run(&mut ctx, args),
        Command::PurgeExpired(args) => purge_expired::run(&mut ctx, args),
        Command::FlushAll(args) => flush_all::run(&mut ctx, args),
        Command::Backfill(args) => backfill::run(&mut ctx, args),
        Command::Check(args) => check::run(&mut ctx, args),
        Command::Doctor(args) => doctor::run(&mut ctx, args),
        Command::List(args) => list::run(&mut ctx, args),
        Command::Show(args) => show::run(&mut ctx, args),
        Command::Stats(args) => stats::run(&mut ctx, args),
        Command::Decode(args) => decode::run(&mut ctx, args),
        Command::DjangoCode(args) => django_code::run(&mut ctx, args),
        Command::Completions(args) => completions::run(&mut ctx, args),
        Command::Man(args) => man::run(&mut ctx, args),
    }?;
    match ctx.out.flush() {
        // What was done remains done, or undone, when nobody reads the report.
        Err(error) if error.kind() == ErrorKind::BrokenPipe || exit.is_hangup() => Ok(exit),
        flushed => Ok(flushed.map(|()| exit)?),
    }
}

/// How a command with this error ends: one that was asked to end has not failed.
pub fn exit(error: &Error, stop: &Stop) -> Exit {
    match stop.asked().filter(|_| error.is_passing()) {
        Some(Asked::Signal(signal)) => Exit::Interrupted(signal),
        Some(Asked::RunTime) => Exit::Incomplete,
        None => error.exit(),
    }
}

/// What the operator allows a database, and how they are told what comes up: each thing once.
fn terms(cli: &Cli, talk: Talk) -> Terms {
    let told = Mutex::new(BTreeSet::new());
    let tell = move |notice: &Notice| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(notice.clone()) {
            match notice {
                Notice::Warning(text) => talk.warning(text),
                Notice::Note(text) => talk.note(text),
            }
        }
    };
    Terms { superuser_ok: cli.global.superuser_ok, tell: Arc::new(tell) }
}

/// Whether rows or keys are printed while the work goes on.
fn prints(command: &Command) -> bool {
    match command {
        Command::List(args) => args.format != ListFormat::Count,
        Command::LogoutUser(args) => args.print_cache_keys,
        Command::FlushAll(args) => args.print_cache_keys,
        _ => false,
    }
}

impl Ctx<'_> {
    /// For commands that look into sessions.
    fn note_unchecked(&self) {
        if self.codec.keyring.is_empty() {
            self.is_unknown("its SECRET_KEY, so signatures are not checked");
        }
    }

    /// Something is not known of the site that a project would say.
    fn is_unknown(&self, what: impl Into<String>) {
        self.unknown.borrow_mut().push(what.into());
    }

    /// Says in one note what is not known of the site, and ends saying it.
    fn note_unknown(&self) {
        let unknown = std::mem::take(&mut *self.unknown.borrow_mut());
        if !unknown.is_empty() {
            self.talk.note(&format!(
                "not known of the site: {}. --django PROJECT tells",
                unknown.join("; ")
            ));
        }
    }

    /// Refuses `--verified-only` where nothing can be verified: it would leave nothing, and delete all.
    fn demand_key(&self, verified_only: bool) -> Result<(), Error> {
        if verified_only && self.codec.keyring.is_empty() {
            return Err(Error::usage(
                "--verified-only: no SECRET_KEY is given, so nothing can be verified",
                "give the site's SECRET_KEY (--secret-key-file, SESSCTL_SECRET_KEY or --django), or leave --verified-only out",
            ));
        }
        Ok(())
    }

    /// The time in which sessions were saved that are asked for. How it was understood is said at once.
    fn saved_window(&self, args: &Saved) -> Result<Option<SavedWindow>, Error> {
        let understood = settings::saved_window(args, self.project.as_ref())?;
        Ok(understood.map(|(window, notes)| {
            for note in notes {
                self.talk.note(&note);
            }
            window
        }))
    }

    /// The database that is meant.
    fn database(&self) -> Result<Database, Error> {
        if let Some(project) = &self.project {
            project.demand_table()?;
        }
        settings::database(self.global, self.project.as_ref(), self.backends)
    }

    /// The session table.
    fn table(&self) -> Result<Table, Error> {
        settings::table(self.global, self.project.as_ref(), self.schema.as_deref())
    }

    fn open(&self) -> Result<Box<dyn Store>, Error> {
        if self.is_about_many() && self.schema.is_none() {
            return Err(Error::usage(
                "this command looks at one schema at a time",
                "name it with --schema",
            ));
        }
        self.open_table(self.table()?)
    }

    fn open_table(&self, table: Table) -> Result<Box<dyn Store>, Error> {
        let Database { source, traits, clock, notes, warnings } = self.database()?;
        if self.place.set(source.place()).is_ok() {
            for warning in &warnings {
                self.talk.warning(warning);
            }
            for note in &notes {
                self.talk.note(note);
            }
            if traits.naive_clock && !clock.is_known() {
                self.is_unknown(format!(
                    "the time zone of what {} stores, so sessions that expired in the last 12 hours count as live (or give \
                     --db-timezone)",
                    traits.name
                ));
            }
            self.note_unknown();
        }
        self.stop.heed();
        if table.schema().is_some() {
            traits.demand(Capability::Schemas)?;
        }
        let (waits, terms) = (self.waits.clone(), self.terms.clone());
        Ok(source.open(Opening { table, clock, waits, terms }))
    }

    /// Makes known that these sessions are no login any more, if they were written. Of a connection that was lost
    /// nobody knows whether it committed first; to delete a cache entry too many does no harm.
    fn told<T>(
        &self,
        cache: &CacheKeys,
        keys: &[&str],
        written: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &written {
            Ok(_) => {
                if let Some(audit) = &self.audit {
                    audit.note(keys);
                }
                cache.gone(keys);
            }
            Err(error) if matches!(error.fault(), Fault::Lost | Fault::Stopped) => cache.gone(keys),
            Err(_) => {}
        }
        written
    }

    /// The same for a delete: what other tables keep is a login still.
    fn deleted(
        &self,
        cache: &CacheKeys,
        keys: &[&str],
        deleted: Result<Gone, StoreError>,
    ) -> Result<Gone, StoreError> {
        let kept = deleted.as_ref().map(|gone| &gone.kept.rows).ok();
        let gone = keys.iter().filter(|key| kept.is_none_or(|kept| !kept.contains(**key)));
        let gone: Vec<&str> = gone.copied().collect();
        self.told(cache, &gone, deleted)
    }

    /// From here on the time counts that the work was given.
    fn begin(&self, pace: &Pace) {
        if let Some(time) = pace.run_time {
            self.stop.end_after(time);
        }
    }

    fn scan(&self) -> Scan<'_> {
        Scan { workers: self.workers, stop: self.stop, progress: &*self.progress }
    }
}

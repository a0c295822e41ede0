//! One file per command. A command asks for what it needs, does it, and hands a report to `ui`.

mod backfill;
mod check;
mod completions;
mod decode;
mod django_code;
mod doctor;
mod flush_all;
mod list;
mod logout_user;
mod man;
mod purge_expired;
mod show;
mod stats;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cli::{Cli, Command, ListFormat};
use crate::context::Ctx;
use crate::engine::{Progress, Silent};
use crate::error::{Error, Exit};
use crate::model::Health;
use crate::sessions::survey;
use crate::settings::{self, Backends};
use crate::stop::Stop;
use crate::store::{Notice, Terms, Waits};
use crate::ui::{self, Log, Talk};

/// One reader feeds no more workers than this, and each holds some pages in memory.
const MOST_WORKERS: usize = 8;

/// For how long expired rows are counted where that is what was asked for.
const COUNT_PATIENCE: Duration = Duration::from_secs(30);

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
    let ctx = &Ctx {
        global: &cli.global,
        codec: &settings::codec(&cli.global, project.as_ref())?,
        project: &project,
        backends,
        schema: if let [schema] = &*cli.global.schemas { Some(schema.clone()) } else { None },
        unknown: Vec::new(),
        stop,
        waits: Waits::new(Arc::clone(stop), settings::answer_timeout(&cli.global)?),
        progress: &*progress,
        talk,
        terms: terms(cli, talk),
        workers: std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS),
        most_keys: survey::MOST_KEYS,
    };
    let out = &mut *ui::stdout();
    let exit = match &cli.command {
        Command::LogoutUser(args) => logout_user::run(ctx, args, out),
        Command::PurgeExpired(args) => purge_expired::run(ctx, args, out),
        Command::FlushAll(args) => flush_all::run(ctx, args, out),
        Command::Backfill(args) => backfill::run(ctx, args, out),
        Command::Check(args) => check::run(ctx, args, out),
        Command::Doctor(args) => doctor::run(ctx, args, out),
        Command::List(args) => list::run(ctx, args, out),
        Command::Show(args) => show::run(ctx, args, out),
        Command::Stats(args) => stats::run(ctx, args, out),
        Command::Decode(args) => decode::run(ctx, args, out),
        Command::DjangoCode(args) => django_code::run(ctx, args, out),
        Command::Completions(args) => completions::run(args, out),
        Command::Man(args) => man::run(args, out),
    }?;
    match out.flush() {
        // What was done remains done, or undone, when nobody reads the report.
        Err(error) if error.kind() == ErrorKind::BrokenPipe || exit.is_hangup() => Ok(exit),
        flushed => Ok(flushed.map(|()| exit)?),
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

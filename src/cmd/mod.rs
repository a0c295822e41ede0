//! The commands, one file or folder for each. A command reads its arguments, does its work with `sessions`,
//! and returns a report, which `ui` prints.

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
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use check::words::write_misuse as write_check_misuse;

use crate::cli::{Cli, Command as Typed};
use crate::context::Ctx;
use crate::engine::{Progress, Silent};
use crate::error::{Error, Exit};
use crate::sessions::survey;
use crate::settings::{self, Backends};
use crate::stop::Stop;
use crate::store::{Notice, Terms, Waits};
use crate::ui::{self, Log, Talk};

/// One reader feeds no more workers than this, and each holds some pages in memory.
const MOST_WORKERS: usize = 8;

/// For how long expired rows are counted where that is what was asked for.
const COUNT_PATIENCE: Duration = Duration::from_secs(30);

/// A command: what was typed of it, and what it does.
trait Command {
    /// Does it. What it finds goes to `out`, what it has to say to `ctx.talk`.
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error>;

    /// Whether it prints rows or keys while it works.
    fn prints(&self) -> bool {
        false
    }

    /// How many things it reads from standard input.
    fn reads_stdin(&self) -> usize {
        0
    }

    /// How it ends where it failed.
    fn fail(&self, error: Error) -> Result<Exit, Error> {
        Err(error)
    }
}

/// The list of commands.
fn command(typed: &Typed) -> &dyn Command {
    match typed {
        Typed::LogoutUser(args) => args,
        Typed::PurgeExpired(args) => args,
        Typed::FlushAll(args) => args,
        Typed::Backfill(args) => args,
        Typed::Check(args) => args,
        Typed::Doctor(args) => args,
        Typed::List(args) => args,
        Typed::Show(args) => args,
        Typed::Stats(args) => args,
        Typed::Decode(args) => args,
        Typed::DjangoCode(args) => args,
        Typed::Completions(args) => args,
        Typed::Man(args) => args,
    }
}

/// Runs the command that was typed.
pub fn run(cli: &Cli, stop: &Arc<Stop>, talk: Talk, backends: Backends) -> Result<Exit, Error> {
    let command = command(&cli.command);
    begin(command, cli, stop, talk, backends).or_else(|error| command.fail(error))
}

fn begin(
    command: &dyn Command,
    cli: &Cli,
    stop: &Arc<Stop>,
    talk: Talk,
    backends: Backends,
) -> Result<Exit, Error> {
    settings::refuse_misplaced_connection(&cli.global)?;
    settings::check_stdin(&cli.global, command.reads_stdin())?;
    let progress: Box<dyn Progress> =
        if talk.is_quiet() { Box::new(Silent) } else { Box::new(Log::new(talk, command.prints())) };
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
    let exit = command.run(ctx, out)?;
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

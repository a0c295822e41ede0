//! The commands, one file or folder for each. A command reads its arguments, does its work with `sessions`,
//! and returns a report, which `ui` prints.

mod backfill;
mod check;
mod completions;
mod decode;
mod delete;
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

pub use check::words::{write_misuse as write_check_misuse, write_unknown as write_check_unknown};

use crate::cli::{Cli, Command as Typed};
use crate::context::Ctx;
use crate::engine::{Progress, Silent};
use crate::error::{Error, Exit};
use crate::sessions::survey;
use crate::settings::{self, Backends};
use crate::stop::Stop;
use crate::store::{Notice, Terms, Waits};
use crate::ui::{self, Log, Talk};

/// Most workers: one reader keeps no more than these busy, and each holds some pages in memory.
const MOST_WORKERS: usize = 8;

/// How long a command may count expired rows if the count is its purpose.
const COUNT_PATIENCE: Duration = Duration::from_secs(30);

/// A command, implemented for its arguments.
trait Command {
    /// Runs the command. Its result goes to `out`, its messages to `ctx.talk`.
    fn run(&self, ctx: &Ctx<'_>, out: &mut dyn Write) -> Result<Exit, Error>;

    /// Whether it prints rows or keys while it runs.
    fn prints(&self) -> bool {
        false
    }

    /// How many of its inputs are standard input.
    fn reads_stdin(&self) -> usize {
        0
    }

    /// URLs of replicas, which the pace may heed.
    fn replicas(&self) -> &[String] {
        &[]
    }

    /// The URL of the cache in front of the table.
    fn cache(&self) -> Option<&str> {
        None
    }

    /// Turns an error into an exit code, if the command handles its errors itself.
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
        Typed::Delete(args) => args,
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
    settings::refuse_misplaced_connection(&cli.global, command.replicas(), command.cache())?;
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
        replicas: command.replicas(),
        schema: if let [schema] = &*cli.global.schemas { Some(schema.clone()) } else { None },
        referring: Vec::new(),
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
        // A report that nobody reads does not change what was done.
        Err(error) if error.kind() == ErrorKind::BrokenPipe || exit.is_hangup() => Ok(exit),
        flushed => Ok(flushed.map(|()| exit)?),
    }
}

/// What the operator allows on a database, and how to show its messages, each once.
fn terms(cli: &Cli, talk: Talk) -> Terms {
    let shown = Mutex::new(BTreeSet::new());
    let notify = move |notice: &Notice| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.insert(notice.clone()) {
            match notice {
                Notice::Warning(text) => talk.warning(text),
                Notice::Note(text) => talk.note(text),
            }
        }
    };
    Terms { superuser_ok: cli.global.superuser_ok, notify: Arc::new(notify) }
}

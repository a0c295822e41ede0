//! sessctl administers a Django session table from outside Django.
//!
//! The rooms, from the top down; each may use only those below it (`tests/layers.rs` checks it):
//!
//! ```text
//! main, lib      parse, run, exit code
//! cmd            one file per command
//! sessions       what commands do to sessions, whatever the store
//! context        what every command has at hand
//! settings  ui   what was typed, made sense of; what is printed
//! cli  error
//! engine         scan, batches, pace, events
//! cache          caches in front of a session table
//! store          SQLite, PostgreSQL, MySQL
//! report  what a command found
//! model  stop  consent  files
//! ```

mod cache;
pub mod cli;
mod cmd;
pub mod consent;
mod context;
pub mod engine;
pub mod error;
mod files;
pub mod model;
mod report;
mod sessions;
pub mod settings;
pub mod stop;
pub mod store;
mod ui;

/// The fake store of tests/it, which names this crate as others do.
#[cfg(test)]
#[path = "../tests/it/memory.rs"]
mod memory;
#[cfg(test)]
extern crate self as sessctl;

use std::sync::Arc;
use std::time::Duration;

use cli::{Cli, Global, LogFormat};
use error::Exit;
use model::Health;
use settings::Backends;
use stop::Stop;

/// Says what is wrong with what was typed, where what clap `said` of it is not to be shown as it is. Returns the exit
/// code then.
pub fn misused(said: &str) -> Option<u8> {
    if cli::is_check(std::env::args_os()) {
        // There is nobody else to tell.
        let _ = cmd::write_check_misuse(&mut ui::stdout(), said);
        return Some(Exit::Checked(Health::Unknown).code());
    }
    ui::explain(said).then(|| Exit::Usage.code())
}

/// Runs what was typed on a database of these kinds, and says on standard error what went wrong.
pub fn run(cli: &Cli, stop: &Arc<Stop>, backends: Backends) -> Exit {
    let talk = talk(cli);
    match cmd::run(cli, stop, talk, backends) {
        Ok(exit) => exit,
        Err(error) if error.is_broken_pipe() => Exit::Done,
        Err(error) => {
            talk.error(&error);
            context::exit(&error, stop)
        }
    }
}

/// How long an answer is waited for, also where a file does not open.
pub fn patience(cli: &Cli) -> Duration {
    const DEFAULT: Duration = Duration::from_secs(60);
    // What is no time is an error of the command.
    settings::answer_timeout(&cli.global).ok().flatten().unwrap_or(DEFAULT)
}

/// How long one call inside of SQLite may compute: it had the time of an answer, and could not be interrupted after that.
pub fn call_patience(cli: &Cli) -> Duration {
    const GRACE: Duration = Duration::from_secs(10);
    patience(cli).saturating_add(GRACE)
}

/// Says that the process is ended since a call does not return.
pub fn words_on_call(cli: &Cli) -> impl Fn() + Send + Sync + 'static {
    words_of_end(
        cli,
        Some(format!(
            "one call of a function inside of SQLite did not return in {} s: see the views, triggers and generated columns of the file; \
             --answer-timeout waits longer",
            call_patience(cli).as_secs_f32()
        )),
    )
}

/// Says that the process is ended since it waits for a file to be opened.
pub fn words_on_waiting(cli: &Cli) -> impl Fn() + Send + Sync + 'static {
    words_of_end(
        cli,
        Some(format!(
            "a file did not open in {} s, as a pipe does not that nobody writes to: see what lies beside the database",
            patience(cli).as_secs_f32()
        )),
    )
}

/// Says that the process is ended in the midst of its work.
pub fn last_words(cli: &Cli) -> impl Fn() + Send + Sync + 'static {
    words_of_end(cli, None)
}

/// A monitor that runs `check` reads standard output only.
fn words_of_end(cli: &Cli, why: Option<String>) -> impl Fn() + Send + Sync + 'static {
    const ENDED: &str = "ended at once, without a report: what was committed stays, an open transaction is undone, and nothing is proved";
    let (talk, is_check) = (talk(cli), matches!(cli.command, cli::Command::Check(_)));
    move || {
        if is_check {
            // There is nobody else to tell.
            let why = why.as_deref().unwrap_or(ENDED);
            let _ = cmd::write_check_unknown(&mut ui::stdout(), why);
        }
        if let Some(why) = &why {
            talk.warning(why);
        }
        talk.warning(ENDED);
    }
}

fn talk(cli: &Cli) -> ui::Talk {
    let Global { quiet, verbose, log_format, .. } = cli.global;
    ui::Talk::new(quiet, verbose, log_format == LogFormat::Json)
}

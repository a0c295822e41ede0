//! sessctl administers a Django session table from outside Django.
//!
//! The rooms, from the top down; each may use only those below it (`tests/layers.rs` checks it):
//!
//! ```text
//! main, lib      parse, run, exit code
//! cmd            one file per command
//! settings  ui   what was typed, made sense of; what is printed
//! cli  error
//! engine         scan, batches, pace, events
//! store          SQLite, PostgreSQL, memory
//! codec  report  what Django wrote; what a command found
//! model  stop  consent
//! ```

pub mod cli;
mod cmd;
pub mod codec;
pub mod consent;
pub mod engine;
pub mod error;
pub mod model;
mod report;
pub mod settings;
pub mod stop;
pub mod store;
mod ui;

use clap::Parser;
use cli::{Cli, Global, LogFormat};
use error::Exit;
use model::Health;
use stop::Stop;

/// Reads what was typed. If that is all there is to do, as for `--help`, or if it is wrong, that is said, and this is the
/// exit code.
pub fn parse() -> Result<Cli, u8> {
    Cli::try_parse().map_err(|error| {
        // Whom to tell of an error in this?
        if error.use_stderr() && cli::is_check(std::env::args_os()) {
            let _ = ui::write_check_misuse(&mut ui::stdout(), &error);
            return Exit::Checked(Health::Unknown).code();
        }
        let _ = ui::explain(&error);
        u8::try_from(error.exit_code()).unwrap_or(1)
    })
}

/// Runs what was typed, and says on standard error what went wrong.
pub fn run(cli: &Cli, stop: &Stop) -> Exit {
    let Global { quiet, verbose, log_format, .. } = cli.global;
    let talk = ui::Talk::new(quiet, verbose, log_format == LogFormat::Json);
    match cmd::run(cli, stop, talk) {
        Ok(exit) => exit,
        Err(error) if error.is_broken_pipe() => Exit::Done,
        Err(error) => {
            talk.error(&error);
            error.exit()
        }
    }
}

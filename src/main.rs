//! The `sessctl` binary: parse, install signals, run, exit code.

use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use clap::Parser;
use clap::error::ErrorKind;
use rustix::process::{Resource, Rlimit, setrlimit};
use sessctl::cli::Cli;
use sessctl::stop::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_run(&error),
    };
    leave_no_core();
    let stop = Arc::new(Stop::default());
    heed_signals(&stop);
    ExitCode::from(sessctl::run(&cli, &stop).code())
}

/// Says what is wrong with what was typed, or what was asked of clap itself, as `--help`.
fn not_run(error: &clap::Error) -> ExitCode {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.use_stderr()
        && !is_help
        && let Some(code) = sessctl::misused(&error.render().to_string())
    {
        return ExitCode::from(code);
    }
    // There is nobody else to tell.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
}

/// A core would hold the keys of the site and of its sessions. A limit can always be lowered; were it
/// not so, to go on would still be right.
fn leave_no_core() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// The first signal asks for an end after the batch; the second one, or one that nobody would heed,
/// ends at once.
fn heed_signals(stop: &Arc<Stop>) {
    let stop = Arc::clone(stop);
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) {
        thread::spawn(move || {
            for signal in signals.forever() {
                if !stop.request(signal) {
                    #[allow(
                        clippy::exit,
                        reason = "the operator insists; open transactions roll back"
                    )]
                    std::process::exit(128 + signal);
                }
            }
        });
    }
}

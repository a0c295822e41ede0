//! The only room that writes to the terminal: reports to standard output, talk to standard error.

mod backfill;
mod bar;
mod csv;
mod ending;
mod flush;
mod human;
mod json;
mod log;
mod plugin;
mod prompt;
mod purge;
mod sanitize;
mod stats;

use std::io::{self, BufWriter, IsTerminal, Write};

pub use backfill::write_backfill_report;
pub use bar::Bar;
pub use csv::write_csv_header;
pub use csv::{word, write_csv_row};
pub use flush::{flush_intent, write_flush_report};
pub use human::{write_logout_report, write_session, write_table_header, write_table_row};
pub use json::{write_json, write_json_line};
pub use log::Log;
pub use plugin::{write_check_failure, write_check_report};
pub use prompt::ask;
pub use purge::write_purge_report;
pub use sanitize::sanitize;
pub use stats::write_stats_report;

use crate::error::Error;

/// Standard output: line by line for a person, in blocks for a pipe.
pub fn stdout() -> Box<dyn Write> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        Box::new(stdout)
    } else {
        Box::new(BufWriter::with_capacity(64 << 10, stdout))
    }
}

/// Standard error: errors and warnings always, notes unless told to be quiet.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    quiet: bool,
    verbose: bool,
    colour: bool,
}

impl Talk {
    /// Looks at `NO_COLOR` (no-color.org), `TERM` and whether standard error is a terminal.
    pub fn new(quiet: bool, verbose: bool) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { quiet, verbose, colour: io::stderr().is_terminal() && !set("NO_COLOR") && !dumb }
    }

    /// Whether to leave out what is for people only.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Something that the operator should know about the answer.
    pub fn warning(self, text: &str) {
        self.line("warning", "33", text);
    }

    /// Something that the operator may want to know.
    pub fn note(self, text: &str) {
        if !self.quiet {
            self.line("note", "36", text);
        }
    }

    /// What a person may want to do next; a log does not.
    pub fn advice(self, text: &str) {
        if self.verbose || (!self.quiet && io::stdout().is_terminal()) {
            self.line("note", "36", text);
        }
    }

    /// Something that helps to see what the tool is doing.
    pub fn detail(self, text: &str) {
        if self.verbose {
            self.line("note", "36", text);
        }
    }

    /// What failed on what, what led to it, and the next step.
    pub fn error(self, error: &Error) {
        self.line("error", "31", &error.to_string());
        for cause in error.causes() {
            self.line("cause", "31", &cause);
        }
        if let Some(hint) = error.hint() {
            self.line("hint", "36", hint);
        }
    }

    fn line(self, label: &str, colour: &str, text: &str) {
        let text = sanitize(text);
        // With standard error closed there is nobody left to tell.
        let _ = if self.colour {
            writeln!(io::stderr(), "\x1b[1;{colour}m{label}:\x1b[0m {text}")
        } else {
            writeln!(io::stderr(), "{label}: {text}")
        };
    }
}

//! Writes to the terminal, as no other module does: reports to standard output; notes, warnings, errors and progress to
//! standard error.

mod bar;
mod csv;
pub mod ending;
pub mod human;
mod ids;
mod json;
mod lines;
mod log;
mod prompt;
pub mod referenced;
mod sanitize;
mod table;
mod talk;
mod terminal;
mod total;
pub mod usage;

use std::io::{self, BufWriter, IsTerminal, Write};

use serde::Serialize;

use bar::Bar;
pub use csv::{csv_columns, write_csv_header, write_csv_row};
pub use ending::{UNFIT, WHICH_TABLE, doubt, hidden_sessions};
pub use human::write_session;
pub use ids::write_id;
pub use json::{
    WriteLarge, word, write_json, write_json_line, write_json_value, write_large_json_line,
};
use lines::Lines;
pub use log::Log;
pub use prompt::ask;
pub use sanitize::{sanitize, sanitize_name};
pub use table::{Table, write_preview};
pub use talk::Talk;
pub use terminal::Terminal;
pub use usage::{explain, unrepeated};

/// A report that people can read, as programs can read every report.
pub trait Report: Serialize {
    /// Writes it for people.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Writes the part that `--quiet` shows.
    fn write_quiet(&self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Standard output: line by line for a person, in blocks for a pipe.
pub fn stdout() -> Box<dyn Write> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        Box::new(stdout)
    } else {
        Box::new(BufWriter::with_capacity(64 << 10, stdout))
    }
}

/// Standard error, for a report whose place on standard output is taken.
pub fn stderr() -> Box<dyn Write> {
    Box::new(io::stderr())
}

//! How wide a terminal is, and whether it wants colour.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use crate::model::wrap;

/// Width and colour of an output. A file or a pipe gets whole lines without colour.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    columns: Option<usize>,
    has_colour: bool,
}

impl Terminal {
    /// Standard output, for reports.
    pub fn of_stdout() -> Self {
        Self::new(&io::stdout())
    }

    /// Standard error, for notes and errors.
    pub(super) fn of_stderr() -> Self {
        Self::new(&io::stderr())
    }

    /// Obeys `NO_COLOR` (no-color.org) and `TERM`, too.
    fn new(stream: &(impl IsTerminal + AsFd)) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let size = rustix::termios::tcgetwinsize(stream).ok();
        Self {
            columns: size.map(|size| size.ws_col.into()).filter(|columns| *columns > 0),
            has_colour: stream.is_terminal() && !set("NO_COLOR") && !is_dumb(),
        }
    }

    /// Columns, if it is a terminal with a known width.
    pub(super) fn columns(self) -> Option<usize> {
        self.columns
    }

    /// A text in one of the colours of SGR.
    pub fn paint<'t>(self, colour: &str, text: &'t str) -> Cow<'t, str> {
        if self.has_colour { format!("\x1b[{colour}m{text}\x1b[0m").into() } else { text.into() }
    }

    /// Wraps a text that begins in this column, with its further lines in the same column.
    pub fn wrap(self, column: usize, text: &str) -> Cow<'_, str> {
        /// With less room than this the terminal itself wraps.
        const LEAST: usize = 16;
        match self.columns.and_then(|columns| columns.checked_sub(column)) {
            Some(room) if room >= LEAST && text.chars().count() > room => {
                wrap(text, room).join(&format!("\n{:column$}", "")).into()
            }
            _ => text.to_owned().into(),
        }
    }
}

/// Whether the terminal can only write text.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

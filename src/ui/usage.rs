use std::io::{self, Write};

use clap::Error;
use clap::error::ErrorKind;

use super::sanitize;

/// Says what is wrong with what was typed, or what was asked of clap itself.
pub fn explain(error: &Error) -> io::Result<()> {
    let said = error.render().to_string();
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || is_help || said.lines().all(|line| shown(line) == line) {
        return error.print();
    }
    let mut stderr = io::stderr().lock();
    said.lines().try_for_each(|line| writeln!(stderr, "{}", shown(line)))
}

/// The same in one line.
pub(super) fn explained(error: &Error) -> String {
    error.render().to_string().lines().next().map(shown).unwrap_or_default()
}

/// clap repeats what it does not understand, between single quotes: a URL in the wrong place is not to show its
/// password.
fn shown(line: &str) -> String {
    let line = sanitize(line);
    match line.split_once("://") {
        Some((before, after)) => {
            let behind = after.rsplit_once('\'').map_or("", |(_, behind)| behind);
            format!("{before}://...'{behind}")
        }
        None => line.into(),
    }
}

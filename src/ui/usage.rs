use std::io::{self, Write};

use super::sanitize;

/// Writes what clap said of what was typed, without what is not to be shown. Says whether there is anything of that.
pub fn explain(said: &str) -> bool {
    if said.lines().all(|line| shown(line) == line) {
        return false;
    }
    let mut stderr = io::stderr().lock();
    for line in said.lines() {
        // There is nobody else to tell.
        let _ = writeln!(stderr, "{}", shown(line));
    }
    true
}

/// The same in one line.
pub(super) fn explained(said: &str) -> String {
    said.lines().next().map(shown).unwrap_or_default()
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

//! Prints errors about the command line without arguments that may be secret.

use std::borrow::Cow;
use std::io::{self, Write};

use super::sanitize;
use crate::model;

/// Prints clap's error about the command line, without texts that may be secret. Returns whether there was one.
pub fn explain(said: &str) -> bool {
    let shown = shown(said);
    if said.lines().eq(shown.iter().map(String::as_str)) {
        return false;
    }
    let mut stderr = io::stderr().lock();
    for line in shown {
        // The error cannot be reported anywhere else.
        let _ = writeln!(stderr, "{line}");
    }
    true
}

/// The same in one line.
pub fn explained(said: &str) -> String {
    shown(said).into_iter().next().unwrap_or_default()
}

/// A text without those arguments that may hold a password.
pub fn unrepeated(text: &str) -> Cow<'_, str> {
    model::unrepeated(text, typed(), false)
}

/// clap repeats arguments that it does not understand.
fn shown(said: &str) -> Vec<String> {
    model::unrepeated(said, typed(), true).lines().map(|line| url_hidden(&sanitize(line))).collect()
}

/// clap may escape an argument when it shows it; then it stands between single quotes.
fn url_hidden(line: &str) -> String {
    match line.split_once("://") {
        Some((before, after)) => {
            let behind = after.rsplit_once('\'').map_or("", |(_, behind)| behind);
            format!("{before}://...'{behind}")
        }
        None => line.into(),
    }
}

fn typed() -> impl Iterator<Item = String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned())
}

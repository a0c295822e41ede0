//! Standard error: notes, warnings, errors and advice, as text or as lines of JSON.

use std::io::{self, IsTerminal, Write};

use serde_json::{Map, Value, json};

use super::json::write_json_line;
use super::sanitize;
use super::terminal::Terminal;
use super::usage::unrepeated;
use crate::error::Error;
use crate::model::Timestamp;

/// Standard error: errors and warnings always, notes unless told to be quiet.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    quiet: bool,
    verbose: bool,
    json: bool,
}

impl Talk {
    /// In lines for people, or as `json`: one object a line.
    pub fn new(quiet: bool, verbose: bool, json: bool) -> Self {
        Self { quiet, verbose, json }
    }

    /// Whether standard error is for programs.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether to leave out what is for people only.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// A warning: the result may not be what the operator expects.
    pub fn warning(self, text: &str) {
        self.line("warning", "33", text);
    }

    /// A note, which `--quiet` leaves out.
    pub fn note(self, text: &str) {
        if !self.quiet {
            self.line("note", "36", text);
        }
    }

    /// Advice on the next step, for people only.
    pub fn advice(self, text: &str) {
        if self.verbose || (!self.quiet && io::stdout().is_terminal()) {
            self.line("note", "36", text);
        }
    }

    /// A detail for `--verbose`.
    pub fn detail(self, text: &str) {
        if self.verbose {
            self.line("note", "36", text);
        }
    }

    /// An error: what failed on what, its causes, and the next step.
    pub fn error(self, error: &Error) {
        if self.is_json() {
            let message = error.to_string();
            let causes = error.causes();
            let causes: Vec<_> = causes.iter().map(|cause| unrepeated(cause)).collect();
            let hint = error.hint().map(unrepeated);
            let server_hint = error.server_hint();
            write_log_line(&json!({
                "level": "error", "message": unrepeated(&message), "causes": causes, "hint": hint,
                "server_hint": server_hint
            }));
            return;
        }
        self.line("error", "31", &error.to_string());
        for cause in error.causes() {
            self.line("cause", "31", &cause);
        }
        if let Some(hint) = error.server_hint() {
            self.line("server hint", "31", hint);
        }
        if let Some(hint) = error.hint() {
            self.line("hint", "36", hint);
        }
    }

    fn line(self, label: &str, colour: &str, text: &str) {
        let text = unrepeated(text);
        if self.is_json() {
            write_log_line(&json!({"level": label, "message": text}));
            return;
        }
        let text = sanitize(&text);
        let (terminal, head) = (Terminal::of_stderr(), format!("{label}:"));
        let text = terminal.wrap(head.len() + 1, &text);
        let head = terminal.paint(&format!("1;{colour}"), &head);
        // With standard error closed nobody can read it.
        let _ = writeln!(io::stderr(), "{head} {text}");
    }
}

/// Writes one JSON object to standard error, beginning with the time.
pub(super) fn write_log_line(said: &Value) {
    let mut line = Map::new();
    line.insert("time".into(), Timestamp::now().to_string().into());
    line.extend(said.as_object().cloned().unwrap_or_default());
    // In one write: other processes may write there, too.
    let mut text = Vec::new();
    let _ = write_json_line(&mut text, &line).and_then(|()| io::stderr().write_all(&text));
}

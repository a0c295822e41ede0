//! Asks the operator a question at the terminal.

use std::io::{self, BufRead, IsTerminal, Write};

/// Asks the person at the terminal; `None` if there is none.
pub fn ask(question: &str) -> Option<String> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    write!(io::stderr(), "{question} ").ok()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).ok()?;
    Some(answer)
}

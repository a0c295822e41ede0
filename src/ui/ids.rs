//! Writes user ids one a line, so that `--from-file` reads the same ids back.

use std::io::{self, IsTerminal, Write};

use super::{sanitize, sanitize_name};
use crate::model::{MOST_ID_BYTES, needs_escape};

/// Writes an id on a line of its own; returns whether `--from-file` would read this id there.
///
/// A pipe or a file gets the id as it is, or nothing. A terminal gets it with escapes. An id that is too long for any
/// key is none.
pub fn write_id(out: &mut dyn Write, id: &str) -> io::Result<bool> {
    write_for(out, id, io::stdout().is_terminal())
}

fn write_for(out: &mut dyn Write, id: &str, terminal: bool) -> io::Result<bool> {
    let is_short = id.len() <= MOST_ID_BYTES;
    let may_be_id = is_short && !id.is_empty();
    if terminal {
        writeln!(out, "{}", if is_short { sanitize(id) } else { sanitize_name(id) })?;
        return Ok(may_be_id && !id.contains(needs_escape));
    }
    // A file that begins with a byte order mark loses it.
    let is_a_line = may_be_id && !id.starts_with('\u{feff}') && !id.contains(char::is_control);
    if is_a_line {
        writeln!(out, "{id}")?;
    }
    Ok(is_a_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_printed_as_it_is_or_not_at_all() {
        for (id, piped, shown) in [
            ("42", Some("42\n"), "42\n"),
            (" admin\u{a0}", Some(" admin\u{a0}\n"), " admin\\u{a0}\n"),
            ("a\u{200d}b\u{feff}", Some("a\u{200d}b\u{feff}\n"), "a\\u{200d}b\\u{feff}\n"),
            ("\u{feff}admin", None, "\\u{feff}admin\n"),
            ("a\nb", None, "a\\u{a}b\n"),
            ("a\r", None, "a\\u{d}\n"),
            ("a\u{1b}[2J", None, "a\\u{1b}[2J\n"),
            ("", None, "\n"),
        ] {
            let (mut pipe, mut terminal) = (Vec::new(), Vec::new());
            assert_eq!(write_for(&mut pipe, id, false).ok(), Some(piped.is_some()), "{id:?}");
            assert_eq!(String::from_utf8(pipe).ok().as_deref(), Some(piped.unwrap_or_default()));
            let exact = write_for(&mut terminal, id, true).ok();
            assert_eq!(exact, Some(!id.is_empty() && shown.trim_end_matches('\n') == id), "{id:?}");
            assert_eq!(String::from_utf8(terminal).ok().as_deref(), Some(shown));
        }
        for (bytes, is_id) in [(MOST_ID_BYTES, true), (MOST_ID_BYTES + 1, false)] {
            let (id, mut pipe, mut terminal) = ("g".repeat(bytes), Vec::new(), Vec::new());
            assert_eq!(write_for(&mut pipe, &id, false).ok(), Some(is_id));
            assert_eq!(write_for(&mut terminal, &id, true).ok(), Some(is_id));
            assert_eq!(pipe.len(), if is_id { bytes + 1 } else { 0 });
            assert_eq!(terminal.len() > MOST_ID_BYTES, is_id);
        }
    }
}

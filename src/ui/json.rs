use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::model::steers_terminal;

/// Writes an object over several lines.
pub fn write_json<T: Serialize>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    let mut text = Vec::new();
    write_json_line(&mut text, value)?;
    out.write_all(pretty(&String::from_utf8_lossy(&text)).as_bytes())
}

/// Writes an object on one line.
pub fn write_json_line<T: Serialize>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, SafeToPrint))?;
    out.write_all(b"\n")
}

/// Compact JSON in which whatever could steer a terminal is an escape. The JSON standard asks that
/// of control characters below U+0020 only.
struct SafeToPrint;

impl Formatter for SafeToPrint {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| steers_terminal(*c)) {
            let (safe, unsafe_on) = rest.split_at(at);
            out.write_all(safe.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = unsafe_on.get(c.len_utf8()..).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }
}

/// Lays JSON out over several lines. Works on the text, since a session can hold what a JSON
/// library would not take: lone surrogates, numbers of any size, any depth.
pub(super) fn pretty(json: &str) -> String {
    const DEEPEST_INDENT: usize = 40;
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(DEEPEST_INDENT)));
    };
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                if let Some(close) = chars.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::pretty;

    #[test]
    fn lays_out_what_json_libraries_would_not_take() {
        let json = r#"{"a":[1,"x\",{\ud83d"],"b":{},"c":1e999}"#;
        let lines =
            "{\n  \"a\": [\n    1,\n    \"x\\\",{\\ud83d\"\n  ],\n  \"b\": {},\n  \"c\": 1e999\n}";
        assert_eq!(pretty(json), lines);
    }
}

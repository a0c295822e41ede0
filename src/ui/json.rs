use std::io::{self, Write};

use serde::Serialize;

/// Writes an object over several lines.
pub fn write_json<T: Serialize>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    let text = serde_json::to_string(value)?;
    writeln!(out, "{}", pretty(&text))
}

/// Writes an object on one line.
pub fn write_json_line<T: Serialize>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
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

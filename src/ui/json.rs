//! Writes JSON that is safe to print on a terminal, compact or indented, also of texts too large to hold in memory.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::model::needs_escape;

/// Writes what is too large to be held in memory: JSON that is safe to print.
pub type WriteLarge<'a> = &'a dyn Fn(&mut dyn Write) -> io::Result<()>;

/// Writes an object over several lines.
pub fn write_json<T: Serialize>(
    out: &mut dyn Write,
    value: &T,
    large: Option<WriteLarge<'_>>,
) -> io::Result<()> {
    write_large_json_line(&mut Pretty::new(out), value, large)
}

/// Writes an object on one line.
pub fn write_json_line<T: Serialize>(out: &mut (impl Write + ?Sized), value: &T) -> io::Result<()> {
    write_large_json_line(out, value, None)
}

/// The same, with something large in place of its one [`RawValue`](serde_json::value::RawValue).
pub fn write_large_json_line<T: Serialize>(
    out: &mut (impl Write + ?Sized),
    value: &T,
    large: Option<WriteLarge<'_>>,
) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, SafeToPrint { large }))?;
    out.write_all(b"\n")
}

/// Writes one value, with no line's end.
pub fn write_json_value<T: Serialize + ?Sized>(
    out: &mut (impl Write + ?Sized),
    value: &T,
) -> io::Result<()> {
    let formatter = SafeToPrint { large: None };
    Ok(value.serialize(&mut Serializer::with_formatter(&mut *out, formatter))?)
}

/// The word for a variant in JSON, so that all formats use the same words.
pub fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Compact JSON in which characters that could steer a terminal are escaped. The JSON standard asks that
/// of control characters below U+0020 only.
struct SafeToPrint<'a> {
    large: Option<WriteLarge<'a>>,
}

impl Formatter for SafeToPrint<'_> {
    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        mut out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        match self.large {
            Some(write) => write(&mut out),
            None => out.write_all(fragment.as_bytes()),
        }
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        // ASCII, which most texts are, is looked through without decoding it.
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return out.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| needs_escape(*c)) {
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

/// Indents JSON as it is written. It works on the text, since a JSON library refuses what a session can hold: lone
/// surrogates, numbers of any size, any depth.
pub(super) struct Pretty<'o> {
    out: &'o mut dyn Write,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// A bracket was opened, and its first element did not begin yet.
    opened: bool,
}

const DEEPEST_INDENT: usize = 40;
const INDENT: [u8; 1 + 2 * DEEPEST_INDENT] = {
    let mut indent = [b' '; 1 + 2 * DEEPEST_INDENT];
    indent[0] = b'\n';
    indent
};

impl<'o> Pretty<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        Self { out, depth: 0, in_string: false, escaped: false, opened: false }
    }

    fn line(&mut self) -> io::Result<()> {
        let end = 1 + 2 * self.depth.min(DEEPEST_INDENT);
        self.out.write_all(INDENT.get(..end).unwrap_or_default())
    }

    /// Writes the bytes of the current string; returns the bytes after it.
    fn string<'b>(&mut self, bytes: &'b [u8]) -> io::Result<&'b [u8]> {
        let end = bytes.iter().position(|byte| {
            let ends = *byte == b'"' && !self.escaped;
            self.escaped = *byte == b'\\' && !self.escaped;
            ends
        });
        self.in_string = end.is_none();
        let (string, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.out.write_all(string)?;
        Ok(rest)
    }

    fn byte(&mut self, byte: u8) -> io::Result<()> {
        let is_closing = matches!(byte, b'}' | b']');
        let was_opened = std::mem::take(&mut self.opened);
        if is_closing {
            self.depth = self.depth.saturating_sub(1);
        }
        if was_opened != is_closing && byte != b'\n' {
            self.line()?;
        }
        self.out.write_all(&[byte])?;
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                self.opened = true;
            }
            b',' => self.line()?,
            b':' => self.out.write_all(b" ")?,
            b'"' => self.in_string = true,
            _ => {}
        }
        Ok(())
    }
}

impl Write for Pretty<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            if self.in_string {
                rest = self.string(rest)?;
            } else {
                self.byte(*byte)?;
                rest = behind;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lays_out_what_json_libraries_would_not_take() {
        let json = r#"{"a":[1,"x\",{\ud83d"],"b":{},"e":[],"c":1e999}"#;
        let lines = "{\n  \"a\": [\n    1,\n    \"x\\\",{\\ud83d\"\n  ],\n  \"b\": {},\n  \"e\": [],\n  \"c\": 1e999\n}";
        for bytes in 1..=json.len() {
            let mut out = Vec::new();
            let mut pretty = Pretty::new(&mut out);
            json.as_bytes().chunks(bytes).for_each(|some| pretty.write_all(some).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), lines);
        }
    }
}

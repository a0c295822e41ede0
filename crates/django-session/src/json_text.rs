//! Writes JSON that is safe to print: the one place that turns a row's text into output.

use super::DecodeError;

/// JSON text under construction, bounded so that a small payload of shared values cannot unfold
/// into gigabytes.
#[derive(Debug, Default)]
pub(crate) struct JsonText {
    text: String,
}

/// Bytes of JSON text that one payload may unfold into.
const MAX_LEN: usize = 16 << 20;

impl JsonText {
    /// Appends text that is JSON already: punctuation, a number, `null`.
    pub(crate) fn raw(&mut self, json: &str) -> Result<(), DecodeError> {
        if self.text.len() + json.len() > MAX_LEN {
            return Err(DecodeError::TooComplex);
        }
        self.text.push_str(json);
        Ok(())
    }

    /// Appends one character of a string, given as a code point: a lone surrogate, which Python
    /// strings can hold and UTF-8 cannot, and whatever could steer a terminal or reorder its text
    /// is written as an escape.
    pub(crate) fn code_point(&mut self, code: u32) -> Result<(), DecodeError> {
        let plain = char::from_u32(code).filter(|c| !must_escape(*c));
        match (plain, code) {
            (Some(c), _) => self.raw(c.encode_utf8(&mut [0; 4])),
            (None, 0x22) => self.raw("\\\""),
            (None, 0x5c) => self.raw("\\\\"),
            (None, 0x0a) => self.raw("\\n"),
            (None, 0x0d) => self.raw("\\r"),
            (None, 0x09) => self.raw("\\t"),
            (None, code) => match char::from_u32(code) {
                Some(c) => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        self.raw(&format!("\\u{unit:04x}"))?;
                    }
                    Ok(())
                }
                None => self.raw(&format!("\\u{code:04x}")),
            },
        }
    }

    /// Appends a whole string with its quotes.
    pub(crate) fn string(&mut self, text: &str) -> Result<(), DecodeError> {
        self.raw("\"")?;
        for c in text.chars() {
            self.code_point(u32::from(c))?;
        }
        self.raw("\"")
    }

    /// Appends a float as Python's `repr` and JSON have it; NaN and the infinities, which JSON
    /// lacks, as strings.
    pub(crate) fn float(&mut self, value: f64) -> Result<(), DecodeError> {
        if value.is_nan() {
            self.raw("\"NaN\"")
        } else if value.is_infinite() {
            self.raw(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" })
        } else {
            self.raw(&format!("{value:?}"))
        }
    }

    pub(crate) fn into_string(self) -> String {
        self.text
    }
}

fn must_escape(c: char) -> bool {
    c == '"' || c == '\\' || steers_terminal(c)
}

/// Whether a character could steer a terminal or reorder what it shows: control characters (C0,
/// DEL, C1), line and paragraph separators, and the bidirectional and invisible format characters
/// (Unicode Standard Annex #9; CVE-2021-42574).
pub fn steers_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

//! Writes JSON that is safe to print: the one place that turns a row's text into output.

use std::io;

use super::DecodeError;
use super::escape::needs_escape;

/// JSON text under construction, bounded so that a small payload of shared values cannot unfold
/// into gigabytes.
#[derive(Default)]
pub(crate) struct JsonText<'w> {
    /// What was not given away yet.
    text: String,
    /// Bytes in all.
    len: usize,
    end: End<'w>,
    /// Bytes that it may have, if it is bounded by what it is made of.
    limit: Option<usize>,
}

/// What becomes of the text.
#[derive(Default)]
enum End<'w> {
    #[default]
    Kept,
    /// It is kept as long as it has no more bytes than this.
    KeptUpTo(usize),
    Counted,
    Written(&'w mut dyn io::Write, io::Result<()>),
}

/// Bytes of JSON text that one payload may unfold into.
const MAX_LEN: usize = 16 << 20;
/// Bytes that are given away at once.
const CHUNK: usize = 64 << 10;
/// Bytes that may be written for each byte of the payload. Two bytes of a pickle may stand for a long name of a class;
/// what unfolds further shares its parts in order to unfold.
const MOST_OF_A_BYTE: usize = 64;
/// However small it is.
const ALWAYS: usize = 1 << 10;

impl<'w> JsonText<'w> {
    /// Keeps at most so many bytes. Where there are more it only counts them.
    pub(crate) fn kept_up_to(bytes: usize) -> Self {
        Self { end: End::KeptUpTo(bytes), ..Self::default() }
    }

    /// Takes memory at once for what a payload of so many bytes most often comes to: as many.
    pub(crate) fn expect(&mut self, bytes: usize) {
        if let End::Kept | End::KeptUpTo(_) = self.end {
            self.text.reserve(bytes.min(CHUNK));
        }
    }

    /// Keeps nothing.
    pub(crate) fn counted() -> Self {
        Self { end: End::Counted, ..Self::default() }
    }

    /// Writes what comes instead of keeping it.
    pub(crate) fn written(out: &'w mut dyn io::Write) -> Self {
        Self { end: End::Written(out, Ok(())), ..Self::default() }
    }

    /// What is written costs about as much time as what is read, a payload of so many bytes.
    pub(crate) fn bound(&mut self, bytes: usize) {
        self.limit = Some(bytes.saturating_mul(MOST_OF_A_BYTE).saturating_add(ALWAYS).min(MAX_LEN));
    }

    /// Counts what was written elsewhere.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.len += bytes;
        if self.len > self.limit.unwrap_or(MAX_LEN) { Err(DecodeError::TooComplex) } else { Ok(()) }
    }

    /// Appends text that is JSON already: punctuation, a number, `null`.
    pub(crate) fn raw(&mut self, json: &str) -> Result<(), DecodeError> {
        self.spend(json.len())?;
        self.text.push_str(json);
        let most = match self.end {
            End::Kept => MAX_LEN,
            End::KeptUpTo(bytes) => bytes,
            End::Counted | End::Written(..) => CHUNK,
        };
        if self.text.len() > most { self.give_away() } else { Ok(()) }
    }

    /// Appends a text of ASCII, of any length, that needs no escape.
    pub(crate) fn plain(&mut self, mut ascii: &str) -> Result<(), DecodeError> {
        while let Some((some, rest)) = ascii.split_at_checked(CHUNK) {
            self.raw(some)?;
            ascii = rest;
        }
        self.raw(ascii)
    }

    fn give_away(&mut self) -> Result<(), DecodeError> {
        match &mut self.end {
            End::Written(out, written) => {
                *written = out.write_all(self.text.as_bytes());
                self.text.clear();
                // Which error this is nobody asks.
                if written.is_ok() { Ok(()) } else { Err(DecodeError::TooComplex) }
            }
            End::Kept | End::KeptUpTo(_) | End::Counted => {
                self.end = End::Counted;
                self.text = String::new();
                Ok(())
            }
        }
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

    /// How many bytes there were so far.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All of it, if it was kept.
    pub(crate) fn into_string(self) -> Option<String> {
        matches!(self.end, End::Kept | End::KeptUpTo(_)).then_some(self.text)
    }

    /// Writes the last of it, and tells whether all could be written.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self.end {
            End::Written(out, Ok(())) => out.write_all(self.text.as_bytes()),
            End::Written(_, written) => written,
            End::Kept | End::KeptUpTo(_) | End::Counted => Ok(()),
        }
    }
}

fn must_escape(c: char) -> bool {
    c == '"' || c == '\\' || needs_escape(c)
}

//! Checks the grammar of JSON, one token after another.

use super::super::{DecodeError, Limits};
use super::nesting::{Nesting, Open};
use super::strings;
use super::text::Text;

type Result<T> = std::result::Result<T, DecodeError>;

/// Receives a document token by token. `()` drops it: a check of the grammar alone.
pub(super) trait Sink {
    fn raw(&mut self, json: &str) -> Result<()>;
    fn string(&mut self, text: Text<'_>) -> Result<()>;
    fn number(&mut self, number: Number<'_>) -> Result<()>;
}

impl Sink for () {
    fn raw(&mut self, _: &str) -> Result<()> {
        Ok(())
    }
    fn string(&mut self, _: Text<'_>) -> Result<()> {
        Ok(())
    }
    fn number(&mut self, _: Number<'_>) -> Result<()> {
        Ok(())
    }
}

/// Its characters are ASCII: see [`as_text`].
#[derive(Clone, Copy)]
pub(super) enum Number<'p> {
    Integer(&'p [u8]),
    Float(&'p [u8]),
    /// `NaN`, `Infinity` or `-Infinity`.
    Constant(f64),
}

/// A number as it is written. Most are only passed over, which is cheaper.
pub(super) fn as_text(number: &[u8]) -> Result<&str> {
    std::str::from_utf8(number).map_err(|_| DecodeError::Json)
}

/// A number of fewer characters, without an exponent, is a finite float.
const FINITE: usize = 300;

pub(super) struct Scanner<'p> {
    pub(super) rest: &'p [u8],
    /// Django reads payload bytes as Latin-1, but its own serializer writes ASCII only: bytes
    /// beyond it come from a serializer of the site's own, and those mean UTF-8 if it is that.
    pub(super) utf8: bool,
    pub(super) max_depth: usize,
    /// Whether a [`JsonText`](super::JsonText) would have what was read so far as it stands: no blanks, printed ASCII
    /// without escapes, and no numbers that JSON lacks.
    pub(super) is_verbatim: bool,
}

impl<'p> Scanner<'p> {
    pub(super) fn new(payload: &'p [u8], limits: &Limits) -> Self {
        // Nearly all are. Without an early exit the compiler compares many bytes at once.
        let is_printed = payload.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
        let utf8 = is_printed || std::str::from_utf8(payload).is_ok();
        Self { rest: payload, utf8, max_depth: limits.depth, is_verbatim: is_printed }
    }

    /// Of the beginning of a document, which is checked as the whole would be.
    pub(super) fn new_cut(beginning: &'p [u8], limits: &Limits) -> Self {
        // A character may be cut.
        let utf8 =
            std::str::from_utf8(beginning).map_or_else(|e| e.error_len().is_none(), |_| true);
        Self { rest: beginning, utf8, max_depth: limits.depth, is_verbatim: false }
    }

    /// Of a document whose end may be missing.
    pub(super) fn of_beginning(beginning: &'p [u8]) -> Self {
        let max_depth = beginning.len();
        Self { rest: beginning, utf8: false, max_depth, is_verbatim: false }
    }

    /// The members of an object: `member` is given each key and has to read the value. False, and
    /// nothing is read, if this is no object.
    pub(super) fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, Text<'p>) -> Result<()>,
    ) -> Result<bool> {
        self.space();
        if !self.eat(b'{') {
            return Ok(false);
        }
        self.space();
        if self.eat(b'}') {
            return Ok(true);
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            self.space();
            match self.next()? {
                b',' => self.space(),
                b'}' => return Ok(true),
                _ => return Err(DecodeError::Json),
            }
        }
    }

    /// One value of any kind, however deep: the nesting is on a stack of our own.
    pub(super) fn value(&mut self, sink: &mut impl Sink) -> Result<()> {
        let mut open = Nesting::default();
        loop {
            self.space();
            let opened = match self.rest.first() {
                Some(b'{') => Some(Open::Object),
                Some(b'[') => Some(Open::Array),
                _ => {
                    self.scalar(sink)?;
                    None
                }
            };
            if let Some(kind) = opened {
                if open.depth() >= self.max_depth {
                    return Err(DecodeError::TooComplex);
                }
                self.next()?;
                self.space();
                let (opening, closing, close) = match kind {
                    Open::Object => ("{", "}", b'}'),
                    Open::Array => ("[", "]", b']'),
                };
                sink.raw(opening)?;
                if self.eat(close) {
                    sink.raw(closing)?;
                } else {
                    open.push(kind);
                    if kind == Open::Object {
                        self.member_key(sink)?;
                    }
                    continue;
                }
            }
            if self.close(&mut open, sink)? {
                return Ok(());
            }
        }
    }

    /// Closes what a finished value ends; true when that was the outermost.
    fn close(&mut self, open: &mut Nesting, sink: &mut impl Sink) -> Result<bool> {
        while let Some(kind) = open.last() {
            self.space();
            match (self.next()?, kind) {
                (b',', _) => {
                    sink.raw(",")?;
                    if kind == Open::Object {
                        self.space();
                        self.member_key(sink)?;
                    }
                    return Ok(false);
                }
                (b'}', Open::Object) => sink.raw("}")?,
                (b']', Open::Array) => sink.raw("]")?,
                _ => return Err(DecodeError::Json),
            }
            open.pop();
        }
        Ok(true)
    }

    fn scalar(&mut self, sink: &mut impl Sink) -> Result<()> {
        let word = match self.rest.first() {
            Some(b'"') => {
                self.eat(b'"');
                let text = self.string()?;
                return sink.string(text);
            }
            Some(b't') => "true",
            Some(b'f') => "false",
            Some(b'n') => "null",
            _ => {
                let number = self.number()?;
                return sink.number(number);
            }
        };
        self.word(word)?;
        sink.raw(word)
    }

    fn member_key(&mut self, sink: &mut impl Sink) -> Result<()> {
        let key = self.key()?;
        sink.string(key)?;
        sink.raw(":")
    }

    /// A key and the colon after it.
    pub(super) fn key(&mut self) -> Result<Text<'p>> {
        if !self.eat(b'"') {
            return Err(DecodeError::Json);
        }
        let key = self.string()?;
        self.space();
        if self.eat(b':') { Ok(key) } else { Err(DecodeError::Json) }
    }

    /// The rest of a string literal, its opening quote already taken.
    pub(super) fn string(&mut self) -> Result<Text<'p>> {
        let whole = self.rest;
        let mut escaped = false;
        loop {
            let Some(plain) = strings::plain(self.rest) else { return Err(self.ends_early()) };
            self.skip(plain);
            match self.next()? {
                b'"' => {
                    let len = whole.len() - self.rest.len() - 1;
                    let bytes = whole.get(..len).ok_or(DecodeError::Json)?;
                    return Ok(Text { bytes, escaped, utf8: self.utf8 });
                }
                b'\\' => {
                    escaped = true;
                    self.is_verbatim = false;
                    self.escape()?;
                }
                _ => return Err(DecodeError::Json),
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let digits = self.rest.get(..4).unwrap_or(self.rest);
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(DecodeError::Json);
                }
                if digits.len() < 4 {
                    return Err(self.ends_early());
                }
                self.skip(4);
                Ok(())
            }
            _ => Err(DecodeError::Json),
        }
    }

    pub(super) fn number(&mut self) -> Result<Number<'p>> {
        if let Some(constant) = self.constant() {
            self.is_verbatim = false;
            return Ok(Number::Constant(constant));
        }
        let whole = self.rest;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        let mut float = false;
        if self.rest.first() == Some(&b'.') {
            float = true;
            self.skip(1);
            self.digits()?;
        }
        let has_exponent = matches!(self.rest.first(), Some(b'e' | b'E'));
        if has_exponent {
            float = true;
            self.skip(1);
            if !self.eat(b'-') {
                self.eat(b'+');
            }
            self.digits()?;
        }
        let number = whole.get(..whole.len() - self.rest.len()).ok_or(DecodeError::Json)?;
        self.is_verbatim &= !float || number.len() < FINITE && !has_exponent;
        Ok(if float { Number::Float(number) } else { Number::Integer(number) })
    }

    fn constant(&mut self) -> Option<f64> {
        let (word, value) = match self.rest {
            [b'N', ..] => ("NaN", f64::NAN),
            [b'I', ..] => ("Infinity", f64::INFINITY),
            [b'-', b'I', ..] => ("-Infinity", f64::NEG_INFINITY),
            _ => return None,
        };
        self.word(word).is_ok().then_some(value)
    }

    fn digits(&mut self) -> Result<()> {
        let end = self.rest.iter().position(|byte| !byte.is_ascii_digit());
        let count = end.unwrap_or(self.rest.len());
        if count == 0 {
            return Err(DecodeError::Json);
        }
        self.skip(count);
        Ok(())
    }

    pub(super) fn word(&mut self, word: &str) -> Result<()> {
        if let Some(rest) = self.rest.strip_prefix(word.as_bytes()) {
            self.rest = rest;
            Ok(())
        } else if word.as_bytes().starts_with(self.rest) {
            Err(self.ends_early())
        } else {
            Err(DecodeError::Json)
        }
    }

    pub(super) fn end(&mut self) -> Result<()> {
        self.space();
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Json) }
    }

    pub(super) fn space(&mut self) {
        // Django writes none.
        while self.rest.first().is_some_and(|byte| *byte <= b' ' && is_space(*byte)) {
            self.is_verbatim = false;
            self.skip(1);
        }
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.skip(1);
        }
        found
    }

    pub(super) fn next(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Json)?;
        self.rest = rest;
        Ok(*first)
    }

    /// Where a document ends in the middle of something there is nothing left, so that whoever has only its
    /// beginning can tell that from bad grammar.
    fn ends_early(&mut self) -> DecodeError {
        self.rest = &[];
        DecodeError::Json
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

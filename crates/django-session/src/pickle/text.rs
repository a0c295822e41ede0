//! Strings of a pickle, left in the payload as they were written there.
//!
//! Nothing is unescaped until it is looked at: most strings never are, and a copy of each would let
//! a payload double itself in memory.

use std::borrow::Cow;

use super::super::DecodeError;
use super::code_points::{CodePoints, Form, Malformed};

/// A stretch of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(super) fn new(start: usize, len: usize) -> Result<Self, DecodeError> {
        match (u32::try_from(start), u32::try_from(len)) {
            (Ok(start), Ok(len)) => Ok(Self { start, len }),
            _ => Err(DecodeError::TooLarge),
        }
    }

    pub(super) fn of(self, payload: &[u8]) -> &[u8] {
        let start = self.start as usize;
        payload.get(start..start + self.len as usize).unwrap_or_default()
    }

    pub(super) fn len(self) -> usize {
        self.len as usize
    }

    /// Its first `len` bytes.
    pub(super) fn first(self, len: usize) -> Self {
        let len = u32::try_from(len).map_or(self.len, |len| len.min(self.len));
        Self { len, ..self }
    }

    /// Without the first and the last byte.
    fn unquoted(self) -> Self {
        Self { start: self.start + 1, len: self.len.saturating_sub(2) }
    }
}

/// The Python type of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Python 3 `str`, Python 2 `unicode`.
    Unicode,
    /// Python 2 `str`, which Python 3 reads as text.
    Str,
    /// Python 3 `bytes`.
    Bytes,
    ByteArray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Text {
    pub(super) span: Span,
    pub(super) kind: Kind,
    pub(super) form: Form,
}

impl Text {
    pub(super) const EMPTY_BYTES: Self =
        Self { span: Span { start: 0, len: 0 }, kind: Kind::Bytes, form: Form::Latin1 };

    /// `BINUNICODE` and its kin.
    pub(super) fn unicode(span: Span, payload: &[u8]) -> Result<Self, DecodeError> {
        let text = Self::new(span, Kind::Unicode, Form::Utf8);
        if str::from_utf8(span.of(payload)).is_ok() || text.is_well_formed(payload) {
            Ok(text)
        } else {
            Err(DecodeError::Pickle)
        }
    }

    /// `UNICODE`.
    pub(super) fn raw_unicode_escape(span: Span, payload: &[u8]) -> Result<Self, DecodeError> {
        let text = Self::new(span, Kind::Unicode, Form::RawUnicodeEscape);
        if plain_ascii(span.of(payload)) {
            Ok(text.spelled(Form::Utf8))
        } else if text.is_well_formed(payload) {
            Ok(text)
        } else {
            Err(DecodeError::Pickle)
        }
    }

    /// `BINSTRING` and its kin.
    pub(super) fn str(span: Span, payload: &[u8]) -> Self {
        let utf8 = str::from_utf8(span.of(payload)).is_ok();
        let form = if utf8 { Form::Utf8 } else { Form::Latin1 };
        Self::new(span, Kind::Str, form)
    }

    /// `STRING`: a Python 2 literal with its quotes.
    pub(super) fn literal(span: Span, payload: &[u8]) -> Result<Self, DecodeError> {
        let ([b'"', body @ .., b'"'] | [b'\'', body @ .., b'\'']) = span.of(payload) else {
            return Err(DecodeError::Pickle);
        };
        let span = span.unquoted();
        if plain_ascii(body) {
            return Ok(Self::str(span, payload));
        }
        let text = Self::new(span, Kind::Str, Form::StringEscape);
        let utf8 = text.spelled(Form::StringEscapeUtf8);
        if utf8.is_well_formed(payload) {
            Ok(utf8)
        } else if text.is_well_formed(payload) {
            Ok(text)
        } else {
            Err(DecodeError::Pickle)
        }
    }

    /// `BINBYTES` and its kin.
    pub(super) fn bytes(span: Span) -> Self {
        Self::new(span, Kind::Bytes, Form::Latin1)
    }

    fn new(span: Span, kind: Kind, form: Form) -> Self {
        Self { span, kind, form }
    }

    fn spelled(self, form: Form) -> Self {
        Self { form, ..self }
    }

    pub(super) fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn is_bytes(self) -> bool {
        matches!(self.kind, Kind::Bytes | Kind::ByteArray)
    }

    /// The characters, surrogates among them; of bytes, the bytes.
    pub(super) fn code_points(self, payload: &[u8]) -> CodePoints<'_> {
        CodePoints::new(self.span.of(payload), self.form)
    }

    /// The same, with the bytes of a Python 2 `str` left as they are.
    pub(super) fn packed_bytes(self, payload: &[u8]) -> CodePoints<'_> {
        match (self.kind, self.form) {
            (Kind::Str, Form::Utf8) => self.spelled(Form::Latin1),
            (Kind::Str, Form::StringEscapeUtf8) => self.spelled(Form::StringEscape),
            _ => self,
        }
        .code_points(payload)
    }

    /// Whether this is the text `other`, at a cost that depends on `other` alone.
    pub(super) fn is(self, payload: &[u8], other: &str) -> bool {
        self.code_points(payload).eq(other.chars().map(u32::from))
    }

    /// As UTF-8: bytes and Python 2 strings are read as UTF-8 where they are, else as Latin-1.
    /// `None` if there is a lone surrogate.
    pub(super) fn to_str(self, payload: &[u8]) -> Option<Cow<'_, str>> {
        let raw = self.span.of(payload);
        let as_written = match self.form {
            Form::Utf8 => raw.is_ascii() || !self.is_bytes(),
            Form::Latin1 => raw.is_ascii() || self.is_bytes(),
            Form::StringEscape | Form::StringEscapeUtf8 | Form::RawUnicodeEscape => false,
        };
        if as_written && let Ok(text) = str::from_utf8(raw) {
            return Some(Cow::Borrowed(text));
        }
        let points = self.code_points(payload);
        if self.is_bytes() {
            let bytes: Result<Vec<u8>, _> = points.map(u8::try_from).collect();
            let text = String::from_utf8(bytes.ok()?)
                .unwrap_or_else(|e| e.as_bytes().iter().copied().map(char::from).collect());
            return Some(Cow::Owned(text));
        }
        // Python 2 writes a character beyond U+FFFF as two surrogates: through UTF-16 they join.
        let mut units = Vec::new();
        for code in points {
            match char::from_u32(code) {
                Some(c) => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
                None => units.push(u16::try_from(code).ok()?),
            }
        }
        String::from_utf16(&units).ok().map(Cow::Owned)
    }

    /// The same bytes for the same characters, however they are spelled.
    pub(super) fn canonical(self, payload: &[u8]) -> Cow<'_, [u8]> {
        let raw = self.span.of(payload);
        if self.form == Form::Utf8 || (self.form == Form::Latin1 && raw.is_ascii()) {
            return Cow::Borrowed(raw);
        }
        let mut canonical = Vec::with_capacity(raw.len());
        for code in self.code_points(payload) {
            if let Some(c) = char::from_u32(code) {
                canonical.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                let [low, high, ..] = code.to_le_bytes();
                let surrogate = [0xed, 0x80 | (high << 2 & 0x3c) | low >> 6, 0x80 | (low & 0x3f)];
                canonical.extend_from_slice(&surrogate);
            }
        }
        Cow::Owned(canonical)
    }

    fn is_well_formed(self, payload: &[u8]) -> bool {
        let mut points = self.code_points(payload);
        loop {
            match points.step() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(Malformed) => return false,
            }
        }
    }
}

fn plain_ascii(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii() && *b != b'\\')
}

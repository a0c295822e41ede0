//! Reads the characters of a string out of the ways in which pickles spell it.

/// How the payload spells a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// A byte is a character.
    Latin1,
    /// UTF-8 that may hold surrogates, as Python's `surrogatepass` does.
    Utf8,
    /// The body of a Python 2 string literal.
    StringEscape,
    /// The same, where the bytes it stands for are UTF-8.
    StringEscapeUtf8,
    RawUnicodeEscape,
}

/// An escape or a UTF-8 sequence that Python would reject.
pub(super) struct Malformed;

/// The characters of a string, which has been checked: as an iterator it ends at a malformed one.
pub(super) struct CodePoints<'p> {
    rest: &'p [u8],
    form: Form,
    /// The next byte stands for itself, whatever it is.
    literal: bool,
}

impl Iterator for CodePoints<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.step().ok().flatten()
    }
}

impl<'p> CodePoints<'p> {
    pub(super) fn new(spelled: &'p [u8], form: Form) -> Self {
        Self { rest: spelled, form, literal: false }
    }

    pub(super) fn step(&mut self) -> Result<Option<u32>, Malformed> {
        let utf8 = matches!(self.form, Form::Utf8 | Form::StringEscapeUtf8);
        match self.unit()? {
            Some(lead @ 0x80..) if utf8 => self.utf8(lead).map(Some),
            unit => Ok(unit),
        }
    }

    fn utf8(&mut self, lead: u32) -> Result<u32, Malformed> {
        let (continuations, least, mut code) = match lead {
            0xc2..=0xdf => (1, 0x80, lead & 0x1f),
            0xe0..=0xef => (2, 0x800, lead & 0x0f),
            0xf0..=0xf4 => (3, 0x1_0000, lead & 0x07),
            _ => return Err(Malformed),
        };
        for _ in 0..continuations {
            match self.unit()? {
                Some(byte @ 0x80..=0xbf) => code = code << 6 | (byte & 0x3f),
                _ => return Err(Malformed),
            }
        }
        // Python 3 writes surrogates so. In a string of Python 2 they show that its bytes mean something else.
        let is_stray = self.form == Form::StringEscapeUtf8 && (0xd800..=0xdfff).contains(&code);
        if (least..=0x10_ffff).contains(&code) && !is_stray { Ok(code) } else { Err(Malformed) }
    }

    /// A byte of UTF-8; in the other forms, a character.
    fn unit(&mut self) -> Result<Option<u32>, Malformed> {
        let Some((&byte, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let literal = std::mem::take(&mut self.literal);
        if literal || byte != b'\\' {
            return Ok(Some(byte.into()));
        }
        match self.form {
            Form::Latin1 | Form::Utf8 => Ok(Some(byte.into())),
            Form::StringEscape | Form::StringEscapeUtf8 => self.string_escape().map(Some),
            Form::RawUnicodeEscape => self.raw_unicode_escape().map(Some),
        }
    }

    /// What a backslash begins in `PyBytes_DecodeEscape` (Python 3.11 `bytesobject.c`).
    fn string_escape(&mut self) -> Result<u32, Malformed> {
        let (&escape, rest) = self.rest.split_first().ok_or(Malformed)?;
        let byte = match escape {
            b'\\' | b'\'' | b'"' => escape,
            b'a' => 0x07,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'r' => b'\r',
            b'x' => {
                self.rest = rest;
                return self.digits(16, 2, 2);
            }
            b'0'..=b'7' => return self.digits(8, 1, 3).map(|byte| byte & 0xff),
            _ => return Ok(b'\\'.into()),
        };
        self.rest = rest;
        Ok(byte.into())
    }

    /// What a backslash begins in `_PyUnicode_DecodeRawUnicodeEscapeStateful` (Python 3.11
    /// `unicodeobject.c`): an escape before `u` and `U`; before anything else, that too is literal.
    fn raw_unicode_escape(&mut self) -> Result<u32, Malformed> {
        let digits = match self.rest.first() {
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => {
                self.literal = true;
                return Ok(b'\\'.into());
            }
        };
        self.rest = self.rest.get(1..).unwrap_or_default();
        match self.digits(16, digits, digits)? {
            code @ ..=0x10_ffff => Ok(code),
            _ => Err(Malformed),
        }
    }

    fn digits(&mut self, radix: u32, least: usize, most: usize) -> Result<u32, Malformed> {
        let mut code = 0;
        for read in 0..most {
            let digit = self.rest.split_first().and_then(|(&byte, rest)| {
                let digit = char::from(byte).to_digit(radix)?;
                Some((digit, rest))
            });
            match digit {
                Some((digit, rest)) => {
                    code = code * radix + digit;
                    self.rest = rest;
                }
                None if read < least => return Err(Malformed),
                None => break,
            }
        }
        Ok(code)
    }
}

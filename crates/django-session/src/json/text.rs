//! Reads JSON string literals: Latin-1 or UTF-8, escapes, surrogates.

use std::borrow::Cow;

/// The inside of a string literal, grammar checked, escapes not yet resolved.
#[derive(Clone, Copy)]
pub(super) struct Text<'p> {
    pub(super) bytes: &'p [u8],
    pub(super) escaped: bool,
    pub(super) utf8: bool,
}

impl<'p> Text<'p> {
    /// Whether this is the text `other`.
    pub(super) fn is(self, other: &str) -> bool {
        if self.escaped || !(self.utf8 || other.is_ascii()) {
            self.to_str() == other
        } else {
            self.bytes == other.as_bytes()
        }
    }

    pub(super) fn to_str(self) -> Cow<'p, str> {
        if !self.escaped && (self.utf8 || self.bytes.is_ascii()) {
            // Most are valid, which is told faster than where they are not.
            let valid = std::str::from_utf8(self.bytes);
            return valid.map_or_else(|_| String::from_utf8_lossy(self.bytes), Cow::from);
        }
        self.code_points()
            .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect::<String>()
            .into()
    }

    /// All of it, if it is printed ASCII without escapes: most texts are, and this is told without looking at each byte alone.
    pub(super) fn plain(self) -> Option<&'p str> {
        // Without an early exit the compiler compares many bytes at once.
        let is_plain =
            !self.escaped && self.bytes.iter().fold(true, |all, byte| all & is_plain(*byte));
        if is_plain { std::str::from_utf8(self.bytes).ok() } else { None }
    }

    pub(super) fn code_points(self) -> CodePoints<'p> {
        CodePoints(self)
    }
}

/// Code points of a string literal; a lone surrogate is one of them.
pub(super) struct CodePoints<'p>(Text<'p>);

impl<'p> CodePoints<'p> {
    /// Takes the printed ASCII that comes next, up to a backslash. It is the same text in every encoding and needs no escape.
    pub(super) fn take_plain(&mut self) -> &'p str {
        let bytes = self.0.bytes;
        let end = bytes.iter().position(|byte| !is_plain(*byte)).unwrap_or(bytes.len());
        let (plain, rest) = bytes.split_at_checked(end).unwrap_or_default();
        self.0.bytes = rest;
        std::str::from_utf8(plain).unwrap_or_default()
    }

    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.0.bytes.split_first()?;
        self.0.bytes = rest;
        Some(*first)
    }

    /// The code unit of an escape of the form `\uXXXX` that the text begins with.
    fn unit(&self) -> Option<u32> {
        let digits = self.0.bytes.strip_prefix(b"\\u")?.get(..4)?;
        let digits = std::str::from_utf8(digits).ok()?;
        u32::from_str_radix(digits, 16).ok()
    }

    fn skip_unit(&mut self) {
        self.0.bytes = self.0.bytes.get(6..).unwrap_or_default();
    }

    fn raw(&mut self) -> Option<u32> {
        if self.0.utf8 {
            let end = self.0.bytes.iter().skip(1).position(|b| b & 0xc0 != 0x80);
            let end = end.map_or(self.0.bytes.len(), |at| at + 1);
            let (char_bytes, rest) = self.0.bytes.split_at_checked(end)?;
            self.0.bytes = rest;
            std::str::from_utf8(char_bytes).ok()?.chars().next().map(u32::from)
        } else {
            self.take().map(u32::from)
        }
    }
}

impl Iterator for CodePoints<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.0.bytes.first() != Some(&b'\\') {
            return self.raw();
        }
        if let Some(unit) = self.unit() {
            self.skip_unit();
            if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (unit, self.unit()) {
                self.skip_unit();
                return Some(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            }
            return Some(unit);
        }
        self.take();
        self.take().map(|escape| {
            u32::from(match escape {
                b'b' => 0x08,
                b'f' => 0x0c,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                itself => itself,
            })
        })
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

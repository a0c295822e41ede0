//! Finds out whether a document has a text, a number or a word under a path of keys.

use super::super::path::{Found, Rest, behind, place};
use super::super::{DecodeError, Limits};
use super::scanner::Scanner;

type Result<T> = std::result::Result<T, DecodeError>;

/// Whether the document has this value under this path. It is read to its end.
pub(in super::super) fn holds(
    payload: &[u8],
    limits: &Limits,
    path: &str,
    value: &str,
) -> Result<bool> {
    let mut scanner = Scanner::new(payload, limits);
    let holds = scanner.holds_under(path, value)?;
    scanner.end()?;
    Ok(holds)
}

impl Scanner<'_> {
    /// Reads a value, from which this path leads on.
    fn holds_under(&mut self, path: &str, value: &str) -> Result<bool> {
        self.space();
        match self.rest.first() {
            Some(b'{') => self.object_holds(path, value),
            Some(b'[') => self.array_holds(path, value),
            _ => self.value(&mut ()).map(|()| false),
        }
    }

    fn object_holds(&mut self, path: &str, value: &str) -> Result<bool> {
        let mut found = Found::default();
        self.members(|scanner, key| {
            let key = key.to_str();
            let holds = match behind(path, &key) {
                None => return scanner.value(&mut ()),
                Some(rest) => scanner.rest_holds(rest, value)?,
            };
            found.note(&key, holds);
            Ok(())
        })?;
        Ok(found.any())
    }

    fn array_holds(&mut self, path: &str, value: &str) -> Result<bool> {
        let wanted = place(path);
        let mut holds = false;
        self.eat(b'[');
        self.space();
        if self.eat(b']') {
            return Ok(false);
        }
        for at in 0_usize.. {
            match wanted {
                Some((place, rest)) if place == at => holds = self.rest_holds(rest, value)?,
                _ => self.value(&mut ())?,
            }
            self.space();
            match self.next()? {
                b',' => {}
                b']' => break,
                _ => return Err(DecodeError::Json),
            }
        }
        Ok(holds)
    }

    fn rest_holds(&mut self, rest: Rest<'_>, value: &str) -> Result<bool> {
        match rest {
            Rest::Under(path) => self.holds_under(path, value),
            Rest::Here => self.is_value(value),
        }
    }

    /// Reads a value, and compares it: a text with its characters, all else as it is written.
    fn is_value(&mut self, value: &str) -> Result<bool> {
        self.space();
        if self.eat(b'"') {
            return Ok(self.string()?.code_points().eq(value.chars().map(u32::from)));
        }
        let whole = self.rest;
        self.value(&mut ())?;
        let written = whole.get(..whole.len() - self.rest.len()).unwrap_or_default();
        let is_plain = !matches!(whole, [b'{' | b'[', ..]);
        Ok(is_plain && written == value.as_bytes())
    }
}

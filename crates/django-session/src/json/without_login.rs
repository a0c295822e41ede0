//! Writes a JSON session again without its login, in ASCII.

use std::fmt::Write as _;

use super::super::{DecodeError, Limits, LoginKeys};
use super::scanner::Scanner;

/// The document without the members of its top level that are a login, however often and however
/// escaped; `None` if it is no object. Members that stay are copied as they stand, but for raw
/// characters beyond ASCII.
pub(in super::super) fn without_login(
    payload: &[u8],
    limits: &Limits,
    keys: &LoginKeys,
) -> Result<Option<String>, DecodeError> {
    let mut scanner = Scanner::new(payload, limits);
    let mut kept = b"{".to_vec();
    let is_object = scanner.members(|scanner, key| {
        scanner.space();
        let rest = scanner.rest;
        scanner.value(&mut ())?;
        if !keys.is_login(|name| key.is(name)) {
            let separator = if kept.len() > 1 { ",\"" } else { "\"" };
            let value = rest.get(..rest.len() - scanner.rest.len()).unwrap_or_default();
            for part in [separator.as_bytes(), key.bytes, b"\":", value] {
                kept.extend_from_slice(part);
            }
        }
        Ok(())
    })?;
    if !is_object {
        return Ok(None);
    }
    scanner.end()?;
    kept.push(b'}');
    Ok(Some(ascii(&kept, scanner.utf8)))
}

/// With `\u` escapes for what is raw and beyond ASCII: Django's `JSONSerializer` reads Latin-1
/// (Django 5.2 `core/signing.py`), so raw UTF-8 would come out as other characters.
fn ascii(json: &[u8], utf8: bool) -> String {
    let mut text = String::with_capacity(json.len());
    let mut push = |c: char| {
        if c.is_ascii() {
            return text.push(c);
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    };
    if utf8 {
        String::from_utf8_lossy(json).chars().for_each(&mut push);
    } else {
        json.iter().copied().map(char::from).for_each(&mut push);
    }
    text
}

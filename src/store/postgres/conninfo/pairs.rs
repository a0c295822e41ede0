//! Parses the `key=value` form of a connection string: `host=db.example.com dbname='my site'`.

use super::parameters::Parameters;
use super::{SourceError, keyword};

/// Whether a text is a list of `key=value` pairs. A URL is not, whatever it contains.
pub(super) fn are_in(text: &str) -> bool {
    let is_url = text.split_once("://").is_some_and(|(scheme, _)| !scheme.contains('='));
    text.split_once('=').is_some_and(|(name, _)| keyword::find(name.trim()).is_some())
        || (!is_url && text.split_whitespace().any(|word| word.starts_with("password=")))
}

pub(super) fn parse(text: &str) -> Result<Parameters, SourceError> {
    let mut parameters = Parameters::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        // A word that is no pair may be part of a password, and is not shown.
        let (name, value) = rest
            .split_once('=')
            .map(|(name, value)| (name.trim_end(), value))
            .filter(|(name, _)| !name.contains(char::is_whitespace))
            .ok_or_else(|| malformed("there is a word without \"=\" in it"))?;
        if keyword::find(name).is_none() && (parameters.has("password") || !is_word(name)) {
            return Err(malformed("something before a \"=\" is no connection option"));
        }
        if is_missing(value) {
            return Err(malformed("an option has no value: is the variable behind it set?"));
        }
        let (value, after) = take_value(value.trim_start())?;
        parameters.put(name, value)?;
        rest = after.trim_start();
    }
    Ok(parameters)
}

/// Whether another option follows where a value is missing. libpq takes that option for the value: `password= user=x`.
fn is_missing(value: &str) -> bool {
    let next = value.starts_with(char::is_whitespace).then(|| value.split_once('='));
    next.flatten().is_some_and(|(name, _)| keyword::find(name.trim()).is_some())
}

fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// A value up to a space, or in single quotes; a backslash takes the next character as it is.
fn take_value(text: &str) -> Result<(String, &str), SourceError> {
    let (quoted, text) = text.strip_prefix('\'').map_or((false, text), |text| (true, text));
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            c if !quoted && c.is_ascii_whitespace() => {
                return Ok((value, text.get(at..).unwrap_or_default()));
            }
            c => value.push(c),
        }
    }
    if quoted { Err(malformed("a quoted value does not end")) } else { Ok((value, "")) }
}

fn malformed(what: &str) -> SourceError {
    SourceError::new(
        format!("cannot understand the connection string: {what}"),
        "expected host=... dbname=... user=..., values with spaces or quotes as 'it\\'s'",
    )
}

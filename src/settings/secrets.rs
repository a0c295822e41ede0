//! Reads the site's secret keys, from a file or from the environment.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use django_session::{Codec, Keyring};

use super::{cannot_read, name, open, without_carriage_return};
use crate::error::Error;
use crate::files;

const KEY_VARIABLES: [&str; 3] = ["SESSCTL_SECRET_KEY", "DJANGO_SECRET_KEY", "SECRET_KEY"];
/// All variables that are set count: a key too many does no harm, a missing one leaves sessions unverified.
const FALLBACKS_VARIABLES: [&str; 3] =
    ["SESSCTL_SECRET_KEY_FALLBACKS", "DJANGO_SECRET_KEY_FALLBACKS", "SECRET_KEY_FALLBACKS"];

/// The byte order mark that editors on Windows write first.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Reads a key file, one key a line: the `SECRET_KEY`, then fallbacks.
pub(super) fn of_file(file: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let bytes = files::read_all(open_secret(file)?).map_err(|source| cannot_read(file, source))?;
    if UTF_16.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(Error::usage(
            format!("{} is UTF-16", name(file)),
            "save it as UTF-8: the site's key is made of these bytes",
        ));
    }
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let lines = text.split(|byte| *byte == b'\n').map(without_carriage_return);
    let mut secrets: Vec<_> = lines.map(<[u8]>::to_vec).collect();
    if secrets.first().is_none_or(Vec::is_empty) {
        return Err(Error::usage(
            format!("the first line of {} is empty", name(file)),
            "it must be the SECRET_KEY; fallbacks follow, one a line",
        ));
    }
    secrets.retain(|secret| !secret.is_empty());
    Ok(secrets)
}

/// A variable with fallback keys that is set. With a key file such variables are not read.
pub(super) fn fallbacks_variable() -> Option<&'static str> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    FALLBACKS_VARIABLES.into_iter().find(is_set)
}

/// Reads the first key that is set, and all fallbacks.
pub(super) fn of_environment() -> Result<Vec<Vec<u8>>, Error> {
    let variable = |name: &&'static str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
        Some((*name, OsString::into_vec(value)))
    };
    let fallbacks: Vec<_> = FALLBACKS_VARIABLES.iter().filter_map(variable).collect();
    let Some((_, secret)) = KEY_VARIABLES.iter().find_map(variable) else {
        return match fallbacks.first() {
            None => Ok(Vec::new()),
            Some((name, _)) => Err(Error::usage(
                format!("{name} is set, but no SECRET_KEY"),
                "without it the newest sessions would look forged; set SESSCTL_SECRET_KEY or use --secret-key-file",
            )),
        };
    };
    let mut secrets = vec![secret];
    for (name, value) in &fallbacks {
        for secret in split_fallbacks(name, value)? {
            if !secrets.contains(&secret) {
                secrets.push(secret);
            }
        }
    }
    Ok(secrets)
}

/// A JSON array of texts, or texts with commas between them.
fn split_fallbacks(name: &str, value: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    if value.trim_ascii_start().starts_with(b"[") {
        let texts: Vec<String> = serde_json::from_slice(value).map_err(|_| {
            Error::usage(
                format!("{name} begins like a JSON array and is none"),
                "write [\"key\", \"key\"], or the keys with commas between them",
            )
        })?;
        return Ok(texts
            .into_iter()
            .map(String::into_bytes)
            .filter(|text| !text.is_empty())
            .collect());
    }
    // A blank after a comma may or may not belong to the key.
    let parts = value.split(|byte| *byte == b',').flat_map(|part| [part, part.trim_ascii()]);
    Ok(parts.filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect())
}

/// Opens a file, or standard input. The error for a missing file does not show the name, which may be the secret itself.
fn open_secret(file: &Path) -> Result<Box<dyn std::io::BufRead>, Error> {
    let is_bare = file.parent() == Some(Path::new(""));
    if is_bare && file != Path::new("-") && !file.exists() {
        return Err(Error::usage(
            "no file has the name that --secret-key-file gives",
            "it takes the path of a file whose first line is the SECRET_KEY, not the key",
        ));
    }
    open(file)
}

/// Variants of the given key: with or without what editors, shells and `.env` files add or remove. They are tried only where
/// no row verifies, for the hint in the error.
pub struct KeyVariants {
    /// All of them, in one keyring.
    pub codec: Codec,
    /// The hint for each.
    pub hints: Vec<&'static str>,
}

const LINE_END: &str = "the site's key is the given one with a line end after it: the site reads it from a file and does not strip \
     it; --django gives it as it is, or set SESSCTL_SECRET_KEY to the key and that line end";
const BLANKS: &str = "the site's key is the given one without the blanks around it: remove them";
const QUOTES: &str = "the site's key is the given one without the quotes around it: remove them";
const NAME: &str = "the site's key is what follows the \"=\": remove the name before it, and quotes around the key";

impl KeyVariants {
    /// The variants of the first key.
    pub fn new(codec: &Codec, key_salt: &str) -> Self {
        let (secrets, hints): (Vec<_>, _) =
            codec.keyring.secret().map(variants).unwrap_or_default().into_iter().unzip();
        let keyring = Keyring::new(secrets, key_salt);
        Self { codec: Codec { keyring, ..Codec::default() }, hints }
    }
}

fn variants(secret: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let trimmed = secret.trim_ascii();
    let mut bases = vec![
        (secret, LINE_END),
        (secret.trim_ascii_start(), BLANKS),
        (secret.trim_ascii_end(), BLANKS),
        (trimmed, BLANKS),
        (unquoted(trimmed), QUOTES),
    ];
    if let Some(value) = value_of_assignment(trimmed) {
        bases.extend([(value, NAME), (unquoted(value), NAME)]);
    }
    let mut variants: Vec<(Vec<u8>, &'static str)> = Vec::new();
    for (base, hint) in bases {
        for end in [&b""[..], b"\n", b"\r\n", b"\r"] {
            let variant = [base, end].concat();
            let is_new = variant != secret && variants.iter().all(|(known, _)| *known != variant);
            if is_new && !base.is_empty() {
                variants.push((variant, hint));
            }
        }
    }
    variants
}

fn unquoted(text: &[u8]) -> &[u8] {
    let within = |quote: &[u8]| text.strip_prefix(quote)?.strip_suffix(quote);
    within(b"\"").or_else(|| within(b"'")).unwrap_or(text)
}

/// `SECRET_KEY=...`, as a line of a `.env` file or of settings.
fn value_of_assignment(line: &[u8]) -> Option<&[u8]> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    let (name, value) = line.split_at(at);
    name.trim_ascii_end()
        .ends_with(b"SECRET_KEY")
        .then(|| value.get(1..).unwrap_or_default().trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_and_shells_do_to_a_key_is_tried() {
        for (given, meant, hint) in [
            ("key", "key\n", LINE_END),
            ("key", "key\r\n", LINE_END),
            ("key", "key\r", LINE_END),
            (" key", "key", BLANKS),
            ("key \t", "key", BLANKS),
            (" key ", "key ", BLANKS),
            ("\"key\"", "key", QUOTES),
            (" 'key' ", "key", QUOTES),
            ("export SECRET_KEY=key", "key", NAME),
            ("DJANGO_SECRET_KEY = 'key'", "key", NAME),
        ] {
            let found = variants(given.as_bytes());
            let found = found.iter().find(|(variant, _)| variant == meant.as_bytes());
            assert_eq!(found.map(|(_, hint)| *hint), Some(hint), "{given:?}");
        }
        for given in ["key", " ", "\"", "=", "SECRET_KEY=", ""] {
            let found = variants(given.as_bytes());
            assert!(found.iter().all(|(key, _)| key != given.as_bytes() && !key.is_empty()));
        }
    }

    #[test]
    fn fallbacks_are_split_at_commas() {
        let split = |text: &str| split_fallbacks("X", text.as_bytes()).ok();
        let own =
            |texts: &[&str]| Some(texts.iter().map(|text| text.as_bytes().to_vec()).collect());
        assert_eq!(split("[\"a,b\", \"c\", \"\"]"), own(&["a,b", "c"]));
        assert_eq!(split("a, b,,"), own(&["a", "a", " b", "b"]));
        assert_eq!(split("[a"), None);
    }
}

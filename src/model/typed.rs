//! Text from the command line that may hold a password in the wrong place, so messages do not repeat it.

use std::borrow::Cow;
use std::path::Path;

use super::needs_escape;

/// The replacement of such a value.
const HIDDEN: &str = "...";

/// Whether a value may hold a password: part of a URL, or of `key=value` pairs.
pub fn may_hold_password(value: &str) -> bool {
    value.contains(['=', '@']) || value.contains("://")
}

/// Whether it is almost certainly a connection string.
pub fn is_connection(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let says = |word: &str| {
        lower.match_indices(word).any(|(at, _)| {
            lower.get(at + word.len()..).is_some_and(|after| after.trim_start().starts_with('='))
        })
    };
    let has_user = |text: &str| text.split_once('@').is_some_and(|(user, _)| user.contains(':'));
    ["password", "passwd", "pwd", "passphrase"].into_iter().any(says)
        || value.split_once("://").is_some_and(|(_, after)| has_user(after))
        || has_user(value) && value.contains('/')
}

/// A text without values from the command line that may hold a password. E-mail addresses and names of
/// existing files are kept, unless `even_these`.
pub fn unrepeated(
    text: &str,
    typed: impl IntoIterator<Item = String>,
    even_these: bool,
) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    let mut values: Vec<String> = typed.into_iter().filter_map(value).collect();
    values.retain(|value| {
        may_hold_password(value)
            && (even_these || !(is_address(value) || Path::new(value).exists()))
    });
    // Longer values first: one may contain another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        if text.contains(&value) {
            text = text.replace(&value, HIDDEN).into();
        }
    }
    text
}

/// An argument of this process without a value that may hold a password.
pub fn without_passwords(argument: &str) -> Cow<'_, str> {
    unrepeated(argument, [argument.to_owned()], false)
}

/// Names of secrets before `=` or `:`.
const NAMES: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "pw",
    "secret",
    "token",
    "secret_key",
    "api_key",
    "apikey",
    "api-key",
    "sessionid",
    "session_key",
    "authorization",
];
/// Names of secrets before a blank.
const NAMES_ALONE: [&str; 6] = ["password", "passwd", "passphrase", "pwd", "secret", "token"];
/// What stands before a secret in a header (RFC 9110, "Authorization").
const SCHEMES: [&str; 2] = ["bearer", "basic"];
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// What the words before make of the next one.
#[derive(Clone, Copy)]
enum Follows {
    Anything,
    Secret,
    /// A secret, if it is no ordinary word or begins with a separator.
    PerhapsSecret,
    /// A secret, if it begins with a separator.
    PerhapsValue,
    /// Part of a secret, up to this quote.
    Quoted(char),
}

impl Follows {
    /// After this value of a name.
    fn value(value: &str) -> Self {
        let mut rest = value.chars();
        match rest.next().filter(|first| QUOTES.contains(first)) {
            _ if SCHEMES.iter().any(|scheme| value.eq_ignore_ascii_case(scheme)) => Self::Secret,
            Some(quote) if !rest.as_str().contains(quote) => Self::Quoted(quote),
            _ => Self::Anything,
        }
    }

    /// After this word, in lower case, that is no secret.
    fn word(lower: &str) -> Self {
        let word = lower.trim_end_matches(QUOTES);
        if word == "bearer" || after_name(lower) == Some(lower.len()) {
            Self::Secret
        } else if ends_with_name(word, &NAMES_ALONE) {
            Self::PerhapsSecret
        } else if ends_with_name(word, &NAMES) {
            Self::PerhapsValue
        } else {
            Self::Anything
        }
    }
}

/// A free text, such as a reason, without anything that looks like a secret: the login in a URL, the value
/// after `password=`, `password:` and the like, the word after `password` unless it is an ordinary word, and session
/// keys. Invisible characters are removed.
pub fn without_logins(text: &str) -> String {
    let text = without_keys(&text.replace(is_unseen, ""));
    let mut shown = String::with_capacity(text.len());
    let mut follows = Follows::Anything;
    // Each word keeps the blanks after it.
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let blank = word.get(bare.len()..).unwrap_or_default();
        if bare.is_empty() {
            shown.push_str(if matches!(follows, Follows::Quoted(_)) { "" } else { blank });
            continue;
        }
        let value = bare.trim_start_matches(['=', ':', '>']);
        let separator = bare.strip_suffix(value).unwrap_or_default();
        let is_hidden = match follows {
            Follows::Anything => false,
            Follows::Secret => true,
            Follows::PerhapsSecret => !separator.is_empty() || !is_ordinary(bare),
            Follows::PerhapsValue => !separator.is_empty(),
            Follows::Quoted(quote) => {
                if bare.contains(quote) {
                    follows = Follows::Anything;
                }
                continue;
            }
        };
        if is_hidden && value.is_empty() {
            follows = Follows::Secret;
            shown.push_str(word);
        } else if is_hidden {
            follows = Follows::value(value);
            shown.extend([separator, HIDDEN, blank]);
        } else {
            follows = push_word(&mut shown, bare);
            shown.push_str(blank);
        }
    }
    shown
}

/// Writes a word without the login and the value that are in it.
fn push_word(shown: &mut String, word: &str) -> Follows {
    let lower = word.to_ascii_lowercase();
    let login = word.find("://").and_then(|scheme| {
        let end = word.rfind('@').filter(|end| *end > scheme)?;
        Some((scheme + 3, end))
    });
    let value = after_name(&lower).filter(|at| *at < word.len());
    match [login, value.map(|at| (at, word.len()))].into_iter().flatten().min() {
        Some((from, to)) => {
            let rest = if value.is_some() { "" } else { word.get(to..).unwrap_or_default() };
            shown.extend([word.get(..from).unwrap_or_default(), HIDDEN, rest]);
        }
        None => shown.push_str(word),
    }
    match value {
        Some(at) => Follows::value(word.get(at..).unwrap_or_default()),
        None => Follows::word(&lower),
    }
}

/// What could stand unseen between a name and its value.
fn is_unseen(c: char) -> bool {
    needs_escape(c) && !c.is_control() && !c.is_whitespace()
}

/// Without what has the form of a session key of Django: 32 digits and small letters.
fn without_keys(text: &str) -> String {
    const LENGTH: usize = 32;
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_of_key = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
    let pieces = text.split_inclusive(|c| !is_of_word(c)).map(|piece| {
        let word = piece.trim_end_matches(|c| !is_of_word(c));
        let is_key = word.len() == LENGTH && word.chars().all(is_of_key);
        [if is_key { HIDDEN } else { word }, piece.get(word.len()..).unwrap_or_default()]
    });
    pieces.flatten().collect()
}

/// The start of the value after the first name of a secret in this word.
fn after_name(lower: &str) -> Option<usize> {
    let starts = NAMES.iter().flat_map(|name| {
        lower.match_indices(name).filter_map(|(at, name)| {
            let rest = lower.get(at + name.len()..)?.trim_start_matches(['"', '\'']);
            let is_value = rest.starts_with('=') || rest.starts_with(':') && is_begun(lower, at);
            is_value.then(|| lower.len() - rest.len() + 1)
        })
    });
    starts.min()
}

fn ends_with_name(lower: &str, names: &[&str]) -> bool {
    names
        .iter()
        .any(|name| lower.strip_suffix(name).is_some_and(|before| is_begun(lower, before.len())))
}

/// Whether a word begins at this position, as `token` in `api_token`.
fn is_begun(lower: &str, at: usize) -> bool {
    !lower.get(..at).is_some_and(|before| before.ends_with(char::is_alphabetic))
}

/// Whether it looks like a word of a language.
fn is_ordinary(word: &str) -> bool {
    let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
    word.chars().count() > 1
        && word.chars().all(char::is_alphabetic)
        && word.chars().skip(1).all(char::is_lowercase)
}

/// The value in an argument: `--option=value`, `-ovalue`, or the argument itself.
fn value(argument: String) -> Option<String> {
    if argument.starts_with("--") {
        return argument.split_once('=').map(|(_, value)| value.to_owned());
    }
    match argument.strip_prefix('-').and_then(|short| short.get(1..)) {
        Some(value) => Some(value.strip_prefix('=').unwrap_or(value).to_owned()),
        None => Some(argument),
    }
}

/// Whether it is an e-mail address, such as `anna@example.com`, and cannot be a part of a URL.
fn is_address(value: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "._+-".contains(c);
    value.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.trim_matches('.').contains('.')
            && local.chars().chain(domain.chars()).all(is_plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, typed: &[&str]) -> String {
        unrepeated(text, typed.iter().map(|&typed| typed.to_owned()), false).into_owned()
    }

    #[test]
    fn what_may_hold_a_password_is_not_repeated() {
        for (text, typed, expected) in [
            ("no table 'host=h password=x'", &["host=h password=x"][..], "no table '...'"),
            ("a b=c d", &["b=c"], "a ... d"),
            ("no b", &["--table=b"], "no b"),
            ("no p://u:x@h/d", &["--table=p://u:x@h/d"], "no ..."),
            ("no p://u:x@h/d", &["-tp://u:x@h/d"], "no ..."),
            ("no anna@example.com", &["anna@example.com"], "no anna@example.com"),
            ("no u:x@h", &["u:x@h"], "no ..."),
            ("no a=b, a=bc", &["a=b", "a=bc"], "no ..., ..."),
            ("--table was given", &["--table=p=q"], "--table was given"),
        ] {
            assert_eq!(shown(text, typed), expected);
        }
        let clap = unrepeated("'a@b'", ["a@b".to_owned()], true);
        assert_eq!(clap, "'...'");
        assert_eq!(without_passwords("--reason=a=b"), "--reason=...");
        assert_eq!(without_passwords("--reason=later"), "--reason=later");
    }

    #[test]
    fn a_text_for_people_loses_secrets_only() {
        for (text, expected) in [
            ("pw=s3cret postgres://u:s3cret@h/d", "pw=... postgres://...@h/d"),
            ("see https://example.com/a?b=c, ticket=7", "see https://example.com/a?b=c, ticket=7"),
            ("for anna@example.com\nPassword=x;y", "for anna@example.com\nPassword=..."),
            ("a://u:p@h?pwd=x", "a://..."),
            ("mypw=x", "mypw=..."),
            ("password: hunter seen", "password: ... seen"),
            ("password:hunter", "password:..."),
            ("Password = hunter", "Password = ..."),
            ("token=x, SECRET_KEY=y", "token=... SECRET_KEY=..."),
            ("{\"token\": \"hunter\"}", "{\"token\": ..."),
            ("secret x", "secret ..."),
            ("SECRET_KEY = 'abc 123def' seen", "SECRET_KEY = ... seen"),
            ("SECRET_KEY='abc 123def', seen", "SECRET_KEY=... seen"),
            ("'SECRET_KEY' => \"a b  c\" seen", "'SECRET_KEY' => ... seen"),
            ("password =hunter", "password =..."),
            ("apikey: x api_key=y X-Api-Key: z", "apikey: ... api_key=... X-Api-Key: ..."),
            ("Bearer abcdef", "Bearer ..."),
            ("Authorization: Bearer abcdef seen", "Authorization: ... ... seen"),
            ("password\u{200b}=x pass\u{2060}word: y", "password=... password: ..."),
            ("sessionid=0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p;", "sessionid=..."),
            ("key 0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p, leaked", "key ..., leaked"),
            ("/0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p/", "/.../"),
            (
                "0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5 is short",
                "0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5 is short",
            ),
            ("--reason=secret x\ny", "--reason=secret ...\ny"),
            ("api_token\thunter2 leaked", "api_token\t... leaked"),
            ("the password s3cret, the token", "the password ... the token"),
            (
                "password leaked. Bypass: see the secret Santa",
                "password leaked. Bypass: see the secret Santa",
            ),
        ] {
            assert_eq!(without_logins(text), expected);
        }
    }

    #[test]
    fn a_connection_is_told_from_what_only_looks_a_little_like_one() {
        for value in [
            "host=h password=x",
            "PASSWORD = x",
            "postgres://u:x@h/d",
            "//u:x@h/d",
            "u:x@h/d",
            "passwd=x",
        ] {
            assert!(is_connection(value), "{value}");
        }
        for value in
            ["anna@example.com", "42", "a=b", "https://example.com/a?b=c", "12:30", "password"]
        {
            assert!(!is_connection(value), "{value}");
        }
    }
}

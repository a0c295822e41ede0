//! Text from the command line that may hold a password in the wrong place, so messages do not repeat it.

use std::borrow::Cow;
use std::path::Path;

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
const NAMES: [&str; 10] = [
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
];
/// Names of secrets before a blank.
const NAMES_ALONE: [&str; 6] = ["password", "passwd", "passphrase", "pwd", "secret", "token"];

/// A free text, such as a reason, without anything that looks like a secret: the login in a URL, the value
/// after `password=`, `password:` and the like, and the word after `password` unless it is an ordinary word.
pub fn without_logins(text: &str) -> String {
    #[derive(Clone, Copy)]
    enum Follows {
        Anything,
        Secret,
        PerhapsSecret,
    }
    let mut shown = String::with_capacity(text.len());
    let mut follows = Follows::Anything;
    // Each word keeps the blanks after it.
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let blank = word.get(bare.len()..).unwrap_or_default();
        let is_hidden = match follows {
            Follows::Anything => false,
            Follows::Secret => true,
            Follows::PerhapsSecret => !is_ordinary(bare),
        };
        if is_hidden {
            let is_separator = matches!(bare, "=" | ":");
            if is_separator {
                follows = Follows::Secret;
            } else if !bare.is_empty() {
                follows = Follows::Anything;
            }
            let is_shown = is_separator || bare.is_empty();
            shown.extend([if is_shown { bare } else { HIDDEN }, blank]);
            continue;
        }
        follows = Follows::Anything;
        let lower = bare.to_ascii_lowercase();
        let login = bare.find("://").and_then(|scheme| {
            let end = bare.rfind('@').filter(|end| *end > scheme)?;
            Some((scheme + 3, end))
        });
        let value = after_name(&lower);
        match value {
            Some(at) if at == bare.len() => follows = Follows::Secret,
            None if ends_with_name(&lower) => follows = Follows::PerhapsSecret,
            _ => {}
        }
        let value = value.filter(|at| *at < bare.len()).map(|at| (at, bare.len()));
        match [login, value].into_iter().flatten().min() {
            Some((from, to)) => {
                let rest = if value.is_some() { "" } else { bare.get(to..).unwrap_or_default() };
                shown.extend([bare.get(..from).unwrap_or_default(), HIDDEN, rest, blank]);
            }
            None => shown.push_str(word),
        }
    }
    shown
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

fn ends_with_name(lower: &str) -> bool {
    NAMES_ALONE
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

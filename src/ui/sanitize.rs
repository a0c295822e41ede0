//! Escapes untrusted text before a terminal shows it.

use std::borrow::Cow;

use crate::model::{counted, needs_escape};

/// Untrusted text on one line, with an escape for each character that a terminal would obey or not show.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    escape(text, |_, c| needs_escape(c))
}

/// Most characters of a name that are shown: a row of 6.5 KB can hold an id of 5 MB.
const MOST_CHARS: usize = 200;

/// The same for a name that stands alone, such as that of a user: no two look alike, as far as they are shown. A blank is
/// escaped where it would not be seen, and a backslash where it begins what looks like an escape. Of a long name the
/// beginning and the length are shown.
pub fn sanitize_name(text: &str) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(MOST_CHARS) else { return escape_name(text) };
    let beginning = escape_name(text.get(..end).unwrap_or_default());
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    format!("{beginning}... ({})", counted(length, "character")).into()
}

fn escape_name(text: &str) -> Cow<'_, str> {
    escape(text, |at, c| {
        let after = text.get(at + c.len_utf8()..).unwrap_or_default();
        let is_unseen_blank = || at == 0 || after.is_empty() || after.starts_with(' ');
        needs_escape(c) || c == ' ' && is_unseen_blank() || c == '\\' && after.starts_with("u{")
    })
}

fn escape(text: &str, is_escaped: impl Fn(usize, char) -> bool) -> Cow<'_, str> {
    if !text.char_indices().any(|(at, c)| is_escaped(at, c)) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_escaped(at, c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        assert_eq!(sanitize("Zoë 日本"), "Zoë 日本");
        assert_eq!(sanitize("a\x1b[2Jb\n\u{202e}c\u{9b}"), r"a\u{1b}[2Jb\u{a}\u{202e}c\u{9b}");
        assert_eq!(sanitize(r"\u{200b}  "), r"\u{200b}  ");
    }

    #[test]
    fn no_two_names_look_alike() {
        for (name, shown) in [
            ("Zoë Ann", "Zoë Ann"),
            (r"SITE\ulf", r"SITE\ulf"),
            ("anna\u{3164}", r"anna\u{3164}"),
            (r"anna\u{3164}", r"anna\u{5c}u{3164}"),
            (" anna", r"\u{20}anna"),
            ("anna ", r"anna\u{20}"),
            ("a  b", r"a\u{20} b"),
        ] {
            assert_eq!(sanitize_name(name), shown);
        }
        let longest = "ü".repeat(200);
        assert_eq!(sanitize_name(&longest), longest);
        let longer = longest.clone() + &"x".repeat(4_999_800);
        assert_eq!(sanitize_name(&longer), longest + "... (5000000 characters)");
    }
}

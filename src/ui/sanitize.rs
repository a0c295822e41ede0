use std::borrow::Cow;

use crate::model::steers_terminal;

/// A text that others wrote, on one line and with nothing in it that a terminal would obey.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.contains(steers_terminal) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if steers_terminal(c) {
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
    }
}

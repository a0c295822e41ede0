//! Quotes names that other people chose, so that a proposed shell command is safe to paste.

use std::borrow::Cow;

/// Quotes a text as one word of a shell. Proposed commands contain names of tables and keys that other people
/// chose.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.-/:@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_shell_is_one_word() {
        for (text, word) in [
            ("tenant.django_session", "tenant.django_session"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("a';reboot;'", r"'a'\'';reboot;'\'''"),
            ("\"My Table\"", "'\"My Table\"'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}

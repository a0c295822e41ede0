//! Patterns of keys, as `SCAN ... MATCH` reads them.

use crate::cache::Shape;

/// A pattern that matches all keys of a shape, and others.
pub(super) fn of(shape: &Shape) -> String {
    let (before, after, anywhere) = shape.search();
    let start = if anywhere { "*" } else { "" };
    format!("{start}{}*{}", escaped(before), escaped(after))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Shape, of};

    #[test]
    fn what_a_prefix_holds_means_itself() {
        let shape = Shape::of_project(("a*[b]?\\:1:x".into(), "!".into()));
        assert_eq!(of(&shape), "a\\*\\[b\\]\\?\\\\:1:x*!");
        let assumed = Shape::of_django(Some("p"), None);
        assert_eq!(of(&assumed), "*django.contrib.sessions.cached_db*");
    }
}

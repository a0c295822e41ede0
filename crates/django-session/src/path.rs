//! Paths of keys through a session, such as `oidc.sid` or `cart.items.0`.

/// Keys that a path may have, one inside the other. Each takes a frame of the stack.
pub(super) const MOST_KEYS: usize = 100;

/// What is left of a path behind one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rest<'p> {
    /// The value of the key is the one that is meant.
    Here,
    /// This path leads on from the value of the key.
    Under(&'p str),
}

/// What is left of a path behind a key of an object; `None` if it leads elsewhere. A key may contain dots itself, so more than one
/// key of an object may lead on.
pub(super) fn behind<'p>(path: &'p str, key: &str) -> Option<Rest<'p>> {
    match path.strip_prefix(key)? {
        "" => Some(Rest::Here),
        rest => rest.strip_prefix('.').map(Rest::Under),
    }
}

/// The place in a list that a path begins with, from 0 on, and what is left behind it.
pub(super) fn place(path: &str) -> Option<(usize, Rest<'_>)> {
    let (place, rest) =
        path.split_once('.').map_or((path, Rest::Here), |(place, rest)| (place, Rest::Under(rest)));
    let is_plain = place == "0" || !place.starts_with('0');
    let is_number = is_plain && place.bytes().all(|byte| byte.is_ascii_digit());
    Some((place.parse().ok().filter(|_| is_number)?, rest))
}

/// Of the keys that may lead on, whether the last value of one does: of a repeated key the last counts.
#[derive(Default)]
pub(super) struct Found(Vec<(usize, bool)>);

impl Found {
    /// Notes what came of a key. All of them begin the same path, so their lengths tell them apart.
    pub(super) fn note(&mut self, key: &str, holds: bool) {
        match self.0.iter_mut().find(|(len, _)| *len == key.len()) {
            Some((_, old)) => *old = holds,
            None => self.0.push((key.len(), holds)),
        }
    }

    pub(super) fn any(&self) -> bool {
        self.0.iter().any(|(_, holds)| *holds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_dots_leads_on_as_one_without() {
        assert_eq!(behind("a.b.c", "a"), Some(Rest::Under("b.c")));
        assert_eq!(behind("a.b.c", "a.b"), Some(Rest::Under("c")));
        assert_eq!(behind("a.b.c", "a.b.c"), Some(Rest::Here));
        for other in ["a.b.c.d", "b", "a.", "ab", "A"] {
            assert_eq!(behind("a.b.c", other), None, "{other}");
        }
    }

    #[test]
    fn a_place_is_a_plain_number() {
        assert_eq!(place("0"), Some((0, Rest::Here)));
        assert_eq!(place("12.a.b"), Some((12, Rest::Under("a.b"))));
        for other in ["", "a", "-1", "+1", "01", "1a", " 1", "99999999999999999999"] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}

//! What the keys of entries look like: a text, the key of the session, a text.

/// Django's engine puts this before the key of the session; django-redis and Django's own caches put
/// `KEY_PREFIX:VERSION:` before that.
const ENGINE: &str = "django.contrib.sessions.cached_db";
/// The column `session_key` has room for so many characters.
const MOST_SESSION_KEY: usize = 40;

/// The texts around the key of a session in the key of its cache entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    before: String,
    after: String,
    /// Whether the project said so. Otherwise it is what Django makes of a `KEY_PREFIX` and a `VERSION`.
    pub(crate) is_known: bool,
    /// Whether the operator said which `KEY_PREFIX` or `VERSION` it is.
    pub(crate) is_asked_for: bool,
}

impl Shape {
    /// What a project said.
    pub(crate) fn of_project((before, after): (String, String)) -> Self {
        Self { before, after, is_known: true, is_asked_for: false }
    }

    /// What Django's default `KEY_FUNCTION` makes.
    pub(crate) fn of_django(key_prefix: Option<&str>, version: Option<&str>) -> Self {
        let is_asked_for = key_prefix.is_some() || version.is_some();
        let (key_prefix, version) = (key_prefix.unwrap_or_default(), version.unwrap_or("1"));
        let before = format!("{key_prefix}:{version}:{ENGINE}");
        Self { before, after: String::new(), is_known: false, is_asked_for }
    }

    /// The key of an entry.
    pub(crate) fn key(&self, session_key: &str) -> String {
        format!("{}{session_key}{}", self.before, self.after)
    }

    /// The key of an entry that no session has.
    pub(crate) fn of_no_session(&self) -> String {
        self.key("sessctl:no:session")
    }

    /// The key of the session whose entry has this key. Django's have 32 characters; an engine of the site's own may make
    /// others.
    pub(crate) fn session_key<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = (1..=MOST_SESSION_KEY).contains(&rest.len()) && rest.bytes().all(is_of_key);
        fits.then_some(rest)
    }

    /// Whether this is the key of an entry under another `KEY_PREFIX` or `VERSION`, where these were not asked for.
    pub(crate) fn is_of_another(&self, key: &str) -> bool {
        !self.is_known && !key.starts_with(&self.before) && key.contains(ENGINE)
    }

    /// The beginning of another key up to the engine's part, for messages.
    pub(crate) fn prefix(key: &str) -> &str {
        key.split_once(ENGINE).map_or("", |(prefix, _)| prefix)
    }

    /// The texts between which a server searches for the keys of this shape, and of others where these matter.
    pub(crate) fn search(&self) -> (&str, &str, bool) {
        if self.is_known { (&self.before, &self.after, false) } else { (ENGINE, "", true) }
    }

    /// What stands before the key of a session.
    pub(crate) fn before(&self) -> &str {
        &self.before
    }
}

#[cfg(test)]
mod tests {
    use super::Shape;

    const KEY: &str = "0123456789abcdefghijklmnopqrstuv";

    #[test]
    fn a_key_is_made_and_taken_apart_as_django_makes_it() {
        let shape = Shape::of_django(None, None);
        assert_eq!(shape.key(KEY), format!(":1:django.contrib.sessions.cached_db{KEY}"));
        assert_eq!(shape.session_key(&shape.key(KEY)), Some(KEY));
        assert_eq!(shape.session_key(&shape.of_no_session()), None);
        let other = Shape::of_django(Some("my:shop"), Some("3"));
        let key = other.key(KEY);
        assert_eq!(key, format!("my:shop:3:django.contrib.sessions.cached_db{KEY}"));
        assert!(shape.is_of_another(&key) && !other.is_of_another(&key));
        assert_eq!((shape.session_key(&key), Shape::prefix(&key)), (None, "my:shop:3:"));
        // Another engine's entries begin alike.
        let cache = format!(":1:django.contrib.sessions.cache{KEY}");
        assert!(shape.session_key(&cache).is_none() && !shape.is_of_another(&cache));
    }

    #[test]
    fn what_a_project_says_is_all_that_counts() {
        let shape = Shape::of_project(("1/p/".into(), "/end".into()));
        assert_eq!(shape.session_key(&shape.key(KEY)), Some(KEY));
        assert!(!shape.is_of_another(&Shape::of_django(None, None).key(KEY)));
        for odd in ["1/p//end", "1/p/end", "1/p/a b/end", "1/p/abc"] {
            assert_eq!(shape.session_key(odd), None, "{odd}");
        }
    }
}

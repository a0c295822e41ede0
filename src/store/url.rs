//! Takes URLs of servers apart: `scheme://user:password@host:port/database?option=value`. It is stricter than
//! the libraries of Django projects where an unescaped character in a password would turn the rest of the
//! password into a host name.

use super::{SourceError, percent_decode};

/// What the URLs of one kind of server look like.
pub(crate) struct UrlForm {
    /// What such a URL is called in messages.
    pub(crate) what: &'static str,
    /// What to write instead of what makes no sense.
    pub(crate) expected: &'static str,
    /// Where a password may stand instead.
    pub(crate) password_elsewhere: &'static str,
    /// Options whose values hold an `@` in good faith: `user@server` on Azure.
    pub(crate) may_hold_at: &'static [&'static str],
    /// Those whose values may hold anything.
    pub(crate) free_text: &'static [&'static str],
    /// Whether there is an option of this name.
    pub(crate) is_option: fn(&str) -> bool,
}

/// The parts of a URL. User and password are decoded.
pub(crate) struct Url<'t> {
    pub(crate) user: String,
    pub(crate) password: String,
    /// What stands where the host does.
    pub(crate) hosts: &'t str,
    /// What stands between the host and the options, without the first slash.
    pub(crate) path: &'t str,
    pub(crate) query: &'t str,
    tail: &'t str,
}

impl Url<'_> {
    /// As django-environ has it: the path of a socket, and the database.
    pub(crate) fn socket_and_database(&self) -> Option<(&str, &str)> {
        let is_socket = self.path.starts_with('/') && self.hosts.is_empty();
        self.path.rsplit_once('/').filter(|_| is_socket)
    }
}

impl UrlForm {
    /// Takes apart what follows `scheme://`.
    pub(crate) fn split<'t>(&self, rest: &'t str) -> Result<Url<'t>, SourceError> {
        let (authority, tail) = split_at_any(rest, &['/', '?', '#']);
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        self.check_escapes(authority, tail, path)?;
        self.check_options(authority, tail, path, query)?;
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let user = Self::decode(user, "user")?;
        let password = Self::decode(password, "password")?;
        let path = path.strip_prefix('/').unwrap_or_default();
        Ok(Url { user, password, hosts, path, query, tail })
    }

    /// Finds what only an unescaped character of a password can have brought about.
    fn check_escapes(&self, authority: &str, tail: &str, path: &str) -> Result<(), SourceError> {
        if tail.contains('#') {
            return Err(self.unescaped('#'));
        }
        if authority.matches('@').count() > 1 || (authority.contains('@') && path.contains('@')) {
            return Err(self.unescaped('@'));
        }
        if path.contains('@') {
            return Err(self.unescaped('/'));
        }
        Ok(())
    }

    /// Finds options that are the rest of a password, with the real host behind it: `u:1?user=x@host/db` is no
    /// user `x@host/db` on a host `u`.
    fn check_options(
        &self,
        authority: &str,
        tail: &str,
        path: &str,
        query: &str,
    ) -> Result<(), SourceError> {
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let is_rest_of_password = |option: &str| {
            let (name, value) = option.split_once('=').unwrap_or_default();
            let Some((_, place)) = value.rsplit_once('@') else { return false };
            let may_hold_anything = self.free_text.contains(&name) && !path.is_empty();
            let is_second_user = name == "user" && !login.is_empty() && path.is_empty();
            let has_empty_port = hosts.split(',').any(|host| host.ends_with(':'));
            let is_a_place = place.is_empty() || place.contains(['/', ':', '?']);
            is_second_user || has_empty_port || (is_a_place && !may_hold_anything)
        };
        if authority.contains(':') && query.split('&').any(is_rest_of_password) {
            return Err(self.unescaped(match tail.chars().next() {
                Some(first) if login.is_empty() => first,
                _ => '@',
            }));
        }
        Ok(())
    }

    /// Splits one host of a URL into its decoded name and the digits of its port, which may be none.
    pub(crate) fn host_and_port<'t>(
        &self,
        host: &'t str,
        url: &Url<'_>,
    ) -> Result<(String, &'t str), SourceError> {
        let (name, port) = match host.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(|| {
                SourceError::new(
                    "a \"[\" before an IPv6 address has no \"]\" behind it",
                    self.expected,
                )
            })?,
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let port = port.strip_prefix(':').unwrap_or(port);
        if port.chars().all(|c| c.is_ascii_digit()) {
            return Ok((Self::decode(name, "host")?, port));
        }
        Err(match url.tail.chars().next().filter(|_| url.tail.contains('@')) {
            Some(culprit) => self.unescaped(culprit),
            None if port.contains(':') => SourceError::new(
                format!("there is more than one \":\" in the host of the {}", self.what),
                "an IPv6 address stands in brackets: //user@[::1]/database",
            ),
            None => SourceError::new(
                format!("the port in the {} is no number", self.what),
                self.expected,
            ),
        })
    }

    /// The names and values of the options, decoded.
    pub(crate) fn options(&self, query: &str) -> Result<Vec<(String, String)>, SourceError> {
        let may_be_password = query.contains('@');
        let mut options = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let Some((name, value)) = option.split_once('=') else {
                return Err(if may_be_password {
                    self.unescaped('?')
                } else {
                    SourceError::new(
                        format!("an option of the {} has no \"=\"", self.what),
                        self.expected,
                    )
                });
            };
            let name = Self::decode(name, "name of an option")?;
            if may_be_password && !(self.is_option)(&name) {
                return Err(self.unescaped('?'));
            }
            let value = Self::decode(value, &name)?;
            if value.contains('@') && !self.may_hold_at.contains(&&*name) {
                return Err(self.unescaped('?'));
            }
            options.push((name, value));
        }
        Ok(options)
    }

    /// A part of a URL without its percent-encoding.
    pub(crate) fn decode(text: &str, part: &str) -> Result<String, SourceError> {
        percent_decode(text).ok_or_else(|| {
            SourceError::new(
                format!("in the {part} of the URL stands a \"%\" that does not encode a character"),
                "write %25 for a % that is meant as one",
            )
        })
    }

    fn unescaped(&self, character: char) -> SourceError {
        let code = u32::from(character);
        SourceError::new(
            format!(
                "there is a \"{character}\" in the {} where none can be: in the password?",
                self.what
            ),
            format!(
                "write %{code:X} for a {character} in a password, %25 for a %; or give the password {}",
                self.password_elsewhere
            ),
        )
    }
}

fn split_at_any<'t>(text: &'t str, chars: &[char]) -> (&'t str, &'t str) {
    text.split_at(text.find(chars).unwrap_or(text.len()))
}

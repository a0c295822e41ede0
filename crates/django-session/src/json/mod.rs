//! JSON as Python's `json.loads` reads it, which is what makes a row a login: `NaN` and the
//! infinities, lone surrogates, integers of any size, repeated keys (the last wins). Nothing is
//! built in memory: one pass checks the grammar, and picks out the login, or copies the whole to
//! [`JsonText`], or copies all but the login.

mod behind;
mod holds;
mod members;
mod nesting;
mod scanner;
mod strings;
#[cfg(test)]
mod tests;
mod text;
mod without_login;

use std::borrow::Cow;

pub(super) use holds::holds;
pub(super) use members::members;
use scanner::{Number, Scanner, Sink, as_text, is_space};
use text::Text;
pub(super) use without_login::without_login;

use super::auth::Auth;
use super::identities::{Identities, UserId};
use super::json_text::JsonText;
use super::login_keys::{LoginKeys, Role};
use super::{DecodeError, Limits};

/// Is called with a key of the top level and the bytes of its value.
pub(super) type Member<'m> = &'m mut dyn FnMut(Cow<'_, str>, usize);
type Result<T> = std::result::Result<T, DecodeError>;

/// Whether a payload begins as a JSON document does.
pub(super) fn looks_like_json(payload: &[u8]) -> bool {
    payload.iter().find(|byte| !is_space(**byte)).is_some_and(|byte| {
        matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b'N' | b'I')
    })
}

/// The login at the top level of a document, and whether [`write`] writes the document as it stands. Calls `member` as
/// [`members`] does.
pub(super) fn auth<'p>(
    payload: &'p [u8],
    limits: &Limits,
    keys: &LoginKeys,
    member: Option<Member<'_>>,
) -> Result<(Auth<'p>, bool)> {
    Scanner::new(payload, limits).auth(keys, member)
}

/// The login at the top level of a document of which this is the beginning.
pub(super) fn auth_of_beginning<'p>(
    payload: &'p [u8],
    limits: &Limits,
    keys: &LoginKeys,
) -> Result<Auth<'p>> {
    Scanner::new_cut(payload, limits).auth_of_beginning(keys)
}

/// What comes behind the key, if a document begins with the first key of users, as Django writes it.
pub(super) fn behind_user_key<'p>(payload: &'p [u8], keys: &LoginKeys) -> Option<&'p [u8]> {
    let key = keys.user.first()?;
    payload.strip_prefix(b"{\"")?.strip_prefix(key.as_bytes())?.strip_prefix(b"\":")
}

/// The user that the first bytes of a document name, if they do so as Django writes it: as text
/// without escapes, or a whole number.
///
/// They tell nothing of further identities, which come behind the user.
pub(super) fn first_user<'p>(beginning: &'p [u8], keys: &LoginKeys) -> Option<&'p str> {
    if let Some(user) = behind_user_key(beginning, keys) {
        return Scanner::of_beginning(user).plain_user();
    }
    let first = keys.user.first()?;
    let mut scanner = Scanner::of_beginning(beginning);
    let mut user = None;
    // Whatever ends it, the end of the bytes or a login, there is no more to read.
    let _ = scanner.members(|scanner, key| {
        if key.is(first) {
            user = scanner.plain_user();
            return Err(DecodeError::Json);
        }
        scanner.value(&mut ())
    });
    user
}

/// The document as JSON that any parser takes.
pub(super) fn write(payload: &[u8], limits: &Limits, out: &mut JsonText<'_>) -> Result<()> {
    let mut scanner = Scanner::new(payload, limits);
    scanner.value(out)?;
    scanner.end()
}

impl Sink for JsonText<'_> {
    fn raw(&mut self, json: &str) -> Result<()> {
        JsonText::raw(self, json)
    }

    fn string(&mut self, text: Text<'_>) -> Result<()> {
        self.raw("\"")?;
        if let Some(plain) = text.plain() {
            JsonText::plain(self, plain)?;
            return self.raw("\"");
        }
        let mut rest = text.code_points();
        loop {
            JsonText::plain(self, rest.take_plain())?;
            let Some(code) = rest.next() else { break };
            self.code_point(code)?;
        }
        self.raw("\"")
    }

    fn number(&mut self, number: Number<'_>) -> Result<()> {
        match number {
            Number::Integer(digits) => self.raw(as_text(digits)?),
            Number::Float(number) => {
                let text = as_text(number)?;
                match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => self.raw(text),
                    Ok(value) => self.float(value),
                    Err(_) => Err(DecodeError::Json),
                }
            }
            Number::Constant(value) => self.float(value),
        }
    }
}

impl<'p> Scanner<'p> {
    fn auth(mut self, keys: &LoginKeys, member: Option<Member<'_>>) -> Result<(Auth<'p>, bool)> {
        let mut found = Identities::default();
        if !self.identify(keys, &mut found, member)? {
            self.value(&mut ())?;
        }
        self.end()?;
        Ok((found.auth()?, self.is_verbatim))
    }

    fn auth_of_beginning(mut self, keys: &LoginKeys) -> Result<Auth<'p>> {
        let mut found = Identities::default();
        match self.identify(keys, &mut found, None) {
            Ok(true) => self.end()?,
            Err(DecodeError::Json) if self.rest.is_empty() => {}
            Ok(false) => return Err(DecodeError::TooLarge),
            Err(why) => return Err(why),
        }
        found.auth().and_then(|auth| auth.told_of(DecodeError::TooLarge))
    }

    /// False, and nothing is read, if this is no object.
    fn identify(
        &mut self,
        keys: &LoginKeys,
        found: &mut Identities<'p>,
        mut member: Option<Member<'_>>,
    ) -> Result<bool> {
        self.members(|scanner, key| {
            scanner.space();
            let before = scanner.rest.len();
            scanner.identify_member(keys, key, found)?;
            if let Some(member) = &mut member {
                member(key.to_str(), before - scanner.rest.len());
            }
            Ok(())
        })
    }

    fn identify_member(
        &mut self,
        keys: &LoginKeys,
        key: Text<'p>,
        found: &mut Identities<'p>,
    ) -> Result<()> {
        match keys.role(|name| key.is(name)) {
            Some(Role::User(place)) => {
                let id = self.user_id()?;
                self.goes_on()?;
                found.user(place, id);
            }
            Some(Role::Backend) => found.backend = self.backend()?,
            Some(Role::Behind(place)) => {
                let behind = self.behind()?;
                self.goes_on()?;
                found.behind(place, behind);
            }
            None => {
                if let Some(may_be_own) = keys.may_be_own
                    && let key = key.to_str()
                    && may_be_own(&key)
                {
                    found.own(key, self.user_id()?);
                } else {
                    self.value(&mut ())?;
                }
            }
        }
        Ok(())
    }

    /// A number at the very end of a beginning may be cut. Behind a member of an object there is always more.
    fn goes_on(&self) -> Result<()> {
        if self.rest.is_empty() { Err(DecodeError::Json) } else { Ok(()) }
    }

    fn backend(&mut self) -> Result<Option<Cow<'p, str>>> {
        self.space();
        if self.eat(b'"') {
            return Ok(Some(self.string()?.to_str()));
        }
        self.value(&mut ()).map(|()| None)
    }

    /// The value of `_auth_user_id`, if it is whole and plain.
    fn plain_user(&mut self) -> Option<&'p str> {
        if self.eat(b'"') {
            let text = self.string().ok()?;
            let is_plain = !text.escaped && text.bytes.is_ascii();
            return if is_plain { std::str::from_utf8(text.bytes).ok() } else { None };
        }
        match self.number().ok()? {
            Number::Integer(digits)
                if digits != b"-0" && matches!(self.rest, [b',' | b'}', ..]) =>
            {
                as_text(digits).ok()
            }
            _ => None,
        }
    }

    /// The value of `_auth_user_id`, read as Django's `IntegerField.to_python` would read one that
    /// is not text: `int(value)`.
    pub(super) fn user_id(&mut self) -> Result<UserId<'p>> {
        self.space();
        Ok(match self.rest.first() {
            Some(b'"') => {
                self.eat(b'"');
                UserId::Text(self.string()?.to_str())
            }
            Some(b'{' | b'[') => self.value(&mut ()).map(|()| UserId::Other)?,
            Some(b'n') => self.word("null").map(|()| UserId::Null)?,
            Some(b't') => self.word("true").map(|()| UserId::Text("1".into()))?,
            Some(b'f') => self.word("false").map(|()| UserId::Text("0".into()))?,
            _ => match self.number()? {
                Number::Integer(b"-0") => UserId::Text("0".into()),
                Number::Integer(digits) => UserId::Text(as_text(digits)?.into()),
                Number::Float(number) => match as_text(number)?.parse::<f64>() {
                    Ok(value) if value.is_finite() && value.fract() == 0.0 => {
                        UserId::Text(format!("{:.0}", value + 0.0).into())
                    }
                    _ => UserId::Other,
                },
                Number::Constant(_) => UserId::Other,
            },
        })
    }
}

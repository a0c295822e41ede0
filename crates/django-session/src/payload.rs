//! The serialized session inside a row: JSON or a pickle, from which login, JSON text and a copy without the login are made.

use std::borrow::Cow;
use std::io;

use super::json_text::JsonText;
use super::path::MOST_KEYS;
use super::pickle::{self, Pickle};
use super::{Auth, Codec, DecodeError, LoginKeys, NotKept, Serializer, json};

/// The serialized session, its envelope taken off.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'s> {
    bytes: &'s [u8],
    /// Whether this is only the beginning: the whole exceeds [`Limits::payload`](super::Limits::payload).
    is_cut: bool,
    /// Whether it is known to be JSON that [`Self::json`] leaves as it stands.
    pub(super) is_verbatim: bool,
    serializer: Serializer,
    codec: &'s Codec,
}

/// What the envelope held.
#[derive(Clone, Copy)]
pub(super) enum Bytes<'s> {
    Whole(&'s [u8]),
    /// As much as is allowed.
    Beginning(&'s [u8]),
}

impl<'s> Bytes<'s> {
    /// Of these as much as is allowed.
    pub(super) fn within(bytes: &'s [u8], limit: usize) -> Self {
        match bytes.get(..limit) {
            Some(beginning) if bytes.len() > limit => Self::Beginning(beginning),
            _ => Self::Whole(bytes),
        }
    }
}

impl<'s> Payload<'s> {
    /// `is_verified` says whether a key verifies it. That costs much, and is asked where nothing else tells what it is.
    pub(super) fn new(
        bytes: Bytes<'s>,
        codec: &'s Codec,
        is_verified: impl FnOnce() -> bool,
    ) -> Result<Self, DecodeError> {
        let (bytes, is_cut) = match bytes {
            Bytes::Whole(bytes) => (bytes, false),
            Bytes::Beginning(bytes) => (bytes, true),
        };
        // `NaN` and `Infinity` begin like pickles that first push something else.
        let serializer = if json::looks_like_json(bytes) && !matches!(bytes, [b'N' | b'I', ..]) {
            Serializer::Json
        } else if pickle::looks_like_pickle(bytes) {
            Serializer::Pickle
        } else if is_cut {
            return Err(DecodeError::TooLarge);
        } else if pickle::is_session(bytes, &codec.limits) && is_verified() {
            Serializer::Pickle
        } else if json::looks_like_json(bytes) {
            Serializer::Json
        } else {
            return Err(DecodeError::UnknownSerializer);
        };
        Ok(Self { bytes, is_cut, is_verbatim: false, serializer, codec })
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// How it is serialized: judged by its first bytes, or, where these tell nothing and a key verifies it, by
    /// whether it is a pickle.
    pub fn serializer(&self) -> Serializer {
        self.serializer
    }

    /// Whether it is a JSON object or a pickled dictionary, as far as that can be told without reading a JSON document to its
    /// end.
    pub fn is_mapping(&self) -> bool {
        match self.serializer {
            Serializer::Json => self.bytes.trim_ascii_start().starts_with(b"{"),
            Serializer::Pickle => pickle::is_session(self.bytes, &self.codec.limits),
        }
    }

    /// Whether it begins as `JSONSerializer` or `PickleSerializer` begin a session. Other formats have other beginnings, though
    /// a first byte may be the same: `{` of YAML, `(` of Zstandard.
    pub(super) fn begins_as_django_writes(&self) -> bool {
        match self.serializer {
            Serializer::Json => self.bytes.starts_with(b"{\"") || self.bytes == b"{",
            Serializer::Pickle => {
                matches!(self.bytes, [0x80, 2..=5, ..] | [b'}', ..] | [b'(', b'd', ..])
            }
        }
    }

    /// The login at the top level. The whole payload is checked: what Django could not load is no
    /// login.
    ///
    /// Where the payload exceeds the [`Limits`](super::Limits), this is the login that the beginning
    /// names, as far as it is allowed. Behind it the key may be repeated, or further identities may
    /// come: that is not seen. A beginning that names nobody is an error.
    pub fn auth(&self) -> Result<Auth<'s>, DecodeError> {
        self.auth_under(&self.codec.login)
    }

    /// The same under other keys than the codec's.
    pub fn auth_under(&self, keys: &LoginKeys) -> Result<Auth<'s>, DecodeError> {
        self.read(keys, None).map(|(auth, _)| auth)
    }

    /// The same, and whether this is JSON that stays as it stands. Calls `member` as [`Self::members`] does, if this is JSON.
    pub(super) fn read(
        &self,
        keys: &LoginKeys,
        member: Option<json::Member<'_>>,
    ) -> Result<(Auth<'s>, bool), DecodeError> {
        let limits = &self.codec.limits;
        let auth = match self.serializer {
            Serializer::Json if self.is_cut => json::auth_of_beginning(self.bytes, limits, keys),
            Serializer::Json => return json::auth(self.bytes, limits, keys, member),
            Serializer::Pickle => pickle::auth(self.bytes, self.is_cut, limits, keys),
        };
        auth.map(|auth| (auth, false))
    }

    /// Calls `member` with each key of the top level and the bytes that its value takes up, as JSON.
    pub fn members(&self, member: &mut dyn FnMut(Cow<'_, str>, usize)) -> Result<(), DecodeError> {
        let limits = &self.codec.limits;
        match self.serializer {
            Serializer::Json => json::members(self.whole()?, limits, member),
            Serializer::Pickle => Pickle::read(self.whole()?, limits)?.members(member),
        }
    }

    /// Whether the session holds this value under this path: keys with dots between them, such as `oidc.sid`, and the places of
    /// items of lists, from 0 on. A key may itself contain dots.
    ///
    /// A text is compared with its characters, a number and `true`, `false` and `null` as [`Self::json`] writes them. What holds
    /// further values is equal to no value. It is an error if the payload cannot be read to its end, or if the path leads to a
    /// pickled object that may hold anything.
    pub fn holds(&self, path: &str, value: &str) -> Result<bool, DecodeError> {
        let limits = &self.codec.limits;
        if path.split('.').count() > MOST_KEYS {
            return Err(DecodeError::TooComplex);
        }
        match self.serializer {
            Serializer::Json => json::holds(self.whole()?, limits, path, value),
            Serializer::Pickle => Pickle::read(self.whole()?, limits)?.holds(path, value),
        }
    }

    /// The whole session as JSON that any parser takes: what JSON cannot hold (`NaN`, dates,
    /// objects) as the nearest thing that it can.
    pub fn json(&self) -> Result<String, DecodeError> {
        self.json_up_to(usize::MAX)?.map(Cow::into_owned).ok_or(DecodeError::TooComplex)
    }

    /// The same, or `None` if it has more bytes than this: [`Self::write_json`] can write it then.
    pub fn json_up_to(&self, bytes: usize) -> Result<Option<Cow<'s, str>>, DecodeError> {
        if let Some(json) = self.verbatim() {
            return Ok(Some(json).filter(|json| json.len() <= bytes).map(Cow::Borrowed));
        }
        let mut text = JsonText::kept_up_to(bytes);
        self.write(&mut text)?;
        Ok(text.into_string().map(Cow::Owned))
    }

    /// Writes it without holding it in memory. What [`Self::json_up_to`] refused is cut off where it cannot go on.
    pub fn write_json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut text = JsonText::written(out);
        // An error in writing is told by the next line, and all other errors were looked for before.
        let _ = self.write(&mut text);
        text.finish()
    }

    fn write(&self, out: &mut JsonText<'_>) -> Result<(), DecodeError> {
        let (bytes, limits) = (self.whole()?, &self.codec.limits);
        out.bound(bytes.len());
        out.expect(bytes.len());
        match self.serializer {
            Serializer::Json => json::write(bytes, limits, out),
            Serializer::Pickle => Pickle::read(bytes, limits)?.write_json(out),
        }
    }

    /// The JSON, if it is these bytes.
    fn verbatim(&self) -> Option<&'s str> {
        if self.is_verbatim { std::str::from_utf8(self.bytes).ok() } else { None }
    }

    /// The document without its login; `None` if it is no JSON object.
    pub(super) fn without_login(&self) -> Result<Option<String>, NotKept> {
        let Codec { limits, login, .. } = self.codec;
        match self.serializer {
            Serializer::Json => Ok(json::without_login(self.whole()?, limits, login)?),
            Serializer::Pickle => Ok(None),
        }
    }

    /// What must not be missed by a single byte.
    fn whole(&self) -> Result<&'s [u8], DecodeError> {
        if self.is_cut { Err(DecodeError::TooLarge) } else { Ok(self.bytes) }
    }
}

//! A decoded row: its layout, signature, payload and login.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use super::envelope::{Seal, Signed, begins_as_django_writes};
use super::json::Member;
use super::payload::Payload;
use super::{Auth, Codec, DecodeError, Encode, Layout, NotKept, Serializer, Signature};

/// One stored text, taken apart. Its signature is checked only when asked for.
#[derive(Debug)]
pub struct Decoded<'s> {
    pub(super) codec: &'s Codec,
    pub(super) seal: Option<Seal<'s>>,
    /// What was stored, where it is in no layout of Django's; empty if it was not read.
    pub(super) outside: &'s [u8],
    pub(super) saved: Option<i64>,
    pub(super) compressed: bool,
    pub(super) payload: Result<Payload<'s>, DecodeError>,
    /// Whether the login was read and its document found to be [`Payload::is_verbatim`].
    pub(super) is_verbatim: Cell<bool>,
    /// Checked once, however often it is asked for.
    pub(super) signature: OnceCell<Signature>,
    /// Which key made it, searched once, however often it is asked for.
    pub(super) made_by: OnceCell<Option<usize>>,
}

impl<'s> Decoded<'s> {
    pub(super) fn new(codec: &'s Codec, payload: Result<Payload<'s>, DecodeError>) -> Self {
        Self {
            codec,
            seal: None,
            outside: b"",
            saved: None,
            compressed: false,
            payload,
            is_verbatim: Cell::new(false),
            signature: OnceCell::new(),
            made_by: OnceCell::new(),
        }
    }

    pub(super) fn signed(
        codec: &'s Codec,
        signed: Signed<'s>,
        payload: Result<Payload<'s>, DecodeError>,
    ) -> Self {
        Self {
            seal: Some(signed.seal),
            saved: signed.saved.unwrap_or(None),
            compressed: signed.compressed,
            ..Self::new(codec, signed.saved.and(payload))
        }
    }

    /// The layout, if it is one of Django's.
    pub fn layout(&self) -> Option<Layout> {
        self.seal.map(|seal| seal.layout())
    }

    /// When the session was last saved, in seconds since 1970: only [`Layout::Signed`] says it.
    pub fn saved(&self) -> Option<i64> {
        self.saved
    }

    /// Whether the payload was stored as zlib.
    pub fn compressed(&self) -> bool {
        self.compressed
    }

    /// Whether another key than those that were given could verify it.
    pub(super) fn may_be_of_another_key(&self) -> bool {
        self.seal.is_none_or(|seal| seal.is_possible())
    }

    /// Whether an `encode` of the site's own may have written it, for all that its beginning tells.
    pub(super) fn may_be_foreign(&self) -> bool {
        let stored = self.seal.map_or(self.outside, |seal| seal.message());
        match self.codec.encode {
            Encode::Django => false,
            Encode::Unknown => !begins_as_django_writes(stored),
            Encode::Own => true,
        }
    }

    /// Checks the signature. This costs more than the rest of many rows, hence the method.
    pub fn signature(&self) -> Signature {
        if self.codec.keyring.is_empty() {
            return Signature::Unchecked;
        }
        *self.signature.get_or_init(|| match (self.signed_by(), self.seal, self.payload) {
            (Some(_), ..) => Signature::Valid,
            (None, None, Err(DecodeError::TooLarge)) => Signature::Unchecked,
            _ => Signature::Invalid,
        })
    }

    /// Which of the keys made the signature: 0 is the first.
    pub fn signed_by(&self) -> Option<usize> {
        let find = || self.seal.and_then(|seal| seal.made_by(&self.codec.keyring));
        *self.made_by.get_or_init(find)
    }

    /// The serialized session, whatever its signature says.
    pub fn payload(&self) -> Result<Payload<'s>, DecodeError> {
        let mut payload = self.payload?;
        payload.is_verbatim = self.is_verbatim.get();
        Ok(payload)
    }

    /// The payload, if it may be written out. A pickle unfolds what it shares, which nobody needs of one that was forged or
    /// damaged.
    pub fn verified_payload(&self) -> Result<Payload<'s>, DecodeError> {
        let payload = self.payload()?;
        let is_pickle = payload.serializer() == Serializer::Pickle;
        if is_pickle && self.signature() == Signature::Invalid {
            return Err(DecodeError::Unverified);
        }
        Ok(payload)
    }

    /// The login in the payload: shorthand for [`Payload::auth`].
    pub fn auth(&self) -> Result<Auth<'s>, DecodeError> {
        self.read(None)
    }

    /// The same, and calls `member` as [`Payload::members`] of [`Self::verified_payload`] does. JSON is read only once.
    pub(super) fn auth_and_members(
        &self,
        member: &mut dyn FnMut(Cow<'_, str>, usize),
    ) -> Result<Auth<'s>, DecodeError> {
        let is_pickle = |payload: &Payload<'_>| payload.serializer() == Serializer::Pickle;
        if let Some(pickle) = self.verified_payload().ok().filter(is_pickle) {
            // What is wrong with it the login tells.
            let _ = pickle.members(member);
        }
        self.read(Some(member))
    }

    fn read(&self, member: Option<Member<'_>>) -> Result<Auth<'s>, DecodeError> {
        let (auth, is_verbatim) = self.payload?.read(&self.codec.login, member)?;
        self.is_verbatim.set(is_verbatim);
        Ok(auth)
    }

    /// The stored text of the same session without its login: `_auth_user_id`,
    /// `_auth_user_backend`, `_auth_user_hash` and all [`LoginKeys`](super::LoginKeys) go from the top level of the
    /// payload, everything else stays, and the first key of the keyring signs it as saved at
    /// this time, in seconds since 1970.
    ///
    /// Whichever Django reads this row will read the result, if the first key is its `SECRET_KEY`:
    /// layout and hash stay as they are, and the payload is compressed where `signing.dumps` would
    /// do it, and plain ASCII, since `JSONSerializer` reads Latin-1 (Django 5.2 `core/signing.py`,
    /// `sessions/serializers.py`). It is an error if the result would be beyond the [`Limits`](super::Limits).
    pub fn without_login(&self, saved: i64) -> Result<String, NotKept> {
        let codec = self.codec;
        let seal = self.seal.filter(|seal| seal.verify(&codec.keyring));
        let seal = seal.ok_or(NotKept::Unverified)?;
        let payload = self.payload()?;
        let json = payload.without_login()?.ok_or(NotKept::NotAnObject)?;
        codec.limits.allow(json.len())?;
        let stored = seal.renew(json.as_bytes(), saved, &codec.keyring);
        let stored = stored.ok_or(NotKept::NotAnObject)?;
        codec.limits.allow(stored.len() / 4 * 3)?;
        Ok(stored)
    }
}

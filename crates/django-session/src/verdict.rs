//! Decides what a row is: a login, an anonymous session, unreadable or damaged. Every command uses this one rule.

use std::borrow::Cow;

use super::{Auth, DecodeError, Decoded, Signature};

/// What a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// A session that names a user.
    Login(Login<'a>),
    /// A session that names no user.
    Anonymous {
        /// Ids under other keys, where a site may keep logins of its own: see [`Auth::own`].
        own: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    },
    /// This crate cannot read it, and it may be somebody's login.
    Unreadable(DecodeError),
    /// None of the keys verifies it, and what encloses it, or what begins as Django's own serializers do, is broken, so
    /// that no Django release could read it with any other key: to the site it is an empty session. See
    /// [`Encode`](crate::Encode).
    Damaged(DecodeError),
}

/// A session that names a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    /// The user's primary key as text.
    pub user_id: Cow<'a, str>,
    /// Dotted path of the authentication backend, where it is text.
    pub backend: Option<Cow<'a, str>>,
    /// Users who are logged in again when an impersonation ends.
    pub others: Vec<Cow<'a, str>>,
    /// Whether there may be more of them than this crate understands: see [`Auth::unclear`].
    pub unclear: bool,
    /// Whether one of the keys verifies it. [`Signature::Unchecked`] also where nobody asked.
    pub signature: Signature,
}

impl Login<'_> {
    /// Whether no key verifies it. Django reads an empty session then, unless it has a key that was not given here.
    pub fn is_unverified(&self) -> bool {
        self.signature == Signature::Invalid
    }

    /// All users whom the session names.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.user_id).chain(self.others.iter().map(|id| &**id))
    }
}

impl<'s> Decoded<'s> {
    /// What the row is. The signature of a login is checked only where `matters` says so: it costs as much as the
    /// rest of a small row.
    pub fn verdict(&self, matters: impl FnOnce(&Auth<'s>) -> bool) -> Verdict<'s> {
        self.judge(self.auth(), matters)
    }

    /// The same. Calls `member` with each key at the top level of a payload that may be written out, and with the bytes of its
    /// value, as [`Payload::members`](crate::Payload::members) does, and reads the payload only once.
    pub fn verdict_and_members(
        &self,
        matters: impl FnOnce(&Auth<'s>) -> bool,
        member: &mut dyn FnMut(Cow<'_, str>, usize),
    ) -> Verdict<'s> {
        self.judge(self.auth_and_members(member), matters)
    }

    fn judge(
        &self,
        auth: Result<Auth<'s>, DecodeError>,
        matters: impl FnOnce(&Auth<'s>) -> bool,
    ) -> Verdict<'s> {
        let auth = match auth {
            Ok(auth) => auth,
            Err(why) if self.signature() == Signature::Invalid && !self.may_be_a_session(why) => {
                return Verdict::Damaged(why);
            }
            Err(why) => return Verdict::Unreadable(why),
        };
        if auth.names_nobody() {
            return self.without_a_user(auth.own);
        }
        let signature = if matters(&auth) { self.signature() } else { Signature::Unchecked };
        let Auth { user_id, backend, mut others, unclear, .. } = auth;
        let Some(user_id) = user_id.or_else(|| others.pop()) else {
            return Verdict::Unreadable(DecodeError::UserId);
        };
        Verdict::Login(Login { user_id, backend, others, unclear, signature })
    }

    /// Whether a row that no key verifies and this crate cannot read could be a session all the same: of a serializer or an
    /// `encode` of the site's own, or beyond one of the limits. What begins as Django's own do and is broken further on is
    /// damaged.
    fn may_be_a_session(&self, why: DecodeError) -> bool {
        let is_readable_elsewhere = match why {
            DecodeError::UnknownSerializer
            | DecodeError::TooLarge
            | DecodeError::TooComplex
            | DecodeError::Unverified
            | DecodeError::UserId => true,
            DecodeError::Json | DecodeError::Pickle => {
                !self.payload().is_ok_and(|payload| payload.begins_as_django_writes())
            }
            DecodeError::UnknownLayout
            | DecodeError::Base64
            | DecodeError::SaveTime
            | DecodeError::Zlib => return self.may_be_foreign(),
        };
        if self.may_be_of_another_key() { is_readable_elsewhere } else { self.may_be_foreign() }
    }

    /// Django's own serializers write a mapping. Anything else is the work of a serializer of the site's own, which JSON and
    /// pickle only enclose, or it is no session.
    fn without_a_user(&self, own: Vec<(Cow<'s, str>, Cow<'s, str>)>) -> Verdict<'s> {
        if self.payload().is_ok_and(|payload| payload.is_mapping()) {
            Verdict::Anonymous { own }
        } else if self.signature() == Signature::Invalid
            && !self.may_be_a_session(DecodeError::UnknownSerializer)
        {
            Verdict::Damaged(DecodeError::UnknownSerializer)
        } else {
            Verdict::Unreadable(DecodeError::UnknownSerializer)
        }
    }
}

//! Turns a decoded row into what is reported of it.

use django_session::{Decoded, Decoder, Verdict};
use serde_json::value::RawValue;

use crate::model::{Expiry, Row, Timestamp, masked_key};
use crate::report::{DecodedSession, ListedSession, State};

/// Whether the payload is wanted too: it is most of the work.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Detail {
    Summary,
    Payload,
}

/// How session keys are printed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum KeyDisplay {
    Masked,
    Whole,
}

impl From<bool> for KeyDisplay {
    fn from(show_keys: bool) -> Self {
        if show_keys { Self::Whole } else { Self::Masked }
    }
}

pub(super) fn describe(decoded: &Decoded<'_>, detail: Detail) -> DecodedSession {
    let mut error = None;
    let (state, login) = match decoded.verdict(|_| false) {
        Verdict::Login(login) => (State::User, Some(login)),
        Verdict::Anonymous => (State::Anonymous, None),
        Verdict::Unreadable(why) | Verdict::Damaged(why) => {
            error = Some(why);
            (State::Unreadable, None)
        }
    };
    let mut payload = None;
    if detail == Detail::Payload && error.is_none() {
        match decoded.payload().and_then(|payload| payload.json()) {
            Ok(json) => payload = RawValue::from_string(json).ok(),
            Err(why) => error = Some(why),
        }
    }
    let behind_unclear = login.as_ref().is_some_and(|login| login.unclear);
    let (user_id, backend, behind) =
        login.map(|login| (Some(login.user_id), login.backend, login.others)).unwrap_or_default();
    DecodedSession {
        state,
        user_id: user_id.map(Into::into),
        backend: backend.map(Into::into),
        behind: behind.into_iter().map(Into::into).collect(),
        behind_unclear,
        signature: decoded.signature(),
        saved: decoded.saved().and_then(Timestamp::from_seconds).map(|saved| saved.to_string()),
        layout: decoded.layout(),
        serializer: decoded.payload().ok().map(|payload| payload.serializer()),
        compressed: decoded.compressed(),
        error: error.map(|why| why.to_string()),
        payload,
    }
}

pub(super) fn describe_row(
    decoder: &mut Decoder<'_>,
    row: &Row<'_>,
    detail: Detail,
    keys: KeyDisplay,
) -> ListedSession {
    listed(row, describe(&row.decode(decoder), detail), keys)
}

pub(super) fn listed(row: &Row<'_>, session: DecodedSession, keys: KeyDisplay) -> ListedSession {
    let key = match keys {
        KeyDisplay::Masked => masked_key(row.key),
        KeyDisplay::Whole => row.key,
    };
    let expires = match row.expires {
        Expiry::Unreadable(_) => None,
        expires => Some(expires.to_string()),
    };
    let size = row.data.bytes();
    ListedSession { schema: None, session_key: key.into(), expires, size, session }
}

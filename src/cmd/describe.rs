//! Turns a decoded row into what is reported of it.

use serde_json::value::RawValue;

use crate::codec::{Decoded, Decoder};
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
    let (state, auth) = match decoded.auth() {
        Ok(auth) if auth.user_id.is_some() => (State::User, auth),
        Ok(auth) => (State::Anonymous, auth),
        Err(why) => {
            error = Some(why);
            (State::Unreadable, crate::codec::Auth::default())
        }
    };
    let mut payload = None;
    if detail == Detail::Payload && error.is_none() {
        match decoded.payload().and_then(|payload| payload.json()) {
            Ok(json) => payload = RawValue::from_string(json).ok(),
            Err(why) => error = Some(why),
        }
    }
    DecodedSession {
        state,
        user_id: auth.user_id.map(Into::into),
        backend: auth.backend.map(Into::into),
        behind: auth.others.into_iter().map(Into::into).collect(),
        behind_unclear: auth.unclear,
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
    listed(row, describe(&decoder.decode_row(row), detail), keys)
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

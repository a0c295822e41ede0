//! Turns a decoded row into what reports show of a session: its user, its times, its layout and its masked
//! key.

use std::borrow::Cow;
use std::io::{self, Write};

use django_session::{DecodeError, Decoded, Login, Payload, Verdict};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::{Expiry, Row, Timestamp, masked_key};
use crate::report::{DecodedSession, ListedSession, State};
use crate::ui;

/// Whether the payload is shown too. Decoding it is most of the work.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Detail {
    Summary,
    Payload,
}

/// How session keys are printed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum KeyDisplay {
    Masked,
    Whole,
}

impl From<bool> for KeyDisplay {
    fn from(show_keys: bool) -> Self {
        if show_keys { Self::Whole } else { Self::Masked }
    }
}

/// What a row holds, borrowed from it.
pub(crate) struct Content<'s> {
    pub(crate) state: State,
    pub(crate) login: Option<Login<'s>>,
    /// Why it or its payload cannot be read.
    pub(crate) error: Option<DecodeError>,
    /// The payload as JSON, if it is shown and may be held in memory.
    pub(crate) json: Option<Cow<'s, str>>,
    /// The payload, if it is too large for that.
    pub(crate) large: Option<Payload<'s>>,
}

/// A session to report. A payload that is too large to be held as JSON is separate, and streamed into the
/// output.
pub(crate) struct Described<'s> {
    pub(crate) session: DecodedSession,
    pub(crate) large: Option<Payload<'s>>,
}

/// Most bytes of JSON that are held in memory.
const HELD_JSON: usize = 512 << 10;
/// Placeholder for a payload that is streamed.
const ELSEWHERE: &str = "0";

/// Writes a session on one line.
pub(crate) fn write_json<T: Serialize>(
    out: &mut dyn Write,
    session: &T,
    large: Option<Payload<'_>>,
) -> io::Result<()> {
    match large {
        None => ui::write_json_line(out, session),
        Some(payload) => {
            ui::write_large_json_line(out, session, Some(&|out| payload.write_json(out)))
        }
    }
}

/// Writes everything about a session, for people.
pub(crate) fn write_whole(
    out: &mut dyn Write,
    session: &ListedSession,
    large: Option<Payload<'_>>,
) -> io::Result<()> {
    let write = |out: &mut dyn Write| large.map_or(Ok(()), |payload| payload.write_json(out));
    ui::write_session(out, session, large.map(|_| &write as ui::WriteLarge<'_>))
}

/// Describes a session without its payload.
pub(crate) fn summary(decoded: &Decoded<'_>) -> DecodedSession {
    describe(decoded, Detail::Summary).session
}

impl<'s> Content<'s> {
    pub(crate) fn of(decoded: &Decoded<'s>, detail: Detail) -> Self {
        let (state, login, error) = match decoded.verdict(|_| false) {
            Verdict::Login(login) => (State::User, Some(login), None),
            Verdict::Anonymous { .. } => (State::Anonymous, None, None),
            Verdict::Unreadable(why) | Verdict::Damaged(why) => {
                (State::Unreadable, None, Some(why))
            }
        };
        let mut content = Self { state, login, error, json: None, large: None };
        if detail == Detail::Payload && error.is_none() {
            match decoded
                .verified_payload()
                .and_then(|payload| Ok((payload.json_up_to(HELD_JSON)?, payload)))
            {
                Ok((None, payload)) => content.large = Some(payload),
                Ok((json, _)) => content.json = json,
                Err(why) => content.error = Some(why),
            }
        }
        content
    }
}

pub(crate) fn describe<'s>(decoded: &Decoded<'s>, detail: Detail) -> Described<'s> {
    let Content { state, login, error, json, large } = Content::of(decoded, detail);
    let json = json.or_else(|| large.map(|_| ELSEWHERE.into()));
    let payload = json.and_then(|json| RawValue::from_string(json.into_owned()).ok());
    let behind_unclear = login.as_ref().is_some_and(|login| login.unclear);
    let (user_id, backend, behind) =
        login.map(|login| (Some(login.user_id), login.backend, login.others)).unwrap_or_default();
    let session = DecodedSession {
        state,
        user_id: user_id.map(Into::into),
        backend: backend.map(Into::into),
        behind: behind.into_iter().map(Into::into).collect(),
        behind_unclear,
        signature: decoded.signature(),
        key: decoded.signed_by().map(|place| place + 1),
        saved: decoded.saved().and_then(Timestamp::from_seconds).map(|saved| saved.to_string()),
        layout: decoded.layout(),
        serializer: decoded.payload().ok().map(|payload| payload.serializer()),
        compressed: decoded.compressed(),
        error: error.map(|why| why.to_string()),
        payload,
    };
    Described { session, large }
}

impl KeyDisplay {
    /// The key of a row as it is printed.
    pub(crate) fn of<'r>(self, row: &Row<'r>) -> &'r str {
        match self {
            Self::Masked => masked_key(row.key),
            Self::Whole => row.key,
        }
    }
}

pub(crate) fn listed(row: &Row<'_>, session: DecodedSession, keys: KeyDisplay) -> ListedSession {
    let expires = match row.expires {
        Expiry::Unreadable(_) => None,
        expires => Some(expires.to_string()),
    };
    let size = row.data.bytes();
    let session_key = keys.of(row).into();
    ListedSession { schema: None, session_key, expires, size, username: None, session }
}

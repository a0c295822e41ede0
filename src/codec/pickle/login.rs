//! Finds the login in a session's pickle.

use std::borrow::Cow;

use super::super::auth::{BACKEND, USER_ID};
use super::super::{Auth, DecodeError};
use super::scalar;
use super::value::{Graph, Value};

pub(super) fn auth<'g>(graph: &'g Graph<'_>, top: Value) -> Result<Auth<'g>, DecodeError> {
    if !graph.is_understood(top) {
        return Err(DecodeError::UnknownSerializer);
    }
    let user_id = match item(graph, top, USER_ID)? {
        Some(value) => user_id(graph, value)?,
        None => None,
    };
    let backend = item(graph, top, BACKEND)?
        .and_then(|value| graph.text(value))
        .filter(|text| !text.is_bytes())
        .and_then(|text| text.to_str(graph.payload));
    Ok(Auth { user_id, backend })
}

/// `mapping[key]`. Bytes are no key of a Python 3 session. An object that was made from the same
/// text may or may not be the same key, so it must not compete with the text itself.
fn item(graph: &Graph<'_>, mapping: Value, key: &str) -> Result<Option<Value>, DecodeError> {
    let is_key = |candidate: Value| {
        graph.text(candidate).is_some_and(|text| !text.is_bytes() && text.is(graph.payload, key))
    };
    let entries = graph.entries(mapping).unwrap_or_default();
    let mut found = None;
    let (mut as_text, mut as_object) = (false, false);
    for (candidate, value) in entries.iter().filter(|(candidate, _)| is_key(*candidate)) {
        found = Some(*value);
        as_text |= matches!(candidate, Value::Text(_));
        as_object |= !matches!(candidate, Value::Text(_));
    }
    if as_text && as_object { Err(DecodeError::UserId) } else { Ok(found) }
}

/// A user id as the text that Django's `pk.to_python` would take for the same user.
fn user_id<'g>(graph: &'g Graph<'_>, value: Value) -> Result<Option<Cow<'g, str>>, DecodeError> {
    let text = match value {
        Value::None => return Ok(None),
        Value::Bool(value) => i64::from(value).to_string().into(),
        Value::Int(value) => value.to_string().into(),
        Value::Long(value) => {
            value.to_decimal(graph.payload).map_err(|_| DecodeError::UserId)?.into()
        }
        // Adding zero takes the sign from -0.0.
        Value::Float(value) if value.is_finite() && value.fract() == 0.0 => {
            format!("{:.0}", value + 0.0).into()
        }
        Value::Float(_) => return Err(DecodeError::UserId),
        Value::Text(_) | Value::Node(_) => object_id(graph, value).ok_or(DecodeError::UserId)?,
    };
    Ok(Some(text))
}

fn object_id<'g>(graph: &'g Graph<'_>, value: Value) -> Option<Cow<'g, str>> {
    match graph.text(value) {
        Some(text) => text.to_str(graph.payload),
        None => scalar::uuid(graph, value).map(Cow::Owned),
    }
}

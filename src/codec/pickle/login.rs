//! Finds the login in a session's pickle.

use std::borrow::Cow;

use super::super::auth::{BACKEND, USER_ID};
use super::super::{Auth, DecodeError};
use super::scalar;
use super::value::{Graph, Value};

pub(super) fn auth<'g>(graph: &'g Graph<'_>, top: Value) -> Result<Auth<'g>, DecodeError> {
    let user_id = match item(graph, top, USER_ID) {
        Some(value) => user_id(graph, value)?,
        None => None,
    };
    let backend = item(graph, top, BACKEND)
        .and_then(|value| graph.text(value))
        .filter(|text| !text.is_bytes())
        .and_then(|text| text.to_str(graph.payload));
    Ok(Auth { user_id, backend })
}

/// `mapping[key]`. Bytes are no key of a Python 3 session.
fn item(graph: &Graph<'_>, mapping: Value, key: &str) -> Option<Value> {
    let is_key = |candidate: Value| {
        graph.text(candidate).is_some_and(|text| !text.is_bytes() && text.is(graph.payload, key))
    };
    let entries = graph.entries(mapping)?;
    let found = entries.iter().rfind(|(candidate, _)| is_key(*candidate));
    found.map(|(_, value)| *value)
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

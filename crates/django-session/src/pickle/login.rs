//! Finds the login in a session's pickle.

use std::borrow::Cow;

use super::super::auth::BACKEND;
use super::super::identities::{Behind, Identities, MOST, UserId, is_dotted_path};
use super::super::{Auth, DecodeError, LoginKeys};
use super::scalar;
use super::value::{Graph, Value};

/// Bytes of a longest key that may be the site's own.
const MOST_KEY_BYTES: usize = 1_000;

pub(super) fn auth<'g>(
    graph: &'g Graph<'_>,
    top: Value,
    keys: &LoginKeys,
) -> Result<Auth<'g>, DecodeError> {
    if !graph.is_understood(top) {
        return Err(DecodeError::UnknownSerializer);
    }
    let mut found = Identities::default();
    for (place, key) in keys.user.iter().enumerate() {
        if let Some(value) = item(graph, top, key)? {
            found.user(place, user_id(graph, value));
        }
    }
    found.backend = item(graph, top, BACKEND)?
        .and_then(|value| graph.text(value))
        .filter(|text| !text.is_bytes())
        .and_then(|text| text.to_str(graph.payload));
    for (place, key) in keys.also.iter().enumerate() {
        match item(graph, top, key) {
            Ok(Some(value)) => found.behind(place, behind(graph, value)),
            Ok(None) => {}
            Err(_) => found.behind(place, Behind::unclear()),
        }
    }
    note_own(graph, top, keys, &mut found);
    let auth = found.auth()?;
    // A visible login is one whatever else is there.
    if auth.names_nobody() && !graph.hides_nothing(top) {
        return Err(DecodeError::UnknownSerializer);
    }
    Ok(auth)
}

/// Notes what stands under keys that may be the site's own.
fn note_own<'g>(graph: &'g Graph<'_>, top: Value, keys: &LoginKeys, found: &mut Identities<'g>) {
    let Some(may_be_own) = keys.may_be_own else { return };
    let texts =
        graph.entries(top).unwrap_or_default().iter().filter_map(|(key, _)| graph.text(*key));
    // All keys of a hostile pickle may be one text of megabytes.
    let short = texts.filter(|text| !text.is_bytes() && text.span.len() <= MOST_KEY_BYTES);
    let names = short.filter_map(|text| text.to_str(graph.payload));
    for name in names.filter(|name| may_be_own(name)).take(MOST) {
        if let Ok(Some(value)) = item(graph, top, &name) {
            found.own(name, user_id(graph, value));
        }
    }
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
fn user_id<'g>(graph: &'g Graph<'_>, value: Value) -> UserId<'g> {
    let text = match value {
        Value::None => return UserId::Null,
        Value::Bool(value) => Some(i64::from(value).to_string().into()),
        Value::Int(value) => Some(value.to_string().into()),
        Value::Long(value) => value.to_decimal(graph.payload).ok().map(Cow::Owned),
        // Adding zero takes the sign from -0.0.
        Value::Float(value) if value.is_finite() && value.fract() == 0.0 => {
            Some(format!("{:.0}", value + 0.0).into())
        }
        Value::Float(_) => None,
        Value::Text(_) | Value::Node(_) => object_id(graph, value),
    };
    text.map_or(UserId::Other, UserId::Text)
}

fn object_id<'g>(graph: &'g Graph<'_>, value: Value) -> Option<Cow<'g, str>> {
    match graph.text(value) {
        Some(text) => text.to_str(graph.payload),
        None => scalar::uuid(graph, value).map(Cow::Owned),
    }
}

/// What stands under a package's key: an id, or a collection of ids.
fn behind<'g>(graph: &'g Graph<'_>, value: Value) -> Behind<'g> {
    let Some(items) = graph.items(value) else { return Behind::of(identity(graph, value)) };
    let mut behind = Behind::default();
    // A long text may be shared by all the others.
    if items.len() > MOST {
        behind = Behind::unclear();
    }
    for item in items.iter().take(MOST) {
        behind.add(match (identity(graph, *item), graph.items(*item)) {
            (UserId::Other, Some(&[id, backend])) if is_backend(graph, backend) => {
                identity(graph, id)
            }
            (id, _) => id,
        });
    }
    behind
}

/// An id. A flag is none: it does not say who.
fn identity<'g>(graph: &'g Graph<'_>, value: Value) -> UserId<'g> {
    match value {
        Value::Bool(false) => UserId::Null,
        Value::Bool(true) => UserId::Other,
        value => user_id(graph, value),
    }
}

fn is_backend(graph: &Graph<'_>, value: Value) -> bool {
    let text = graph.text(value).and_then(|text| text.to_str(graph.payload));
    text.is_some_and(|text| is_dotted_path(&text))
}

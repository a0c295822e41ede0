//! What another reader of JSON says of the top level of a document.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members in their order, keys as bytes, since a lone surrogate is no text; `None` if it is no object.
pub(crate) fn members(json: &str) -> Option<Vec<(Vec<u8>, String)>> {
    check(json);
    if !json.starts_with('{') {
        return None;
    }
    Some(serde_json::Deserializer::from_str(json).deserialize_map(Members).expect("an object"))
}

/// Fails if this is not JSON, or could steer a terminal.
fn check(json: &str) {
    serde_json::from_str::<IgnoredAny>(json).expect("what is written is JSON");
    assert!(!json.contains(sessctl::model::needs_escape), "a character that steers a terminal");
}

/// A string, or `None` if this is something else.
pub(crate) fn string(json: &str) -> Option<Vec<u8>> {
    serde_json::Deserializer::from_str(json).deserialize_bytes(Bytes).ok()
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Vec<u8>, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry::<Key, Box<RawValue>>()? {
            members.push((key, value.get().to_owned()));
        }
        Ok(members)
    }
}

struct Key(Vec<u8>);

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Bytes).map(Self)
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_str<E>(self, text: &str) -> Result<Vec<u8>, E> {
        Ok(text.as_bytes().to_vec())
    }
}

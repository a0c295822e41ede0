//! Finds out whether a pickle has a text, a number or a word under a path of keys.

use std::borrow::Cow;

use super::super::DecodeError;
use super::super::path::{Found, Rest, behind, place};
use super::keys::Keys;
use super::number;
use super::scalar::{Scalar, scalar};
use super::text::Text;
use super::value::{Graph, Value};

type Result<T> = std::result::Result<T, DecodeError>;

/// Whether the pickle has this value under this path. An error if the path leads to an object of a class that is not known, which
/// may hold anything.
pub(super) fn holds(graph: &Graph<'_>, top: Value, path: &str, value: &str) -> Result<bool> {
    Search { graph, keys: Keys::new(graph), value }.under(top, path)
}

struct Search<'g> {
    graph: &'g Graph<'g>,
    keys: Keys<'g>,
    value: &'g str,
}

impl Search<'_> {
    /// Whether this path leads on from a value to the one that is sought.
    fn under(&mut self, from: Value, path: &str) -> Result<bool> {
        let graph = self.graph;
        if scalar(graph, from).is_some() {
            return Ok(false);
        }
        if let (Value::Node(id), Some(assignments)) = (from, graph.entries(from)) {
            let mut found = Found::default();
            for (key, value) in self.keys.settle(id, assignments).iter() {
                let Some(name) = self.name(*key, path.len()) else { continue };
                if let Some(rest) = behind(path, &name) {
                    let holds = self.rest_holds(*value, rest)?;
                    found.note(&name, holds);
                }
            }
            let hides_some = !graph.is_understood(from) || !graph.hides_nothing(from);
            return match found.any() {
                false if hides_some => Err(DecodeError::UnknownSerializer),
                holds => Ok(holds),
            };
        }
        if let Some(items) = graph.items(from) {
            let item = place(path).and_then(|(at, rest)| Some((*items.get(at)?, rest)));
            return item.map_or(Ok(false), |(item, rest)| self.rest_holds(item, rest));
        }
        if graph.object(from).is_some() { Err(DecodeError::UnknownSerializer) } else { Ok(false) }
    }

    fn rest_holds(&mut self, value: Value, rest: Rest<'_>) -> Result<bool> {
        match rest {
            Rest::Under(path) => self.under(value, path),
            Rest::Here => self.is(value),
        }
    }

    /// The name of a key as JSON has it, if it has no more bytes than this. Keys of other kinds have none.
    fn name(&self, key: Value, most: usize) -> Option<Cow<'static, str>> {
        if let Some(text) = self.graph.text(key) {
            // One text may be the key of many dicts.
            let mut name = String::new();
            for code in text.code_points(self.graph.payload) {
                name.push(char::from_u32(code)?);
                if name.len() > most {
                    return None;
                }
            }
            return Some(name.into());
        }
        Some(match key {
            Value::None => "null".into(),
            Value::Bool(true) => "true".into(),
            Value::Bool(false) => "false".into(),
            Value::Int(value) => value.to_string().into(),
            _ => return None,
        })
    }

    /// Whether this is the value that is sought, as JSON has it.
    fn is(&self, value: Value) -> Result<bool> {
        Ok(match value {
            Value::None => self.value == "null",
            Value::Bool(value) => self.value == if value { "true" } else { "false" },
            Value::Int(value) => self.value == value.to_string(),
            Value::Long(value) if is_number(self.value) => {
                self.value == value.to_decimal(self.graph.payload)?
            }
            Value::Long(_) => false,
            Value::Float(value) if value.is_finite() => self.value == format!("{value:?}"),
            Value::Float(value) => self.value == number::float_repr(value),
            Value::Text(text) => self.is_text(text),
            Value::Node(_) => match scalar(self.graph, value) {
                Some(Scalar::Text(text)) => self.is_text(text),
                Some(Scalar::String(text) | Scalar::Number(text)) => self.value == text,
                None => false,
            },
        })
    }

    fn is_text(&self, text: Text) -> bool {
        text.code_points(self.graph.payload).eq(self.value.chars().map(u32::from))
    }
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit())
}

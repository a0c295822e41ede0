//! Objects that stand for one value with a usual spelling: ids, decimals, moments.

use super::known::Known;
use super::moment;
use super::text::Text;
use super::value::{Entry, Graph, Node, Value};

pub(super) enum Scalar {
    Text(Text),
    String(String),
    /// A number as JSON has it.
    Number(String),
}

pub(super) fn scalar(graph: &Graph<'_>, value: Value) -> Option<Scalar> {
    if let Some(text) = graph.text(value) {
        return Some(Scalar::Text(text));
    }
    let object = graph.object(value)?;
    let args = graph.tuple_items(object.args)?;
    match (graph.known(object.class), args) {
        (Known::Decimal, [Value::Text(digits)]) => Some(Scalar::Text(*digits)),
        (Known::Uuid, _) => uuid(graph, value).map(Scalar::String),
        (Known::Date, [Value::Text(packed)]) => moment::date(graph, *packed).map(Scalar::String),
        (Known::Time, [Value::Text(packed), zone @ ..]) => {
            moment::time(graph, *packed, zone).map(Scalar::String)
        }
        (Known::DateTime, [Value::Text(packed), zone @ ..]) => {
            moment::datetime(graph, *packed, zone).map(Scalar::String)
        }
        (Known::TimeDelta, _) => {
            moment::microseconds(graph, value).map(|span| Scalar::Number(moment::seconds(span)))
        }
        (Known::TimeZone | Known::Utc | Known::PytzOffset | Known::ZoneInfo, _) => {
            moment::zone(graph, value).map(|zone| Scalar::String(format!("UTC{zone}")))
        }
        _ => None,
    }
}

/// A `uuid.UUID` in lower-case hyphenated form.
pub(super) fn uuid(graph: &Graph<'_>, value: Value) -> Option<String> {
    let object = graph.object(value)?;
    if graph.known(object.class) != Known::Uuid {
        return None;
    }
    let int = match graph.node(object.state) {
        Some(Node::Dict(state)) => uuid_int(graph, state)?,
        _ => return None,
    };
    let hex = format!("{int:032x}");
    let group = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Some(format!(
        "{}-{}-{}-{}-{}",
        group(0, 8),
        group(8, 12),
        group(12, 16),
        group(16, 20),
        group(20, 32)
    ))
}

fn uuid_int(graph: &Graph<'_>, state: &[Entry]) -> Option<u128> {
    // Shared, it may be asked for many times: no longer than Python makes it.
    const MAX_STATE: usize = 8;
    let is_int = |key: Value| matches!(key, Value::Text(key) if key.is(graph.payload, "int"));
    let (_, int) = state.iter().take(MAX_STATE).rfind(|(key, _)| is_int(*key))?;
    match *int {
        Value::Int(int) => u128::try_from(int).ok(),
        Value::Long(int) => int.to_decimal(graph.payload).ok()?.parse().ok(),
        _ => None,
    }
}

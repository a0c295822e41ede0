//! Dates and times, which Python's `datetime` pickles as packed bytes (Python 3.11
//! `datetime.py`, the `_getstate` methods).

use super::known::Known;
use super::text::Text;
use super::value::{Graph, Value};

pub(super) fn date(graph: &Graph<'_>, packed: Text) -> Option<String> {
    date_text(unpack(graph, packed)?)
}

pub(super) fn time(graph: &Graph<'_>, packed: Text, zone: &[Value]) -> Option<String> {
    Some(time_text(unpack(graph, packed)?)? + &offset(graph, zone)?)
}

pub(super) fn datetime(graph: &Graph<'_>, packed: Text, zone: &[Value]) -> Option<String> {
    let [y1, y2, month, day, hour, minute, second, us1, us2, us3] = unpack(graph, packed)?;
    let date = date_text([y1, y2, month & FOLD_MASK, day])?;
    let time = time_text([hour, minute, second, us1, us2, us3])?;
    Some(format!("{date}T{time}{}", offset(graph, zone)?))
}

/// The highest bit of the first field that can spare it tells the two readings of an hour that the
/// end of summer time repeats.
const FOLD_MASK: u8 = 0x7f;

fn date_text([y1, y2, month, day]: [u8; 4]) -> Option<String> {
    let year = u16::from_be_bytes([y1, y2]);
    let valid = matches!((year, month, day), (1..=9999, 1..=12, 1..=31));
    valid.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

fn time_text([hour, minute, second, us1, us2, us3]: [u8; 6]) -> Option<String> {
    let hour = hour & FOLD_MASK;
    let microsecond = u32::from_be_bytes([0, us1, us2, us3]);
    if hour > 23 || minute > 59 || second > 59 || microsecond > 999_999 {
        return None;
    }
    let fraction = match microsecond {
        0 => String::new(),
        _ => format!(".{microsecond:06}"),
    };
    Some(format!("{hour:02}:{minute:02}:{second:02}{fraction}"))
}

/// Python 2 and old protocols hold the bytes in text.
fn unpack<const N: usize>(graph: &Graph<'_>, packed: Text) -> Option<[u8; N]> {
    let mut points = packed.packed_bytes(graph.payload);
    let mut bytes = [0; N];
    for byte in &mut bytes {
        *byte = u8::try_from(points.next()?).ok()?;
    }
    points.next().is_none().then_some(bytes)
}

fn offset(graph: &Graph<'_>, zone: &[Value]) -> Option<String> {
    match zone {
        [] | [Value::None] => Some(String::new()),
        [zone] => self::zone(graph, *zone),
        _ => None,
    }
}

/// The offset of a `tzinfo`; its name in brackets, as RFC 9557 has it, where the offset is not known.
pub(super) fn zone(graph: &Graph<'_>, zone: Value) -> Option<String> {
    let object = graph.object(zone)?;
    let args = graph.tuple_items(object.args)?;
    match (graph.known(object.class), args) {
        (Known::Utc, []) => Some("+00:00".to_owned()),
        (Known::TimeZone, [delta, ..]) => {
            let seconds = microseconds(graph, *delta)? / 1_000_000;
            offset_text(i64::try_from(seconds).ok()?)
        }
        (Known::PytzOffset, [_, Value::Int(seconds), ..]) => offset_text(*seconds),
        (Known::PytzOffset | Known::ZoneInfo, [Value::Text(name), ..]) => {
            // Shared, it may be written many times: no longer than a zone's name is.
            const MAX_NAME: usize = 64;
            let name: Option<String> =
                name.code_points(graph.payload).take(MAX_NAME).map(char::from_u32).collect();
            name.map(|name| format!("[{name}]"))
        }
        _ => None,
    }
}

fn offset_text(seconds: i64) -> Option<String> {
    const DAY: i64 = 24 * 60 * 60;
    if seconds.abs() >= DAY {
        return None;
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let (minutes, seconds) = (seconds.abs() / 60, seconds.abs() % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let seconds = match seconds {
        0 => String::new(),
        _ => format!(":{seconds:02}"),
    };
    Some(format!("{sign}{hours:02}:{minutes:02}{seconds}"))
}

/// The length of a `timedelta`.
pub(super) fn microseconds(graph: &Graph<'_>, delta: Value) -> Option<i128> {
    let object = graph.object(delta)?;
    match (graph.known(object.class), graph.tuple_items(object.args)?) {
        (Known::TimeDelta, [Value::Int(days), Value::Int(seconds), Value::Int(microseconds)]) => {
            let seconds = i128::from(*days) * 24 * 60 * 60 + i128::from(*seconds);
            Some(seconds * 1_000_000 + i128::from(*microseconds))
        }
        _ => None,
    }
}

/// Seconds as a JSON number, exact.
pub(super) fn seconds(microseconds: i128) -> String {
    let sign = if microseconds < 0 { "-" } else { "" };
    let (whole, part) =
        (microseconds.unsigned_abs() / 1_000_000, microseconds.unsigned_abs() % 1_000_000);
    let text = format!("{sign}{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

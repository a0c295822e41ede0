//! The columns by which a row of the session table is read, and their values.

use mysql_async::{Row, Value};

use crate::model::{Data, Expiry, Page, RawRow};
use crate::store::WallClock;

/// Larger data is not read with the rows of a batch, all of which are in memory at once.
pub(super) const MOST_BYTES_OF_BATCH: usize = 32 << 10;

/// The columns of the table `s`: key, data of at most `most` bytes, size of the data, and expiry.
pub(super) fn columns(most: usize) -> String {
    format!(
        "s.session_key, IF(LENGTH(s.session_data) > {most}, NULL, s.session_data), \
         LENGTH(s.session_data), s.expire_date"
    )
}

/// The data of a row, if it was not left out.
pub(super) fn data(row: &Row) -> Data<&[u8]> {
    match row.as_ref(1) {
        Some(Value::NULL) => match number(row, 2) {
            Some(size) => Data::TooLarge(usize::try_from(size).unwrap_or(usize::MAX)),
            None => Data::Text(&[][..]),
        },
        _ => Data::Text(bytes(row, 1)),
    }
}

/// Puts a row with these data into a page.
pub(super) fn push(
    page: &mut Page,
    clock: &WallClock,
    row: &Row,
    data: Data<&[u8]>,
    user: Option<&[u8]>,
) {
    let expires = row.as_ref(3).map_or(Expiry::MISSING, |value| expiry(clock, value));
    page.push_raw(RawRow { key: bytes(row, 0), data, expires, user });
}

/// The bytes of a text; none for any other value.
pub(super) fn bytes(row: &Row, at: usize) -> &[u8] {
    match row.as_ref(at) {
        Some(Value::Bytes(bytes)) => bytes,
        _ => &[],
    }
}

/// The text of a column; empty for NULL.
pub(super) fn text(row: &Row, at: usize) -> String {
    String::from_utf8_lossy(bytes(row, at)).into_owned()
}

/// The number in a column, if it is one and not negative.
pub(super) fn number(row: &Row, at: usize) -> Option<u64> {
    match row.as_ref(at)? {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::UInt(number) => Some(*number),
        Value::Bytes(digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
        _ => None,
    }
}

/// A time as the server's clock shows it, to the microsecond: `2026-11-22 01:57:46.250000`.
pub(super) fn shown(value: &Value) -> Option<[u8; 26]> {
    let Value::Date(year, month, day, hour, minute, second, micros) = *value else { return None };
    let mut shown = *b"0000-00-00 00:00:00.000000";
    let parts = [
        (0, 4, u32::from(year)),
        (5, 2, month.into()),
        (8, 2, day.into()),
        (11, 2, hour.into()),
        (14, 2, minute.into()),
        (17, 2, second.into()),
        (20, 6, micros),
    ];
    for (at, digits, mut number) in parts {
        for digit in shown.get_mut(at..at + digits)?.iter_mut().rev() {
            *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    }
    Some(shown)
}

fn expiry(clock: &WallClock, value: &Value) -> Expiry {
    match value {
        Value::NULL => Expiry::MISSING,
        Value::Bytes(shown) => clock.read(shown),
        // What is no time, as `0000-00-00`, is read as one that cannot be read.
        value => shown(value).map_or(Expiry::MISSING, |shown| clock.read(&shown)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_django_writes_them() {
        let of = |value: Value| String::from_utf8(shown(&value).unwrap().to_vec()).unwrap();
        assert_eq!(of(Value::Date(2026, 11, 22, 1, 57, 46, 250_000)), "2026-11-22 01:57:46.250000");
        assert_eq!(of(Value::Date(0, 0, 0, 0, 0, 0, 0)), "0000-00-00 00:00:00.000000");
        assert_eq!(of(Value::Date(9999, 12, 31, 23, 59, 59, 7)), "9999-12-31 23:59:59.000007");
        assert_eq!(shown(&Value::NULL), None);
    }
}

//! The SQL expressions by which a row of the session table is read, and the size limits of its data.

use std::borrow::Cow;

use rusqlite::types::ValueRef;

use crate::model::{Data, Expiry, Page, RawRow, Timestamp};
use crate::store::WallClock;

/// The size of the data. For `octet_length()` SQLite reads only the header of the row (`OPFLAG_BYTELENARG`).
const BYTES: &str = "octet_length(session_data)";

/// The row with the key ?1. The first condition finds it in the index. The second one is for columns whose collation takes
/// different keys for equal: Django and sessctl tell sessions apart byte by byte.
pub(super) const NAMED: &str = "session_key = ?1 AND session_key = ?1 COLLATE BINARY";

/// Larger data is not read with a batch that is rewritten, all of which is in memory at once.
pub(super) const MOST_BYTES_OF_BATCH: usize = 32 << 10;

/// The columns key, data of at most `most` bytes, and expiry.
pub(super) fn columns(most: usize) -> String {
    format!("session_key, CASE WHEN {BYTES} <= {most} THEN session_data END, expire_date")
}

/// The column after them: the size of larger data.
pub(super) fn size_column(most: usize) -> String {
    format!("CASE WHEN {BYTES} > {most} THEN {BYTES} END")
}

/// The same for a connection on which SQLite itself refuses too large values, which costs nothing.
pub(super) const REFUSING_COLUMNS: &str = "session_key, session_data, expire_date";

/// The data of a row, from its value and its size.
pub(super) fn data<'r>(data: ValueRef<'r>, size: ValueRef<'_>) -> Data<&'r [u8]> {
    match size {
        ValueRef::Integer(size) => Data::TooLarge(usize::try_from(size).unwrap_or_default()),
        _ => Data::Text(bytes(data)),
    }
}

/// Puts the columns of a row into a page.
pub(super) fn push(
    page: &mut Page,
    clock: &WallClock,
    key: ValueRef<'_>,
    data: Data<&[u8]>,
    expires: ValueRef<'_>,
    user: Option<&str>,
) {
    let expires = match expires {
        ValueRef::Text(shown) => clock.read(shown),
        // SQLite sorts these after every text (SQLite docs, "Datatypes" §4.1).
        ValueRef::Blob(_) => Expiry::Unreadable(Timestamp::LATEST),
        // And numbers before.
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Expiry::MISSING,
    };
    page.push_raw(RawRow { key: bytes(key), data, expires, user: user.map(str::as_bytes) });
}

/// The text of a column.
pub(super) fn text(value: ValueRef<'_>) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes(value))
}

/// The bytes of a text. Django stores nothing else; what is not text decodes to nothing.
pub(super) fn bytes(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        _ => &[],
    }
}

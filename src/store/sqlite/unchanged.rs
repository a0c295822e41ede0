//! Checks that the data of a row has not changed since it was read.

use rusqlite::Transaction;

use super::row::{NAMED, bytes, columns};
use crate::model::MOST_DATA_BYTES;
use crate::store::Was;

/// The condition that a row still has the data ?2. If only the hash is known, ?2 is NULL, and
/// [`is_unchanged`] compares it.
pub(super) const IS_UNCHANGED: &str = "(?2 IS NULL OR session_data = ?2)";

/// Whether the row with this key still has the same data, where [`IS_UNCHANGED`] cannot tell.
pub(super) fn is_unchanged(
    transaction: &Transaction<'_>,
    table: &str,
    key: &str,
    was: &Was,
) -> rusqlite::Result<bool> {
    if was.text().is_some() {
        return Ok(true);
    }
    let sql = format!("SELECT {} FROM {table} WHERE {NAMED}", columns(MOST_DATA_BYTES));
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query([key])?;
    let mut is_there = false;
    while let Some(row) = rows.next()? {
        if !was.is(bytes(row.get_ref(1)?)) {
            return Ok(false);
        }
        is_there = true;
    }
    Ok(is_there)
}

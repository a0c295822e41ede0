//! Checks that the data of a row has not changed since it was read.

use rusqlite::Transaction;

use super::row::{NAMED, bytes, columns};
use crate::model::MOST_DATA_BYTES;
use crate::store::Was;

/// That a row has the data ?2. Of data that is told by its hash ?2 is NULL, and [`is_unchanged`] looks at it.
pub(super) const IS_UNCHANGED: &str = "(?2 IS NULL OR session_data = ?2)";

/// Whether the row with this key has the data that it had when it was read, where [`IS_UNCHANGED`] does not tell.
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

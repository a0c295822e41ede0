//! The columns that a row of the table is read by.

use tokio_postgres::{Error, Row};

use super::instant::Times;
use crate::model::{self, Data, MOST_DATA_BYTES, Page};

const KEY: &str = "session_key::pg_catalog.text";
const DATA: &str = "session_data::pg_catalog.text";
/// Known without the value, which is neither decompressed nor sent for it (PostgreSQL's `textoctetlen`).
const SIZE: &str = "pg_catalog.octet_length(session_data::pg_catalog.text)";

/// Key, data, the size of data that is too large to be read, expiry.
pub(super) fn columns(times: Times) -> String {
    format!(
        "{KEY}, CASE WHEN {} THEN {DATA} END, CASE WHEN {} THEN NULL ELSE {SIZE} END, {}",
        can_be_read(),
        can_be_read(),
        times.column()
    )
}

/// Key, data, expiry. What is too large is NULL: to ask for each size costs a twentieth of a scan.
pub(super) fn columns_with_data(times: Times) -> String {
    format!("{KEY}, CASE WHEN {} THEN {DATA} END, {}", can_be_read(), times.column())
}

/// Key, size of data, expiry.
pub(super) fn columns_with_size(times: Times) -> String {
    format!("{KEY}, {SIZE}, {}", times.column())
}

/// The condition that data is there and not too large.
pub(super) fn can_be_read() -> String {
    format!("{SIZE} OPERATOR(pg_catalog.<=) {MOST_DATA_BYTES}")
}

/// Puts a row of [`columns`], and perhaps of one more with what the user column says, into a page.
pub(super) fn push(page: &mut Page, times: Times, row: &Row) -> Result<(), Error> {
    let data: Option<&str> = row.try_get(1)?;
    let data = match row.try_get(2)? {
        None => Data::Text(data.unwrap_or_default()),
        Some(size) => Data::TooLarge(too_large(size)),
    };
    let expires = times.expiry(row.try_get(3)?);
    let user = if row.len() > 4 { row.try_get(4)? } else { None };
    page.push(model::Row { key: row.try_get(0)?, data, expires, user });
    Ok(())
}

/// A size as PostgreSQL tells it.
pub(super) fn too_large(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or_default()
}

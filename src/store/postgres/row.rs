//! The SQL expressions by which a row of the session table is read, and the size limits of its data.

use tokio_postgres::{Error, Row};

use super::instant::Times;
use crate::model::{self, Data, MOST_DATA_BYTES, Page};

const KEY: &str = "session_key::pg_catalog.text";
const DATA: &str = "session_data::pg_catalog.text";
/// The size of the data. The server neither decompresses nor sends the value for it (PostgreSQL's
/// `textoctetlen`).
const SIZE: &str = "pg_catalog.octet_length(session_data::pg_catalog.text)";

/// Larger data is not streamed: the driver buffers several rows.
const MOST_BYTES_OF_MANY: usize = 256 << 10;
/// Larger data is not read with a batch that is rewritten.
const MOST_BYTES_OF_BATCH: usize = 32 << 10;

/// The columns key, data, size of too large data, and expiry.
pub(super) fn columns(times: Times) -> String {
    columns_up_to(MOST_DATA_BYTES, times)
}

/// The same for many rows at once. Most rows that are too large for it can be read one by one.
pub(super) fn columns_of_many(times: Times) -> String {
    columns_up_to(MOST_BYTES_OF_MANY, times)
}

/// The same for rows that are rewritten.
pub(super) fn columns_of_batch(times: Times) -> String {
    columns_up_to(MOST_BYTES_OF_BATCH, times)
}

fn columns_up_to(most: usize, times: Times) -> String {
    let (fits, expires) = (fits(most), times.column());
    format!(
        "{KEY}, CASE WHEN {fits} THEN {DATA} END, CASE WHEN {fits} THEN NULL ELSE {SIZE} END, {expires}"
    )
}

/// The columns key, data and expiry. Data that is too large to be streamed is NULL: reading each size would
/// cost a twentieth of a scan.
pub(super) fn columns_with_data(times: Times) -> String {
    format!("{KEY}, CASE WHEN {} THEN {DATA} END, {}", fits(MOST_BYTES_OF_MANY), times.column())
}

/// The condition for rows whose data [`columns_with_data`] returns.
pub(super) fn are_many() -> String {
    fits(MOST_BYTES_OF_MANY)
}

/// The condition that data exists and is not too large.
fn fits(most: usize) -> String {
    format!("{SIZE} OPERATOR(pg_catalog.<=) {most}")
}

/// Puts a row of [`columns`], with or without the user column, into a page.
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

/// Whether the data of a row of [`columns`] is missing only because it is too large to be read with many
/// others.
pub(super) fn can_be_read_alone(row: &Row) -> Result<bool, Error> {
    let size: Option<i32> = row.try_get(2)?;
    Ok(size.is_some_and(|size| too_large(size) <= MOST_DATA_BYTES))
}

/// A size from PostgreSQL.
fn too_large(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or_default()
}

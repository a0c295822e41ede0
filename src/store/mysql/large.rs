//! Large data, read in pieces: the driver holds an answer three times while it reads it, and keeps the room for the largest.

use std::ops::ControlFlow;

use mysql_async::{Row, Value};

use super::MySql;
use super::catalog::Found;
use super::client::Client;
use super::fault::Failure;
use super::row::{bytes, number};
use super::sql::quoted;
use crate::model::{Data, MOST_DATA_BYTES};

/// Bytes of a piece. Larger data is read in several.
pub(super) const PIECE: usize = 2 << 20;

/// Whether the data of this row was left out because it is large, and can be read all the same.
pub(super) fn is_left_out(row: &Row) -> bool {
    let size = number(row, 2).and_then(|size| usize::try_from(size).ok());
    row.as_ref(1) == Some(&Value::NULL) && size.is_some_and(|size| size <= MOST_DATA_BYTES)
}

/// Reads the data of a row as it is now, in one statement. A row that is gone is not taken.
pub(super) fn read(
    client: &mut Client,
    store: &MySql,
    found: &Found,
    row: &Row,
    take: impl FnOnce(Data<&[u8]>),
) -> Result<(), Failure> {
    // A conversion that changes nothing takes as long as one that does, for each piece.
    let charset = found.column("session_data").and_then(|column| column.charset.as_ref());
    let is_utf8 = charset.is_some_and(|(name, _)| name.starts_with("utf8") || name == "ascii");
    let text = if is_utf8 { "s.session_data" } else { "CONVERT(s.session_data USING utf8mb4)" };
    let pieces: Vec<String> =
        (0..MOST_DATA_BYTES.div_ceil(PIECE)).map(|n| format!("SELECT {n} AS n")).collect();
    let sql = format!(
        "SELECT SUBSTRING(CAST({text} AS BINARY), 1 + x.n * {PIECE}, {PIECE}), LENGTH({text}), x.n \
         FROM ({}) x STRAIGHT_JOIN {} s \
         WHERE s.session_key = {} AND CAST(s.session_key AS BINARY) = CAST(? AS BINARY)",
        pieces.join(" UNION ALL "),
        quoted(&store.table),
        found.key()
    );
    let mut whole = Vec::new();
    let (mut size, mut next) = (None, 0);
    let key = Value::Bytes(bytes(row, 0).to_vec());
    let ended = client.stream(&sql, vec![key.clone(), key], |piece| {
        if number(&piece, 2) != Some(next) {
            return ControlFlow::Break(());
        }
        next += 1;
        size = number(&piece, 1).and_then(|size| usize::try_from(size).ok());
        if whole.is_empty() {
            whole.reserve_exact(size.unwrap_or_default().min(MOST_DATA_BYTES));
        }
        whole.extend_from_slice(bytes(&piece, 0));
        ControlFlow::Continue(())
    })?;
    match size {
        None => {}
        Some(size) if ended.is_continue() && size == whole.len() => take(Data::Text(&whole)),
        // It has grown; or several rows have this key, whose pieces are of none of them.
        Some(size) => take(Data::TooLarge(size)),
    }
    Ok(())
}

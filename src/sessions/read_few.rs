//! Reads rows that are about to be rewritten, a few at a time, so that large sessions fit into memory.

use std::collections::HashSet;

use crate::model::{Data, MOST_DATA_BYTES, Page};
use crate::store::{StoreError, Writer};

/// Most rows in memory at once.
const MOST_ROWS: usize = 100;

/// Writes the rows that were read. It gets the keys that were asked for and returns how many rows it wrote.
pub(crate) type Write<'w> =
    &'w mut dyn FnMut(&mut dyn Writer, &Page, &[&str]) -> Result<u64, StoreError>;

/// Reads the rows with these keys a few at a time, and each row with much data by itself: together they might
/// not fit into memory.
pub(crate) fn read_few(
    writer: &mut dyn Writer,
    keys: &[&str],
    write: Write<'_>,
) -> Result<u64, StoreError> {
    let mut written = 0;
    for keys in keys.chunks(MOST_ROWS) {
        let page = writer.read(keys)?;
        let is_large = |data| matches!(data, Data::TooLarge(bytes) if bytes <= MOST_DATA_BYTES);
        let large = page.rows().filter(|row| keys.len() > 1 && is_large(row.data));
        let large: HashSet<&str> = large.map(|row| row.key).collect();
        let few: Vec<&str> = keys.iter().copied().filter(|key| !large.contains(key)).collect();
        written += write(writer, &page, &few)?;
        for key in large {
            let page = writer.read(&[key])?;
            written += write(writer, &page, &[key])?;
        }
    }
    Ok(written)
}

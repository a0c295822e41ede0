//! Free pages of a file: deleted rows leave them, and new rows use them before the file grows.

use rusqlite::Connection;

/// From this many bytes and from a quarter of the file on, the operator is told of `VACUUM`.
const MANY: i64 = 100_000_000;

pub(super) struct FreePages {
    pub(super) free: i64,
    pub(super) all: i64,
    bytes: i64,
}

impl FreePages {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |pragma: &str| -> rusqlite::Result<i64> {
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
        };
        let (free, all) = (number("freelist_count")?, number("page_count")?);
        Ok(Self { free, all, bytes: free.saturating_mul(number("page_size")?) })
    }

    /// MB of 1,000,000 bytes.
    pub(super) fn megabytes(&self) -> i64 {
        self.bytes / 1_000_000
    }

    pub(super) fn are_many(&self) -> bool {
        self.bytes > MANY && self.free > self.all / 4
    }
}

use crate::model::{Keys, Timestamp};

/// A place in the order of expiry, for the store that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The expiry, as the store writes it.
    pub expires: String,
    /// The row of that expiry that comes before the place; `None` before all of them.
    pub row: Option<String>,
}

/// Rows that were picked one after another.
#[derive(Debug)]
pub struct Window {
    /// What [`delete_expired`](super::ExpiryWriter::delete_expired) takes: row addresses or keys.
    pub rows: Keys,
    /// Where to pick on; `None` if these were the last.
    pub next: Option<Cursor>,
}

/// What to do about a row that somebody else has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// Leave it. A store that cannot waits.
    Skip,
    /// Wait for it, and not for long.
    Wait,
}

/// Expired rows that are in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// How many; `None` if counting took too long.
    pub rows: Option<u64>,
    /// When the first of them expired.
    pub oldest: Option<Timestamp>,
}

/// What the database makes of rows that were deleted.
#[derive(Clone, Debug, Default)]
pub struct Bloat {
    /// Deleted rows that still take up space, where the database knows.
    pub dead_rows: Option<u64>,
    /// Whether and when they are cleared away, and how to get the space back: sentences.
    pub advice: Vec<String>,
}

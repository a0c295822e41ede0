//! Positions and windows in the order of expiry, for `purge-expired`, and what a purge leaves behind.

use crate::model::{Keys, Timestamp};

/// A position in the order of expiry. Only the store that made it can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The expiry, as the store spells it.
    pub expires: String,
    /// The last row with this expiry before the position; `None` if it is before all of them.
    pub row: Option<String>,
}

/// Expired rows that were picked in order.
#[derive(Debug)]
pub struct Window {
    /// What [`delete_expired`](super::ExpiryWriter::delete_expired) takes: row addresses or keys.
    pub rows: Keys,
    /// Where the next window begins; `None` after the last one.
    pub next: Option<Cursor>,
}

/// What to do with a row that another session has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// Skip it. A store that cannot skip waits.
    Skip,
    /// Wait a short time for its lock.
    Wait,
}

/// The expired rows in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Their number; `None` if counting took too long.
    pub rows: Option<u64>,
    /// When the oldest of them expired.
    pub oldest: Option<Timestamp>,
}

/// Space that deleted rows still take up.
#[derive(Clone, Debug, Default)]
pub struct Bloat {
    /// Dead rows, if the database knows their number.
    pub dead_rows: Option<u64>,
    /// Sentences for the operator: whether and when the database clears them, and how to get the space back.
    pub advice: Vec<String>,
}

//! The report of `check`, as data.

use crate::model::Health;

/// Whether expired sessions pile up.
#[derive(Debug)]
pub struct CheckReport {
    /// The verdict.
    pub health: Health,
    /// Expired rows; `None` if counting took too long.
    pub expired: Option<u64>,
    /// The limit of expired rows.
    pub max_expired: Option<u64>,
    /// Seconds since the oldest row expired; `None` if there is none.
    pub oldest: Option<u64>,
    /// The limit of these seconds.
    pub max_age: u64,
}

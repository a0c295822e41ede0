//! The report of `check`, as data.

use crate::model::Health;

/// Whether expired sessions pile up.
#[derive(Debug)]
pub struct CheckReport {
    /// The verdict.
    pub health: Health,
    /// Expired rows; `None` if counting took too long.
    pub expired: Option<u64>,
    /// How many may be.
    pub max_expired: Option<u64>,
    /// Seconds since the oldest expired; `None` without any.
    pub oldest: Option<u64>,
    /// How many seconds that may be.
    pub max_age: u64,
}

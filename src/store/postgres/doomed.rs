//! The SQL that finds and deletes the rows of a batch, named by their keys or by their row addresses.

use super::instant::Instant;
use super::sql::NAMED;

/// Rows that are to be deleted.
pub(super) struct Doomed<'d> {
    /// Settings that have the server find them fast.
    pub(super) plan: &'d str,
    /// What they are named by.
    pub(super) address: &'d str,
    /// The condition by which they are deleted; `$1` are their names.
    pub(super) delete: String,
    /// The same, where locks do not matter.
    pub(super) find: String,
    /// `$2`, if the conditions have it.
    pub(super) cutoff: Option<Instant>,
}

impl<'d> Doomed<'d> {
    /// Rows that are named by their keys.
    pub(super) fn by_key(plan: &'d str) -> Self {
        let find = NAMED.to_owned();
        Self { plan, address: "session_key", delete: find.clone(), find, cutoff: None }
    }
}

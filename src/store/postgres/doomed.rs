//! The SQL that finds and deletes the rows of a batch, named by their keys or by their row addresses.

use super::instant::Instant;
use super::sql::NAMED;

/// The SQL of a delete.
pub(super) struct Doomed<'d> {
    /// Settings that make the server find the rows fast.
    pub(super) plan: &'d str,
    /// The column or expression that identifies a row.
    pub(super) address: &'d str,
    /// The condition of the delete; `$1` are the identifiers.
    pub(super) delete: String,
    /// The same condition for a read, without regard to locks.
    pub(super) find: String,
    /// The value of `$2`, if the conditions use it.
    pub(super) cutoff: Option<Instant>,
}

impl<'d> Doomed<'d> {
    /// A delete of rows by their keys.
    pub(super) fn by_key(plan: &'d str) -> Self {
        let find = NAMED.to_owned();
        Self { plan, address: "session_key", delete: find.clone(), find, cutoff: None }
    }
}

//! Rows of other tables that refer to sessions, as reports show them: sessions that stay because of them, and such rows that
//! are deleted.

use std::collections::BTreeSet;

use serde::Serialize;

use super::both;

/// Sessions that cannot be deleted because other tables refer to them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Referenced {
    /// How many stayed, or would stay after a dry run.
    pub referenced: u64,
    /// The tables that refer to them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub referenced_by: BTreeSet<String>,
}

impl Referenced {
    /// Adds the sessions of another table.
    pub fn add(&mut self, other: &Self) {
        self.referenced += other.referenced;
        self.referenced_by.extend(other.referenced_by.iter().cloned());
    }
}

/// Rows of other tables that are deleted with the sessions to which they refer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReferencesDeleted {
    /// Deleted rows of django-allauth; `None` without `--cleanup-allauth` and in a dry run.
    pub allauth_deleted: Option<u64>,
    /// The rows of each column.
    #[serde(rename = "references_deleted", skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<DeletedOf>,
}

/// Rows of one column that are deleted with the sessions to which they refer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeletedOf {
    /// The table, as the operator named it.
    pub table: String,
    /// The column with the keys of sessions.
    pub column: String,
    /// Deleted rows, or those that would be after a dry run; `None` if counting took too long.
    pub rows: Option<u64>,
    /// Rows that refer to deleted sessions after all: a trigger keeps them, or the site wrote them meanwhile or ended the session
    /// itself; `None` if that was not counted.
    pub left: Option<u64>,
    /// Whether there are more than were counted.
    #[serde(skip)]
    pub at_least: bool,
    /// Whether it is the table of django-allauth.
    #[serde(skip)]
    pub is_of_allauth: bool,
}

impl ReferencesDeleted {
    /// Adds the rows of another session table, of the same columns.
    pub fn add(&mut self, other: &Self) {
        self.allauth_deleted = both(self.allauth_deleted, other.allauth_deleted);
        for (one, other) in self.columns.iter_mut().zip(&other.columns) {
            one.rows = both(one.rows, other.rows);
            one.left = both(one.left, other.left);
            one.at_least |= other.at_least;
        }
    }
}

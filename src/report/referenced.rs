//! Sessions that stay because other tables refer to them, as reports show them.

use std::collections::BTreeSet;

use serde::Serialize;

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

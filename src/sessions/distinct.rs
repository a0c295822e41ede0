//! Counts different users in little memory: it keeps hashes, since ids may have any length.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Different users, counted by hashes of their ids, up to [`MOST`] and those of one page more.
#[derive(Default)]
pub(crate) struct DistinctUsers(HashSet<u64>);

const MOST: usize = 10_000;

impl DistinctUsers {
    pub(crate) fn insert(&mut self, id: &str) {
        self.0.insert(hash(id));
    }

    pub(crate) fn append(&mut self, others: Self) {
        if self.0.len() < MOST {
            self.0.extend(others.0);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }
}

pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

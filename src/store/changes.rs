//! What changed in a table since an earlier moment, so that a second scan need not read again what a first one read.

use std::any::Any;
use std::sync::Arc;

use crate::model::Keys;

/// A state of a database, which [`Writer::mark`](super::Writer::mark) noted. Only the store that made it knows what is
/// in it.
#[derive(Clone, Debug)]
pub struct Mark(Arc<dyn Any + Send + Sync>);

impl Mark {
    pub(super) fn new(state: impl Any + Send + Sync) -> Self {
        Self(Arc::new(state))
    }

    pub(super) fn state<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// How a scan uses a mark of before.
#[derive(Clone, Debug)]
pub struct Since {
    /// The earlier state.
    pub mark: Mark,
    /// Whether to leave out rows that have not changed since, where the store can tell. Otherwise all are read.
    pub only_changes: bool,
    /// The keys of rows that are read even if they have not changed.
    pub also: Arc<Keys>,
}

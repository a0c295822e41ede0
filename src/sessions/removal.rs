//! How a command ends sessions: by deleting the row, or by removing the login from its data.

use crate::engine::{Driver, StopReason};
use crate::store::{Capability, Store, StoreError};

/// What is done to a session.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Removal {
    /// Delete it, and rows of other tables that refer to it ([`Ctx::referring`](crate::context::Ctx)).
    Delete,
    /// Remove the login from its data and leave the rest (`--keep-data`).
    KeepData,
}

impl Removal {
    pub(crate) fn of(keep_data: bool) -> Self {
        if keep_data { Self::KeepData } else { Self::Delete }
    }

    /// Refuses to begin if the store lacks the capability.
    pub(crate) fn check(self, store: &dyn Store) -> Result<(), StoreError> {
        match self {
            Self::Delete => Ok(()),
            Self::KeepData => store.demand(Capability::Rewrite),
        }
    }

    /// Checks that the role may delete rows, and update them where that is needed.
    pub(crate) fn may(self, driver: &mut Driver<'_>) -> Result<(), StopReason> {
        driver.check(|writer| match self {
            Self::Delete => Ok(writer.delete(&[])?.sessions),
            Self::KeepData => Ok(writer.delete(&[])?.sessions + writer.replace(&[])?),
        })
    }
}

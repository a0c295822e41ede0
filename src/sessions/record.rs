//! Who is told of sessions that are no login any more.

use super::audit::Audit;
use super::cache_keys::CacheKeys;
use crate::store::{Fault, Gone, StoreError};

/// The record of a run, and the copies in the cache.
#[derive(Clone, Copy)]
pub(crate) struct Record<'r> {
    pub(crate) audit: Option<&'r Audit>,
    pub(crate) cache: &'r CacheKeys,
}

impl Record<'_> {
    /// Tells that these sessions are no login any more, if they were written. Of a connection that was lost
    /// nobody knows whether it committed first; to delete a cache entry too many does no harm.
    pub(crate) fn told<T>(
        self,
        keys: &[&str],
        written: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &written {
            Ok(_) => {
                if let Some(audit) = self.audit {
                    audit.note(keys);
                }
                self.cache.gone(keys);
            }
            Err(error) if matches!(error.fault(), Fault::Lost | Fault::Stopped) => {
                self.cache.gone(keys);
            }
            Err(_) => {}
        }
        written
    }

    /// The same for a delete: what other tables keep is a login still.
    pub(crate) fn deleted(
        self,
        keys: &[&str],
        deleted: Result<Gone, StoreError>,
    ) -> Result<Gone, StoreError> {
        let kept = deleted.as_ref().map(|gone| &gone.kept.rows).ok();
        let gone = keys.iter().filter(|key| kept.is_none_or(|kept| !kept.contains(**key)));
        let gone: Vec<&str> = gone.copied().collect();
        self.told(&gone, deleted)
    }
}

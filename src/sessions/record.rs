//! Passes the keys of ended sessions on: to the audit log, and to standard output as cache keys.

use super::audit::Audit;
use super::cache_keys::CacheKeys;
use crate::store::{Fault, Gone, StoreError};

/// Where ended sessions are recorded.
#[derive(Clone, Copy)]
pub(crate) struct Record<'r> {
    pub(crate) audit: Option<&'r Audit>,
    pub(crate) cache: &'r CacheKeys,
}

impl Record<'_> {
    /// Records that these sessions were ended, if the write was committed. After a lost connection it is
    /// unknown whether the server committed; then the cache keys are printed anyway, since deleting a cache
    /// entry too many does no harm.
    pub(crate) fn written<T>(
        self,
        keys: &[&str],
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &result {
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
        result
    }

    /// The same for a delete. Sessions that other tables keep were not ended.
    pub(crate) fn deleted(
        self,
        keys: &[&str],
        result: Result<Gone, StoreError>,
    ) -> Result<Gone, StoreError> {
        let kept = result.as_ref().map(|gone| &gone.kept.rows).ok();
        let gone = keys.iter().filter(|key| kept.is_none_or(|kept| !kept.contains(**key)));
        let gone: Vec<&str> = gone.copied().collect();
        self.written(&gone, result)
    }
}

//! A store in memory, with faults on demand: what the engine is tested on, beside the real ones.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Emit, Fault, Filter, Reader, Store, StoreError, Writer};
use crate::consent::Consent;
use crate::model::{Expiry, Page, Row};

/// Sessions by key: stored text and expiry.
type Rows = BTreeMap<String, (String, Expiry)>;

/// A session table in memory.
#[derive(Debug, Default)]
pub struct Memory {
    rows: Mutex<Rows>,
    faults: Mutex<VecDeque<Option<Fault>>>,
}

impl Memory {
    /// Adds or replaces a session.
    pub fn insert(&self, key: &str, data: &str, expires: Expiry) {
        lock(&self.rows).insert(key.into(), (data.into(), expires));
    }

    /// The keys that are there.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.rows).keys().cloned().collect()
    }

    /// What the next deletes meet, one after another: a fault, or nothing. Afterwards all is well.
    pub fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        lock(&self.faults).extend(faults);
    }
}

impl Store for &Memory {
    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        Ok(Box::new(MemoryReader(lock(&self.rows).clone())))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        Ok(Box::new(MemoryWriter(self)))
    }

    fn courtesy(&self) -> Duration {
        Duration::ZERO
    }
}

/// A snapshot, as a database gives one.
struct MemoryReader(Rows);

impl Reader for MemoryReader {
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(u64::try_from(self.0.len()).ok())
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let prefix = filter.key_prefix.as_deref().unwrap_or_default();
        let mut page = Page::default();
        for (key, (data, expires)) in &self.0 {
            let live = match (filter.live_at, *expires) {
                (Some(now), Expiry::At(at) | Expiry::Wall(at)) => at > now,
                (Some(_), Expiry::Unreadable) => false,
                (None, _) => true,
            };
            if !live || !key.starts_with(prefix) {
                continue;
            }
            page.push(Row { key, data, expires: *expires });
            if page.is_full() {
                match emit(page) {
                    ControlFlow::Continue(empty) => page = empty,
                    ControlFlow::Break(()) => return Ok(()),
                }
            }
        }
        if !page.is_empty() {
            let _ = emit(page);
        }
        Ok(())
    }
}

struct MemoryWriter<'m>(&'m Memory);

impl Writer for MemoryWriter<'_> {
    fn delete(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        if let Some(fault) = lock(&self.0.faults).pop_front().flatten() {
            return Err(StoreError::new(fault, "cannot delete: a scripted fault"));
        }
        let mut rows = lock(&self.0.rows);
        Ok(keys.iter().filter_map(|key| rows.remove(*key)).map(|_| 1).sum())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

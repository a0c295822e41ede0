//! A store in memory, with faults on demand: what the engine is tested on, beside the real ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessctl::consent::Consent;
use sessctl::model::{Data, Expiry, Keys, Page, Row, Timestamp};
use sessctl::store::{
    Assigned, Assignment, Capability, Cursor, Emit, Expired, ExpiryReader, ExpiryWriter, Facts,
    Fault, Filter, Gone, Locked, Reader, ReferringReader, Replacement, ReplicaLag, Rewriter, Store,
    StoreError, Traits, Truncator, UserColumn, UserColumnDrop, UserColumnPlan, UserColumnReader,
    UserColumnWriter, Window, Writer,
};

/// Sessions by key: stored text and expiry.
type Rows = BTreeMap<String, (String, Expiry)>;

/// A session table in memory.
#[derive(Debug, Default)]
pub struct Memory {
    rows: Mutex<Rows>,
    locked: Mutex<BTreeSet<String>>,
    faults: Mutex<VecDeque<Option<Fault>>>,
    column: Mutex<Option<UserColumn>>,
    users: Mutex<BTreeMap<String, String>>,
    /// Keys in another table, whose rows go with their sessions.
    referring: Mutex<Option<BTreeSet<String>>>,
    referred: Mutex<BTreeSet<String>>,
    window: Mutex<Option<usize>>,
    lags: Mutex<VecDeque<Duration>>,
    writers: AtomicUsize,
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

    /// Has the site end this session.
    pub fn end(&self, key: &str) {
        lock(&self.rows).remove(key);
    }

    /// Has another table keep rows for these sessions, and no others.
    pub fn list(&self, keys: &[&str]) {
        *lock(&self.referring) = Some(keys.iter().map(|key| (*key).to_owned()).collect());
    }

    /// The sessions that it has rows for.
    pub fn listed(&self) -> Vec<String> {
        lock(&self.referring).iter().flatten().cloned().collect()
    }

    /// Has somebody lock these sessions; nobody from now on, if there are none.
    pub fn lock(&self, keys: &[&str]) {
        *lock(&self.locked) = keys.iter().map(|key| (*key).to_owned()).collect();
    }

    /// Has another table refer to these sessions.
    pub fn refer(&self, keys: &[&str]) {
        *lock(&self.referred) = keys.iter().map(|key| (*key).to_owned()).collect();
    }

    /// Has expired rows picked in windows of so many.
    pub fn in_windows_of(&self, rows: usize) {
        *lock(&self.window) = Some(rows);
    }

    /// Has a replica that lags so much when it is asked about, time after time.
    pub fn lag(&self, lags: impl IntoIterator<Item = Duration>) {
        lock(&self.lags).extend(lags);
    }

    /// How often the replica can be asked about still.
    pub fn lags(&self) -> usize {
        lock(&self.lags).len()
    }

    /// How many connections for batches were opened.
    pub fn writers(&self) -> usize {
        self.writers.load(Relaxed)
    }

    /// What the next deletes meet, one after another: a fault, or nothing. Afterwards all is well.
    pub fn script(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        lock(&self.faults).extend(faults);
    }
}

impl Store for &Memory {
    fn traits(&self) -> &'static Traits {
        static TRAITS: Traits = Traits {
            can: &[
                Capability::Expiry,
                Capability::UserColumn,
                Capability::Rewrite,
                Capability::References,
                Capability::Truncate,
            ],
            ..Traits::plain("memory")
        };
        &TRAITS
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        Ok(Box::new(MemoryReader {
            rows: lock(&self.rows).clone(),
            column: lock(&self.column).clone(),
            users: lock(&self.users).clone(),
            referring: lock(&self.referring).clone(),
        }))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        self.writers.fetch_add(1, Relaxed);
        Ok(Box::new(MemoryWriter(self)))
    }

    fn facts(&self) -> Result<Facts, StoreError> {
        Ok(Facts { expiry_indexed: true, ..Facts::default() })
    }
}

/// When a session expired, if that was before the cutoff.
fn expired_at(expires: Expiry, cutoff: Timestamp) -> Option<i64> {
    let (Expiry::At(at) | Expiry::Wall(at) | Expiry::Unreadable(at)) = expires;
    (at < cutoff && expires != Expiry::MISSING).then(|| at.as_micros())
}

/// Keys of expired sessions, in order of expiry.
fn expired(rows: &Rows, cutoff: Timestamp, from: Option<&Cursor>) -> Vec<(i64, String)> {
    let at = |expires: &Expiry| expired_at(*expires, cutoff);
    let mut expired: Vec<_> =
        rows.iter().filter_map(|(key, (_, expires))| Some((at(expires)?, key.clone()))).collect();
    expired.sort();
    let start = from.map(|cursor| {
        let row = cursor.row.clone().unwrap_or_default();
        (cursor.expires.parse().unwrap_or(i64::MIN), row)
    });
    expired.retain(|row| start.as_ref().is_none_or(|start| row > start));
    expired
}

/// A snapshot, as a database gives one.
struct MemoryReader {
    rows: Rows,
    column: Option<UserColumn>,
    users: BTreeMap<String, String>,
    referring: Option<BTreeSet<String>>,
}

impl Reader for MemoryReader {
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(u64::try_from(self.rows.len()).ok())
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let prefix = filter.key_prefix.as_deref().unwrap_or_default();
        let mut page = Page::default();
        let mut rows: Vec<_> = self.rows.iter().collect();
        if let Some(newest) = filter.newest {
            rows.sort_by_key(|(_, (_, expires))| match expires {
                Expiry::At(at) | Expiry::Wall(at) | Expiry::Unreadable(at) => {
                    std::cmp::Reverse(at.as_micros())
                }
            });
            rows.truncate(newest.try_into().unwrap_or(usize::MAX));
        }
        for (key, (data, expires)) in rows {
            let live = filter.live_at.is_none_or(|now| expires.may_be_after(now));
            let by = filter.user.as_ref();
            let user = by.and_then(|_| self.users.get(key)).map(String::as_str);
            let stamped = by.is_none_or(|by| by.condition.include(user));
            if !live || !stamped || !key.starts_with(prefix) {
                continue;
            }
            page.push(Row { key, data: Data::Text(data), expires: *expires, user });
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

    fn expiry(&mut self) -> Option<&mut dyn ExpiryReader> {
        Some(self)
    }

    fn user_columns(&mut self) -> Option<&mut dyn UserColumnReader> {
        Some(self)
    }

    fn referring(&mut self) -> Option<&mut dyn ReferringReader> {
        Some(self)
    }
}

impl ExpiryReader for MemoryReader {
    fn expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        _: Duration,
    ) -> Result<Expired, StoreError> {
        let expired = expired(&self.rows, cutoff, from);
        Ok(Expired {
            rows: u64::try_from(expired.len()).ok(),
            oldest: expired.first().map(|(micros, _)| Timestamp::from_micros(*micros)),
        })
    }
}

impl UserColumnReader for MemoryReader {
    fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError> {
        Ok(self.column.clone().filter(|column| column.name == name))
    }

    fn user_column_plan(&mut self, _: &UserColumn) -> Result<UserColumnPlan, StoreError> {
        Ok(UserColumnPlan::default())
    }

    fn user_column_drop(&mut self, _: &UserColumn) -> Result<UserColumnDrop, StoreError> {
        Ok(UserColumnDrop::default())
    }
}

impl ReferringReader for MemoryReader {
    fn check_referring(&mut self) -> Result<Vec<String>, StoreError> {
        let missing = || StoreError::new(Fault::Fatal, "there is no such table");
        self.referring.as_ref().map(|_| Vec::new()).ok_or_else(missing)
    }

    fn count_referring(&mut self, keys: &[&str]) -> Result<Vec<u64>, StoreError> {
        let listed = self.referring.iter().flatten();
        let rows = listed.filter(|key| keys.contains(&key.as_str())).count();
        Ok(vec![u64::try_from(rows).unwrap()])
    }

    fn count_referring_to_expired(
        &mut self,
        cutoff: Timestamp,
        _: Duration,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        let expired = expired(&self.rows, cutoff, None);
        let keys: Vec<&str> = expired.iter().map(|(_, key)| &**key).collect();
        Ok(self.count_referring(&keys)?.into_iter().map(Some).collect())
    }
}

struct MemoryWriter<'m>(&'m Memory);

impl MemoryWriter<'_> {
    fn fault(&self) -> Result<(), StoreError> {
        match lock(&self.0.faults).pop_front().flatten() {
            Some(fault) => Err(StoreError::new(fault, "cannot delete: a scripted fault")),
            None => Ok(()),
        }
    }

    /// Removes these sessions, and what refers to them.
    fn remove(&self, keys: &[&str], gone: &mut Gone) {
        let (mut rows, mut listed) = (lock(&self.0.rows), lock(&self.0.referring));
        gone.referring.extend(listed.as_ref().map(|_| 0));
        for key in keys.iter().filter(|key| rows.remove(**key).is_some()) {
            gone.sessions += 1;
            let went = listed.as_mut().is_some_and(|keys| keys.remove(*key));
            gone.referring.iter_mut().for_each(|rows| *rows += u64::from(went));
        }
    }

    /// Those that no other table keeps, and the others.
    fn unless_kept<'k>(&self, keys: &[&'k str]) -> (Vec<&'k str>, Gone) {
        let (rows, referred) = (lock(&self.0.rows), lock(&self.0.referred));
        let mut gone = Gone::default();
        let keeps = |key: &&str| referred.contains(*key) && rows.contains_key(*key);
        let (kept, free): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| keeps(key));
        for key in kept {
            gone.kept.add(Gone::kept(key, "carts".into()).kept);
        }
        (free, gone)
    }
}

impl Writer for MemoryWriter<'_> {
    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        self.fault()?;
        let (free, mut gone) = self.unless_kept(keys);
        self.remove(&free, &mut gone);
        Ok(gone)
    }

    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError> {
        let rows = lock(&self.0.rows);
        let mut page = Page::default();
        for key in keys {
            if let Some((data, expires)) = rows.get(*key) {
                page.push(Row { key, data: Data::Text(data), expires: *expires, user: None });
            }
        }
        Ok(page)
    }

    fn expiry(&mut self) -> Option<&mut dyn ExpiryWriter> {
        Some(self)
    }

    fn user_columns(&mut self) -> Option<&mut dyn UserColumnWriter> {
        Some(self)
    }

    fn rewriting(&mut self) -> Option<&mut dyn Rewriter> {
        Some(self)
    }

    fn truncation(&mut self) -> Option<&mut dyn Truncator> {
        Some(self)
    }

    fn replicas(&mut self) -> Option<&mut dyn ReplicaLag> {
        (self.0.lags() > 0).then_some(self)
    }
}

impl ReplicaLag for MemoryWriter<'_> {
    fn replica_lag(&mut self) -> Result<Option<Duration>, StoreError> {
        Ok(lock(&self.0.lags).pop_front())
    }
}

impl Rewriter for MemoryWriter<'_> {
    fn replace(&mut self, new: &[Replacement<'_>]) -> Result<u64, StoreError> {
        self.fault()?;
        let mut rows = lock(&self.0.rows);
        let mut done = 0;
        for Replacement { key, old, new } in new {
            if let Some((data, _)) = rows.get_mut(*key).filter(|(data, _)| old.is(data.as_bytes()))
            {
                (*new).clone_into(data);
                done += 1;
            }
        }
        Ok(done)
    }
}

impl UserColumnWriter for MemoryWriter<'_> {
    fn add_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.fault()?;
        lock(&self.0.column).get_or_insert_with(|| column.clone());
        Ok(())
    }

    fn assign(
        &mut self,
        _: &UserColumn,
        new: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError> {
        self.fault()?;
        let (rows, mut users) = (lock(&self.0.rows), lock(&self.0.users));
        let mut done = Assigned::default();
        for Assignment { key, data, user } in new {
            let unchanged = rows.get(*key).is_some_and(|(stored, _)| data.is(stored.as_bytes()));
            let old = users.get(*key).map(String::as_str);
            if unchanged && old != *user && (old.is_none() || overwrite) {
                users.remove(*key);
                users.extend(user.map(|user| ((*key).to_owned(), user.to_owned())));
                done.rows += 1;
            }
        }
        Ok(done)
    }

    fn drop_user_column(&mut self, _: &UserColumn) -> Result<(), StoreError> {
        self.fault()?;
        *lock(&self.0.column) = None;
        lock(&self.0.users).clear();
        Ok(())
    }

    fn index_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        *lock(&self.0.column) = Some(UserColumn { indexed: true, ..column.clone() });
        Ok(())
    }
}

impl Truncator for MemoryWriter<'_> {
    fn truncate(&mut self) -> Result<(), StoreError> {
        self.fault()?;
        lock(&self.0.rows).clear();
        Ok(())
    }
}

impl ExpiryWriter for MemoryWriter<'_> {
    fn pick_expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError> {
        let mut picked = expired(&lock(&self.0.rows), cutoff, from);
        let limit = lock(&self.0.window).map_or(limit, |window| limit.min(window));
        let more = picked.len() > limit;
        picked.truncate(limit);
        let next = picked
            .last()
            .filter(|_| more)
            .map(|(micros, key)| Cursor { expires: micros.to_string(), row: Some(key.clone()) });
        let mut rows = Keys::default();
        for (_, key) in &picked {
            rows.push(key);
        }
        Ok(Window { rows, next })
    }

    fn delete_expired(
        &mut self,
        rows: &[&str],
        cutoff: Timestamp,
        wanted: Locked,
    ) -> Result<Gone, StoreError> {
        self.fault()?;
        let locked = lock(&self.0.locked);
        if wanted == Locked::Wait && rows.iter().any(|key| locked.contains(*key)) {
            return Err(StoreError::new(Fault::Busy, "cannot delete: a row is locked"));
        }
        let (free, mut gone) = self.unless_kept(rows);
        let is_expired = |key: &&str| {
            let rows = lock(&self.0.rows);
            rows.get(*key).is_some_and(|(_, expires)| expired_at(*expires, cutoff).is_some())
        };
        let free = free.into_iter().filter(|key| !locked.contains(*key));
        self.remove(&free.filter(is_expired).collect::<Vec<_>>(), &mut gone);
        Ok(gone)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

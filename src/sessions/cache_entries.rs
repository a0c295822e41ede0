//! Deletes the cache entries of ended sessions, and looks through the cache for entries that let users in who were to be
//! logged out: a request in flight can put one back, and an earlier run may have ended between a row and its entry.

mod rows;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use django_session::Decoder;

use self::rows::{compare, named, without_row};
use super::query::{SessionQuery, UserFilter};
use super::removal::Removal;
use super::survey::MOST_KEYS;
use crate::cache::{Entry, Server, Shape, Walk};
use crate::context::Ctx;
use crate::engine::{Driver, StopReason};
use crate::model::{Keys, counted};
use crate::report::Doubt;
use crate::settings;
use crate::store::StoreError;

/// Most rows of the table that are read at once to compare entries with them.
const ROWS: usize = 100;
/// Keys for which servers are asked at once.
const KEYS_AT_ONCE: usize = 1_000;
/// Most other beginnings of keys that a message shows.
const MOST_OTHERS: usize = 3;
/// Entries without a row that are remembered: a warning needs no more.
const MOST_ORPHANS: usize = 10_000;
/// How long a replica may take to follow the server that is written.
const LAG: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(100);

const HINT: &str = "rows that went are gone, and their entries may let users in: clear the cache; after `logout-user` or `flush-all` it is \
                    enough to run it again with the same cache, which finds entries without a row";

/// The entries of sessions in a cache.
pub(crate) struct Entries {
    /// The first is written; the site may read from any.
    servers: RefCell<Vec<Box<dyn Server>>>,
    shape: Shape,
    /// Whether the operator declared that the cache holds no entries that earlier runs left.
    is_cleared: Cell<bool>,
    /// Sessions whose entries were to be deleted.
    ended: Cell<u64>,
    /// Their keys, as many as one scan collects: a request in flight can put an entry back.
    ended_keys: RefCell<Keys>,
    deleted: Cell<u64>,
    /// Sessions whose entries could not be deleted.
    left_out: Cell<u64>,
    /// The error that kept entries from being deleted, until [`Self::go_on`] returns it.
    failed: RefCell<Option<StoreError>>,
    /// Whether a look began and did not end.
    is_looking: Cell<bool>,
    /// How many entries the last whole look found that had to go.
    came_back: Cell<Option<u64>>,
    /// Whether only entries of sessions whose rows went are deleted, since others cannot be told apart.
    is_unlooked: Cell<bool>,
    /// Entries without a row that the last look found, where it deletes none of these.
    orphans: Cell<u64>,
    /// Whether there was an entry of a session of the table.
    has_seen_one: Cell<bool>,
    /// What keys of other shapes begin with.
    others: RefCell<BTreeSet<String>>,
}

impl Entries {
    /// Connects to all servers, and checks what sessctl may do there.
    pub(crate) fn open(
        ctx: &Ctx<'_>,
        cache: settings::Cache,
        is_cleared: bool,
        dry_run: bool,
    ) -> Result<Self, StoreError> {
        let open = |source: &dyn crate::cache::Source| source.open(ctx.waits.clone());
        let mut servers: Vec<_> = cache.servers.iter().map(|source| open(&**source)).collect();
        for (place, server) in servers.iter_mut().enumerate().filter(|_| !dry_run) {
            server.demand_rights(&cache.shape.of_no_session(), place == 0)?;
        }
        Ok(Self {
            servers: RefCell::new(servers),
            shape: cache.shape,
            is_cleared: Cell::new(is_cleared || dry_run),
            ended: Cell::default(),
            ended_keys: RefCell::default(),
            deleted: Cell::default(),
            left_out: Cell::default(),
            failed: RefCell::default(),
            is_looking: Cell::default(),
            came_back: Cell::default(),
            is_unlooked: Cell::default(),
            orphans: Cell::default(),
            has_seen_one: Cell::default(),
            others: RefCell::default(),
        })
    }

    /// Deletes the entries of sessions whose rows are gone. It must be called after the commit: a request that misses
    /// the cache reads the row and fills the cache again. A failure cannot undo the delete, so [`Self::go_on`] returns
    /// it.
    pub(crate) fn delete(&self, session_keys: &[&str]) {
        if session_keys.is_empty() {
            return;
        }
        let count = u64::try_from(session_keys.len()).unwrap_or(u64::MAX);
        self.ended.set(self.ended.get() + count);
        let mut ended_keys = self.ended_keys.borrow_mut();
        session_keys
            .iter()
            .take(MOST_KEYS.saturating_sub(ended_keys.len()))
            .for_each(|key| ended_keys.push(key));
        let keys: Vec<String> = session_keys.iter().map(|key| self.shape.key(key)).collect();
        // After a failure the run ends, and each attempt would keep the operator waiting.
        let result = if self.left_out.get() > 0 { Ok(None) } else { self.write(&keys).map(Some) };
        match result {
            Ok(Some(there)) => self.has_seen_one.set(self.has_seen_one.get() || there > 0),
            Ok(None) => self.left_out.set(self.left_out.get() + count),
            Err(error) => {
                self.left_out.set(count);
                // It was tried often enough: a retry of the batch would only lose the error, and delete on.
                self.failed.replace(Some(error.fatal()));
            }
        }
    }

    /// Deletes entries, and returns how many there were.
    fn write(&self, keys: &[String]) -> Result<u64, StoreError> {
        let mut servers = self.servers.borrow_mut();
        let Some(first) = servers.first_mut() else { return Ok(0) };
        let deleted = first.delete(keys).map_err(|error| error.hint(HINT))?;
        self.deleted.set(self.deleted.get() + deleted);
        Ok(deleted)
    }

    /// Returns an error once entries could not be deleted: then no more sessions may be ended.
    pub(crate) fn go_on(&self) -> Result<(), StoreError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Looks through every server for entries that let users in whom the query names, compares them with the table, and
    /// deletes those that must not be there. Returns how many these were: their users may have used them meanwhile.
    pub(crate) fn look(
        &self,
        ctx: &Ctx<'_>,
        query: &SessionQuery<'_>,
        removal: Removal,
        driver: &mut Driver<'_>,
    ) -> Result<u64, StopReason> {
        if matches!(query.users, UserFilter::These(ids) if ids.is_empty()) {
            self.came_back.set(Some(0));
            return Ok(0);
        }
        let failed = |error: StoreError| StopReason::of(error.hint(HINT), ctx.stop);
        self.is_looking.set(true);
        if query.conditions.is_some() {
            // An entry tells neither signature nor layout nor time of a session, and one without a row may be anybody's.
            self.is_unlooked.set(true);
            let found = self.look_for_ended(ctx).map_err(failed)?;
            if found == 0 {
                self.look_for_orphans(ctx, driver)?;
            }
            self.looked(found);
            return Ok(found);
        }
        let mut decoder = Decoder::new(ctx.codec);
        let (mut found, servers) = (0, self.servers.borrow().len());
        for place in 0..servers {
            let mut walk = Walk::default();
            while !walk.has_ended {
                if let Some(asked) = ctx.stop.asked() {
                    return Err(asked.into());
                }
                let page = self.with(place, |server| server.walk(&mut walk, &self.shape));
                let page = page.map_err(failed)?;
                self.note_others(&page.others);
                self.note_seen(&page.entries, query, driver)?;
                let entries = named(page.entries, query, &mut decoder);
                for some in entries.chunks(ROWS) {
                    let (stale, harmless) = compare(some, query, removal, driver, &mut decoder)?;
                    self.write(&harmless).map_err(failed)?;
                    found += self.remove(ctx, place, stale).map_err(failed)?;
                }
            }
        }
        self.looked(found);
        Ok(found)
    }

    /// Notes whether the table has one of these sessions: another site's entries may look alike.
    fn note_seen(
        &self,
        entries: &[Entry],
        query: &SessionQuery<'_>,
        driver: &mut Driver<'_>,
    ) -> Result<(), StopReason> {
        if self.has_seen_one.get() || entries.is_empty() {
            return Ok(());
        }
        // A table that was truncated, now or by an earlier run, has no row that could tell.
        let all_go = self.ended.get() == 0
            && query.newest.is_none()
            && matches!(query.users, UserFilter::AllBut(spared) if spared.is_empty());
        for some in entries.chunks(ROWS) {
            let keys: Vec<&str> = some.iter().map(|entry| &*entry.session_key).collect();
            if all_go || driver.once(|writer| writer.count(&keys))? > 0 {
                self.has_seen_one.set(true);
                break;
            }
        }
        Ok(())
    }

    fn looked(&self, found: u64) {
        self.is_looking.set(false);
        self.came_back.set(Some(found));
    }

    /// Looks on every server for entries of the sessions that this run ended, and deletes them. Returns how many there were.
    fn look_for_ended(&self, ctx: &Ctx<'_>) -> Result<u64, StoreError> {
        let (ended_keys, servers) = (self.ended_keys.borrow(), self.servers.borrow().len());
        let session_keys: Vec<&str> = ended_keys.iter().collect();
        let mut found = 0;
        for some in session_keys.chunks(KEYS_AT_ONCE) {
            let keys: Vec<String> = some.iter().map(|key| self.shape.key(key)).collect();
            for place in 0..servers {
                let back = self.with(place, |server| server.existing(&keys))?;
                found += self.remove(ctx, place, back)?;
            }
        }
        Ok(found)
    }

    /// Counts the entries without a row: a run that failed may have left them, and they let users in. Nothing tells whether
    /// they are of sessions that were asked for.
    fn look_for_orphans(&self, ctx: &Ctx<'_>, driver: &mut Driver<'_>) -> Result<(), StopReason> {
        let failed = |error: StoreError| StopReason::of(error.hint(HINT), ctx.stop);
        let (mut most, servers) = (0, self.servers.borrow().len());
        for place in 0..servers {
            let (mut walk, mut orphans) = (Walk::default(), BTreeSet::new());
            while !walk.has_ended && orphans.len() < MOST_ORPHANS {
                if let Some(asked) = ctx.stop.asked() {
                    return Err(asked.into());
                }
                let page = self.with(place, |server| server.walk(&mut walk, &self.shape));
                for some in page.map_err(failed)?.entries.chunks(ROWS) {
                    orphans.extend(without_row(some, driver)?);
                }
            }
            if orphans.is_empty() {
                continue;
            }
            // Who logs out at this moment loses the row first.
            ctx.stop.sleep(TICK);
            let orphans: Vec<String> = orphans.into_iter().collect();
            for some in orphans.chunks(KEYS_AT_ONCE) {
                most += self.with(place, |server| server.existing(some)).map_err(failed)?.len();
            }
        }
        self.orphans.set(u64::try_from(most).unwrap_or(u64::MAX));
        if most > 0 && !self.is_cleared.get() {
            ctx.talk.warning(&format!(
                "the cache has {} without a row, deleted before, perhaps by a run that failed, whose users are in: clear the cache, or \
                 end those of a user with `sessctl logout-user`; --cache-cleared says that you know of them",
                counted(self.orphans.get(), "session")
            ));
        }
        Ok(())
    }

    fn with<T>(
        &self,
        place: usize,
        call: impl FnOnce(&mut dyn Server) -> Result<T, StoreError>,
    ) -> Result<T, StoreError>
    where
        T: Default,
    {
        match self.servers.borrow_mut().get_mut(place) {
            Some(server) => call(&mut **server),
            None => Ok(T::default()),
        }
    }

    /// Deletes entries that were found on this server. What only a replica has yet, which follows, counts for nothing.
    fn remove(&self, ctx: &Ctx<'_>, place: usize, keys: Vec<String>) -> Result<u64, StoreError> {
        if keys.is_empty() {
            return Ok(0);
        }
        let count = |keys: &[String]| u64::try_from(keys.len()).unwrap_or(u64::MAX);
        let deleted = self.write(&keys)?;
        if place == 0 {
            return Ok(count(&keys));
        }
        let (mut left, mut waited) = (keys, Duration::ZERO);
        loop {
            left = self.with(place, |replica| replica.existing(&left))?;
            if left.is_empty() || waited >= LAG || ctx.stop.asked().is_some() {
                return Ok(deleted.max(count(&left)));
            }
            ctx.stop.sleep(TICK);
            waited += TICK;
        }
    }

    fn note_others(&self, keys: &[String]) {
        let mut others = self.others.borrow_mut();
        for key in keys {
            if others.len() >= MOST_OTHERS {
                return;
            }
            others.insert(Shape::prefix(key).to_owned());
        }
    }

    /// The command names no user to log out, so no entry matters.
    pub(crate) fn is_about_nobody(&self) {
        self.is_cleared.set(true);
    }

    /// How many entries were deleted.
    pub(crate) fn deleted(&self) -> u64 {
        self.deleted.get()
    }

    /// Whether entries may be left that let users in.
    pub(crate) fn may_be_left(&self) -> bool {
        let knows_of_none = self.ended.get() == 0 && !self.is_cleared.get();
        let forgot = self.ended.get() > u64::try_from(MOST_KEYS).unwrap_or(u64::MAX);
        let is_unlooked = self.is_unlooked.get() && (knows_of_none || forgot);
        let came_back = self.came_back.get();
        let has_orphans = self.orphans.get() > 0 && !self.is_cleared.get();
        let is_open = self.left_out.get() > 0 || self.is_looking.get() || has_orphans;
        is_open || is_unlooked || came_back.map_or(knows_of_none, |found| found > 0)
    }

    /// Why the look through the cache proves nothing.
    pub(crate) fn doubts(&self) -> Vec<Doubt> {
        let knows_of_none = self.is_unlooked.get() && self.ended.get() == 0;
        let Some(found) = self.came_back.get().filter(|_| !knows_of_none) else {
            return Vec::new();
        };
        let mut doubts = Vec::new();
        if found > 0 {
            doubts.push(Doubt::CacheRefilled { entries: found });
        }
        doubts.extend(self.doubt_of_shape());
        doubts
    }

    /// The doubt whether it is the site's cache, or all of it.
    fn doubt_of_shape(&self) -> Option<Doubt> {
        let others: Vec<String> = self.others.borrow().iter().cloned().collect();
        let is_sure = self.has_seen_one.get() && (self.shape.is_asked_for || others.is_empty());
        if self.shape.is_known || self.is_cleared.get() || is_sure {
            return None;
        }
        let servers = self.servers.borrow();
        let cache = servers.first().map(|server| server.place()).unwrap_or_default();
        let prefix = self.shape.before().to_owned();
        Some(if self.has_seen_one.get() {
            Doubt::CacheShared { cache, prefix, others }
        } else {
            Doubt::CacheUnseen { cache, prefix, others }
        })
    }
}

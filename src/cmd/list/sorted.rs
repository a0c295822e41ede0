//! Sorts sessions in memory that does not grow with the table, and prints them.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::ControlFlow;

use django_session::Decoder;

use super::Query;
use super::listing::Listing;
use super::order::{Order, Rank, too_many};
use super::pages::{Candidate, Candidates};
use super::printer::print_row;
use crate::context::Ctx;
use crate::error::Error;
use crate::model::{Leftover, counted};
use crate::report::ListedSession;
use crate::sessions::user_names::UserNames;
use crate::store::{Filter, Store};

/// The first sessions of those that were found so far.
pub(super) struct Sorted<'q> {
    pub(super) order: &'q Order,
    query: &'q Query<'q>,
    /// Which of the tables is scanned.
    pub(super) place: usize,
    heap: BinaryHeap<Entry>,
    arrived: u64,
    selected: u64,
    /// Bytes of texts in the heap.
    held_bytes: usize,
}

/// Equal ranks are in the order in which they came.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    rank: Rank,
    arrived: u64,
    held: Held,
}

/// What is held of a session. It does not matter to the order.
struct Held {
    place: usize,
    key: String,
    size: usize,
    session: Option<Box<ListedSession>>,
    bytes: usize,
}

impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// Most bytes of texts that are held. Of further sessions only the key is.
const MOST_HELD_BYTES: usize = 32 << 20;
/// Most bytes of rows that are read again at once, but for a single one that is larger.
const MOST_READ_AGAIN_BYTES: usize = 2 << 20;
/// Sessions that are printed at once: the names of their users are read in one query.
const AT_ONCE: usize = 1_000;
/// Most tables to which connections are open.
const MOST_OPEN: usize = 8;

impl<'q> Sorted<'q> {
    pub(super) fn new(order: &'q Order, query: &'q Query<'q>) -> Self {
        let heap = BinaryHeap::new();
        Self { order, query, place: 0, heap, arrived: 0, selected: 0, held_bytes: 0 }
    }

    /// Takes the candidates of the next page.
    pub(super) fn add(&mut self, candidates: Candidates) -> Result<(), Error> {
        self.selected += candidates.selected;
        for Candidate { rank, key, size, session } in candidates.all {
            let bytes = session.as_ref().map_or(0, |one| one.session.held_bytes());
            let has_room = self.held_bytes + bytes <= MOST_HELD_BYTES;
            let session = session.filter(|_| has_room);
            let bytes = if has_room { bytes } else { 0 };
            self.held_bytes += bytes;
            let held = Held { place: self.place, key, size, session, bytes };
            self.heap.push(Entry { rank, arrived: self.arrived, held });
            self.arrived += 1;
            if self.heap.len() > self.order.most {
                if !self.order.has_limit {
                    return Err(too_many());
                }
                let last = self.heap.pop();
                self.held_bytes -= last.map_or(0, |last| last.held.bytes);
            }
        }
        let is_full = self.order.has_limit && self.heap.len() >= self.order.most;
        if let Some(last) = self.heap.peek().filter(|_| is_full) {
            self.order.ends_at(&last.rank);
        }
        Ok(())
    }

    /// Prints the sessions. `tables` has the tables that were scanned.
    pub(super) fn print(self, tables: &[Ctx<'_>], listing: &mut Listing<'_>) -> Result<(), Error> {
        let Self { query, selected, heap, .. } = self;
        let mut entries = heap.into_sorted_vec();
        let stores = tables.iter().map(Ctx::open).collect::<Result<Vec<_>, _>>()?;
        let mut open = Open { query, tables, stores: &stores, names: BTreeMap::new(), gone: 0 };
        listing.more = selected.saturating_sub(u64::try_from(entries.len()).unwrap_or(u64::MAX));
        for some in entries.chunks_mut(AT_ONCE) {
            open.print(some, listing)?;
        }
        if let (gone @ 1.., Some(ctx)) = (open.gone, tables.first()) {
            ctx.talk.note(&format!("{} ended meanwhile, not listed", counted(gone, "session")));
        }
        Ok(())
    }
}

/// Sessions that were read again: those of the entries before `until`, by table and key.
#[derive(Default)]
struct Again {
    until: usize,
    rows: BTreeMap<(usize, String), Leftover>,
}

/// The tables while their sessions are printed.
struct Open<'p> {
    query: &'p Query<'p>,
    tables: &'p [Ctx<'p>],
    stores: &'p [Box<dyn Store>],
    names: BTreeMap<usize, UserNames<'p>>,
    /// Sessions that were not there any more when they were read again.
    gone: u64,
}

impl<'p> Open<'p> {
    fn print(&mut self, entries: &mut [Entry], listing: &mut Listing<'_>) -> Result<(), Error> {
        let places: BTreeSet<usize> = entries.iter().map(|entry| entry.held.place).collect();
        for place in places {
            let Some(ctx) = self.tables.get(place) else { continue };
            let schema = ctx.schema.as_ref().filter(|_| listing.with_schemas);
            let names = self.names_in(place)?;
            listing.with_names |= names.may_be_known();
            let here = || entries.iter().filter(|entry| entry.held.place == place);
            let sessions = here().filter_map(|entry| entry.held.session.as_ref());
            names.read(ctx, sessions.filter_map(|one| one.session.user_id.as_deref()));
            let here = entries.iter_mut().filter(|entry| entry.held.place == place);
            for session in here.filter_map(|entry| entry.held.session.as_mut()) {
                session.schema = schema.cloned();
                let id = session.session.user_id.as_deref();
                session.username = id.and_then(|id| names.of_user(id));
            }
        }
        let held = entries.iter().filter_map(|entry| entry.held.session.as_deref());
        listing.begin(&held)?;
        let mut again = Again::default();
        for (at, entry) in entries.iter().enumerate() {
            if let Some(session) = &entry.held.session {
                listing.add(session, None)?;
                continue;
            }
            if at >= again.until {
                // The rows of before are let go first.
                drop(std::mem::take(&mut again));
                again = self.read_again(at, entries)?;
            }
            self.print_again(&entry.held, &again, listing)?;
        }
        Ok(())
    }

    /// Reads sessions again from this entry on, as many as may be held, in one scan of each table.
    fn read_again(&self, from: usize, entries: &[Entry]) -> Result<Again, Error> {
        let mut again = Again { until: from, rows: BTreeMap::new() };
        let mut sought: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        let mut bytes = 0;
        for held in entries.iter().skip(from).map(|entry| &entry.held) {
            if held.session.is_none() {
                if bytes > 0 && bytes + held.size > MOST_READ_AGAIN_BYTES {
                    break;
                }
                bytes += held.size;
                sought.entry(held.place).or_default().insert(&held.key);
            }
            again.until += 1;
        }
        for (place, keys) in sought {
            let Some(store) = self.stores.get(place) else { continue };
            let mut missing = keys.len();
            store.reader()?.scan(&Filter::default(), &mut |mut page| {
                let found = page.rows().enumerate().filter(|(_, row)| keys.contains(row.key));
                let found: Vec<_> = found.map(|(at, row)| (at, row.key.to_owned())).collect();
                missing = missing.saturating_sub(found.len());
                for (at, key) in found {
                    // A row that is read alone may be huge: it is not copied.
                    let row = if keys.len() == 1 { page.leave(vec![at]) } else { page.copy(at) };
                    again.rows.insert((place, key), row);
                }
                page.clear();
                if missing > 0 { ControlFlow::Continue(page) } else { ControlFlow::Break(()) }
            })?;
        }
        Ok(again)
    }

    /// Prints a session that was read again.
    fn print_again(
        &mut self,
        held: &Held,
        again: &Again,
        listing: &mut Listing<'_>,
    ) -> Result<(), Error> {
        let found = again.rows.get(&(held.place, held.key.clone()));
        let Some((ctx, left)) = self.tables.get(held.place).zip(found) else {
            self.gone += 1;
            return Ok(());
        };
        let Some(row) = left.rows().next() else { return Ok(()) };
        let schema = ctx.schema.as_ref().filter(|_| listing.with_schemas);
        let query = self.query;
        let mut decoder = Decoder::new(ctx.codec);
        let names = (self.names_in(held.place)?, &mut decoder);
        print_row(ctx, query, &row, names, schema, listing)?;
        Ok(())
    }

    /// The names of the users in one of the tables.
    fn names_in(&mut self, place: usize) -> Result<&mut UserNames<'p>, Error> {
        if !self.names.contains_key(&place) {
            if self.names.len() >= MOST_OPEN {
                self.names.clear();
            }
            let names = match (self.tables.get(place), self.stores.get(place)) {
                (Some(ctx), Some(store)) => self.query.names(ctx, &**store)?,
                _ => UserNames::unknown(),
            };
            self.names.insert(place, names);
        }
        Ok(self.names.entry(place).or_insert_with(UserNames::unknown))
    }
}

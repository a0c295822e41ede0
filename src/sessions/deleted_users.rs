//! `--deleted-users`: finds users who have live sessions but are missing from the table of users.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use django_session::Decoder;

use super::asked_users::id_field;
use super::distinct::hash;
use super::query::is_reading;
use super::site_users::{AT_ONCE, SiteUsers, reader};
use super::unfit_ids::some;
use crate::context::Ctx;
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Leftover, MOST_ID_BYTES, Page, Row, counted};
use crate::store::{Filter, Reader, Store, UserQuery};

/// Users who were deleted.
#[derive(Default)]
pub(crate) struct DeletedUsers {
    /// The ids of the deleted users.
    pub(crate) ids: BTreeSet<String>,
    /// How many different users have live sessions.
    pub(crate) logged_in: usize,
    /// Whether more than one authentication backend made the logins.
    pub(crate) has_several_backends: bool,
}

/// Most bytes of ids that one page may collect.
const HELD_BYTES: usize = 1 << 20;
/// Most deleted users that are collected, and most bytes of their ids. Each id is in memory several times
/// until it is reported.
const MOST_GONE: usize = 100_000;
const MOST_GONE_BYTES: usize = 4 << 20;
/// Most hashes of existing users that are kept. Users beyond that are queried again with each page.
const MOST_THERE: usize = 500_000;
/// The user ids of one page of sessions.
#[derive(Default)]
struct Logins {
    users: BTreeSet<String>,
    /// Pairs of ids of which a session means one: a text that a package signed can be read in two ways.
    either: BTreeSet<(String, String)>,
    /// Ids that the key of the table cannot hold: they date from before its type was changed.
    unfit: BTreeSet<String>,
    /// Hashes of some of the authentication backends that made the logins.
    backends: HashSet<u64>,
    held_bytes: usize,
    /// Rows that are decoded one at a time: the ids of a whole page might not fit into memory.
    later: Leftover,
}

impl DeletedUsers {
    /// Whether most of the users with sessions are missing: then the table of users may be out of date, or
    /// another site's.
    pub(crate) fn are_most(&self) -> bool {
        self.ids.len() * 2 > self.logged_in
    }

    /// Finds the deleted users. With `unfit_too` they include users whose ids the key cannot hold, if any key
    /// can hold them.
    ///
    /// It reads a session before it looks for the session's user, and Django creates a user before that
    /// user's first session. So a user who is created while this runs is not taken for a deleted one.
    pub(crate) fn find(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        site: &SiteUsers,
        unfit_too: bool,
        dry_run: bool,
    ) -> Result<Self, Error> {
        let mut reader = reader(store, dry_run)?;
        refuse_empty(&mut *reader, site)?;
        let mut search = Search::new(&mut *reader, site, unfit_too);
        let mut failed = None;
        let codec = ctx.codec;
        let worker = || {
            let mut decoder = Decoder::new(codec);
            move |page: &mut Page| logins(page, &mut decoder, site)
        };
        let mut rows = store.reader()?;
        let filter = Filter { live_at: Some(rows.now()?), ..Filter::default() };
        let mut decoder = Decoder::new(codec);
        let ended = ctx.scan().run(&mut *rows, &filter, worker, |mut page| {
            let (later, mut decoder) = (std::mem::take(&mut page.later), decoder.page());
            let later = later.rows().map(|row| {
                let mut logins = Logins::default();
                logins.row(&row, &mut decoder, site);
                logins
            });
            for logins in std::iter::once(page).chain(later) {
                failed = search.add(logins).err();
                if failed.is_some() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if let Ended::Interrupted(signal) = ended {
            return Err(Error::Interrupted { signal });
        }
        let asked = std::mem::take(&mut search.asked);
        search.ask(asked)?;
        // Query the missing users once more: some may have been restored meanwhile.
        let gone = std::mem::take(&mut search.gone).ids;
        search.ask(gone)?;
        search.take_one_reading();
        let Search { there, gone, unfit, backends, .. } = search;
        let (there, mut ids) = (there.len(), gone.ids);
        if there == 0 && !ids.is_empty() {
            return Err(none_is_there(site, &ids));
        }
        ids.extend(unfit);
        Ok(Self { logged_in: there + ids.len(), ids, has_several_backends: backends.len() > 1 })
    }
}

fn logins(page: &mut Page, decoder: &mut Decoder<'_>, site: &SiteUsers) -> Logins {
    let (mut logins, mut decoder) = (Logins::default(), decoder.page());
    let mut later = Vec::new();
    for (at, row) in page.rows().enumerate() {
        if logins.held_bytes <= HELD_BYTES {
            logins.row(&row, &mut decoder, site);
        } else {
            later.push(at);
        }
    }
    logins.later = page.leave(later);
    logins
}

/// The id as the key of the table holds it; `None` if Django cannot read it as such a key.
fn read<'i>(site: &SiteUsers, id: &'i str) -> Option<Cow<'i, str>> {
    let read = || Some(Cow::Owned(site.kind.fit(&id_field(site.kind).read(id)?)?.into_owned()));
    site.kind.fit(id).or_else(read)
}

impl Logins {
    fn row(&mut self, row: &Row<'_>, decoder: &mut Decoder<'_>, site: &SiteUsers) {
        let session = row.decode(decoder);
        let Ok(auth) = session.auth() else { return };
        // Two are as good as more.
        if let (Some(_), Some(backend), 0..2) = (&auth.user_id, &auth.backend, self.backends.len())
        {
            self.backends.insert(hash(backend));
        }
        let may_be_key = |id: &str| id.len() <= MOST_ID_BYTES;
        if let Some(own) = auth.user_id.as_deref().filter(|id| may_be_key(id))
            && read(site, own).is_none()
        {
            self.held_bytes += own.len();
            self.unfit.insert(own.to_owned());
        }
        let fitting = |id: &str| {
            let id = Some(id).filter(|id| may_be_key(id))?;
            read(site, id).map(Cow::into_owned)
        };
        for (place, id) in auth.others.iter().enumerate() {
            let longer = auth.others.iter().skip(place + 1).find(|other| is_reading(id, other));
            if let (Some(one), Some(other)) = (fitting(id), longer.and_then(|id| fitting(id))) {
                self.held_bytes += one.len() + other.len();
                self.either.insert((one, other));
            }
        }
        let all = auth.user_id.iter().chain(&auth.others);
        for id in all.filter(|id| may_be_key(id)).filter_map(|id| read(site, id)) {
            self.held_bytes += id.len();
            self.users.insert(id.into_owned());
        }
    }
}

const OTHER_TABLE: &str =
    "--user-table names the table of users, --django finds it; `flush-all` logs everybody out";

/// Refuses an empty table of users: every user would count as deleted.
fn refuse_empty(reader: &mut dyn Reader, site: &SiteUsers) -> Result<(), Error> {
    let mut is_empty = true;
    reader.users(&site.users, UserQuery::Any, &mut |_| is_empty = false)?;
    if is_empty {
        return Err(Error::usage(
            format!("--deleted-users: table \"{}\" is empty", site.users.table),
            OTHER_TABLE,
        ));
    }
    Ok(())
}

/// Refuses a table that has none of the users. The project may name the right one, in a copy of the database
/// that is out of date.
fn none_is_there(site: &SiteUsers, users: &BTreeSet<String>) -> Error {
    let ids: Vec<&str> = users.iter().map(String::as_str).collect();
    let number = counted(u64::try_from(ids.len()).unwrap_or(u64::MAX), "user");
    Error::usage(
        format!(
            "--deleted-users: sessions name {number}, and table \"{}\" has none of them: it is not this site's, or out of date",
            site.users.table
        ),
        format!("{OTHER_TABLE}; if they were deleted, name them by their ids: {}", some(&ids)),
    )
}

/// Separates existing users from deleted ones.
struct Search<'s> {
    reader: &'s mut dyn Reader,
    site: &'s SiteUsers,
    /// Hashes of existing users: there may be millions. If a deleted user has the same hash as an existing
    /// one, that user's sessions stay.
    there: HashSet<u64>,
    gone: Gone,
    /// The users to query next.
    asked: BTreeSet<String>,
    unfit_too: bool,
    unfit: BTreeSet<String>,
    either: BTreeSet<(String, String)>,
    backends: HashSet<u64>,
}

/// Users who are missing from the table.
#[derive(Default)]
struct Gone {
    ids: BTreeSet<String>,
    /// Bytes of these ids and of the unfit ones.
    bytes: usize,
}

impl<'s> Search<'s> {
    fn new(reader: &'s mut dyn Reader, site: &'s SiteUsers, unfit_too: bool) -> Self {
        Self {
            reader,
            site,
            there: HashSet::new(),
            gone: Gone::default(),
            asked: BTreeSet::new(),
            unfit_too,
            unfit: BTreeSet::new(),
            either: BTreeSet::new(),
            backends: HashSet::new(),
        }
    }

    /// Adds the users of one page, and queries the table of users once enough are collected.
    fn add(&mut self, logins: Logins) -> Result<(), Error> {
        if self.backends.len() < 2 {
            self.backends.extend(logins.backends);
        }
        for (one, other) in logins.either {
            let bytes = one.len() + other.len();
            if self.either.insert((one, other)) {
                self.gone.more(bytes);
            }
        }
        for id in logins.unfit.into_iter().filter(|_| self.unfit_too) {
            let bytes = id.len();
            if self.unfit.insert(id) {
                self.gone.more(bytes);
            }
        }
        let new = logins.users.into_iter().filter(|id| !self.knows(id));
        let new: Vec<String> = new.collect();
        self.asked.extend(new);
        if self.asked.len() >= AT_ONCE {
            let asked = std::mem::take(&mut self.asked);
            return self.ask(asked);
        }
        self.gone.refuse_too_many()
    }

    /// Of two readings of one text, keeps the one that is an existing user's id, and drops the other.
    fn take_one_reading(&mut self) {
        for (one, other) in &self.either {
            if self.there.contains(&hash(one)) {
                self.gone.ids.remove(other);
            }
            if self.there.contains(&hash(other)) {
                self.gone.ids.remove(one);
            }
        }
    }

    fn knows(&self, id: &str) -> bool {
        self.gone.ids.contains(id) || self.there.contains(&hash(id))
    }

    fn ask(&mut self, ids: BTreeSet<String>) -> Result<(), Error> {
        let ids: Vec<String> = ids.into_iter().collect();
        for ids in ids.chunks(AT_ONCE) {
            let there = self.site.existing(&mut *self.reader, ids.iter().cloned())?;
            let room = MOST_THERE.saturating_sub(self.there.len());
            self.there.extend(there.keys().take(room).map(|id| hash(id)));
            for id in ids.iter().filter(|id| !there.contains_key(*id)) {
                if self.gone.ids.insert(id.clone()) {
                    self.gone.more(id.len());
                }
            }
            self.gone.refuse_too_many()?;
        }
        Ok(())
    }
}

impl Gone {
    fn more(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Fails if the deleted users exceed the limits of memory.
    fn refuse_too_many(&self) -> Result<(), Error> {
        if self.ids.len() <= MOST_GONE && self.bytes <= MOST_GONE_BYTES {
            return Ok(());
        }
        Err(Error::usage(
            format!(
                "--deleted-users: more than {MOST_GONE} users, or {} MiB of ids, who have sessions are not in the table \
                 of users",
                MOST_GONE_BYTES >> 20
            ),
            "log them out by their ids, a part at a time (logout-user --from-file), or everybody else (flush-all --except-user)",
        ))
    }
}

//! `--deleted-users`: users who have live sessions and are not in the table of users.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

use django_session::Decoder;

use super::Ctx;
use super::asked_users::id_field;
use super::site_users::{AT_ONCE, SiteUsers};
use super::whose::reader;
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{MOST_ID_BYTES, Page, Row, counted};
use crate::store::{Filter, Reader, Store, StoreError, WhichUsers};

/// Users who were deleted.
#[derive(Default)]
pub(super) struct DeletedUsers {
    /// Their ids.
    pub(super) ids: BTreeSet<String>,
    /// Different users who have live sessions.
    pub(super) logged_in: usize,
    /// Sessions that stay since the key of the table cannot hold their users' ids.
    pub(super) unfit: Unfit,
}

/// Sessions of users whose ids the key of the table cannot hold: of before the type of the key was changed. An id that
/// is too long for any key is told by its beginning.
#[derive(Clone, Debug, Default)]
pub(super) struct Unfit {
    pub(super) sessions: u64,
    /// Some of the ids.
    pub(super) ids: BTreeSet<String>,
}

/// Bytes of ids that one page may hold.
const HELD_BYTES: usize = 1 << 20;
/// Characters by which an id is told that is too long for any key.
const BEGINNING: usize = 40;
/// Unfit ids that are named.
const MOST_UNFIT_IDS: usize = 5;

impl Unfit {
    fn one(&mut self, id: String) {
        self.sessions += 1;
        self.ids.insert(id);
    }

    fn add(&mut self, other: Self, most_ids: usize) {
        self.sessions += other.sessions;
        self.ids.extend(other.ids);
        while self.ids.len() > most_ids {
            self.ids.pop_last();
        }
    }
}

/// What one page gave.
#[derive(Default)]
struct Logins {
    users: BTreeSet<String>,
    /// Two users of whom a session means one: a text that a package signed can be read in two ways.
    either: BTreeSet<(String, String)>,
    unfit: Unfit,
    /// Sessions of users whose ids are too long for any key.
    too_long: Unfit,
    held_bytes: usize,
    /// Rows that are left to whoever takes the page, one at a time: ids of a whole page might not fit.
    later: Page,
}

impl DeletedUsers {
    /// Whether they are so many that the table of users may be out of date, or another site's.
    pub(super) fn are_most(&self) -> bool {
        self.ids.len() * 2 > self.logged_in
    }

    /// Finds them. With `unfit_too`, users whose ids the key cannot hold are among them, if any key can hold them.
    ///
    /// A session is read before its user is looked for, and a user is there before a session can be: so one
    /// who comes while this runs is not taken for one who went.
    pub(super) fn find(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        site: &SiteUsers,
        unfit_too: bool,
        dry_run: bool,
    ) -> Result<Self, Error> {
        let mut reader = reader(store, dry_run)?;
        refuse_empty(&mut *reader, site)?;
        let mut search =
            Search { reader: &mut *reader, site, there: HashSet::new(), gone: BTreeSet::new() };
        let most_unfit_ids = if unfit_too { usize::MAX } else { MOST_UNFIT_IDS };
        let (mut asked, mut unfit, mut too_long) =
            (BTreeSet::new(), Unfit::default(), Unfit::default());
        let mut either = BTreeSet::new();
        let mut failed = None;
        let codec = &ctx.codec;
        let worker = || {
            let mut decoder = Decoder::new(codec);
            move |page: &Page| logins(page, &mut decoder, site)
        };
        let mut rows = store.reader()?;
        let filter = Filter { live_at: Some(rows.now()?), ..Filter::default() };
        let mut decoder = Decoder::new(codec);
        let ended = ctx.scan().run(&mut *rows, &filter, worker, |mut page| {
            let later = std::mem::take(&mut page.later);
            let later = later.rows().map(|row| {
                let mut logins = Logins::default();
                logins.row(&row, &mut decoder, site);
                logins
            });
            for logins in std::iter::once(page).chain(later) {
                either.extend(logins.either);
                unfit.add(logins.unfit, most_unfit_ids);
                too_long.add(logins.too_long, MOST_UNFIT_IDS);
                asked.extend(logins.users.into_iter().filter(|id| !search.knows(id)));
                if asked.len() >= AT_ONCE {
                    failed = search.ask(std::mem::take(&mut asked)).err();
                }
                if failed.is_some() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if let Ended::Interrupted(signal) = ended {
            return Err(Error::Interrupted { signal });
        }
        search.ask(asked)?;
        // Once more, for those who were put back meanwhile.
        let gone = std::mem::take(&mut search.gone);
        search.ask(gone)?;
        search.take_one_reading(&either);
        let (there, mut ids) = (search.there.len(), search.gone);
        if there == 0 && !ids.is_empty() {
            return Err(none_is_there(site, ids.len()));
        }
        if unfit_too {
            ids.extend(std::mem::take(&mut unfit).ids);
        }
        unfit.add(too_long, MOST_UNFIT_IDS);
        Ok(Self { logged_in: there + ids.len(), ids, unfit })
    }
}

fn logins(page: &Page, decoder: &mut Decoder<'_>, site: &SiteUsers) -> Logins {
    let mut logins = Logins::default();
    for row in page.rows() {
        if logins.held_bytes <= HELD_BYTES {
            logins.row(&row, decoder, site);
        } else {
            logins.later.push(row);
        }
    }
    decoder.shrink();
    logins
}

/// The id as the key of the table holds it, if Django reads it so.
fn read<'i>(site: &SiteUsers, id: &'i str) -> Option<Cow<'i, str>> {
    let read = || Some(Cow::Owned(site.kind.fit(&id_field(site.kind).read(id)?)?.into_owned()));
    site.kind.fit(id).or_else(read)
}

impl Logins {
    fn row(&mut self, row: &Row<'_>, decoder: &mut Decoder<'_>, site: &SiteUsers) {
        let session = row.decode(decoder);
        let Ok(auth) = session.auth() else { return };
        match &auth.user_id {
            Some(own) if own.len() > MOST_ID_BYTES => {
                let beginning: String = own.chars().take(BEGINNING).collect();
                self.too_long.one(format!("{beginning}…"));
                self.held_bytes += BEGINNING;
            }
            Some(own) if read(site, own).is_none() => {
                self.unfit.one(own.to_string());
                self.held_bytes += own.len();
            }
            _ => {}
        }
        let fitting = |id: &str| {
            let id = Some(id).filter(|id| id.len() <= MOST_ID_BYTES)?;
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
        for id in all.filter(|id| id.len() <= MOST_ID_BYTES).filter_map(|id| read(site, id)) {
            self.held_bytes += id.len();
            self.users.insert(id.into_owned());
        }
    }
}

const OTHER_TABLE: &str =
    "--user-table names the table of users, --django finds it; `flush-all` logs everybody out";

/// Refuses a table without a user: everybody would be gone.
fn refuse_empty(reader: &mut dyn Reader, site: &SiteUsers) -> Result<(), Error> {
    let mut is_empty = true;
    reader.users(&site.users, WhichUsers::Any, &mut |_| is_empty = false)?;
    if is_empty {
        return Err(Error::usage(
            format!("--deleted-users: table \"{}\" is empty", site.users.table),
            OTHER_TABLE,
        ));
    }
    Ok(())
}

fn none_is_there(site: &SiteUsers, users: usize) -> Error {
    let users = counted(u64::try_from(users).unwrap_or(u64::MAX), "user");
    Error::usage(
        format!(
            "--deleted-users: sessions name {users}, and table \"{}\" has none of them: it is not this site's, or out of date",
            site.users.table
        ),
        OTHER_TABLE,
    )
}

/// Tells users who are there from those who are gone.
struct Search<'s> {
    reader: &'s mut dyn Reader,
    site: &'s SiteUsers,
    /// Hashes of those who are there, since they may be millions. If one who is gone has the same, his
    /// sessions stay.
    there: HashSet<u64>,
    gone: BTreeSet<String>,
}

/// Whether both are readings of one signed text: the id alone, and the id with a part of the signature.
fn is_reading(id: &str, longer: &str) -> bool {
    longer.strip_prefix(id).is_some_and(|rest| rest.starts_with([':', '/']))
}

impl Search<'_> {
    /// Of two readings of one text the one that names a user is meant, and the other one is nobody.
    fn take_one_reading(&mut self, either: &BTreeSet<(String, String)>) {
        for (one, other) in either {
            if self.there.contains(&hash(one)) {
                self.gone.remove(other);
            }
            if self.there.contains(&hash(other)) {
                self.gone.remove(one);
            }
        }
    }

    fn knows(&self, id: &str) -> bool {
        self.gone.contains(id) || self.there.contains(&hash(id))
    }

    fn ask(&mut self, ids: BTreeSet<String>) -> Result<(), StoreError> {
        let ids: Vec<String> = ids.into_iter().collect();
        for ids in ids.chunks(AT_ONCE) {
            let there = self.site.existing(&mut *self.reader, ids.iter().cloned())?;
            self.there.extend(there.keys().map(|id| hash(id)));
            self.gone.extend(ids.iter().filter(|id| !self.there.contains(&hash(id))).cloned());
        }
        Ok(())
    }
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

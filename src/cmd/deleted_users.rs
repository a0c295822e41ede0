//! `--deleted-users`: users who have live sessions and are not in the table of users.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

use super::Ctx;
use super::site_users::{AT_ONCE, SiteUsers};
use crate::codec::Decoder;
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Page, counted};
use crate::store::{Filter, Reader, Store, StoreError, WhichUsers};

/// Users who were deleted.
#[derive(Default)]
pub(super) struct DeletedUsers {
    /// Their ids.
    pub(super) ids: BTreeSet<String>,
    /// Different users who have live sessions.
    pub(super) logged_in: usize,
    /// Sessions of users whose ids the key of the table cannot hold.
    pub(super) unfit: Unfit,
}

/// Sessions of users whose ids the key of the table cannot hold: of before the type of the key was changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Unfit {
    pub(super) sessions: u64,
    /// Some of the ids.
    pub(super) ids: BTreeSet<String>,
}

/// Unfit ids that are named.
const MOST_UNFIT_IDS: usize = 5;

impl Unfit {
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
    unfit: Unfit,
}

impl DeletedUsers {
    /// Whether they are so many that the table of users may be out of date, or another site's.
    pub(super) fn are_most(&self) -> bool {
        self.ids.len() * 2 > self.logged_in
    }

    /// Finds them. With `unfit_too`, users whose ids the key cannot hold are among them.
    ///
    /// A session is read before its user is looked for, and a user is there before a session can be: so one
    /// who comes while this runs is not taken for one who went.
    pub(super) fn find(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        site: &SiteUsers,
        unfit_too: bool,
    ) -> Result<Self, Error> {
        let mut reader = store.reader()?;
        refuse_empty(&mut *reader, site)?;
        let mut search =
            Search { reader: &mut *reader, site, there: HashSet::new(), gone: BTreeSet::new() };
        let most_unfit_ids = if unfit_too { usize::MAX } else { MOST_UNFIT_IDS };
        let (mut asked, mut unfit) = (BTreeSet::new(), Unfit::default());
        let mut failed = None;
        let codec = &ctx.codec;
        let worker = || {
            let mut decoder = Decoder::new(codec);
            move |page: &Page| logins(page, &mut decoder, site)
        };
        let mut rows = store.reader()?;
        let filter = Filter { live_at: Some(rows.now()?), ..Filter::default() };
        let ended = ctx.scan().run(&mut *rows, &filter, worker, |page| {
            unfit.add(page.unfit, most_unfit_ids);
            asked.extend(page.users.into_iter().filter(|id| !search.knows(id)));
            if asked.len() >= AT_ONCE {
                failed = search.ask(std::mem::take(&mut asked)).err();
            }
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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
        let (there, mut ids) = (search.there.len(), search.gone);
        if there == 0 && !ids.is_empty() {
            return Err(none_is_there(site, ids.len()));
        }
        if unfit_too {
            ids.extend(std::mem::take(&mut unfit).ids);
        }
        Ok(Self { logged_in: there + ids.len(), ids, unfit })
    }
}

fn logins(page: &Page, decoder: &mut Decoder<'_>, site: &SiteUsers) -> Logins {
    let mut logins = Logins::default();
    for row in page.rows() {
        let session = decoder.decode_row(&row);
        let Ok(auth) = session.auth() else { continue };
        let Some(own) = auth.user_id else { continue };
        if site.kind.fit(&own).is_none() {
            logins.unfit.sessions += 1;
            logins.unfit.ids.insert(own.to_string());
        }
        let all = std::iter::once(&own).chain(&auth.others);
        logins.users.extend(all.filter_map(|id| site.kind.fit(id).map(Cow::into_owned)));
    }
    logins
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

impl Search<'_> {
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

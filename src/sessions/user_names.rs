//! Looks up the names of users whose sessions are shown.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::site_users::SiteUsers;
use crate::context::Ctx;
use crate::error::Error;
use crate::report::ListedSession;
use crate::store::{Reader, Store, StoreError, User, UserQuery};

/// Names of users by id. Only those that are shown are read.
pub(crate) struct UserNames<'s> {
    source: Option<Source<'s>>,
    /// `None` for a user who is not in the table.
    known: HashMap<String, Option<String>>,
}

struct Source<'s> {
    site: SiteUsers,
    reader: Box<dyn Reader + 's>,
}

/// Most names that are remembered.
const MOST_KNOWN: usize = 20_000;

impl<'s> UserNames<'s> {
    /// Nobody has a name.
    pub(crate) fn unknown() -> Self {
        Self { source: None, known: HashMap::new() }
    }

    /// Finds the table of users. Where it cannot be found or read, nobody has a name: a list goes without. A table that was
    /// typed must exist.
    pub(crate) fn of(
        ctx: &Ctx<'_>,
        store: &'s dyn Store,
        table: Option<&str>,
    ) -> Result<Self, Error> {
        let source = match Self::source(ctx, store, table) {
            Err(error) if table.is_none() => {
                note_unknown(ctx, &error);
                None
            }
            source => source?,
        };
        Ok(Self { source, ..Self::unknown() })
    }

    fn source(
        ctx: &Ctx<'_>,
        store: &'s dyn Store,
        table: Option<&str>,
    ) -> Result<Option<Source<'s>>, Error> {
        let Some(site) = SiteUsers::with_names(ctx, store, table)? else { return Ok(None) };
        site.note(ctx);
        // Its own: the scan goes on meanwhile.
        Ok(Some(Source { site, reader: store.reader()? }))
    }

    /// Whether a session can have a name.
    pub(crate) fn may_be_known(&self) -> bool {
        self.source.is_some()
    }

    /// Gives the sessions their users' names.
    pub(crate) fn add(&mut self, ctx: &Ctx<'_>, sessions: &mut [ListedSession]) {
        if self.source.is_none() {
            return;
        }
        self.read(ctx, sessions.iter().filter_map(|one| one.session.user_id.as_deref()));
        for one in sessions {
            let id = one.session.user_id.as_deref();
            one.username = id.and_then(|id| self.of_user(id));
        }
    }

    /// Reads the names of these users, unless they are known.
    pub(crate) fn read<'i>(&mut self, ctx: &Ctx<'_>, ids: impl Iterator<Item = &'i str>) {
        let Some(Source { site, reader }) = &mut self.source else { return };
        if self.known.len() > MOST_KNOWN {
            self.known.clear();
        }
        let fit = |id| site.kind.fit(id).map(Cow::into_owned);
        let new: BTreeSet<String> =
            ids.filter_map(fit).filter(|id| !self.known.contains_key(id)).collect();
        let new: Vec<String> = new.into_iter().collect();
        match read(site, &mut **reader, &new) {
            Ok(names) => self.known.extend(names),
            Err(error) => {
                note_unknown(ctx, &error.into());
                self.source = None;
            }
        }
    }

    /// Reads all who may enter Django's admin, with their ids as sessions spell them. Returns whether the table of users tells.
    pub(crate) fn staff(&mut self, ctx: &Ctx<'_>, each: &mut dyn FnMut(User)) -> bool {
        let Some(Source { site, reader }) = &mut self.source else { return false };
        let Some(is_staff) = site.users.is_staff.clone() else { return false };
        let kind = site.kind;
        let read =
            reader.users(&site.users, UserQuery::Whether(&[(&is_staff, true)]), &mut |user| {
                let id = kind.fit(&user.id).map_or_else(|| user.id.clone(), Cow::into_owned);
                each(User { id, ..user });
            });
        read.map_err(|error| note_unknown(ctx, &error.into())).is_ok()
    }

    /// The name of a user, once it was read.
    pub(crate) fn of_user(&self, id: &str) -> Option<String> {
        let id = self.source.as_ref()?.site.kind.fit(id)?;
        self.known.get(&*id).cloned().flatten()
    }
}

fn read(
    site: &SiteUsers,
    reader: &mut dyn Reader,
    ids: &[String],
) -> Result<Vec<(String, Option<String>)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut there = site.existing(reader, ids.iter().cloned())?;
    let name = |id: &String| (id.clone(), there.remove(id).and_then(|user| user.name));
    Ok(ids.iter().map(name).collect())
}

fn note_unknown(ctx: &Ctx<'_>, error: &Error) {
    ctx.talk.detail(&format!("the names of users are not known: {error}"));
}

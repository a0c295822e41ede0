//! What is known of each user whom the operator named: whether the user exists, and how many sessions were
//! found.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use django_session::{Login, UserIds};

use super::distinct::hash;
use super::site_users::{AT_ONCE, SiteUsers};
use super::user_selectors::Meant;
use crate::context::Ctx;
use crate::error::Error;
use crate::report::{ListedSession, NamedUser};
use crate::store::{Reader, Store, StoreError, UserType};

/// How many sessions each named user has.
#[derive(Default)]
pub(crate) struct SessionsOf(HashMap<String, Found>);

struct Found {
    /// The user id as a session spells it.
    spelled: String,
    sessions: u64,
    /// The hash of the authentication backend that made the first login.
    backend: Option<u64>,
    /// Whether another backend made another login.
    has_several_backends: bool,
}

impl SessionsOf {
    /// Counts a session that names this user, and whether it is asked for.
    pub(crate) fn count(&mut self, user_id: &str, login: &Login<'_>, asked_for: bool) {
        let backend = login.backend.as_ref().filter(|_| login.user_id == user_id);
        self.add(Found {
            spelled: user_id.to_owned(),
            sessions: u64::from(asked_for),
            backend: backend.map(|backend| hash(backend)),
            has_several_backends: false,
        });
    }

    /// Counts sessions of a user as asked for that were counted before as others.
    pub(crate) fn add_asked(&mut self, user_id: &str, sessions: u64) {
        if let Some(found) = self.0.get_mut(&*UserIds::compared(user_id)) {
            found.sessions += sessions;
        }
    }

    /// Users with logins of more than one authentication backend.
    pub(crate) fn with_several_backends(&self) -> Vec<&str> {
        let several = self.0.values().filter(|found| found.has_several_backends);
        several.map(|found| &*found.spelled).collect()
    }

    /// Adds the counts of another page.
    pub(crate) fn append(&mut self, others: Self) {
        others.0.into_values().for_each(|found| self.add(found));
    }

    /// Whether a session names this user.
    pub(crate) fn has(&self, user_id: &str) -> bool {
        self.0.contains_key(&*UserIds::compared(user_id))
    }

    fn add(&mut self, new: Found) {
        let key = UserIds::compared(&new.spelled);
        if let Some(found) = self.0.get_mut(&*key) {
            found.sessions += new.sessions;
            let differs = found.backend.zip(new.backend).is_some_and(|(one, other)| one != other);
            found.has_several_backends |= differs || new.has_several_backends;
            found.backend = found.backend.or(new.backend);
            return;
        }
        self.0.insert(key.into_owned(), new);
    }
}

/// All users whom the operator named.
#[derive(Default)]
pub(crate) struct NamedUsers {
    all: Vec<NamedUser>,
    /// The table of users that says whether they exist.
    pub(crate) table: Option<String>,
}

impl NamedUsers {
    /// The users who were given by id or found by a selector, each once.
    pub(crate) fn of(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        given: &[String],
        user_table: Option<&str>,
        meant: &Meant,
    ) -> Result<Self, Error> {
        let (mut all, table) = known(ctx, store, given, user_table)?;
        all.extend(meant.users.iter().map(|user| {
            let given = meant.by_name;
            NamedUser { given, ..named(user.id.clone(), user.name.clone(), Some(true)) }
        }));
        all.extend(meant.deleted.iter().map(|id| named(id.clone(), None, Some(false))));
        let are_new: Vec<bool> = {
            let mut once = HashSet::with_capacity(all.len());
            all.iter().map(|user| once.insert(UserIds::compared(&user.id))).collect()
        };
        let mut are_new = are_new.into_iter();
        all.retain(|_| are_new.next().unwrap_or_default());
        Ok(Self { all, table })
    }

    /// Gives these sessions their users' names, where the user is one of these.
    pub(crate) fn name(&self, sessions: &mut [ListedSession]) {
        for one in sessions {
            let id = one.session.user_id.as_deref().map(UserIds::compared);
            let user = self.all.iter().find(|user| Some(UserIds::compared(&user.id)) == id);
            one.username = user.and_then(|user| user.username.clone());
        }
    }

    /// Adds the number of sessions of each user.
    pub(crate) fn with(mut self, sessions: &SessionsOf) -> Vec<NamedUser> {
        for user in &mut self.all {
            let Some(found) = sessions.0.get(&*UserIds::compared(&user.id)) else { continue };
            user.id.clone_from(&found.spelled);
            user.sessions = found.sessions;
            user.seen = true;
        }
        self.all
    }
}

fn named(id: String, username: Option<String>, exists: Option<bool>) -> NamedUser {
    NamedUser { id, username, exists, sessions: 0, given: false, seen: false }
}

/// Which of these ids the table of users has, and the name of that table. The table is not queried if it was
/// guessed and cannot hold all the ids, since it may be another site's. If it may hide rows, an id that it
/// does not have is unknown, not missing.
fn known(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    ids: &[String],
    user_table: Option<&str>,
) -> Result<(Vec<NamedUser>, Option<String>), Error> {
    if ids.is_empty() {
        return Ok((Vec::new(), None));
    }
    let unknown = || {
        let one = |id: &String| NamedUser { given: true, ..named(id.clone(), None, None) };
        Ok((ids.iter().map(one).collect(), None))
    };
    let Some(site) = SiteUsers::find(ctx, store, user_table)? else { return unknown() };
    let is_typed = user_table.is_some() || ctx.project.is_some();
    if !is_typed && ids.iter().any(|id| site.kind.fit(id).is_none()) {
        return unknown();
    }
    let mut reader = store.reader()?;
    let mut all = Vec::with_capacity(ids.len());
    // An error counts as hidden rows: row security may hide a user who exists.
    let may_hide = !matches!(reader.blind_spot(&site.users.table), Ok(None));
    for some in ids.chunks(AT_ONCE) {
        match some_known(&site, &mut *reader, some, may_hide) {
            Ok(users) => all.extend(users),
            // The role may lack the right to read the table of users. The command works without it.
            Err(error) => {
                ctx.talk.detail(&format!("whether the users exist is not known: {error}"));
                return unknown();
            }
        }
    }
    Ok((all, Some(site.users.table.to_string())))
}

fn some_known(
    site: &SiteUsers,
    reader: &mut dyn Reader,
    ids: &[String],
    may_hide: bool,
) -> Result<Vec<NamedUser>, StoreError> {
    let fit = |id: &String| site.kind.fit(id).map(Cow::into_owned);
    let mut there = site.existing(reader, ids.iter().filter_map(fit))?;
    let one = |id: &String| {
        let fits = fit(id);
        let user = fits.as_ref().and_then(|id| there.remove(id));
        let exists = (user.is_some() || !may_hide).then_some(user.is_some());
        let (spelled, name) = match user {
            Some(user) => (user.id, user.name),
            None => {
                (fits.filter(|_| site.kind == UserType::Uuid).unwrap_or_else(|| id.clone()), None)
            }
        };
        NamedUser { given: true, ..named(spelled, name, exists) }
    };
    Ok(ids.iter().map(one).collect())
}

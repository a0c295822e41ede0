//! Users who are named by what the site knows of them, not by their ids.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

use super::Ctx;
use crate::cli::Whose;
use crate::codec::Decoder;
use crate::engine::Ended;
use crate::error::Error;
use crate::model::{Page, Timestamp};
use crate::settings;
use crate::store::{Address, Filter, Reader, Store, StoreError, User, UserType, Users, WhichUsers};

/// Users of whom it is asked at once whether they exist.
const AT_ONCE: usize = 1_000;

/// The users who are meant, each once.
pub(super) fn resolve(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    whose: &Whose,
) -> Result<BTreeSet<User>, Error> {
    let mut found = BTreeSet::new();
    if !whose.is_given() {
        return Ok(found);
    }
    let users = settings::users(ctx.global, ctx.project.as_ref(), whose)?;
    let mut reader = store.reader()?;
    let Some(kind) = reader.user_key(&users)? else {
        return Err(Error::usage(
            format!(
                "there is no table of users \"{}\" with a key \"{}\" of a known type",
                users.table, users.key
            ),
            "name it with --user-table, or let --django find it",
        ));
    };
    let name = |option, column: &Option<String>| {
        column.clone().ok_or_else(|| {
            Error::usage(
                format!("{option}: the site's users have no column for that"),
                "name them by their ids, or by what they have",
            )
        })
    };
    for username in &whose.usernames {
        let column = name("--username", &users.username)?;
        let which = WhichUsers::Having(&column, username);
        named(&mut *reader, &users, which, username, &mut found)?;
    }
    for email in &whose.emails {
        let column = name("--email", &users.email)?;
        let which = WhichUsers::Mail(&column, Address::of(email.trim()));
        named(&mut *reader, &users, which, email, &mut found)?;
    }
    for (given, option, column, value) in [
        (whose.inactive, "--inactive", &users.is_active, false),
        (whose.staff, "--staff", &users.is_staff, true),
        (whose.superusers, "--superusers", &users.is_superuser, true),
    ] {
        if given {
            let column = name(option, column)?;
            let which = WhichUsers::Whether(&column, value);
            reader.users(&users, which, &mut |user| found.extend([user]))?;
        }
    }
    if whose.deleted_users {
        found.extend(deleted(ctx, store, &users, kind)?);
    }
    Ok(found)
}

/// Takes the users of this name. A slip in it must not look like somebody who is logged out.
fn named(
    reader: &mut dyn Reader,
    users: &Users,
    which: WhichUsers<'_>,
    name: &str,
    found: &mut BTreeSet<User>,
) -> Result<(), Error> {
    let mut any = false;
    reader.users(users, which, &mut |user| {
        any = true;
        found.insert(user);
    })?;
    if any {
        return Ok(());
    }
    Err(Error::usage(
        format!("no user in table \"{}\" is \"{name}\": nobody is logged out", users.table),
        "--user-table names the table of users, --django finds it; a user who was deleted has only an id",
    ))
}

/// Users who have live sessions and are not in the table.
///
/// A session is read before its user is looked for, and a user is there before a session can be: so one
/// who comes while this runs is not taken for one who went.
fn deleted(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    users: &Users,
    kind: UserType,
) -> Result<Vec<User>, Error> {
    let mut reader = store.reader()?;
    let mut search =
        Search { reader: &mut *reader, users, kind, there: HashSet::new(), gone: BTreeSet::new() };
    let (mut asked, mut misfits) = (BTreeSet::new(), 0_u64);
    let mut failed = None;
    let codec = &ctx.codec;
    let worker = || {
        let mut decoder = Decoder::new(codec);
        move |page: &Page| -> BTreeSet<String> {
            let user = |data| decoder.decode(data).auth().ok()?.user_id.map(Cow::into_owned);
            page.rows().map(|row| row.data).filter_map(user).collect()
        }
    };
    let filter = Filter { live_at: Some(Timestamp::now()), ..Filter::default() };
    let ended = ctx.scan().run(&mut *store.reader()?, &filter, worker, |ids| {
        for id in ids {
            match kind.fit(&id) {
                Some(id) if search.knows(&id) => {}
                Some(id) => asked.extend([id.into_owned()]),
                None => misfits += 1,
            }
        }
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
    if misfits > 0 {
        ctx.talk.warning(&format!(
            "--deleted-users: {misfits} times a session names a user whom the key \"{}\" could not hold; these are left",
            users.key
        ));
    }
    Ok(std::mem::take(&mut search.gone).into_iter().map(|id| User { id, name: None }).collect())
}

/// Tells users who are there from those who are gone.
struct Search<'s> {
    reader: &'s mut dyn Reader,
    users: &'s Users,
    kind: UserType,
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
            let there = &mut self.there;
            let kind = self.kind;
            self.reader.users(self.users, WhichUsers::Keys(kind, ids), &mut |user| {
                there.insert(hash(&kind.fit(&user.id).unwrap_or_default()));
            })?;
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

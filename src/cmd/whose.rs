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

/// Refuses names that nobody has, in whatever schema. A slip in one must not look like somebody who is logged out.
pub(super) fn demand(ctx: &mut Ctx<'_>, whose: &Whose) -> Result<(), Error> {
    let names = whose.usernames.iter().chain(&whose.emails);
    let mut unknown: BTreeSet<&String> = names.collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let one = ctx.schema.clone();
    let schemas = match ctx.schemas()? {
        Some(schemas) => schemas.into_iter().map(Some).collect(),
        None => vec![one.clone()],
    };
    let mut tables = BTreeSet::new();
    for schema in schemas {
        ctx.schema = schema;
        let store = ctx.open()?;
        let site = Site::of(ctx, &*store, whose)?;
        tables.insert(site.users.table.to_string());
        let mut reader = store.reader()?;
        for (name, which) in site.named(whose)? {
            let mut there = false;
            reader.users(&site.users, which, &mut |_| there = true)?;
            if there {
                unknown.remove(name);
            }
        }
    }
    ctx.schema = one;
    let Some(name) = unknown.first() else { return Ok(()) };
    let tables: Vec<String> = tables.into_iter().collect();
    Err(Error::usage(
        format!(
            "no user in table \"{}\" is \"{name}\": nobody is logged out",
            tables.join("\", \"")
        ),
        "--user-table names the table of users, --django finds it; a user who was deleted has only an id",
    ))
}

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
    let site = Site::of(ctx, store, whose)?;
    let mut reader = store.reader()?;
    let named = site.named(whose)?.into_iter().map(|(_, which)| which);
    for which in named.chain(site.flagged(whose)?) {
        reader.users(&site.users, which, &mut |user| found.extend([user]))?;
    }
    if whose.deleted_users {
        found.extend(deleted(ctx, store, &site.users, site.kind)?);
    }
    Ok(found)
}

/// The users of a site, and what their keys are.
struct Site {
    users: Users,
    kind: UserType,
}

impl Site {
    fn of(ctx: &Ctx<'_>, store: &dyn Store, whose: &Whose) -> Result<Self, Error> {
        let mut users = settings::users(ctx.project.as_ref(), &ctx.table()?)?;
        if let Some(table) = &whose.user_table {
            users.table = table.parse()?;
        }
        match store.reader()?.user_key(&users)? {
            Some(kind) => Ok(Self { users, kind }),
            None => Err(Error::usage(
                format!(
                    "there is no table of users \"{}\" with a key \"{}\" of a known type",
                    users.table, users.key
                ),
                "name it with --user-table, or let --django find it",
            )),
        }
    }

    /// What to ask for each name.
    fn named<'q>(&'q self, whose: &'q Whose) -> Result<Vec<(&'q String, WhichUsers<'q>)>, Error> {
        let mut named = Vec::new();
        for username in &whose.usernames {
            let column = has("--username", self.users.username.as_deref())?;
            named.push((username, WhichUsers::Having(column, username)));
        }
        for email in &whose.emails {
            let column = has("--email", self.users.email.as_deref())?;
            named.push((email, WhichUsers::Mail(column, Address::of(email))));
        }
        Ok(named)
    }

    fn flagged(&self, whose: &Whose) -> Result<Vec<WhichUsers<'_>>, Error> {
        let users = &self.users;
        [
            (whose.inactive, "--inactive", &users.is_active, false),
            (whose.staff, "--staff", &users.is_staff, true),
            (whose.superusers, "--superusers", &users.is_superuser, true),
        ]
        .into_iter()
        .filter(|(given, ..)| *given)
        .map(|(_, option, column, value)| {
            Ok(WhichUsers::Whether(has(option, column.as_deref())?, value))
        })
        .collect()
    }
}

fn has<'q>(option: &str, column: Option<&'q str>) -> Result<&'q str, Error> {
    column.ok_or_else(|| {
        Error::usage(
            format!("{option}: the site's users have no column for that"),
            "name them by their ids, or by what they have",
        )
    })
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
            let user = |row| decoder.decode_row(&row).auth().ok()?.user_id.map(Cow::into_owned);
            page.rows().filter_map(user).collect()
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

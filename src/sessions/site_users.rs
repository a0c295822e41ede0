//! The table of the site's users.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::logins::Logins;
use crate::context::Ctx;
use crate::error::Error;
use crate::report::Doubt;
use crate::settings;
use crate::store::{
    Capability, Reader, Store, StoreError, User, UserKey, UserType, Users, WhichUsers,
};

/// Users of whom it is asked at once whether they exist.
pub(crate) const AT_ONCE: usize = 1_000;

/// The users of a site, and what their keys are.
pub(crate) struct SiteUsers {
    pub(crate) users: Users,
    pub(crate) key: UserKey,
    /// The type of user column that holds the same ids.
    pub(crate) kind: UserType,
}

impl SiteUsers {
    /// The table that was typed, the project's, or Django's own; an error if it is not there or its key is of a type that is
    /// not known, or if nobody named it and the site seems to have another.
    pub(crate) fn of(ctx: &Ctx<'_>, store: &dyn Store, typed: Option<&str>) -> Result<Self, Error> {
        store.demand(Capability::Users)?;
        match Lookup::of(ctx, store, typed)? {
            Lookup::Found(site) => Ok(site),
            Lookup::UnknownKey { table, key, declared } => Err(Error::usage(
                format!(
                    "the key \"{key}\" of table \"{table}\" is of type {declared}: its values cannot be compared with ids in sessions"
                ),
                "name the users by the ids that `sessctl list` shows, with --unfit-ids",
            )),
            Lookup::Other(users, other) => Err(Error::usage(
                format!(
                    "table \"{}\" is not known to be this site's table of users: {}",
                    users.table,
                    other.why()
                ),
                other.hint(),
            )),
            Lookup::NotThere(users) => Err(Error::usage(
                format!(
                    "there is no table of users \"{}\" with a key \"{}\" of a known type",
                    users.table, users.key
                ),
                if ctx.project.is_some() && typed.is_none() {
                    "name the users by their ids"
                } else {
                    "name it with --user-table, or let --django find it"
                },
            )),
        }
    }

    /// The same, if there is one and it is the site's as far as is known. A table that was typed must be there.
    pub(crate) fn find(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        typed: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        match (Lookup::of(ctx, store, typed), typed) {
            (Ok(Lookup::Found(site)), _) => Ok(Some(site)),
            (Ok(Lookup::NotThere(_)), Some(_)) => Self::of(ctx, store, typed).map(Some),
            // A project may have its users in another database.
            (Ok(_), _) | (Err(Error::Usage { .. }), None) => Ok(None),
            (Err(error), _) => Err(error),
        }
    }

    /// Why ids in sessions cannot be compared with those of the site's users, where the type of their key is not known.
    pub(crate) fn unknown_key(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        typed: Option<&str>,
    ) -> Result<Option<Doubt>, Error> {
        match Lookup::of(ctx, store, typed) {
            Ok(Lookup::UnknownKey { table, key, declared }) => {
                Ok(Some(Doubt::UnknownKey { table, key, declared }))
            }
            Err(error @ Error::Store(_)) => Err(error),
            _ => Ok(None),
        }
    }

    /// Those of these users who exist, by the ids that were asked for. All ids are spelled as [`UserType::fit`] has them.
    ///
    /// The database may find a user under another id than the user's own, where the collation of a text key takes the two
    /// for equal. Then Django finds the user as well.
    pub(crate) fn existing(
        &self,
        reader: &mut dyn Reader,
        ids: impl IntoIterator<Item = String>,
    ) -> Result<HashMap<String, User>, StoreError> {
        let ids: Vec<String> = ids.into_iter().collect();
        let mut there = HashMap::new();
        for some in ids.chunks(AT_ONCE) {
            let found = self.with_keys(reader, some)?;
            let exact = found.len();
            let asked: HashSet<&String> = some.iter().collect();
            there.extend(found.into_iter().filter(|(id, _)| asked.contains(id)));
            if exact > some.iter().filter(|id| there.contains_key(*id)).count() {
                for id in some {
                    if !there.contains_key(id) {
                        let found = self.with_keys(reader, std::slice::from_ref(id))?;
                        there.extend(found.into_values().next().map(|user| (id.clone(), user)));
                    }
                }
            }
        }
        Ok(there)
    }

    /// The users whom the database finds under these keys, by their own.
    fn with_keys(
        &self,
        reader: &mut dyn Reader,
        keys: &[String],
    ) -> Result<HashMap<String, User>, StoreError> {
        let mut found = HashMap::new();
        reader.users(&self.users, WhichUsers::Keys(&self.key, keys), &mut |user| {
            if let Some(id) = self.kind.fit(&user.id).map(Cow::into_owned) {
                found.insert(id.clone(), User { id, ..user });
            }
        })?;
        Ok(found)
    }

    /// What its keys are, for people.
    pub(crate) fn key_type(&self) -> String {
        let Users { table, key, .. } = &self.users;
        format!("the key \"{key}\" of table \"{table}\" holds {}", plural(self.kind))
    }
}

/// What came of looking for the table of users.
enum Lookup {
    Found(SiteUsers),
    /// The site seems to have another one than this, which nobody named.
    Other(Users, Other),
    /// There is none, or it has no such key.
    NotThere(Users),
    /// It has a key of a type that is not known.
    UnknownKey {
        table: String,
        key: String,
        declared: String,
    },
}

impl Lookup {
    fn of(ctx: &Ctx<'_>, store: &dyn Store, typed: Option<&str>) -> Result<Self, Error> {
        let mut reader = store.reader()?;
        let users = users(ctx, &mut *reader, typed)?;
        let key = reader.user_key(&users)?;
        if let Some(other) = other(ctx, store, &mut *reader, typed, &users, key.as_ref())? {
            return Ok(Self::Other(users, other));
        }
        Ok(match key {
            None => Self::NotThere(users),
            Some(UserKey::Other(declared)) => Self::UnknownKey {
                table: users.table.to_string(),
                key: users.key,
                declared: if declared.is_empty() { "none".into() } else { declared },
            },
            Some(key) => {
                let kind = key.kind().unwrap_or(UserType::Text);
                Self::Found(SiteUsers { users, key, kind })
            }
        })
    }
}

/// The table that was typed, the project's, or Django's own. Where neither says in which schema it is, it is beside the
/// sessions or behind them on the search path.
pub(crate) fn users(
    ctx: &Ctx<'_>,
    reader: &mut dyn Reader,
    typed: Option<&str>,
) -> Result<Users, Error> {
    let sessions = ctx.table()?;
    let mut users = settings::users(ctx.project.as_ref(), &sessions)?;
    let is_in_their_schema = users.table.schema() == sessions.schema();
    if let Some(table) = typed {
        users.table = table.parse()?;
    } else if (ctx.project.is_none() || sessions.schema().is_some() && is_in_their_schema)
        && let Some(schema) = reader.schema_beside(users.table.name())?
    {
        users.table = users.table.in_schema(&schema)?;
    }
    Ok(users)
}

/// What shows that the site has another table of users than one that nobody named.
enum Other {
    /// Foreign keys of the site refer to this one.
    Table(String),
    /// The users who are logged in have UUIDs, and its key holds numbers.
    Uuids,
}

impl Other {
    fn why(&self) -> String {
        match self {
            Self::Table(table) => format!("foreign keys of the site refer to \"{table}\""),
            Self::Uuids => {
                "its key holds numbers, and the ids of the users who are logged in are UUIDs".into()
            }
        }
    }

    fn hint(&self) -> String {
        let example = match self {
            Self::Table(table) => format!(", as in --user-table {table}"),
            Self::Uuids => String::new(),
        };
        format!("name it with --user-table{example}, or let --django find it")
    }
}

/// What shows that the site has another table of users: a project that came to have its own may have left Django's behind.
fn other(
    ctx: &Ctx<'_>,
    store: &dyn Store,
    reader: &mut dyn Reader,
    typed: Option<&str>,
    users: &Users,
    key: Option<&UserKey>,
) -> Result<Option<Other>, StoreError> {
    if typed.is_some() || ctx.project.is_some() {
        return Ok(None);
    }
    if let Some(table) = reader.other_users(&users.table)?.into_iter().next() {
        return Ok(Some(Other::Table(table)));
    }
    let are_others = key == Some(&UserKey::Of(UserType::Bigint)) && Logins::are_uuids(ctx, store)?;
    Ok(are_others.then_some(Other::Uuids))
}

/// Of several hosts each connection may be to another, and a replica that is behind does not know who is inactive
/// since: what is acted on is read at the primary.
pub(crate) fn reader(store: &dyn Store, dry_run: bool) -> Result<Box<dyn Reader + '_>, Error> {
    let mut reader = store.reader()?;
    if !dry_run {
        reader.demand_writes()?;
    }
    Ok(reader)
}

/// Values of a type, for people.
pub(crate) fn plural(kind: UserType) -> &'static str {
    match kind {
        UserType::Text => "texts",
        UserType::Bigint => "numbers",
        UserType::Uuid => "UUIDs",
    }
}

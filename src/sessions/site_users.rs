//! Finds the table of the site's users and the type of its primary key, and asks which users exist.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::logins::Logins;
use super::users_choice::{Choice, is_of_django, why};
use crate::context::Ctx;
use crate::error::Error;
use crate::report::Doubt;
use crate::settings;
use crate::store::{
    Capability, Evidence, Reader, Store, StoreError, Table, User, UserKey, UserQuery, UserType,
    Users,
};

/// Most users in one query for existing users.
pub(crate) const AT_ONCE: usize = 1_000;

/// The table of a site's users, and the type of its key.
pub(crate) struct SiteUsers {
    pub(crate) users: Users,
    pub(crate) key: UserKey,
    /// The type of user column that holds the same ids.
    pub(crate) kind: UserType,
    /// What shows that the table is the site's, if nobody named it.
    evidence: Option<Evidence>,
}

/// What is known of the user ids of a site.
pub(crate) enum Ids {
    /// User ids are the keys of this table.
    Of(SiteUsers),
    /// Why ids in sessions cannot be compared with the keys.
    Doubtful(Doubt),
    /// The table of users is unknown, and its key has this type: the project says so, or the keys of all tables
    /// that may be it have it. Text only if the project says so.
    OfKind(UserType),
    Unknown,
}

impl SiteUsers {
    /// The table of users: the one that was typed, that of the project, or the one that the site's foreign
    /// keys refer to. An error if it is missing, if the type of its key is unknown, or if nobody named it and
    /// several tables qualify.
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
            Lookup::NotOfLogins(users) => Err(Error::usage(
                format!(
                    "table \"{}\" is not known to be this site's table of users: its key holds numbers, and the ids of the users \
                     who are logged in are UUIDs",
                    users.table
                ),
                "name it with --user-table, or let --django find it",
            )),
            Lookup::Several(tables) => Err(several(&tables)),
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

    /// The same; `None` if none qualifies. A table that was typed must exist.
    pub(crate) fn find(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        typed: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        Ok(match Self::ids(ctx, store, typed)? {
            Ids::Of(site) => Some(site),
            Ids::Doubtful(_) | Ids::OfKind(_) | Ids::Unknown => None,
        })
    }

    /// The table to look for the names of users in; `None` if none qualifies. Whether its key can hold the ids in sessions is
    /// to be seen with each of them. A table that was typed must exist.
    pub(crate) fn with_names(
        ctx: &Ctx<'_>,
        store: &dyn Store,
        typed: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        Ok(match Lookup::by_catalog(ctx, store, typed)? {
            Lookup::Found(site) if site.users.username.is_some() => Some(site),
            Lookup::NotThere(_) if typed.is_some() => Some(Self::of(ctx, store, typed)?),
            _ => None,
        })
    }

    /// What is known of the site's user ids. A table that was typed must exist.
    pub(crate) fn ids(ctx: &Ctx<'_>, store: &dyn Store, typed: Option<&str>) -> Result<Ids, Error> {
        Ok(match (Lookup::of(ctx, store, typed), typed) {
            (Ok(Lookup::Found(site)), _) => Ids::Of(site),
            (Ok(Lookup::UnknownKey { table, key, declared }), _) => {
                Ids::Doubtful(Doubt::UnknownKey { table, key, declared })
            }
            (Ok(Lookup::Several(tables)), _) => of_all(&mut *store.reader()?, &tables)?,
            (Ok(Lookup::NotThere(_)), Some(_)) => Self::of(ctx, store, typed).map(Ids::Of)?,
            // A project may keep its users in another database.
            (Ok(Lookup::NotThere(_) | Lookup::NotOfLogins(_)), _)
            | (Err(Error::Usage { .. }), None) => {
                let kind = ctx.project.as_ref().and_then(settings::Project::user_key);
                kind.map_or(Ids::Unknown, Ids::OfKind)
            }
            (Err(error), _) => return Err(error),
        })
    }

    /// Whether the key of this table tells how sessions spell these ids. It does not if nobody named the
    /// table and the key can hold none of them, or if it is text and only the columns identify the table: any
    /// id fits a text.
    pub(crate) fn tells_spelling_of(&self, ids: &[String]) -> bool {
        let Some(evidence) = self.evidence else { return true };
        let is_any_text = self.kind == UserType::Text
            && evidence == Evidence::Shape
            && !is_of_django(&self.users.table);
        let fits = |id: &String| self.kind.fit(id).is_some();
        !is_any_text && (ids.is_empty() || ids.iter().any(fits))
    }

    /// Tells the operator which table this is, if nobody named it and it is not Django's default.
    pub(crate) fn note(&self, ctx: &Ctx<'_>) {
        let table = &self.users.table;
        if let Some(evidence) = self.evidence.filter(|_| !is_of_django(table)) {
            ctx.talk.note(&format!("users are those of table \"{table}\": {}", why(evidence)));
        }
    }

    /// Why ids in sessions cannot be compared with the keys of a table of users that exists and that nobody
    /// named; `None` if they can.
    pub(crate) fn trouble(ctx: &Ctx<'_>, store: &dyn Store) -> Result<Option<Error>, Error> {
        Ok(match Lookup::of(ctx, store, None)? {
            Lookup::Found(_) | Lookup::NotThere(_) => None,
            _ => Self::of(ctx, store, None).err(),
        })
    }

    /// Of these users, those who exist, by the ids that were asked for. All ids are spelled as
    /// [`UserType::fit`] returns them.
    ///
    /// The database may find a user under another spelling of the id, if the collation of a text key takes
    /// the two for equal. Then Django finds the user as well.
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

    /// The users that the database finds for these keys, by their own keys.
    fn with_keys(
        &self,
        reader: &mut dyn Reader,
        keys: &[String],
    ) -> Result<HashMap<String, User>, StoreError> {
        let mut found = HashMap::new();
        reader.users(&self.users, UserQuery::Keys(&self.key, keys), &mut |user| {
            if let Some(id) = self.kind.fit(&user.id).map(Cow::into_owned) {
                found.insert(id.clone(), User { id, ..user });
            }
        })?;
        Ok(found)
    }

    /// The type of its key, for messages.
    pub(crate) fn key_type(&self) -> String {
        let Users { table, key, .. } = &self.users;
        format!("the key \"{key}\" of table \"{table}\" holds {}", plural(self.kind))
    }
}

/// The result of looking for the table of users.
enum Lookup {
    Found(SiteUsers),
    /// Nobody named a table, and several qualify.
    Several(Vec<(Users, Evidence)>),
    /// Nobody named a table, and the only candidate cannot be it: sessions hold UUIDs, and its key holds
    /// numbers.
    NotOfLogins(Users),
    /// The table, or its key column, does not exist.
    NotThere(Users),
    /// Its key has an unknown type.
    UnknownKey {
        table: String,
        key: String,
        declared: String,
    },
}

impl Lookup {
    fn of(ctx: &Ctx<'_>, store: &dyn Store, typed: Option<&str>) -> Result<Self, Error> {
        Ok(match Self::by_catalog(ctx, store, typed)? {
            Self::Found(site)
                if site.evidence.is_some()
                    && site.key == UserKey::Of(UserType::Bigint)
                    && Logins::are_uuids(ctx, store)? =>
            {
                Self::NotOfLogins(site.users)
            }
            found => found,
        })
    }

    /// The same without a look at the sessions, which may take long.
    fn by_catalog(ctx: &Ctx<'_>, store: &dyn Store, typed: Option<&str>) -> Result<Self, Error> {
        let mut reader = store.reader()?;
        let is_named = typed.is_some() || ctx.project.is_some();
        let (users, evidence) = match candidates(ctx, &mut *reader, typed)? {
            Choice::One(users, evidence) => (users, Some(evidence).filter(|_| !is_named)),
            Choice::Several(tables) => return Ok(Self::Several(tables)),
            Choice::Nothing => return Ok(Self::NotThere(of_django(ctx, &mut *reader)?)),
        };
        let key = reader.user_key(&users)?;
        let converted = ctx.project.as_ref().filter(|_| typed.is_none());
        Ok(match (key, converted.and_then(settings::Project::converted_key)) {
            (None, _) => Self::NotThere(users),
            (Some(_), Some(class)) => Self::UnknownKey {
                table: users.table.to_string(),
                key: users.key,
                declared: class.into(),
            },
            (Some(UserKey::Other(declared)), None) => Self::UnknownKey {
                table: users.table.to_string(),
                key: users.key,
                declared: if declared.is_empty() { "none".into() } else { declared },
            },
            (Some(key), None) => {
                let kind = key.kind().unwrap_or(UserType::Text);
                Self::Found(SiteUsers { users, key, kind, evidence })
            }
        })
    }
}

/// The table that was typed, that of the project, or those that the site's foreign keys point at.
fn candidates(
    ctx: &Ctx<'_>,
    reader: &mut dyn Reader,
    typed: Option<&str>,
) -> Result<Choice, Error> {
    let one = |users| Choice::One(users, Evidence::Referred);
    Ok(match typed {
        None if ctx.project.is_none() => Choice::of(reader.users_found()?),
        None => one(of_project(ctx, reader)?),
        Some(typed) => {
            let table: Table = typed.parse()?;
            let described = if ctx.project.is_none() { reader.described(&table)? } else { None };
            let unknown = || Ok::<_, Error>(Users { table, ..default(ctx)? });
            one(described.map_or_else(unknown, Ok)?)
        }
    })
}

/// The project's table of users, or the one that the site's foreign keys point at, or else Django's default.
pub(crate) fn users(ctx: &Ctx<'_>, reader: &mut dyn Reader) -> Result<Users, Error> {
    match candidates(ctx, reader, None)? {
        Choice::One(users, _) => Ok(users),
        Choice::Nothing | Choice::Several(_) => of_django(ctx, reader),
    }
}

/// The project's table, or Django's default in the schema of the session table.
fn default(ctx: &Ctx<'_>) -> Result<Users, Error> {
    settings::users(ctx.project.as_ref(), &ctx.table()?)
}

/// The project's table. If the project names no schema, it is looked for in the schema of the session table,
/// then along the rest of the search path.
fn of_project(ctx: &Ctx<'_>, reader: &mut dyn Reader) -> Result<Users, Error> {
    let (sessions, users) = (ctx.table()?, default(ctx)?);
    if sessions.schema().is_some() && users.table.schema() == sessions.schema() {
        return beside(users, reader);
    }
    Ok(users)
}

fn of_django(ctx: &Ctx<'_>, reader: &mut dyn Reader) -> Result<Users, Error> {
    beside(default(ctx)?, reader)
}

/// This table, found in the schema of the session table or along the rest of the search path.
fn beside(mut users: Users, reader: &mut dyn Reader) -> Result<Users, Error> {
    if let Some(schema) = reader.schema_beside(users.table.name())? {
        users.table = users.table.in_schema(&schema)?;
    }
    Ok(users)
}

/// The common type of the keys of all these tables.
fn of_all(reader: &mut dyn Reader, tables: &[(Users, Evidence)]) -> Result<Ids, StoreError> {
    let mut kinds = Vec::new();
    for (users, _) in tables {
        kinds.push(reader.user_key(users)?.and_then(|key| key.kind()));
    }
    let first = kinds.first().copied().flatten();
    Ok(match first.filter(|kind| kinds.iter().all(|other| *other == Some(*kind))) {
        // Text keys do not suffice: each table may compare texts differently.
        Some(kind) if kind != UserType::Text => Ids::OfKind(kind),
        _ => Ids::Unknown,
    })
}

/// The error that names the candidates, since none can be chosen.
fn several(tables: &[(Users, Evidence)]) -> Error {
    let named: Vec<String> = tables
        .iter()
        .map(|(users, evidence)| format!("\"{}\" ({})", users.table, why(*evidence)))
        .collect();
    let first = tables.iter().find(|(users, _)| !is_of_django(&users.table)).or(tables.first());
    let example = first.map_or_else(String::new, |(users, _)| users.table.to_string());
    Error::usage(
        format!("several tables may be that of this site's users: {}", named.join(", ")),
        format!("name it with --user-table, as in --user-table {example}, or let --django find it"),
    )
}

/// A reader for what decides who is logged out. With several hosts, each connection may reach another one,
/// and a replica that lags may not know that a user became inactive. So it reads from the primary, except in
/// a dry run.
pub(crate) fn reader(store: &dyn Store, dry_run: bool) -> Result<Box<dyn Reader + '_>, Error> {
    let mut reader = store.reader()?;
    if !dry_run {
        reader.demand_writes()?;
    }
    Ok(reader)
}

/// The plural name of values of a type, for messages.
pub(crate) fn plural(kind: UserType) -> &'static str {
    match kind {
        UserType::Text => "texts",
        UserType::Bigint => "numbers",
        UserType::Uuid => "UUIDs",
    }
}

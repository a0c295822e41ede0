//! Turns the answer of a project into settings: tables, keys, cache, time zone and database.

use super::answer::{Keeps, KeyType, Project};
use crate::cache::{BACKENDS, Shape, Source};
use crate::error::Error;
use crate::settings::database::{Backends, Named};
use crate::store::{Surroundings, Table, UserType, Users};

/// The cache in front of a project's table.
pub(in crate::settings) struct SiteCache {
    pub(in crate::settings) servers: Vec<Box<dyn Source>>,
    pub(in crate::settings) shape: Shape,
}

impl Project {
    /// Refuses an engine whose sessions are not in a table.
    pub fn demand_table(&self) -> Result<(), Error> {
        let (place, hint) = match self.keeps {
            Keeps::Table => return Ok(()),
            Keeps::Cache => ("in the cache alone", "clear the cache to end them all"),
            Keeps::File => ("in files", "delete the files in SESSION_FILE_PATH to end them all"),
            Keeps::SignedCookies => (
                "in the browsers' cookies",
                "only another SECRET_KEY, or a change of the user's password, ends them",
            ),
            Keeps::Elsewhere => ("somewhere else", "see the documentation of the engine"),
        };
        Err(Error::usage(
            format!(
                "SESSION_ENGINE is \"{}\", which keeps sessions {place} and not in a table",
                self.engine
            ),
            format!("{hint}; without --django a table is looked at whatever the engine is"),
        ))
    }

    /// Describes the engine and its cache, if the engine reads the cache before the table.
    pub fn cached_engine(&self) -> Option<String> {
        let cache = self.cache.as_ref()?;
        Some(format!("\"{}\" with the cache \"{}\"", self.engine, cache.alias))
    }

    /// The servers of the cache in front of the table, if it is of a kind that is known and its keys can be told.
    pub(in crate::settings) fn cache(&self) -> Result<Option<SiteCache>, Error> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let (Some(around), Some(reach)) = (&cache.around, &cache.reach) else { return Ok(None) };
        let Some(backend) = BACKENDS.iter().find(|backend| backend.name() == reach.kind) else {
            return Ok(None);
        };
        let servers = reach.servers.iter().map(|server| backend.read_django(server));
        let servers: Result<Vec<_>, _> = servers.collect();
        Ok(Some(SiteCache { servers: servers?, shape: Shape::of_project(around.clone()) }))
    }

    /// Where these servers are, for messages.
    pub fn cache_place(&self) -> Option<String> {
        let servers = self.cache().ok()??.servers;
        Some(servers.iter().map(|server| server.place()).collect::<Vec<_>>().join(", "))
    }

    /// The alias of another database that it reads sessions from, such as a replica.
    pub fn read_from(&self) -> Option<&str> {
        self.sessions.as_ref()?.read_from.as_deref()
    }

    /// The engine, if it looks for a session in a way of its own, maybe where no row is; and the method that does.
    pub fn own_load(&self) -> Option<(&str, &str)> {
        let method = self.own.iter().find(|method| !matches!(&***method, "encode" | "decode"))?;
        Some((&self.engine, method))
    }

    /// Whether the engine has an `encode()` of its own, so that rows may be in no layout of Django's.
    pub(in crate::settings) fn has_own_encode(&self) -> bool {
        self.own.iter().any(|method| method == "encode" || method == "decode")
    }

    /// The texts before and after the session key in a cache key, for this option.
    pub fn around_cache_keys(&self, option: &str) -> Result<(String, String), Error> {
        let Some(cache) = &self.cache else {
            return Err(Error::usage(
                format!("{option}: SESSION_ENGINE is \"{}\", which has no cache", self.engine),
                "leave it out: what is deleted from the table is gone",
            ));
        };
        cache.around.clone().ok_or_else(|| {
            let who = if cache.engine_hides {
                format!("the SESSION_ENGINE \"{}\"", self.engine)
            } else {
                format!("the KEY_FUNCTION of cache \"{}\"", cache.alias)
            };
            Error::usage(
                format!("{option}: {who} does not tell"),
                "it makes something else of a session's key than a text around it: clear the whole cache instead",
            )
        })
    }

    /// A warning about the project.
    pub fn warning(&self) -> Option<String> {
        let changeable = self.changeable.as_ref()?;
        Some(format!(
            "others can change what the Django project runs, and with it what sessctl is told: {changeable}"
        ))
    }

    /// Describes the project in one line.
    pub fn summary(&self) -> String {
        let Self { django, engine, serializer, cookie_age, .. } = self;
        let keys = self.secrets.len();
        let cache = match &self.cache {
            Some(cache) => format!(", cache \"{}\"", cache.alias),
            None => String::new(),
        };
        format!(
            "Django {django}: {engine}{cache}, {serializer}, sessions of {cookie_age} s, {keys} keys"
        )
    }

    /// `SECRET_KEY` and its fallbacks.
    pub(in crate::settings) fn secrets(&self) -> Vec<Vec<u8>> {
        let bytes =
            |secret: &String| secret.chars().filter_map(|byte| u8::try_from(byte).ok()).collect();
        self.secrets.iter().map(bytes).collect()
    }

    pub(in crate::settings) fn key_salt(&self) -> &str {
        &self.key_salt
    }

    /// The table of the session model.
    pub(in crate::settings) fn table(&self) -> Result<Option<Table>, Error> {
        let Some(sessions) = &self.sessions else { return Ok(None) };
        if sessions.columns != ["session_key", "session_data", "expire_date"] {
            return Err(Error::usage(
                format!(
                    "the session model has columns of other names: {}",
                    sessions.columns.join(", ")
                ),
                "sessctl knows session_key, session_data and expire_date only",
            ));
        }
        Ok(Some(table(&sessions.table)?))
    }

    /// Whether it has other session tables in the same database.
    pub fn has_other_tables(&self) -> bool {
        self.sessions.as_ref().is_some_and(|sessions| !sessions.others.is_empty())
    }

    /// Whether this is one of its other session tables; `schema` is the one that is looked at, if it is known.
    pub fn is_other_table(&self, other: &Table, schema: Option<&str>) -> bool {
        let is = |own: Table| {
            let beside = [None, schema].contains(&other.schema());
            let same = other.schema() == own.schema() || own.schema().is_none() && beside;
            // SQLite's names are the same in either case.
            same && own.name().eq_ignore_ascii_case(other.name())
        };
        let others = self.sessions.iter().flat_map(|sessions| &sessions.others);
        others.filter_map(|name| table(name).ok()).any(is)
    }

    /// Whether its session model has a field in this column. Names are the same in either case in some databases.
    pub fn has_session_field(&self, column: &str) -> bool {
        let mut fields = self.sessions.iter().flat_map(|sessions| &sessions.fields);
        fields.any(|field| field.eq_ignore_ascii_case(column))
    }

    /// The table of the user model.
    pub fn users(&self) -> Result<Users, Error> {
        let Some(users) = &self.users else {
            return Err(Error::usage(
                "the project has no users: django.contrib.auth is not installed",
                "name them by their ids",
            ));
        };
        if !users.beside_sessions {
            return Err(Error::usage(
                format!(
                    "the project's users (\"{}\") are in another database than its sessions",
                    users.table
                ),
                "name them by their ids",
            ));
        }
        let Some(key) = users.key.clone() else {
            return Err(Error::usage(
                format!(
                    "the project's users (\"{}\") have a primary key of several columns, which is not supported",
                    users.table
                ),
                "name them by their ids, as `sessctl list` shows them",
            ));
        };
        Ok(Users {
            table: table(&users.table)?,
            key,
            username: users.username.clone(),
            email: users.email.clone(),
            is_active: users.is_active.clone(),
            is_staff: users.is_staff.clone(),
            is_superuser: users.is_superuser.clone(),
        })
    }

    /// What the primary key of the user model holds, in whatever database its table is. `None` if the field is not
    /// Django's own, and may write ids into sessions in another form.
    pub fn user_key(&self) -> Option<UserType> {
        Some(match self.users.as_ref()?.key_type? {
            KeyType::Text => UserType::Text,
            KeyType::Number => UserType::Bigint,
            KeyType::Uuid => UserType::Uuid,
        })
    }

    /// The class of the primary key of the user model, if it may write ids into sessions in another form than the table has
    /// them.
    pub fn converted_key(&self) -> Option<&str> {
        self.users.as_ref()?.key_converts.as_deref()
    }

    /// The key in which django-loginas keeps the impersonator, if the project renamed it.
    pub(in crate::settings) fn also_key(&self) -> Option<&str> {
        self.also_key.as_deref()
    }

    /// Its `TIME_ZONE`.
    pub(in crate::settings) fn local_time_zone(&self) -> Option<&str> {
        self.local_time_zone.as_deref()
    }

    /// The time zone of naive times in its database.
    pub(in crate::settings) fn time_zone(&self) -> Option<&str> {
        self.sessions.as_ref()?.time_zone.as_deref()
    }

    /// How many seconds the clock of naive times is ahead of UTC now, by the time zone data of the project.
    pub(in crate::settings) fn ahead(&self) -> Option<i64> {
        self.sessions.as_ref().map(|sessions| sessions.ahead)
    }

    /// The database of the session model.
    pub(in crate::settings) fn database(
        &self,
        backends: Backends,
        surroundings: &Surroundings,
    ) -> Result<Option<Named>, Error> {
        let Some(sessions) = &self.sessions else { return Ok(None) };
        let known = || backends.iter().filter_map(|backend| Some((*backend, backend.django()?)));
        let Some((backend, django)) =
            known().find(|(_, django)| django.vendor() == sessions.vendor)
        else {
            let names: Vec<_> = known().map(|(backend, _)| backend.traits().name).collect();
            return Err(Error::usage(
                format!(
                    "the project's database is of the kind \"{}\", which is not supported",
                    sessions.vendor
                ),
                format!("supported are {}", names.join(" and ")),
            ));
        };
        let variables = sessions.variables.clone();
        let surroundings = Surroundings { variables, ..surroundings.clone() };
        let source = django.read(&sessions.parameters, &surroundings)?;
        Ok(Some(Named { backend, source }))
    }
}

/// A table name, quoted as Django does: as a whole, unless it is quoted already.
fn table(name: &str) -> Result<Table, Error> {
    let quoted = name.len() > 1 && name.starts_with('"') && name.ends_with('"');
    Ok(if quoted { name.parse()? } else { format!("\"{name}\"").parse()? })
}

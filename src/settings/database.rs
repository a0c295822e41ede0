//! Which database: a URL, `key=value` pairs or a path, on the command line or in the environment.

use std::ffi::OsString;
use std::path::Path;

use super::Project;
use super::zone::{note, zone};
use crate::cli;
use crate::error::Error;
use crate::store::{Conninfo, Surroundings, Target, WallClock, percent_decode};

const VARIABLES: [&str; 2] = ["SESSCTL_DATABASE_URL", "DATABASE_URL"];

/// The database that was named.
pub struct Database {
    /// What was named.
    pub target: Target,
    /// What the operator may want to know about how it was named.
    pub notes: Vec<String>,
    /// What the operator should know about how it was named.
    pub warnings: Vec<&'static str>,
}

/// The database that was named on the command line, is the project's, or was named in the environment.
pub fn database(global: &cli::Global, project: Option<&Project>) -> Result<Database, Error> {
    const OPTION: &str = "--db-timezone";
    let clock = match &global.db_timezone {
        None => project
            .and_then(Project::time_zone)
            .and_then(WallClock::in_zone)
            .unwrap_or_else(WallClock::unknown),
        Some(name) => WallClock::of(zone(OPTION, name)?),
    };
    let mut database = named(global, project, clock)?;
    database.notes.extend(global.db_timezone.as_deref().and_then(|name| note(OPTION, name)));
    Ok(database)
}

fn named(
    global: &cli::Global,
    project: Option<&Project>,
    clock: WallClock,
) -> Result<Database, Error> {
    let surroundings = surroundings();
    if let (None, Some(project)) = (&global.database, project)
        && let Some(target) = project.target(&clock, &surroundings)?
    {
        return Ok(Database { target, notes: Vec::new(), warnings: Vec::new() });
    }
    match &global.database {
        // A script whose variable is not set must not end up on another database.
        Some(url) if url.trim().is_empty() => {
            Err(Error::usage("-d was given an empty text", "is the variable behind it set?"))
        }
        Some(url) => {
            let mut database = parse(url, clock, &surroundings)?;
            if matches!(&database.target, Target::Postgres(server) if server.has_password()) {
                database.warnings.push(
                    "every user of this machine can see a password on a command line; \
                     better: DATABASE_URL, PGPASSWORD or ~/.pgpass",
                );
            }
            Ok(database)
        }
        None => {
            let set = VARIABLES.iter().find_map(|name| Some((name, variable(name)?)));
            match set
                .map(|(name, url)| url.into_string().map_err(|_| not_utf8(name)))
                .transpose()?
            {
                Some(url) => parse(&url, clock, &surroundings),
                None if surroundings.name_a_database() => {
                    Ok(Database::server(Conninfo::of_environment(&surroundings)?))
                }
                None => Err(Error::usage(
                    "no database given",
                    "name it with -d URL, or set SESSCTL_DATABASE_URL, DATABASE_URL or libpq's PGHOST, PGDATABASE, PGSERVICE",
                )),
            }
        }
    }
}

fn parse(url: &str, clock: WallClock, surroundings: &Surroundings) -> Result<Database, Error> {
    if Conninfo::is_pairs(url) {
        return Ok(Database::server(Conninfo::of_pairs(url, surroundings)?));
    }
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        // A path is shown in errors, so nothing that may hold a password is taken for one.
        if may_hold_password(url) && !Path::new(url).exists() {
            return Err(Error::usage(
                "the database is neither a URL nor a file that exists",
                "expected postgres://user:password@host:5432/database or the path of an SQLite file",
            ));
        }
        return Ok(Database::file(url.into(), clock));
    };
    if Conninfo::has_scheme(scheme) {
        return Ok(Database::server(Conninfo::of_url(rest.trim_end(), surroundings)?));
    }
    match &*scheme.to_ascii_lowercase() {
        "sqlite" | "sqlite3" | "spatialite" => sqlite(rest.trim_end(), clock),
        scheme => Err(Error::usage(
            format!("databases of the kind \"{scheme}\" are not supported"),
            "supported are postgres:// (also as postgresql, pgsql, postgis, timescale, cockroach) and sqlite:///",
        )),
    }
}

/// `sqlite:///relative` and `sqlite:////absolute`, as dj-database-url and django-environ have it.
fn sqlite(rest: &str, clock: WallClock) -> Result<Database, Error> {
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix('/').unwrap_or_default();
    let path = percent_decode(path).ok_or_else(|| {
        Error::usage(
            "in the sqlite URL stands a \"%\" that does not encode a character",
            "write %25 for a % that is meant as one, or give the path without sqlite:///",
        )
    })?;
    if path.is_empty() || path == ":memory:" {
        return Err(Error::usage(
            "the sqlite URL names no file",
            "three slashes and a relative path, or four for an absolute one: sqlite:////var/lib/site/db.sqlite3",
        ));
    }
    let mut database = Database::file(path, clock);
    let names: Vec<&str> = options
        .split('&')
        .filter_map(|option| option.split('=').next())
        .filter(|name| !name.is_empty())
        .collect();
    if !names.is_empty() {
        let names = names.join(", ");
        database.notes.push(format!("options in the sqlite URL, ignored here: {names}"));
    }
    Ok(database)
}

impl Database {
    fn file(path: String, clock: WallClock) -> Self {
        Self {
            target: Target::Sqlite { path: path.into(), clock },
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn server(conninfo: Conninfo) -> Self {
        let notes = conninfo.notes().to_vec();
        Self { target: Target::Postgres(Box::new(conninfo)), notes, warnings: Vec::new() }
    }
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// What is in it is not shown: it may hold a password.
fn not_utf8(name: &str) -> Error {
    Error::usage(
        format!("the environment variable {name} is not UTF-8"),
        "set it anew, or name the database with -d",
    )
}

fn surroundings() -> Surroundings {
    let mut surroundings = Surroundings {
        user: whoami::username().ok(),
        home: std::env::home_dir(),
        ..Surroundings::default()
    };
    let named =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    for (name, value) in named.filter(|(name, _)| name.starts_with("PG")) {
        match value.into_string() {
            Ok(value) => drop(surroundings.variables.insert(name, value)),
            Err(_) => drop(surroundings.not_utf8.insert(name)),
        }
    }
    surroundings
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// `postgres:/user:password@host` and other URLs with a slip in them.
fn may_hold_password(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(before, _)| before.contains(':')) || text.contains("://")
}

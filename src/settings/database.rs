//! Finds out which database to use: from a text on the command line, or from the environment.

use std::ffi::OsString;

use super::Project;
use super::zone::{note, zone};
use crate::cli;
use crate::error::Error;
use crate::model::Timestamp;
use crate::store::{Backend, Source, Surroundings, Traits, WallClock};

const VARIABLES: [&str; 2] = ["SESSCTL_DATABASE_URL", "DATABASE_URL"];

/// The known databases, in the order in which they are asked whether they recognise a text.
pub type Backends = &'static [&'static dyn Backend];

/// The database that was named.
pub struct Database {
    /// The source that was named.
    pub source: Box<dyn Source>,
    /// The backend of the source.
    pub traits: &'static Traits,
    /// The clock of its times, if it stores them without a time zone.
    pub clock: WallClock,
    /// Notes about how it was named.
    pub notes: Vec<String>,
    /// A warning about how it was named.
    pub warnings: Vec<String>,
}

/// The database from the command line, else the project's, else from the environment; with the replicas at these URLs.
pub fn database(
    global: &cli::Global,
    project: Option<&Project>,
    backends: Backends,
    replicas: &[String],
) -> Result<Database, Error> {
    const OPTION: &str = "--db-timezone";
    let clock = match &global.db_timezone {
        None => project
            .and_then(Project::time_zone)
            .and_then(WallClock::in_zone)
            .unwrap_or_else(WallClock::unknown),
        Some(name) => WallClock::of(zone(OPTION, name)?),
    };
    let Named { backend, mut source } = named(global, project, backends)?;
    for replica in replicas {
        add_replica(&mut *source, backend, replica)?;
    }
    if let (None, Some(project), true) =
        (&global.db_timezone, project, backend.traits().naive_clock)
    {
        demand_same_clock(&clock, project)?;
    }
    let mut notes = source.notes();
    notes.extend(global.db_timezone.as_deref().and_then(|name| note(OPTION, name)));
    let password = global.database.as_ref().and_then(|_| source.password_belongs_in());
    let warning = |better| {
        format!(
            "every user of this machine can see a password on a command line; better: DATABASE_URL, {better}"
        )
    };
    let warnings = password.map(warning).into_iter().collect();
    Ok(Database { source, traits: backend.traits(), clock, notes, warnings })
}

/// Governments change their time zones, and the data of the project's Python may be older or newer than ours. An
/// offset that differs now makes live rows expired ones.
fn demand_same_clock(clock: &WallClock, project: &Project) -> Result<(), Error> {
    let (Some(ours), Some(theirs)) = (clock.ahead(Timestamp::now()), project.ahead()) else {
        return Ok(());
    };
    if ours == theirs {
        return Ok(());
    }
    let (ours, theirs) = (offset(ours), offset(theirs));
    Err(Error::usage(
        format!(
            "the time zone {} is at UTC{theirs} now in the Django project, and at UTC{ours} here: their time zone data differ",
            project.time_zone().unwrap_or_default()
        ),
        format!("--db-timezone {theirs} takes the project's clock; an update of tzdata mends it"),
    ))
}

/// Seconds ahead of UTC, as `+05:30`.
fn offset(ahead: i64) -> String {
    let sign = if ahead < 0 { '-' } else { '+' };
    let minutes = ahead.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Adds a replica that `--replica` names.
fn add_replica(
    source: &mut dyn Source,
    backend: &'static dyn Backend,
    url: &str,
) -> Result<(), Error> {
    const OPTION: &str = "--replica";
    let traits = backend.traits();
    if !traits.names_replicas {
        return Err(Error::usage(
            format!("{OPTION}: {} tells of its replicas itself", traits.name),
            format!("leave {OPTION} out"),
        ));
    }
    match url.split_once("://").filter(|(scheme, _)| has_scheme(backend, scheme)) {
        Some((_, rest)) => Ok(source.add_replica(rest.trim_end(), &surroundings())?),
        None => Err(Error::usage(
            format!("{OPTION} takes a URL of the same kind of database (it is not shown)"),
            format!("expected {}://host", backend.schemes().first().copied().unwrap_or_default()),
        )),
    }
}

/// A source and the backend that read it.
pub(super) struct Named {
    pub(super) backend: &'static dyn Backend,
    pub(super) source: Box<dyn Source>,
}

fn named(
    global: &cli::Global,
    project: Option<&Project>,
    backends: Backends,
) -> Result<Named, Error> {
    let surroundings = surroundings();
    if let (None, Some(project)) = (&global.database, project)
        && let Some(named) = project.database(backends, &surroundings)?
    {
        return Ok(named);
    }
    let url = match &global.database {
        // An empty -d, as from a script whose variable is not set, must not lead to another database.
        Some(url) if url.trim().is_empty() => {
            return Err(Error::usage(
                "-d was given an empty text",
                "is the variable behind it set?",
            ));
        }
        Some(url) => Some(url.clone()),
        None => VARIABLES
            .iter()
            .find_map(|name| Some((name, variable(name)?)))
            .map(|(name, url)| url.into_string().map_err(|_| not_utf8(name)))
            .transpose()?,
    };
    match url {
        Some(url) => read(&url, backends, &surroundings),
        None => named_by_environment(backends, &surroundings),
    }
}

fn named_by_environment(backends: Backends, surroundings: &Surroundings) -> Result<Named, Error> {
    for backend in backends {
        if let Some(source) = backend.read_environment(surroundings)? {
            return Ok(Named { backend: *backend, source });
        }
    }
    let variables = backends.iter().flat_map(|backend| backend.variables());
    let variables: Vec<&str> = VARIABLES.iter().chain(variables).copied().collect();
    Err(Error::usage(
        "no database given",
        format!("name it with -d URL, or set one of {}", variables.join(", ")),
    ))
}

fn read(url: &str, backends: Backends, surroundings: &Surroundings) -> Result<Named, Error> {
    if let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        let backend = by_scheme(scheme, backends)?;
        return Ok(Named { backend, source: backend.read_url(rest.trim_end(), surroundings)? });
    }
    for backend in backends {
        if let Some(source) = backend.read_text(url, surroundings)? {
            return Ok(Named { backend: *backend, source });
        }
    }
    let examples: Vec<_> = backends.iter().map(|backend| backend.example()).collect();
    Err(Error::usage(
        "the database is neither a URL nor a file that exists",
        format!("expected {}", examples.join(" or ")),
    ))
}

/// The backend whose URLs have this scheme. A driver may be named behind a plus sign.
fn by_scheme(scheme: &str, backends: Backends) -> Result<&'static dyn Backend, Error> {
    let found = backends.iter().find(|backend| has_scheme(**backend, scheme));
    found.copied().ok_or_else(|| {
        let known: Vec<_> = backends.iter().map(|backend| schemes(*backend)).collect();
        Error::usage(
            format!("databases of the kind \"{}\" are not supported", scheme.to_ascii_lowercase()),
            format!("supported are {}", known.join(" and ")),
        )
    })
}

fn has_scheme(backend: &dyn Backend, scheme: &str) -> bool {
    let plain = scheme.split_once('+').map_or(scheme, |(plain, _)| plain);
    backend.schemes().iter().any(|known| plain.eq_ignore_ascii_case(known))
}

/// `sqlite:// (also as sqlite3)`
fn schemes(backend: &dyn Backend) -> String {
    match backend.schemes() {
        [] => String::new(),
        [usual] => format!("{usual}://"),
        [usual, others @ ..] => format!("{usual}:// (also as {})", others.join(", ")),
    }
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The error does not show the value, which may be a password.
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
    for (name, value) in named {
        match value.into_string() {
            Ok(value) => drop(surroundings.variables.insert(name, value)),
            Err(_) => drop(surroundings.not_utf8.insert(name)),
        }
    }
    surroundings
}

pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::BACKENDS;

    #[test]
    fn the_scheme_of_a_url_says_which_backend_reads_it() {
        let name = |scheme| by_scheme(scheme, BACKENDS).ok().map(|backend| backend.traits().name);
        for scheme in
            ["postgres", "PostgreSQL", "psql", "timescale", "cockroachdb", "postgresql+psycopg2"]
        {
            assert_eq!(name(scheme), Some("PostgreSQL"), "{scheme}");
        }
        for scheme in ["mysql", "mysql2", "MariaDB", "mysql-connector", "mysqlgis", "mysql+pymysql"]
        {
            assert_eq!(name(scheme), Some("MySQL"), "{scheme}");
        }
        for scheme in ["sqlite", "SQLite3", "spatialite"] {
            assert_eq!(name(scheme), Some("SQLite"), "{scheme}");
        }
        for scheme in ["mssql", "redis", "postgresqlx", "mssql+postgres"] {
            assert_eq!(name(scheme), None, "{scheme}");
        }
    }
}

//! Parses `postgres://user:password@host:5432/database?option=value` as libpq does, and the extensions of
//! dj-database-url and django-environ.

use super::SourceError;
use super::keyword;
use super::parameters::Parameters;
use crate::store::url::{Url, UrlForm};

/// Schemes of URLs of `PostgreSQL`, and of servers with its protocol.
pub(in crate::store::postgres) const SCHEMES: [&str; 10] = [
    "postgres",
    "postgresql",
    "pgsql",
    "psql",
    "postgis",
    "timescale",
    "timescaledb",
    "timescalegis",
    "cockroach",
    "cockroachdb",
];
/// Options for how Django uses its connections. They are ignored.
const OF_DJANGO: [&str; 10] = [
    "conn_max_age",
    "conn_health_checks",
    "disable_server_side_cursors",
    "server_side_binding",
    "atomic_requests",
    "autocommit",
    "isolation_level",
    "pool",
    "time_zone",
    "test_options",
];
const FORM: UrlForm = UrlForm {
    what: "database URL",
    expected: "expected postgres://user:password@host:5432/database",
    password_elsewhere: "as PGPASSWORD, or in ~/.pgpass",
    may_hold_at: &["user", "password", "application_name", "options"],
    free_text: &["password", "application_name"],
    is_option: is_known,
};

/// Reads what follows `postgres://`.
pub(super) fn parse(rest: &str) -> Result<Parameters, SourceError> {
    let mut parameters = Parameters::default();
    let url = FORM.split(rest)?;
    put(&mut parameters, "user", url.user.clone())?;
    put(&mut parameters, "password", url.password.clone())?;
    put_hosts(&mut parameters, &url)?;
    match url.socket_and_database() {
        Some((folder, database)) => {
            put(&mut parameters, "host", UrlForm::decode(folder, "host")?)?;
            put(&mut parameters, "dbname", UrlForm::decode(database, "dbname")?)?;
        }
        None => put(&mut parameters, "dbname", UrlForm::decode(url.path, "dbname")?)?,
    }
    put_options(&mut parameters, url.query)?;
    Ok(parameters)
}

fn put_hosts(parameters: &mut Parameters, url: &Url<'_>) -> Result<(), SourceError> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in url.hosts.split(',') {
        let (name, port) = FORM.host_and_port(host, url)?;
        names.push(name);
        ports.push(port);
    }
    if names.iter().any(|name| !name.is_empty()) {
        parameters.put("host", names.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        parameters.put("port", ports.join(","))?;
    }
    Ok(())
}

fn put_options(parameters: &mut Parameters, query: &str) -> Result<(), SourceError> {
    let mut ignored = Vec::new();
    let mut encrypt = false;
    for (name, value) in FORM.options(query)? {
        let yes = ["true", "1", "yes", "on"].contains(&&*value.to_ascii_lowercase());
        match &*name {
            "currentSchema" | "search_path" => parameters.add_setting("search_path", &value),
            "assume_role" => parameters.add_setting("role", &value),
            "ssl" | "ssl_require" => encrypt |= yes,
            "options" => parameters.add_options(&value),
            name if is_of_django(name) => ignored.push(name.to_owned()),
            name => parameters.put(name, value)?,
        }
    }
    if encrypt && !parameters.has("sslmode") {
        parameters.put("sslmode", "require".into())?;
    }
    if !ignored.is_empty() {
        parameters.notes.push(format!(
            "options of Django's in the database URL, ignored here: {}",
            ignored.join(", ")
        ));
    }
    Ok(())
}

fn is_known(name: &str) -> bool {
    const OURS: [&str; 5] = ["currentSchema", "search_path", "assume_role", "ssl", "ssl_require"];
    OURS.contains(&name) || is_of_django(name) || keyword::find(name).is_some()
}

fn is_of_django(name: &str) -> bool {
    OF_DJANGO.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn put(parameters: &mut Parameters, name: &str, value: String) -> Result<(), SourceError> {
    if value.is_empty() { Ok(()) } else { parameters.put(name, value) }
}

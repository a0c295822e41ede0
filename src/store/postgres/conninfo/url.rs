//! Parses `postgres://user:password@host:5432/database?option=value` as libpq does, and the extensions of
//! dj-database-url and django-environ. It is stricter than these where an unescaped character in a password
//! would turn the rest of the password into a host name.

use super::SourceError;
use super::keyword;
use super::parameters::Parameters;
use crate::store::percent_decode;

/// Schemes of URLs that lead to `PostgreSQL`, or to what speaks like it.
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
/// What Django does with its connections, which are not ours.
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
/// Options whose values hold an `@` in good faith: `user@server` on Azure.
const MAY_HOLD_AT: [&str; 4] = ["user", "password", "application_name", "options"];
/// Those whose values may hold anything.
const FREE_TEXT: [&str; 2] = ["password", "application_name"];
const FORM: &str = "expected postgres://user:password@host:5432/database";

/// Reads what follows `postgres://`.
pub(super) fn parse(rest: &str) -> Result<Parameters, SourceError> {
    let mut parameters = Parameters::default();
    let (authority, tail) = split_at_any(rest, &['/', '?', '#']);
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    check_escapes(authority, tail, path)?;
    check_options(authority, tail, path, query)?;
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    put(&mut parameters, "user", user)?;
    put(&mut parameters, "password", password)?;
    put_hosts(&mut parameters, hosts, tail)?;
    let path = path.strip_prefix('/').unwrap_or_default();
    match path.rsplit_once('/') {
        // As django-environ has it: a folder with a socket, and the database.
        Some((folder, database)) if path.starts_with('/') && hosts.is_empty() => {
            put(&mut parameters, "host", folder)?;
            put(&mut parameters, "dbname", database)?;
        }
        _ => put(&mut parameters, "dbname", path)?,
    }
    put_options(&mut parameters, query)?;
    Ok(parameters)
}

/// Finds what only an unescaped character of a password can have brought about.
fn check_escapes(authority: &str, tail: &str, path: &str) -> Result<(), SourceError> {
    if tail.contains('#') {
        return Err(unescaped('#'));
    }
    if authority.matches('@').count() > 1 || (authority.contains('@') && path.contains('@')) {
        return Err(unescaped('@'));
    }
    if path.contains('@') {
        return Err(unescaped('/'));
    }
    Ok(())
}

/// Finds options that are the rest of a password, with the real host behind it: `u:1?user=x@host/db` is no
/// user `x@host/db` on a host `u`.
fn check_options(authority: &str, tail: &str, path: &str, query: &str) -> Result<(), SourceError> {
    let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let is_rest_of_password = |option: &str| {
        let (name, value) = option.split_once('=').unwrap_or_default();
        let Some((_, place)) = value.rsplit_once('@') else { return false };
        let may_hold_anything = FREE_TEXT.contains(&name) && !path.is_empty();
        let is_second_user = name == "user" && !login.is_empty() && path.is_empty();
        let has_empty_port = hosts.split(',').any(|host| host.ends_with(':'));
        let is_a_place = place.is_empty() || place.contains(['/', ':', '?']);
        is_second_user || has_empty_port || (is_a_place && !may_hold_anything)
    };
    if authority.contains(':') && query.split('&').any(is_rest_of_password) {
        return Err(unescaped(match tail.chars().next() {
            Some(first) if login.is_empty() => first,
            _ => '@',
        }));
    }
    Ok(())
}

fn put_hosts(parameters: &mut Parameters, hosts: &str, tail: &str) -> Result<(), SourceError> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(|| {
                SourceError::new("a \"[\" before an IPv6 address has no \"]\" behind it", FORM)
            })?,
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let port = port.strip_prefix(':').unwrap_or(port);
        if !port.chars().all(|c| c.is_ascii_digit()) {
            return Err(match tail.chars().next().filter(|_| tail.contains('@')) {
                Some(culprit) => unescaped(culprit),
                None if port.contains(':') => SourceError::new(
                    "there is more than one \":\" in the host of the database URL",
                    "an IPv6 address stands in brackets: postgres://user@[::1]:5432/database",
                ),
                None => SourceError::new("the port in the database URL is no number", FORM),
            });
        }
        names.push(decode(name, "host")?);
        ports.push(port);
    }
    let some = |texts: &[&str]| texts.iter().any(|text| !text.is_empty());
    if names.iter().any(|name| !name.is_empty()) {
        parameters.put("host", names.join(","))?;
    }
    if some(&ports) {
        parameters.put("port", ports.join(","))?;
    }
    Ok(())
}

fn put_options(parameters: &mut Parameters, query: &str) -> Result<(), SourceError> {
    let mut ignored = Vec::new();
    let mut encrypt = false;
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let may_be_password = query.contains('@');
        let Some((name, value)) = option.split_once('=') else {
            return Err(if may_be_password {
                unescaped('?')
            } else {
                SourceError::new("an option of the database URL has no \"=\"", FORM)
            });
        };
        let name = decode(name, "name of an option")?;
        if may_be_password && !is_known(&name) {
            return Err(unescaped('?'));
        }
        let value = decode(value, &name)?;
        if value.contains('@') && !MAY_HOLD_AT.contains(&&*name) {
            return Err(unescaped('?'));
        }
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

fn put(parameters: &mut Parameters, name: &str, text: &str) -> Result<(), SourceError> {
    if text.is_empty() { Ok(()) } else { parameters.put(name, decode(text, name)?) }
}

/// A part of a URL without its percent-encoding.
fn decode(text: &str, part: &str) -> Result<String, SourceError> {
    percent_decode(text).ok_or_else(|| {
        SourceError::new(
            format!(
                "in the {part} of the database URL stands a \"%\" that does not encode a character"
            ),
            "write %25 for a % that is meant as one",
        )
    })
}

fn split_at_any<'t>(text: &'t str, chars: &[char]) -> (&'t str, &'t str) {
    text.split_at(text.find(chars).unwrap_or(text.len()))
}

fn unescaped(character: char) -> SourceError {
    let code = u32::from(character);
    SourceError::new(
        format!(
            "there is a \"{character}\" in the database URL where none can be: in the password?"
        ),
        format!(
            "write %{code:X} for a {character} in a password, %25 for a %; or give the password as PGPASSWORD, or in ~/.pgpass"
        ),
    )
}

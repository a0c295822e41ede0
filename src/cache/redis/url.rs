//! Reads URLs as redis-py and valkey-py read them, and with them Django's and django-redis' `LOCATION`, and the options of
//! django-environ's `CACHE_URL` that say what keys look like. The clients ignore a database that is no number; that would
//! be another database than the one that is meant, and is an error here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Endpoint, Params, Tls, Verify};
use crate::cache::Named;
use crate::store::SourceError;
use crate::store::url::UrlForm;

pub(super) const SCHEMES: [&str; 6] =
    ["redis", "rediss", "valkey", "valkeys", "unix", "rediscache"];
const PORT: u16 = 6379;

const FORM: UrlForm = UrlForm {
    what: "cache URL",
    expected: "expected redis://user:password@host:6379/1 or unix:///path/of/socket?db=1",
    password_elsewhere: "in SESSCTL_CACHE_URL, escaped",
    may_hold_at: &["username", "password", "key_prefix"],
    free_text: &["password", "key_prefix"],
    is_option: |name| OPTIONS.contains(&name) || IGNORED.contains(&name),
};

const OPTIONS: [&str; 11] = [
    "db",
    "username",
    "password",
    "key_prefix",
    "version",
    "ssl_cert_reqs",
    "ssl_check_hostname",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "timeout",
];

/// They say how the client of the site works, and not where the server is.
const IGNORED: [&str; 14] = [
    "client_name",
    "decode_responses",
    "encoding",
    "encoding_errors",
    "health_check_interval",
    "max_connections",
    "protocol",
    "retry_on_error",
    "retry_on_timeout",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_timeout",
    "ssl_min_version",
    "binary",
];

/// Reads what follows `scheme://`.
pub(super) fn read(scheme: &str, rest: &str) -> Result<Named, SourceError> {
    let url = FORM.split(rest)?;
    let options = FORM.options(url.query)?;
    for (name, _) in &options {
        if !(FORM.is_option)(name) {
            return Err(SourceError::new(
                format!("the cache URL has an option that is not known: {name}"),
                format!("leave it out; known are {}", OPTIONS.join(", ")),
            ));
        }
    }
    let option = |wanted: &str| {
        let mut named = options.iter().filter(|(name, _)| name == wanted);
        named.next().map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    let (database, endpoint) = if scheme.eq_ignore_ascii_case("unix") {
        let path = UrlForm::decode(url.path, "path")?;
        if path.is_empty() || !url.hosts.is_empty() {
            return Err(SourceError::new("the cache URL names no socket", FORM.expected));
        }
        (None, Endpoint::Unix(PathBuf::from(format!("/{path}"))))
    } else {
        let (host, port) = FORM.host_and_port(url.hosts, &url)?;
        let port = if port.is_empty() { Some(PORT) } else { port.parse().ok() };
        let port = port.ok_or_else(|| {
            SourceError::new("the port in the cache URL is too large", FORM.expected)
        })?;
        let host = if host.is_empty() { "localhost".into() } else { host };
        let path = UrlForm::decode(url.path, "database")?;
        (Some(path).filter(|path| !path.is_empty()), Endpoint::Tcp { host, port })
    };
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let is_encrypted = ["rediss", "valkeys"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
    let params = Params {
        endpoint,
        user: filled(&url.user).or_else(|| option("username")),
        password: filled(&url.password).or_else(|| option("password")),
        database: number(option("db").or(database))?,
        tls: is_encrypted.then(|| tls(&option)).transpose()?,
    };
    Ok(Named {
        source: Box::new(params),
        key_prefix: option("key_prefix"),
        version: option("version"),
    })
}

/// Reads what the client of a project was made of.
pub(super) fn read_django(server: &BTreeMap<String, String>) -> Result<Params, SourceError> {
    let option = |name: &str| server.get(name).cloned().filter(|value| !value.is_empty());
    let port = option("port").map_or(Ok(PORT), |port| {
        port.parse().map_err(|_| SourceError::new("the port of the project's cache is no port", ""))
    });
    let (scheme, host) = (option("scheme"), option("host"));
    let endpoint = match option("path").filter(|_| scheme.as_deref() == Some("unix")) {
        Some(path) => Endpoint::Unix(path.into()),
        None => Endpoint::Tcp { host: host.unwrap_or_else(|| "localhost".into()), port: port? },
    };
    let is_encrypted = scheme.as_deref() == Some("rediss");
    Ok(Params {
        endpoint,
        user: option("username"),
        password: option("password"),
        database: number(option("db"))?,
        tls: is_encrypted.then(|| tls(&option)).transpose()?,
    })
}

fn number(database: Option<String>) -> Result<u32, SourceError> {
    let Some(database) = database else { return Ok(0) };
    database
        .trim_end_matches('/')
        .parse()
        .map_err(|_| SourceError::new("the database in the cache URL is no number", FORM.expected))
}

fn tls(option: &impl Fn(&str) -> Option<String>) -> Result<Tls, SourceError> {
    let is_no = |value: String| ["0", "f", "false", "n", "no"].contains(&&*value.to_lowercase());
    let names_host = !option("ssl_check_hostname").is_some_and(is_no);
    let verify = match option("ssl_cert_reqs").as_deref() {
        Some("none") => Verify::Nothing,
        None | Some("required" | "optional") if names_host => Verify::Host,
        None | Some("required" | "optional") => Verify::Issuer,
        Some(_) => {
            return Err(SourceError::new(
                "ssl_cert_reqs in the cache URL is neither required nor none",
                "leave it out to verify the server",
            ));
        }
    };
    let file = |name| option(name).map(PathBuf::from);
    let client = match (file("ssl_certfile"), file("ssl_keyfile")) {
        // As Python has it: both may be in one file.
        (Some(certificate), key) => Some((certificate.clone(), key.unwrap_or(certificate))),
        (None, _) => None,
    };
    Ok(Tls { verify, ca: file("ssl_ca_certs"), client })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(url: &str) -> Result<Named, SourceError> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        read(scheme, rest)
    }

    #[test]
    fn a_url_means_what_it_means_to_the_site() {
        for (url, place) in [
            ("redis://", "redis://localhost:6379/0"),
            ("redis://cache", "redis://cache:6379/0"),
            ("redis://user:pa%40ss@cache:6380/3", "redis://cache:6380/3"),
            ("redis://cache/3?db=4", "redis://cache:6379/4"),
            ("redis://:word@[::1]:7000/1", "redis://[::1]:7000/1"),
            ("rediss://cache/1?ssl_cert_reqs=none", "rediss://cache:6379/1"),
            ("valkeys://cache/1", "rediss://cache:6379/1"),
            ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
            ("unix://user:word@/run/redis.sock", "unix:///run/redis.sock?db=0"),
        ] {
            let source = named(url).map(|named| named.source.place());
            assert_eq!(source.ok().as_deref(), Some(place), "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for url in [
            "redis://user:se#cret@cache/1",
            "redis://user:se@cret@cache/1",
            "redis://user:secret@cache/one",
            "redis://user:secret@cache:99999/1",
            "redis://user:secret@cache/1?nonsense=1",
            "unix://user:secret@host/run/redis.sock",
            "rediss://user:secret@cache/1?ssl_cert_reqs=perhaps",
        ] {
            let error = named(url).err().map(|error| format!("{error} {error:?} {}", error.hint()));
            let error = error.unwrap_or_else(|| panic!("{url} is taken"));
            assert!(!error.contains("cret"), "{error}");
        }
        let shown = named("redis://user:secret@cache/1?key_prefix=shop&version=3").ok();
        let Some(shown) = shown else { panic!("it is refused") };
        let (prefix, version) = (shown.key_prefix.as_deref(), shown.version.as_deref());
        assert_eq!((prefix, version), (Some("shop"), Some("3")));
        assert!(!format!("{:?}", shown.source).contains("secret"));
    }
}

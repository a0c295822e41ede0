//! Parses `mysql://user:password@host:3306/database?option=value`, and the forms of dj-database-url and
//! django-environ.

use super::parameters::{Origin, Parameters, is_local};
use super::{SourceError, keyword};
use crate::store::url::UrlForm;

/// Schemes of URLs that lead to MySQL or MariaDB.
pub(in crate::store::mysql) const SCHEMES: [&str; 5] =
    ["mysql", "mariadb", "mysql2", "mysql-connector", "mysqlgis"];

const FORM: UrlForm = UrlForm {
    what: "database URL",
    expected: "expected mysql://user:password@host:3306/database",
    password_elsewhere: "as MYSQL_PWD, or under [client] in ~/.my.cnf",
    may_hold_at: &["user", "password", "passwd", "init_command"],
    free_text: &["password", "passwd", "init_command"],
    is_option: |name| keyword::find(name).is_some(),
};
/// Where the servers listen that do not say otherwise.
const PORT: &str = "3306";

/// Reads what follows `mysql://`.
pub(super) fn parse(rest: &str) -> Result<Parameters, SourceError> {
    let url = FORM.split(rest)?;
    let mut parts = vec![("user", url.user.clone()), ("password", url.password.clone())];
    let (host, port) = FORM.host_and_port(url.hosts, &url)?;
    if host.contains(',') {
        return Err(SourceError::new("the database URL names several hosts", FORM.expected));
    }
    parts.push((if host.starts_with('/') { "socket" } else { "host" }, host));
    parts.push(("port", port.to_owned()));
    match url.socket_and_database() {
        Some((socket, database)) => {
            parts.push(("socket", UrlForm::decode(socket, "socket")?));
            parts.push(("database", UrlForm::decode(database, "database")?));
        }
        None => parts.push(("database", UrlForm::decode(url.path, "database")?)),
    }
    let mut parameters = Parameters::default();
    for (name, value) in parts {
        if !value.is_empty() {
            parameters.put(name, value, Origin::Url)?;
        }
    }
    for (name, value) in FORM.options(url.query)? {
        parameters.put(&name, value, Origin::Url)?;
    }
    demand_one_place(&parameters)?;
    Ok(parameters)
}

/// Refuses what means one server to some clients, and another one to others.
fn demand_one_place(parameters: &Parameters) -> Result<(), SourceError> {
    let host = parameters.get("host").unwrap_or_default();
    let has_socket = parameters.get("socket").is_some();
    if has_socket && !host.is_empty() && !is_local(host) {
        return Err(SourceError::new(
            "the database URL names a host and a socket",
            "leave one of them out; the host of a socket is localhost",
        ));
    }
    let has_port = parameters.get("port").is_some_and(|port| port != PORT);
    if is_local(host) && has_port && !has_socket && parameters.get("protocol").is_none() {
        return Err(SourceError::new(
            "the database URL names a port of localhost, and by localhost MySQL's clients mean the socket",
            "write 127.0.0.1 for the port, or leave the port out for the socket",
        ));
    }
    Ok(())
}

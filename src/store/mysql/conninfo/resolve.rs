//! Turns the texts of connection options into typed values, with the clients' defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::parameters::{Parameters, is_local};
use super::{SourceError, Surroundings, tls};
use crate::store::mysql::params::{Endpoint, Params};

const PORT: u16 = 3306;
/// Where servers have their socket that the clients look for, in folders that only root and the server can change.
/// `/tmp/mysql.sock`, the default of some builds, is not one: anybody could put one there, and get the password.
const SOCKETS: [&str; 2] = ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock"];

pub(super) fn params(
    parameters: &mut Parameters,
    surroundings: &Surroundings,
) -> Result<Params, SourceError> {
    demand_plain(parameters)?;
    let tls = tls::resolve(parameters)?;
    let text = |name: &str| parameters.get(name).map(str::to_owned);
    let user = text("user").or_else(|| surroundings.user.clone()).ok_or_else(|| {
        SourceError::new(
            "no user given, and the system has no name for its own",
            "name it in the database URL, or under [client] in ~/.my.cnf",
        )
    })?;
    let database = text("database").ok_or_else(|| {
        SourceError::new(
            "no database of the server is named",
            "expected mysql://user:password@host:3306/database",
        )
    })?;
    let timeout = number(parameters, "connect_timeout")?;
    Ok(Params {
        endpoint: endpoint(parameters)?,
        user,
        password: text("password"),
        database,
        tls,
        connect_timeout: timeout.filter(|seconds| *seconds > 0).map(Duration::from_secs),
    })
}

/// Refuses what is shown, by the server too, and holds what a slip in a URL puts there: a password.
fn demand_plain(parameters: &Parameters) -> Result<(), SourceError> {
    let odd: [(_, &[char]); 3] =
        [("host", &['=', ';', '@', '/']), ("user", &['=']), ("database", &['=', '@'])];
    let is_odd = |(name, odd): &(&str, &[char])| {
        parameters.get(name).is_some_and(|value| value.contains(*odd))
    };
    let Some((name, odd)) = odd.into_iter().find(is_odd) else { return Ok(()) };
    let odd: Vec<_> = odd.iter().map(|odd| format!("\"{odd}\"")).collect();
    Err(SourceError::new(
        format!("{name} holds {} (it is not shown)", odd.join(" or ")),
        "expected mysql://user:password@host:3306/database?option=value&option=value",
    ))
}

/// As the clients have it: `localhost`, and no host at all, are the socket.
fn endpoint(parameters: &Parameters) -> Result<Endpoint, SourceError> {
    let host = parameters.get("host");
    let protocol = parameters.get("protocol").map(str::to_ascii_lowercase);
    let is_network = host.is_some_and(|host| !is_local(host));
    match (protocol.as_deref(), is_network) {
        (None | Some("tcp" | "default"), true) | (Some("tcp"), false) => {
            let port = match number(parameters, "port")? {
                None | Some(0) => PORT,
                Some(port) => u16::try_from(port).map_err(|_| {
                    SourceError::new(
                        "the port is no number from 1 to 65535",
                        "3306 is the usual one",
                    )
                })?,
            };
            Ok(Endpoint::Tcp { host: host.unwrap_or("localhost").to_owned(), port })
        }
        (None | Some("socket" | "default"), false) => {
            Ok(Endpoint::Socket(parameters.get("socket").map_or_else(usual_socket, PathBuf::from)))
        }
        (Some("socket"), true) => Err(SourceError::new(
            "protocol=socket and a host that is not localhost",
            "leave one of them out",
        )),
        (Some(_), _) => Err(SourceError::new(
            "protocol has a value that is not supported",
            "supported are tcp and socket",
        )),
    }
}

/// The first that is there; if none is, the error about the first says where one was looked for.
fn usual_socket() -> PathBuf {
    let there = SOCKETS.iter().find(|socket| Path::new(socket).exists());
    there.or(SOCKETS.first()).map(PathBuf::from).unwrap_or_default()
}

fn number(parameters: &Parameters, name: &str) -> Result<Option<u64>, SourceError> {
    match parameters.get(name).map(str::trim) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| {
            SourceError::new(format!("the value of {name} is no number"), "for example: 10")
        }),
    }
}

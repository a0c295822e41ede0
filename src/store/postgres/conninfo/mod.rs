//! Parses connection strings: a URL or `key=value` pairs, completed from the environment and files as libpq
//! does. The driver's own parser is not used: it lacks some values of sslmode, and the forms of URL that
//! Django projects use.

mod environment;
mod keyword;
mod pairs;
mod parameters;
mod passfile;
mod resolve;
mod service;
#[cfg(test)]
mod tests;
mod tls;
mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use self::environment::VARIABLES;
use self::parameters::Parameters;
pub(super) use self::tls::{ClientKey, Mode, Negotiation, Roots, Tls};
pub(super) use self::url::SCHEMES;

use crate::store::net::Keepalives;
use crate::store::{SourceError, Surroundings};

const NOT_HERE: &str = "docs/connections.md says what is supported";

/// How to reach a server. It may hold a password, and no error or `Debug` shows that.
#[derive(Clone, Debug)]
pub struct Conninfo {
    pub(super) hosts: Vec<Host>,
    pub(super) user: String,
    pub(super) database: String,
    /// Command-line options of the server.
    pub(super) options: Option<String>,
    pub(super) application: String,
    /// How long to wait for each address to answer; `None` for sessctl's default.
    pub(super) timeout: Option<Timeout>,
    pub(super) keepalives: Keepalives,
    pub(super) tls: Tls,
    pub(super) channel_binding: ChannelBinding,
    pub(super) wanted: TargetSessionAttrs,
    has_password: bool,
    notes: Vec<String>,
}

/// One of the servers to try.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) place: Place,
    /// Its address, if the name is not to be resolved.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) password: Option<Secret>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder with a socket in it.
    Socket(PathBuf),
    /// A name, or an address.
    Network(String),
}

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("...")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timeout {
    Never,
    After(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

/// `target_session_attrs`: which of several servers is acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetSessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl Conninfo {
    /// Whether a text is meant as `key=value` pairs.
    pub fn is_pairs(text: &str) -> bool {
        pairs::are_in(text)
    }

    /// Parses a URL without its scheme and `://`; the environment completes it.
    pub fn of_url(rest: &str, surroundings: &Surroundings) -> Result<Self, SourceError> {
        Self::complete(url::parse(rest)?, surroundings)
    }

    /// Parses `key=value` pairs; the environment completes them.
    pub fn of_pairs(text: &str, surroundings: &Surroundings) -> Result<Self, SourceError> {
        Self::complete(pairs::parse(text)?, surroundings)
    }

    /// Takes the parameters that Django passes to its driver; the environment completes them. No notes: the operator did not
    /// write them.
    pub fn of_django(
        options: &BTreeMap<String, String>,
        surroundings: &Surroundings,
    ) -> Result<Self, SourceError> {
        let mut parameters = Parameters::default();
        for (name, value) in options {
            match &**name {
                "assume_role" => parameters.add_setting("role", value),
                "options" => parameters.add_options(value),
                name => parameters.put(name, value.clone())?,
            }
        }
        Ok(Self { notes: Vec::new(), ..Self::complete(parameters, surroundings)? })
    }

    /// Takes the environment alone.
    pub fn of_environment(surroundings: &Surroundings) -> Result<Self, SourceError> {
        Self::complete(Parameters::default(), surroundings)
    }

    /// Asks further sources for what the connection string leaves open, in libpq's order: the service
    /// file, the environment, the password file.
    fn complete(
        mut parameters: Parameters,
        surroundings: &Surroundings,
    ) -> Result<Self, SourceError> {
        let has_password = parameters.get("password").is_some_and(|password| !password.is_empty());
        let environment = environment::parameters(surroundings)?;
        let service = parameters.get("service").or_else(|| environment.get("service"));
        let service = service.filter(|name| !name.is_empty());
        if let Some(service) = service.map(|name| service::load(name, surroundings)).transpose()? {
            parameters.complete(service);
        }
        parameters.complete(environment);
        let file = parameters.get("passfile").filter(|path| !path.is_empty()).map(PathBuf::from);
        let file = file.or_else(|| Some(surroundings.home.as_ref()?.join(".pgpass")));
        let mut conninfo = Self::resolve(parameters, surroundings)?;
        conninfo.has_password = has_password;
        if let Some(file) = file
            && conninfo.hosts.iter().all(|host| host.password.is_none())
        {
            conninfo.read_password(&file);
        }
        Ok(conninfo)
    }

    /// Whether the connection string itself holds a password.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    /// Notes for the operator.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Servers and database, for people.
    pub fn place(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(Host::to_string).collect();
        let database = if self.database.contains('@') { "..." } else { &self.database };
        format!("database \"{database}\" on {}", hosts.join(", "))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, port, address, .. } = self;
        match place {
            Place::Socket(folder) if *port == resolve::PORT => write!(f, "{}", folder.display()),
            Place::Socket(folder) => write!(f, "{}:{port}", folder.display()),
            Place::Network(name) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Place::Network(name) => write!(f, "{name}:{port}"),
        }?;
        match address {
            Some(address) if *place != Place::Network(address.to_string()) => {
                write!(f, " ({address})")
            }
            _ => Ok(()),
        }
    }
}

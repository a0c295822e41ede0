//! Redis and Valkey.

mod channel;
mod connection;
mod failure;
mod glob;
mod resp;
mod server;
mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use self::server::Client;
use super::{Backend, Named, Server, Source};
use crate::store::{SourceError, Waits};

pub(super) struct RedisBackend;

impl Backend for RedisBackend {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn probe(&self) -> &'static str {
        include_str!("django.py")
    }

    fn read_django(
        &self,
        server: &BTreeMap<String, String>,
    ) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(url::read_django(server)?))
    }

    fn schemes(&self) -> &'static [&'static str] {
        &url::SCHEMES
    }

    fn read_url(&self, scheme: &str, rest: &str) -> Result<Named, SourceError> {
        url::read(scheme, rest)
    }
}

/// How to reach a server.
#[derive(Clone)]
struct Params {
    endpoint: Endpoint,
    user: Option<String>,
    password: Option<String>,
    /// The number of the database.
    database: u32,
    tls: Option<Tls>,
}

#[derive(Clone, PartialEq, Eq)]
enum Endpoint {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// How the connection is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tls {
    verify: Verify,
    ca: Option<PathBuf>,
    /// Our own certificate and its key.
    client: Option<(PathBuf, PathBuf)>,
}

/// What is demanded of the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verify {
    Nothing,
    /// That a trusted authority issued it.
    Issuer,
    /// That, and that it is for this host.
    Host,
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        match &self.endpoint {
            Endpoint::Unix(path) => write!(f, "unix://{}?db={}", path.display(), self.database),
            Endpoint::Tcp { host, port } if host.contains(':') => {
                write!(f, "{scheme}://[{host}]:{port}/{}", self.database)
            }
            Endpoint::Tcp { host, port } => write!(f, "{scheme}://{host}:{port}/{}", self.database),
        }
    }
}

/// The password is not shown.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Source for Params {
    fn place(&self) -> String {
        self.to_string()
    }

    fn has_password(&self) -> bool {
        self.password.is_some()
    }

    fn open(&self, waits: Waits) -> Box<dyn Server> {
        Box::new(Client::new(self.clone(), waits))
    }
}

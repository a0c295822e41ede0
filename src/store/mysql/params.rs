//! Where and how to connect: everything resolved, nothing as it was typed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A server, a database and an account.
#[derive(Clone)]
pub struct Params {
    /// Where the server listens.
    pub endpoint: Endpoint,
    /// The name of the account.
    pub user: String,
    /// Its password; `None` if there is none.
    pub password: Option<String>,
    /// The database; empty to connect to none.
    pub database: String,
    /// How the connection is encrypted, if it is.
    pub tls: Tls,
    /// How long to wait for a connection; `None` for the default.
    pub connect_timeout: Option<Duration>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A port of a host.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Socket(PathBuf),
}

/// How a connection over TCP is encrypted. Files are read when connecting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// What is demanded.
    pub mode: SslMode,
    /// The certificates of the authorities that are trusted.
    pub ca: Option<PathBuf>,
    /// The certificate of this client.
    pub cert: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Whether the password may be encrypted for whatever key the server sends, where there is no TLS: whoever is in
    /// between can send one, too.
    pub allow_sent_key: bool,
    /// Whether the server may have the password as it is, over TLS or a socket.
    pub allow_cleartext: bool,
}

/// What is demanded of the encryption, in the words of `--ssl-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS.
    Disabled,
    /// TLS if the server has it.
    #[default]
    Preferred,
    /// TLS, whoever the server is.
    Required,
    /// And a certificate of a trusted authority.
    VerifyCa,
    /// And the name of the host in it.
    VerifyIdentity,
}

impl Params {
    /// The server and the database, for messages: neither user nor password.
    pub fn place(&self) -> String {
        format!("database \"{}\" on {}", self.database, self.endpoint)
    }
}

/// Without user and password.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Params")
            .field("endpoint", &self.endpoint)
            .field("database", &self.database)
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

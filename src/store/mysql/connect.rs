//! Connects to a server, encrypted as `ssl-mode` demands, and prepares the session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::{DriverError, Error, Opts, OptsBuilder, SslOpts};

use super::MySql;
use super::client::Client;
use super::fault::{Failure, fail};
use super::params::{Endpoint, Params, SslMode};
use super::session::{Access, Server};
use super::tls;
use crate::store::waits::Work;
use crate::store::{Fault, StoreError};

/// How long a server may take to let us in, unless the operator says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// As for other servers: one that is gone is noticed, and a firewall does not forget a silent connection.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Most bytes of one row. The data of one has at most 12 MiB, which may be three times as many in UTF-8.
const MOST_PACKET: usize = 64 << 20;
/// How long the server keeps a connection that rests, in seconds. The client does not ask for the server's own figure.
const WAIT_TIMEOUT: usize = 28_800;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 32;

impl MySql {
    /// Connects, and prepares the session.
    pub(super) fn connect(&self, access: Access) -> Result<(Client, Server), StoreError> {
        let mut client = self.log_in()?;
        let server = Server::prepare(&mut client, access)
            .map_err(|failure| fail(failure, self.cannot_connect()))?;
        if server.needs_repeatable_read {
            self.terms.note(
                "the server's binlog_format is STATEMENT, which allows no writes at READ COMMITTED: sessctl writes at \
                 REPEATABLE READ, which may keep the site from inserting rows for as long as a batch takes",
            );
        }
        client.wait_for(Work::Batch);
        Ok((client, server))
    }

    fn cannot_connect(&self) -> String {
        format!("cannot connect to {}", self.params.place())
    }

    fn log_in(&self) -> Result<Client, StoreError> {
        let mut first = self.try_with(self.params.tls.mode)?;
        if let (
            SslMode::Preferred,
            Err(Failure::Driver(Error::Driver(DriverError::NoClientSslFlagFromServer))),
        ) = (self.params.tls.mode, &first)
        {
            // The driver encrypts the password for whatever key is sent, if it is asked for the password itself.
            let may_be_told = self.params.endpoint.is_local() || self.params.tls.allow_sent_key;
            if !may_be_told && self.params.password.is_some() {
                return Err(StoreError::new(Fault::Fatal, self.cannot_connect())
                    .because("the server offers no TLS, without which whoever is in between could have the password")
                    .hint("set up TLS on the server; ssl-mode=DISABLED connects all the same, where the network is trusted"));
            }
            first = self.try_with(SslMode::Disabled)?;
        }
        first.map_err(|failure| fail(failure, self.cannot_connect()))
    }

    /// The inner error is the server's, the outer one that of a file.
    fn try_with(&self, mode: SslMode) -> Result<Result<Client, Failure>, StoreError> {
        let is_socket = matches!(self.params.endpoint, Endpoint::Socket(_));
        let mode = if is_socket { SslMode::Disabled } else { mode };
        let tls = tls::options(&self.params.tls, mode)
            .map_err(|failure| failure.on(Fault::Fatal, self.cannot_connect()))?;
        Ok(self.try_encrypted(tls))
    }

    fn try_encrypted(&self, tls: Option<SslOpts>) -> Result<Client, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::Driver(error.into()))?;
        let watch = self.waits.watch(self.params.connect_timeout.unwrap_or(CONNECT_TIMEOUT));
        Client::connect(runtime, options(&self.params, tls), Arc::clone(&watch))
            .map_err(|failed| failed.0)
    }
}

impl Endpoint {
    /// Whether the server is on this machine, so that nobody is in between.
    fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost"
                    || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

fn options(params: &Params, tls: Option<SslOpts>) -> Opts {
    let is_private = tls.is_some() || matches!(params.endpoint, Endpoint::Socket(_));
    let options = OptsBuilder::default()
        .user(Some(params.user.clone()))
        .pass(params.password.clone())
        .db_name(Some(params.database.clone()).filter(|name| !name.is_empty()))
        // It would ask the server for its socket, and connect to that on this machine.
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .stmt_cache_size(STATEMENTS)
        .max_allowed_packet(Some(MOST_PACKET))
        .wait_timeout(Some(WAIT_TIMEOUT))
        .enable_cleartext_plugin(params.tls.allow_cleartext && is_private)
        .ssl_opts(tls);
    match &params.endpoint {
        Endpoint::Tcp { host, port } => options.ip_or_hostname(host.clone()).tcp_port(*port).into(),
        Endpoint::Socket(path) => options.socket(Some(path.to_string_lossy().into_owned())).into(),
    }
}

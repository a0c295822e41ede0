//! The connection attempts that each `sslmode` makes to one address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio_postgres::config::{self, SslMode, SslNegotiation};
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Config, NoTls};

use super::Reached;
use super::failure::Failure;
use super::meter::{Allowance, Metered};
use super::tls::Connector;
use crate::store::net::{Address, Wait, Wire};
use crate::store::postgres::client::{Cancel, Client};
use crate::store::postgres::conninfo::{
    ChannelBinding, Conninfo, Host, Mode, Negotiation, Place, Timeout,
};
use crate::store::waits::{Waits, Work};

/// For so long an address is tried that does not take the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For so long a server is waited for that has taken the connection: a pooler may let it queue.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// And for so long when all that is left is to ask it to end what it does.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// A try to connect to one address.
pub(super) struct Attempt<'w> {
    pub(super) waits: &'w Waits,
    /// Whether the server asked for the password as it is. The driver has sent it then.
    pub(super) asked_in_clear: Arc<AtomicBool>,
}

impl Conninfo {
    /// Connects to one address.
    pub(super) fn try_host(&self, host: &Host, attempt: &Attempt<'_>) -> Result<Reached, Failure> {
        let is_socket = matches!(host.place, Place::Socket(_));
        match self.tls.mode {
            _ if is_socket => self.plain(host, attempt),
            Mode::Disable => self.plain(host, attempt),
            Mode::Allow => match self.plain(host, attempt) {
                Err(first) if first.is_refusal() => self
                    .encrypted(host, SslMode::Require, &self.connector()?, attempt)
                    .map_err(|second| second.or(first)),
                done => done,
            },
            Mode::Prefer => {
                let connector = self.connector()?;
                match self.encrypted(host, SslMode::Prefer, &connector, attempt) {
                    Err(first) if connector.began() && first.is_refusal() => {
                        self.plain(host, attempt).map_err(|second| second.or(first))
                    }
                    done => done,
                }
            }
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => {
                self.encrypted(host, SslMode::Require, &self.connector()?, attempt)
            }
        }
    }

    fn connector(&self) -> Result<Connector, Failure> {
        Connector::new(&self.tls).map_err(|failure| Failure::Tls(failure.into()))
    }

    fn plain(&self, host: &Host, attempt: &Attempt<'_>) -> Result<Reached, Failure> {
        let client = self.open(host, SslMode::Disable, NoTls, attempt)?;
        Ok(Reached { client, host: host.clone(), tls: None })
    }

    fn encrypted(
        &self,
        host: &Host,
        mode: SslMode,
        connector: &Connector,
        attempt: &Attempt<'_>,
    ) -> Result<Reached, Failure> {
        let name = match &host.place {
            Place::Network(name) => name,
            Place::Socket(_) => "",
        };
        let handshake =
            connector.handshake(name).map_err(|failure| Failure::Tls(failure.into()))?;
        let client = self.open(host, mode, handshake, attempt)?;
        Ok(Reached { client, host: host.clone(), tls: connector.spoken() })
    }

    fn open<T>(
        &self,
        host: &Host,
        mode: SslMode,
        tls: T,
        attempt: &Attempt<'_>,
    ) -> Result<Client, Failure>
    where
        T: TlsConnect<Metered<Wire>, Stream: Send + 'static> + Clone + Send + 'static,
    {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(Failure::System)?;
        let (to_be_taken, to_be_let_in) = match self.timeout {
            None => (CONNECT_TIMEOUT, ANSWER_TIMEOUT),
            Some(Timeout::After(limit)) => (limit, limit),
            Some(Timeout::Never) => (Duration::MAX, Duration::MAX),
        };
        let (config, address) = (self.config(host, mode), self.address(host));
        // What a server says to the wish to encrypt is one letter, and no message.
        let letter = mode != SslMode::Disable && self.tls.negotiation == Negotiation::Postgres;
        let before = usize::from(letter);
        let allowance = Arc::new(Allowance::new(Arc::clone(&attempt.asked_in_clear)));
        let watch = attempt.waits.watch(to_be_let_in);
        let reach = async {
            let dial = address.dial(watch.clock());
            let dialled = Wait::new(attempt.waits.watch(to_be_taken).clock()).wait_for(dial).await;
            let wire = dialled.map_err(Failure::GaveUp)?.map_err(Failure::Unreachable)?;
            let stream = Metered::new(wire, before, Arc::clone(&allowance));
            config.connect_raw(stream, tls.clone()).await.map_err(Failure::Driver)
        };
        let reached = runtime.block_on(Wait::new(watch.clock()).wait_for(reach));
        let (requests, connection) = reached.map_err(Failure::GaveUp)??;
        watch.wait_for(Work::Batch);
        let token = requests.cancel_token();
        let cancel: Cancel = Box::new(move |runtime| {
            let watch = Waits::default().watch(CANCEL_TIMEOUT);
            let ask = async {
                let wire = address.dial(watch.clock()).await.ok()?;
                let stream = Metered::new(wire, before, Arc::new(Allowance::default()));
                token.cancel_query_raw(stream, tls.clone()).await.ok()
            };
            // What comes of it nobody learns, not even from a server that answers.
            let _ = runtime.block_on(Wait::new(watch.clock()).wait_for(ask));
        });
        Ok(Client::new(runtime, requests, connection, cancel, watch, allowance))
    }

    fn address(&self, host: &Host) -> Address {
        match &host.place {
            Place::Socket(folder) => Address::Unix(folder.join(format!(".s.PGSQL.{}", host.port))),
            Place::Network(_) => {
                // A name has led to an address before it is tried.
                let address = host.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
                Address::Tcp((address, host.port).into(), self.keepalives)
            }
        }
    }

    /// What the driver is told of one address.
    fn config(&self, host: &Host, mode: SslMode) -> Config {
        let mut config = Config::new();
        config.ssl_mode(mode).ssl_negotiation(match self.tls.negotiation {
            Negotiation::Postgres => SslNegotiation::Postgres,
            Negotiation::Direct => SslNegotiation::Direct,
        });
        config.user(&self.user).dbname(&self.database);
        config.application_name(&self.application);
        if let Some(password) = &host.password {
            config.password(&password.0);
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        config.channel_binding(match self.channel_binding {
            ChannelBinding::Disable => config::ChannelBinding::Disable,
            ChannelBinding::Prefer => config::ChannelBinding::Prefer,
            ChannelBinding::Require => config::ChannelBinding::Require,
        });
        config
    }
}

impl Failure {
    /// Of two failures the one that says more: that it was refused the other way, too, does not.
    fn or(self, first: Self) -> Self {
        if self.says_nothing_new() { first } else { self }
    }
}

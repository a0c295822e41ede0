//! What each `sslmode` tries, on one address.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tokio_postgres::config::{self, SslMode, SslNegotiation};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, NoTls, Socket};

use super::Reached;
use super::failure::Failure;
use super::tls::Connector;
use crate::store::postgres::client::Client;
use crate::store::postgres::conninfo::{
    ChannelBinding, Conninfo, Host, Mode, Negotiation, Place, Timeout,
};

/// For so long an address is tried that does not take the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For so long a server is waited for that has taken the connection: a pooler may let it queue.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

impl Conninfo {
    /// Connects to one address.
    pub(super) fn try_host(&self, host: &Host) -> Result<Reached, Failure> {
        let is_socket = matches!(host.place, Place::Socket(_));
        match self.tls.mode {
            _ if is_socket => self.plain(host),
            Mode::Disable => self.plain(host),
            Mode::Allow => match self.plain(host) {
                Err(first) if first.is_refusal() => self
                    .encrypted(host, SslMode::Require, &self.connector()?)
                    .map_err(|second| second.or(first)),
                done => done,
            },
            Mode::Prefer => {
                let connector = self.connector()?;
                match self.encrypted(host, SslMode::Prefer, &connector) {
                    Err(first) if connector.began() && first.is_refusal() => {
                        self.plain(host).map_err(|second| second.or(first))
                    }
                    done => done,
                }
            }
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => {
                self.encrypted(host, SslMode::Require, &self.connector()?)
            }
        }
    }

    fn connector(&self) -> Result<Connector, Failure> {
        Connector::new(&self.tls).map_err(|failure| Failure::Tls(failure.into()))
    }

    fn plain(&self, host: &Host) -> Result<Reached, Failure> {
        let mut config = self.config(host);
        config.ssl_mode(SslMode::Disable);
        let client = self.in_time(config, NoTls)?;
        Ok(Reached { client, host: host.clone(), tls: None })
    }

    fn encrypted(
        &self,
        host: &Host,
        mode: SslMode,
        connector: &Connector,
    ) -> Result<Reached, Failure> {
        let mut config = self.config(host);
        config.ssl_mode(mode).ssl_negotiation(match self.tls.negotiation {
            Negotiation::Postgres => SslNegotiation::Postgres,
            Negotiation::Direct => SslNegotiation::Direct,
        });
        let client = self.in_time(config, connector.clone())?;
        Ok(Reached { client, host: host.clone(), tls: connector.spoken() })
    }

    /// The driver's own timeout ends with the TCP handshake. A thread that a server keeps waiting is
    /// left to itself.
    fn in_time<T>(&self, config: Config, tls: T) -> Result<Client, Failure>
    where
        T: MakeTlsConnect<Socket, Stream: Send + 'static> + Send + 'static,
    {
        let connect = move || {
            Client::connect(&config, tls).map_err(Failure::System)?.map_err(Failure::Driver)
        };
        let limit = match self.timeout {
            Some(Timeout::Never) => return connect(),
            Some(Timeout::After(limit)) => limit,
            None => ANSWER_TIMEOUT,
        };
        let (send, receive) = channel();
        thread::spawn(move || {
            // Nobody may be waiting any more.
            let _ = send.send(connect());
        });
        match receive.recv_timeout(limit) {
            Ok(connected) => connected,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(Failure::Silent(limit))
            }
        }
    }

    /// What the driver is told of one address.
    fn config(&self, host: &Host) -> Config {
        let mut config = Config::new();
        match &host.place {
            Place::Socket(folder) => config.host_path(folder),
            Place::Network(name) => config.host(name),
        };
        if let (Place::Network(_), Some(address)) = (&host.place, host.address) {
            config.hostaddr(address);
        }
        config.port(host.port).user(&self.user).dbname(&self.database);
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
        match self.timeout {
            None => config.connect_timeout(CONNECT_TIMEOUT),
            Some(Timeout::After(timeout)) => config.connect_timeout(timeout),
            Some(Timeout::Never) => &mut config,
        };
        let keepalives = self.keepalives;
        config.keepalives(!keepalives.off);
        if let Some(idle) = keepalives.idle {
            config.keepalives_idle(idle);
        }
        if let Some(interval) = keepalives.interval {
            config.keepalives_interval(interval);
        }
        if let Some(count) = keepalives.count {
            config.keepalives_retries(count);
        }
        if let Some(timeout) = keepalives.user_timeout {
            config.tcp_user_timeout(timeout);
        }
        config
    }
}

impl Failure {
    /// Of two failures the one that says more: that it was refused the other way, too, does not.
    fn or(self, first: Self) -> Self {
        if self.says_nothing_new() { first } else { self }
    }
}

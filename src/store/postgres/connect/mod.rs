//! How a connection is made: host by host and address by address, encrypted as `sslmode` has it. The
//! driver knows three modes of TLS and one server at a time; what libpq makes of six, and of several
//! servers, is here.

mod credentials;
mod der;
mod failure;
mod modes;
mod session;
#[cfg(test)]
mod tests;
mod tls;
mod tls_failure;
mod verify;

use std::net::ToSocketAddrs;

use tokio_postgres::NoTls;

use self::failure::{Failure, sum_up};
use self::tls::Connector;
pub(super) use self::tls_failure::TlsFailure;
use super::Postgres;
use super::conninfo::{Host, Place, Wanted};
use crate::store::StoreError;
use crate::store::postgres::client::Client;

/// A connection, and how it was had.
pub(super) struct Reached {
    pub(super) client: Client,
    pub(super) host: Host,
    /// The version of TLS, if it is encrypted.
    pub(super) tls: Option<&'static str>,
}

impl Postgres {
    /// Connects to the first server that will do.
    pub(super) fn connect(&self) -> Result<Client, StoreError> {
        self.reach().map(|reached| reached.client)
    }

    /// The same, and says how.
    pub(super) fn reach(&self) -> Result<Reached, StoreError> {
        let connected = match self.conninfo.wanted {
            Wanted::PreferStandby => {
                self.first(Wanted::Standby).or_else(|_| self.first(Wanted::Any))
            }
            wanted => self.first(wanted),
        };
        connected
            .map_err(|failures| sum_up(failures, format!("cannot connect to {}", self.server())))
    }

    fn first(&self, wanted: Wanted) -> Result<Reached, Vec<(Host, Failure)>> {
        let mut failures = Vec::new();
        for (host, found) in self.conninfo.hosts.iter().flat_map(addresses) {
            let connected = found
                .and_then(|()| self.conninfo.try_host(&host))
                .and_then(|reached| session::check(reached, wanted));
            match connected {
                Ok(reached) => return Ok(reached),
                Err(failure) => {
                    let is_over = !failure.is_for_the_next();
                    failures.push((host, failure));
                    if is_over {
                        break;
                    }
                }
            }
        }
        Err(failures)
    }

    /// Asks the server to end what the connection is doing. What comes of it nobody learns.
    pub(super) fn cancel(&self, client: &Client) {
        let _ = match Connector::new(&self.conninfo.tls) {
            Ok(tls) => client.cancel(tls),
            Err(_) => client.cancel(NoTls),
        };
    }
}

/// The host at each of its addresses.
fn addresses(host: &Host) -> Vec<(Host, Result<(), Failure>)> {
    let name = match &host.place {
        Place::Network(name) if host.address.is_none() => name,
        _ => return vec![(host.clone(), Ok(()))],
    };
    match (&**name, host.port).to_socket_addrs() {
        Ok(found) => found
            .map(|found| (Host { address: Some(found.ip()), ..host.clone() }, Ok(())))
            .collect(),
        Err(error) => vec![(host.clone(), Err(Failure::Name(error)))],
    }
}

//! Connects to a server: host by host and address by address, encrypted as `sslmode` demands. The driver
//! knows three modes of TLS and one server at a time. The six modes of libpq and its lists of servers are
//! implemented here.

mod failure;
mod meter;
mod modes;
mod session;
mod tls;
mod trust;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use self::failure::{Failure, sum_up};
pub(super) use self::meter::{Allowance, Metered, TooMuch};
use self::modes::Attempt;
pub(super) use self::tls::tls_failure_in;
use super::Postgres;
use super::conninfo::{Host, Mode, Place, TargetSessionAttrs};
use crate::store::StoreError;
use crate::store::net::{Unfound, look_up};
use crate::store::postgres::client::Client;
use crate::store::postgres::fault::fail;
use crate::store::waits::Waits;

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
        let mut client = self.reach()?.client;
        self.refuse_views(&mut client)
            .map_err(|error| fail(error, format!("cannot connect to {}", self.server())))?;
        Ok(client)
    }

    /// The same, and says how.
    pub(super) fn reach(&self) -> Result<Reached, StoreError> {
        let connected = match self.conninfo.wanted {
            TargetSessionAttrs::PreferStandby => self
                .first(TargetSessionAttrs::Standby)
                .or_else(|_| self.first(TargetSessionAttrs::Any)),
            wanted => self.first(wanted),
        };
        connected
            .map_err(|failures| sum_up(failures, format!("cannot connect to {}", self.server())))
    }

    fn first(&self, wanted: TargetSessionAttrs) -> Result<Reached, Vec<(Host, Failure)>> {
        let mut failures = Vec::new();
        for (host, found) in
            self.conninfo.hosts.iter().flat_map(|host| addresses(host, &self.waits))
        {
            let attempt = Attempt { waits: &self.waits, asked_in_clear: Arc::default() };
            let connected = found
                .and_then(|()| self.conninfo.try_host(&host, &attempt))
                .and_then(|reached| session::check(reached, wanted));
            if attempt.asked_in_clear.load(Ordering::Relaxed) {
                self.warn_of_cleartext(&host);
            }
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
}

impl Postgres {
    /// Whoever stands in the place of a server that was not verified has the password.
    fn warn_of_cleartext(&self, host: &Host) {
        let is_verified = matches!(self.conninfo.tls.mode, Mode::VerifyCa | Mode::VerifyFull);
        if host.password.is_some() && !is_verified && matches!(host.place, Place::Network(_)) {
            self.terms.warn(&format!(
                "the server at {host} asked for the password as it is, and got it, but was not verified: sslmode=verify-full \
                 makes sure that it is the right one, scram-sha-256 in its pg_hba.conf that it never gets the password"
            ));
        }
    }
}

/// The host at each of its addresses.
fn addresses(host: &Host, waits: &Waits) -> Vec<(Host, Result<(), Failure>)> {
    let name = match &host.place {
        Place::Network(name) if host.address.is_none() => name,
        _ => return vec![(host.clone(), Ok(()))],
    };
    match look_up(name, host.port, waits) {
        Ok(found) => found
            .into_iter()
            .map(|found| (Host { address: Some(found.ip()), ..host.clone() }, Ok(())))
            .collect(),
        Err(Unfound::Name(error)) => vec![(host.clone(), Err(Failure::Name(error)))],
        Err(Unfound::GaveUp(why)) => vec![(host.clone(), Err(Failure::GaveUp(why)))],
    }
}

//! Connects to a server, encrypted if the URL says so, and says who we are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::channel::{Channel, Stream};
use super::failure::Failure;
use super::resp::{Reply, write};
use super::{Endpoint, Params, Tls, Verify};
use crate::store::net::{
    Address, Encryption, Keepalives, TlsFailure, Unfound, Wait, Words, in_file, look_up, system,
    trust,
};
use crate::store::{Waits, Watch, Work};

/// For so long an address is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

static WORDS: Words = Words {
    server: "Redis or Valkey",
    roots: "ssl_ca_certs",
    roots_of_the_system: "leaving ssl_ca_certs out",
    certificate: "ssl_certfile",
    key: "ssl_keyfile",
    only_the_issuer: Some("ssl_check_hostname=false"),
    unverified: "ssl_cert_reqs=none encrypts without verifying",
    by_another_name: "",
    roots_of_the_server: "tls-ca-cert-file",
    versions_of_the_server: "tls-protocols and tls-ciphers",
};
const ROOTS_HINT: &str = "ssl_ca_certs=FILE in the cache URL names the file with the authority of the server's certificate; ssl_cert_reqs=none encrypts without verifying";

/// A connection. Dropping it closes it.
pub(super) struct Connection {
    // Dropped before the runtime that it was made on.
    channel: Channel,
    runtime: Runtime,
    watch: Arc<Watch>,
}

impl Connection {
    pub(super) fn open(params: &Params, waits: &Waits) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let watch = waits.watch(CONNECT_TIMEOUT);
        let encryption = params.tls.as_ref().map(encryption).transpose().map_err(Failure::Tls)?;
        let mut failed = None;
        for address in addresses(params, waits)? {
            watch.moved();
            match runtime.block_on(reach(&address, params, encryption.as_ref(), &watch)) {
                Ok(stream) => {
                    let channel = Channel::new(stream);
                    let mut connection = Self { channel, runtime, watch };
                    connection.watch.wait_for(Work::Batch);
                    connection.log_in(params)?;
                    return Ok(connection);
                }
                Err(failure) => failed = Some(failure),
            }
        }
        Err(failed.unwrap_or(Failure::Name(std::io::ErrorKind::NotFound.into())))
    }

    fn log_in(&mut self, params: &Params) -> Result<(), Failure> {
        let database = params.database.to_string();
        let mut requests: Vec<Vec<&str>> = Vec::new();
        match (&params.user, &params.password) {
            (Some(user), password) => {
                requests.push(vec!["AUTH", user, password.as_deref().unwrap_or_default()]);
            }
            (None, Some(password)) => requests.push(vec!["AUTH", password]),
            (None, None) => {}
        }
        // A node of a cluster knows no SELECT.
        if params.database != 0 {
            requests.push(vec!["SELECT", &database]);
        }
        for request in requests {
            self.ask(&[request])?;
        }
        Ok(())
    }

    /// Sends requests in one go; an error of the server to any of them is an error.
    pub(super) fn ask(&mut self, requests: &[Vec<&str>]) -> Result<Vec<Reply>, Failure> {
        let mut bytes = Vec::new();
        for request in requests {
            write(&mut bytes, request);
        }
        self.watch.moved();
        let replies = self.runtime.block_on(self.channel.ask(&bytes, requests.len()))?;
        let refused = replies.iter().find_map(|reply| match reply {
            // An entry that is no text is not Django's.
            Reply::Text(Err(text)) if !text.starts_with("WRONGTYPE") => Some(text.clone()),
            _ => None,
        });
        refused.map_or(Ok(replies), |text| Err(Failure::Server(text)))
    }
}

fn addresses(params: &Params, waits: &Waits) -> Result<Vec<Address>, Failure> {
    let (host, port) = match &params.endpoint {
        Endpoint::Unix(path) => return Ok(vec![Address::Unix(path.clone())]),
        Endpoint::Tcp { host, port } => (host, *port),
    };
    let found = look_up(host, port, waits).map_err(|unfound| match unfound {
        Unfound::Name(error) => Failure::Name(error),
        Unfound::GaveUp(why) => Failure::GaveUp(why),
    })?;
    let address = |found: SocketAddr| Address::Tcp(found, Keepalives::default());
    Ok(found.into_iter().map(address).collect())
}

async fn reach(
    address: &Address,
    params: &Params,
    encryption: Option<&Encryption>,
    watch: &Arc<Watch>,
) -> Result<Box<dyn Stream>, Failure> {
    let dial = address.dial(watch.clock());
    let wire = Wait::new(watch.clock()).wait_for(dial).await.map_err(Failure::GaveUp)??;
    let (Some(encryption), Endpoint::Tcp { host, .. }) = (encryption, &params.endpoint) else {
        return Ok(Box::new(wire));
    };
    let shake = encryption.with(host).map_err(Failure::Tls)?;
    let (stream, _) = shake.hands(wire).await.map_err(Failure::Tls)?;
    Ok(Box::new(stream))
}

/// What is demanded of the encryption. Reads the files that were named.
fn encryption(tls: &Tls) -> Result<Encryption, TlsFailure> {
    let trusted = match tls.verify {
        Verify::Nothing => None,
        verify => {
            let roots = match &tls.ca {
                Some(file) => in_file(file, ROOTS_HINT)?,
                None => system()?,
            };
            Some(trust(roots, verify == Verify::Host, ROOTS_HINT)?)
        }
    };
    let own = tls.client.as_ref().map(|(certificate, key)| (&**certificate, &**key));
    Encryption::new(trusted, own, (true, true), &WORDS)
}

//! TLS behind the interface that the driver expects.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_postgres::Error;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::meter::Metered;
use super::trust::{WORDS, encryption};
use crate::store::net::{self, Encryption, Shake, TlsFailure, Wire, end_point};
use crate::store::postgres::conninfo::Tls;

/// Makes a stream an encrypted one.
#[derive(Clone)]
pub(super) struct Connector {
    encryption: Encryption,
    began: Arc<AtomicBool>,
    spoken: Arc<OnceLock<&'static str>>,
}

impl Connector {
    /// Reads the files that were named.
    pub(super) fn new(tls: &Tls) -> Result<Self, TlsFailure> {
        Ok(Self { encryption: encryption(tls)?, began: Arc::default(), spoken: Arc::default() })
    }

    /// How a connection to this host is encrypted.
    pub(super) fn handshake(&self, host: &str) -> Result<Handshake, TlsFailure> {
        Ok(Handshake { connector: self.clone(), shake: self.encryption.with(host)? })
    }

    /// Whether a server said yes to TLS.
    pub(super) fn began(&self) -> bool {
        self.began.load(Ordering::Relaxed)
    }

    /// The version of TLS that is spoken, once it is.
    pub(super) fn spoken(&self) -> Option<&'static str> {
        self.spoken.get().copied()
    }
}

/// A handshake that is about to begin.
#[derive(Clone)]
pub(super) struct Handshake {
    connector: Connector,
    shake: Shake,
}

impl TlsConnect<Metered<Wire>> for Handshake {
    type Stream = Encrypted;
    type Error = TlsFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted, TlsFailure>> + Send>>;

    fn connect(self, stream: Metered<Wire>) -> Self::Future {
        self.connector.began.store(true, Ordering::Relaxed);
        let (wire, allowance) = stream.into_parts();
        let spoken = self.connector.spoken;
        Box::pin(async move {
            let (stream, version) = self.shake.hands(wire).await?;
            let _ = spoken.set(version);
            Ok(Metered::new(stream, 0, allowance))
        })
    }
}

/// An encrypted stream. What is metered is what was encrypted.
type Encrypted = Metered<net::Encrypted<Wire>>;

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, connection) = self.get_ref().get_ref();
        connection
            .peer_certificates()
            .and_then(|chain| end_point(chain.first()?))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// What TLS has to do with an error of the driver.
pub(in crate::store::postgres) fn tls_failure_in(error: &Error) -> Option<TlsFailure> {
    let source = error.source()?;
    if let Some(failure) = source.downcast_ref::<TlsFailure>() {
        return Some(failure.clone());
    }
    if let Some(error) = source.downcast_ref::<io::Error>() {
        return TlsFailure::in_io(error, &WORDS);
    }
    // The driver's own words, for which it has no type.
    (source.to_string() == "server does not support TLS").then(|| {
        TlsFailure::new("the server does not offer TLS").hint(
            "turn ssl on in its configuration; if it is on, somebody in between takes the offer away",
        )
    })
}

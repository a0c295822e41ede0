//! TLS with rustls, behind the interface that the driver expects.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, SupportedProtocolVersion};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as RustlsStream;

use super::meter::Metered;
use super::verify::Verifier;
use super::wire::Wire;
use super::{TlsFailure, credentials, der};
use crate::store::postgres::conninfo::{Mode, Negotiation, Tls};

/// Makes a stream an encrypted one.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) config: Arc<ClientConfig>,
    needs_name: bool,
    began: Arc<AtomicBool>,
    spoken: Arc<OnceLock<ProtocolVersion>>,
}

impl Connector {
    /// Reads the files that were named.
    pub(super) fn new(tls: &Tls) -> Result<Self, TlsFailure> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let verifier = Verifier { trust: credentials::trust(tls)?, algorithms };
        let versions: &[&SupportedProtocolVersion] = match tls.versions {
            (true, true) => &[&TLS12, &TLS13],
            (true, false) => &[&TLS12],
            (false, _) => &[&TLS13],
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| TlsFailure::of(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match credentials::client(tls)? {
            None => config.with_no_client_auth(),
            Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(|error| {
                TlsFailure::new(format!("cannot use the client certificate: {error}"))
                    .hint("does the key in sslkey belong to the certificate in sslcert?")
            })?,
        };
        config.enable_sni = tls.sni;
        if tls.negotiation == Negotiation::Direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(Self {
            config: Arc::new(config),
            needs_name: tls.mode == Mode::VerifyFull,
            began: Arc::default(),
            spoken: Arc::default(),
        })
    }

    /// How a connection to this host is encrypted.
    pub(super) fn handshake(&self, host: &str) -> Result<Handshake, TlsFailure> {
        let name = match ServerName::try_from(host) {
            Ok(name) => name.to_owned(),
            Err(_) if self.needs_name => {
                return Err(TlsFailure::new("no certificate can be for such a host name"));
            }
            // It is sent to nobody: servers are told names, not addresses.
            Err(_) => ServerName::from(IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        };
        Ok(Handshake { connector: self.clone(), name })
    }

    /// Whether a server said yes to TLS.
    pub(super) fn began(&self) -> bool {
        self.began.load(Ordering::Relaxed)
    }

    /// The version of TLS that is spoken, once it is.
    pub(super) fn spoken(&self) -> Option<&'static str> {
        self.spoken.get().map(|version| match version {
            ProtocolVersion::TLSv1_2 => "TLS 1.2",
            ProtocolVersion::TLSv1_3 => "TLS 1.3",
            _ => "TLS",
        })
    }
}

/// A handshake that is about to begin.
#[derive(Clone)]
pub(super) struct Handshake {
    connector: Connector,
    name: ServerName<'static>,
}

impl TlsConnect<Metered<Wire>> for Handshake {
    type Stream = Encrypted;
    type Error = TlsFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted, TlsFailure>> + Send>>;

    fn connect(self, stream: Metered<Wire>) -> Self::Future {
        self.connector.began.store(true, Ordering::Relaxed);
        let (wire, allowance) = stream.into_parts();
        let handshake = TlsConnector::from(self.connector.config).connect(self.name, wire);
        let spoken = self.connector.spoken;
        Box::pin(async move {
            let stream = handshake.await.map_err(|error| TlsFailure::of_io(&error))?;
            if let Some(version) = stream.get_ref().1.protocol_version() {
                let _ = spoken.set(version);
            }
            Ok(Metered::new(stream, 0, allowance))
        })
    }
}

/// An encrypted stream. What is metered is what was encrypted.
type Encrypted = Metered<RustlsStream<Wire>>;

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, connection) = self.get_ref().get_ref();
        connection
            .peer_certificates()
            .and_then(|chain| der::end_point(chain.first()?))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

//! Encrypts a connection with rustls, with the certificates and versions that the operator demands.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::credentials;
use super::tls_failure::{TlsFailure, Words};
use super::verify::{Trust, Verifier};

/// An encrypted stream.
pub(crate) type Encrypted<S> = TlsStream<S>;

/// Which versions of TLS are allowed: 1.2, and 1.3. At least one is.
pub(crate) type Versions = (bool, bool);

/// What is demanded of an encrypted connection.
#[derive(Clone)]
pub(crate) struct Encryption {
    pub(crate) config: Arc<ClientConfig>,
    needs_name: bool,
    words: &'static Words,
}

impl Encryption {
    /// Trusts these, or everybody; `client` are the files with our own certificate and key, which are read now.
    pub(crate) fn new(
        trust: Option<Trust>,
        client: Option<(&Path, &Path)>,
        versions: Versions,
        words: &'static Words,
    ) -> Result<Self, TlsFailure> {
        let needs_name = trust.as_ref().is_some_and(|trust| trust.name);
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let versions: &[&SupportedProtocolVersion] = match versions {
            (true, true) => &[&TLS12, &TLS13],
            (true, false) => &[&TLS12],
            (false, _) => &[&TLS13],
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| TlsFailure::of(&error, words))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { trust, algorithms }));
        let config = match client {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, key) = credentials::client(certificate, key, words)?;
                config.with_client_auth_cert(chain, key).map_err(|error| {
                    TlsFailure::new(format!("cannot use the client certificate: {error}")).hint(
                        format!(
                            "does the key in {} belong to the certificate in {}?",
                            words.key, words.certificate
                        ),
                    )
                })?
            }
        };
        Ok(Self { config: Arc::new(config), needs_name, words })
    }

    /// Does not tell the server which of its names was meant.
    pub(crate) fn without_name(mut self) -> Self {
        Arc::make_mut(&mut self.config).enable_sni = false;
        self
    }

    /// Says at once which protocol follows.
    pub(crate) fn for_protocol(mut self, protocol: &[u8]) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![protocol.to_vec()];
        self
    }

    /// How a connection to this host is encrypted.
    pub(crate) fn with(&self, host: &str) -> Result<Shake, TlsFailure> {
        let name = match ServerName::try_from(host) {
            Ok(name) => name.to_owned(),
            Err(_) if self.needs_name => {
                return Err(TlsFailure::new("no certificate can be for such a host name"));
            }
            // It is sent to nobody: servers are told names, not addresses.
            Err(_) => ServerName::from(IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        };
        Ok(Shake { encryption: self.clone(), name })
    }
}

/// A handshake that is about to begin.
#[derive(Clone)]
pub(crate) struct Shake {
    encryption: Encryption,
    name: ServerName<'static>,
}

impl Shake {
    /// Encrypts a stream; says which version of TLS is spoken.
    pub(crate) async fn hands<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
    ) -> Result<(Encrypted<S>, &'static str), TlsFailure> {
        let Encryption { config, words, .. } = self.encryption;
        let shaken = TlsConnector::from(config).connect(self.name, stream).await;
        let stream = shaken.map_err(|error| TlsFailure::of_io(&error, words))?;
        let version = match stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS",
        };
        Ok((stream, version))
    }
}

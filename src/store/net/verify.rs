//! Verifies a server's certificate as far as the mode demands.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::der;

/// Whom to trust, and for what.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) roots: RootCertStore,
    /// The certificates of the roots, any of which may be the server's own.
    pub(crate) pinned: Vec<CertificateDer<'static>>,
    /// Whether the name must be right, too.
    pub(crate) name: bool,
}

/// `None` demands nothing: that the server has the key that belongs to its certificate is checked
/// all the same, or SCRAM could not be bound to it.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) trust: Option<Trust>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trust) = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let parsed = ParsedCertificate::try_from(certificate)?;
        let issued = verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &trust.roots,
            intermediates,
            now,
            self.algorithms.all,
        );
        match issued {
            // What `openssl req -x509` makes is its own authority. That it is in force was looked at
            // before it was found to be one.
            Err(error) if is_authority(&error) && trust.pinned.contains(certificate) => {}
            issued => issued?,
        }
        if trust.name {
            verify_server_name(&parsed, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match key_of_version_1(certificate) {
            Some(key) => self.verify_with(&key, message, signature),
            None => verify_tls12_signature(message, certificate, signature, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match key_of_version_1(certificate) {
            Some(key) => {
                verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
            }
            None => verify_tls13_signature(message, certificate, signature, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Verifier {
    /// What rustls does with a bare key, but for TLS 1.2.
    fn verify_with(
        &self,
        key: &SubjectPublicKeyInfoDer<'_>,
        message: &[u8],
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let bad = |_| Error::from(CertificateError::BadSignature);
        let key = webpki::RawPublicKeyEntity::try_from(key).map_err(bad)?;
        let mut known = self.algorithms.mapping.iter();
        known
            .find(|(scheme, _)| *scheme == signature.scheme)
            .into_iter()
            .flat_map(|(_, algorithms)| *algorithms)
            .find(|algorithm| {
                key.verify_signature(**algorithm, message, signature.signature()).is_ok()
            })
            .map(|_| HandshakeSignatureValid::assertion())
            .ok_or_else(|| CertificateError::BadSignature.into())
    }
}

/// The key of a certificate that webpki does not read.
fn key_of_version_1<'c>(
    certificate: &'c CertificateDer<'_>,
) -> Option<SubjectPublicKeyInfoDer<'c>> {
    let key = der::public_key(certificate)?;
    ParsedCertificate::try_from(certificate).is_err().then(|| key.into())
}

fn is_authority(error: &Error) -> bool {
    matches!(webpki_error(error), Some(webpki::Error::CaUsedAsEndEntity))
}

/// What rustls passes on without a name of its own.
pub(super) fn webpki_error(error: &Error) -> Option<&webpki::Error> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
            other.downcast_ref()
        }
        _ => None,
    }
}

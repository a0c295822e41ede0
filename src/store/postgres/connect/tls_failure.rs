//! Explains why an encrypted connection failed, and what the operator can do.

use std::error::Error;
use std::{fmt, io};

use rustls::{AlertDescription, CertificateError};

use super::verify::webpki_error;
use crate::store::{Fault, StoreError};

const WITHOUT: &str = "sslmode=require encrypts without verifying, as does leaving sslrootcert out";

/// Why there is no encrypted connection.
#[derive(Debug)]
pub(in crate::store::postgres) struct TlsFailure {
    what: String,
    hint: Option<String>,
    /// Whether the network failed, and not TLS.
    is_lost: bool,
}

impl TlsFailure {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, is_lost: false }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(in crate::store::postgres) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The failure of what was to be done over the connection.
    pub(in crate::store::postgres) fn on(mut self, fault: Fault, what: String) -> StoreError {
        let hint = self.hint.take();
        let error = StoreError::new(fault, what).because(self);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The failure of a handshake.
    pub(super) fn of_io(error: &io::Error) -> Self {
        match rustls_error(error) {
            Some(error) => Self::of(error),
            None => {
                Self { is_lost: true, ..Self::new(format!("the TLS handshake broke off: {error}")) }
            }
        }
    }

    pub(super) fn of(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(fault) => of_certificate(error, fault),
            rustls::Error::AlertReceived(alert) => of_alert(*alert),
            rustls::Error::PeerIncompatible(_) => {
                Self::new(format!("the server offers no TLS that sessctl speaks: {error}"))
                    .hint("sessctl speaks TLS 1.2 and 1.3; see ssl_min_protocol_version and ssl_ciphers of the server")
            }
            rustls::Error::InvalidMessage(_) => {
                Self::new("what answers there does not speak TLS").hint("is it PostgreSQL, and its port?")
            }
            error => Self::new(format!("TLS failed: {error}")),
        }
    }

    /// What TLS has to do with an error of the driver.
    pub(in crate::store::postgres) fn in_error(error: &tokio_postgres::Error) -> Option<Self> {
        let source = error.source()?;
        if let Some(failure) = source.downcast_ref::<Self>() {
            let Self { what, hint, is_lost } = failure;
            return Some(Self { what: what.clone(), hint: hint.clone(), is_lost: *is_lost });
        }
        if let Some(error) = source.downcast_ref::<io::Error>() {
            return rustls_error(error).map(Self::of);
        }
        // The driver's own words, for which it has no type.
        (source.to_string() == "server does not support TLS").then(|| {
            Self::new("the server does not offer TLS").hint(
                "turn ssl on in its configuration; if it is on, somebody in between takes the offer away",
            )
        })
    }
}

fn of_certificate(error: &rustls::Error, fault: &CertificateError) -> TlsFailure {
    let new = |what: &str, hint: &str| TlsFailure::new(what).hint(hint);
    match fault {
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => new(
            "the server's certificate is for no host: it has no subjectAltName, and its common name does not count",
            "have it issued with a subjectAltName; sslmode=verify-ca verifies its authority, and not the name",
        ),
        CertificateError::NotValidForNameContext { expected, presented } => new(
            &format!(
                "the server's certificate is not for {}, but for {}",
                expected.to_str(),
                presented.join(", ")
            ),
            "connect by a name that it is for (hostaddr=ADDRESS says where that is); sslmode=verify-ca verifies its authority, and not the name",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => new(
            "the server's certificate, or that of its authority, has expired",
            &format!("renew it; is the clock of this machine right? {WITHOUT}"),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => new(
            "the server's certificate, or that of its authority, is not valid yet",
            "is the clock of this machine right?",
        ),
        CertificateError::UnknownIssuer => new(
            "the server's certificate was issued by an authority that is not trusted",
            "sslrootcert=FILE names the file with the right one, sslrootcert=system takes those that this machine trusts",
        ),
        CertificateError::BadSignature => new(
            "the signature of the server's certificate is not that of its authority",
            "does the file in sslrootcert hold the authority's present key?",
        ),
        _ => match webpki_error(error) {
            Some(webpki::Error::UnsupportedCertVersion) => new(
                "the server's certificate is of X.509 version 1, which cannot be verified",
                &format!(
                    "have it issued anew with a subjectAltName, which makes it version 3; {WITHOUT}"
                ),
            ),
            Some(webpki::Error::CaUsedAsEndEntity) => new(
                "the server's certificate is an authority's (CA:TRUE), and not one of those in sslrootcert",
                &format!(
                    "put that very certificate into the file in sslrootcert, or have it issued anew with CA:FALSE; {WITHOUT}"
                ),
            ),
            _ => new(
                &format!("the server's certificate cannot be verified: {error}"),
                &format!(
                    "have it issued anew, with SHA-256 and RSA of 2048 bits or ECDSA P-256; {WITHOUT}"
                ),
            ),
        },
    }
}

fn of_alert(alert: AlertDescription) -> TlsFailure {
    use AlertDescription as Alert;
    let failure = TlsFailure::new(format!("the server broke TLS off: {alert:?}"));
    match alert {
        Alert::CertificateRequired
        | Alert::UnknownCA
        | Alert::BadCertificate
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::CertificateRevoked
        | Alert::UnsupportedCertificate
        | Alert::DecryptError => failure.hint(
            "it is about the client's certificate: sslcert and sslkey name one that the server's ssl_ca_file has issued",
        ),
        Alert::ProtocolVersion => failure.hint("sessctl speaks TLS 1.2 and 1.3"),
        _ => failure.hint("the server's log says why"),
    }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for TlsFailure {}

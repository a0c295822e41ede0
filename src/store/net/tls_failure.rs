//! Explains why an encrypted connection failed, and what the operator can do.

use std::error::Error;
use std::{fmt, io};

use rustls::{AlertDescription, CertificateError};

use super::verify::webpki_error;
use crate::store::{Fault, StoreError};

/// How a kind of database calls what hints are about.
pub(crate) struct Words {
    pub(crate) server: &'static str,
    /// The option with the file of authorities, and how to take those of this machine.
    pub(crate) roots: &'static str,
    pub(crate) roots_of_the_system: &'static str,
    /// The options with the client's certificate and key.
    pub(crate) certificate: &'static str,
    pub(crate) key: &'static str,
    /// The mode that verifies the authority, and not the name, if there is one.
    pub(crate) only_the_issuer: Option<&'static str>,
    /// How to go on without verifying.
    pub(crate) unverified: &'static str,
    /// How to connect to an address by another name, if that can be said.
    pub(crate) by_another_name: &'static str,
    /// The server's settings: its file of authorities, and which TLS it speaks.
    pub(crate) roots_of_the_server: &'static str,
    pub(crate) versions_of_the_server: &'static str,
}

impl Words {
    /// How to go on where the name is wrong.
    fn without_name(&self) -> String {
        match self.only_the_issuer {
            Some(mode) => format!("{mode} verifies its authority, and not the name"),
            None => self.unverified.to_owned(),
        }
    }
}

/// Why there is no encrypted connection.
#[derive(Clone, Debug)]
pub(crate) struct TlsFailure {
    what: String,
    hint: Option<String>,
    /// Whether the network failed, and not TLS.
    is_lost: bool,
}

impl TlsFailure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, is_lost: false }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The failure of what was to be done over the connection.
    pub(crate) fn on(mut self, fault: Fault, what: String) -> StoreError {
        let hint = self.hint.take();
        let error = StoreError::new(fault, what).because(self);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The failure of a handshake.
    pub(crate) fn of_io(error: &io::Error, words: &Words) -> Self {
        match rustls_error(error) {
            Some(error) => Self::of(error, words),
            None => {
                Self { is_lost: true, ..Self::new(format!("the TLS handshake broke off: {error}")) }
            }
        }
    }

    pub(crate) fn of(error: &rustls::Error, words: &Words) -> Self {
        match error {
            rustls::Error::InvalidCertificate(fault) => of_certificate(error, fault, words),
            rustls::Error::AlertReceived(alert) => of_alert(*alert, words),
            rustls::Error::PeerIncompatible(_) => Self::new(format!(
                "the server offers no TLS that sessctl speaks: {error}"
            ))
            .hint(format!(
                "sessctl speaks TLS 1.2 and 1.3; see {} of the server",
                words.versions_of_the_server
            )),
            rustls::Error::InvalidMessage(_) => Self::new("what answers there does not speak TLS")
                .hint(format!("is it {}, and its port?", words.server)),
            error => Self::new(format!("TLS failed: {error}")),
        }
    }

    /// The failure behind an error of a socket, if TLS is.
    pub(crate) fn in_io(error: &io::Error, words: &Words) -> Option<Self> {
        rustls_error(error).map(|error| Self::of(error, words))
    }
}

fn of_certificate(error: &rustls::Error, fault: &CertificateError, words: &Words) -> TlsFailure {
    let Words { roots, unverified, .. } = words;
    let nameless = words.without_name();
    let new = |what: &str, hint: &str| TlsFailure::new(what).hint(hint);
    match fault {
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => new(
            "the server's certificate is for no host: it has no subjectAltName, and its common name does not count",
            &format!("have it issued with a subjectAltName; {nameless}"),
        ),
        CertificateError::NotValidForNameContext { expected, presented } => new(
            &format!(
                "the server's certificate is not for {}, but for {}",
                expected.to_str(),
                presented.join(", ")
            ),
            &format!("connect by a name that it is for{}; {nameless}", words.by_another_name),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => new(
            "the server's certificate, or that of its authority, has expired",
            &format!("renew it; is the clock of this machine right? {unverified}"),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => new(
            "the server's certificate, or that of its authority, is not valid yet",
            "is the clock of this machine right?",
        ),
        CertificateError::UnknownIssuer => new(
            "the server's certificate was issued by an authority that is not trusted",
            &format!(
                "{roots}=FILE names the file with the right one, {} takes those that this machine trusts",
                words.roots_of_the_system
            ),
        ),
        CertificateError::BadSignature => new(
            "the signature of the server's certificate is not that of its authority",
            &format!("does the file in {roots} hold the authority's present key?"),
        ),
        _ => match webpki_error(error) {
            Some(webpki::Error::UnsupportedCertVersion) => new(
                "the server's certificate is of X.509 version 1, which cannot be verified",
                &format!(
                    "have it issued anew with a subjectAltName, which makes it version 3; {unverified}"
                ),
            ),
            Some(webpki::Error::CaUsedAsEndEntity) => new(
                &format!(
                    "the server's certificate is an authority's (CA:TRUE), and not one of those in {roots}"
                ),
                &format!(
                    "put that very certificate into the file in {roots}, or have it issued anew with CA:FALSE; {unverified}"
                ),
            ),
            _ => new(
                &format!("the server's certificate cannot be verified: {error}"),
                &format!(
                    "have it issued anew, with SHA-256 and RSA of 2048 bits or ECDSA P-256; {unverified}"
                ),
            ),
        },
    }
}

fn of_alert(alert: AlertDescription, words: &Words) -> TlsFailure {
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
        | Alert::DecryptError => failure.hint(format!(
            "it is about the client's certificate: {} and {} name one that the server's {} has issued",
            words.certificate, words.key, words.roots_of_the_server
        )),
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

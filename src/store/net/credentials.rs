//! Loads the files that TLS needs: trusted root certificates, and our own certificate and key.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::tls_failure::{TlsFailure, Words};
use super::verify::Trust;
use crate::files;

/// A certificate and those that vouch for it, or authorities.
pub(crate) type Certificates = Vec<CertificateDer<'static>>;

/// Trusts who was certified by one of these, or is one of them.
pub(crate) fn trust(
    certificates: Certificates,
    name: bool,
    hint: &str,
) -> Result<Trust, TlsFailure> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err(TlsFailure::new("there is no root certificate that can be used").hint(hint));
    }
    Ok(Trust { roots, pinned: certificates, name })
}

/// The authorities that this machine trusts.
pub(crate) fn system() -> Result<Certificates, TlsFailure> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(TlsFailure::new("this machine has no root certificates")
            .hint("install them (ca-certificates), or name their file in SSL_CERT_FILE"));
    }
    Ok(found.certs)
}

/// The certificates in a PEM file, at least one.
pub(crate) fn in_file(file: &Path, hint: &str) -> Result<Certificates, TlsFailure> {
    let unreadable = |why: String| {
        TlsFailure::new(format!("cannot read certificates from {}: {why}", file.display()))
    };
    let text = files::read(file).map_err(|error| unreadable(error.to_string()).hint(hint))?;
    let found: Result<Certificates, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unreadable("there is none in PEM format".into())
            .hint("openssl x509 -inform DER turns one in DER format into PEM")),
    }
}

/// The certificate that says who we are, and its key.
pub(crate) fn client(
    certificate: &Path,
    key: &Path,
    words: &Words,
) -> Result<(Certificates, PrivateKeyDer<'static>), TlsFailure> {
    let hint = format!("{} and {} name the certificate and its key", words.certificate, words.key);
    let chain = in_file(certificate, "").map_err(|failure| failure.hint(hint))?;
    check_permissions(key, words)?;
    let found = files::read(key).ok().and_then(|text| PrivateKeyDer::from_pem_slice(&text).ok());
    let found = found.ok_or_else(|| {
        TlsFailure::new(format!("{} holds no private key that can be read", key.display()))
            .hint("keys are read in PEM format, and not if a password protects them")
    })?;
    Ok((chain, found))
}

/// As libpq has it: nobody else may read the key, but a group may read one of root's.
fn check_permissions(key: &Path, words: &Words) -> Result<(), TlsFailure> {
    let cannot =
        |why: &str| TlsFailure::new(format!("cannot use the key {}: {why}", key.display()));
    let status = fs::metadata(key).map_err(|error| {
        cannot(&error.to_string()).hint(format!(
            "{} names the key of the certificate in {}",
            words.key, words.certificate
        ))
    })?;
    let forbidden = if status.uid() == 0 { 0o037 } else { 0o077 };
    if !status.is_file() {
        return Err(cannot("it is no plain file"));
    }
    if status.permissions().mode() & forbidden != 0 {
        return Err(cannot("others may read it").hint("chmod 600, or 640 if root owns it"));
    }
    Ok(())
}

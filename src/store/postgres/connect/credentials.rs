//! Loads the files that TLS needs: trusted root certificates, and our own certificate and key.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsFailure;
use super::verify::Trust;
use crate::files;
use crate::store::postgres::conninfo::{ClientKey, Mode, Roots, Tls};

type Certificates = Vec<CertificateDer<'static>>;

/// Whom to trust; `None` if the mode demands nothing and no file asks for more, as libpq has it.
pub(super) fn trust(tls: &Tls) -> Result<Option<Trust>, TlsFailure> {
    let verifies = tls.mode >= Mode::VerifyCa;
    let certificates = match &tls.roots {
        Roots::System => system()?,
        Roots::Named(file) => in_file(file)?,
        Roots::Default(Some(file)) if verifies || file.exists() => in_file(file)?,
        Roots::Default(None) if verifies => {
            return Err(
                TlsFailure::new("there is no home folder with root certificates").hint(ROOTS_HINT)
            );
        }
        Roots::Default(_) => return Ok(None),
    };
    if let Some(revoked) = tls.revoked.as_ref().filter(|file| file.exists()) {
        let what =
            format!("lists of revoked certificates are not supported: {}", revoked.display());
        return Err(TlsFailure::new(what).hint("rename it to go on without"));
    }
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err(
            TlsFailure::new("there is no root certificate that can be used").hint(ROOTS_HINT)
        );
    }
    Ok(Some(Trust { roots, pinned: certificates, name: tls.mode == Mode::VerifyFull }))
}

const ROOTS_HINT: &str = "sslrootcert=FILE names the file with the authority of the server's certificate, sslrootcert=system takes those that this machine trusts; sslmode=require encrypts without verifying";

fn system() -> Result<Certificates, TlsFailure> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(TlsFailure::new("this machine has no root certificates")
            .hint("install them (ca-certificates), or name their file in SSL_CERT_FILE"));
    }
    Ok(found.certs)
}

/// The certificates in a PEM file, at least one.
fn in_file(file: &Path) -> Result<Certificates, TlsFailure> {
    let unreadable = |why: String| {
        TlsFailure::new(format!("cannot read certificates from {}: {why}", file.display()))
    };
    let text = files::read(file).map_err(|error| unreadable(error.to_string()).hint(ROOTS_HINT))?;
    let found: Result<Certificates, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unreadable("there is none in PEM format".into())
            .hint("openssl x509 -inform DER turns one in DER format into PEM")),
    }
}

/// The certificate that says who we are, and its key; `None` if there is none.
pub(super) fn client(
    tls: &Tls,
) -> Result<Option<(Certificates, PrivateKeyDer<'static>)>, TlsFailure> {
    let Some(ClientKey { certificate, key, is_named }) = &tls.client else {
        return Ok(None);
    };
    if !is_named && !certificate.exists() {
        return Ok(None);
    }
    let chain = in_file(certificate)
        .map_err(|failure| failure.hint("sslcert and sslkey name the certificate and its key"))?;
    check_permissions(key)?;
    let found = files::read(key).ok().and_then(|text| PrivateKeyDer::from_pem_slice(&text).ok());
    let found = found.ok_or_else(|| {
        TlsFailure::new(format!("{} holds no private key that can be read", key.display()))
            .hint("keys are read in PEM format, and not if a password protects them")
    })?;
    Ok(Some((chain, found)))
}

/// As libpq has it: nobody else may read the key, but a group may read one of root's.
fn check_permissions(key: &Path) -> Result<(), TlsFailure> {
    let cannot =
        |why: &str| TlsFailure::new(format!("cannot use the key {}: {why}", key.display()));
    let status = fs::metadata(key).map_err(|error| {
        cannot(&error.to_string()).hint("sslkey names the key of the certificate in sslcert")
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

//! How the driver encrypts, as `ssl-mode` and the files say. The files are read here: as others that the operator names,
//! and with errors that say what to do.

use mysql_async::{ClientIdentity, Error, IoError, SslOpts};

use super::params::{SslMode, Tls};
use crate::files;
use crate::store::net::{TlsFailure, Words, client, in_file, system};

static WORDS: Words = Words {
    server: "MySQL or MariaDB",
    roots: "ssl-ca",
    roots_of_the_system: "ssl-mode=VERIFY_IDENTITY without ssl-ca",
    certificate: "ssl-cert",
    key: "ssl-key",
    only_the_issuer: None,
    unverified: "ssl-mode=REQUIRED encrypts without verifying",
    by_another_name: "",
    roots_of_the_server: "ssl_ca",
    versions_of_the_server: "tls_version and ssl_cipher",
};

const ROOTS_HINT: &str = "ssl-ca=FILE names the file with the authority of the server's certificate; ssl-mode=REQUIRED encrypts without verifying";

/// What the driver is told for this mode; `None` if nothing is encrypted.
pub(super) fn options(tls: &Tls, mode: SslMode) -> Result<Option<SslOpts>, TlsFailure> {
    if mode == SslMode::Disabled {
        return Ok(None);
    }
    let options = SslOpts::default().with_client_identity(identity(tls)?);
    Ok(Some(match mode {
        SslMode::Disabled | SslMode::Preferred | SslMode::Required => {
            options.with_danger_accept_invalid_certs(true)
        }
        // The driver can leave out no name: what it compares is not what its TLS library says.
        SslMode::VerifyCa | SslMode::VerifyIdentity => {
            let roots = match &tls.ca {
                Some(file) => in_file(file, ROOTS_HINT)?,
                None => system()?,
            };
            let roots = roots.iter().map(|root| root.to_vec().into()).collect();
            options.with_root_certs(roots).with_disable_built_in_roots(true)
        }
    }))
}

/// What TLS has to do with an error of the driver.
pub(super) fn failure_in(error: &Error) -> Option<TlsFailure> {
    match error {
        Error::Io(IoError::Io(error)) => TlsFailure::in_io(error, &WORDS),
        _ => None,
    }
}

/// The client's own certificate and key, if they were named.
fn identity(tls: &Tls) -> Result<Option<ClientIdentity>, TlsFailure> {
    let Some((cert, key)) = tls.cert.as_deref().zip(tls.key.as_deref()) else { return Ok(None) };
    // What cannot be used is said here: the driver would not say which file it is.
    client(cert, key, &WORDS)?;
    let read = |file| files::read(file).map_err(|error| TlsFailure::new(error.to_string()));
    Ok(Some(ClientIdentity::new(read(cert)?.into(), read(key)?.into())))
}

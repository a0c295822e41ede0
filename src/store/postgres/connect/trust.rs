//! Chooses the authorities that may have issued the server's certificate, from `sslmode` and the files, and names the options in
//! libpq's words.

use crate::store::net::{Encryption, TlsFailure, Trust, Words, in_file, system, trust};
use crate::store::postgres::conninfo::{ClientKey, Mode, Negotiation, Roots, Tls};

pub(super) static WORDS: Words = Words {
    server: "PostgreSQL",
    roots: "sslrootcert",
    roots_of_the_system: "sslrootcert=system",
    certificate: "sslcert",
    key: "sslkey",
    only_the_issuer: Some("sslmode=verify-ca"),
    unverified: "sslmode=require encrypts without verifying, as does leaving sslrootcert out",
    by_another_name: " (hostaddr=ADDRESS says where that is)",
    roots_of_the_server: "ssl_ca_file",
    versions_of_the_server: "ssl_min_protocol_version and ssl_ciphers",
};

const ROOTS_HINT: &str = "sslrootcert=FILE names the file with the authority of the server's certificate, sslrootcert=system takes those that this machine trusts; sslmode=require encrypts without verifying";

/// What is demanded of the encryption. Reads the files that were named.
pub(super) fn encryption(tls: &Tls) -> Result<Encryption, TlsFailure> {
    let own = tls.client.as_ref().filter(|own| own.is_named || own.certificate.exists());
    let own = own.map(|ClientKey { certificate, key, .. }| (certificate.as_path(), key.as_path()));
    let encryption = Encryption::new(trusted(tls)?, own, tls.versions, &WORDS)?;
    let encryption = if tls.sni { encryption } else { encryption.without_name() };
    Ok(match tls.negotiation {
        Negotiation::Direct => encryption.for_protocol(b"postgresql"),
        Negotiation::Postgres => encryption,
    })
}

/// Whom to trust; `None` if the mode demands nothing and no file asks for more, as libpq has it.
fn trusted(tls: &Tls) -> Result<Option<Trust>, TlsFailure> {
    let verifies = tls.mode >= Mode::VerifyCa;
    let certificates = match &tls.roots {
        Roots::System => system()?,
        Roots::Named(file) => in_file(file, ROOTS_HINT)?,
        Roots::Default(Some(file)) if verifies || file.exists() => in_file(file, ROOTS_HINT)?,
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
    trust(certificates, tls.mode == Mode::VerifyFull, ROOTS_HINT).map(Some)
}

//! The options about encryption: MySQL's `ssl-mode`, and what MariaDB and the drivers have instead.

use std::path::PathBuf;

use super::SourceError;
use super::parameters::{Parameters, flag};
use crate::store::mysql::params::{SslMode, Tls};

const MODES: [(&str, SslMode); 5] = [
    ("DISABLED", SslMode::Disabled),
    ("PREFERRED", SslMode::Preferred),
    ("REQUIRED", SslMode::Required),
    ("VERIFY_CA", SslMode::VerifyCa),
    ("VERIFY_IDENTITY", SslMode::VerifyIdentity),
];

/// The word for a mode.
pub(super) fn word(mode: SslMode) -> &'static str {
    MODES.iter().find(|(_, known)| *known == mode).map_or("", |(word, _)| word)
}

/// Says in MySQL's words what one source says in other words, so that sources can complete each other.
pub(super) fn settle_mode(parameters: &mut Parameters) -> Result<(), SourceError> {
    let says = |name| flag(parameters, name);
    let (on, off) = (says("ssl")?, says("ssl_disabled")?);
    let (issuer, name) = (says("ssl_verify_cert")?, says("ssl_verify_identity")?);
    if parameters.get("ssl_mode").is_some() {
        return Ok(());
    }
    let mode = if off == Some(true) || on == Some(false) {
        "DISABLED"
    } else if name == Some(true) {
        "VERIFY_IDENTITY"
    } else if issuer == Some(true) || (on == Some(true) && parameters.get("ssl_ca").is_some()) {
        "VERIFY_CA"
    } else if on == Some(true) {
        "REQUIRED"
    } else {
        return Ok(());
    };
    parameters.set("ssl_mode", mode);
    Ok(())
}

/// What was asked for, and what the operator may want to know of it.
pub(super) fn resolve(parameters: &mut Parameters) -> Result<Tls, SourceError> {
    let file = |name: &str| parameters.get(name).map(PathBuf::from);
    let (ca, cert, key) = (file("ssl_ca"), file("ssl_cert"), file("ssl_key"));
    let mode = match parameters.get("ssl_mode") {
        // As for the clients: whoever names an authority wants it to have issued the certificate.
        None if ca.is_some() => SslMode::VerifyCa,
        None => SslMode::default(),
        Some(text) => MODES
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name))
            .map(|(_, mode)| *mode)
            .ok_or_else(|| {
                SourceError::new(
                    "ssl-mode has a value that is not known",
                    format!("known are {}", MODES.map(|(name, _)| name).join(", ")),
                )
            })?,
    };
    if mode == SslMode::VerifyCa && ca.is_none() {
        return Err(SourceError::new(
            "ssl-mode=VERIFY_CA demands ssl-ca",
            "ssl-ca=FILE names the file with the authority; VERIFY_IDENTITY does without, and takes those that this machine trusts",
        ));
    }
    if cert.is_some() != key.is_some() {
        return Err(SourceError::new(
            "of ssl-cert and ssl-key only one is given",
            "they name the client's certificate and its key; leave both out to go without",
        ));
    }
    if ca.is_some() && mode == SslMode::Required {
        parameters.notes.push(
            "ssl-ca makes no difference with ssl-mode=REQUIRED; VERIFY_CA and VERIFY_IDENTITY verify the certificate".into(),
        );
    }
    let allow_sent_key = flag(parameters, "get_server_public_key")? == Some(true);
    let allow_cleartext = flag(parameters, "enable_cleartext_plugin")? == Some(true);
    Ok(Tls { mode, ca, cert, key, allow_sent_key, allow_cleartext })
}

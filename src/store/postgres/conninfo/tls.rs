//! The connection parameters about encryption.

use std::path::{Path, PathBuf};

use super::parameters::{Parameters, flag, one_of};
use super::{NOT_HERE, SourceError};

/// `sslmode`: when to encrypt, and what the certificate must prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store::postgres) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Whether to ask the server before TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::postgres) enum Negotiation {
    Postgres,
    Direct,
}

/// Whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::postgres) enum Roots {
    /// The authorities in a file that was named.
    Named(PathBuf),
    /// The authorities in libpq's default file, if it exists.
    Default(Option<PathBuf>),
    /// The authorities that this machine trusts.
    System,
}

/// The client's own certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::postgres) struct ClientKey {
    pub(in crate::store::postgres) certificate: PathBuf,
    pub(in crate::store::postgres) key: PathBuf,
    /// Whether the operator named it; libpq's default file need not exist.
    pub(in crate::store::postgres) is_named: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::postgres) struct Tls {
    pub(in crate::store::postgres) mode: Mode,
    pub(in crate::store::postgres) negotiation: Negotiation,
    pub(in crate::store::postgres) roots: Roots,
    /// libpq's default list of revoked certificates. It must not exist, since sessctl would not check it.
    pub(in crate::store::postgres) revoked: Option<PathBuf>,
    pub(in crate::store::postgres) client: Option<ClientKey>,
    /// Whether to tell the server its name.
    pub(in crate::store::postgres) sni: bool,
    /// TLS 1.2 and 1.3: which are allowed.
    pub(in crate::store::postgres) versions: (bool, bool),
}

impl Tls {
    pub(super) fn resolve(
        parameters: &Parameters,
        home: Option<&Path>,
    ) -> Result<Self, SourceError> {
        let folder = home.map(|home| home.join(".postgresql"));
        let file = |name: &str| folder.as_ref().map(|folder| folder.join(name));
        let roots = match parameters.get("sslrootcert").filter(|value| !value.is_empty()) {
            None => Roots::Default(file("root.crt")),
            Some("system") => Roots::System,
            Some(path) => Roots::Named(path.into()),
        };
        let negotiation = one_of(
            parameters,
            "sslnegotiation",
            &[("postgres", Negotiation::Postgres), ("direct", Negotiation::Direct)],
            Negotiation::Postgres,
        )?;
        let mode = Self::mode(parameters, &roots, negotiation)?;
        let named = |name: &str| parameters.get(name).map(PathBuf::from);
        let certificate = named("sslcert");
        let is_named = certificate.is_some();
        let client = certificate
            .or_else(|| file("postgresql.crt"))
            .zip(named("sslkey").or_else(|| file("postgresql.key")))
            .map(|(certificate, key)| ClientKey { certificate, key, is_named });
        Ok(Self {
            mode,
            negotiation,
            roots,
            revoked: file("root.crl"),
            client,
            sni: flag(parameters, "sslsni", true)?,
            versions: versions(parameters)?,
        })
    }

    fn mode(
        parameters: &Parameters,
        roots: &Roots,
        negotiation: Negotiation,
    ) -> Result<Mode, SourceError> {
        let default = if *roots == Roots::System { Mode::VerifyFull } else { Mode::Prefer };
        let mode = one_of(
            parameters,
            "sslmode",
            &[
                ("disable", Mode::Disable),
                ("allow", Mode::Allow),
                ("prefer", Mode::Prefer),
                ("require", Mode::Require),
                ("verify-ca", Mode::VerifyCa),
                ("verify-full", Mode::VerifyFull),
            ],
            default,
        )?;
        // As in libpq: anybody can get a certificate that the system trusts, for another name.
        if *roots == Roots::System && mode != Mode::VerifyFull {
            return Err(SourceError::new(
                "sslrootcert=system demands sslmode=verify-full",
                "leave sslmode out, or say verify-full",
            ));
        }
        if negotiation == Negotiation::Direct && mode < Mode::Require {
            return Err(SourceError::new(
                "sslnegotiation=direct demands sslmode=require or more",
                "there is no going on without encryption",
            ));
        }
        Ok(mode)
    }
}

fn versions(parameters: &Parameters) -> Result<(bool, bool), SourceError> {
    const VERSIONS: [(&str, u8); 5] =
        [("", 0), ("TLSv1", 0), ("TLSv1.1", 1), ("TLSv1.2", 2), ("TLSv1.3", 3)];
    let least = one_of(parameters, "ssl_min_protocol_version", &VERSIONS, 0)?;
    let most = one_of(parameters, "ssl_max_protocol_version", &VERSIONS[1..], 3)?;
    let allowed = (least <= 2 && most >= 2, most >= 3);
    if allowed == (false, false) {
        return Err(SourceError::new(
            "ssl_max_protocol_version allows neither TLS 1.2 nor TLS 1.3",
            NOT_HERE,
        ));
    }
    Ok(allowed)
}

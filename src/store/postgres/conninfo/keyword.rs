//! The list of libpq's parameters (its documentation, "Parameter Key Words"), and how sessctl treats each.

/// How sessctl treats a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has its effect.
    Supported,
    /// It is ignored: it makes no difference here.
    Ignored,
    /// It is an error unless it has one of these values, with which it makes no difference.
    Only(&'static [&'static str]),
}

/// A parameter of libpq.
#[derive(Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    /// The environment variable with its default.
    pub(super) variable: Option<&'static str>,
    pub(super) fate: Fate,
}

const fn supported(name: &'static str, variable: &'static str) -> Keyword {
    Keyword { name, variable: Some(variable), fate: Fate::Supported }
}

const fn unnamed(name: &'static str, fate: Fate) -> Keyword {
    Keyword { name, variable: None, fate }
}

const fn only(
    name: &'static str,
    variable: &'static str,
    values: &'static [&'static str],
) -> Keyword {
    Keyword { name, variable: Some(variable), fate: Fate::Only(values) }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    supported("host", "PGHOST"),
    supported("hostaddr", "PGHOSTADDR"),
    supported("port", "PGPORT"),
    supported("dbname", "PGDATABASE"),
    supported("user", "PGUSER"),
    supported("password", "PGPASSWORD"),
    supported("passfile", "PGPASSFILE"),
    supported("service", "PGSERVICE"),
    supported("options", "PGOPTIONS"),
    supported("application_name", "PGAPPNAME"),
    unnamed("fallback_application_name", Fate::Supported),
    supported("connect_timeout", "PGCONNECT_TIMEOUT"),
    unnamed("keepalives", Fate::Supported),
    unnamed("keepalives_idle", Fate::Supported),
    unnamed("keepalives_interval", Fate::Supported),
    unnamed("keepalives_count", Fate::Supported),
    unnamed("tcp_user_timeout", Fate::Supported),
    supported("sslmode", "PGSSLMODE"),
    supported("sslnegotiation", "PGSSLNEGOTIATION"),
    supported("sslrootcert", "PGSSLROOTCERT"),
    supported("sslcert", "PGSSLCERT"),
    supported("sslkey", "PGSSLKEY"),
    supported("sslsni", "PGSSLSNI"),
    supported("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    supported("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    supported("channel_binding", "PGCHANNELBINDING"),
    supported("target_session_attrs", "PGTARGETSESSIONATTRS"),
    // sessctl reads and writes rows as UTF-8, and compresses nothing.
    unnamed("client_encoding", Fate::Ignored),
    unnamed("sslcompression", Fate::Ignored),
    unnamed("load_balance_hosts", Fate::Ignored),
    only("sslcertmode", "PGSSLCERTMODE", &["allow"]),
    only("gssencmode", "PGGSSENCMODE", &["disable", "prefer"]),
    only("sslcrl", "PGSSLCRL", &[]),
    only("sslcrldir", "PGSSLCRLDIR", &[]),
    only("requirepeer", "PGREQUIREPEER", &[]),
    only("require_auth", "PGREQUIREAUTH", &[]),
    unnamed("sslpassword", Fate::Only(&[])),
    unnamed("krbsrvname", Fate::Only(&[])),
    unnamed("gsslib", Fate::Only(&[])),
    unnamed("gssdelegation", Fate::Only(&["0"])),
    unnamed("replication", Fate::Only(&["false", "off", "no", "0"])),
];

/// The parameter of this name.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}

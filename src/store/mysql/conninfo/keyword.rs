//! The options of a connection, as MySQL's and MariaDB's clients and the drivers that Django uses name them, and
//! how sessctl treats each.

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is heeded.
    Heeded,
    /// It is heeded, and is on where it has no value.
    Flag,
    /// It makes no difference to what is done here.
    Ignored,
    /// It says how Django works with its connections, and is ignored with a note.
    Noted,
    /// It would make a difference, and cannot be heeded. The text is the hint.
    Refused(&'static str),
}

/// An option.
#[derive(Debug)]
pub(super) struct Keyword {
    /// Its names, with `_` for `-`; the first is ours.
    names: &'static [&'static str],
    pub(super) fate: Fate,
}

impl Keyword {
    /// Our name for it.
    pub(super) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

const fn all(fate: Fate, names: &'static [&'static str]) -> Keyword {
    Keyword { names, fate }
}

const fn heeded(names: &'static [&'static str]) -> Keyword {
    all(Fate::Heeded, names)
}

const fn flag(names: &'static [&'static str]) -> Keyword {
    all(Fate::Flag, names)
}

const REVOKED: &str =
    "lists of revoked certificates are not supported; leave it out to go on without";
const FOLDER: &str = "ssl-ca=FILE names one file with all the authorities";
const FINGERPRINT: &str =
    "put the server's certificate, or its authority's, into a file for ssl-ca; ssl-mode=VERIFY_CA";
const ENCRYPTED_KEY: &str = "give a key that no password protects";
const PINNED: &str = "no key can be pinned; ssl-mode=REQUIRED encrypts the password and all else";
const OTHER_FILES: &str = "name one file, as read_default_file";

const KEYWORDS: &[Keyword] = &[
    heeded(&["host"]),
    heeded(&["port"]),
    heeded(&["user"]),
    heeded(&["password", "passwd"]),
    heeded(&["database", "db"]),
    heeded(&["socket", "unix_socket"]),
    heeded(&["protocol"]),
    heeded(&["connect_timeout", "connection_timeout"]),
    heeded(&["read_default_file", "defaults_file"]),
    heeded(&["read_default_group"]),
    heeded(&["ssl_mode"]),
    heeded(&["ssl_ca"]),
    heeded(&["ssl_cert"]),
    heeded(&["ssl_key"]),
    flag(&["ssl", "ssl_require"]),
    flag(&["ssl_disabled"]),
    flag(&["ssl_verify_cert"]),
    flag(&["ssl_verify_identity", "ssl_verify_server_cert"]),
    flag(&["get_server_public_key"]),
    flag(&["enable_cleartext_plugin"]),
    // Keys are read and written as UTF-8, nothing is compressed, and the versions and ciphers of TLS are those
    // that are sound.
    all(
        Fate::Ignored,
        &[
            "charset",
            "default_character_set",
            "collation",
            "use_unicode",
            "compress",
            "local_infile",
            "plugin_dir",
            "default_auth",
            "auth_plugin",
            "read_timeout",
            "write_timeout",
            "use_pure",
            "ssl_cipher",
            "tls_version",
            "tls_versions",
            "tls_ciphersuites",
            "max_allowed_packet",
        ],
    ),
    all(
        Fate::Noted,
        &[
            "init_command",
            "sql_mode",
            "autocommit",
            "isolation_level",
            "conn_max_age",
            "conn_health_checks",
            "disable_server_side_cursors",
            "atomic_requests",
            "pool",
            "time_zone",
            "test_options",
        ],
    ),
    all(Fate::Refused(REVOKED), &["ssl_crl", "ssl_crlpath"]),
    all(Fate::Refused(FOLDER), &["ssl_capath"]),
    all(Fate::Refused(FINGERPRINT), &["ssl_fp", "ssl_fplist", "tls_peer_fp", "tls_peer_fp_list"]),
    all(Fate::Refused(ENCRYPTED_KEY), &["ssl_passphrase", "ssl_key_password"]),
    all(Fate::Refused(PINNED), &["server_public_key_path", "server_public_key"]),
    all(Fate::Refused(OTHER_FILES), &["option_files", "option_groups", "defaults_extra_file"]),
];

/// The option of this name, in which letter case, `-` and `_` make no difference.
pub(super) fn find(name: &str) -> Option<&'static Keyword> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    KEYWORDS.iter().find(|keyword| keyword.names.contains(&&*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        let mut names: Vec<_> = KEYWORDS.iter().flat_map(|keyword| keyword.names).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}

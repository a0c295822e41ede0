//! Checks the server and the connection to it: version, encryption, role, and whether it is a replica.

use std::net::IpAddr;

use tokio_postgres::Error;

use crate::model::Finding;
use crate::store::postgres::Postgres;
use crate::store::postgres::catalog::is_postgresql;
use crate::store::postgres::client::Client;
use crate::store::postgres::connect::Reached;
use crate::store::postgres::conninfo::{Host, Mode, Place};

const ROLE: &str = "
    SELECT current_user::text, session_user::text, EXISTS (
        SELECT FROM pg_catalog.pg_roles WHERE rolname IN (current_user, session_user) AND rolsuper)";
const VERSION: &str =
    "SELECT pg_catalog.version(), pg_catalog.current_setting('server_version_num')::int4";
const REPLICA: &str = "
    SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')::bool";

/// The oldest version of PostgreSQL that sessctl supports.
const OLDEST: i32 = 110_000;

pub(super) fn version(client: &mut Client) -> Result<Finding, Error> {
    let row = client.query_typed_one(VERSION, &[])?;
    Ok(known_version(row.try_get(0)?, row.try_get(1)?))
}

fn known_version(version: &str, number: i32) -> Finding {
    let name: Vec<&str> = version.split(' ').take(2).collect();
    let name = name.join(" ");
    if !is_postgresql(version) {
        Finding::warning(
            "server",
            format!("{version}: not PostgreSQL itself"),
            "sessctl is not tested on it; try each command with --dry-run first",
        )
    } else if number < OLDEST {
        Finding::warning(
            "server",
            format!("{name} is older than sessctl is made for"),
            "PostgreSQL 11 and later",
        )
    } else {
        Finding::ok("server", name)
    }
}

pub(super) fn encryption(version: Option<&str>, host: &Host, mode: Mode) -> Finding {
    const CHECK: &str = "encryption";
    let is_here = |address: Option<IpAddr>, name: &str| {
        address.is_some_and(|address| address.is_loopback()) || name == "localhost"
    };
    match (version, &host.place) {
        (Some(version), _) if matches!(mode, Mode::VerifyCa | Mode::VerifyFull) => {
            Finding::ok(CHECK, format!("{version}, and the server's certificate was verified"))
        }
        (Some(version), _) => Finding::ok(
            CHECK,
            format!("{version}; sslmode=verify-full would also check that it is the right server"),
        ),
        (None, Place::Socket(_)) => Finding::ok(CHECK, "none, and none is needed: a local socket"),
        (None, Place::Network(name)) if is_here(host.address, name) => {
            Finding::ok(CHECK, "none, and none is needed: this very machine")
        }
        (None, Place::Network(_)) => Finding::warning(
            CHECK,
            "none: sessions can be read on the way, and each is a login",
            "set ssl = on on the server, and sslmode=verify-full in the URL",
        ),
    }
}

pub(super) fn replica(client: &mut Client) -> Result<Finding, Error> {
    let row = client.query_typed_one(REPLICA, &[])?;
    Ok(match (row.try_get(0)?, row.try_get(1)?) {
        (true, _) => Finding::warning(
            "replica",
            "this server is a read replica: what deletes or writes is refused",
            "connect to the primary; of several hosts in the URL, target_session_attrs=read-write finds it",
        ),
        (false, true) => Finding::warning(
            "replica",
            "this server makes every transaction of this role read only",
            "connect as a role without default_transaction_read_only to delete or write",
        ),
        (false, false) => Finding::ok("replica", "this server is the primary and takes writes"),
    })
}

impl Postgres {
    pub(super) fn role(&self, reached: &mut Reached) -> Result<Finding, Error> {
        let row = reached.client.query_typed_one(ROLE, &[])?;
        let (current, login): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let is_superuser: bool = row.try_get(2)?;
        let switched =
            if current == login { String::new() } else { format!(" (logged in as \"{login}\")") };
        let database = &self.conninfo.database;
        let text =
            format!("as \"{current}\"{switched} to database \"{database}\" on {}", reached.host);
        Ok(if is_superuser {
            Finding::warning(
                "connection",
                format!("{text}: a superuser, who may do far more than sessctl needs"),
                "connect as a role that has only what `sessctl doctor --grants` prints",
            )
        } else {
            Finding::ok("connection", text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Status;

    #[test]
    fn servers_that_are_old_or_something_else() {
        let warns = |version, number| known_version(version, number).status == Status::Warning;
        assert!(!warns("PostgreSQL 11.22 (Debian 11.22-1) on x86_64-pc-linux-gnu", 110_022));
        assert!(warns("PostgreSQL 10.23 on x86_64-pc-linux-gnu", 100_023));
        assert!(warns("PostgreSQL 9.6.24 on x86_64-pc-linux-gnu", 90_624));
        assert!(warns("CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)", 130_000));
        let old = known_version("PostgreSQL 9.6.24 on x86_64-pc-linux-gnu", 90_624);
        assert_eq!(old.text, "PostgreSQL 9.6.24 is older than sessctl is made for");
    }

    #[test]
    fn what_leaves_the_machine_must_be_encrypted() {
        let status = |version, place, address: Option<&str>| {
            let address = address.map(|address| address.parse().unwrap());
            let host = Host { place, address, port: 5432, password: None };
            encryption(version, &host, Mode::Prefer).status
        };
        let network = |name: &str| Place::Network(name.into());
        assert_eq!(status(None, network("db.example"), Some("192.0.2.1")), Status::Warning);
        assert_eq!(status(None, network("db.example"), None), Status::Warning);
        assert_eq!(status(Some("TLS 1.3"), network("db.example"), None), Status::Ok);
        assert_eq!(status(None, network("db.example"), Some("::1")), Status::Ok);
        assert_eq!(status(None, Place::Socket("/run/postgresql".into()), None), Status::Ok);
    }
}

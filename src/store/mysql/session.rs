//! What a session on a server is set to, and what the server is.

use mysql_async::Value;

use super::client::Client;
use super::fault::Failure;
use super::row::text;

/// What a connection can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Read, and nothing else.
    Read,
    /// Write, too.
    Write,
}

/// What the server is.
#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    /// `VERSION()`: `10.11.14-MariaDB-0+deb12u2`, `8.0.43`.
    pub(super) version: String,
    /// Whether writes at READ COMMITTED are refused (error 1665), because the binary log holds statements.
    pub(super) needs_repeatable_read: bool,
}

/// How many seconds a statement waits for a row that somebody has locked, as `COMMON` sets it.
pub(super) const LOCK_WAIT: u32 = 2;

/// What every session needs.
const COMMON: &str = "SET SESSION autocommit = 1, \
    SESSION innodb_lock_wait_timeout = 2, \
    SESSION lock_wait_timeout = 5, \
    SESSION sql_select_limit = 18446744073709551615, \
    SESSION sql_big_selects = 1";

/// What helps where it can be set: how long the server waits for a reader that does not read, and keeps a connection that
/// rests; and no time limits of the server.
const OPTIONAL: [&str; 4] = [
    "SET SESSION net_write_timeout = 600",
    "SET SESSION wait_timeout = 28800",
    "SET SESSION max_statement_time = 0",
    "SET SESSION max_execution_time = 0",
];

impl Server {
    /// Prepares the session of a new connection.
    pub(super) fn prepare(client: &mut Client, access: Access) -> Result<Self, Failure> {
        // What comes and goes is UTF-8, whatever the columns are.
        client.execute("SET NAMES utf8mb4")?;
        client.execute(COMMON)?;
        let version = client.first("SELECT VERSION()", Vec::new())?;
        let version = version.map(|row| text(&row, 0)).unwrap_or_default();
        let mut server = Self { version, needs_repeatable_read: false };
        let other = if server.is_mariadb() { "max_execution_time" } else { "max_statement_time" };
        for optional in OPTIONAL.iter().filter(|sql| !sql.contains(other)) {
            refused(client.execute(optional))?;
        }
        if access == Access::Write {
            server.needs_repeatable_read = refused(client.first(
                "SELECT @@session.binlog_format = 'STATEMENT' AND @@global.log_bin",
                Vec::new(),
            ))?
            .flatten()
            .is_some_and(|row| row.as_ref(0) == Some(&Value::Int(1)));
        }
        // At REPEATABLE READ a DELETE locks gaps, and so what the site is about to insert.
        let level = if server.needs_repeatable_read { "REPEATABLE READ" } else { "READ COMMITTED" };
        client.execute(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"))?;
        if access == Access::Read {
            client.execute("SET SESSION TRANSACTION READ ONLY")?;
        }
        Ok(server)
    }

    /// The shortest such wait, in seconds: MySQL has none below one.
    pub(super) fn shortest_lock_wait(&self) -> u32 {
        u32::from(!self.is_mariadb())
    }

    /// Whether it is MariaDB. Otherwise it is MySQL, or claims to be.
    pub(super) fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }
}

/// `None` if the server refused it, an error if the connection failed.
pub(super) fn refused<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if failure.code().is_some() => Ok(None),
        Err(failure) => Err(failure),
    }
}

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

/// How a server takes a list of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lists {
    /// As SELECTs, joined by UNION ALL: every version. The server plans each of them, which takes longer than to delete its row.
    #[default]
    Selects,
    /// As one JSON array: MariaDB from 10.6 on, MySQL from 8.0.19 on. VALUES would be as fast, but takes the types of its
    /// columns from its first row, and cuts longer keys to the length of that one.
    Json,
}

impl Lists {
    /// What a server of this `VERSION()` takes.
    pub(super) fn of(version: &str) -> Self {
        let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        let [major, minor, patch] = [(); 3].map(|()| numbers.next().unwrap_or(0));
        let first = if version.contains("MariaDB") { (10, 6, 0) } else { (8, 0, 19) };
        // TiDB, Vitess and others name the version of MySQL that they are like.
        let is_itself =
            !["TiDB", "Vitess", "OceanBase"].iter().any(|other| version.contains(other));
        if is_itself && (major, minor, patch) >= first { Self::Json } else { Self::Selects }
    }
}

#[cfg(test)]
mod tests {
    use super::Lists;

    #[test]
    fn a_server_is_sent_lists_that_it_takes() {
        for version in ["10.6.0-MariaDB", "10.11.14-MariaDB-0+deb12u2", "11.8.3-MariaDB-log"] {
            assert_eq!(Lists::of(version), Lists::Json, "{version}");
        }
        for version in ["8.0.19", "8.0.43-0ubuntu0.22.04.1", "8.4.6", "9.7.4", "10.0.1"] {
            assert_eq!(Lists::of(version), Lists::Json, "{version}");
        }
        for version in ["", "10.5.29-MariaDB", "5.7.44-log", "8.0.18", "other"] {
            assert_eq!(Lists::of(version), Lists::Selects, "{version}");
        }
        for version in ["8.0.11-TiDB-v8.5.0", "8.0.40-Vitess", "8.0.30-OceanBase_CE-v4.3"] {
            assert_eq!(Lists::of(version), Lists::Selects, "{version}");
        }
    }
}

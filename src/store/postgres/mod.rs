//! PostgreSQL. Reads with `COPY`, the cheapest way out of the server. Everything is done inside
//! explicit transactions and without named prepared statements or session settings, so that a
//! pooler in transaction mode may stand in between.

mod copy;
mod fault;

use std::time::Duration;

use ::postgres::config::Host;
use ::postgres::types::Type;
use ::postgres::{Client, Config, NoTls};

use self::copy::CopyRows;
use self::fault::fail;
use super::{Emit, Fault, Filter, Reader, Store, StoreError, Table, Writer};
use crate::consent::Consent;
use crate::model::Timestamp;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Where Debian's and most other servers listen, as libpq's default has it there.
const SOCKET_FOLDER: &str = "/var/run/postgresql";

/// How a scan begins. A scan is one statement over the whole table, so a `statement_timeout` meant
/// for requests must not end it (`pg_dump` does the same).
const BEGIN_SCAN: &str =
    "BEGIN READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '10s'";
/// How a batch begins. A request that waits for us is a visitor who waits, so we wait for requests
/// and not for long, and come back.
const BEGIN_BATCH: &str = "BEGIN READ WRITE; SET LOCAL lock_timeout = '2s'";

/// A table on a server.
pub struct Postgres {
    config: Config,
    table: Table,
}

impl Postgres {
    /// A server, given by a URL or by `key=value` pairs. Connects when a reader or a writer is
    /// asked for.
    pub fn new(url: &str, table: Table) -> Result<Self, StoreError> {
        // The parser's own error can quote what it could not read, a password included.
        let malformed = || {
            StoreError::new(Fault::Fatal, "cannot understand the PostgreSQL connection URL")
                .hint("expected postgres://user:password@host:5432/database; characters such as @ / # ? in a password must be percent-encoded")
        };
        // The parser ends the password at the first @, and takes the rest of one that holds an @
        // for the host, which we show in errors.
        if url.contains("://") && url.matches('@').count() > 1 {
            return Err(malformed());
        }
        let mut config: Config = url.parse().map_err(|_| malformed())?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("sessctl");
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host(SOCKET_FOLDER);
        }
        Ok(Self { config, table })
    }

    fn connect(&self) -> Result<Client, StoreError> {
        self.config
            .connect(NoTls)
            .map_err(|error| fail(error, format!("cannot connect to {}", self.server())))
    }

    /// Host and database, never the password.
    fn server(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => {
                self.config.get_hostaddrs().first().map_or_else(String::new, ToString::to_string)
            }
        };
        let port =
            self.config.get_ports().first().map_or_else(String::new, |port| format!(":{port}"));
        match self.config.get_dbname() {
            Some(database) => format!("database \"{database}\" on {host}{port}"),
            None => format!("{host}{port}"),
        }
    }

    fn what(&self, doing: &str) -> String {
        format!("cannot {doing} table \"{}\" in {}", self.table, self.server())
    }

    /// Finds the table and checks columns and rights, before anything is read or written.
    fn check(&self, client: &mut Client, right: Right) -> Result<u32, StoreError> {
        let cannot = |error| fail(error, self.what(right.verb()));
        let name = self.table.quoted();
        let found = client
            .query_typed(CHECK_TABLE, &[(&name, Type::TEXT), (&right.privilege(), Type::TEXT)])
            .map_err(cannot)?;
        let Some(row) = found.first() else {
            let alike = client.query_typed(TABLES_ALIKE, &[]).map_err(cannot)?;
            let alike: Vec<String> = alike.iter().filter_map(|row| row.try_get(0).ok()).collect();
            return Err(super::table::missing(&self.table, &self.server(), &alike));
        };
        super::table::check_columns(
            &self.table,
            &row.try_get::<_, Vec<String>>(1).map_err(cannot)?,
        )?;
        let is = |column: usize| row.try_get::<_, bool>(column).map_err(cannot);
        let refuse = |cause: &str, hint: String| {
            Err(StoreError::new(Fault::Fatal, self.what(right.verb()))
                .because(cause.to_owned())
                .hint(hint))
        };
        if !is(2)? {
            let role: String = row.try_get(3).map_err(cannot)?;
            let cause = format!("role \"{role}\" lacks the {} privilege", right.privilege());
            let hint = format!(
                "GRANT {} ON {name} TO \"{role}\", or connect as another role",
                right.privilege()
            );
            return refuse(&cause, hint);
        }
        if is(4)? {
            return refuse(
                "row security hides rows of it from this role, so that nothing could be proved",
                "connect as the owner of the table or as a role with BYPASSRLS".into(),
            );
        }
        if right == Right::Delete && is(5)? {
            return refuse(
                "this server is a read replica, or makes every transaction read only",
                "connect to the primary, or as a role without default_transaction_read_only".into(),
            );
        }
        row.try_get(0).map_err(cannot)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Right {
    Select,
    Delete,
}

impl Right {
    fn privilege(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Delete => "DELETE",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Select => "read",
            Self::Delete => "delete from",
        }
    }
}

const CHECK_TABLE: &str = "
    SELECT c.oid,
           ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
                 WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
           pg_catalog.has_table_privilege(c.oid, $2),
           current_user::text,
           pg_catalog.row_security_active(c.oid),
           pg_catalog.pg_is_in_recovery()
               OR pg_catalog.current_setting('transaction_read_only')::bool
    FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)";

const TABLES_ALIKE: &str = "
    SELECT attrelid::pg_catalog.regclass::text
    FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid
    WHERE attname IN ('session_key', 'session_data', 'expire_date')
      AND NOT attisdropped AND c.relkind IN ('r', 'p', 'f')
    GROUP BY attrelid HAVING count(*) = 3 ORDER BY 1 LIMIT 20";

impl Store for Postgres {
    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        let mut client = self.connect()?;
        let oid = self.check(&mut client, Right::Select)?;
        Ok(Box::new(PostgresReader { store: self, client: Some(client), oid }))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        let mut client = self.connect()?;
        self.check(&mut client, Right::Delete)?;
        Ok(Box::new(PostgresWriter {
            client,
            delete: format!("DELETE FROM {} WHERE session_key = ANY($1)", self.table.quoted()),
            what: self.what("delete from"),
        }))
    }

    fn courtesy(&self) -> Duration {
        Duration::ZERO
    }
}

struct PostgresReader<'s> {
    store: &'s Postgres,
    /// Given up when a scan is broken off.
    client: Option<Client>,
    oid: u32,
}

impl Reader for PostgresReader<'_> {
    /// The planner's figure: exact enough after the last VACUUM or ANALYZE, unknown before.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        let cannot = |error| fail(error, self.store.what("read"));
        let Some(client) = &mut self.client else {
            return Ok(None);
        };
        let rows = client
            .query_typed(
                "SELECT reltuples::pg_catalog.int8 FROM pg_catalog.pg_class WHERE oid = $1",
                &[(&self.oid, Type::OID)],
            )
            .map_err(cannot)?;
        let tuples: Option<i64> = rows.first().and_then(|row| row.try_get(0).ok());
        Ok(tuples.and_then(|tuples| u64::try_from(tuples).ok()))
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => self.store.connect()?,
        };
        if self.store.copy(&mut client, filter, emit)? {
            self.client = Some(client);
        }
        Ok(())
    }
}

impl Postgres {
    /// Runs one scan; false if it was broken off, and the connection is of no more use.
    fn copy(
        &self,
        client: &mut Client,
        filter: &Filter,
        emit: &mut Emit<'_>,
    ) -> Result<bool, StoreError> {
        let cannot = |error| fail(error, self.what("read"));
        let cancel = client.cancel_token();
        client.batch_execute(BEGIN_SCAN).map_err(cannot)?;
        let copy = client.copy_out(&self.copy_statement(filter)).map_err(cannot)?;
        let mut rows = CopyRows::new(copy);
        let whole = rows.pages(emit).map_err(|error| fault::fail_io(error, self.what("read")))?;
        if whole {
            drop(rows);
            client.batch_execute("COMMIT").map_err(cannot)?;
        } else {
            // Closing the connection alone would first read all that the server still has to send.
            let _ = cancel.cancel_query(NoTls);
        }
        Ok(whole)
    }

    /// `COPY` takes no parameters, so values stand in it as literals: a number that we made, and
    /// a text that is quoted.
    fn copy_statement(&self, filter: &Filter) -> String {
        let mut conditions = Vec::new();
        if let Some(now) = filter.live_at {
            // The clocks of this machine, the server and the site may differ: the earlier leaves
            // fewer sessions standing.
            conditions.push(format!("expire_date > LEAST(pg_catalog.now(), {})", timestamptz(now)));
        }
        if let Some(prefix) = &filter.key_prefix {
            conditions.push(format!("pg_catalog.starts_with(session_key, {})", literal(prefix)));
        }
        let condition =
            if conditions.is_empty() { "true".into() } else { conditions.join(" AND ") };
        format!(
            "COPY (SELECT session_key::pg_catalog.text, session_data::pg_catalog.text, \
             expire_date::pg_catalog.timestamptz FROM {} WHERE {condition}) TO STDOUT (FORMAT binary)",
            self.table.quoted()
        )
    }
}

fn timestamptz(instant: Timestamp) -> String {
    format!("pg_catalog.to_timestamp({}::pg_catalog.float8 / 1000000)", instant.as_micros())
}

/// A text as an SQL literal, safe whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    let text = text.replace('\0', "").replace('\\', "\\\\").replace('\'', "''");
    format!("E'{text}'")
}

struct PostgresWriter {
    client: Client,
    delete: String,
    what: String,
}

impl Writer for PostgresWriter {
    fn delete(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        let deleted = self.delete_all(keys);
        if deleted.is_err() {
            // Nothing to save: the transaction is lost either way, and the error is already known.
            let _ = self.client.batch_execute("ROLLBACK");
        }
        deleted.map_err(|error| fail(error, self.what.clone()))
    }
}

impl PostgresWriter {
    fn delete_all(&mut self, keys: &[&str]) -> Result<u64, ::postgres::Error> {
        self.client.batch_execute(BEGIN_BATCH)?;
        let deleted = self.client.execute_typed(&self.delete, &[(&keys, Type::TEXT_ARRAY)])?;
        self.client.batch_execute("COMMIT")?;
        Ok(deleted)
    }
}

//! PostgreSQL. Reads with `COPY`, the cheapest way out of the server. Everything is done inside
//! explicit transactions and without named prepared statements or session settings, so that a
//! pooler in transaction mode may stand in between.

mod allauth;
mod catalog;
mod copy;
mod expired;
mod fault;
mod holders;
mod instance;
mod instant;
mod reader;
mod replica;
mod upkeep;
mod user_column;
mod writer;

use std::time::Duration;

use ::postgres::config::Host;
use ::postgres::{Client, Config, NoTls};

use self::catalog::Right;
use self::fault::fail;
use self::instance::PostgresInstance;
use self::reader::PostgresReader;
use self::writer::PostgresWriter;
use super::{Fault, Instance, Reader, Store, StoreError, Table, Writer};
use crate::consent::Consent;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Where Debian's and most other servers listen, as libpq's default has it there.
const SOCKET_FOLDER: &str = "/var/run/postgresql";

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
}

impl Store for Postgres {
    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        let mut client = self.connect()?;
        let found = self.find(&mut client, Right::Select)?;
        Ok(Box::new(PostgresReader { store: self, client: Some(client), found }))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        let mut client = self.connect()?;
        let found = self.find(&mut client, Right::Write)?;
        Ok(Box::new(PostgresWriter::new(self, client, found)))
    }

    fn instance(&self) -> Box<dyn Instance + '_> {
        Box::new(PostgresInstance::new(self))
    }
}

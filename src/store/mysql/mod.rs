//! Session tables in MySQL and MariaDB. Scans are one streamed SELECT, a consistent snapshot by itself. What is written
//! is one autocommitted statement a batch, at READ COMMITTED and by primary key, so that it locks the rows of the batch
//! and nothing else. The columns of Django's tables are case-insensitive, and session keys and base64 are not: what is
//! found by a column's collation is compared byte by byte, too.

mod capabilities;
mod catalog;
mod checkout;
mod client;
mod connect;
mod conninfo;
mod credentials;
mod deletes;
mod drop_column;
mod expired;
mod facts;
mod fault;
mod filter;
mod grants;
mod indexes;
mod keys;
mod large;
mod params;
mod purge_lock;
mod reader;
mod references;
mod referring;
mod replicas;
mod row;
mod session;
mod source;
mod sql;
mod tls;
mod trust;
mod user_column;
mod users;
mod users_found;
mod writer;

use std::sync::OnceLock;

use self::checkout::Reading;
use self::purge_lock::MySqlPurgeLock;
use self::reader::MySqlReader;
use self::writer::MySqlWriter;
use super::checkout::Idle;
use super::{
    Facts, Fault, Grants, OtherTable, PurgeLock, Purpose, Reader, ReferringColumn, Schemas, Store,
    StoreError, Table, Terms, Traits, Users, Waits, WallClock, Writer,
};
use crate::consent::Consent;
use crate::model::Timestamp;

pub use self::params::{Endpoint, Params, SslMode, Tls};
pub use self::source::MySqlBackend;

/// What the driver reads from the environment before its first packet, a variable and its value: how large a buffer may stay
/// that is free. By default each keeps 4 MiB, one after the other, up to 128 of them, once rows as large came by.
pub const BUFFERS: (&str, &str) = ("MYSQL_ASYNC_BUFFER_SIZE_CAP", "65536");

/// A session table on a server of MySQL or MariaDB.
pub struct MySql {
    params: Params,
    /// Where its replicas are that were named, for `--max-lag`.
    replicas: Vec<Params>,
    table: Table,
    referring: Vec<ReferringColumn>,
    clock: WallClock,
    waits: Waits,
    terms: Terms,
    /// The account, if it may do more than use databases of sites, once that is known.
    strong: OnceLock<Option<String>>,
    idle: Idle<Reading>,
}

impl MySql {
    /// A store for a table on a server. It connects when a reader or a writer is opened.
    pub fn new(params: Params, table: Table, clock: WallClock, waits: Waits, terms: Terms) -> Self {
        let (replicas, referring) = (Vec::new(), Vec::new());
        let (strong, idle) = (OnceLock::new(), Idle::default());
        Self { params, replicas, table, referring, clock, waits, terms, strong, idle }
    }

    /// The same, with replicas at these places.
    #[must_use]
    pub fn with_replicas(self, replicas: Vec<Params>) -> Self {
        Self { replicas, ..self }
    }

    /// The same, with columns of other tables whose rows go with their sessions.
    #[must_use]
    pub fn with_referring(self, referring: Vec<ReferringColumn>) -> Self {
        Self { referring, ..self }
    }

    fn what(&self, doing: &str) -> String {
        format!("cannot {doing} table \"{}\" in {}", self.table, self.params.place())
    }
}

impl Store for MySql {
    fn traits(&self) -> &'static Traits {
        &source::TRAITS
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        Ok(Box::new(MySqlReader::new(self)?))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        Ok(Box::new(MySqlWriter::new(self)?))
    }

    fn facts(&self) -> Result<Facts, StoreError> {
        self.gather_facts()
    }

    fn grants(&self) -> Option<&dyn Grants> {
        Some(self)
    }

    fn schemas(&self) -> Option<&dyn Schemas> {
        Some(self)
    }

    fn purge_lock(&self) -> Box<dyn PurgeLock + '_> {
        Box::new(MySqlPurgeLock::new(self))
    }

    fn others_alike(&self) -> Result<Vec<OtherTable>, StoreError> {
        let (_, tables) = self.check_out(|client| self.alike(client))?;
        let others = tables.into_iter().filter(|other| *other != self.table);
        Ok(others.map(|other| OtherTable { name: other.to_string(), is_in_reach: true }).collect())
    }

    fn renamed_alike(&self) -> Result<Vec<String>, StoreError> {
        let (_, tables) = self.check_out(|client| self.renamed(client))?;
        Ok(tables.iter().map(ToString::to_string).collect())
    }
}

/// A schema is a database here.
impl Schemas for MySql {
    fn schemas(&self) -> Result<Vec<String>, StoreError> {
        self.find_schemas()
    }
}

impl Grants for MySql {
    fn grants(
        &self,
        purposes: &[Purpose],
        users: Option<&Users>,
        role: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        self.gather_grants(purposes, users, role)
    }
}

/// The text to which stored times are compared, to separate those before and after `when`.
fn comparable(bound: Option<String>, when: Timestamp) -> Result<String, StoreError> {
    bound.ok_or_else(|| {
        StoreError::new(Fault::Fatal, format!("cannot compare {when} with stored times"))
    })
}

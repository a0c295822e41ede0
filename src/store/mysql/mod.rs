//! Session tables in MySQL and MariaDB. Scans are one streamed SELECT, a consistent snapshot by itself. What is written
//! is one autocommitted statement a batch, at READ COMMITTED and by primary key, so that it locks the rows of the batch
//! and nothing else. The columns of Django's tables are case-insensitive, and session keys and base64 are not: what is
//! found by a column's collation is compared byte by byte, too.

mod catalog;
mod client;
mod connect;
mod conninfo;
mod fault;
mod params;
mod reader;
mod row;
mod session;
mod source;
mod sql;
mod tls;
mod writer;

use self::reader::MySqlReader;
use self::session::Access;
use self::writer::MySqlWriter;
use super::{
    Fault, OtherTable, Reader, Store, StoreError, Table, Terms, Traits, Waits, WallClock, Writer,
};
use crate::consent::Consent;
use crate::model::Timestamp;

pub use self::params::{Endpoint, Params, SslMode, Tls};
pub use self::source::MySqlBackend;

/// A session table on a server of MySQL or MariaDB.
pub struct MySql {
    params: Params,
    table: Table,
    clock: WallClock,
    waits: Waits,
    terms: Terms,
}

impl MySql {
    /// A store for a table on a server. It connects when a reader or a writer is opened.
    pub fn new(params: Params, table: Table, clock: WallClock, waits: Waits, terms: Terms) -> Self {
        Self { params, table, clock, waits, terms }
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

    fn others_alike(&self) -> Result<Vec<OtherTable>, StoreError> {
        let (mut client, _) = self.connect(Access::Read)?;
        let tables = self.alike(&mut client)?;
        let others = tables.into_iter().filter(|other| {
            other.name() != self.table.name()
                || other.schema().unwrap_or(&self.params.database)
                    != self.table.schema().unwrap_or(&self.params.database)
        });
        Ok(others.map(|other| OtherTable { name: other.to_string(), is_in_reach: true }).collect())
    }
}

/// The text to which stored times are compared, to separate those before and after `when`.
fn comparable(bound: Option<String>, when: Timestamp) -> Result<String, StoreError> {
    bound.ok_or_else(|| {
        StoreError::new(Fault::Fatal, format!("cannot compare {when} with stored times"))
    })
}

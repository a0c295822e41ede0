//! Session tables in PostgreSQL. Scans use `COPY`, the cheapest way to read from the server. All statements
//! run inside explicit transactions, without named prepared statements and without session settings, so that
//! a pooler in transaction mode may be in between.

mod bloat;
mod capabilities;
mod catalog;
mod changes;
mod checkout;
mod client;
mod connect;
mod conninfo;
mod copy;
mod credential_place;
mod credentials;
mod doomed;
mod drop_column;
mod expired;
mod facts;
mod fault;
mod filter;
mod grants;
mod guarded;
mod holders;
mod instant;
mod purge_lock;
mod reader;
mod references;
mod referring;
mod replica;
mod row;
mod sight;
mod source;
mod sql;
mod transaction;
mod truncate;
mod trust;
mod user_column;
mod users;
mod users_found;
mod writer;

use std::sync::OnceLock;

use self::catalog::Right;
use self::client::Client;
use self::purge_lock::PostgresPurgeLock;
use self::reader::PostgresReader;
use self::trust::Powers;
use self::writer::PostgresWriter;
use super::checkout::Idle;
use super::{
    Facts, Grants, OtherTable, PurgeLock, Purpose, Reader, ReferringColumn, Schemas, Store,
    StoreError, Table, Terms, Traits, Users, Waits, Writer,
};
use crate::consent::Consent;

pub use self::conninfo::Conninfo;
pub use self::source::PostgresBackend;

/// A session table on a PostgreSQL server.
pub struct Postgres {
    conninfo: Conninfo,
    table: Table,
    referring: Vec<ReferringColumn>,
    terms: Terms,
    idle: Idle<Client>,
    waits: Waits,
    /// The powers of the role, once they were read.
    powers: OnceLock<Option<Powers>>,
    /// The table that the name found at first.
    oid: OnceLock<u32>,
}

impl Postgres {
    /// A store for a table on a server. It connects when a reader or a writer is opened.
    pub fn new(conninfo: Conninfo, table: Table) -> Self {
        Self {
            conninfo,
            table,
            referring: Vec::new(),
            terms: Terms::default(),
            idle: Idle::default(),
            waits: Waits::default(),
            powers: OnceLock::new(),
            oid: OnceLock::new(),
        }
    }

    /// Sets how long to wait.
    #[must_use]
    pub fn waiting(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }

    /// Sets the columns of other tables whose rows go with their sessions.
    #[must_use]
    pub fn with_referring(self, referring: Vec<ReferringColumn>) -> Self {
        Self { referring, ..self }
    }

    /// Sets what the operator allows.
    #[must_use]
    pub fn on(self, terms: Terms) -> Self {
        Self { terms, ..self }
    }

    /// The servers and the database, without the password.
    fn server(&self) -> String {
        self.conninfo.place()
    }

    fn what(&self, doing: &str) -> String {
        format!("cannot {doing} table \"{}\" in {}", self.table, self.server())
    }
}

impl Store for Postgres {
    fn traits(&self) -> &'static Traits {
        &source::TRAITS
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        let (client, found) = self.check_out(Right::Select)?;
        Ok(Box::new(PostgresReader { store: self, client: Some(client), found, could_tell: false }))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        let (client, found) = self.check_out(Right::Write)?;
        Ok(Box::new(PostgresWriter::new(self, client, found)))
    }

    fn facts(&self) -> Result<Facts, StoreError> {
        self.gather_facts()
    }

    fn grants(&self) -> Option<&dyn Grants> {
        Some(self)
    }

    fn others_alike(&self) -> Result<Vec<OtherTable>, StoreError> {
        self.find_others_alike(&mut self.checkout(self.connect()?))
    }

    fn renamed_alike(&self) -> Result<Vec<String>, StoreError> {
        self.find_renamed_alike(&mut self.checkout(self.connect()?))
    }

    fn schemas(&self) -> Option<&dyn Schemas> {
        Some(self)
    }

    fn purge_lock(&self) -> Box<dyn PurgeLock + '_> {
        Box::new(PostgresPurgeLock::new(self))
    }
}

impl Schemas for Postgres {
    fn schemas(&self) -> Result<Vec<String>, StoreError> {
        self.find_schemas()
    }
}

impl Grants for Postgres {
    fn grants(
        &self,
        purposes: &[Purpose],
        users: Option<&Users>,
        role: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        self.gather_grants(purposes, users, role)
    }
}

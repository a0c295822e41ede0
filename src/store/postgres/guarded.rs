//! Checks the tables of a batch again within its transaction, where code of other roles could run with a
//! superuser's rights.

use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::Postgres;
use super::catalog::{Found, REPLACED};
use super::client::Client;
use super::trust::{ForeignCode, refusal};
use crate::store::{Fault, StoreError};

/// Most rounds of locking tables that were added meanwhile.
const MOST_LOCKS: usize = 3;

/// The tables that are checked again in each batch, because other roles may add code to them.
#[derive(Default)]
pub(super) struct Guarded {
    /// The tables that are written, by names with a schema.
    written: Vec<Place>,
    /// Tables that are read.
    read: Vec<Place>,
    /// The statements that lock the written tables, as the last batch took them.
    locks: String,
}

/// A quoted name, and the table that it found.
struct Place {
    name: String,
    oid: u32,
}

impl Guarded {
    pub(super) fn sessions(found: &Found) -> Self {
        let sessions = Place { name: found.table.quoted(), oid: found.oid };
        Self { written: vec![sessions], ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// Adds a table that is written beside that of the sessions, and returns its name with its schema; `None` if there is
    /// none of this name, or no table is checked.
    pub(super) fn also_written(
        &mut self,
        client: &mut Client,
        name: &str,
    ) -> Result<Option<String>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let Some(oid) = client.resolve(name)? else { return Ok(None) };
        let name: String = client.query_typed_one(QUALIFIED, &[(&oid, Type::OID)])?.try_get(0)?;
        if self.written.iter().all(|known| known.oid != oid) {
            self.written.push(Place { name: name.clone(), oid });
        }
        Ok(Some(name))
    }

    /// Adds a table that is read by this name. Returns it if it is new.
    pub(super) fn also_read(
        &mut self,
        client: &mut Client,
        name: &str,
    ) -> Result<Option<u32>, Error> {
        if self.is_empty() || self.read.iter().any(|table| table.name == name) {
            return Ok(None);
        }
        let oid = client.resolve(name)?;
        self.read.extend(oid.map(|oid| Place { name: name.to_owned(), oid }));
        Ok(oid)
    }

    /// Whether each name leads to the table that it found at first.
    fn are_in_place(&self, client: &mut Client) -> Result<bool, Error> {
        let places = || self.written.iter().chain(&self.read);
        let names: Vec<&str> = places().map(|table| table.name.as_str()).collect();
        let oids: Vec<u32> = places().map(|table| table.oid).collect();
        Ok(client.resolve_all(&names)? == oids)
    }
}

/// A table's name with its schema.
const QUALIFIED: &str = "
    SELECT pg_catalog.quote_ident(nspname) || '.' || pg_catalog.quote_ident(relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace WHERE c.oid = $1";

impl Postgres {
    /// Called within the writing transaction: locks the tables, so that other roles cannot change them until
    /// its end, and checks them again. A grantee can only add triggers and foreign keys, which a writer's lock
    /// blocks; an owner can do more, so tables of other roles get a stronger lock. The names, of these tables and of
    /// others that the transaction reads, must still lead to the tables that were checked: their owner can put
    /// others in their place.
    pub(super) fn lock_and_look(
        &self,
        client: &mut Client,
        guarded: &mut Guarded,
        what: &str,
    ) -> Result<Result<(), StoreError>, Error> {
        for _ in 0..MOST_LOCKS {
            let tables: Vec<u32> = guarded.written.iter().map(|table| table.oid).collect();
            let code = ForeignCode::behind(client, &guarded.locks, &tables)?;
            if !code.is_empty()
                && let Some(powers) = self.powers(client)?
            {
                return Ok(Err(refusal(what.to_owned(), &code, powers)));
            }
            if code.locks == guarded.locks {
                let replaced = || StoreError::new(Fault::Fatal, what).because(REPLACED);
                return Ok(guarded.are_in_place(client)?.then_some(()).ok_or_else(replaced));
            }
            guarded.locks = code.locks;
        }
        Ok(Err(StoreError::new(Fault::Busy, what).because("its parts change all the time")))
    }
}

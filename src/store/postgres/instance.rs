use tokio_postgres::types::Type;

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use crate::store::{Instance, StoreError};

/// The number of the advisory lock, the same for every table of a database: `sessctl` in ASCII.
const LOCK: i64 = 0x73_65_73_73_63_74_6c;

/// An advisory lock that is held by a transaction of its own, which has neither snapshot nor
/// transaction number and so keeps nothing from being vacuumed. One held by a session would be lost
/// or left behind in a pooler in transaction mode.
pub(super) struct PostgresInstance<'s> {
    store: &'s Postgres,
    client: Option<Client>,
}

impl<'s> PostgresInstance<'s> {
    pub(super) fn new(store: &'s Postgres) -> Self {
        Self { store, client: None }
    }
}

impl Instance for PostgresInstance<'_> {
    fn claim(&mut self) -> Result<bool, StoreError> {
        let alive = |client: &mut Client| client.batch_execute("SELECT 1").is_ok();
        if self.client.as_mut().is_some_and(alive) {
            return Ok(true);
        }
        self.client = None;
        let mut client = self.store.connect()?;
        let claimed = try_lock(&mut client)
            .map_err(|error| fail(error, format!("cannot lock {}", self.store.server())))?;
        self.client = claimed.then_some(client);
        Ok(claimed)
    }
}

fn try_lock(client: &mut Client) -> Result<bool, tokio_postgres::Error> {
    client.batch_execute(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0",
    )?;
    let sql = "SELECT pg_catalog.pg_try_advisory_xact_lock($1)";
    client.query_typed_one(sql, &[(&LOCK, Type::INT8)])?.try_get(0)
}

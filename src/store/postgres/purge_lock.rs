//! The lock that allows one purge at a time: an advisory lock of PostgreSQL.

use tokio_postgres::types::Type;

use super::Postgres;
use super::client::Client;
use super::fault::fail;
use crate::store::{Holder, LockAttempt, PurgeLock, StoreError};

/// The number of the advisory lock, the same for every table of a database: `sessctl` in ASCII.
const LOCK: i64 = 0x73_65_73_73_63_74_6c;

/// No code of the site runs in this transaction, so operators and types need not be named in full.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0; \
    SET LOCAL search_path = pg_catalog, pg_temp";
const TRY: &str = "SELECT pg_catalog.pg_try_advisory_xact_lock($1)";
/// Most attempts while no holder is visible: the holder may have ended just now.
const ATTEMPTS: u32 = 3;

/// The holder of the lock: whether it is a session of this role that is called sessctl or like this session,
/// and a description for messages. A session of another role can choose any name.
const HOLDER: &str = "
    SELECT coalesce(a.usesysid = me.usesysid AND a.application_name IN (me.application_name, 'sessctl'), false),
           coalesce('pid ' || l.pid, 'a prepared transaction') || ' (user ' || coalesce(a.usename, '?')
           || ', application ' || coalesce(nullif(a.application_name, ''), '?') || ')'
    FROM pg_catalog.pg_locks l
    JOIN pg_catalog.pg_stat_activity me ON me.pid = pg_catalog.pg_backend_pid()
    LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.classid::int8 = $1 AND l.objid::int8 = $2
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ORDER BY 1 DESC LIMIT 1";

/// The purge lock: an advisory lock held by a transaction of its own. That transaction has neither a snapshot
/// nor a transaction number, so it does not hinder vacuum. A session-level lock would be lost or left behind
/// in a pooler in transaction mode.
pub(super) struct PostgresPurgeLock<'s> {
    store: &'s Postgres,
    client: Option<Client>,
}

impl<'s> PostgresPurgeLock<'s> {
    pub(super) fn new(store: &'s Postgres) -> Self {
        Self { store, client: None }
    }
}

impl PurgeLock for PostgresPurgeLock<'_> {
    fn try_acquire(&mut self) -> Result<LockAttempt, StoreError> {
        let alive = |client: &mut Client| client.batch_execute("SELECT 1").is_ok();
        if self.client.as_mut().is_some_and(alive) {
            return Ok(LockAttempt::Acquired);
        }
        self.client = None;
        let mut client = self.store.connect()?;
        let attempt = try_lock(&mut client)
            .map_err(|error| fail(error, format!("cannot lock {}", self.store.server())))?;
        self.client = (attempt == LockAttempt::Acquired).then_some(client);
        Ok(attempt)
    }
}

fn try_lock(client: &mut Client) -> Result<LockAttempt, tokio_postgres::Error> {
    client.batch_execute(BEGIN)?;
    let (high, low) = (LOCK >> 32, LOCK & 0xffff_ffff);
    for _ in 0..ATTEMPTS {
        if client.query_typed_one(TRY, &[(&LOCK, Type::INT8)])?.try_get(0)? {
            return Ok(LockAttempt::Acquired);
        }
        let holder = client.query_typed_opt(HOLDER, &[(&high, Type::INT8), (&low, Type::INT8)])?;
        if let Some(row) = holder {
            let is_sessctl = row.try_get(0)?;
            let who = row.try_get(1)?;
            let holder = if is_sessctl { Holder::Sessctl } else { Holder::Unknown(who) };
            return Ok(LockAttempt::Held(holder));
        }
    }
    Ok(LockAttempt::Held(Holder::Unknown("sessions that come and go".into())))
}

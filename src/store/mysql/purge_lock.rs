//! The lock that allows one purge at a time: a named lock of the server, on a connection of its own. It ends with that
//! connection. In a Galera cluster, or a replication group, it is known to one node only.

use super::MySql;
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::{number, text};
use super::session::Access;
use crate::store::{Holder, LockAttempt, PurgeLock, StoreError};

/// The lock's name holds for the whole server, at most 64 characters, and MySQL takes letters of either case for the same: a hash of
/// the database's name. MySQL 9.7 has neither MD5 nor SHA1.
const NAME: &str = "CONCAT('sessctl-purge-', LEFT(SHA2(LOWER(DATABASE()), 256), 40))";

/// Most attempts while no holder is visible: the holder may have ended just now.
const ATTEMPTS: u32 = 3;

pub(super) struct MySqlPurgeLock<'s> {
    store: &'s MySql,
    client: Option<Client>,
}

impl<'s> MySqlPurgeLock<'s> {
    pub(super) fn new(store: &'s MySql) -> Self {
        Self { store, client: None }
    }
}

impl PurgeLock for MySqlPurgeLock<'_> {
    fn try_acquire(&mut self) -> Result<LockAttempt, StoreError> {
        let sql = format!("SELECT IS_USED_LOCK({NAME}) = CONNECTION_ID()");
        let holds = |client: &mut Client| {
            let row = client.first(&sql, Vec::new());
            row.is_ok_and(|row| row.and_then(|row| number(&row, 0)) == Some(1))
        };
        if self.client.as_mut().is_some_and(holds) {
            return Ok(LockAttempt::Acquired);
        }
        self.client = None;
        let (mut client, _) = self.store.connect(Access::Read)?;
        let attempt = try_lock(&mut client).map_err(|failure| {
            fail(failure, format!("cannot lock {}", self.store.params.place()))
        })?;
        self.client = (attempt == LockAttempt::Acquired).then_some(client);
        Ok(attempt)
    }
}

fn try_lock(client: &mut Client) -> Result<LockAttempt, Failure> {
    for _ in 0..ATTEMPTS {
        let got = client.first(&format!("SELECT GET_LOCK({NAME}, 0)"), Vec::new())?;
        if got.and_then(|row| number(&row, 0)) == Some(1) {
            return Ok(LockAttempt::Acquired);
        }
        let held = client.first(&format!("SELECT IS_USED_LOCK({NAME})"), Vec::new())?;
        if let Some(id) = held.and_then(|row| number(&row, 0)) {
            return Ok(LockAttempt::Held(holder(client, id)?));
        }
    }
    Ok(LockAttempt::Held(Holder::Unknown("sessions that come and go".into())))
}

/// Without PROCESS an account sees its own connections only.
fn holder(client: &mut Client, id: u64) -> Result<Holder, Failure> {
    const WHO: &str = "SELECT user, user = SUBSTRING_INDEX(USER(), '@', 1) FROM information_schema.processlist WHERE id = ?";
    Ok(match client.first(WHO, vec![id.into()])? {
        Some(row) if number(&row, 1) == Some(1) => Holder::Sessctl,
        Some(row) => Holder::Unknown(format!("connection {id} (user {})", text(&row, 0))),
        None => Holder::Unknown(format!("connection {id} of another account")),
    })
}

//! Empties the session table with one TRUNCATE.

use tokio_postgres::error::SqlState;

use super::transaction::Failed;
use super::writer::PostgresWriter;
use crate::store::{StoreError, Truncator};

/// Begins a TRUNCATE. ACCESS EXCLUSIVE blocks every later query, so give up after 1 s.
const BEGIN_TRUNCATE: &str = "BEGIN READ WRITE; SET LOCAL lock_timeout = '1s'";

impl Truncator for PostgresWriter<'_> {
    fn truncate(&mut self) -> Result<(), StoreError> {
        const DOING: &str = "truncate";
        let sql = format!("TRUNCATE {}; COMMIT", self.found.table.quoted());
        let begin = format!("{BEGIN_TRUNCATE}; {}; {}", self.limits(), self.without_jit());
        let done = self.client.batch_execute(&begin);
        let done = done.map_err(Failed::Server);
        let done = done.and_then(|()| self.guard(DOING));
        match done.and_then(|()| Ok(self.client.batch_execute(&sql)?)) {
            Ok(()) => Ok(()),
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                let error = self.give_up(error, DOING);
                Err(self.store.name_holders(&mut self.client, self.found.oid, error))
            }
            Err(error) => {
                let denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
                let error = self.give_up(error, DOING);
                Err(if denied {
                    error.hint("grant the role TRUNCATE on the table, or leave --truncate out")
                } else {
                    error
                })
            }
        }
    }
}

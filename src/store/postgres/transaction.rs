//! Runs a statement of the writer in a short transaction of its own, with a lock timeout, and rolls back what fails.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::client::Client;
use super::fault::fail;
use super::grants::{Need, hint};
use super::row::push;
use super::sql::BY_KEY;
use super::writer::PostgresWriter;
use crate::model::Page;
use crate::store::StoreError;
use crate::store::waits::Work;

/// Begins a batch. It waits only briefly for locks that requests hold, and retries later: a request that
/// queues behind a waiting batch delays a user. READ COMMITTED suffices, whatever the role's default level
/// is.
const BEGIN_BATCH: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '2s'";
/// Turns JIT off. Triggers and foreign keys run with these settings too, and the planner settings of a batch
/// raise estimated costs so far that each statement would be compiled, for every row (PostgreSQL docs §32.2).
/// To compile the search for code of other roles takes ten seconds.
const WITHOUT_JIT: &str = "SET LOCAL jit = off";
/// `lock_timeout` does not reach the locks of a foreign server.
const FOREIGN_TIMEOUT: &str = "SET LOCAL statement_timeout = '5s'";

/// Why a transaction failed.
pub(super) enum Failed {
    /// The server reported an error.
    Server(Error),
    /// It would have run code of other roles.
    Untrusted(StoreError),
}

impl Failed {
    pub(super) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Server(error) => error.code(),
            Self::Untrusted(_) => None,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl PostgresWriter<'_> {
    /// Settings that make the server end a batch that takes too long, and the transaction of a client that is
    /// gone, unless the role has its own limits.
    pub(super) fn limits(&self) -> String {
        if !self.found.is_genuine {
            return String::new();
        }
        let millis = self.store.waits.patience(Work::Batch).as_millis().max(1);
        let limit = |name: &str| {
            format!(
                "SELECT pg_catalog.set_config('{name}', '{millis}', true) \
                 WHERE pg_catalog.current_setting('{name}') OPERATOR(pg_catalog.=) '0'"
            )
        };
        let [statement, idle] = ["statement_timeout", "idle_in_transaction_session_timeout"];
        format!("{}; {}", limit(statement), limit(idle))
    }

    pub(super) fn without_jit(&self) -> &'static str {
        if self.found.is_genuine { WITHOUT_JIT } else { "" }
    }

    /// Runs one statement in a transaction of its own.
    pub(super) fn batch(
        &mut self,
        doing: &str,
        plan: &str,
        sql: &str,
        values: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<u64, StoreError> {
        let done = self.transaction(doing, plan, |client| client.execute_typed(sql, values));
        done.map_err(|error| self.give_up(error, doing))
    }

    /// Runs `run` in a transaction of its own. If it fails, the caller must roll back.
    pub(super) fn transaction<T>(
        &mut self,
        doing: &str,
        plan: &str,
        run: impl FnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Failed> {
        let timeout = if self.found.has_foreign_parts { FOREIGN_TIMEOUT } else { "" };
        let jit = self.without_jit();
        let begin = format!("{BEGIN_BATCH}; {}; {plan}; {jit}; {timeout}", self.limits());
        self.client.batch_execute(&begin)?;
        self.guard(doing)?;
        let done = run(&mut self.client)?;
        self.client.batch_execute("COMMIT")?;
        Ok(done)
    }

    /// Called within a transaction: makes sure that it runs no code that other roles added meanwhile.
    pub(super) fn guard(&mut self, doing: &str) -> Result<(), Failed> {
        if self.guarded.is_empty() {
            return Ok(());
        }
        self.store
            .lock_and_look(&mut self.client, &mut self.guarded, &self.store.what(doing))?
            .map_err(Failed::Untrusted)
    }

    pub(super) fn give_up(&mut self, error: impl Into<Failed>, doing: &str) -> StoreError {
        let right = if doing == "update" { "UPDATE" } else { "SELECT" };
        let table = &self.store.table;
        let needs = [Need::of("SELECT", table), Need::of(right, table)];
        self.give_up_for(error, doing, &needs)
    }

    /// The same; `needs` are the rights one of which may be missing.
    pub(super) fn give_up_for(
        &mut self,
        error: impl Into<Failed>,
        doing: &str,
        needs: &[Need],
    ) -> StoreError {
        // A failure to roll back does not matter: the transaction is lost either way, and the error is
        // already known.
        let _ = self.client.batch_execute("ROLLBACK");
        let error = match error.into() {
            Failed::Server(error) => error,
            Failed::Untrusted(error) => return error,
        };
        let timed_out = error.code() == Some(&SqlState::QUERY_CANCELED);
        let denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
        let error = fail(error, self.store.what(doing));
        match denied.then(|| hint(&mut self.client, needs)).flatten() {
            Some(hint) => error.hint(hint),
            None if timed_out && self.found.has_foreign_parts => error.busy(),
            None => error,
        }
    }

    pub(super) fn read_page(&mut self, sql: &str, keys: &[&str]) -> Result<Page, Error> {
        let begin = format!("{BEGIN_BATCH}; {}; {BY_KEY}", self.limits());
        self.client.batch_execute(&begin)?;
        let mut page = Page::default();
        let times = self.found.times;
        {
            let mut found = self.client.query_typed_raw(sql, [(keys, Type::TEXT_ARRAY)])?;
            while let Some(row) = found.next()? {
                push(&mut page, times, &row)?;
            }
        }
        self.client.batch_execute("COMMIT")?;
        Ok(page)
    }
}

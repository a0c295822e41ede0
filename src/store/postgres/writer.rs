//! The writing connection: deletes rows, replaces their data, and fills the user column, in short
//! transactions with a lock timeout.

use std::rc::Rc;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::catalog::Found;
use super::checkout::Checkout;
use super::client::Client;
use super::doomed::Doomed;
use super::fault::fail;
use super::grants::{Need, hint};
use super::guarded::Guarded;
use super::instant::{EVER, instant};
use super::replica::Replicas;
use super::row::{columns, columns_of_batch, push};
use super::sql::{BY_ADDRESS, BY_KEY, IS_UNCHANGED, NAMED, PAIRED};
use crate::model::{Page, Timestamp};
use crate::store::waits::Work;
use crate::store::{
    AllauthWriter, Assigned, Assignment, BATCH, BatchBudget, Cursor, ExpiryWriter, Fault, Gone,
    Locked, Reference, Replacement, ReplicaLag, Rewriter, StoreError, Truncator, UserColumn,
    UserColumnWriter, Window, Writer,
};

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
/// Begins a TRUNCATE. ACCESS EXCLUSIVE blocks every later query, so give up after 1 s.
const BEGIN_TRUNCATE: &str = "BEGIN READ WRITE; SET LOCAL lock_timeout = '1s'";
/// Waits for a lock no longer than a typical request takes.
const BRIEF_WAIT: &str = "SET LOCAL lock_timeout = '50ms'";
/// Most rows in a window: enough to make reading them cheap, few enough to hold in memory.
const WINDOW: usize = 100_000;

pub(super) struct PostgresWriter<'s> {
    pub(super) store: &'s Postgres,
    pub(super) client: Checkout<'s>,
    pub(super) found: Found,
    replicas: Replicas,
    /// Foreign keys of other tables, once they were read.
    pub(super) references: Option<Rc<[Reference]>>,
    /// The tables to write to, if other roles may add code to them.
    pub(super) guarded: Guarded,
}

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

impl<'s> PostgresWriter<'s> {
    pub(super) fn new(store: &'s Postgres, client: Checkout<'s>, found: Found) -> Self {
        let guarded = if found.is_guarded { Guarded::sessions(&found) } else { Guarded::default() };
        let replicas = Replicas::default();
        let writer = Self { store, client, found, replicas, references: None, guarded };
        writer.wait_for_batches();
        writer
    }

    /// Lets the server's own limit end a batch before our wait does.
    fn wait_for_batches(&self) {
        self.client.wait_longer_than(self.store.waits.patience(Work::Batch));
    }

    /// Settings that make the server end a batch that takes too long, and the transaction of a client that is
    /// gone, unless the role has its own limits.
    fn limits(&self) -> String {
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

    fn without_jit(&self) -> &'static str {
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
    fn guard(&mut self, doing: &str) -> Result<(), Failed> {
        if self.guarded.is_empty() {
            return Ok(());
        }
        self.store
            .lock_and_look(&mut self.client, &mut self.guarded, &self.store.what(doing))?
            .map_err(Failed::Untrusted)
    }

    pub(super) fn give_up(&mut self, error: impl Into<Failed>, doing: &str) -> StoreError {
        let right = match doing {
            "delete from" => "DELETE",
            "update" => "UPDATE",
            "truncate" => "TRUNCATE",
            _ => "SELECT",
        };
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

    fn read_page(&mut self, sql: &str, keys: &[&str]) -> Result<Page, Error> {
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

impl Writer for PostgresWriter<'_> {
    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        self.delete_rows(keys, &Doomed::by_key(BY_KEY))
    }

    fn count(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        let sql =
            format!("SELECT pg_catalog.count(*) FROM {} WHERE {NAMED}", self.found.table.quoted());
        let counted = self.transaction("read", BY_KEY, |client| {
            let rows = client.query_typed(&sql, &[(&keys, Type::TEXT_ARRAY)])?;
            rows.first().map_or(Ok(0), |row| row.try_get::<_, i64>(0))
        });
        let rows = counted.map_err(|error| self.give_up(error, "read"))?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }

    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError> {
        let columns = if keys.len() > 1 { columns_of_batch } else { columns };
        let sql = format!(
            "SELECT {} FROM {} WHERE {NAMED}",
            columns(self.found.times),
            self.found.table.quoted()
        );
        self.read_page(&sql, keys).map_err(|error| self.give_up(error, "read"))
    }

    /// A batch blocks only sessions that want the same rows, so no pause is needed.
    fn batch_budget(&mut self) -> BatchBudget {
        BatchBudget { batch: BATCH, rest: Duration::ZERO }
    }

    fn expiry(&mut self) -> Option<&mut dyn ExpiryWriter> {
        Some(self)
    }

    fn user_columns(&mut self) -> Option<&mut dyn UserColumnWriter> {
        Some(self)
    }

    fn rewriting(&mut self) -> Option<&mut dyn Rewriter> {
        Some(self)
    }

    fn allauth(&mut self) -> Option<&mut dyn AllauthWriter> {
        Some(self)
    }

    fn truncation(&mut self) -> Option<&mut dyn Truncator> {
        Some(self)
    }

    fn replicas(&mut self) -> Option<&mut dyn ReplicaLag> {
        Some(self)
    }
}

impl AllauthWriter for PostgresWriter<'_> {
    fn delete_with_allauth(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        self.delete_both(keys)
    }
}

impl Rewriter for PostgresWriter<'_> {
    fn replace(&mut self, rows: &[Replacement<'_>]) -> Result<u64, StoreError> {
        let sql = format!(
            "UPDATE {} AS t SET session_data = n.new \
             FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), \
                 pg_catalog.unnest($3), pg_catalog.unnest($4)) AS n (key, was, hash, new) \
             WHERE {PAIRED} AND {IS_UNCHANGED}",
            self.found.table.quoted()
        );
        let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        let was: Vec<_> = rows.iter().map(|row| row.old.text()).collect();
        let hashes: Vec<_> = rows.iter().map(|row| row.old.sha256()).collect();
        let new: Vec<_> = rows.iter().map(|row| row.new).collect();
        let values: [(&(dyn ToSql + Sync), Type); 4] = [
            (&keys, Type::TEXT_ARRAY),
            (&was, Type::TEXT_ARRAY),
            (&hashes, Type::BYTEA_ARRAY),
            (&new, Type::TEXT_ARRAY),
        ];
        self.batch("update", BY_KEY, &sql, &values)
    }
}

impl UserColumnWriter for PostgresWriter<'_> {
    fn add_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.add_column(column)
    }

    fn assign(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError> {
        self.assign_users(column, rows, overwrite)
    }

    fn index_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.client.wait_for(Work::Build);
        let indexed = self.index_column(column);
        self.wait_for_batches();
        indexed
    }
}

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

impl ExpiryWriter for PostgresWriter<'_> {
    fn pick_expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError> {
        self.store.demand_instants(&self.found)?;
        let limit = limit.min(WINDOW);
        let picked = match from.and_then(|place| Some((instant(place), place.row.as_deref()?))) {
            Some((expires, row)) => self.pick_ties(expires, row, limit),
            None => self.pick_by_expiry(from.map_or(EVER, instant), cutoff, limit),
        };
        picked.map_err(|error| self.give_up(error, "read"))
    }

    /// Locking a row before deleting it, to skip it if it is locked, writes it twice. Few expired rows are
    /// locked, so a batch is first tried without.
    fn delete_expired(
        &mut self,
        rows: &[&str],
        cutoff: Timestamp,
        locked: Locked,
    ) -> Result<Gone, StoreError> {
        let plan = if self.found.has_row_addresses { BY_ADDRESS } else { BY_KEY };
        let waiting = self.expired_rows(plan, Locked::Wait, cutoff);
        if locked == Locked::Wait || !self.found.can_skip_locked {
            return self.delete_rows(rows, &waiting);
        }
        let brief = format!("{plan}; {BRIEF_WAIT}");
        match self.delete_rows(rows, &Doomed { plan: &brief, ..waiting }) {
            Err(error) if error.fault() == Fault::Busy => {
                self.delete_rows(rows, &self.expired_rows(plan, Locked::Skip, cutoff))
            }
            done => done,
        }
    }

    /// PostgreSQL answers an ANALYZE by a role without the right with a mere warning, so check the right.
    fn demand_analyze(&mut self) -> Result<(), StoreError> {
        const MAY: &str = "SELECT pg_catalog.pg_has_role(relowner, 'USAGE') \
                           FROM pg_catalog.pg_class WHERE oid = $1";
        let asked = self.client.query_typed_one(MAY, &[(&self.found.oid, Type::OID)]);
        match asked.and_then(|row| row.try_get(0)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::new(Fault::Fatal, self.store.what("analyze"))
                .because("the role does not own it")
                .hint("leave --analyze out; autovacuum renews the statistics too")),
            Err(error) => Err(fail(error, self.store.what("analyze"))),
        }
    }

    fn analyze(&mut self) -> Result<(), StoreError> {
        let sql = format!("ANALYZE {}", self.found.table.quoted());
        self.client.wait_for(Work::Build);
        let analyzed = self.client.batch_execute(&sql);
        self.wait_for_batches();
        analyzed.map_err(|error| fail(error, self.store.what("analyze")))
    }
}

impl ReplicaLag for PostgresWriter<'_> {
    fn replica_lag(&mut self) -> Result<Option<Duration>, StoreError> {
        self.replicas
            .lag(&mut self.client)
            .map_err(|error| fail(error, self.store.what("see the replicas of")))?
    }
}

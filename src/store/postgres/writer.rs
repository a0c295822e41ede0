//! The writing connection: deletes rows, replaces their data, and fills the user column, in short
//! transactions with a lock timeout.

use std::rc::Rc;
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::catalog::Found;
use super::changes;
use super::checkout::Checkout;
use super::doomed::Doomed;
use super::fault::fail;
use super::guarded::Guarded;
use super::instant::{EVER, instant};
use super::referring::Referring;
use super::replica::Replicas;
use super::row::{columns, columns_of_batch};
use super::sql::{BY_ADDRESS, BY_KEY, IS_UNCHANGED, NAMED, PAIRED};
use crate::model::{Page, Timestamp};
use crate::store::waits::Work;
use crate::store::{
    Assigned, Assignment, BATCH, BatchBudget, CredentialTable, Cursor, ExpiryWriter, Fault, Gone,
    Locked, Mark, Reference, Replacement, ReplicaLag, Rewriter, StoreError, Truncator, UserColumn,
    UserColumnWriter, Window, Writer,
};

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
    /// The tables and columns whose rows go with their sessions, once they were found.
    pub(super) referring: Option<Rc<[Referring]>>,
    /// The tables to write to, if other roles may add code to them.
    pub(super) guarded: Guarded,
}

impl<'s> PostgresWriter<'s> {
    pub(super) fn new(store: &'s Postgres, client: Checkout<'s>, found: Found) -> Self {
        let guarded = if found.is_guarded { Guarded::sessions(&found) } else { Guarded::default() };
        let replicas = Replicas::default();
        let (references, referring) = (None, None);
        let writer = Self { store, client, found, replicas, references, referring, guarded };
        writer.wait_for_batches();
        writer
    }

    /// Lets the server's own limit end a batch before our wait does.
    fn wait_for_batches(&self) {
        self.client.wait_longer_than(self.store.waits.patience(Work::Batch));
    }
}

impl Writer for PostgresWriter<'_> {
    fn end_credentials(
        &mut self,
        table: &CredentialTable,
        schema: Option<&str>,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        self.end_those(table, schema, ids)
    }

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

    fn mark(&mut self) -> Result<Option<Mark>, StoreError> {
        let marked = changes::mark(&mut self.client, &self.found);
        marked.map_err(|error| fail(error, self.store.what("read")))
    }

    /// A batch blocks only sessions that want the same rows, so no pause is needed.
    fn batch_budget(&mut self) -> BatchBudget {
        BatchBudget { batch: BATCH, rest: Duration::ZERO }
    }

    fn time_under_way(&mut self) -> Duration {
        self.client.time_under_way()
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

    fn truncation(&mut self) -> Option<&mut dyn Truncator> {
        Some(self)
    }

    fn replicas(&mut self) -> Option<&mut dyn ReplicaLag> {
        Some(self)
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

    fn drop_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.client.wait_for(Work::Build);
        let dropped = self.drop_column(column);
        self.wait_for_batches();
        dropped
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

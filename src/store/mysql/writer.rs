//! The writing connection: deletes rows by their keys, replaces their data, and fills the user column.

use std::rc::Rc;
use std::time::Duration;

use mysql_async::Value;

use super::MySql;
use super::catalog::{Found, bound};
use super::client::Client;
use super::fault::{Failure, fail};
use super::keys::{MOST_KEYS, Named, UNCHANGED, joined_with};
use super::large::{self, PIECE};
use super::referring::Referring;
use super::replicas::Replicas;
use super::row::{MOST_BYTES_OF_BATCH, columns, data, number, push, text};
use super::session::{Access, LOCK_WAIT};
use super::sql::{quote, quoted};
use crate::model::{Data, Page, Timestamp};
use crate::store::waits::Work;
use crate::store::{
    Assigned, Assignment, CredentialTable, Cursor, ExpiryWriter, Fault, Gone, Locked, Reference,
    Replacement, ReplicaLag, Rewriter, StoreError, Truncator, UserColumn, UserColumnWriter, Window,
    Writer,
};

/// Most bytes of new data in one statement: much less than any server's `max_allowed_packet`.
const MOST_NEW_BYTES: usize = 1 << 20;

const MAY_NEITHER: &str = "grant the account DELETE on the table, or for backfill UPDATE (`sessctl doctor --grants` prints what each command needs), or connect as another";

/// Which rows with the keys of a batch to delete, and how.
#[derive(Clone, Copy)]
pub(super) struct How<'h> {
    /// Only those that expired before this.
    pub(super) before: Option<&'h str>,
    /// What to do with locked rows.
    pub(super) locked: Locked,
}

pub(super) struct MySqlWriter<'s> {
    pub(super) store: &'s MySql,
    pub(super) client: Client,
    pub(super) found: Found,
    /// Foreign keys of other tables, once they were read.
    pub(super) references: Option<Rc<[Reference]>>,
    /// The tables whose rows go with their sessions, once they were read.
    pub(super) referring: Option<Rc<[Referring]>>,
    /// Whether the server knows `SKIP LOCKED`, as far as it is known.
    pub(super) skips_locked: bool,
    /// How many seconds it waits for locked rows now, and may wait at least.
    lock_wait: u32,
    pub(super) shortest_lock_wait: u32,
    replicas: Replicas,
}

impl<'s> MySqlWriter<'s> {
    pub(super) fn new(store: &'s MySql) -> Result<Self, StoreError> {
        let (mut client, server) = store.connect(Access::Write)?;
        let found = store.find(&mut client)?;
        // Asks the server whether the account may delete, or at least update a column, as for backfill.
        let sql = Named::new(&store.table, &found, &[""], None).delete();
        let may = client.prepare(&sql).or_else(|failure| {
            let table = quoted(&store.table);
            let updates = found.columns.iter().any(|column| {
                let name = quote(&column.name);
                client.prepare(&format!("UPDATE {table} SET {name} = {name}")).is_ok()
            });
            if updates { Ok(()) } else { Err(failure) }
        });
        may.map_err(|failure| {
            let is_denied = matches!(failure.code(), Some(1142 | 1143));
            let error = fail(failure, store.what("delete from"));
            if is_denied { error.hint(MAY_NEITHER) } else { error }
        })?;
        let replicas = Replicas::of(store);
        Ok(Self {
            store,
            client,
            found,
            references: None,
            referring: None,
            skips_locked: true,
            lock_wait: LOCK_WAIT,
            shortest_lock_wait: server.shortest_lock_wait(),
            replicas,
        })
    }

    /// From now on a statement waits for locked rows for so many seconds.
    pub(super) fn wait_for_locks(&mut self, seconds: u32) -> Result<(), Failure> {
        if self.lock_wait != seconds {
            let sql = format!("SET SESSION innodb_lock_wait_timeout = {seconds}");
            self.client.execute(&sql)?;
            self.lock_wait = seconds;
        }
        Ok(())
    }

    pub(super) fn demand_trust(&mut self) -> Result<(), StoreError> {
        self.store.demand_trust(&mut self.client, &self.store.table)
    }
}

impl Writer for MySqlWriter<'_> {
    fn time_under_way(&mut self) -> Duration {
        self.client.time_under_way()
    }

    fn end_credentials(
        &mut self,
        table: &CredentialTable,
        _: Option<&str>,
        ids: &[String],
    ) -> Result<u64, StoreError> {
        self.end_those(table, ids)
    }

    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        self.delete_rows(keys, How { before: None, locked: Locked::Wait })
    }

    fn count(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        self.demand_trust()?;
        let mut there = 0;
        for keys in keys.chunks(MOST_KEYS) {
            let named = Named::new(&self.store.table, &self.found, keys, None);
            let row = self.client.first(&named.select("COUNT(*)"), named.values);
            let row = row.map_err(|failure| fail(failure, self.store.what("read")))?;
            there += row.and_then(|row| number(&row, 0)).unwrap_or(0);
        }
        Ok(there)
    }

    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError> {
        self.demand_trust()?;
        let is_one = keys.len() == 1;
        let most = if is_one { PIECE } else { MOST_BYTES_OF_BATCH };
        let cannot = |failure| fail(failure, self.store.what("read"));
        let mut page = Page::default();
        for keys in keys.chunks(MOST_KEYS) {
            let named = Named::new(&self.store.table, &self.found, keys, None);
            let rows = self.client.query(&named.select(&columns(most)), named.values);
            for row in rows.map_err(cannot)? {
                let clock = &self.store.clock;
                if is_one && large::is_left_out(&row) {
                    let read = |data: Data<&[u8]>| push(&mut page, clock, &row, data, None);
                    large::read(&mut self.client, self.store, &self.found, &row, read)
                        .map_err(cannot)?;
                } else {
                    push(&mut page, clock, &row, data(&row), None);
                }
            }
        }
        Ok(page)
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

impl ReplicaLag for MySqlWriter<'_> {
    fn replica_lag(&mut self) -> Result<Option<Duration>, StoreError> {
        self.replicas.lag()
    }
}

impl ExpiryWriter for MySqlWriter<'_> {
    fn pick_expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError> {
        self.demand_trust()?;
        self.client.wait_for(Work::Scan);
        let picked = self.store.pick(&mut self.client, &self.found, cutoff, from, limit);
        self.client.wait_for(Work::Batch);
        picked
    }

    fn delete_expired(
        &mut self,
        rows: &[&str],
        cutoff: Timestamp,
        locked: Locked,
    ) -> Result<Gone, StoreError> {
        let bound = super::comparable(self.store.clock.expired_bound(cutoff), cutoff)?;
        self.delete_rows(rows, How { before: Some(&bound), locked })
    }

    /// ANALYZE TABLE needs SELECT and INSERT.
    fn demand_analyze(&mut self) -> Result<(), StoreError> {
        let sql = format!("INSERT INTO {} (session_key) VALUES (?)", quoted(&self.store.table));
        self.client.prepare(&sql).map_err(|failure| {
            fail(failure, self.store.what("analyze"))
                .hint("ANALYZE TABLE needs SELECT and INSERT on the table; or leave --analyze out")
        })
    }

    fn analyze(&mut self) -> Result<(), StoreError> {
        let sql = format!("ANALYZE NO_WRITE_TO_BINLOG TABLE {}", quoted(&self.store.table));
        self.client.wait_for(Work::Build);
        let analyzed = self.client.query(&sql, Vec::new());
        self.client.wait_for(Work::Batch);
        let rows = analyzed.map_err(|failure| fail(failure, self.store.what("analyze")))?;
        // What failed is a row that says so.
        match rows.iter().find(|row| text(row, 2).eq_ignore_ascii_case("error")) {
            Some(row) => {
                Err(StoreError::new(Fault::Fatal, self.store.what("analyze")).because(text(row, 3)))
            }
            None => Ok(()),
        }
    }
}

impl Rewriter for MySqlWriter<'_> {
    fn replace(&mut self, rows: &[Replacement<'_>]) -> Result<u64, StoreError> {
        self.demand_trust()?;
        let mut done = 0;
        let mut rest = rows;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(MOST_KEYS).take_while(|row| {
                bytes += row.new.len();
                bytes <= MOST_NEW_BYTES
            });
            let (some, others) = rest.split_at(fits.count().max(1));
            rest = others;
            let value = bound(self.found.column("session_data"));
            let sql = format!(
                "UPDATE {} SET s.session_data = x.v WHERE {UNCHANGED}",
                joined_with(self.store, &self.found, &value, some.len())
            );
            let found = &self.found;
            let values = |row: &Replacement<'_>| -> [Value; 3] {
                [found.key_value(row.key), row.old.hex().into(), row.new.into()]
            };
            let changed = self.client.change(&sql, some.iter().flat_map(values).collect());
            done += changed.map_err(|failure| fail(failure, self.store.what("update")))?;
        }
        Ok(done)
    }
}

impl UserColumnWriter for MySqlWriter<'_> {
    fn add_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.add_column(column)
    }

    fn assign(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError> {
        self.demand_trust()?;
        self.assign_users(column, rows, overwrite)
    }

    fn index_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.index_column(column)
    }

    fn drop_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        self.drop_column(column)
    }
}

impl Truncator for MySqlWriter<'_> {
    fn truncate(&mut self) -> Result<(), StoreError> {
        let truncated = self.client.execute("SET SESSION lock_wait_timeout = 1").and_then(|_| {
            let truncated =
                self.client.execute(&format!("TRUNCATE TABLE {}", quoted(&self.store.table)));
            // If both fail, the first error is the cause of the second.
            let restored = self.client.execute("SET SESSION lock_wait_timeout = 5");
            truncated.and(restored)
        });
        truncated.map(|_| ()).map_err(|failure| {
            let is_busy = failure.fault() == Fault::Busy;
            let error = fail(failure, self.store.what("truncate"));
            if is_busy {
                error.hint("somebody uses the table: wait for them or end them (SHOW PROCESSLIST), or leave --truncate out: batches need no such lock")
            } else {
                error
            }
        })
    }
}

//! The reading connection: scans by `COPY`, or page by page in key order.

use std::borrow::Cow;
use std::ops::ControlFlow;

use tokio_postgres::types::Type;

use super::Postgres;
use super::catalog::Found;
use super::changes;
use super::checkout::Checkout;
use super::client::Client;
use super::copy::{Broken, CopyRows};
use super::fault::fail;
use super::filter::{rows, user};
use super::instant::{Instant, Times};
use super::row::{are_many, can_be_read_alone, columns, columns_of_many, columns_with_data, push};
use super::sql::BEGIN_SCAN;
use crate::model::{Page, Timestamp};
use crate::store::waits::Work;
use crate::store::{
    BlindSpot, Emit, ExpiryReader, Fault, Filter, Reader, ReferenceReader, ReferringReader,
    StoreError, Table, UserColumnReader, UserReader,
};

/// A scan with large rows takes two statements, which must share one snapshot.
const ONE_SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
/// Makes row security that came since the table was looked at an error. It would hide rows without one.
const ALL_OR_ERROR: &str = "SET LOCAL row_security = off";
/// Forces a scan of the key index. With any other plan the server reads and sorts all remaining rows for
/// every page.
const IN_KEY_ORDER: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
    SET LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0";
/// Rows per transaction of a scan in pages: for the first page, and at most.
const FIRST_ROWS: usize = 100;
const MOST_ROWS: usize = 1_000;

pub(super) struct PostgresReader<'s> {
    pub(super) store: &'s Postgres,
    /// The connection. It is dropped when a scan stops early.
    pub(super) client: Option<Checkout<'s>>,
    pub(super) found: Found,
    /// Whether the last scan could tell what changed.
    pub(super) could_tell: bool,
}

impl Reader for PostgresReader<'_> {
    /// The planner's estimate: close after a VACUUM or ANALYZE, unknown before the first.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        let cannot = |error| fail(error, self.store.what("read"));
        let Some(client) = &mut self.client else {
            return Ok(None);
        };
        let rows = client
            .query_typed(
                "SELECT reltuples::pg_catalog.int8 FROM pg_catalog.pg_class WHERE oid = $1",
                &[(&self.found.oid, Type::OID)],
            )
            .map_err(cannot)?;
        let tuples: Option<i64> = rows.first().and_then(|row| row.try_get(0).ok());
        Ok(tuples.and_then(|tuples| u64::try_from(tuples).ok()))
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let (store, times) = (self.store, self.found.times);
        self.could_tell = false;
        let mut client = match self.client.take() {
            Some(client) => client,
            None => store.checkout(store.connect()?),
        };
        client.wait_for(Work::Scan);
        let whole = if filter.in_pages {
            let filter = Filter { since: None, ..filter.clone() };
            store.pages(&mut client, times, &filter, emit)?;
            true
        } else {
            let filter =
                self.begin(&mut client, filter).map_err(|e| fail(e, store.what("read")))?;
            store.copy(&mut client, times, &filter, emit)?
        };
        if whole {
            self.client = Some(client);
        }
        Ok(())
    }

    fn could_tell(&self) -> bool {
        self.could_tell
    }

    fn demand_writes(&mut self) -> Result<(), StoreError> {
        self.store.demand_writes(&self.found)
    }

    fn now(&mut self) -> Result<Timestamp, StoreError> {
        let store = self.store;
        let rows = self
            .client()?
            .query_typed("SELECT pg_catalog.now()", &[])
            .map_err(|error| fail(error, store.what("read")))?;
        let server = rows.first().and_then(|row| row.try_get::<_, Instant>(0).ok());
        let own = Timestamp::now();
        Ok(server.map_or(own, |Instant(server)| server.min(own)))
    }

    fn blind_spot(&mut self, table: &Table) -> Result<Option<BlindSpot>, StoreError> {
        let store = self.store;
        store.blind_spot(self.client()?, table)
    }

    fn expiry(&mut self) -> Option<&mut dyn ExpiryReader> {
        Some(self)
    }

    fn user_columns(&mut self) -> Option<&mut dyn UserColumnReader> {
        Some(self)
    }

    fn site_users(&mut self) -> Option<&mut dyn UserReader> {
        Some(self)
    }

    fn foreign_keys(&mut self) -> Option<&mut dyn ReferenceReader> {
        Some(self)
    }

    fn referring(&mut self) -> Option<&mut dyn ReferringReader> {
        Some(self)
    }
}

impl PostgresReader<'_> {
    pub(super) fn client(&mut self) -> Result<&mut Client, StoreError> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(self.store.checkout(self.store.connect()?)),
        };
        client.wait_for(Work::Scan);
        Ok(client)
    }
}

impl PostgresReader<'_> {
    /// Begins the transaction of a scan. Returns the filter without the earlier mark if that does not hold any more.
    fn begin<'f>(
        &mut self,
        client: &mut Client,
        filter: &'f Filter,
    ) -> Result<Cow<'f, Filter>, tokio_postgres::Error> {
        // Behind a view there may be tables that hide rows, and other servers may not know the setting.
        let all = if self.found.has_row_addresses { ALL_OR_ERROR } else { "" };
        let begin = format!("{BEGIN_SCAN}; {ONE_SNAPSHOT}; {all}");
        let Some(since) = &filter.since else {
            client.batch_execute(&begin)?;
            return Ok(Cow::Borrowed(filter));
        };
        let table = self.store.table.quoted();
        client.batch_execute(&format!("{begin}; {}", changes::lock(&table)))?;
        self.could_tell = changes::still_holds(client, &self.found, &table, &since.mark)?;
        let since = filter.since.clone().filter(|_| self.could_tell);
        if let Some(since) = since.as_ref().filter(|since| since.only_changes) {
            changes::name_others(client, since)?;
        }
        Ok(Cow::Owned(Filter { since, ..filter.clone() }))
    }
}

impl Postgres {
    /// Runs one scan in the transaction that was begun. Returns false if it stopped early, and the connection cannot be reused.
    fn copy(
        &self,
        client: &mut Client,
        times: Times,
        filter: &Filter,
        emit: &mut Emit<'_>,
    ) -> Result<bool, StoreError> {
        let cannot = |error| fail(error, self.what("read"));
        let mut rows = CopyRows::new(times);
        let read = client
            .copy_out(&self.copy_statement(times, filter), |message| rows.take(message, emit))
            .map_err(cannot)?;
        let read = match read {
            ControlFlow::Continue(()) => {
                let lack_data = rows.lack_data();
                let read = rows.finish(emit);
                let read = if read.is_continue() && lack_data {
                    self.large_rows(client, times, filter, emit).map_err(cannot)?
                } else {
                    read
                };
                client.batch_execute("COMMIT").map_err(cannot)?;
                read
            }
            broken @ ControlFlow::Break(_) => {
                // Closing the connection alone would first read everything that the server still sends.
                client.cancel();
                broken
            }
        };
        match read {
            ControlFlow::Continue(()) => Ok(true),
            ControlFlow::Break(Broken::Enough) => Ok(false),
            ControlFlow::Break(Broken::Malformed) => {
                Err(StoreError::new(Fault::Lost, self.what("read"))
                    .because("not what COPY (FORMAT binary) sends"))
            }
        }
    }

    /// Reads page by page in key order, each page in a transaction of its own.
    fn pages(
        &self,
        client: &mut Client,
        times: Times,
        filter: &Filter,
        emit: &mut Emit<'_>,
    ) -> Result<(), StoreError> {
        let (from, table) = (rows(&self.table, times, filter), self.table.quoted());
        let sql = |columns: &str, after: &str, limit: usize| {
            format!(
                "SELECT {columns}{} {from} AND session_key OPERATOR(pg_catalog.{after}) $1 \
                 ORDER BY {table}.session_key LIMIT {limit}",
                user(filter)
            )
        };
        // The first of all keys may be empty.
        let (mut after, mut last) = (">=", String::new());
        let mut page = Page::default();
        let mut limit = FIRST_ROWS;
        loop {
            let many = sql(&columns_of_many(times), after, limit);
            let cannot = |error| fail(error, self.what("read"));
            let (seen, large) =
                read_page(client, times, &many, &last, &mut page).map_err(cannot)?;
            let over = seen < limit && !page.is_full() && large.is_none();
            if let Some(key) = large.filter(|_| page.is_empty()) {
                let one = sql(&columns(times), "=", 1);
                read_page(client, times, &one, &key, &mut page).map_err(cannot)?;
                (after, last) = (">", key);
            } else if let Some(row) = page.rows().last() {
                row.key.clone_into(&mut last);
                after = ">";
            }
            // Rows that do not fit into the page were sent in vain, so the next request asks for fewer.
            limit = if seen < limit { seen.max(1) } else { (2 * limit).min(MOST_ROWS) };
            match emit(page) {
                ControlFlow::Continue(empty) if !over => page = empty,
                _ => return Ok(()),
            }
        }
    }

    fn copy_statement(&self, times: Times, filter: &Filter) -> String {
        format!(
            "COPY (SELECT {}{} {}) TO STDOUT (FORMAT binary)",
            columns_with_data(times),
            user(filter),
            rows(&self.table, times, filter)
        )
    }

    /// Reads the rows that `COPY` returned without data, one at a time: a connection that streams rows
    /// buffers several of them.
    fn large_rows(
        &self,
        client: &mut Client,
        times: Times,
        filter: &Filter,
        emit: &mut Emit<'_>,
    ) -> Result<ControlFlow<Broken>, tokio_postgres::Error> {
        client.batch_execute(&format!(
            "DECLARE sessctl_large NO SCROLL CURSOR FOR \
             SELECT {}{} FROM (SELECT * {}) AS t WHERE ({}) IS NOT TRUE",
            columns(times),
            user(filter),
            rows(&self.table, times, filter),
            are_many()
        ))?;
        let mut page = Page::default();
        while let Some(row) = client.query_typed_opt("FETCH 1 FROM sessctl_large", &[])? {
            push(&mut page, times, &row)?;
            drop(row);
            if page.is_full() {
                match emit(page) {
                    ControlFlow::Continue(empty) => page = empty,
                    ControlFlow::Break(()) => return Ok(ControlFlow::Break(Broken::Enough)),
                }
            }
        }
        if page.is_empty() || emit(page).is_continue() {
            Ok(ControlFlow::Continue(()))
        } else {
            Ok(ControlFlow::Break(Broken::Enough))
        }
    }
}

/// Fills a page in a transaction of its own, up to a row that must be read by itself. Returns how many rows
/// are in the page, and the key of that row.
fn read_page(
    client: &mut Client,
    times: Times,
    sql: &str,
    after: &str,
    page: &mut Page,
) -> Result<(usize, Option<String>), tokio_postgres::Error> {
    client.batch_execute(&format!("{BEGIN_SCAN}; {IN_KEY_ORDER}"))?;
    let (mut seen, mut large) = (0, None);
    {
        let mut rows = client.query_typed_raw(sql, [(after, Type::TEXT)])?;
        while let Some(row) = rows.next()? {
            if can_be_read_alone(&row)? {
                large = Some(row.try_get(0)?);
                break;
            }
            push(page, times, &row)?;
            seen += 1;
            if page.is_full() {
                break;
            }
        }
    }
    client.batch_execute("COMMIT")?;
    Ok((seen, large))
}

impl Postgres {
    /// An error if expiry times have no zone: then rows cannot be deleted by expiry.
    pub(super) fn demand_instants(&self, found: &Found) -> Result<(), StoreError> {
        if found.times == Times::Instants {
            return Ok(());
        }
        Err(StoreError::new(Fault::Fatal, self.what("tell what has expired in"))
            .because("its expire_date is no timestamp with time zone")
            .hint("Django makes it so; ALTER TABLE ... ALTER COLUMN expire_date TYPE timestamptz USING expire_date AT TIME ZONE 'the zone that it is in'"))
    }
}

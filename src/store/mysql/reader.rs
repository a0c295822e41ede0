//! The reading connection: scans the table.

use std::ops::ControlFlow;
use std::thread;

use mysql_async::Row;

use super::MySql;
use super::catalog::{Found, look, named};
use super::checkout::Checkout;
use super::client::Client;
use super::fault::{Failure, fail};
use super::filter::Conditions;
use super::large::{self, PIECE};
use super::row::{MOST_BYTES_OF_BATCH, columns, data, number, text};
use super::session::{Access, refused};
use super::sql::quoted;
use crate::model::{Data, Page, Timestamp};
use crate::store::waits::Work;
use crate::store::{
    BlindSpot, Emit, ExpiryReader, Fault, Filter, Reader, ReferenceReader, ReferringReader,
    StoreError, Table, UserColumnReader, UserReader,
};

/// Rows that one statement of a scan in pages reads.
const PAGE: usize = 500;

pub(super) struct MySqlReader<'s> {
    pub(super) store: &'s MySql,
    pub(super) client: Checkout<'s>,
    pub(super) found: Found,
    /// What reads large data while the other sends rows, once there were any.
    aside: Option<Client>,
}

impl<'s> MySqlReader<'s> {
    pub(super) fn new(store: &'s MySql) -> Result<Self, StoreError> {
        let sql = format!("SELECT {} FROM {} s", columns(PIECE), quoted(&store.table));
        let (client, found) = store.check_out(|client| {
            let found = store.find(client)?;
            client.prepare(&sql).map_err(|failure| fail(failure, store.what("read")))?;
            Ok(found)
        })?;
        Ok(Self { store, client, found, aside: None })
    }

    /// The connection, or a new one if a scan was broken off, if the table may be read still.
    pub(super) fn client(&mut self) -> Result<&mut Client, StoreError> {
        if !self.client.is_sound() {
            self.client = self.store.checkout()?;
        }
        self.store.demand_trust(&mut self.client, &self.store.table)?;
        Ok(&mut self.client)
    }
}

impl Reader for MySqlReader<'_> {
    /// The server's own estimate, which may be far off.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        const ROWS: &str = "SELECT table_rows FROM information_schema.tables \
            WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
        let store = self.store;
        let row = self.client()?.first(ROWS, named(&store.table));
        let row = row.map_err(|failure| fail(failure, store.what("read")))?;
        Ok(row.and_then(|row| number(&row, 0)))
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let store = self.store;
        self.client()?.wait_for(Work::Scan);
        let conditions = Conditions::of(filter, store, &self.found)?;
        // Without snapshots a SELECT would keep the site's writers out until the last row is read.
        let is_paged = filter.newest.is_none()
            && self.found.is_unique
            && (filter.in_pages || !self.found.has_snapshots());
        let scanned = if is_paged {
            self.scan_in_pages(&conditions, emit)
        } else {
            self.scan_at_once(filter, &conditions, emit)
        };
        self.client.wait_for(Work::Batch);
        scanned
    }

    fn now(&mut self) -> Result<Timestamp, StoreError> {
        // In microseconds since 1970, whatever the time zone of the session is.
        const NOW: &str = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";
        let store = self.store;
        let row = self.client()?.first(NOW, Vec::new());
        let row = row.map_err(|failure| fail(failure, store.what("read")))?;
        let micros =
            row.and_then(|row| number(&row, 0)).and_then(|micros| i64::try_from(micros).ok());
        let own = Timestamp::now();
        Ok(micros.map_or(own, |micros| Timestamp::from_micros(micros).min(own)))
    }

    fn demand_writes(&mut self) -> Result<(), StoreError> {
        let store = self.store;
        let refusal =
            read_only(self.client()?).map_err(|failure| fail(failure, store.what("read")))?;
        match refusal {
            None => Ok(()),
            Some(why) => Err(StoreError::new(Fault::Fatal, store.what("delete from"))
                .because(format!("the server takes no writes ({why})"))
                .hint("connect to the primary")),
        }
    }

    fn blind_spot(&mut self, table: &Table) -> Result<Option<BlindSpot>, StoreError> {
        const ELSEWHERE: [&str; 4] = ["FEDERATED", "CONNECT", "SPIDER", "S3"];
        let store = self.store;
        let found = look(self.client()?, table).map_err(|failure| {
            fail(failure, format!("cannot read table \"{table}\" in {}", store.params.place()))
        })?;
        Ok(if found.is_view {
            Some(BlindSpot::View)
        } else if ELSEWHERE.contains(&&*found.engine.to_ascii_uppercase()) {
            Some(BlindSpot::Elsewhere)
        } else {
            None
        })
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

impl MySqlReader<'_> {
    /// One statement: it sees the table as it is when it begins.
    fn scan_at_once(
        &mut self,
        filter: &Filter,
        conditions: &Conditions,
        emit: &mut Emit<'_>,
    ) -> Result<(), StoreError> {
        let newest = filter
            .newest
            .map_or_else(String::new, |rows| format!(" ORDER BY s.expire_date DESC LIMIT {rows}"));
        let sql = format!(
            "SELECT {} FROM {} s{}{newest}",
            conditions.columns(PIECE),
            quoted(&self.store.table),
            conditions.sql()
        );
        let Self { store, client, found, aside, .. } = self;
        let mut page = Page::default();
        let mut failed = None;
        let ended = client.stream(&sql, conditions.values.clone(), |row| {
            if let Err(error) = push_whole(store, found, aside, conditions, &mut page, &row) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            if page.is_full() {
                match emit(std::mem::take(&mut page)) {
                    ControlFlow::Continue(empty) => page = empty,
                    ControlFlow::Break(()) => return ControlFlow::Break(()),
                }
            }
            ControlFlow::Continue(())
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let ended = ended.map_err(|failure| fail(failure, store.what("read")))?;
        if ended.is_continue() && !page.is_empty() {
            let _ = emit(page);
        }
        Ok(())
    }

    /// One statement for each page, in the order of the keys.
    fn scan_in_pages(
        &mut self,
        conditions: &Conditions,
        emit: &mut Emit<'_>,
    ) -> Result<(), StoreError> {
        let (columns, table) = (conditions.columns(MOST_BYTES_OF_BATCH), quoted(&self.store.table));
        let end = format!(" ORDER BY s.session_key LIMIT {PAGE}");
        let mut from: Option<String> = None;
        let mut page = Page::default();
        loop {
            let mut here = conditions.clone();
            if let Some(key) = from.take() {
                here.add(format!("s.session_key > {}", self.found.key()), key.into());
            }
            let sql = format!("SELECT {columns} FROM {table} s{}{end}", here.sql());
            let rows = self.client.query(&sql, here.values);
            let rows = rows.map_err(|failure| fail(failure, self.store.what("read")))?;
            let is_last = rows.len() < PAGE;
            from = rows.last().map(|row| text(row, 0));
            for row in rows {
                let Self { store, found, aside, .. } = self;
                push_whole(store, found, aside, conditions, &mut page, &row)?;
                if page.is_full() {
                    match emit(std::mem::take(&mut page)) {
                        ControlFlow::Continue(empty) => page = empty,
                        ControlFlow::Break(()) => return Ok(()),
                    }
                }
            }
            if is_last {
                break;
            }
        }
        if !page.is_empty() {
            let _ = emit(page);
        }
        Ok(())
    }
}

/// Puts a row into a page if it is what was asked for, with its data, which are read aside if they were left out.
fn push_whole(
    store: &MySql,
    found: &Found,
    aside: &mut Option<Client>,
    conditions: &Conditions,
    page: &mut Page,
    row: &Row,
) -> Result<(), StoreError> {
    if !large::is_left_out(row) {
        conditions.push(page, &store.clock, row, data(row));
        return Ok(());
    }
    let read = || {
        let client = match aside {
            Some(client) if client.is_sound() => client,
            _ => aside.insert(store.connect(Access::Read)?.0),
        };
        store.demand_trust(client, &store.table)?;
        let take = |data: Data<&[u8]>| conditions.push(page, &store.clock, row, data);
        large::read(client, store, found, row, take)
            .map_err(|failure| fail(failure, store.what("read")))
    };
    // On a thread of its own, since this one runs the driver for the rows.
    thread::scope(|scope| scope.spawn(read).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Why the server takes no writes of this account, if it takes none. One with the right to write all the same is told so, too:
/// what it deletes on a replica is not deleted on the primary.
pub(super) fn read_only(client: &mut Client) -> Result<Option<&'static str>, Failure> {
    for (variable, name) in [
        ("SELECT @@global.read_only", "read_only"),
        ("SELECT @@global.super_read_only", "super_read_only"),
        ("SELECT @@global.innodb_read_only", "innodb_read_only"),
    ] {
        let row = refused(client.first(variable, Vec::new()))?.flatten();
        if row.and_then(|row| number(&row, 0)).is_some_and(|is| is > 0) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

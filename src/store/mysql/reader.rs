//! The reading connection: scans the table.

use std::ops::ControlFlow;

use mysql_async::{Row, Value};

use super::MySql;
use super::catalog::{Found, look};
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::{MOST_BYTES_OF_BATCH, bytes, columns, number, push, text};
use super::session::Access;
use super::sql::quoted;
use crate::model::{MOST_DATA_BYTES, Page, Timestamp};
use crate::store::waits::Work;
use crate::store::{BlindSpot, Emit, Fault, Filter, Reader, StoreError, Table};

/// Rows that one statement of a scan in pages reads.
const PAGE: usize = 500;

pub(super) struct MySqlReader<'s> {
    store: &'s MySql,
    client: Client,
    found: Found,
}

impl<'s> MySqlReader<'s> {
    pub(super) fn new(store: &'s MySql) -> Result<Self, StoreError> {
        let (mut client, _) = store.connect(Access::Read)?;
        let found = store.find(&mut client)?;
        let sql = format!("SELECT {} FROM {} s", columns(MOST_DATA_BYTES), quoted(&store.table));
        client.prepare(&sql).map_err(|failure| fail(failure, store.what("read")))?;
        Ok(Self { store, client, found })
    }

    /// The connection, or a new one if a scan was broken off.
    fn client(&mut self) -> Result<&mut Client, StoreError> {
        if !self.client.is_sound() {
            self.client = self.store.connect(Access::Read)?.0;
        }
        Ok(&mut self.client)
    }
}

impl Reader for MySqlReader<'_> {
    /// The server's own estimate, which may be far off.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        const ROWS: &str = "SELECT table_rows FROM information_schema.tables \
            WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
        let (store, named) = (self.store, super::catalog::named(&self.store.table));
        let row = self.client()?.first(ROWS, named);
        let row = row.map_err(|failure| fail(failure, store.what("read")))?;
        Ok(row.and_then(|row| number(&row, 0)))
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let store = self.store;
        self.client()?.wait_for(Work::Scan);
        let conditions = Conditions::of(filter, store)?;
        // Without snapshots a SELECT would keep the site's writers out until the last row is read.
        let is_paged = filter.newest.is_none()
            && self.found.is_unique
            && (filter.in_pages || !self.found.has_snapshots());
        let scanned = if is_paged {
            self.scan_in_pages(filter, &conditions, emit)
        } else {
            self.scan_at_once(filter, &conditions, emit)
        };
        self.client.wait_for(Work::Batch);
        scanned.map_err(|failure| fail(failure, store.what("read")))
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
}

impl MySqlReader<'_> {
    /// One statement: it sees the table as it is when it begins.
    fn scan_at_once(
        &mut self,
        filter: &Filter,
        conditions: &Conditions,
        emit: &mut Emit<'_>,
    ) -> Result<(), Failure> {
        let newest = filter
            .newest
            .map_or_else(String::new, |rows| format!(" ORDER BY s.expire_date DESC LIMIT {rows}"));
        let sql = format!(
            "SELECT {} FROM {} s{}{newest}",
            columns(MOST_DATA_BYTES),
            quoted(&self.store.table),
            conditions.sql()
        );
        let clock = &self.store.clock;
        let mut page = Page::default();
        let ended = self.client.stream(&sql, conditions.values.clone(), |row| {
            if conditions.is_met(&row) {
                push(&mut page, clock, &row, None);
            }
            if page.is_full() {
                match emit(std::mem::take(&mut page)) {
                    ControlFlow::Continue(empty) => page = empty,
                    ControlFlow::Break(()) => return ControlFlow::Break(()),
                }
            }
            ControlFlow::Continue(())
        })?;
        if ended.is_continue() && !page.is_empty() {
            let _ = emit(page);
        }
        Ok(())
    }

    /// One statement for each page, in the order of the keys. Large data is read by itself, so that a page has a bound.
    fn scan_in_pages(
        &mut self,
        filter: &Filter,
        conditions: &Conditions,
        emit: &mut Emit<'_>,
    ) -> Result<(), Failure> {
        let (columns, table) = (columns(MOST_BYTES_OF_BATCH), quoted(&self.store.table));
        let end = format!(" ORDER BY s.session_key LIMIT {PAGE}");
        let mut from: Option<String> = None;
        let mut page = Page::default();
        loop {
            let mut conditions = conditions.clone();
            if let Some(key) = from.take() {
                conditions.add(format!("s.session_key > {}", self.found.key()), key.into());
            }
            let sql = format!("SELECT {columns} FROM {table} s{}{end}", conditions.sql());
            let rows = self.client.query(&sql, conditions.values.clone())?;
            let is_last = rows.len() < PAGE;
            from = rows.last().map(|row| text(row, 0));
            for row in rows.into_iter().filter(|row| conditions.is_met(row)) {
                match self.whole(row, filter)? {
                    Some(row) => push(&mut page, &self.store.clock, &row, None),
                    // It is gone by now.
                    None => continue,
                }
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

    /// The row with its data, if that was left out and is not too large.
    fn whole(&mut self, row: Row, _: &Filter) -> Result<Option<Row>, Failure> {
        let is_left_out = row.as_ref(1) == Some(&Value::NULL);
        let size = number(&row, 2).and_then(|size| usize::try_from(size).ok());
        if !is_left_out || size.is_none_or(|size| size > MOST_DATA_BYTES) {
            return Ok(Some(row));
        }
        let sql = format!(
            "SELECT {} FROM {} s WHERE s.session_key = {}",
            columns(MOST_DATA_BYTES),
            quoted(&self.store.table),
            self.found.key()
        );
        self.client.first(&sql, vec![Value::Bytes(bytes(&row, 0).to_vec())])
    }
}

/// Which rows a scan asks for, with the values of the statement.
#[derive(Clone, Debug, Default)]
struct Conditions {
    parts: Vec<String>,
    values: Vec<Value>,
    /// What no collation may decide.
    key_prefix: Option<String>,
}

impl Conditions {
    fn of(filter: &Filter, store: &MySql) -> Result<Self, StoreError> {
        let mut conditions = Self { key_prefix: filter.key_prefix.clone(), ..Self::default() };
        if let Some(now) = filter.live_at {
            let bound = super::comparable(store.clock.live_bound(now), now)?;
            conditions.add("s.expire_date > CAST(? AS DATETIME(6))".into(), bound.into());
        }
        // Of letters in either case, and only to read fewer rows. A column that is not Unicode cannot be compared with other letters.
        if let Some(prefix) = filter.key_prefix.as_ref().filter(|prefix| prefix.is_ascii()) {
            let mut like: String = prefix
                .chars()
                .flat_map(|c| ['|'].into_iter().filter(move |_| "|%_".contains(c)).chain([c]))
                .collect();
            like.push('%');
            conditions.add("s.session_key LIKE ? ESCAPE '|'".into(), like.into());
        }
        Ok(conditions)
    }

    fn add(&mut self, part: String, value: Value) {
        self.parts.push(part);
        self.values.push(value);
    }

    fn sql(&self) -> String {
        if self.parts.is_empty() {
            return String::new();
        }
        format!(" WHERE {}", self.parts.join(" AND "))
    }

    fn is_met(&self, row: &Row) -> bool {
        let prefix = self.key_prefix.as_deref().unwrap_or_default();
        bytes(row, 0).starts_with(prefix.as_bytes())
    }
}

/// Why the server takes no writes of this account, if it takes none. One with the right to write all the same is told so, too:
/// what it deletes on a replica is not deleted on the primary.
fn read_only(client: &mut Client) -> Result<Option<&'static str>, Failure> {
    for (variable, name) in [
        ("SELECT @@global.read_only", "read_only"),
        ("SELECT @@global.super_read_only", "super_read_only"),
        ("SELECT @@global.innodb_read_only", "innodb_read_only"),
    ] {
        let row = super::session::refused(client.first(variable, Vec::new()))?.flatten();
        if row.and_then(|row| number(&row, 0)).is_some_and(|is| is > 0) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

//! The writing connection: deletes rows by their keys, each batch in one autocommitted statement, so that no
//! transaction can be left open.

use mysql_async::Value;

use super::MySql;
use super::catalog::Found;
use super::client::Client;
use super::fault::fail;
use super::row::{MOST_BYTES_OF_BATCH, columns, push};
use super::session::Access;
use super::sql::quoted;
use crate::model::{MOST_DATA_BYTES, Page};
use crate::store::{Gone, StoreError, Writer};

/// Most keys of a statement. With many more the server may read and lock the whole table.
const MOST_KEYS: usize = 1_000;

pub(super) struct MySqlWriter<'s> {
    store: &'s MySql,
    client: Client,
    found: Found,
}

impl<'s> MySqlWriter<'s> {
    pub(super) fn new(store: &'s MySql) -> Result<Self, StoreError> {
        let (mut client, _) = store.connect(Access::Write)?;
        let found = store.find(&mut client)?;
        let mut writer = Self { store, client, found };
        // Asks the server for the rights that it needs.
        let sql = writer.delete_statement(1);
        writer.client.prepare(&sql).map_err(|failure| fail(failure, store.what("delete from")))?;
        Ok(writer)
    }

    /// Joins these keys `x` with their rows `s`. The server takes the keys first and finds each row by its key; a list
    /// after IN it may answer by reading, and locking, the whole table, and no hint keeps both servers from that.
    /// The collation of the column finds other keys, too: Django and sessctl tell keys apart byte by byte.
    fn join(&self, keys: usize) -> (String, &'static str) {
        let key = self.found.key();
        let mut list = format!("SELECT {key} AS k");
        for _ in 1..keys {
            list.push_str(" UNION ALL SELECT ");
            list.push_str(&key);
        }
        let table = quoted(&self.store.table);
        (
            format!("({list}) x STRAIGHT_JOIN {table} s ON s.session_key = x.k"),
            "CAST(s.session_key AS BINARY) = CAST(x.k AS BINARY)",
        )
    }

    fn delete_statement(&self, keys: usize) -> String {
        let (joined, is_same) = self.join(keys);
        format!("DELETE s FROM {joined} WHERE {is_same}")
    }
}

/// As many keys as one of few statements takes, so that the server keeps them prepared: the last key is repeated.
fn padded(keys: &[&str]) -> Vec<Value> {
    let places = keys.len().next_power_of_two().min(MOST_KEYS.max(keys.len()));
    let last = keys.last().copied().unwrap_or_default();
    let more = std::iter::repeat_n(last, places - keys.len());
    keys.iter().copied().chain(more).map(Value::from).collect()
}

impl Writer for MySqlWriter<'_> {
    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        let mut gone = Gone::default();
        for keys in keys.chunks(MOST_KEYS) {
            let values = padded(keys);
            let deleted = self.client.change(&self.delete_statement(values.len()), values);
            gone.sessions +=
                deleted.map_err(|failure| fail(failure, self.store.what("delete from")))?;
        }
        Ok(gone)
    }

    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError> {
        let most = if keys.len() > 1 { MOST_BYTES_OF_BATCH } else { MOST_DATA_BYTES };
        let mut page = Page::default();
        for keys in keys.chunks(MOST_KEYS) {
            // Not padded: a key twice would be a row twice.
            let (joined, is_same) = self.join(keys.len());
            let sql = format!("SELECT {} FROM {joined} WHERE {is_same}", columns(most));
            let values = keys.iter().copied().map(Value::from).collect();
            let rows = self.client.query(&sql, values);
            for row in rows.map_err(|failure| fail(failure, self.store.what("read")))? {
                push(&mut page, &self.store.clock, &row, None);
            }
        }
        Ok(page)
    }
}

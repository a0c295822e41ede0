//! Picks expired rows in windows by the index of the expiry, and counts them. Rows are deleted by their keys: a delete
//! by the index of the expiry reads the dead entries of earlier batches again, and locks in another order than the site.

use std::ops::ControlFlow;
use std::time::Duration;

use mysql_async::Value;

use super::MySql;
use super::catalog::Found;
use super::client::Client;
use super::fault::{Failure, fail};
use super::row::{number, shown, text};
use super::session::Server;
use super::sql::quoted;
use crate::model::{Expiry, Keys, Timestamp};
use crate::store::{Cursor, Expired, StoreError, Window};

/// The first time that a `datetime` may hold. `0000-00-00`, which some modes of the server allow, is no time: Django
/// cannot have written it, so it stays.
const EVER: &str = "1000-01-01 00:00:00";

/// The condition for rows `s` that expired from a place on and before a bound.
struct Between {
    sql: String,
    values: Vec<Value>,
}

impl MySql {
    fn between(
        &self,
        found: &Found,
        cutoff: Timestamp,
        from: Option<&Cursor>,
    ) -> Result<Between, StoreError> {
        const TIME: &str = "CAST(? AS DATETIME(6))";
        let bound = super::comparable(self.clock.expired_bound(cutoff), cutoff)?;
        let first = from.map_or(EVER, |from| &from.expires);
        let mut sql = format!("s.expire_date >= {TIME} AND s.expire_date < {TIME}");
        let mut values: Vec<Value> = vec![first.into(), bound.into()];
        // The index of the expiry holds the keys, too, in order: so this reads no row twice, and sorts nothing.
        if let Some(key) = from.and_then(|from| from.row.as_ref()) {
            let after = found.key();
            sql = format!("{sql} AND (s.expire_date > {TIME} OR s.session_key > {after})");
            values.extend([Value::from(first), Value::from(&**key)]);
        }
        Ok(Between { sql, values })
    }

    /// Picks a window, sorted by key so that a batch touches few pages.
    pub(super) fn pick(
        &self,
        client: &mut Client,
        found: &Found,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError> {
        let Between { sql, values } = self.between(found, cutoff, from)?;
        let sql = format!(
            "SELECT s.session_key, s.expire_date FROM {} s WHERE {sql} \
             ORDER BY s.expire_date, s.session_key LIMIT {limit}",
            quoted(&self.table)
        );
        let mut picked: Vec<String> = Vec::new();
        let mut last = None;
        let read = client.stream(&sql, values, |row| {
            picked.push(text(&row, 0));
            last = row.as_ref(1).and_then(shown);
            ControlFlow::Continue(())
        });
        // It was read to its end.
        let _ = read.map_err(|failure| fail(failure, self.what("read")))?;
        let next = last.filter(|_| picked.len() == limit).map(|last| Cursor {
            expires: String::from_utf8_lossy(&last).into_owned(),
            row: picked.last().cloned(),
        });
        picked.sort_unstable();
        let mut rows = Keys::default();
        for key in &picked {
            rows.push(key);
        }
        Ok(Window { rows, next })
    }

    /// Counts rows that expired. Gives up if that takes too long.
    pub(super) fn count_expired(
        &self,
        client: &mut Client,
        server: &Server,
        found: &Found,
        (cutoff, from): (Timestamp, Option<&Cursor>),
        patience: Duration,
    ) -> Result<Expired, StoreError> {
        let cannot = |failure| fail(failure, self.what("read"));
        let Between { sql, values } = self.between(found, cutoff, from)?;
        let table = quoted(&self.table);
        let oldest = format!(
            "SELECT s.expire_date FROM {table} s WHERE {sql} ORDER BY s.expire_date LIMIT 1"
        );
        let oldest = client.first(&oldest, values.clone()).map_err(cannot)?;
        let oldest = oldest.as_ref().and_then(|row| shown(row.as_ref(0)?));
        let oldest = oldest.and_then(|shown| match self.clock.read(&shown) {
            Expiry::At(at) | Expiry::Wall(at) => Some(at),
            Expiry::Unreadable(_) => None,
        });
        let count = format!("SELECT COUNT(*) FROM {table} s WHERE {sql}");
        let rows = counted(client, server, &count, values, patience).map_err(cannot)?;
        Ok(Expired { rows, oldest })
    }

    /// Counts expired rows, joined with those of another table, that meet a further condition.
    pub(super) fn count_expired_with(
        &self,
        client: &mut Client,
        server: &Server,
        found: &Found,
        (joined, condition): (&str, &str),
        (cutoff, patience): (Timestamp, Duration),
    ) -> Result<Option<u64>, StoreError> {
        let Between { sql, values } = self.between(found, cutoff, None)?;
        let table = quoted(&self.table);
        let count = format!("SELECT COUNT(*) FROM {table} s{joined} WHERE {sql}{condition}");
        counted(client, server, &count, values, patience)
            .map_err(|failure| fail(failure, self.what("read")))
    }
}

/// The number that this statement returns; `None` if the server ended it after so long.
fn counted(
    client: &mut Client,
    server: &Server,
    sql: &str,
    values: Vec<Value>,
    patience: Duration,
) -> Result<Option<u64>, Failure> {
    let row = limited(client, server, patience, |client| client.first(sql, values))?.flatten();
    Ok(row.and_then(|row| number(&row, 0)))
}

/// Runs a SELECT; `None` if the server ended it after so long.
pub(super) fn limited<T>(
    client: &mut Client,
    server: &Server,
    patience: Duration,
    run: impl FnOnce(&mut Client) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let limit = |patience: Duration| {
        if server.is_mariadb() {
            format!("SET SESSION max_statement_time = {:.3}", patience.as_secs_f64())
        } else {
            format!("SET SESSION max_execution_time = {}", patience.as_millis())
        }
    };
    // Zero is no limit.
    client.execute(&limit(patience.max(Duration::from_millis(1))))?;
    let ran = run(client);
    client.execute(&limit(Duration::ZERO))?;
    match ran {
        Ok(found) => Ok(Some(found)),
        Err(failure) if matches!(failure.code(), Some(1317 | 1969 | 3024)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

//! Picks expired rows in windows, and deletes them by their row address (ctid) if the table has one.

use tokio_postgres::Error;
use tokio_postgres::types::{ToSql, Type};

use super::doomed::Doomed;
use super::instant::Instant;
use super::sql::{BEGIN_SCAN, BY_ADDRESS, BY_KEY, EXPIRED};
use super::writer::PostgresWriter;
use crate::model::{Keys, Timestamp};
use crate::store::{Cursor, Locked, Window};

/// Makes the server read a window from the beginning of the index, whatever share of the rows has expired.
const BY_EXPIRY: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off";

/// The row of a cursor among rows with the same expiry: before all of them, or after this one.
const BEFORE_EVERY_ROW: &str = "";
const AFTER: char = '>';

impl PostgresWriter<'_> {
    /// The column that identifies an expired row, and its type.
    pub(super) fn address(&self) -> (&'static str, &'static str) {
        if self.found.has_row_addresses {
            ("ctid", "$1::pg_catalog.text[]::pg_catalog.tid[]")
        } else {
            ("session_key", "$1")
        }
    }

    /// The delete of a batch of expired rows. It checks the expiry again: rows may have been renewed since
    /// they were picked, and their addresses reused.
    pub(super) fn expired_rows<'p>(
        &self,
        plan: &'p str,
        locked: Locked,
        cutoff: Timestamp,
    ) -> Doomed<'p> {
        let (table, (address, given)) = (self.found.table.quoted(), self.address());
        let of = |rows: &str| format!("{address} OPERATOR(pg_catalog.=) ANY({rows}) AND {EXPIRED}");
        let find = of(given);
        let delete = match locked {
            Locked::Skip => of(&format!(
                "ARRAY(SELECT {address} FROM {table} WHERE {find} FOR UPDATE SKIP LOCKED)"
            )),
            Locked::Wait => find.clone(),
        };
        Doomed { plan, address, delete, find, cutoff: Some(Instant(cutoff)) }
    }

    /// Picks a window of expired rows, sorted by address so that a batch touches few pages.
    pub(super) fn pick_by_expiry(
        &mut self,
        from: Instant,
        cutoff: Timestamp,
        limit: usize,
    ) -> Result<Window, Error> {
        let (address, _) = self.address();
        let sql = format!(
            "SELECT {address}::pg_catalog.text, expire_date FROM (
                 SELECT {address}, expire_date FROM {}
                 WHERE expire_date OPERATOR(pg_catalog.>=) $1 AND {EXPIRED}
                 ORDER BY expire_date LIMIT {limit}
             ) AS picked ORDER BY picked.{address}",
            self.found.table.quoted()
        );
        let cutoff = Instant(cutoff);
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&from, Type::TIMESTAMPTZ), (&cutoff, Type::TIMESTAMPTZ)];
        let picked = self.read_window(BY_EXPIRY, &sql, values)?;
        let Some((first, last)) = picked.span.filter(|_| picked.rows.len() == limit) else {
            return Ok(Window { rows: picked.rows, next: None });
        };
        let row = (first == last).then(|| BEFORE_EVERY_ROW.to_owned());
        Ok(Window { rows: picked.rows, next: Some(place(last, row)) })
    }

    /// Picks among rows with the same expiry, in order of their address or key. Without such an order each
    /// window would begin at the first of them, and read again the dead rows of earlier windows.
    pub(super) fn pick_ties(
        &mut self,
        expires: Instant,
        row: &str,
        limit: usize,
    ) -> Result<Window, Error> {
        let (address, _) = self.address();
        // The server reads rows in order of their addresses, unless it joins another scan of the table half
        // way, which it does not take into account. With ORDER BY it would read and sort all of them for
        // every window.
        let after = row.strip_prefix(AFTER);
        let (compare, given, order, plan) = match (self.found.has_row_addresses, after) {
            (true, _) => (">", "$1::pg_catalog.text::pg_catalog.tid", "", BY_ADDRESS),
            (false, Some(_)) => (">", "$1::pg_catalog.text", "ORDER BY session_key", BY_KEY),
            // The first of all keys may be empty.
            (false, None) => (">=", "$1::pg_catalog.text", "ORDER BY session_key", BY_KEY),
        };
        let before_every_row = if self.found.has_row_addresses { "(0,0)" } else { "" };
        let row = after.unwrap_or(before_every_row);
        let sql = format!(
            "SELECT {address}::pg_catalog.text, expire_date FROM {} \
             WHERE {address} OPERATOR(pg_catalog.{compare}) {given} \
                 AND expire_date OPERATOR(pg_catalog.=) $2 {order} LIMIT {limit}",
            self.found.table.quoted()
        );
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&row, Type::TEXT), (&expires, Type::TIMESTAMPTZ)];
        let plan = format!(
            "{plan}; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL synchronize_seqscans = off"
        );
        let picked = self.read_window(&plan, &sql, values)?;
        let next = match picked.rows.iter().last() {
            Some(row) if picked.rows.len() == limit => {
                place(expires, Some(format!("{AFTER}{row}")))
            }
            // A timestamptz is a whole number of microseconds.
            _ => place(
                Instant(Timestamp::from_micros(expires.0.as_micros().saturating_add(1))),
                None,
            ),
        };
        Ok(Window { rows: picked.rows, next: Some(next) })
    }

    fn read_window(
        &mut self,
        plan: &str,
        sql: &str,
        values: [(&(dyn ToSql + Sync), Type); 2],
    ) -> Result<Picked, Error> {
        self.client.batch_execute(&format!("{BEGIN_SCAN}; {plan}"))?;
        let mut rows = Keys::default();
        let mut span = None;
        {
            let mut found = self.client.query_typed_raw(sql, values)?;
            while let Some(row) = found.next()? {
                rows.push(row.try_get(0)?);
                let expires = row.try_get::<_, Instant>(1)?;
                let (first, last) = span.unwrap_or((expires, expires));
                span = Some((expires.min(first), expires.max(last)));
            }
        }
        self.client.batch_execute("COMMIT")?;
        Ok(Picked { rows, span })
    }
}

/// The addresses or keys of picked rows, and the first and the last expiry among them.
struct Picked {
    rows: Keys,
    span: Option<(Instant, Instant)>,
}

fn place(Instant(expires): Instant, row: Option<String>) -> Cursor {
    Cursor { expires: expires.as_micros().to_string(), row }
}

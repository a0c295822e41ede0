use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, params};

use super::row::{bytes, data, push};
use super::user_column::shown;
use crate::model::{Data, Page};
use crate::store::{ByUser, Emit, WallClock};

/// For how long one statement may hold the shared lock. Django's own writers wait 5 s by default.
const READ_SLICE: Duration = Duration::from_millis(50);
/// The clock is looked at once in so many rows.
const ROWS_PER_LOOK: u32 = 256;

/// One walk over the table, in slices. Its statements read the address of a row, its
/// [`columns`](super::row::columns), and the user column if it matters.
pub(super) struct Walk<'w> {
    pub(super) connection: &'w Connection,
    /// Read whatever is there, and last the size of what is too large.
    pub(super) whatever: Statements,
    /// The same, but they fail at data that is too large; `None` where rows have no numbers, from which to
    /// go on then.
    pub(super) refusing: Option<Statements>,
    pub(super) clock: &'w WallClock,
    pub(super) live_bound: Option<&'w [u8]>,
    pub(super) key_prefix: Option<&'w str>,
    pub(super) by: Option<&'w ByUser>,
    /// Whoever reads has enough.
    pub(super) over: bool,
}

/// A walk begins before every row, of which no value can be sure to be: a key may be empty, and a row number negative.
pub(super) struct Statements {
    /// Reads from the first row on; ?1 is NULL.
    pub(super) first: String,
    /// Reads from the row on that comes after the address ?1.
    pub(super) next: String,
}

/// How far a walk has come.
#[derive(Default)]
struct Place {
    /// The address after which it goes on.
    after: Option<Value>,
    /// The number of the last row, if it has one.
    number: Option<i64>,
    /// Whether a row that is too large comes next.
    too_large: bool,
}

impl Walk<'_> {
    /// Walks over all rows; with `user`, over those of which the column says this.
    pub(super) fn run(
        &mut self,
        user: Option<&Value>,
        emit: &mut Emit<'_>,
    ) -> rusqlite::Result<()> {
        let mut place = Place::default();
        let mut page = Page::default();
        while !self.over && self.slice(&mut place, user, &mut page)? {
            // Full or not, and be it empty: whoever reads may want to break off long before an old
            // table has a page of live rows.
            match emit(page) {
                ControlFlow::Continue(empty) => page = empty,
                ControlFlow::Break(()) => {
                    self.over = true;
                    return Ok(());
                }
            }
        }
        if !page.is_empty() {
            self.over = emit(page).is_break();
        }
        Ok(())
    }

    /// Reads on until it is time to hand the page over; whether there may be more rows.
    fn slice(
        &self,
        place: &mut Place,
        user: Option<&Value>,
        page: &mut Page,
    ) -> rusqlite::Result<bool> {
        let too_large = std::mem::take(&mut place.too_large);
        let refusing = self.refusing.as_ref().filter(|_| !too_large);
        let began = Instant::now();
        let statements = refusing.unwrap_or(&self.whatever);
        let after = &place.after;
        let sql = if after.is_some() { &statements.next } else { &statements.first };
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = match user {
            Some(user) => statement.query(params![after, user])?,
            None => statement.query([after])?,
        };
        let mut seen = 0_u32;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(false),
                Err(error) if refusing.is_some() && is_too_large(&error) => {
                    place.after = place.number.map(Value::Integer);
                    place.too_large = true;
                    return Ok(true);
                }
                Err(error) => return Err(error),
            };
            place.number = next_number(place.number, row.get_ref(0)?)?;
            self.push(row, refusing.is_none(), page)?;
            seen += 1;
            let slice_over = seen.is_multiple_of(ROWS_PER_LOOK) && began.elapsed() > READ_SLICE;
            if page.is_full() || slice_over {
                place.after = Some(row.get(0)?);
                return Ok(true);
            }
        }
    }

    fn push(
        &self,
        row: &rusqlite::Row<'_>,
        with_size: bool,
        page: &mut Page,
    ) -> rusqlite::Result<()> {
        let expires = row.get_ref(3)?;
        if !self.live_bound.is_none_or(|bound| greater(expires, bound)) {
            return Ok(());
        }
        let key = row.get_ref(1)?;
        if !self.key_prefix.is_none_or(|prefix| bytes(key).starts_with(prefix.as_bytes())) {
            return Ok(());
        }
        let user = match self.by {
            Some(by) => shown(by.column.kind, row.get_ref(4)?),
            None => None,
        };
        if self.by.is_some_and(|by| !by.stamps.include(user.as_deref())) {
            return Ok(());
        }
        let text = row.get_ref(2)?;
        let data = if with_size {
            data(text, row.get_ref(if self.by.is_some() { 5 } else { 4 })?)
        } else {
            Data::Text(bytes(text))
        };
        push(page, self.clock, key, data, expires, user.as_deref());
        Ok(())
    }
}

fn is_too_large(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::TooBig)
}

/// The number of a row, which is above that of the row before: in a damaged file a walk could come round
/// for ever.
fn next_number(before: Option<i64>, at: ValueRef<'_>) -> rusqlite::Result<Option<i64>> {
    match (before, at) {
        (Some(before), ValueRef::Integer(at)) if at <= before => Err(out_of_order()),
        (_, ValueRef::Integer(at)) => Ok(Some(at)),
        _ => Ok(None),
    }
}

fn out_of_order() -> rusqlite::Error {
    let malformed = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    let said = "database disk image is malformed: rows are not in their order";
    rusqlite::Error::SqliteFailure(malformed, Some(said.into()))
}

/// `value > bound` as SQLite itself compares a column with a text: numbers sort before every text,
/// blobs after (SQLite docs, "Datatypes" §4.1).
fn greater(value: ValueRef<'_>, bound: &[u8]) -> bool {
    match value {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => false,
        ValueRef::Text(text) => text > bound,
        ValueRef::Blob(_) => true,
    }
}

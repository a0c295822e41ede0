//! The reading connection: scans the table in slices.

use std::ops::ControlFlow;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::limits::Limit;
use rusqlite::vtab::array;

use super::connection::Limited;
use super::fault::fail;
use super::free_pages::FreePages;
use super::row::{REFUSING_COLUMNS, columns, data, push, size_column};
use super::user_column::{shown, values};
use super::walk::{Statements, Walk, Way};
use super::{Sqlite, comparable};
use crate::model::{MOST_DATA_BYTES, Page, Timestamp};
use crate::store::reference::{hindrances, kept};
use crate::store::{
    BlindSpot, Bloat, ByUser, CredentialTable, Cursor, Emit, Expired, ExpiryReader, Fault, Filter,
    Kept, Reader, Reference, ReferenceReader, ReferringReader, StoreError, Table, Uniqueness, User,
    UserColumn, UserColumnDrop, UserColumnPlan, UserColumnReader, UserKey, UserQuery, UserReader,
    Users, UsersFound,
};

pub(super) struct SqliteReader<'s> {
    store: &'s Sqlite,
    /// Fails on a value of more than [`MOST_DATA_BYTES`].
    connection: Limited,
}

impl<'s> SqliteReader<'s> {
    /// How to read the rows; with `by_value`, one value of the user column after the other.
    fn way(&self, filter: &Filter, by_value: bool) -> Result<Way, StoreError> {
        let store = self.store;
        // Row numbers make a walk cheap, and it can stop after any row.
        let has_numbers = store.row_address(&self.connection) == "_rowid_";
        let user = filter.user.as_ref().map(|by| by.column.quoted());
        let also = user.as_ref().map_or_else(String::new, |user| format!(", {user}"));
        // The index holds the row numbers too, in order within each value.
        let is_user = match &user {
            Some(user) if by_value => format!("{user} IS ?2 AND"),
            _ => String::new(),
        };
        let table = store.table.quoted();
        let sql = |columns: &str, size: &str| {
            let rows = |which: &str| {
                format!(
                    "SELECT _rowid_, {columns}{also}{size} FROM {table} WHERE {is_user} {which} ORDER BY _rowid_"
                )
            };
            Statements { first: rows("?1 IS NULL"), next: rows("_rowid_ > ?1") }
        };
        let size = format!(", {}", size_column(MOST_DATA_BYTES));
        Ok(if has_numbers {
            Way::ByNumber {
                whatever: sql(&columns(MOST_DATA_BYTES), &size),
                refusing: sql(REFUSING_COLUMNS, ""),
                key: format!("SELECT session_key FROM {table} WHERE _rowid_ = ?1"),
            }
        } else {
            let is_view = store.blind_spot(&self.connection, &store.table)?.is_some();
            let sql = format!(
                "SELECT NULL, {}{also}{size} FROM {table} WHERE {is_user} ?1 IS NULL",
                columns(MOST_DATA_BYTES)
            );
            Way::AtOnce { sql, is_view }
        })
    }

    pub(super) fn new(store: &'s Sqlite, connection: Limited) -> rusqlite::Result<Self> {
        let most = i32::try_from(MOST_DATA_BYTES).unwrap_or(i32::MAX);
        array::load_module(&connection)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, most)?;
        Ok(Self { store, connection })
    }
}

impl Reader for SqliteReader<'_> {
    /// The largest row number. Rows are numbered in order of insertion, so this is never too small.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        let sql = format!("SELECT max(_rowid_) FROM {}", self.store.table.quoted());
        Ok(self
            .connection
            .query_row(&sql, [], |row| row.get::<_, Option<i64>>(0))
            .ok()
            .flatten()
            .and_then(|rowid| u64::try_from(rowid).ok()))
    }

    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        if let Some(rows) = filter.newest {
            return self
                .newest(rows, filter.user.as_ref(), emit)
                .map_err(|error| fail(error, self.store.what("read")));
        }
        let (store, clock) = (self.store, &self.store.clock);
        let live_bound = filter.live_at.map(|now| comparable(clock.live_bound(now), now));
        let live_bound = live_bound.transpose()?;
        let values = filter.user.as_ref().and_then(values);
        let way = self.way(filter, values.is_some())?;
        let mut walk = Walk {
            connection: &self.connection,
            way,
            clock,
            live_bound: live_bound.as_deref().map(str::as_bytes),
            key_prefix: filter.key_prefix.as_deref(),
            by: filter.user.as_ref(),
            over: false,
            renumbered: false,
        };
        let walked = match &values {
            None => walk.run(None, emit),
            Some(values) => values.iter().try_for_each(|value| walk.run(Some(value), emit)),
        };
        match walked {
            Ok(()) if walk.renumbered => Err(StoreError::new(Fault::Fatal, store.what("read"))
                .because("VACUUM came in between, and may have given rows other numbers")
                .hint("run it again")),
            walked => walked.map_err(|error| fail(error, store.what("read"))),
        }
    }

    fn now(&mut self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::now())
    }

    fn blind_spot(&mut self, table: &Table) -> Result<Option<BlindSpot>, StoreError> {
        self.store.blind_spot(&self.connection, table)
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

impl UserColumnReader for SqliteReader<'_> {
    fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError> {
        self.store.user_column(&self.connection, name)
    }

    fn user_column_plan(&mut self, column: &UserColumn) -> Result<UserColumnPlan, StoreError> {
        Ok(self.store.user_column_plan(column))
    }

    fn user_column_drop(&mut self, column: &UserColumn) -> Result<UserColumnDrop, StoreError> {
        self.store.user_column_drop(&self.connection, column)
    }
}

impl ExpiryReader for SqliteReader<'_> {
    fn expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        patience: Duration,
    ) -> Result<Expired, StoreError> {
        self.store.count_expired(&self.connection, cutoff, from, patience)
    }

    fn expired_and_kept(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let references = self.references()?;
        match kept(&hindrances(&references)) {
            Some(kept) => {
                let kept = ("SELECT count(*)", &*format!(" AND {kept}"));
                self.store.add_up_expired(&self.connection, cutoff, kept, patience)
            }
            None => Ok(Some(0)),
        }
    }

    fn bloat(&mut self) -> Result<Bloat, StoreError> {
        bloat(&self.connection).map_err(|error| fail(error, self.store.what("read")))
    }
}

impl UserReader for SqliteReader<'_> {
    fn user_key(&mut self, users: &Users) -> Result<Option<UserKey>, StoreError> {
        self.store.user_key(&self.connection, users)
    }

    fn users_found(&mut self) -> Result<Vec<UsersFound>, StoreError> {
        self.store.users_found(&self.connection)
    }

    fn described(&mut self, users: &Table) -> Result<Option<Users>, StoreError> {
        self.store.described(&self.connection, users)
    }

    fn uniqueness(&mut self, users: &Table, column: &str) -> Result<Uniqueness, StoreError> {
        self.store.uniqueness(&self.connection, users, column)
    }

    fn users(
        &mut self,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        self.store.read_users(&self.connection, users, which, emit)
    }

    fn credentials(
        &mut self,
        table: &CredentialTable,
        _: Option<&str>,
        ids: &[String],
    ) -> Result<Option<u64>, StoreError> {
        self.store.count_credentials(&self.connection, table, ids)
    }

    fn logins(&mut self, users: &Users, ids: &[String]) -> Result<Option<u64>, StoreError> {
        self.store.count_logins(&self.connection, users, ids).map(Some)
    }
}

impl ReferenceReader for SqliteReader<'_> {
    fn references(&mut self) -> Result<Vec<Reference>, StoreError> {
        self.store.references(&self.connection)
    }

    fn referenced(&mut self, keys: &[&str]) -> Result<Kept, StoreError> {
        self.store.referenced(&self.connection, keys)
    }
}

impl ReferringReader for SqliteReader<'_> {
    fn check_referring(&mut self) -> Result<Vec<String>, StoreError> {
        self.store.check_referring(&self.connection)
    }

    fn count_referring(&mut self, keys: &[&str]) -> Result<Vec<u64>, StoreError> {
        self.store.count_referring(&self.connection, keys)
    }

    fn count_referring_to_expired(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        self.store.count_referring_to_expired(&self.connection, cutoff, patience)
    }
}

impl SqliteReader<'_> {
    /// Reads the newest rows: so few that one statement suffices.
    fn newest(&self, rows: u32, by: Option<&ByUser>, emit: &mut Emit<'_>) -> rusqlite::Result<()> {
        let user = by.map_or_else(|| "NULL".into(), |by| by.column.quoted());
        let sql = format!(
            "SELECT {}, {}, {user} FROM {} ORDER BY expire_date DESC LIMIT {rows}",
            columns(MOST_DATA_BYTES),
            size_column(MOST_DATA_BYTES),
            self.store.table.quoted()
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut page = Page::default();
        while let Some(row) = rows.next()? {
            let user = match by {
                Some(by) => shown(by.column.kind, row.get_ref(4)?),
                None => None,
            };
            let data = data(row.get_ref(1)?, row.get_ref(3)?);
            let (key, expires) = (row.get_ref(0)?, row.get_ref(2)?);
            push(&mut page, &self.store.clock, key, data, expires, user.as_deref());
            if page.is_full() {
                match emit(page) {
                    ControlFlow::Continue(empty) => page = empty,
                    ControlFlow::Break(()) => return Ok(()),
                }
            }
        }
        if !page.is_empty() {
            let _ = emit(page);
        }
        Ok(())
    }
}

fn bloat(connection: &Connection) -> rusqlite::Result<Bloat> {
    let pages = FreePages::of(connection)?;
    let advice = pages.are_many().then(|| {
        format!(
            "{} MB in the file are free: new rows use them again; VACUUM gives them back to the file \
             system, keeps every writer out meanwhile, and needs twice the size of the file on the disk",
            pages.megabytes()
        )
    });
    Ok(Bloat { dead_rows: None, advice: advice.into_iter().collect() })
}

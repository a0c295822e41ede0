//! A connection that reads: what every store's can do, and what only some can.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{
    Bloat, ByUser, Capability, Cursor, Expired, Kept, Reference, StoreError, Table, User,
    UserColumn, UserColumnPlan, UserKey, UserQuery, Users, UsersFound,
};
use crate::model::{Page, Timestamp};

/// Which rows a scan returns.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only rows that may still be live at this instant: `expire_date > now`, as Django has it.
    pub live_at: Option<Timestamp>,
    /// Only rows whose key begins so, letter case and all.
    pub key_prefix: Option<String>,
    /// Read the user column too, and only rows of which it says this.
    pub user: Option<ByUser>,
    /// Only so many rows, those that expire last, which takes an index of expiry.
    pub newest: Option<u32>,
    /// Read in short transactions, page by page in the order of the keys: for work that takes longer
    /// than anybody may hold a snapshot.
    pub in_pages: bool,
}

/// Receives a full page and gives back an empty one, or breaks off the scan.
pub type Emit<'a> = dyn FnMut(Page) -> ControlFlow<(), Page> + 'a;

/// A connection that reads.
pub trait Reader: Send {
    /// About how many rows [`scan`](Self::scan) will return or pass over, if that can be said
    /// without counting.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Reads every row that passes the filter, each once, in an order of the database's own. Rows
    /// that change while it runs may be seen in either state.
    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError>;

    /// The clock that tells what has expired: the database's or this machine's, whichever is
    /// behind.
    fn now(&mut self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::now())
    }

    /// Refuses if nothing can be written here, as on a read replica: before much is read in vain.
    fn demand_writes(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What may hide rows of a table from this connection without anybody saying so. Rows that are known to
    /// be hidden are an error.
    fn blind_spot(&mut self, _table: &Table) -> Result<Option<BlindSpot>, StoreError> {
        Ok(None)
    }

    /// [`Capability::Expiry`](super::Capability::Expiry).
    fn expiry(&mut self) -> Option<&mut dyn ExpiryReader> {
        None
    }

    /// [`Capability::UserColumn`](super::Capability::UserColumn).
    fn user_columns(&mut self) -> Option<&mut dyn UserColumnReader> {
        None
    }

    /// [`Capability::Users`](super::Capability::Users).
    fn site_users(&mut self) -> Option<&mut dyn UserReader> {
        None
    }

    /// Foreign keys, where the database has such.
    fn foreign_keys(&mut self) -> Option<&mut dyn ReferenceReader> {
        None
    }

    /// [`Capability::Allauth`](super::Capability::Allauth).
    fn allauth(&mut self) -> Option<&mut dyn AllauthReader> {
        None
    }
}

/// What may hide rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlindSpot {
    /// It is a view: who made it decided which rows it shows.
    View,
    /// Rows of it are on another server, which may hide some.
    Elsewhere,
}

/// Finds rows by when they expire.
pub trait ExpiryReader {
    /// Counts the rows that expired before `cutoff`, those before `from` left out, unless that takes
    /// too long.
    fn expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        patience: Duration,
    ) -> Result<Expired, StoreError>;

    /// Counts those of them that other tables keep from being deleted, as far as that can be
    /// seen; `None` if that takes too long.
    fn expired_and_kept(
        &mut self,
        _cutoff: Timestamp,
        _patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        Ok(Some(0))
    }

    /// What the database makes of rows that were deleted.
    fn bloat(&mut self) -> Result<Bloat, StoreError> {
        Ok(Bloat::default())
    }
}

/// Finds the column that says whose a session is.
pub trait UserColumnReader {
    /// The user column of this name, if there is one.
    fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError>;

    /// What it would take to have this column, for people to read.
    fn user_column_plan(&mut self, column: &UserColumn) -> Result<UserColumnPlan, StoreError>;
}

/// Reads the site's table of users.
pub trait UserReader {
    /// What the key of the table of users holds, if that table is there.
    fn user_key(&mut self, users: &Users) -> Result<Option<UserKey>, StoreError>;

    /// The schema in which the table of this name is that goes with the sessions: their own, or one behind it on the search
    /// path. `None` where the bare name leads to it.
    fn schema_beside(&mut self, _name: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// The tables that may be that of the users, each once for every schema in which something says so.
    fn users_found(&mut self) -> Result<Vec<UsersFound>, StoreError> {
        Ok(Vec::new())
    }

    /// The key and the columns of this table, if it is there and has a primary key of one column.
    fn described(&mut self, _users: &Table) -> Result<Option<Users>, StoreError> {
        Ok(None)
    }

    /// Reads these users, each once.
    fn users(
        &mut self,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError>;
}

/// Reads foreign keys. A store without them has none.
pub trait ReferenceReader {
    /// The foreign keys of other tables that point at this one.
    fn references(&mut self) -> Result<Vec<Reference>, StoreError>;

    /// Of the rows with these keys, those that other tables keep from being deleted, as far as that can be seen.
    fn referenced(&mut self, keys: &[&str]) -> Result<Kept, StoreError>;
}

/// Finds the table in which django-allauth keeps a row for each login.
pub trait AllauthReader {
    /// Whether the site has it.
    fn has_allauth(&mut self) -> Result<bool, StoreError>;
}

/// The capabilities of a reader, for callers. Without the capability there is no column, no user, no foreign key and no
/// django-allauth; the rest is an error.
impl dyn Reader + '_ {
    /// See [`ExpiryReader::expired`].
    pub fn expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        patience: Duration,
    ) -> Result<Expired, StoreError> {
        Capability::Expiry.of(self.expiry())?.expired(cutoff, from, patience)
    }

    /// See [`ExpiryReader::expired_and_kept`].
    pub fn expired_and_kept(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        Capability::Expiry.of(self.expiry())?.expired_and_kept(cutoff, patience)
    }

    /// See [`ExpiryReader::bloat`].
    pub fn bloat(&mut self) -> Result<Bloat, StoreError> {
        Capability::Expiry.of(self.expiry())?.bloat()
    }

    /// See [`UserColumnReader::user_column`].
    pub fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError> {
        self.user_columns().map_or(Ok(None), |columns| columns.user_column(name))
    }

    /// See [`UserColumnReader::user_column_plan`].
    pub fn user_column_plan(&mut self, column: &UserColumn) -> Result<UserColumnPlan, StoreError> {
        Capability::UserColumn.of(self.user_columns())?.user_column_plan(column)
    }

    /// See [`UserReader::user_key`].
    pub fn user_key(&mut self, users: &Users) -> Result<Option<UserKey>, StoreError> {
        self.site_users().map_or(Ok(None), |site| site.user_key(users))
    }

    /// See [`UserReader::schema_beside`].
    pub fn schema_beside(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        self.site_users().map_or(Ok(None), |site| site.schema_beside(name))
    }

    /// See [`UserReader::users_found`].
    pub fn users_found(&mut self) -> Result<Vec<UsersFound>, StoreError> {
        self.site_users().map_or(Ok(Vec::new()), UserReader::users_found)
    }

    /// See [`UserReader::described`].
    pub fn described(&mut self, users: &Table) -> Result<Option<Users>, StoreError> {
        self.site_users().map_or(Ok(None), |site| site.described(users))
    }

    /// See [`UserReader::users`].
    pub fn users(
        &mut self,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError> {
        Capability::Users.of(self.site_users())?.users(users, which, emit)
    }

    /// See [`ReferenceReader::references`].
    pub fn references(&mut self) -> Result<Vec<Reference>, StoreError> {
        self.foreign_keys().map_or(Ok(Vec::new()), ReferenceReader::references)
    }

    /// See [`ReferenceReader::referenced`].
    pub fn referenced(&mut self, keys: &[&str]) -> Result<Kept, StoreError> {
        self.foreign_keys().map_or(Ok(Kept::default()), |foreign| foreign.referenced(keys))
    }

    /// See [`AllauthReader::has_allauth`].
    pub fn has_allauth(&mut self) -> Result<bool, StoreError> {
        self.allauth().map_or(Ok(false), AllauthReader::has_allauth)
    }
}

//! The trait of a connection that reads a session table: scanning, which every store can do, and the optional
//! capabilities.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{
    Bloat, ByUser, Capability, CredentialPlace, CredentialTable, Cursor, Expired, Kept, Reference,
    Since, StoreError, Table, Uniqueness, User, UserColumn, UserColumnDrop, UserColumnPlan,
    UserKey, UserQuery, Users, UsersFound,
};
use crate::model::{Page, Timestamp};

/// Which rows a scan returns.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only rows that may be live at this instant: `expire_date > now`, as in Django.
    pub live_at: Option<Timestamp>,
    /// Only rows whose key begins with this text, case-sensitively.
    pub key_prefix: Option<String>,
    /// Read the user column too, and only rows that meet this condition.
    pub user: Option<ByUser>,
    /// Only this many rows, those that expire last. Needs an index on the expiry.
    pub newest: Option<u32>,
    /// What was read before, for a scan of changes. A store that cannot tell what changed reads all rows.
    pub since: Option<Since>,
    /// Read page by page in key order, each in a short transaction: for scans that take longer than a
    /// snapshot may be held.
    pub in_pages: bool,
}

/// Receives a full page and returns an empty one, or ends the scan.
pub type Emit<'a> = dyn FnMut(Page) -> ControlFlow<(), Page> + 'a;

/// A connection that reads.
pub trait Reader: Send {
    /// An estimate of how many rows [`scan`](Self::scan) reads; `None` if only counting would tell.
    fn estimate(&mut self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Reads every row that matches the filter, each once, in an order that the database chooses. A row that
    /// changes during the scan may be seen before or after the change.
    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError>;

    /// Whether the last scan was one of the database that the mark in [`Filter::since`] is of, and of the same table as
    /// then. If it was to read only changes, it did.
    fn could_tell(&self) -> bool {
        false
    }

    /// The current time for deciding what has expired: the clock of the database or of this machine,
    /// whichever is behind.
    fn now(&mut self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::now())
    }

    /// An error if the database accepts no writes, as a read replica does: so a command fails before it reads
    /// much.
    fn demand_writes(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What may silently hide rows of a table from this connection. Rows that are known to be hidden are an
    /// error.
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

    /// The foreign keys, if the database has them.
    fn foreign_keys(&mut self) -> Option<&mut dyn ReferenceReader> {
        None
    }

    /// [`Capability::References`](super::Capability::References).
    fn referring(&mut self) -> Option<&mut dyn ReferringReader> {
        None
    }
}

/// What may hide rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlindSpot {
    /// The table is a view, whose definition decides which rows it shows.
    View,
    /// Rows of the table are on another server, which may hide some.
    Elsewhere,
}

/// Finds expired rows.
pub trait ExpiryReader {
    /// Counts the rows from `from` on that expired before `cutoff`. Gives up if that takes too long.
    fn expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        patience: Duration,
    ) -> Result<Expired, StoreError>;

    /// Counts the rows that expired before `cutoff` and that other tables keep from being deleted, as far as
    /// the role can see; `None` if that takes too long.
    fn expired_and_kept(
        &mut self,
        _cutoff: Timestamp,
        _patience: Duration,
    ) -> Result<Option<u64>, StoreError> {
        Ok(Some(0))
    }

    /// The space that deleted rows still take up.
    fn bloat(&mut self) -> Result<Bloat, StoreError> {
        Ok(Bloat::default())
    }
}

/// Reads about the user column, which holds the user id of a session.
pub trait UserColumnReader {
    /// The user column with this name, if it exists.
    fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError>;

    /// What `backfill` would do to create this column, for the operator.
    fn user_column_plan(&mut self, column: &UserColumn) -> Result<UserColumnPlan, StoreError>;

    /// What `backfill --drop` would do to this column, and what forbids it.
    fn user_column_drop(&mut self, column: &UserColumn) -> Result<UserColumnDrop, StoreError>;
}

/// Reads the site's table of users.
pub trait UserReader {
    /// The type of the key of the table of users; `None` if the table does not exist.
    fn user_key(&mut self, users: &Users) -> Result<Option<UserKey>, StoreError>;

    /// The schema of the table with this name that belongs to the sessions: the schema of the session table,
    /// or one after it on the search path. `None` if the name without a schema finds it.
    fn schema_beside(&mut self, _name: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// The candidates for the table of users, each once per schema that holds evidence for it.
    fn users_found(&mut self) -> Result<Vec<UsersFound>, StoreError> {
        Ok(Vec::new())
    }

    /// The key and the columns of this table, if it exists and has a primary key of one column.
    fn described(&mut self, _users: &Table) -> Result<Option<Users>, StoreError> {
        Ok(None)
    }

    /// Whether the database lets two users have the same text in this column.
    fn uniqueness(&mut self, _users: &Table, _column: &str) -> Result<Uniqueness, StoreError> {
        Ok(Uniqueness::Unknown)
    }

    /// Reads these users, each once.
    fn users(
        &mut self,
        users: &Users,
        which: UserQuery<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError>;

    /// Where the site whose users are those looks for this table.
    fn credential_place(
        &mut self,
        _table: &CredentialTable,
        _users: Option<&Users>,
    ) -> Result<CredentialPlace, StoreError> {
        Ok(CredentialPlace::Beside)
    }

    /// Counts the valid credentials of users with these ids in this table, in this schema or else beside the session table;
    /// `None` if it does not exist.
    fn credentials(
        &mut self,
        _table: &CredentialTable,
        _schema: Option<&str>,
        _ids: &[String],
    ) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// Counts those of the users with these ids whose account is active and has a password that can be used; `None` if that is
    /// unknown.
    fn logins(&mut self, _users: &Users, _ids: &[String]) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
}

/// Reads foreign keys. A store without them has none.
pub trait ReferenceReader {
    /// The foreign keys of other tables that point at this one.
    fn references(&mut self) -> Result<Vec<Reference>, StoreError>;

    /// Of the rows with these keys, those that other tables keep from being deleted, as far as the role can
    /// see.
    fn referenced(&mut self, keys: &[&str]) -> Result<Kept, StoreError>;
}

/// Reads about the columns of other tables that [`Opening::referring`](super::Opening) names.
pub trait ReferringReader {
    /// Checks that rows of each can be deleted with their sessions, apart from the rights of the role. Returns warnings.
    fn check_referring(&mut self) -> Result<Vec<String>, StoreError>;

    /// Counts the rows of each that refer to these keys.
    fn count_referring(&mut self, keys: &[&str]) -> Result<Vec<u64>, StoreError>;

    /// Counts the rows of each that refer to sessions that expired before `cutoff`, without sessions that other tables
    /// keep; `None` for one that takes too long.
    fn count_referring_to_expired(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Vec<Option<u64>>, StoreError>;
}

/// The capabilities of a reader, for commands. A store without a capability has no user column, no users and no
/// foreign keys; other calls fail.
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

    /// See [`UserColumnReader::user_column_drop`].
    pub fn user_column_drop(&mut self, column: &UserColumn) -> Result<UserColumnDrop, StoreError> {
        Capability::UserColumn.of(self.user_columns())?.user_column_drop(column)
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

    /// See [`UserReader::uniqueness`].
    pub fn uniqueness(&mut self, users: &Table, column: &str) -> Result<Uniqueness, StoreError> {
        self.site_users().map_or(Ok(Uniqueness::Unknown), |site| site.uniqueness(users, column))
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

    /// See [`UserReader::credential_place`].
    pub fn credential_place(
        &mut self,
        table: &CredentialTable,
        users: Option<&Users>,
    ) -> Result<CredentialPlace, StoreError> {
        let beside = Ok(CredentialPlace::Beside);
        self.site_users().map_or(beside, |site| site.credential_place(table, users))
    }

    /// See [`UserReader::credentials`].
    pub fn credentials(
        &mut self,
        table: &CredentialTable,
        schema: Option<&str>,
        ids: &[String],
    ) -> Result<Option<u64>, StoreError> {
        self.site_users().map_or(Ok(None), |site| site.credentials(table, schema, ids))
    }

    /// See [`UserReader::logins`].
    pub fn logins(&mut self, users: &Users, ids: &[String]) -> Result<Option<u64>, StoreError> {
        self.site_users().map_or(Ok(None), |site| site.logins(users, ids))
    }

    /// See [`ReferenceReader::references`].
    pub fn references(&mut self) -> Result<Vec<Reference>, StoreError> {
        self.foreign_keys().map_or(Ok(Vec::new()), ReferenceReader::references)
    }

    /// See [`ReferenceReader::referenced`].
    pub fn referenced(&mut self, keys: &[&str]) -> Result<Kept, StoreError> {
        self.foreign_keys().map_or(Ok(Kept::default()), |foreign| foreign.referenced(keys))
    }

    /// See [`ReferringReader::check_referring`].
    pub fn check_referring(&mut self) -> Result<Vec<String>, StoreError> {
        Capability::References.of(self.referring())?.check_referring()
    }

    /// See [`ReferringReader::count_referring`].
    pub fn count_referring(&mut self, keys: &[&str]) -> Result<Vec<u64>, StoreError> {
        Capability::References.of(self.referring())?.count_referring(keys)
    }

    /// See [`ReferringReader::count_referring_to_expired`].
    pub fn count_referring_to_expired(
        &mut self,
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Vec<Option<u64>>, StoreError> {
        Capability::References.of(self.referring())?.count_referring_to_expired(cutoff, patience)
    }
}

//! The trait of a connection that writes to a session table: deleting, which every store can do, and the
//! optional capabilities.

use std::time::Duration;

use super::{
    Assigned, Capability, CredentialTable, Cursor, Gone, Locked, Mark, StoreError, UserColumn, Was,
    Window,
};
use crate::model::{Page, Timestamp};

/// A connection that writes. Every call is one short transaction, and safe to retry.
pub trait Writer {
    /// Deletes the rows with these keys, and in the same transaction the rows of other tables that
    /// [`Opening::referring`](super::Opening) names. Rows stay if a foreign key of another table forbids their delete; then
    /// those that refer to them stay, too.
    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError>;

    /// Counts the rows with these keys.
    fn count(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        Ok(u64::try_from(self.read(keys)?.rows().count()).unwrap_or(u64::MAX))
    }

    /// Reads the rows with these keys that exist. If there are several, large ones come as
    /// [`Data::TooLarge`](crate::model::Data::TooLarge): each can be read by itself.
    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError>;

    /// Notes the present state of the database, so that a scan with [`Filter::since`](super::Filter::since) can tell what
    /// others commit from now on. `None` if the store cannot tell.
    fn mark(&mut self) -> Result<Option<Mark>, StoreError> {
        Ok(None)
    }

    /// How long the next batch should take, and how long to pause before it, so that the site's own writers
    /// are not delayed.
    fn batch_budget(&mut self) -> BatchBudget {
        BatchBudget { batch: BATCH, rest: Duration::ZERO }
    }

    /// How long the way to the server has taken since this was asked last. However few rows a batch has, it takes as long, so
    /// this is no reason for a smaller one.
    fn time_under_way(&mut self) -> Duration {
        Duration::ZERO
    }

    /// Ends the valid credentials of users with these ids in this table, in this schema or else beside the session table, and
    /// returns how many these were. For stores with [`Capability::Users`](super::Capability::Users).
    fn end_credentials(
        &mut self,
        _table: &CredentialTable,
        _schema: Option<&str>,
        _ids: &[String],
    ) -> Result<u64, StoreError> {
        Err(Capability::Users.missing(None))
    }

    /// [`Capability::Expiry`](super::Capability::Expiry).
    fn expiry(&mut self) -> Option<&mut dyn ExpiryWriter> {
        None
    }

    /// [`Capability::UserColumn`](super::Capability::UserColumn).
    fn user_columns(&mut self) -> Option<&mut dyn UserColumnWriter> {
        None
    }

    /// [`Capability::Rewrite`](super::Capability::Rewrite).
    fn rewriting(&mut self) -> Option<&mut dyn Rewriter> {
        None
    }

    /// [`Capability::Truncate`](super::Capability::Truncate).
    fn truncation(&mut self) -> Option<&mut dyn Truncator> {
        None
    }

    /// [`Capability::Replicas`](super::Capability::Replicas).
    fn replicas(&mut self) -> Option<&mut dyn ReplicaLag> {
        None
    }
}

/// New data for a row.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'r> {
    /// `session_key`.
    pub key: &'r str,
    /// The `session_data` that was read.
    pub old: &'r Was,
    /// The new `session_data`.
    pub new: &'r str,
}

/// The user id to write into the user column of a row.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'r> {
    /// `session_key`.
    pub key: &'r str,
    /// The `session_data` that names this user.
    pub data: &'r Was,
    /// The user's id, spelled as [`UserColumn::fit`] returns it; `None` writes NULL, if values are
    /// overwritten.
    pub user: Option<&'r str>,
}

/// The time that a store allows the next batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchBudget {
    /// How long a batch should take, without the [way to the server](Writer::time_under_way).
    pub batch: Duration,
    /// Minimum pause before it.
    pub rest: Duration,
}

/// The duration of a batch if no other session waits for it.
pub(super) const BATCH: Duration = Duration::from_millis(50);

/// Deletes expired rows.
pub trait ExpiryWriter {
    /// Picks at most `limit` rows that expired before `cutoff`, in order of expiry, from `from` on. Locks no
    /// row.
    fn pick_expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError>;

    /// Deletes those of the rows from [`pick_expired`](Self::pick_expired) that still exist and are still
    /// expired, except those that another table refers to.
    fn delete_expired(
        &mut self,
        rows: &[&str],
        cutoff: Timestamp,
        locked: Locked,
    ) -> Result<Gone, StoreError>;

    /// An error if [`Self::analyze`] would fail.
    fn demand_analyze(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Refreshes the planner's statistics of the table, if the database has them.
    fn analyze(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Adds, fills and indexes the user column.
pub trait UserColumnWriter {
    /// Adds the user column unless it exists: nullable and without a default, so that no row is rewritten.
    fn add_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError>;

    /// Fills the user column of rows whose data has not changed. Sets NULL for a user whom the column cannot
    /// name.
    fn assign(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError>;

    /// Creates the index of the user column, unless it has a usable one, and refreshes the column's
    /// statistics. Where the database can, other sessions read and write meanwhile.
    fn index_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError>;

    /// Drops the index of the user column and then the column, if it is there. An error if something else needs it.
    fn drop_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError>;
}

/// Replaces the data of sessions.
pub trait Rewriter {
    /// Replaces the data of rows whose data has not changed. Returns how many rows were replaced.
    fn replace(&mut self, rows: &[Replacement<'_>]) -> Result<u64, StoreError>;
}

/// Empties the table at once.
pub trait Truncator {
    /// Empties the table. The exclusive lock blocks every other session, so it is waited for only briefly.
    fn truncate(&mut self) -> Result<(), StoreError>;
}

/// Measures replication lag.
pub trait ReplicaLag {
    /// The lag of the slowest replica; `None` if there is none.
    fn replica_lag(&mut self) -> Result<Option<Duration>, StoreError>;
}

/// The capabilities of a writer, for commands. A store without replicas has no lag; other calls fail without
/// the capability.
impl dyn Writer + '_ {
    /// See [`ExpiryWriter::pick_expired`].
    pub fn pick_expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError> {
        Capability::Expiry.of(self.expiry())?.pick_expired(cutoff, from, limit)
    }

    /// See [`ExpiryWriter::delete_expired`].
    pub fn delete_expired(
        &mut self,
        rows: &[&str],
        cutoff: Timestamp,
        locked: Locked,
    ) -> Result<Gone, StoreError> {
        Capability::Expiry.of(self.expiry())?.delete_expired(rows, cutoff, locked)
    }

    /// See [`ExpiryWriter::demand_analyze`].
    pub fn demand_analyze(&mut self) -> Result<(), StoreError> {
        Capability::Expiry.of(self.expiry())?.demand_analyze()
    }

    /// See [`ExpiryWriter::analyze`].
    pub fn analyze(&mut self) -> Result<(), StoreError> {
        Capability::Expiry.of(self.expiry())?.analyze()
    }

    /// See [`UserColumnWriter::add_user_column`].
    pub fn add_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        Capability::UserColumn.of(self.user_columns())?.add_user_column(column)
    }

    /// See [`UserColumnWriter::assign`].
    pub fn assign(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError> {
        Capability::UserColumn.of(self.user_columns())?.assign(column, rows, overwrite)
    }

    /// See [`UserColumnWriter::index_user_column`].
    pub fn index_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        Capability::UserColumn.of(self.user_columns())?.index_user_column(column)
    }

    /// See [`UserColumnWriter::drop_user_column`].
    pub fn drop_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError> {
        Capability::UserColumn.of(self.user_columns())?.drop_user_column(column)
    }

    /// See [`Rewriter::replace`].
    pub fn replace(&mut self, rows: &[Replacement<'_>]) -> Result<u64, StoreError> {
        Capability::Rewrite.of(self.rewriting())?.replace(rows)
    }

    /// See [`Truncator::truncate`].
    pub fn truncate(&mut self) -> Result<(), StoreError> {
        Capability::Truncate.of(self.truncation())?.truncate()
    }

    /// See [`ReplicaLag::replica_lag`].
    pub fn replica_lag(&mut self) -> Result<Option<Duration>, StoreError> {
        self.replicas().map_or(Ok(None), ReplicaLag::replica_lag)
    }
}

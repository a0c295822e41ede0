//! A connection that writes: what every store's can do, and what only some can.

use std::time::Duration;

use super::{Assigned, Capability, Cursor, Gone, Locked, StoreError, UserColumn, Was, Window};
use crate::model::{Page, Timestamp};

/// A connection that writes. Every call is one short transaction and safe to repeat.
pub trait Writer {
    /// Deletes the rows with these keys, but for those that another table refers to in a way that
    /// forbids it.
    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError>;

    /// How many rows with these keys there are.
    fn count(&mut self, keys: &[&str]) -> Result<u64, StoreError> {
        Ok(u64::try_from(self.read(keys)?.rows().count()).unwrap_or(u64::MAX))
    }

    /// Reads the rows with these keys, as many as there are. Of several, those with much data come as
    /// [`Data::TooLarge`](crate::model::Data::TooLarge): each of them can be read by itself.
    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError>;

    /// How long the next batch should take and how long to rest before it, so that the site gets
    /// its turn.
    fn batch_budget(&mut self) -> BatchBudget {
        BatchBudget { batch: BATCH, rest: Duration::ZERO }
    }

    /// [`Capability::Expiry`](super::Capability::Expiry).
    fn expiry(&mut self) -> Option<&mut dyn ExpiryWriter> {
        None
    }

    /// [`Capability::UserColumn`](super::Capability::UserColumn).
    fn user_columns(&mut self) -> Option<&mut dyn UserColumnWriter> {
        None
    }

    /// [`Capability::Allauth`](super::Capability::Allauth).
    fn allauth(&mut self) -> Option<&mut dyn AllauthWriter> {
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
    /// The `session_data` that shall be.
    pub new: &'r str,
}

/// Whose a row is.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'r> {
    /// `session_key`.
    pub key: &'r str,
    /// The `session_data` that says so.
    pub data: &'r Was,
    /// The user's id, as [`UserColumn::fit`] has it; `None`, where it overwrites, for NULL.
    pub user: Option<&'r str>,
}

/// What a batch must keep to.
#[derive(Clone, Copy, Debug)]
pub struct BatchBudget {
    /// How long a batch should take.
    pub batch: Duration,
    /// How long to rest before it, at least.
    pub rest: Duration,
}

/// How long a batch takes where nobody has to wait for it.
pub(super) const BATCH: Duration = Duration::from_millis(50);

/// Deletes rows by when they expire.
pub trait ExpiryWriter {
    /// Picks rows that expired before `cutoff`, at most `limit`, in order of their expiry, from
    /// `from` on. Locks nothing.
    fn pick_expired(
        &mut self,
        cutoff: Timestamp,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Window, StoreError>;

    /// Deletes of the rows that [`pick_expired`](Self::pick_expired) picked those that are there
    /// and expired still, but for those that another table refers to.
    fn delete_expired(
        &mut self,
        rows: &[&str],
        cutoff: Timestamp,
        locked: Locked,
    ) -> Result<Gone, StoreError>;

    /// Refuses if [`Self::analyze`] would.
    fn demand_analyze(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Renews the planner's statistics of the table, if there are any.
    fn analyze(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Adds, fills and indexes the column that says whose a session is.
pub trait UserColumnWriter {
    /// Adds the user column if it is not there: nullable, without a default, so that no row is written.
    fn add_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError>;

    /// Says whose rows are whose, where their data is what it was. Sets NULL for a user whom the column cannot name.
    fn assign(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError>;

    /// Makes the index of the user column if it has none that can be used, while others go on
    /// reading and writing where the database can do that, and renews the column's statistics.
    fn index_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError>;
}

/// Deletes from that table.
pub trait AllauthWriter {
    /// The same as [`Writer::delete`], and with each row goes the one that django-allauth has for it: never one alone.
    fn delete_with_allauth(&mut self, keys: &[&str]) -> Result<Gone, StoreError>;
}

/// Writes sessions anew.
pub trait Rewriter {
    /// Writes new data into rows whose data is what it was; returns how many there were.
    fn replace(&mut self, rows: &[Replacement<'_>]) -> Result<u64, StoreError>;
}

/// Empties the table at once.
pub trait Truncator {
    /// Does so. The lock that this takes keeps everybody out, and is not waited for long.
    fn truncate(&mut self) -> Result<(), StoreError>;
}

/// Tells how replicas do.
pub trait ReplicaLag {
    /// How far the replica that is furthest behind is; `None` where there is none.
    fn replica_lag(&mut self) -> Result<Option<Duration>, StoreError>;
}

/// The capabilities of a writer, for callers. Without the capability there are no replicas; the rest is an error.
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

    /// See [`AllauthWriter::delete_with_allauth`].
    pub fn delete_with_allauth(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        Capability::Allauth.of(self.allauth())?.delete_with_allauth(keys)
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

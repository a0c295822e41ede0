//! Optional capabilities of stores, beyond scanning and deleting. A store has a capability if the accessor on
//! its reader or writer returns the trait. Commands call the methods of `dyn Reader` and `dyn Writer`, which
//! use the trait or fail with a clear error.

use super::{Fault, StoreError};

/// An optional capability of a store, and the commands that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// [`ExpiryReader`](super::ExpiryReader), [`ExpiryWriter`](super::ExpiryWriter): `purge-expired`, `check`.
    Expiry,
    /// [`UserColumnReader`](super::UserColumnReader), [`UserColumnWriter`](super::UserColumnWriter): `backfill`, `--user-column`, `--trust-column`.
    UserColumn,
    /// [`UserReader`](super::UserReader): `--username` and whatever else looks into the table of users.
    Users,
    /// [`Rewriter`](super::Rewriter): `--keep-data`.
    Rewrite,
    /// [`ReferringReader`](super::ReferringReader), and the writer deletes what [`Opening::referring`](super::Opening) names:
    /// `--delete-references`, `--cleanup-allauth`.
    References,
    /// [`Truncator`](super::Truncator): `--truncate`.
    Truncate,
    /// [`Schemas`](super::Schemas): `--schema`, `--all-schemas`.
    Schemas,
    /// [`Grants`](super::Grants): `doctor --grants`.
    Grants,
    /// [`ReplicaLag`](super::ReplicaLag): `--max-lag`.
    Replicas,
}

impl Capability {
    /// All capabilities.
    pub const ALL: &[Self] = &[
        Self::Expiry,
        Self::UserColumn,
        Self::Users,
        Self::Rewrite,
        Self::References,
        Self::Truncate,
        Self::Schemas,
        Self::Grants,
        Self::Replicas,
    ];

    /// What a store without this capability cannot do, and what the operator can do instead.
    fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::Expiry => (
                "find rows by when they expire",
                "let the site or the database itself delete what has expired",
            ),
            Self::UserColumn => (
                "keep a column that says whose a session is",
                "leave it out: logout-user and list read every row",
            ),
            Self::Users => ("read the table of users", "name users by their ids"),
            Self::Rewrite => {
                ("write sessions anew", "leave --keep-data out: then the whole session is deleted")
            }
            Self::References => (
                "delete rows of other tables with their sessions",
                "leave --delete-references and --cleanup-allauth out",
            ),
            Self::Truncate => (
                "empty the table at once",
                "leave --truncate out: then rows are deleted in batches",
            ),
            Self::Schemas => ("tell schemas apart", "leave --schema and --all-schemas out"),
            Self::Grants => ("say which rights a role needs", "leave --grants out"),
            Self::Replicas => (
                "tell how far its replicas are behind",
                "leave --max-lag out; --pause-file pauses for any reason",
            ),
        }
    }

    /// The error for a store without this capability; `store` is the name of the store.
    pub(super) fn missing(self, store: Option<&str>) -> StoreError {
        let (what, hint) = self.said();
        let store = store.map_or(String::new(), |name| format!(" ({name})"));
        StoreError::new(Fault::Fatal, format!("this store{store} cannot {what}"))
            .hint(hint)
            .misused()
    }

    /// What the accessor returned, or that error.
    pub fn of<T>(self, found: Option<T>) -> Result<T, StoreError> {
        found.ok_or_else(|| self.missing(None))
    }
}

//! Session tables in databases: traits that every database implements, and one folder for each database. The
//! traits speak of sessions, never of SQL. They are called once per page or batch, so dynamic dispatch costs
//! nothing.

mod capability;
mod changes;
mod checkout;
mod credential_tables;
mod credentials;
mod error;
mod expired;
mod facts;
mod indexes;
mod link;
mod mysql;
pub(crate) mod net;
mod postgres;
mod reader;
mod reference;
mod referring;
mod source;
mod sqlite;
mod table;
pub(crate) mod url;
mod user_column;
mod users;
mod waits;
mod wall_clock;
mod was;
mod writer;

use std::sync::Arc;

pub use capability::Capability;
pub use changes::{Mark, Since};
pub use credential_tables::{CREDENTIALS, LOGINS};
pub use credentials::{CredentialPlace, CredentialTable};
pub use error::{Fault, StoreError};
pub use expired::{Bloat, Cursor, Expired, Locked, Window};
pub use facts::{Facts, OtherTable, Purpose};
pub use mysql::{BUFFERS, Endpoint, MySql, Params, SslMode, Tls};
pub use postgres::{Conninfo, Postgres};
pub use reader::{
    BlindSpot, Emit, ExpiryReader, Filter, Reader, ReferenceReader, ReferringReader,
    UserColumnReader, UserReader,
};
pub use reference::{Gone, Kept, Reference, add_each};
pub use referring::{NotAColumn, ReferringColumn};
use source::percent_decode;
pub use source::{Backend, FromDjango, Opening, Source, SourceError, Surroundings, Traits};
pub use sqlite::Sqlite;
pub use table::{NotATable, Table};
pub use user_column::{
    Assigned, ByUser, ColumnCondition, UserColumn, UserColumnDrop, UserColumnPlan, UserTable,
    UserType,
};
pub use users::{Address, Evidence, Uniqueness, User, UserKey, UserQuery, Users, UsersFound};
pub use waits::Waits;
pub(crate) use waits::{GaveUp, Watch, Work};
pub use wall_clock::WallClock;
pub use was::Was;
use writer::BATCH;
pub use writer::{
    Assignment, BatchBudget, ExpiryWriter, Replacement, ReplicaLag, Rewriter, Truncator,
    UserColumnWriter, Writer,
};

use crate::consent::Consent;

/// The supported databases. A text that is no URL goes to the first backend that can read it; SQLite is last,
/// since it takes any text for a path.
pub static BACKENDS: &[&dyn Backend] =
    &[&postgres::PostgresBackend, &mysql::MySqlBackend, &sqlite::SqliteBackend];

/// A session table in some database.
pub trait Store: Sync {
    /// Properties of this kind of database.
    fn traits(&self) -> &'static Traits;

    /// Opens a connection that cannot write. Checks that the table exists, has the columns of a session table
    /// and may be read.
    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError>;

    /// Opens a connection that can write. Checks the right to delete before anything is written.
    fn writer(&self, consent: Consent) -> Result<Box<dyn Writer + '_>, StoreError>;

    /// Checks everything that commands depend on, for `doctor`. Needs no right to the table. An error means
    /// that the database cannot be reached.
    fn facts(&self) -> Result<Facts, StoreError> {
        Ok(Facts::default())
    }

    /// Other tables with the columns of a session table. If the schema of this table was named, only those in
    /// it; otherwise those in its schema come first. A partition is not a table of its own.
    fn others_alike(&self) -> Result<Vec<OtherTable>, StoreError> {
        Ok(Vec::new())
    }

    /// Tables, as an operator would type them, that look like a session table whose model has columns of other names:
    /// the primary key is a `varchar(40)`, and there are a long text and a time. If the schema of this table was
    /// named, only those in it.
    fn renamed_alike(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// The lock that keeps other purges out of this database. By default there is none to share it with.
    fn purge_lock(&self) -> Box<dyn PurgeLock + '_> {
        Box::new(Unshared)
    }

    /// [`Capability::Schemas`].
    fn schemas(&self) -> Option<&dyn Schemas> {
        None
    }

    /// [`Capability::Grants`].
    fn grants(&self) -> Option<&dyn Grants> {
        None
    }
}

impl dyn Store + '_ {
    /// An error if the store lacks this capability. To be called before any work begins.
    pub fn demand(&self, capability: Capability) -> Result<(), StoreError> {
        self.traits().demand(capability)
    }
}

/// Lists schemas.
pub trait Schemas {
    /// The schemas with a session table of this name, sorted. Includes those that this role may not read.
    fn schemas(&self) -> Result<Vec<String>, StoreError>;
}

/// Tells which rights a role needs.
pub trait Grants {
    /// The SQL statements that grant `role` exactly the rights for these purposes; by default the current
    /// role. Needs no right to the table. Empty if the role cannot see the table.
    fn grants(
        &self,
        purposes: &[Purpose],
        users: Option<&Users>,
        role: Option<&str>,
    ) -> Result<Vec<String>, StoreError>;
}

/// A lock that allows one purge at a time on a database. It is released when this value is dropped, or when
/// the process ends.
pub trait PurgeLock {
    /// Acquires the lock, or renews it if this value holds it already. Does not wait.
    fn try_acquire(&mut self) -> Result<LockAttempt, StoreError>;
}

/// For stores that no other process can purge: always acquired.
struct Unshared;

impl PurgeLock for Unshared {
    fn try_acquire(&mut self) -> Result<LockAttempt, StoreError> {
        Ok(LockAttempt::Acquired)
    }
}

/// The result of trying to acquire the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockAttempt {
    /// This value holds the lock.
    Acquired,
    /// Another process holds the lock.
    Held(Holder),
}

/// Who holds the lock. Every role of the database can take it and keep it; so can every user of the machine
/// who may read a file database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Another sessctl of the same user, or of the same role under the same `application_name`.
    Sessctl,
    /// Not known to be a sessctl: a description, as far as the holder can be seen.
    Unknown(String),
}

/// What the operator allows on this database, and how to tell them.
#[derive(Clone)]
pub struct Terms {
    /// Whether code that other roles wrote may run with a superuser's rights.
    pub superuser_ok: bool,
    /// Tells the operator something about the database. It may be called more than once with the same notice.
    pub notify: Arc<dyn Fn(&Notice) + Send + Sync>,
}

/// A message about the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// The operator should know it.
    Warning(String),
    /// The operator may want to know it.
    Note(String),
}

impl Terms {
    fn warn(&self, text: &str) {
        (self.notify)(&Notice::Warning(text.into()));
    }

    fn note(&self, text: &str) {
        (self.notify)(&Notice::Note(text.into()));
    }
}

/// No code of other roles with a superuser's rights, and no messages.
impl Default for Terms {
    fn default() -> Self {
        Self { superuser_ok: false, notify: Arc::new(|_| {}) }
    }
}

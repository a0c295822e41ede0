//! Where sessions are stored: an open set of databases behind traits that speak of sessions, never
//! of SQL. They are called once per page or batch, so dynamic dispatch costs nothing.

mod capability;
mod error;
mod expired;
mod facts;
mod indexes;
mod postgres;
mod reader;
mod reference;
mod source;
mod sqlite;
mod table;
mod user_column;
mod users;
mod waits;
mod wall_clock;
mod was;
mod writer;

use std::sync::Arc;

pub use capability::Capability;
pub use error::{Fault, StoreError};
pub use expired::{Bloat, Cursor, Expired, Locked, Window};
pub use facts::{Facts, OtherTable, Purpose};
pub use postgres::{Conninfo, Postgres};
pub use reader::{
    AllauthReader, BlindSpot, Emit, ExpiryReader, Filter, Reader, ReferenceReader,
    UserColumnReader, UserReader,
};
pub use reference::{Gone, Kept, Reference};
use source::percent_decode;
pub use source::{Backend, FromDjango, Opening, Source, SourceError, Surroundings, Traits};
pub use sqlite::Sqlite;
pub use table::{NotATable, Table};
pub use user_column::{
    Assigned, ByUser, ColumnCondition, UserColumn, UserColumnPlan, UserTable, UserType,
};
pub use users::{Address, Evidence, User, UserKey, UserQuery, Users, UsersFound};
pub use waits::Waits;
pub use wall_clock::WallClock;
pub use was::Was;
use writer::BATCH;
pub use writer::{
    AllauthWriter, Assignment, BatchBudget, ExpiryWriter, Replacement, ReplicaLag, Rewriter,
    Truncator, UserColumnWriter, Writer,
};

use crate::consent::Consent;

/// The kinds of databases that are known. A text that is no URL is read by the first that can: so SQLite comes last, which
/// takes what is left for a path.
pub static BACKENDS: &[&dyn Backend] = &[&postgres::PostgresBackend, &sqlite::SqliteBackend];

/// A session table.
pub trait Store: Sync {
    /// What commands have to know of this kind of database.
    fn traits(&self) -> &'static Traits;

    /// Opens a connection that cannot write, and checks that the table is there, has its columns
    /// and may be read.
    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError>;

    /// Opens a connection that can delete, and checks that it may, before anything is written.
    fn writer(&self, consent: Consent) -> Result<Box<dyn Writer + '_>, StoreError>;

    /// Looks at everything that commands depend on. Needs no right to the table; an error is a
    /// database that cannot be reached.
    fn facts(&self) -> Result<Facts, StoreError> {
        Ok(Facts::default())
    }

    /// Other tables that have the columns of a session table: in the schema of this one, if that was named, else those of its
    /// schema first. Parts of a table are not tables of their own.
    fn others_alike(&self) -> Result<Vec<OtherTable>, StoreError> {
        Ok(Vec::new())
    }

    /// What tells whether another sessctl purges this database; by default that none can.
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
    /// Refuses where the store has not got this capability: before anything is begun.
    pub fn demand(&self, capability: Capability) -> Result<(), StoreError> {
        self.traits().demand(capability)
    }
}

/// Tells schemas apart.
pub trait Schemas {
    /// The schemas that have a session table of this name, sorted, whether or not this role may read it.
    fn schemas(&self) -> Result<Vec<String>, StoreError>;
}

/// Knows which rights a role needs.
pub trait Grants {
    /// The SQL that gives a role the rights that these purposes take, and no more; this role, if none is named. Needs no
    /// right to the table. Empty where the table cannot be seen.
    fn grants(
        &self,
        purposes: &[Purpose],
        users: Option<&Users>,
        role: Option<&str>,
    ) -> Result<Vec<String>, StoreError>;
}

/// One purge at a time on a database. The claim ends with this value, or with the process.
pub trait PurgeLock {
    /// Makes or renews the claim, unless somebody else has it.
    fn try_acquire(&mut self) -> Result<LockAttempt, StoreError>;
}

/// Where nobody else can purge.
struct Unshared;

impl PurgeLock for Unshared {
    fn try_acquire(&mut self) -> Result<LockAttempt, StoreError> {
        Ok(LockAttempt::Acquired)
    }
}

/// What came of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockAttempt {
    /// It is made.
    Acquired,
    /// Somebody else has it.
    Held(Holder),
}

/// Who has the claim. Every role of a database and, where they may read its file, every user of a machine can take the lock
/// that it consists of, and keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Another sessctl of the same user, or of the same role under the same `application_name`.
    Sessctl,
    /// Not known to be one: who it is, as far as that can be seen.
    Unknown(String),
}

/// On what terms a database is opened.
#[derive(Clone)]
pub struct Terms {
    /// Whether code of others may run with a superuser's rights.
    pub superuser_ok: bool,
    /// Tells the operator what came up on the way. It may be called more than once with the same.
    pub tell: Arc<dyn Fn(&Notice) + Send + Sync>,
}

/// What an operator is told of a database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// They should know.
    Warning(String),
    /// They may want to know.
    Note(String),
}

impl Terms {
    fn warn(&self, text: &str) {
        (self.tell)(&Notice::Warning(text.into()));
    }

    fn note(&self, text: &str) {
        (self.tell)(&Notice::Note(text.into()));
    }
}

/// Nobody's code runs, and nobody is told.
impl Default for Terms {
    fn default() -> Self {
        Self { superuser_ok: false, tell: Arc::new(|_| {}) }
    }
}

//! Where sessions are stored: an open set of databases behind traits that speak of sessions, never
//! of SQL. They are called once per page or batch, so dynamic dispatch costs nothing.

mod error;
mod expired;
mod facts;
mod indexes;
pub mod memory;
mod postgres;
mod reference;
mod source;
mod sqlite;
mod table;
mod user_column;
mod users;
mod waits;
mod wall_clock;
mod was;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

pub use error::{Fault, StoreError};
pub use expired::{Cursor, Expired, Locked, Upkeep, Window};
pub use facts::{Facts, Purpose};
pub use postgres::{Conninfo, Postgres};
pub use reference::{Gone, Kept, Reference};
use source::percent_decode;
pub use source::{Backend, FromDjango, Opening, Source, SourceError, Surroundings, Traits};
pub use sqlite::Sqlite;
pub use table::{NotATable, Table};
pub use user_column::{Assigned, ByUser, Stamps, UserColumn, UserColumnPlan, UserTable, UserType};
pub use users::{Address, User, Users, WhichUsers};
pub use waits::Waits;
pub use wall_clock::WallClock;
pub use was::Was;

use crate::consent::Consent;
use crate::model::{Page, Timestamp};

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
    fn facts(&self) -> Result<Facts, StoreError>;

    /// The SQL that gives a role the rights that these purposes take, and no more; this role, if none is named. Needs no
    /// right to the table. Empty where the database knows no rights, or the table cannot be seen.
    fn grants(
        &self,
        _purposes: &[Purpose],
        _users: Option<&Users>,
        _role: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Other tables that have the columns of a session table, named as an operator would name them: in the schema of this
    /// one, if that was named. Parts of a table are not tables of their own.
    fn others_alike(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// The schemas that have a session table of this name, sorted, whether or not this role may read it.
    fn schemas(&self) -> Result<Vec<String>, StoreError>;

    /// What tells whether another sessctl purges this database.
    fn instance(&self) -> Box<dyn Instance + '_>;
}

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
    fn estimate(&mut self) -> Result<Option<u64>, StoreError>;

    /// Reads every row that passes the filter, each once, in an order of the database's own. Rows
    /// that change while it runs may be seen in either state.
    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError>;

    /// The clock that tells what has expired: the database's or this machine's, whichever is
    /// behind.
    fn now(&mut self) -> Result<Timestamp, StoreError>;

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
        cutoff: Timestamp,
        patience: Duration,
    ) -> Result<Option<u64>, StoreError>;

    /// Of the rows with these keys, those that other tables keep from being deleted, as far as that can be seen.
    fn referenced(&mut self, keys: &[&str]) -> Result<Kept, StoreError>;

    /// Refuses if nothing can be written here, as on a read replica: before much is read in vain.
    fn demand_writes(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The user column of this name, if there is one.
    fn user_column(&mut self, name: &str) -> Result<Option<UserColumn>, StoreError>;

    /// What the key of the table of users holds, if that table is there.
    fn user_key(&mut self, users: &Users) -> Result<Option<UserType>, StoreError>;

    /// The schema of the session table, where the bare name leads to a table in another schema: what belongs to the site
    /// is looked for beside its sessions.
    fn schema_beside(&mut self, _name: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// The tables other than this one to which the session table and tables of Django and known packages beside it refer
    /// as their users.
    fn other_users(&mut self, _users: &Table) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Reads these users, each once.
    fn users(
        &mut self,
        users: &Users,
        which: WhichUsers<'_>,
        emit: &mut dyn FnMut(User),
    ) -> Result<(), StoreError>;

    /// What it would take to have this column, for people to read.
    fn user_column_plan(&mut self, column: &UserColumn) -> Result<UserColumnPlan, StoreError>;

    /// The foreign keys of other tables that point at this one.
    fn references(&mut self) -> Result<Vec<Reference>, StoreError>;

    /// What may hide rows of a table from this connection without anybody saying so. Rows that are known to
    /// be hidden are an error.
    fn blind_spot(&mut self, _table: &Table) -> Result<Option<BlindSpot>, StoreError> {
        Ok(None)
    }

    /// Whether the site has the table in which django-allauth keeps a row for each login.
    fn has_allauth(&mut self) -> Result<bool, StoreError>;

    /// What the database makes of rows that were deleted.
    fn upkeep(&mut self) -> Result<Upkeep, StoreError>;
}

/// A connection that writes. Every call is one short transaction and safe to repeat.
pub trait Writer {
    /// Deletes the rows with these keys, but for those that another table refers to in a way that
    /// forbids it.
    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError>;

    /// The same, and with each row goes the one that django-allauth has for it: never one alone.
    fn delete_with_allauth(&mut self, keys: &[&str]) -> Result<Gone, StoreError>;

    /// How many rows with these keys there are.
    fn count(&mut self, keys: &[&str]) -> Result<u64, StoreError>;

    /// Reads the rows with these keys, as many as there are. Of several, those with much data come as
    /// [`Data::TooLarge`](crate::model::Data::TooLarge): each of them can be read by itself.
    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError>;

    /// Writes new data into rows whose data is what it was; returns how many there were.
    fn replace(&mut self, rows: &[Replacement<'_>]) -> Result<u64, StoreError>;

    /// Adds the user column if it is not there: nullable, without a default, so that no row is written.
    fn add_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError>;

    /// Says whose rows are whose, where their data is what it was. A user whom the column cannot
    /// name is nobody there.
    fn assign(
        &mut self,
        column: &UserColumn,
        rows: &[Assignment<'_>],
        overwrite: bool,
    ) -> Result<Assigned, StoreError>;

    /// Makes the index of the user column if it has none that can be used, while others go on
    /// reading and writing where the database can do that, and renews the column's statistics.
    fn index_user_column(&mut self, column: &UserColumn) -> Result<(), StoreError>;

    /// Empties the table at once. The lock that this takes keeps everybody out, and is not waited
    /// for long.
    fn truncate(&mut self) -> Result<(), StoreError>;

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

    /// How long the next batch should take and how long to rest before it, so that the site gets
    /// its turn.
    fn turn(&mut self) -> Turn;

    /// How far the replica that is furthest behind is; `None` where there is none, or never any.
    fn replica_lag(&mut self) -> Result<Option<Duration>, StoreError>;

    /// Refuses if [`Self::analyze`] would.
    fn demand_analyze(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Renews the planner's statistics of the table.
    fn analyze(&mut self) -> Result<(), StoreError>;
}

/// What may hide rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlindSpot {
    /// It is a view: who made it decided which rows it shows.
    View,
    /// Rows of it are on another server, which may hide some.
    Elsewhere,
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
pub struct Turn {
    /// How long a batch should take.
    pub batch: Duration,
    /// How long to rest before it, at least.
    pub rest: Duration,
}

/// How long a batch takes where nobody has to wait for it.
const BATCH: Duration = Duration::from_millis(50);

/// One purge at a time on a database. The claim ends with this value, or with the process.
pub trait Instance {
    /// Makes or renews the claim, unless somebody else has it.
    fn claim(&mut self) -> Result<Claim, StoreError>;
}

/// What came of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is made.
    Made,
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

//! Where sessions are stored: an open set of databases behind traits that speak of sessions, never
//! of SQL. They are called once per page or batch, so dynamic dispatch costs nothing.

mod error;
pub mod memory;
mod postgres;
mod sqlite;
mod table;
mod wall_clock;

use std::ops::ControlFlow;
use std::path::PathBuf;

pub use error::{Fault, StoreError};
pub use postgres::Postgres;
pub use sqlite::Sqlite;
pub use table::{NotATable, Table};
pub use wall_clock::WallClock;

use crate::consent::Consent;
use crate::model::{Page, Timestamp};

/// A session table.
pub trait Store: Sync {
    /// Opens a connection that cannot write, and checks that the table is there, has its columns
    /// and may be read.
    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError>;

    /// Opens a connection that can delete, and checks that it may, before anything is written.
    fn writer(&self, consent: Consent) -> Result<Box<dyn Writer + '_>, StoreError>;

    /// How long to rest between two batches, at least, so that the site gets its turn.
    fn courtesy(&self) -> std::time::Duration;
}

/// Which rows a scan returns.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only rows that may still be live at this instant: `expire_date > now`, as Django has it.
    pub live_at: Option<Timestamp>,
    /// Only rows whose key begins so, letter case and all.
    pub key_prefix: Option<String>,
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
}

/// A connection that writes. Every call is one short transaction and safe to repeat.
pub trait Writer {
    /// Deletes the rows with these keys; returns how many there were.
    fn delete(&mut self, keys: &[&str]) -> Result<u64, StoreError>;
}

/// Which database to open.
#[derive(Clone, Debug)]
pub enum Target {
    /// A file.
    Sqlite {
        /// Its path.
        path: PathBuf,
        /// What clock its naive times were read off.
        clock: WallClock,
    },
    /// A server, as a connection URL or `key=value` pairs; may hold a password.
    Postgres(String),
}

/// Makes a store of a target. Connects to nothing yet.
pub fn open(target: Target, table: Table) -> Result<Box<dyn Store>, StoreError> {
    Ok(match target {
        Target::Sqlite { path, clock } => Box::new(Sqlite::new(path, table, clock)),
        Target::Postgres(url) => Box::new(Postgres::new(&url, table)?),
    })
}

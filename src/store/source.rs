//! How a database is named (by a URL, the environment or a Django project), and how that becomes a source
//! that opens its session tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::{Capability, ReferringColumn, Store, StoreError, Table, Terms, Waits, WallClock};

/// A kind of database: what its URLs look like, and how they become a [`Source`].
pub trait Backend: Sync {
    /// Properties of this kind of database, known before connecting.
    fn traits(&self) -> &'static Traits;

    /// The schemes of its URLs in lower case, the usual one first. A URL may add a driver after a plus sign,
    /// as `SQLAlchemy` does: `postgresql+psycopg`.
    fn schemes(&self) -> &'static [&'static str];

    /// An example for `-d`, for error messages.
    fn example(&self) -> &'static str;

    /// Parses what follows `scheme://`.
    fn read_url(
        &self,
        rest: &str,
        surroundings: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError>;

    /// Parses a text that is no URL; `None` if it names no database of this kind. Backends are tried in
    /// order.
    fn read_text(
        &self,
        _text: &str,
        _surroundings: &Surroundings,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        Ok(None)
    }

    /// Environment variables each of which names a database by itself.
    fn variables(&self) -> &'static [&'static str] {
        &[]
    }

    /// The source that the environment names; `None` if none of [`variables`](Self::variables) is set.
    fn read_environment(
        &self,
        _surroundings: &Surroundings,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        Ok(None)
    }

    /// How to read a database of this kind from a Django project, if that is possible.
    fn django(&self) -> Option<&dyn FromDjango> {
        None
    }
}

/// Reads the database of a Django project.
pub trait FromDjango {
    /// Django's name for this kind of database: `connection.vendor`.
    fn vendor(&self) -> &'static str;

    /// Python source, a part of the probe that runs in the project's interpreter. It puts a function into
    /// `ASK` under the vendor. The function takes Django's connection object and returns two dicts of texts:
    /// parameters and environment variables.
    fn probe(&self) -> &'static str;

    /// Makes a source of these parameters. The environment variables are in `surroundings`.
    fn read(
        &self,
        parameters: &BTreeMap<String, String>,
        surroundings: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError>;
}

/// A database that the operator named. It may hold a password, and never shows it.
pub trait Source: fmt::Debug {
    /// The name of the database for messages, without user and password.
    fn place(&self) -> String;

    /// The same with an absolute path, for a reader in another folder, such as the audit log.
    fn absolute_place(&self) -> String {
        self.place()
    }

    /// Notes for the operator about how the database was named.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Where a password belongs instead, if the text contained one.
    fn password_belongs_in(&self) -> Option<&'static str> {
        None
    }

    /// Adds a replica of the database, named by what follows `scheme://`. An error for a database that knows its own
    /// replicas, or has none ([`Traits::names_replicas`]).
    fn add_replica(
        &mut self,
        _rest: &str,
        _surroundings: &Surroundings,
    ) -> Result<(), SourceError> {
        Err(SourceError::new("replicas of this database are not named", "leave --replica out"))
    }

    /// Makes a store for a table. Does not connect.
    fn open(&self, opening: Opening) -> Box<dyn Store>;
}

/// What to open, and how.
pub struct Opening {
    /// The session table.
    pub table: Table,
    /// Columns of other tables whose rows are deleted with the sessions that they name.
    pub referring: Vec<ReferringColumn>,
    /// The clock of naive times, for a database that stores times without a zone.
    pub clock: WallClock,
    /// How long to wait for the database.
    pub waits: Waits,
    /// What the operator allows, and how to send messages.
    pub terms: Terms,
}

/// Properties of a kind of database, as data: commands read them instead of matching on the kind.
#[derive(Debug)]
pub struct Traits {
    /// Its name in messages.
    pub name: &'static str,
    /// Whether it stores times without a time zone.
    pub naive_clock: bool,
    /// Most bytes of a column name.
    pub longest_name: usize,
    /// Whether it does not know its replicas, so that the operator names them.
    pub names_replicas: bool,
    /// The capabilities of its stores, which their accessors must match.
    pub can: &'static [Capability],
    /// Explanations for missing capabilities, if there is more to say than that they are missing.
    pub why_not: &'static [(Capability, &'static str)],
}

impl Traits {
    /// The properties of a database whose stores can only scan and delete.
    pub const fn plain(name: &'static str) -> Self {
        Self {
            name,
            naive_clock: false,
            longest_name: 63,
            names_replicas: false,
            can: &[],
            why_not: &[],
        }
    }

    /// Whether its stores have this capability.
    pub fn can(&self, capability: Capability) -> bool {
        self.can.contains(&capability)
    }

    /// An error if its stores lack this capability.
    pub fn demand(&self, capability: Capability) -> Result<(), StoreError> {
        if self.can(capability) {
            return Ok(());
        }
        let error = capability.missing(Some(self.name));
        let why = self.why_not.iter().find(|(missing, _)| *missing == capability);
        Err(match why {
            Some((_, why)) => error.hint(*why),
            None => error,
        })
    }
}

/// The user, home folder and environment of this process.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The name of the user, if the system knows it.
    pub user: Option<String>,
    /// That user's home folder.
    pub home: Option<PathBuf>,
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
    /// The names of variables with a value that is not UTF-8.
    pub not_utf8: BTreeSet<String>,
}

impl Surroundings {
    /// The value of a variable, unless it is empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a variable is set and not empty, even if it is not UTF-8.
    pub fn has(&self, name: &str) -> bool {
        self.variable(name).is_some() || self.not_utf8.contains(name)
    }
}

/// Why a text names no database. It never shows a value that may be a password.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct SourceError {
    what: String,
    hint: String,
}

impl SourceError {
    /// An error with its hint.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// Adds where the problem is.
    pub(super) fn of(self, place: impl fmt::Display) -> Self {
        Self { what: format!("{place}: {}", self.what), ..self }
    }

    /// The next step for the operator.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// Decodes percent-encoding; `None` if it is malformed or the result is not UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(16 * high + low).ok().filter(|byte| *byte != 0)?);
    }
    String::from_utf8(bytes).ok()
}

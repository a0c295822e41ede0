//! From what names a database (a URL, the environment, a Django project) to a source that opens its session tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use super::{Capability, Store, StoreError, Table, Terms, Waits, WallClock};

/// A kind of database: what its URLs look like, and how they become a [`Source`].
pub trait Backend: Sync {
    /// What commands ask before they connect.
    fn traits(&self) -> &'static Traits;

    /// Schemes of its URLs in lower case, the usual one first. A driver may follow one of them behind a plus sign, as in
    /// `SQLAlchemy`'s `postgresql+psycopg`.
    fn schemes(&self) -> &'static [&'static str];

    /// What an operator may give to `-d`, for error messages.
    fn example(&self) -> &'static str;

    /// Reads what follows `scheme://`.
    fn read_url(
        &self,
        rest: &str,
        surroundings: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError>;

    /// Reads a text that is no URL; `None` if it names no database of this kind. Backends are asked in their order.
    fn read_text(
        &self,
        _text: &str,
        _surroundings: &Surroundings,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        Ok(None)
    }

    /// The variables of the environment each of which names a database by itself.
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

    /// How a Django project is asked for a database of this kind, if it can be.
    fn django(&self) -> Option<&dyn FromDjango> {
        None
    }
}

/// How a Django project is asked for its database.
pub trait FromDjango {
    /// What Django calls this kind of database: `connection.vendor`.
    fn vendor(&self) -> &'static str;

    /// A part of the program that runs in the project's Python. It puts a function into `ASK` under the vendor, which
    /// takes Django's connection object and returns parameters and variables of the environment: two dicts of texts.
    fn probe(&self) -> &'static str;

    /// Reads these parameters. The variables are those of `surroundings`.
    fn read(
        &self,
        parameters: &BTreeMap<String, String>,
        surroundings: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError>;
}

/// A database that was named. It may hold a password, and shows it nowhere.
pub trait Source: fmt::Debug {
    /// Which database it is, for people: no user and no password.
    fn place(&self) -> String;

    /// The same for somebody who reads it later, in another folder.
    fn absolute_place(&self) -> String {
        self.place()
    }

    /// What the operator may want to know about how it was named.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Where a password belongs instead, if one stood in the text that this was read from.
    fn password_belongs_in(&self) -> Option<&'static str> {
        None
    }

    /// Makes a store of a table. Connects to nothing yet.
    fn open(&self, opening: Opening) -> Box<dyn Store>;
}

/// What is opened, and how.
pub struct Opening {
    /// The session table.
    pub table: Table,
    /// The clock that naive times were read off, for a database that stores such.
    pub clock: WallClock,
    /// How long to wait.
    pub waits: Waits,
    /// What the operator allows, and how they are told.
    pub terms: Terms,
}

/// What commands have to know of a kind of database.
#[derive(Debug)]
pub struct Traits {
    /// What it is called, for people.
    pub name: &'static str,
    /// Whether it stores times without a time zone.
    pub naive_clock: bool,
    /// Bytes that the name of a column has at most.
    pub longest_name: usize,
    /// What its stores can do beyond scanning and deleting. Their accessors agree with it.
    pub can: &'static [Capability],
    /// What an operator should know of a capability that is missing, where there is more to say than that.
    pub why_not: &'static [(Capability, &'static str)],
}

impl Traits {
    /// Those of a database whose stores can scan and delete, and nothing else.
    pub const fn plain(name: &'static str) -> Self {
        Self { name, naive_clock: false, longest_name: 63, can: &[], why_not: &[] }
    }

    /// Whether its stores have this capability.
    pub fn can(&self, capability: Capability) -> bool {
        self.can.contains(&capability)
    }

    /// Refuses where they have not.
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

/// What is known of the process itself.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The name of the user that it runs as, if the system knows one.
    pub user: Option<String>,
    /// That user's home folder.
    pub home: Option<PathBuf>,
    /// Its environment.
    pub variables: BTreeMap<String, String>,
    /// The names of variables whose values are not UTF-8.
    pub not_utf8: BTreeSet<String>,
}

impl Surroundings {
    /// A variable that is set to something.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a variable is set to something, be it UTF-8 or not.
    pub fn has(&self, name: &str) -> bool {
        self.variable(name).is_some() || self.not_utf8.contains(name)
    }
}

/// Why a text names no database. Shows no values that may be passwords.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct SourceError {
    what: String,
    hint: String,
}

impl SourceError {
    /// What is wrong, and the next step.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// The same, saying where it is.
    pub(super) fn of(self, place: impl fmt::Display) -> Self {
        Self { what: format!("{place}: {}", self.what), ..self }
    }

    /// The next step for the operator.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// Undoes percent-encoding; `None` where it is none, or none of a text.
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

//! Caches in front of a session table: traits that every kind of cache implements, and a folder for each kind. With
//! `cached_db` a site looks for a session there first, and reads its row only if the cache has no entry. So an entry
//! whose row is gone is still a login, and to delete an entry whose row is there does no harm.

mod redis;
mod shape;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use self::shape::Shape;
use crate::store::{SourceError, StoreError, Waits};

/// The supported kinds of caches.
pub(crate) static BACKENDS: &[&dyn Backend] = &[&redis::RedisBackend];

/// A kind of cache: what its URLs look like.
pub(crate) trait Backend: Sync {
    /// Its name in the answer of a Django project.
    fn name(&self) -> &'static str;

    /// Python source, a part of the probe that runs in the project's interpreter. It puts a function into `REACH` under the
    /// name of the class of Django's cache. The function takes that cache and returns a dict with the name of this backend
    /// and a list of dicts of texts, one for each server; nothing if it uses them in a way of its own.
    fn probe(&self) -> &'static str;

    /// Reads one of these dicts.
    fn read_django(
        &self,
        server: &BTreeMap<String, String>,
    ) -> Result<Box<dyn Source>, SourceError>;

    /// The schemes of its URLs, the usual one first.
    fn schemes(&self) -> &'static [&'static str];

    /// Parses a URL with one of the schemes: what follows `scheme://`.
    fn read_url(&self, scheme: &str, rest: &str) -> Result<Named, SourceError>;
}

/// A server that a URL names, and what the URL says of the keys there.
pub(crate) struct Named {
    pub(crate) source: Box<dyn Source>,
    /// Django's `KEY_PREFIX`.
    pub(crate) key_prefix: Option<String>,
    /// Django's `VERSION`.
    pub(crate) version: Option<String>,
}

/// A server of a cache. It may hold a password, and never shows it.
pub(crate) trait Source: fmt::Debug {
    /// Its name for messages, without user and password.
    fn place(&self) -> String;

    /// Whether it holds a password.
    fn has_password(&self) -> bool;

    /// Makes a client. Does not connect.
    fn open(&self, waits: Waits) -> Box<dyn Server>;
}

/// A client of one server. It connects when it is needed, and again where that may help.
pub(crate) trait Server {
    /// Its name for messages.
    fn place(&self) -> String;

    /// An error if this user may not read entries, or, if `writes`, delete them. `key` is that of an entry that cannot
    /// exist.
    fn demand_rights(&mut self, key: &str, writes: bool) -> Result<(), StoreError>;

    /// Deletes the entries with these keys; returns how many there were.
    fn delete(&mut self, keys: &[String]) -> Result<u64, StoreError>;

    /// Of these keys, those that have an entry.
    fn existing(&mut self, keys: &[String]) -> Result<Vec<String>, StoreError>;

    /// Reads some more entries. Every entry that is there from the first call on until the walk has ended comes at least
    /// once.
    fn walk(&mut self, walk: &mut Walk, shape: &Shape) -> Result<Page, StoreError>;
}

/// How far a walk over the entries has come.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    cursor: String,
    /// Over which connection it began: after a restart of the server a cursor means nothing.
    connection: u32,
    /// How often it began anew.
    restarts: u32,
    pub(crate) has_ended: bool,
}

/// Some entries of a cache.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Keys that another `KEY_PREFIX` or `VERSION` makes: see [`Shape::is_of_another`].
    pub(crate) others: Vec<String>,
}

/// An entry that holds a session.
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) session_key: String,
    pub(crate) value: Vec<u8>,
    /// Whether `value` is only the beginning of it.
    pub(crate) is_cut: bool,
}

//! How a SQLite database is named: by a URL, a path, or a Django project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Sqlite;
use crate::model::is_connection;
use crate::store::{
    Backend, Capability, FromDjango, Opening, Source, SourceError, Store, Surroundings, Traits,
    percent_decode,
};

/// SQLite.
pub struct SqliteBackend;

pub(super) const TRAITS: Traits = Traits {
    name: "SQLite",
    naive_clock: true,
    longest_name: 63,
    names_replicas: false,
    can: &[
        Capability::Expiry,
        Capability::UserColumn,
        Capability::Users,
        Capability::Rewrite,
        Capability::References,
        Capability::Truncate,
        Capability::Schemas,
    ],
    why_not: &[
        (
            Capability::Grants,
            "SQLite knows no privileges: leave --grants out; `sessctl doctor` says what can be written",
        ),
        (
            Capability::Replicas,
            "SQLite has no replicas: leave --max-lag out; --pause-file pauses for any reason",
        ),
    ],
};

impl Backend for SqliteBackend {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["sqlite", "sqlite3", "spatialite"]
    }

    fn example(&self) -> &'static str {
        "the path of an SQLite file"
    }

    /// `sqlite:///relative` and `sqlite:////absolute`, as dj-database-url and django-environ have it.
    fn read_url(&self, rest: &str, _: &Surroundings) -> Result<Box<dyn Source>, SourceError> {
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        let path = path.strip_prefix('/').unwrap_or_default();
        let path = percent_decode(path).ok_or_else(|| {
            SourceError::new(
                "in the sqlite URL stands a \"%\" that does not encode a character",
                "write %25 for a % that is meant as one, or give the path without sqlite:///",
            )
        })?;
        if path.is_empty() || path == ":memory:" {
            return Err(SourceError::new(
                "the sqlite URL names no file",
                "three slashes and a relative path, or four for an absolute one: sqlite:////var/lib/site/db.sqlite3",
            ));
        }
        let path = Path::new(&path);
        if may_hold_password(&path.to_string_lossy()) && !path.exists() {
            return Err(SourceError::new(
                "the sqlite URL names no file that exists (it is not shown: it holds \"=\", \";\" or \"@\")",
                "give the path of the file, or correct the URL",
            ));
        }
        let names = options.split('&').filter_map(|option| option.split('=').next());
        let ignored = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok(Box::new(SqliteFile { path: path.into(), ignored }))
    }

    /// Reads a path. Errors show it, so a text that may hold a password is not accepted as a path.
    fn read_text(
        &self,
        text: &str,
        _: &Surroundings,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        let path = Path::new(text);
        let is_path = !may_hold_password(text) || path.exists();
        Ok(is_path.then(|| Box::new(SqliteFile::new(path)) as Box<dyn Source>))
    }

    fn django(&self) -> Option<&dyn FromDjango> {
        Some(self)
    }
}

impl FromDjango for SqliteBackend {
    fn vendor(&self) -> &'static str {
        "sqlite"
    }

    fn probe(&self) -> &'static str {
        include_str!("django.py")
    }

    fn read(
        &self,
        parameters: &BTreeMap<String, String>,
        _: &Surroundings,
    ) -> Result<Box<dyn Source>, SourceError> {
        match parameters.get("database") {
            Some(path) if path != ":memory:" => Ok(Box::new(SqliteFile::new(Path::new(path)))),
            _ => Err(SourceError::new(
                "the project's database is in memory",
                "name the site's own with -d, or with the settings that the site has",
            )),
        }
    }
}

/// A database file.
#[derive(Debug)]
struct SqliteFile {
    path: PathBuf,
    /// The options of its URL, which are ignored.
    ignored: Vec<String>,
}

impl SqliteFile {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), ignored: Vec::new() }
    }
}

impl Source for SqliteFile {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn absolute_place(&self) -> String {
        let path = std::path::absolute(&self.path);
        path.map_or_else(|_| self.place(), |path| path.display().to_string())
    }

    fn notes(&self) -> Vec<String> {
        let names = self.ignored.join(", ");
        let note = (!names.is_empty())
            .then(|| format!("options in the sqlite URL, ignored here: {names}"));
        note.into_iter().collect()
    }

    fn open(&self, opening: Opening) -> Box<dyn Store> {
        let Opening { table, referring, clock, waits, terms } = opening;
        let store = Sqlite::new(self.path.clone(), table, clock).with_referring(referring);
        Box::new(store.waiting(waits).on(terms))
    }
}

/// Whether the text may hold a password: `postgres:/user:password@host` and other mistyped URLs,
/// `Driver=...;Pwd=...` and other pairs. `file:db.sqlite3?mode=ro` is the name of a file here.
fn may_hold_password(text: &str) -> bool {
    let (path, _) = text.split_once('?').unwrap_or((text, ""));
    path.contains('=') || text.contains([';', '@']) || text.contains("://") || is_connection(text)
}

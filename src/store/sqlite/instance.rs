use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::{Fault, Instance, StoreError};

/// A file beside the database, locked as long as it is open and removed afterwards. The database
/// file itself must not be opened by us: closing it would drop the locks that SQLite has on it (SQLite
/// docs, "How To Corrupt An SQLite Database File" §2.2).
pub(super) struct SqliteInstance {
    path: PathBuf,
    file: Option<File>,
}

impl SqliteInstance {
    pub(super) fn new(database: &Path) -> Self {
        // A link is another name of the same database.
        let database = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
        let mut name = database.into_os_string();
        name.push("-sessctl");
        Self { path: name.into(), file: None }
    }

    fn try_lock(&self) -> std::io::Result<Option<File>> {
        loop {
            // One that another user's run has left behind need not be written to be locked.
            let file = File::open(&self.path).or_else(|_| {
                OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)
            })?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it may have removed it between our opening and our locking it.
            if std::fs::metadata(&self.path).is_ok_and(|named| {
                file.metadata()
                    .is_ok_and(|ours| (named.dev(), named.ino()) == (ours.dev(), ours.ino()))
            }) {
                return Ok(Some(file));
            }
        }
    }
}

impl Instance for SqliteInstance {
    fn claim(&mut self) -> Result<bool, StoreError> {
        if self.file.is_none() {
            self.file = self.try_lock().map_err(|error| {
                StoreError::new(Fault::Fatal, format!("cannot lock {}", self.path.display()))
                    .because(error)
                    .hint("run as a user that may write the database file and its folder; or is the disk mounted read-only?")
            })?;
        }
        Ok(self.file.is_some())
    }
}

impl Drop for SqliteInstance {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Left behind, it is an empty file that locks nobody out.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

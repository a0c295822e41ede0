use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::files::{self, Place, Status};
use crate::store::{Fault, Instance, StoreError};

/// A file beside the database, locked as long as it is open and removed afterwards. The database
/// file itself must not be opened by us: closing it would drop the locks that SQLite has on it (SQLite
/// docs, "How To Corrupt An SQLite Database File" §2.2).
pub(super) struct SqliteInstance<'s> {
    database: &'s Path,
    held: Option<(Place, File)>,
}

impl<'s> SqliteInstance<'s> {
    pub(super) fn new(database: &'s Path) -> Self {
        Self { database, held: None }
    }

    fn try_lock(&self) -> io::Result<Option<(Place, File)>> {
        // A link is another name of the same database.
        let (database, owner) = Place::of_existing(self.database)?;
        let place = database.beside("-sessctl")?;
        loop {
            let file = match place.open() {
                Err(error) if error.kind() == ErrorKind::NotFound => match make(&place, &owner) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                    made => made?,
                },
                opened => opened?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it may have removed it between our opening and our locking it.
            let ours = Status::of(&file)?;
            if place.status()?.is_some_and(|named| named.is_same(&ours)) {
                return Ok(Some((place, file)));
            }
        }
    }
}

/// The file is the site's, whoever makes it: a purge of the site's own user must be able to lock it, and nobody else.
fn make(place: &Place, owner: &Status) -> io::Result<File> {
    let file = place.create(0o600)?;
    owner.give_to_owner(&file)?;
    Ok(file)
}

impl Instance for SqliteInstance<'_> {
    fn claim(&mut self) -> Result<bool, StoreError> {
        if self.held.is_none() {
            self.held = self.try_lock().map_err(|error| {
                let what = format!("cannot lock {}-sessctl", self.database.display());
                let hint = files::hint(&error).unwrap_or(
                    "run as a user that may write the database file and its folder; or is the disk mounted read-only?",
                );
                StoreError::new(Fault::Fatal, what).hint(hint).because(error)
            })?;
        }
        Ok(self.held.is_some())
    }
}

impl Drop for SqliteInstance<'_> {
    fn drop(&mut self) {
        if let Some((place, _)) = &self.held {
            // Left behind, it is an empty file that locks nobody out.
            let _ = place.remove();
        }
    }
}

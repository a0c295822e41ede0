//! The lock that allows one purge at a time: a locked file beside the database.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::fault::hint_on_rights;
use super::holder::holder_of;
use crate::files::{self, Place, Refusal, Status, as_operator};
use crate::store::{Fault, Holder, LockAttempt, PurgeLock, StoreError};

/// A file beside the database, locked as long as it is open and removed afterwards. The database
/// file itself must not be opened by us: closing it would drop the locks that SQLite has on it (SQLite
/// docs, "How To Corrupt An SQLite Database File" §2.2).
pub(super) struct SqlitePurgeLock<'s> {
    database: &'s Path,
    held: Option<(Place, File)>,
}

impl<'s> SqlitePurgeLock<'s> {
    pub(super) fn new(database: &'s Path) -> Self {
        Self { database, held: None }
    }

    fn try_lock(&self) -> io::Result<Locked> {
        // A link is another name of the same database.
        let (database, owner) = Place::of_site(self.database)?;
        let place = database.beside("-sessctl")?;
        for _ in 0..ATTEMPTS {
            let file = match open(&place) {
                Err(error) if error.kind() == ErrorKind::NotFound => match make(&place, &owner) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                    made => made?,
                },
                opened => opened?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => match holder_of(&file)? {
                    Some(holder) => return Ok(Locked::By(holder)),
                    None => continue,
                },
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it may have removed it between our opening and our locking it.
            let ours = Status::of(&file)?;
            place.demand_plain()?;
            if place.status()?.is_some_and(|named| named.is_same(&ours)) {
                return Ok(Locked::ByUs(place, file));
            }
        }
        Ok(Locked::By(Holder::Unknown(UNSEEN.into())))
    }
}

/// How often the lock is tried while nobody is seen to hold it, or another file is put in its place: who held it may have ended
/// just now. Somebody who can write to the folder could go on for ever.
const ATTEMPTS: u32 = 10;
const UNSEEN: &str = "a process that cannot be seen from here";

enum Locked {
    ByUs(Place, File),
    By(Holder),
}

/// Another user who may write to the folder may have made it, for themselves alone. Root only locks it.
fn open(place: &Place) -> io::Result<File> {
    let is_denied = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
    let opened = place.open();
    if !opened.as_ref().is_err_and(is_denied) {
        return opened;
    }
    place.demand_plain()?;
    as_operator(|| place.open()).map_err(|error| match place.status() {
        Ok(Some(status)) if is_denied(&error) => {
            Refusal::OfAnother(place.path(), status.owner()).into()
        }
        _ => error,
    })
}

/// The file is the site's, whoever makes it: a purge of the site's own user must be able to lock it, and nobody else.
fn make(place: &Place, owner: &Status) -> io::Result<File> {
    let file = place.create(0o600)?;
    owner.give_to_owner(&file)?;
    Ok(file)
}

impl PurgeLock for SqlitePurgeLock<'_> {
    fn try_acquire(&mut self) -> Result<LockAttempt, StoreError> {
        if self.held.is_some() {
            return Ok(LockAttempt::Acquired);
        }
        let locked = self.try_lock().map_err(|error| {
            let what = format!("cannot lock {}-sessctl", self.database.display());
            let hint = files::hint(&error).map_or_else(
                || {
                    hint_on_rights(
                        "run as a user that may write the database file and its folder; or is the disk mounted read-only?",
                    )
                },
                str::to_owned,
            );
            StoreError::new(Fault::Fatal, what).hint(hint).because(error)
        })?;
        match locked {
            Locked::ByUs(place, file) => {
                self.held = Some((place, file));
                Ok(LockAttempt::Acquired)
            }
            Locked::By(holder) => Ok(LockAttempt::Held(holder)),
        }
    }
}

impl Drop for SqlitePurgeLock<'_> {
    fn drop(&mut self) {
        if let Some((place, _)) = &self.held {
            // Left behind, it is an empty file that locks nobody out.
            let _ = place.remove();
        }
    }
}

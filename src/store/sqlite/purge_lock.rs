//! The lock that allows one purge at a time: a locked file beside the database.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::fault::hint_on_rights;
use super::holder::holder_of;
use crate::files::{self, Place, Refusal, Status, as_operator};
use crate::store::{Fault, Holder, LockAttempt, PurgeLock, StoreError};

/// The purge lock: a file beside the database that is locked while it is open, and removed afterwards. The
/// database file itself must not be opened here: closing it would drop the locks that SQLite has on it
/// (SQLite docs, "How To Corrupt An SQLite Database File" §2.2).
pub(super) struct SqlitePurgeLock<'s> {
    database: &'s Path,
    held: Option<(Place, File)>,
}

impl<'s> SqlitePurgeLock<'s> {
    pub(super) fn new(database: &'s Path) -> Self {
        Self { database, held: None }
    }

    fn try_lock(&self) -> io::Result<Locked> {
        // Resolve links: a link is another name of the same database.
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
            // The previous holder may have removed the file after we opened it and before we locked it.
            let ours = Status::of(&file)?;
            place.demand_plain()?;
            if place.status()?.is_some_and(|named| named.is_same(&ours)) {
                return Ok(Locked::ByUs(place, file));
            }
        }
        Ok(Locked::By(Holder::Unknown(UNSEEN.into())))
    }
}

/// Most attempts while no holder is visible or the file keeps being replaced. A holder may have ended just
/// now; an attacker who can write to the folder could replace the file forever.
const ATTEMPTS: u32 = 10;
const UNSEEN: &str = "a process that cannot be seen from here";

enum Locked {
    ByUs(Place, File),
    By(Holder),
}

/// Opens the lock file. Another user who may write to the folder may have created it with permissions for
/// themselves alone; then root only locks it.
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

/// Creates the lock file and gives it to the owner of the database: a purge of the site's own user must be
/// able to lock it, and no other user.
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
            // If it stays, it is an empty file without a lock.
            let _ = place.remove();
        }
    }
}

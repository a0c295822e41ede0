//! Opens a database file safely. An attacker may have put something else at its path or beside it, for a
//! privileged user to open.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::connection::Limited;
use super::fault::fail;
use super::{BUSY_TIMEOUT, Sqlite};
use crate::files::{self, Place};
use crate::model::shell_word;
use crate::store::waits::Work;
use crate::store::{Fault, StoreError};

/// The suffixes of the files that SQLite opens beside the database.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

impl Sqlite {
    /// Opens any SQLite database, without checking for the table.
    pub(super) fn connect_to_any(
        &self,
        access: OpenFlags,
        wait: Duration,
    ) -> Result<Limited, StoreError> {
        let (path, has_journal) = self.inspect_file()?;
        if has_journal && access.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            self.roll_back_hot_journal(&path)?;
        }
        self.open(&path, access, wait)
    }

    /// Opens an absolute path without links in it. SQLite does not take such a path for a URI, and with
    /// `NOFOLLOW` it refuses a link that was put there meanwhile (SQLite docs, "Opening A New Database
    /// Connection").
    fn open(&self, path: &Path, access: OpenFlags, wait: Duration) -> Result<Limited, StoreError> {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let reads = access.contains(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let work = if reads { Work::Scan } else { Work::Batch };
        Limited::open(path, flags, wait, &self.waits, work)
            .map_err(|error| fail(error, self.cannot_open()))
    }

    fn cannot_open(&self) -> String {
        format!("cannot open {}", self.path.display())
    }

    /// The real path of the file, and whether it has a rollback journal. Refuses anything but a regular file:
    /// on a pipe SQLite would wait for the other end.
    fn inspect_file(&self) -> Result<(PathBuf, bool), StoreError> {
        let refuse = |why: &str, hint: &str| {
            StoreError::new(Fault::Fatal, self.cannot_open()).because(why).hint(hint)
        };
        let cannot = |error| self.inaccessible(error);
        let (place, status) = Place::of_site(&self.path).map_err(cannot)?;
        if status.is_folder() {
            return Err(refuse(
                "it is a folder",
                "check the path: it must be the database file itself",
            ));
        }
        if !status.is_regular() {
            return Err(refuse(
                "it is not a regular file",
                "check the path, and see who put that in the place of the database",
            ));
        }
        if !self.is_known.load(Ordering::Relaxed) && keeps_log_elsewhere(&place).map_err(cannot)? {
            return Err(refuse(
                "it is in WAL mode and has another name (a hard link, or it is mounted here by itself), beside which the newest rows may be",
                &format!(
                    "`find / -samefile {}` lists its names: remove those that the site does not use, and name the file as the site \
                     does; or mount its folder here, not the file alone",
                    shell_word(&self.path.display().to_string())
                ),
            ));
        }
        if let Some(user) = place.chosen_by(status).map_err(cannot)? {
            self.terms.note(&format!(
                "user {user} owns the folder of {} and can put another file of user {} there, which sessctl would work on",
                self.path.display(),
                status.owner()
            ));
        }
        self.is_known.store(true, Ordering::Relaxed);
        Ok((place.path(), self.check_siblings(&place)?))
    }

    /// Checks the files beside the database again. Refuses those that would block or mislead SQLite, whether
    /// they were there before or were planted since.
    pub(super) fn recheck_siblings(&self) -> Result<(), StoreError> {
        let place = Place::of_site(&self.path).map_err(|error| self.inaccessible(error))?.0;
        self.check_siblings(&place).map(|_| ())
    }

    /// Whether there is a rollback journal.
    fn check_siblings(&self, place: &Place) -> Result<bool, StoreError> {
        let cannot = |error| self.inaccessible(error);
        let mut has_journal = false;
        for end in BESIDE {
            let beside = place.beside(end).map_err(cannot)?;
            beside.demand_plain().map_err(cannot)?;
            has_journal |= end == "-journal" && beside.status().map_err(cannot)?.is_some();
        }
        if has_journal && names_another_file(&place.beside("-journal").map_err(cannot)?) {
            return Err(StoreError::new(Fault::Fatal, self.cannot_open())
                .because("its journal names another file, which SQLite would open and remove")
                .hint(
                    "sites of Django leave no such journal: see who put it there; if a program of yours that commits to several \
                     files at once crashed, it restores the file",
                ));
        }
        Ok(has_journal)
    }

    fn inaccessible(&self, error: io::Error) -> StoreError {
        let hint = files::hint(&error)
            .unwrap_or("check the path, and that this user may go through each of its folders");
        StoreError::new(Fault::Fatal, self.cannot_open()).hint(hint).because(error)
    }

    /// Rolls back a hot journal. A program that crashed in the middle of a commit leaves one, from which the
    /// next program must restore the file (SQLite docs, "Atomic Commit In SQLite" §4). A read-only connection
    /// cannot do this, so a writing one does it first, as the site's next request would.
    fn roll_back_hot_journal(&self, path: &Path) -> Result<(), StoreError> {
        let touch = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        };
        // A process that holds a lock on the file is working on it.
        let reader = self.open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, Duration::ZERO)?;
        let is_hot = touch(&reader).is_err_and(|error| {
            error
                .sqlite_error()
                .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
        });
        drop(reader);
        if !is_hot {
            return Ok(());
        }
        let writer = self.open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, BUSY_TIMEOUT)?;
        touch(&writer).map_err(|error| {
            let what = format!("cannot restore {} from its journal", self.path.display());
            fail(error, what).hint(
                "a program that crashed in the middle of a commit left it: run sessctl as a user that may write the \
                 file and its folder, or start the site, which restores it too",
            )
        })
    }
}

/// Whether the write-ahead log may be beside another name of the file, where SQLite does not look for it
/// (SQLite docs, "How To Corrupt An SQLite Database File" §2.5; "Database File Format" §1.3.2). This opens
/// and closes the file, which is safe only while nothing else in this process has it open.
fn keeps_log_elsewhere(database: &Place) -> io::Result<bool> {
    const VERSIONS: u64 = 18;
    const WAL: [u8; 2] = [2, 2];
    if !database.has_other_names()? {
        return Ok(false);
    }
    let mut versions = [0; 2];
    let read = database.open()?.read_at(&mut versions, VERSIONS)?;
    Ok(read == versions.len() && versions == WAL)
}

/// Whether a rollback journal ends with the name of a super-journal (SQLite docs, "Atomic Commit In SQLite"
/// §5; `readSuperJournal`). If it cannot be read here, SQLite cannot read it either.
fn names_another_file(journal: &Place) -> bool {
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let ends = || -> io::Result<([u8; 8], [u8; 8])> {
        let (file, mut first, mut last) = (journal.open()?, [0; 8], [0; 8]);
        file.read_exact_at(&mut first, 0)?;
        file.read_exact_at(&mut last, file.metadata()?.len().saturating_sub(8))?;
        Ok((first, last))
    };
    // SQLite ignores a journal that begins with a zero byte.
    ends().is_ok_and(|(first, last)| !first.starts_with(&[0]) && last == MAGIC)
}

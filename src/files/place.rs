//! A file name in an open folder: creates, opens, checks and removes the file there.

use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, RawMode, Uid};
use rustix::io::Errno;

use super::folder::{End, Missing, PUBLIC, demand_own_links, walk};
use super::{Folder, Refusal, Status, is_root};

/// A name in an open folder. A file with this name may or may not exist.
#[derive(Debug)]
pub struct Place {
    pub(super) folder: Folder,
    pub(super) name: OsString,
}

/// Links are not followed, and opening never blocks.
const CAREFULLY: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl Place {
    /// An existing file. Links to it are followed; for root only links of root and of the file's owner.
    pub fn of_existing(path: &Path) -> io::Result<(Self, Status)> {
        let (place, steps) = walk(path, End::Follow, Missing::Fail)?;
        let status = place.status()?.ok_or(Errno::NOENT)?;
        demand_own_links(steps, status.owner())?;
        Ok((place, status))
    }

    /// A file to create or write, which must not be a link. Links to its folder are followed; for root only
    /// links of root and of the folder's owner.
    pub fn of_output(path: &Path) -> io::Result<Self> {
        let (place, steps) = walk(path, End::Keep, Missing::Fail)?;
        demand_own_links(steps, place.folder.status()?.owner())?;
        Ok(place)
    }

    /// Its absolute path, without links.
    pub fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    /// The same name with this suffix, in the same folder.
    pub fn beside(&self, end: &str) -> io::Result<Self> {
        let mut name = self.name.clone();
        name.push(end);
        let handle = self.folder.handle.try_clone()?;
        Ok(Self { folder: Folder { handle, path: self.folder.path.clone() }, name })
    }

    /// The status of what is there. A link is not followed.
    pub fn status(&self) -> io::Result<Option<Status>> {
        let found = rustix::fs::statat(&self.folder.handle, &*self.name, AtFlags::SYMLINK_NOFOLLOW);
        match found {
            Ok(status) => Ok(Some(Status(status))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// An error if something other than a regular file with a single name is there.
    pub fn demand_plain(&self) -> io::Result<()> {
        match self.status()? {
            Some(status) if !status.is_regular() => Err(Refusal::NotRegular(self.path()).into()),
            Some(status) if status.has_other_names() => {
                Err(Refusal::SecondName(self.path()).into())
            }
            _ => Ok(()),
        }
    }

    /// Whether the file has another name in some folder: a hard link, or because it is mounted here by
    /// itself.
    pub fn has_other_names(&self) -> io::Result<bool> {
        let Some(status) = self.status()? else { return Ok(false) };
        let is_moved = status.0.st_dev != self.folder.status()?.0.st_dev;
        Ok(status.has_other_names() || is_moved || self.is_mounted())
    }

    /// Whether the file is a mount point. Linux tells it since 5.8.
    #[cfg(target_os = "linux")]
    fn is_mounted(&self) -> bool {
        use rustix::fs::{StatxAttributes, StatxFlags, statx};
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let found = statx(&self.folder.handle, &*self.name, flags, StatxFlags::empty());
        found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }

    #[cfg(not(target_os = "linux"))]
    fn is_mounted(&self) -> bool {
        false
    }

    /// Opens the regular file for reading.
    pub fn open(&self) -> io::Result<File> {
        self.open_with(OFlags::RDONLY)
    }

    /// Creates a file with this mode, independent of the umask. Fails if anything is there.
    pub fn create(&self, mode: RawMode) -> io::Result<File> {
        let how = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | CAREFULLY;
        let mode = Mode::from_raw_mode(mode);
        let file = rustix::fs::openat(&self.folder.handle, &*self.name, how, mode)?;
        rustix::fs::fchmod(&file, mode)?;
        Ok(file.into())
    }

    /// Opens a file for appending, or creates one that only this user may read. Refuses a file to which other
    /// users can write, and one with another name.
    pub fn append(&self) -> io::Result<File> {
        let file = loop {
            match self.open_with(OFlags::WRONLY | OFlags::APPEND) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                opened => break opened?,
            }
            match self.create(0o600) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                created => break created?,
            }
        };
        let status = status_of(&file)?;
        if status.others_can_write() {
            return Err(Refusal::OthersCanWrite(self.path()).into());
        }
        if status.has_other_names() {
            return Err(Refusal::SecondName(self.path()).into());
        }
        Ok(file)
    }

    /// Replaces the file by one with this content, which every user may read. A reader sees either the old or
    /// the new content. An existing file or link is not written to.
    pub fn replace(&self, content: &[u8]) -> io::Result<()> {
        let (new, mut file) = self.create_beside()?;
        let whole = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| {
            Ok(rustix::fs::renameat(
                &new.folder.handle,
                &*new.name,
                &self.folder.handle,
                &*self.name,
            )?)
        });
        if whole.is_err() {
            // Remove the incomplete file.
            let _ = new.remove();
        }
        whole
    }

    /// Fails if [`Self::replace`] would fail, to find out before there is content.
    pub fn demand_replaceable(&self) -> io::Result<()> {
        if self.status()?.is_some_and(|status| status.is_folder()) {
            return Err(ErrorKind::IsADirectory.into());
        }
        self.create_beside()?.0.remove()
    }

    /// Removes this name. Of a link, it removes the link itself.
    pub fn remove(&self) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.folder.handle, &*self.name, AtFlags::empty())?)
    }

    /// Creates a folder there and opens it.
    pub(super) fn make_folder(&self) -> io::Result<Folder> {
        let mode = Mode::from_raw_mode(0o755);
        rustix::fs::mkdirat(&self.folder.handle, &*self.name, mode)?;
        let how = OFlags::RDONLY | OFlags::DIRECTORY | CAREFULLY;
        let handle = rustix::fs::openat(&self.folder.handle, &*self.name, how, Mode::empty())?;
        Ok(Folder { handle, path: self.path() })
    }

    /// Creates a file beside it with an unpredictable name. The name has another suffix, so that programs
    /// that look for the original suffix ignore it.
    fn create_beside(&self) -> io::Result<(Self, File)> {
        let new = self.beside(&format!(".{:016x}.tmp", RandomState::new().hash_one(0)))?;
        let file = new.create(PUBLIC)?;
        Ok((new, file))
    }

    fn open_with(&self, how: OFlags) -> io::Result<File> {
        let refused = || Refusal::NotRegular(self.path());
        let how = how | CAREFULLY;
        match rustix::fs::openat(&self.folder.handle, &*self.name, how, Mode::empty()) {
            // A link; a pipe without a reader, or a socket; a folder.
            Err(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => Err(refused().into()),
            opened => {
                let file = File::from(opened?);
                if status_of(&file)?.is_regular() { Ok(file) } else { Err(refused().into()) }
            }
        }
    }
}

/// The status of an open file.
pub(super) fn status_of(file: &File) -> io::Result<Status> {
    Ok(Status(rustix::fs::fstat(file)?))
}

impl Status {
    /// The status of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        status_of(file)
    }

    /// Changes the owner of an open file to the owner of this one. Only root can.
    pub fn give_to_owner(&self, file: &File) -> io::Result<()> {
        if !is_root() {
            return Ok(());
        }
        let (owner, group) = (Uid::from_raw(self.0.st_uid), Gid::from_raw(self.0.st_gid));
        Ok(rustix::fs::fchown(file, Some(owner), Some(group))?)
    }
}

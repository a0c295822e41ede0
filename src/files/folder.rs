//! An open folder, reached step by step without following links of other users.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, RawMode, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;

use super::{Place, Refusal, Status, is_root};

/// An open folder. Replacing the folder at its path does not change where files are created.
#[derive(Debug)]
pub struct Folder {
    pub(super) handle: OwnedFd,
    pub(super) path: PathBuf,
}

/// What to do about a link at the end of a path.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    Follow,
    Keep,
}

/// What to do about a folder that is not there.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Missing {
    Fail,
    Make,
}

/// A folder or link on the way to a file.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) path: PathBuf,
    pub(super) status: Status,
}

/// Most links on a path, as on Linux (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// A handle on anything at a path, even a link. It needs no right to read, and never blocks.
#[cfg(target_os = "linux")]
const HANDLE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// On other systems no link is followed at all.
#[cfg(not(target_os = "linux"))]
const HANDLE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl Folder {
    /// Creates the missing folders of this path, and opens the last one.
    pub fn make(path: &Path) -> io::Result<Self> {
        // Walk to a name in the folder, which opens the folder.
        let (place, steps) = walk(&path.join("name"), End::Keep, Missing::Make)?;
        demand_own_links(steps, place.folder.status()?.owner())?;
        Ok(place.folder)
    }

    /// Creates a new folder and opens it.
    pub fn make_new(path: &Path) -> io::Result<Self> {
        Place::of_output(path)?.make_folder()
    }

    /// Creates a new folder in this one and opens it.
    pub fn make_folder(&self, name: &str) -> io::Result<Self> {
        self.place(name)?.make_folder()
    }

    /// A name in this folder.
    pub fn place(&self, name: &str) -> io::Result<Place> {
        Ok(Place {
            folder: Self { handle: self.handle.try_clone()?, path: self.path.clone() },
            name: name.into(),
        })
    }

    /// Creates a file in this folder. Fails if the name exists.
    pub fn write_new(&self, name: &str, content: &[u8]) -> io::Result<()> {
        self.place(name)?.create(PUBLIC)?.write_all(content)
    }

    pub(super) fn status(&self) -> io::Result<Status> {
        Ok(Status(fstat(&self.handle)?))
    }

    fn root() -> io::Result<Self> {
        let handle = rustix::fs::open("/", HANDLE, Mode::empty())?;
        Ok(Self { handle, path: "/".into() })
    }

    fn parent(mut self) -> io::Result<Self> {
        self.handle = openat(&self.handle, "..", HANDLE, Mode::empty())?;
        self.path.pop();
        Ok(self)
    }
}

/// The mode of files that every user may read: manual pages, metrics, code.
pub(super) const PUBLIC: RawMode = 0o644;

/// Walks along a path, opening each folder in the one before, so that a folder that was checked cannot be
/// replaced by a link. Also returns the folders and links on the way.
pub(super) fn walk(path: &Path, end: End, missing: Missing) -> io::Result<(Place, Vec<Step>)> {
    let mut ahead: Vec<OsString> = names_backwards(&std::path::absolute(path)?).collect();
    let mut folder = Folder::root()?;
    let mut steps = Vec::new();
    let mut links = 0;
    loop {
        let Some(name) = ahead.pop() else {
            return Ok((Place { folder, name: ".".into() }, steps));
        };
        if name == ".." {
            folder = folder.parent()?;
            continue;
        }
        let is_last = ahead.is_empty();
        let open = || openat(&folder.handle, &*name, HANDLE, Mode::empty());
        let found = match open() {
            Err(Errno::NOENT) if is_last => return Ok((Place { folder, name }, steps)),
            Err(Errno::NOENT) if missing == Missing::Make => {
                demand_own_links(std::mem::take(&mut steps), folder.status()?.owner())?;
                mkdirat(&folder.handle, &*name, Mode::from_raw_mode(0o755))?;
                open()?
            }
            found => found?,
        };
        let status = fstat(&found)?;
        let path = folder.path.join(&name);
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Symlink if !is_last || end == End::Follow => {
                steps.push(Step { path, status: Status(status) });
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = readlinkat(&found, "", Vec::new())?;
                let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                if target.is_absolute() {
                    folder = Folder::root()?;
                }
                ahead.extend(names_backwards(target));
            }
            _ if is_last => return Ok((Place { folder, name }, steps)),
            FileType::Directory => {
                steps.push(Step { path: path.clone(), status: Status(status) });
                folder = Folder { path, handle: found };
            }
            _ => return Err(Errno::NOTDIR.into()),
        }
    }
}

fn names_backwards(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// As root, refuses a link that leads to a file of another user than the link's owner: that user chooses the
/// file on which root works, and could not touch it alone. For other users the system decides what they may
/// open.
pub(super) fn demand_own_links(steps: Vec<Step>, owner: u32) -> io::Result<()> {
    let is_anothers = |step: &Step| {
        step.status.is_link() && step.status.owner() != 0 && step.status.owner() != owner
    };
    match steps.into_iter().find(is_anothers) {
        Some(Step { path, status }) if is_root() => {
            Err(Refusal::LinkOfAnother { link: path, owner: status.owner() }.into())
        }
        _ => Ok(()),
    }
}

/// The first folder or link on the way to a file, or the file itself, that other users can change: users
/// other than root, the user of this process, and `trusted`.
pub fn find_changeable(path: &Path, trusted: Option<u32>) -> io::Result<Option<PathBuf>> {
    let (place, mut steps) = walk(path, End::Follow, Missing::Fail)?;
    let status = place.status()?.ok_or(Errno::NOENT)?;
    steps.push(Step { path: place.path(), status });
    let found = steps.into_iter().find(|step| step.status.others_can_change(trusted));
    Ok(found.map(|step| step.path))
}

/// The same for a file, or for a folder and everything in it, with links followed, except what is in folders
/// with these names.
pub fn find_changeable_in(
    path: &Path,
    left_out: &[&str],
    trusted: Option<u32>,
) -> io::Result<Option<PathBuf>> {
    if let Some(found) = find_changeable(path, trusted)? {
        return Ok(Some(found));
    }
    if !path.is_dir() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if Status(rustix::fs::lstat(&path)?).others_can_change(trusted) {
            return Ok(Some(path));
        }
        let found = if kind.is_dir() {
            let is_left_out = left_out.iter().any(|name| entry.file_name() == *name);
            if is_left_out { None } else { find_changeable_in(&path, left_out, trusted)? }
        } else if kind.is_symlink() {
            // A file that does not exist is not run.
            find_changeable(&path, trusted).ok().flatten()
        } else {
            None
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, fstat, mkdirat, openat, readlinkat};
use rustix::io::Errno;

use super::{Place, Refusal, Status, is_root};

/// An open folder: whoever puts another in its place meanwhile does not change where files are made.
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

/// A link on the way to a file, and who made it.
#[derive(Debug)]
pub(super) struct Link {
    path: PathBuf,
    owner: u32,
}

/// As many as Linux follows (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// A handle on whatever is there, also on a link. It takes no right to read, and waits for nobody.
#[cfg(target_os = "linux")]
const HANDLE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Elsewhere no link is followed at all.
#[cfg(not(target_os = "linux"))]
const HANDLE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl Folder {
    /// Makes the folders of this path that are not there, and opens the last one.
    pub fn make(path: &Path) -> io::Result<Self> {
        // The folder of any name in it.
        let (place, links) = walk(&path.join("name"), End::Keep, Missing::Make)?;
        let owner = place.folder.status()?.owner();
        demand_own_links(links, owner)?;
        Ok(place.folder)
    }

    /// Makes a new folder, and opens it.
    pub fn make_new(path: &Path) -> io::Result<Self> {
        Place::of_output(path)?.make_folder()
    }

    /// Makes a new folder in it, and opens that.
    pub fn make_folder(&self, name: &str) -> io::Result<Self> {
        self.place(name)?.make_folder()
    }

    /// A name in it.
    pub fn place(&self, name: &str) -> io::Result<Place> {
        Ok(Place {
            folder: Self { handle: self.handle.try_clone()?, path: self.path.clone() },
            name: name.into(),
        })
    }

    /// Makes a file in it. Fails if anything of this name is there.
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

/// A file for everybody to read: manual pages, metrics, code.
pub(super) const PUBLIC: u32 = 0o644;

/// Goes along a path, folder by folder, each opened in the one before: so nobody can put a link in the place of a folder
/// that was looked at. The links that were followed come back too.
pub(super) fn walk(path: &Path, end: End, missing: Missing) -> io::Result<(Place, Vec<Link>)> {
    let mut ahead: Vec<OsString> = names_backwards(&std::path::absolute(path)?).collect();
    let mut folder = Folder::root()?;
    let mut links = Vec::new();
    loop {
        let Some(name) = ahead.pop() else {
            return Ok((Place { folder, name: ".".into() }, links));
        };
        if name == ".." {
            folder = folder.parent()?;
            continue;
        }
        let is_last = ahead.is_empty();
        let open = || openat(&folder.handle, &*name, HANDLE, Mode::empty());
        let found = match open() {
            Err(Errno::NOENT) if is_last => return Ok((Place { folder, name }, links)),
            Err(Errno::NOENT) if missing == Missing::Make => {
                demand_own_links(std::mem::take(&mut links), folder.status()?.owner())?;
                mkdirat(&folder.handle, &*name, Mode::from_raw_mode(0o755))?;
                open()?
            }
            found => found?,
        };
        let status = fstat(&found)?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Symlink if !is_last || end == End::Follow => {
                links.push(Link { path: folder.path.join(&name), owner: status.st_uid });
                if links.len() > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = readlinkat(&found, "", Vec::new())?;
                let target = Path::new(OsStr::from_bytes(target.as_bytes()));
                if target.is_absolute() {
                    folder = Folder::root()?;
                }
                ahead.extend(names_backwards(target));
            }
            _ if is_last => return Ok((Place { folder, name }, links)),
            FileType::Directory => folder = Folder { path: folder.path.join(&name), handle: found },
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

/// Refuses to root a link whose maker owns nothing of what it leads to: who makes such a link chooses what root works on,
/// and could not touch it himself. For all other users the system decides what they may open.
pub(super) fn demand_own_links(links: Vec<Link>, owner: u32) -> io::Result<()> {
    let is_anothers = |link: &Link| link.owner != 0 && link.owner != owner;
    match links.into_iter().find(is_anothers) {
        Some(Link { path, owner }) if is_root() => {
            Err(Refusal::LinkOfAnother { link: path, owner }.into())
        }
        _ => Ok(()),
    }
}

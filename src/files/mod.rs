//! Safe access to files in folders of other users. Root runs this program on a site whose user owns the
//! folder, so an attacker may have put something at a path for root to open: a link to another file, or a
//! pipe without a writer. Every file that the program creates, and every file of the site that it opens, goes
//! through this module.

mod folder;
mod input;
mod owner;
mod place;
mod refusal;

pub use folder::{Folder, find_changeable, find_changeable_in};
pub use input::{open, read, read_all, read_to_string};
pub use owner::{acts_as, as_operator};
pub use place::Place;
pub use refusal::{Refusal, hint};

use rustix::fs::RawMode;

/// Whether this process runs as root, so that the system refuses no access and only this program can.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The bits of a mode that allow other users to write.
const GROUP_OR_OTHERS: RawMode = 0o022;

/// The owner, kind and mode of what is at a path.
#[derive(Clone, Copy, Debug)]
pub struct Status(rustix::fs::Stat);

impl Status {
    /// Whether it is a regular file: no folder, link, pipe, socket or device.
    pub fn is_regular(&self) -> bool {
        rustix::fs::FileType::from_raw_mode(self.0.st_mode).is_file()
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        rustix::fs::FileType::from_raw_mode(self.0.st_mode).is_dir()
    }

    /// The user who owns it.
    pub fn owner(&self) -> u32 {
        self.0.st_uid
    }

    /// Whether other users can write to it: its owner, unless that is root or the user of this process, or
    /// users whom its mode allows it.
    pub fn others_can_write(&self) -> bool {
        !self.is_own() || self.0.st_mode & GROUP_OR_OTHERS != 0
    }

    /// Whether its mode lets every user of the machine write to it.
    pub fn everybody_can_write(&self) -> bool {
        self.0.st_mode & 0o002 != 0
    }

    /// Whether other users can replace code there. In a folder with a sticky bit, users can replace only
    /// their own files.
    fn others_can_change(&self, trusted: Option<u32>) -> bool {
        const STICKY: RawMode = 0o1000;
        let is_trusted = self.is_own() || trusted == Some(self.owner());
        let is_safe = self.is_link() || self.is_folder() && self.0.st_mode & STICKY != 0;
        !is_trusted || !is_safe && self.0.st_mode & GROUP_OR_OTHERS != 0
    }

    fn is_link(&self) -> bool {
        rustix::fs::FileType::from_raw_mode(self.0.st_mode).is_symlink()
    }

    fn is_own(&self) -> bool {
        [0, rustix::process::geteuid().as_raw()].contains(&self.owner())
    }

    /// Whether both are the same file.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.0.st_dev, self.0.st_ino) == (other.0.st_dev, other.0.st_ino)
    }

    fn has_other_names(&self) -> bool {
        self.0.st_nlink > 1
    }
}

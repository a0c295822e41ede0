//! Why the program refuses to touch a file although the system would allow it.

use std::io;
use std::path::PathBuf;

/// Why the program refuses to touch a file that the system would allow.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A link on the way that leads to a file of another user than the link's owner.
    #[error("{} is a link of user {owner}, and what it leads to belongs to another user", .link.display())]
    LinkOfAnother {
        /// The link.
        link: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// A link, pipe, socket, device or folder in the place of a file.
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// A device or a socket, or a pipe of another user, in the place of a file to be read.
    #[error("{} is not a regular file, and no pipe of root or of this user", .0.display())]
    NotReadable(PathBuf),
    /// A file to which other users can write.
    #[error("{} can be written by others", .0.display())]
    OthersCanWrite(PathBuf),
    /// A file that has another name, perhaps among other files of this user.
    #[error("{} has a second name (a hard link)", .0.display())]
    SecondName(PathBuf),
    /// A file of another user that no other user may open.
    #[error("{} belongs to user {_1}, who lets nobody else open it", .0.display())]
    OfAnother(PathBuf, u32),
    /// A folder of root that other users can change, with a file of root in it.
    #[error("{} belongs to root, and others can change the folder {}", .file.display(), .folder.display())]
    SharedFolder {
        /// The file.
        file: PathBuf,
        /// The first such folder on the way to it.
        folder: PathBuf,
    },
    /// Root may not change its rights, as in a container without the capabilities for it.
    #[error(
        "others can change where it is, and root cannot take on the rights of its owner, user {user} ({why})"
    )]
    CannotBecome {
        /// The user.
        user: u32,
        /// What the system says.
        why: io::Error,
    },
    /// A file that its owner cannot reach.
    #[error("others can change where {} is, and user {user}, with whose rights root works there, cannot open it", .file.display())]
    OutOfReach {
        /// The file.
        file: PathBuf,
        /// The owner of the file, or of its folder.
        user: u32,
        /// What the system says.
        source: io::Error,
    },
}

impl Refusal {
    fn hint(&self) -> &'static str {
        match self {
            Self::LinkOfAnother { .. } => {
                "whoever made the link chooses what root works on: name the file itself, not the link"
            }
            Self::NotRegular(_) => "see who put it there, and why; a link is not followed",
            Self::NotReadable(_) => "see who put it there, and why; standard input is \"-\"",
            Self::OthersCanWrite(_) => {
                "it must belong to the user who runs sessctl or to root, and have no mode that lets others write: chmod go-w"
            }
            Self::SharedFolder { .. } => {
                "what they put there root would work on: run sessctl as the user of the site, give the file to that user, or \
                 copy it to a folder that only root can change"
            }
            Self::CannotBecome { .. } => "run sessctl as that user",
            Self::OutOfReach { .. } => {
                "root works with the rights of the owner there: run sessctl where the owner runs, as in the container of the \
                 site, and see that this user may go through each folder"
            }
            Self::OfAnother(..) => {
                "let that user, or root, run it; if no sessctl of that user is at work, the file is left over: remove it"
            }
            Self::SecondName(_) => {
                "`find / -samefile FILE` lists its names: see who made the second one, and why, and remove it"
            }
        }
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::other(refusal)
    }
}

/// The next step after an error of this module, where one is known.
pub fn hint(error: &io::Error) -> Option<&'static str> {
    error.get_ref()?.downcast_ref::<Refusal>().map(Refusal::hint)
}

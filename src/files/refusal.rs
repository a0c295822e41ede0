use std::io;
use std::path::PathBuf;

/// Why a file is not touched, though the system would allow it.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A link on the way that leads to what is not its maker's.
    #[error("{} is a link of user {owner}, and what it leads to belongs to another user", .link.display())]
    LinkOfAnother {
        /// Where it is.
        link: PathBuf,
        /// Who made it.
        owner: u32,
    },
    /// A link, pipe, socket, device or folder in the place of a file.
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// A file that somebody else can write to.
    #[error("{} can be written by others", .0.display())]
    OthersCanWrite(PathBuf),
    /// A file that has another name, perhaps among other files of this user.
    #[error("{} has a second name (a hard link)", .0.display())]
    SecondName(PathBuf),
}

impl Refusal {
    fn hint(&self) -> &'static str {
        match self {
            Self::LinkOfAnother { .. } => {
                "whoever made the link chooses what root works on: name the file itself, not the link"
            }
            Self::NotRegular(_) => "see who put it there, and why; a link is not followed",
            Self::OthersCanWrite(_) => {
                "it must belong to the user who runs sessctl or to root, and have no mode that lets others write: chmod go-w"
            }
            Self::SecondName(_) => {
                "see who made the second name, and why; `find -samefile` finds it"
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

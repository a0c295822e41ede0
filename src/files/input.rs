//! Opens a file that the operator named for reading.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags};

use super::{Refusal, Status, as_operator};

/// Opens a file that the operator named for reading. Links are followed. A pipe is waited for if this user or
/// root owns it, as with `<(command)`: a pipe of another user could block the program forever. Devices are
/// refused: a device may have no end, and opening it may change it.
pub fn open(path: &Path) -> io::Result<File> {
    let demand = |status: Status| match FileType::from_raw_mode(status.0.st_mode) {
        FileType::RegularFile | FileType::Directory => Ok(false),
        FileType::Fifo if status.is_own() => Ok(true),
        _ => Err(Refusal::NotReadable(path.to_owned())),
    };
    let how = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = as_operator(|| {
        demand(Status(rustix::fs::stat(path)?))?;
        Ok::<_, io::Error>(File::from(rustix::fs::open(path, how, Mode::empty())?))
    })?;
    if demand(Status::of(&file)?)? {
        // Wait for a writer: without one, a read would return the end at once.
        poll(&mut [PollFd::new(&file, PollFlags::IN)], None)?;
    }
    rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    Ok(file)
}

/// No key, certificate or list of users is larger. A device behind a link has no end.
const MOST_BYTES: u64 = 64 << 20;

/// Reads such a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_all(open(path)?)
}

/// Reads everything, up to 64 MiB.
pub fn read_all(input: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = input.take(MOST_BYTES + 1).read_to_end(&mut content)?;
    if u64::try_from(read).is_ok_and(|read| read <= MOST_BYTES) {
        Ok(content)
    } else {
        Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 64 MiB"))
    }
}

/// The same, as text.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

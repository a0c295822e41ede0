//! Finds the process that holds the lock on a file, from what Linux shows (proc(5)).

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

use crate::files::as_operator;
use crate::store::Holder;

/// The process that locked this file (flock(2)), if it can be seen. It counts as a sessctl if its name says
/// so and it runs as this user: other users can choose any name.
pub(super) fn holder_of(file: &File) -> io::Result<Option<Holder>> {
    let (file, ourselves) = (file.metadata()?, user_of("self"));
    // Only root may see which files root's processes have open.
    Ok(as_operator(|| find_holder(&file, ourselves.as_ref())))
}

fn find_holder(file: &Metadata, ourselves: Option<&User>) -> Option<Holder> {
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut stranger = None;
    for pid in locks.lines().filter_map(|line| holder_in(line, file.ino())) {
        let Some(user) = user_of(pid) else { continue };
        let is_alike = Some(&user) == ourselves && name_of(pid) == name_of("self");
        if is_alike && has_open(pid, file) {
            return Some(Holder::Sessctl);
        }
        stranger.get_or_insert_with(|| format!("process {pid} of user {}", user.real));
    }
    stranger.map(Holder::Unknown)
}

/// The process in a line of `/proc/locks`, if it holds a lock on a file with this inode number, on any file
/// system: `1: FLOCK ADVISORY WRITE 4711 08:01:131072 0 EOF`. A waiting process has an arrow before its
/// entry.
fn holder_in(line: &str, inode: u64) -> Option<&str> {
    let mut words = line.split_whitespace().skip(1);
    let (kind, pid, file) = (words.next()?, words.nth(2)?, words.next()?);
    let is_meant = kind == "FLOCK" && file.rsplit(':').next()?.parse() == Ok(inode);
    is_meant.then_some(pid)
}

#[derive(PartialEq)]
struct User {
    real: String,
    effective: String,
}

/// Reads the user from the process's status: the folder in `/proc` belongs to root if the process cannot be
/// dumped.
fn user_of(pid: &str) -> Option<User> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace();
    Some(User { real: ids.next()?.into(), effective: ids.next()?.into() })
}

fn name_of(pid: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok()
}

fn has_open(pid: &str, file: &Metadata) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten()
        .filter_map(|open| fs::metadata(open.path()).ok())
        .any(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_told_from_those_who_wait() {
        let line = "1: FLOCK  ADVISORY  WRITE 4711 08:01:131072 0 EOF";
        assert_eq!(holder_in(line, 131_072), Some("4711"));
        assert_eq!(holder_in(line, 131_073), None);
        for other in [
            "1: -> FLOCK  ADVISORY  WRITE 4711 08:01:131072 0 EOF",
            "1: POSIX  ADVISORY  WRITE 4711 08:01:131072 0 EOF",
            "1: FLOCK",
            "",
        ] {
            assert_eq!(holder_in(other, 131_072), None, "{other}");
        }
    }
}

//! Gives up root's rights for work on files in folders of other users. Rights belong to the thread
//! (credentials(7)), and threads that it starts later inherit them.

use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags, RawMode, accessat};
use rustix::io::Errno;

use super::folder::{End, Missing, Step, walk};
use super::{GROUP_OR_OTHERS, Place, Refusal, Status, is_root};

impl Place {
    /// Finds a file of the site, as [`Self::of_existing`] does. If a user other than root can change its
    /// folder, or one above, this thread of root takes on the rights of the file's owner. Then anything that
    /// is put in the place of folders and files leads to nothing that the owner could not access alone. If
    /// the file's owner may not write to the folder, SQLite could not work as that user, so the thread takes
    /// on the rights of the folder's owner. Use [`as_operator`] for other work.
    pub fn of_site(path: &Path) -> io::Result<(Self, Status)> {
        // The path may lead through folders that only the operator may pass, while the thread already has an
        // owner's rights.
        let (place, status) = as_operator(|| Self::of_existing(path))?;
        let Some(user) = place.user_to_act_as(status)? else { return Ok((place, status)) };
        act_as(&user)?;
        let folder = place.folder.status()?;
        let is_anothers = folder.is_anothers() && folder.owner() != user.uid;
        let user = if is_anothers && !place.is_writable_folder() {
            let owner = User::owner_of(folder);
            act_as(&owner)?;
            owner
        } else {
            user
        };
        let (place, status) = Self::of_existing(&place.path()).map_err(|source| {
            io::Error::from(Refusal::OutOfReach { file: place.path(), user: user.uid, source })
        })?;
        // The folder's owner may have hard-linked it there, with a journal of their own beside it.
        if place.chosen_by(status)?.is_some() && status.has_other_names() {
            return Err(Refusal::SecondName(place.path()).into());
        }
        Ok((place, status))
    }

    /// The owner of its folder, if root takes on the rights of the file's owner and that is another user: the
    /// folder's owner can choose on which of the file owner's files root works.
    pub fn chosen_by(&self, file: Status) -> io::Result<Option<u32>> {
        let folder = self.folder.status()?;
        let acts_as_owner = acts_as() == Some(file.owner());
        let is_anothers = folder.is_anothers() && folder.owner() != file.owner();
        Ok((acts_as_owner && is_anothers).then(|| folder.owner()))
    }

    /// The user whose rights to take on; `None` if only root can change the path, or if this process is not
    /// root.
    fn user_to_act_as(&self, file: Status) -> io::Result<Option<User>> {
        // Anything but a regular file is not opened.
        if !is_root() || !file.is_regular() {
            return Ok(None);
        }
        let (_, folders) = walk(&self.path(), End::Keep, Missing::Fail)?;
        let last = folders.len().saturating_sub(1);
        let mut open = folders.into_iter().enumerate().filter(|(n, step)| step.is_open(*n == last));
        let Some((_, first)) = open.next() else { return Ok(None) };
        if file.owner() != 0 {
            return Ok(Some(User::owner_of(file)));
        }
        let mut statuses = std::iter::once(first.status).chain(open.map(|(_, step)| step.status));
        match statuses.find(Status::is_anothers) {
            Some(folder) => Ok(Some(User::owner_of(folder))),
            None => Err(Refusal::SharedFolder { file: self.path(), folder: first.path }.into()),
        }
    }

    /// Whether files can be created in its folder. If the system cannot tell (Linux before 5.8), SQLite will
    /// find out.
    fn is_writable_folder(&self) -> bool {
        let how = Access::WRITE_OK | Access::EXEC_OK;
        accessat(&self.folder.handle, ".", how, AtFlags::EACCESS) != Err(Errno::ACCESS)
    }
}

impl Status {
    /// Whether its owner is neither root nor outside of this user namespace. The kernel shows all users
    /// outside as one; root in the namespace has no power over their files.
    fn is_anothers(&self) -> bool {
        self.owner() != 0 && !is_outside(self.owner())
    }
}

/// Whether no user of this user namespace has this id (`user_namespaces(7)`, `/proc/self/uid_map`).
fn is_outside(uid: u32) -> bool {
    let Ok(map) = std::fs::read_to_string("/proc/self/uid_map") else { return false };
    let is_inside = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (first, _, count) =
            (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(uid >= first && uid - first < count)
    };
    !map.lines().any(|line| is_inside(line).unwrap_or(true))
}

impl Step {
    /// Whether users other than root can replace what is in this folder. Above the last folder, a sticky bit
    /// prevents it. Write access of a group counts, even of root's: an access control list shows its mask in
    /// these bits (acl(5)).
    fn is_open(&self, is_last: bool) -> bool {
        const STICKY: RawMode = 0o1000;
        let mode = self.status.0.st_mode;
        self.status.is_anothers() || mode & GROUP_OR_OTHERS != 0 && (is_last || mode & STICKY == 0)
    }
}

/// A user whose rights are taken on, and the group of that user's files.
struct User {
    uid: u32,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    gid: u32,
}

impl User {
    fn owner_of(status: Status) -> Self {
        Self { uid: status.owner(), gid: status.0.st_gid }
    }
}

#[cfg(target_os = "linux")]
mod rights {
    use std::ffi::CString;
    use std::io;

    use rustix::fs::{Gid, Uid};
    use rustix::process::{getegid, geteuid, getgid, getuid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

    use super::User;

    /// The group for a user without one (`nogroup`, the kernel's overflow id).
    const NO_GROUP: u32 = 65534;

    /// Takes on the rights of a user, with that user's groups alone. The main group is that of the file, if
    /// possible, so that files created beside it are usable by the same users.
    pub(super) fn take(user: &User) -> io::Result<()> {
        let known = nix::unistd::User::from_uid(user.uid.into())?;
        let (own, groups) = match known {
            Some(known) => {
                let name = CString::new(known.name)?;
                let groups = nix::unistd::getgrouplist(&name, known.gid)?;
                (known.gid.as_raw(), groups.into_iter().map(nix::unistd::Gid::as_raw).collect())
            }
            // The groups of such a user are unknown; root's group is not one of them.
            None => (if user.gid == 0 { NO_GROUP } else { user.gid }, Vec::new()),
        };
        let gid = if groups.contains(&user.gid) { user.gid } else { own };
        let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
        // The thread may have another user's rights now, which do not allow this change.
        set_thread_res_uid(None, Uid::ROOT, None)?;
        set_thread_groups(&groups)?;
        set_thread_res_gid(None, Gid::from_raw(gid), None)?;
        Ok(set_thread_res_uid(None, Uid::from_raw(user.uid), None)?)
    }

    /// Restores the rights of an owner when it is dropped.
    struct Back(Gid, Uid);

    impl Drop for Back {
        fn drop(&mut self) {
            let back = set_thread_res_gid(None, self.0, None)
                .and_then(|()| set_thread_res_uid(None, self.1, None));
            if back.is_err() {
                // The kernel never refuses this to root. Aborting is safer than continuing with all rights.
                std::process::abort();
            }
        }
    }

    pub(super) fn acts_as() -> Option<u32> {
        let user = geteuid();
        (getuid().is_root() && !user.is_root()).then(|| user.as_raw())
    }

    pub(super) fn as_operator<T>(act: impl FnOnce() -> T) -> T {
        let (gid, uid) = (getegid(), geteuid());
        if acts_as().is_none() || set_thread_res_uid(None, Uid::ROOT, None).is_err() {
            return act();
        }
        let _back = Back(gid, uid);
        // A failure leaves a group that is not root's, which does no harm.
        let _ = set_thread_res_gid(None, getgid(), None);
        act()
    }
}

#[cfg(not(target_os = "linux"))]
mod rights {
    use std::io;

    pub(super) fn take(_: &super::User) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn acts_as() -> Option<u32> {
        None
    }

    pub(super) fn as_operator<T>(act: impl FnOnce() -> T) -> T {
        act()
    }
}

fn act_as(user: &User) -> io::Result<()> {
    rights::take(user).map_err(|why| Refusal::CannotBecome { user: user.uid, why }.into())
}

/// The user whose rights this thread of root has taken on, if any.
pub fn acts_as() -> Option<u32> {
    rights::acts_as()
}

/// Runs `act` with the rights of the operator, on files that the operator named. Only this thread has these
/// rights.
pub fn as_operator<T>(act: impl FnOnce() -> T) -> T {
    rights::as_operator(act)
}

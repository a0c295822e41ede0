//! With whose rights root works on a file that others can put something beside. Rights are the thread's (credentials(7)):
//! the threads that it starts later have them too.

use std::io;
use std::path::Path;

use super::folder::{End, Missing, Step, walk};
use super::{GROUP_OR_OTHERS, Place, Refusal, Status, is_root};

impl Place {
    /// A file of a site's, which links may lead to, as [`Self::of_existing`]. Where somebody else than root can change its
    /// folder, or one above, root has only the rights of the file's owner from here on: so whatever is put in the place of
    /// folders and files, now or later, leads to nothing that the owner could not do alone. [`as_operator`] is for the rest.
    pub fn of_site(path: &Path) -> io::Result<(Self, Status)> {
        // The way to it may lead through what the operator alone may go through, when the thread has the owner's rights already.
        let (place, status) = as_operator(|| Self::of_existing(path))?;
        let Some(owner) = place.owner_to_act_as(status)? else { return Ok((place, status)) };
        act_as(&owner)?;
        let again = Self::of_existing(&place.path());
        again.map_err(|source| {
            Refusal::OutOfReach { file: place.path(), owner: owner.uid, source }.into()
        })
    }

    /// Nobody, where root alone can change where it is, or this is not root.
    fn owner_to_act_as(&self, file: Status) -> io::Result<Option<User>> {
        // What is no file is not opened.
        if !is_root() || !file.is_regular() {
            return Ok(None);
        }
        let (_, folders) = walk(&self.path(), End::Keep, Missing::Fail)?;
        let last = folders.len().saturating_sub(1);
        let mut open = folders.into_iter().enumerate().filter(|(n, step)| step.is_open(*n == last));
        let Some((_, first)) = open.next() else { return Ok(None) };
        if file.owner() != 0 {
            return Ok(Some(User { uid: file.owner(), gid: file.0.st_gid }));
        }
        let mut statuses = std::iter::once(first.status).chain(open.map(|(_, step)| step.status));
        match statuses.find(|folder| folder.owner() != 0) {
            Some(folder) => Ok(Some(User { uid: folder.owner(), gid: folder.0.st_gid })),
            None => Err(Refusal::SharedFolder { file: self.path(), folder: first.path }.into()),
        }
    }
}

impl Step {
    /// Whether others than root can put another folder or file there. Above the last folder a sticky bit keeps them from it. What
    /// a group may write counts, that of root too: an access control list shows its mask in these bits (acl(5)).
    fn is_open(&self, is_last: bool) -> bool {
        const STICKY: u32 = 0o1000;
        let mode = self.status.0.st_mode;
        self.status.owner() != 0 || mode & GROUP_OR_OTHERS != 0 && (is_last || mode & STICKY == 0)
    }
}

/// Whose rights, and the group of the file.
struct User {
    uid: u32,
    gid: u32,
}

#[cfg(target_os = "linux")]
mod rights {
    use std::ffi::CString;
    use std::io;

    use rustix::fs::{Gid, Uid};
    use rustix::process::{getegid, geteuid, getgid, getuid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

    use super::User;

    /// The group of whoever is in none (`nogroup`, the kernel's overflow id).
    const NO_GROUP: u32 = 65534;

    /// The groups of the user alone: one of them is that of the file, if it can be, since what is made beside it is to be
    /// used by the same users.
    pub(super) fn take(user: &User) -> io::Result<()> {
        let known = nix::unistd::User::from_uid(user.uid.into())?;
        let (own, groups) = match known {
            Some(known) => {
                let name = CString::new(known.name)?;
                let groups = nix::unistd::getgrouplist(&name, known.gid)?;
                (known.gid.as_raw(), groups.into_iter().map(nix::unistd::Gid::as_raw).collect())
            }
            // Nobody can say in which groups such a user is; that of root is none of them.
            None => (if user.gid == 0 { NO_GROUP } else { user.gid }, Vec::new()),
        };
        let gid = if groups.contains(&user.gid) { user.gid } else { own };
        let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
        set_thread_groups(&groups)?;
        set_thread_res_gid(None, Gid::from_raw(gid), None)?;
        Ok(set_thread_res_uid(None, Uid::from_raw(user.uid), None)?)
    }

    /// Goes back to the rights of an owner at its end.
    struct Back(Gid, Uid);

    impl Drop for Back {
        fn drop(&mut self) {
            let back = set_thread_res_gid(None, self.0, None)
                .and_then(|()| set_thread_res_uid(None, self.1, None));
            if back.is_err() {
                // The kernel lets root do it. To go on with all rights would be worse than to end.
                std::process::abort();
            }
        }
    }

    pub(super) fn as_operator<T>(act: impl FnOnce() -> T) -> T {
        let (gid, uid) = (getegid(), geteuid());
        let is_changed = getuid().is_root() && !uid.is_root();
        if !is_changed || set_thread_res_uid(None, Uid::ROOT, None).is_err() {
            return act();
        }
        let _back = Back(gid, uid);
        // A group that is not root's own does no harm.
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

    pub(super) fn as_operator<T>(act: impl FnOnce() -> T) -> T {
        act()
    }
}

fn act_as(owner: &User) -> io::Result<()> {
    rights::take(owner).map_err(|source| Refusal::CannotBecome { owner: owner.uid, source }.into())
}

/// Does something with the rights of whoever runs the program, on files that they named. Only this thread has them.
pub fn as_operator<T>(act: impl FnOnce() -> T) -> T {
    rights::as_operator(act)
}

//! Checks who can change the code that a project runs. This module checks what runs before the probe can: the
//! interpreter and what it loads first. The probe checks the rest.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Place, interpreter};
use crate::error::Error;
use crate::files;

/// The owner of the project. Users other than root trust them; root does not.
pub(super) fn also_trusted(folder: &Path) -> Option<u32> {
    let owner = fs::metadata(folder).ok()?.uid();
    (!files::is_root()).then_some(owner)
}

/// The first file, folder or link that others can change.
pub(super) fn find_changeable(
    named: &Path,
    place: &Place,
    python: &Path,
    trusted: Option<u32>,
) -> Option<String> {
    let project = [named, &place.folder, &place.manage, python];
    // A missing file is not run.
    let changeable = |path: &Path| files::find_changeable(path, trusted).ok().flatten();
    let found = project.into_iter().find_map(changeable);
    let found =
        found.or_else(|| interpreter::find_changeable(python, &place.folder, trusted).ok()?);
    found.map(|path| path.display().to_string())
}

/// The folders of `PATH` in which nobody else can put a program, for root's Python and for a script in the place of an
/// interpreter. Relative folders are left out: they would be the project's.
pub(super) fn search_path() -> OsString {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let is_ours = |folder: &PathBuf| matches!(files::find_changeable(folder, None), Ok(None));
    let ours =
        std::env::split_paths(&folders).filter(|folder| folder.is_absolute()).filter(is_ours);
    std::env::join_paths(ours).unwrap_or_default()
}

/// The error for code that root does not run.
pub(super) fn refused(project: &Path, changeable: &str) -> Error {
    let owner = fs::metadata(project).map(|status| status.uid()).unwrap_or_default();
    let owner = if owner == 0 { "USER".into() } else { format!("'#{owner}'") };
    Error::usage(
        format!(
            "root does not run the Django project {}, since others can change its code: {changeable}",
            project.display()
        ),
        format!(
            "run sessctl as the site's user (sudo -u {owner} sessctl ...), or let its code, its Python and all \
             folders above them belong to root and chmod go-w them"
        ),
    )
}

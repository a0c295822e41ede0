//! Whose code a project runs. Python runs some before the probe can look at it: the interpreter itself, and what a virtual
//! environment has it import when it begins. This is looked at here, the rest in the probe.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Place;
use crate::error::Error;
use crate::files;

/// The owner of the project, whom the site's own user has to trust; root has not.
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
    let project = [named.to_owned(), place.folder.clone(), place.manage.clone(), python.to_owned()];
    let search_path = std::env::var_os("PYTHONPATH").unwrap_or_default();
    let searched: Vec<_> = std::env::split_paths(&search_path)
        .flat_map(|folder| [folder.join("sitecustomize.py"), folder])
        .collect();
    let mut paths = project.into_iter().chain(searched).chain(imported_at_once(python));
    // What is not there is not run.
    let found = paths.find_map(|path| files::find_changeable(&path, trusted).ok().flatten());
    found.map(|path| path.display().to_string())
}

/// What Python imports from a virtual environment when it begins: any line of a `.pth` file, `sitecustomize` (Python's
/// documentation, "site"). Other modules in that folder come first where the probe imports its own.
fn imported_at_once(python: &Path) -> Vec<PathBuf> {
    let Some(environment) = python.parent().and_then(Path::parent) else { return Vec::new() };
    let configuration = environment.join("pyvenv.cfg");
    if !configuration.exists() {
        return Vec::new();
    }
    let entries = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let packages = entries(environment.join("lib"))
        .into_iter()
        .map(|version| version.join("site-packages"))
        .flat_map(|packages| [vec![packages.clone()], entries(packages)].concat());
    [configuration].into_iter().chain(packages).collect()
}

/// The error for what root does not run.
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

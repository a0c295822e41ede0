//! Finds the Python interpreter that runs the probe, and checks the files that the interpreter reads before
//! the probe starts: `pyvenv.cfg` and the standard library (CPython, `Modules/getpath.py`). The probe itself
//! checks the module `site` and the installed packages.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::files;

/// The interpreter that was named, or that of the active virtual environment or of one in the project's folder.
pub(super) fn find(named: Option<&Path>, folder: &Path) -> Result<PathBuf, Error> {
    let active = std::env::var_os("VIRTUAL_ENV").filter(|folder| !folder.is_empty());
    let environments =
        active.map(PathBuf::from).into_iter().chain([folder.join(".venv"), folder.join("venv")]);
    let mut interpreters = environments.map(|environment| environment.join("bin/python"));
    let found = match named {
        // Relative to the current folder, not to the project.
        Some(python) if python.exists() => Some(python.to_owned()),
        Some(python) => in_search_path(python),
        None => interpreters
            .find(|python| python.exists())
            .or_else(|| in_search_path(Path::new("python3"))),
    };
    found.and_then(|python| std::path::absolute(python).ok()).ok_or_else(|| {
        let name = named.unwrap_or(Path::new("python3")).display();
        Error::usage(
            format!("cannot run {name}: no program of this name was found"),
            "name the Python of the project's virtual environment with --python",
        )
    })
}

/// The program of this name in `PATH`.
fn in_search_path(name: &Path) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        fs::metadata(path)
            .is_ok_and(|status| status.is_file() && status.permissions().mode() & 0o111 != 0)
    };
    let is_bare = name.parent() == Some(Path::new(""));
    let folders = std::env::var_os("PATH").filter(|_| is_bare)?;
    let mut found = std::env::split_paths(&folders).map(|folder| folder.join(name));
    found.find(is_program)
}

/// The interpreter's options. The probe runs `site` itself (`-S`). For root the environment and a user's home do not count
/// before that (`-I`), except for the encoding.
pub(super) fn options() -> Vec<String> {
    let mut options = vec!["-S".to_owned()];
    if files::is_root() {
        options.push("-I".into());
        let utf8 = std::env::var("PYTHONUTF8").ok().filter(|utf8| utf8 == "0" || utf8 == "1");
        options.extend(utf8.map(|utf8| format!("-Xutf8={utf8}")));
    }
    options
}

/// The first file that the interpreter reads at its start and that others can change. `here` is the folder that it runs in.
pub(super) fn find_changeable(
    python: &Path,
    here: &Path,
    trusted: Option<u32>,
) -> io::Result<Option<PathBuf>> {
    let mut homes = [python.to_owned(), python.canonicalize()?]
        .iter()
        .filter_map(|python| python.parent())
        .map(Path::to_owned)
        .collect::<Vec<_>>();
    let mut seen = HashSet::new();
    while let Some(home) = homes.pop() {
        if !seen.insert(home.clone()) {
            continue;
        }
        for redirection in redirections(&home) {
            let text = files::read(&redirection).unwrap_or_default();
            let folders = String::from_utf8_lossy(&text).into_owned();
            let folders = folders.lines().map(|line| home.join(line.trim()));
            for path in std::iter::once(redirection).chain(folders) {
                if let Ok(Some(found)) = files::find_changeable(&path, trusted) {
                    return Ok(Some(found));
                }
            }
        }
        for configuration in home.ancestors().take(2).map(|folder| folder.join("pyvenv.cfg")) {
            // A missing file is not read.
            if let Ok(Some(found)) = files::find_changeable(&configuration, trusted) {
                return Ok(Some(found));
            }
            let Ok(text) = files::read(&configuration) else { continue };
            let Some(base) = home_in(&String::from_utf8_lossy(&text)).map(|base| here.join(base))
            else {
                continue;
            };
            if let Ok(Some(found)) = files::find_changeable(&base, trusted) {
                return Ok(Some(found));
            }
            homes.extend(base.canonicalize().ok());
            homes.push(base);
        }
        for folder in home.ancestors() {
            for library in libraries(folder) {
                if seen.insert(library.clone())
                    && let Some(found) = files::find_changeable_in(&library, &INSTALLED, trusted)?
                {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(None)
}

/// Folders of a standard library from which Python does not import.
const INSTALLED: [&str; 2] = ["site-packages", "dist-packages"];

/// The standard libraries below this folder, of any version: folders, archives and shared objects.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let marks = ["os.py", "os.pyc", "lib-dynload"];
    let is_library = |path: &PathBuf| {
        let name = path.file_name().map(OsStr::as_encoded_bytes).unwrap_or_default();
        let is_named = name.starts_with(b"python3") || name.starts_with(b"libpython3");
        is_named && (!path.is_dir() || marks.iter().any(|mark| path.join(mark).exists()))
    };
    let entries =
        ["lib", "lib64"].into_iter().filter_map(|lib| fs::read_dir(folder.join(lib)).ok());
    entries.flatten().flatten().map(|entry| entry.path()).filter(is_library).collect()
}

/// Files beside the interpreter that have it import from the folders they name, one a line: `python._pth` of an embedded
/// Python, `pybuilddir.txt` of one that is being built.
fn redirections(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home).into_iter().flatten().flatten().map(|entry| entry.path());
    let redirects = |path: &PathBuf| {
        path.extension() == Some(OsStr::new("_pth")) || path.ends_with("pybuilddir.txt")
    };
    entries.filter(redirects).collect()
}

/// `home = FOLDER` of a `pyvenv.cfg`.
fn home_in(text: &str) -> Option<&str> {
    let mut settings = text.lines().filter_map(|line| line.split_once('='));
    settings.find(|(name, _)| name.trim().eq_ignore_ascii_case("home")).map(|(_, home)| home.trim())
}

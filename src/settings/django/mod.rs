//! `--django`: reads the settings of a Django project, so that the operator need not type them.
//!
//! A probe runs in the project's own Python, sets Django up as `manage.py` does, and answers on a pipe. The
//! project's secrets leave it only through this pipe.

mod answer;
mod interpreter;
mod project;
mod run;
mod sample;
mod trust;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use self::answer::Answer;
pub use self::answer::Project;
pub(super) use self::project::SiteCache;
use self::run::{Ran, run};
use crate::cache;
use crate::cli;
use crate::error::Error;
use crate::files;
use crate::settings::OF_MEMORY;
use crate::settings::database::Backends;
use crate::stop::Stop;

const PROBE: &str = include_str!("probe.py");
/// Its parts, and the lines that they replace.
const PARTS: [(&str, &str); 2] = [
    ("# Here stands users.py.\n", include_str!("users.py")),
    ("# Here stands masking.py.\n", include_str!("masking.py")),
];
/// The line of the probe that the parts of the stores replace.
const STORES_ASK: &str = "# Here stands what each store asks.\n";
/// The same of the caches.
const CACHES_ASK: &str = "# Here stands what each kind of cache asks.\n";
/// How long a project may take to set itself up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many lines of Python's output an error shows, if Python failed before the project.
const MOST_LINES: usize = 5;

/// Asks the project of `--django`, if there is one.
pub fn project(
    global: &cli::Global,
    backends: Backends,
    stop: &Stop,
) -> Result<Option<Project>, Error> {
    if let Some(pipe) = &global.django_answer {
        return read_own_answer(pipe).map(Some);
    }
    let Some(path) = &global.django else {
        let alone =
            [("--python", global.python.is_some()), ("--settings", global.settings.is_some())];
        return match alone.iter().find(|(_, given)| *given) {
            None => Ok(None),
            Some((option, _)) => Err(Error::usage(
                format!("{option} says how to run a Django project, and none was named"),
                "name its folder, or its manage.py, with --django",
            )),
        };
    };
    let place = Place::of(path)?;
    let python = interpreter::find(global.python.as_deref(), &place.folder)?;
    let trusted = trust::also_trusted(&place.folder);
    let changeable = trust::find_changeable(path, &place, &python, trusted);
    if let (Some(changeable), true) = (&changeable, files::is_root()) {
        return Err(trust::refused(path, changeable));
    }
    let mut command = Command::new(&python);
    command.args(interpreter::options());
    command.args(["-B", "-c", &probe(backends)]).args([&place.manage, &place.folder]);
    command.arg(global.settings.as_deref().unwrap_or_default()).current_dir(&place.folder);
    command.arg(trusted.map(|user| user.to_string()).unwrap_or_default());
    // The project gets the operator's environment, without sessctl's own variables.
    let ours = std::env::vars_os().filter(|(name, value)| {
        let is_of_memory = OF_MEMORY.iter().any(|(ours, set)| name == ours && value == set);
        is_of_memory || name.as_encoded_bytes().starts_with(b"SESSCTL_")
    });
    for (name, _) in ours {
        command.env_remove(name);
    }
    if files::is_root() {
        command.env("PATH", trust::search_path());
    }
    let ran = run(&mut command, PATIENCE, stop).map_err(|error| {
        Error::usage(
            format!("cannot run {}: {error}", python.display()),
            "name the Python of the project's virtual environment with --python",
        )
    })?;
    if let Some(signal) = stop.requested() {
        return Err(Error::Interrupted { signal });
    }
    let mut project = read_answer(&ran, path, &python)?;
    project.changeable = changeable.or(project.changeable);
    Ok(Some(project))
}

/// The program that runs in the project's Python, with the part of each store. Imported as a module, it only defines functions.
pub fn probe(backends: Backends) -> String {
    let parts = backends.iter().filter_map(|backend| Some(backend.django()?.probe()));
    let whole = PARTS.iter().fold(PROBE.to_owned(), |all, (line, part)| all.replace(line, part));
    let caches: Vec<_> = cache::BACKENDS.iter().map(|backend| backend.probe()).collect();
    let whole = whole.replace(CACHES_ASK, &caches.join("\n\n"));
    whole.replace(STORES_ASK, &parts.collect::<Vec<_>>().join("\n\n"))
}

struct Place {
    /// Empty if there is none.
    manage: PathBuf,
    folder: PathBuf,
}

impl Place {
    fn of(path: &Path) -> Result<Self, Error> {
        let path = path.canonicalize().map_err(|error| {
            Error::usage(
                format!("--django: cannot find {}: {error}", path.display()),
                "give the folder of a Django project, or its manage.py",
            )
        })?;
        if path.is_dir() {
            let manage = path.join("manage.py");
            let manage = if manage.exists() { manage } else { PathBuf::new() };
            return Ok(Self { manage, folder: path });
        }
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { manage: path, folder })
    }
}

/// Reads the answer of a project that ran the probe's functions itself: its code runs already, so there is no code to
/// distrust before it runs.
fn read_own_answer(pipe: &Path) -> Result<Project, Error> {
    let answer = files::read(pipe).map_err(|error| super::cannot_read(pipe, error))?;
    // The error of the parser could repeat a secret.
    serde_json::from_slice(&answer).map_err(|_| {
        Error::usage(
            "--django-answer: that is no answer of a Django project",
            "the Django app of the Python package writes it; to ask a project give --django",
        )
    })
}

/// Reads the project's answer.
fn read_answer(ran: &Ran, path: &Path, python: &Path) -> Result<Project, Error> {
    let (place, python) = (path.display(), python.display());
    let Some(status) = ran.status else {
        return Err(Error::project(
            format!(
                "the Django project {place} did not set itself up within {} s",
                PATIENCE.as_secs()
            ),
            Vec::new(),
            "something that it waits for does not answer; `manage.py check` should end at once",
        ));
    };
    let mut parts = ran.stdout.rsplitn(2, |byte| *byte == 0);
    let (answer, began) = (parts.next().unwrap_or_default(), parts.next().is_some());
    match serde_json::from_slice(answer) {
        _ if !began => Err(Error::project(
            format!("{python} did not come as far as the Django project: {status}"),
            last_lines(&ran.stderr),
            "--python names the interpreter: Python 3.6 or later",
        )),
        Err(_) => Err(Error::project(
            format!("the Django project {place} ended its Python: {status}"),
            Vec::new(),
            "does `manage.py check` say what is wrong with it?",
        )),
        Ok(Answer::Failed(lines)) => Err(Error::project(
            format!("the Django project {place} does not set itself up"),
            lines,
            "it needs the environment that the site has, and its Python (--python); `manage.py check` should pass",
        )),
        Ok(Answer::NoDjango(version)) => Err(Error::project(
            format!("{python} (Python {version}) has no Django"),
            Vec::new(),
            "name the Python of the project's virtual environment with --python",
        )),
        Ok(Answer::Changeable(changeable)) => Err(trust::refused(path, &changeable)),
        Ok(Answer::NoSettings) => Err(Error::project(
            format!("nothing says which settings module the Django project {place} has"),
            Vec::new(),
            "give the folder that manage.py is in, or name the module with --settings",
        )),
        Ok(Answer::Project(project)) => Ok(*project),
    }
}

fn last_lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(MOST_LINES)).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::BACKENDS;

    #[test]
    fn the_probe_has_a_part_for_each_database_that_django_knows() {
        let (probe, mut parts) = (probe(BACKENDS), 0);
        for django in BACKENDS.iter().filter_map(|backend| backend.django()) {
            let (before, after) = probe.split_once(django.probe()).unwrap();
            let entry = format!("ASK[\"{}\"] = ", django.vendor());
            assert!(django.probe().contains(&entry), "{entry}");
            assert!(before.contains("\nASK = {}\n") && after.contains("\n    main()\n"), "{entry}");
            parts += 1;
        }
        assert!(parts >= 2, "{parts}");
    }
}

//! `--django`: reads the settings of a Django project, so that the operator need not type them.
//!
//! A probe runs in the project's own Python, sets Django up as `manage.py` does, and answers on a pipe. The
//! project's secrets leave it only through this pipe.

mod answer;
mod interpreter;
mod run;
mod trust;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use self::answer::Project;
use self::answer::{Answer, Keeps, KeyType};
use self::run::{Ran, run};
use crate::cli;
use crate::error::Error;
use crate::files;
use crate::settings::ALLOCATOR;
use crate::settings::database::{Backends, Named};
use crate::stop::Stop;
use crate::store::{Surroundings, Table, UserType, Users};

const PROBE: &str = include_str!("probe.py");
/// The functions that mask secrets, and the line of the probe that they replace.
const MASKING: (&str, &str) = ("# Here stands masking.py.\n", include_str!("masking.py"));
/// The line of the probe that the parts of the stores replace.
const STORES_ASK: &str = "# Here stands what each store asks.\n";
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
        let is_allocator = name == ALLOCATOR.0 && value == ALLOCATOR.1;
        is_allocator || name.as_encoded_bytes().starts_with(b"SESSCTL_")
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

/// The program that runs in the project's Python, with the part of each store.
fn probe(backends: Backends) -> String {
    let parts = backends.iter().filter_map(|backend| Some(backend.django()?.probe()));
    PROBE.replace(MASKING.0, MASKING.1).replace(STORES_ASK, &parts.collect::<Vec<_>>().join("\n\n"))
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

impl Project {
    /// Refuses an engine whose sessions are not in a table.
    pub fn demand_table(&self) -> Result<(), Error> {
        let (place, hint) = match self.keeps {
            Keeps::Table => return Ok(()),
            Keeps::Cache => ("in the cache alone", "clear the cache to end them all"),
            Keeps::File => ("in files", "delete the files in SESSION_FILE_PATH to end them all"),
            Keeps::SignedCookies => (
                "in the browsers' cookies",
                "only another SECRET_KEY, or a change of the user's password, ends them",
            ),
            Keeps::Elsewhere => ("somewhere else", "see the documentation of the engine"),
        };
        Err(Error::usage(
            format!(
                "SESSION_ENGINE is \"{}\", which keeps sessions {place} and not in a table",
                self.engine
            ),
            format!("{hint}; without --django a table is looked at whatever the engine is"),
        ))
    }

    /// Describes the engine and its cache, if the engine reads the cache before the table.
    pub fn cached_engine(&self) -> Option<String> {
        let cache = self.cache.as_ref()?;
        Some(format!("\"{}\" with the cache \"{}\"", self.engine, cache.alias))
    }

    /// The alias of another database that it reads sessions from, such as a replica.
    pub fn read_from(&self) -> Option<&str> {
        self.sessions.as_ref()?.read_from.as_deref()
    }

    /// The engine, if it looks for a session in a way of its own, maybe where no row is; and the method that does.
    pub fn own_load(&self) -> Option<(&str, &str)> {
        let method = self.own.iter().find(|method| !matches!(&***method, "encode" | "decode"))?;
        Some((&self.engine, method))
    }

    /// Whether the engine has an `encode()` of its own, so that rows may be in no layout of Django's.
    pub(super) fn has_own_encode(&self) -> bool {
        self.own.iter().any(|method| method == "encode" || method == "decode")
    }

    /// The texts before and after the session key in a cache key.
    pub fn around_cache_keys(&self) -> Result<(String, String), Error> {
        let Some(cache) = &self.cache else {
            return Err(Error::usage(
                format!(
                    "--print-cache-keys: SESSION_ENGINE is \"{}\", which has no cache",
                    self.engine
                ),
                "leave it out: what is deleted from the table is gone",
            ));
        };
        cache.around.clone().ok_or_else(|| {
            let who = if cache.engine_hides {
                format!("the SESSION_ENGINE \"{}\"", self.engine)
            } else {
                format!("the KEY_FUNCTION of cache \"{}\"", cache.alias)
            };
            Error::usage(
                format!("--print-cache-keys: {who} does not tell"),
                "it makes something else of a session's key than a text around it: clear the whole cache instead",
            )
        })
    }

    /// A warning about the project.
    pub fn warning(&self) -> Option<String> {
        let changeable = self.changeable.as_ref()?;
        Some(format!(
            "others can change what the Django project runs, and with it what sessctl is told: {changeable}"
        ))
    }

    /// Describes the project in one line.
    pub fn summary(&self) -> String {
        let Self { django, engine, serializer, cookie_age, .. } = self;
        let keys = self.secrets.len();
        let cache = match &self.cache {
            Some(cache) => format!(", cache \"{}\"", cache.alias),
            None => String::new(),
        };
        format!(
            "Django {django}: {engine}{cache}, {serializer}, sessions of {cookie_age} s, {keys} keys"
        )
    }

    /// `SECRET_KEY` and its fallbacks.
    pub(super) fn secrets(&self) -> Vec<Vec<u8>> {
        let bytes =
            |secret: &String| secret.chars().filter_map(|byte| u8::try_from(byte).ok()).collect();
        self.secrets.iter().map(bytes).collect()
    }

    pub(super) fn key_salt(&self) -> &str {
        &self.key_salt
    }

    /// The table of the session model.
    pub(super) fn table(&self) -> Result<Option<Table>, Error> {
        let Some(sessions) = &self.sessions else { return Ok(None) };
        if sessions.columns != ["session_key", "session_data", "expire_date"] {
            return Err(Error::usage(
                format!(
                    "the session model has columns of other names: {}",
                    sessions.columns.join(", ")
                ),
                "sessctl knows session_key, session_data and expire_date only",
            ));
        }
        Ok(Some(table(&sessions.table)?))
    }

    /// Whether it has other session tables in the same database.
    pub fn has_other_tables(&self) -> bool {
        self.sessions.as_ref().is_some_and(|sessions| !sessions.others.is_empty())
    }

    /// Whether this is one of its other session tables; `schema` is the one that is looked at, if it is known.
    pub fn is_other_table(&self, other: &Table, schema: Option<&str>) -> bool {
        let is = |own: Table| {
            let beside = [None, schema].contains(&other.schema());
            let same = other.schema() == own.schema() || own.schema().is_none() && beside;
            // SQLite's names are the same in either case.
            same && own.name().eq_ignore_ascii_case(other.name())
        };
        let others = self.sessions.iter().flat_map(|sessions| &sessions.others);
        others.filter_map(|name| table(name).ok()).any(is)
    }

    /// The table of the user model.
    pub fn users(&self) -> Result<Users, Error> {
        let Some(users) = &self.users else {
            return Err(Error::usage(
                "the project has no users: django.contrib.auth is not installed",
                "name them by their ids",
            ));
        };
        if !users.beside_sessions {
            return Err(Error::usage(
                format!(
                    "the project's users (\"{}\") are in another database than its sessions",
                    users.table
                ),
                "name them by their ids",
            ));
        }
        let Some(key) = users.key.clone() else {
            return Err(Error::usage(
                format!(
                    "the project's users (\"{}\") have a primary key of several columns, which is not supported",
                    users.table
                ),
                "name them by their ids, as `sessctl list` shows them",
            ));
        };
        Ok(Users {
            table: table(&users.table)?,
            key,
            username: users.username.clone(),
            email: users.email.clone(),
            is_active: users.is_active.clone(),
            is_staff: users.is_staff.clone(),
            is_superuser: users.is_superuser.clone(),
        })
    }

    /// What the primary key of the user model holds, in whatever database its table is. `None` if the field is not
    /// Django's own, and may write ids into sessions in another form.
    pub fn user_key(&self) -> Option<UserType> {
        Some(match self.users.as_ref()?.key_type? {
            KeyType::Text => UserType::Text,
            KeyType::Number => UserType::Bigint,
            KeyType::Uuid => UserType::Uuid,
        })
    }

    /// The key in which django-loginas keeps the impersonator, if the project renamed it.
    pub(super) fn also_key(&self) -> Option<&str> {
        self.also_key.as_deref()
    }

    /// Its `TIME_ZONE`.
    pub(super) fn local_time_zone(&self) -> Option<&str> {
        self.local_time_zone.as_deref()
    }

    /// The time zone of naive times in its database.
    pub(super) fn time_zone(&self) -> Option<&str> {
        self.sessions.as_ref()?.time_zone.as_deref()
    }

    /// How many seconds the clock of naive times is ahead of UTC now, by the time zone data of the project.
    pub(super) fn ahead(&self) -> Option<i64> {
        self.sessions.as_ref().map(|sessions| sessions.ahead)
    }

    /// The database of the session model.
    pub(super) fn database(
        &self,
        backends: Backends,
        surroundings: &Surroundings,
    ) -> Result<Option<Named>, Error> {
        let Some(sessions) = &self.sessions else { return Ok(None) };
        let known = || backends.iter().filter_map(|backend| Some((*backend, backend.django()?)));
        let Some((backend, django)) =
            known().find(|(_, django)| django.vendor() == sessions.vendor)
        else {
            let names: Vec<_> = known().map(|(backend, _)| backend.traits().name).collect();
            return Err(Error::usage(
                format!(
                    "the project's database is of the kind \"{}\", which is not supported",
                    sessions.vendor
                ),
                format!("supported are {}", names.join(" and ")),
            ));
        };
        let variables = sessions.variables.clone();
        let surroundings = Surroundings { variables, ..surroundings.clone() };
        let source = django.read(&sessions.parameters, &surroundings)?;
        Ok(Some(Named { backend, source }))
    }
}

/// A table name, quoted as Django does: as a whole, unless it is quoted already.
fn table(name: &str) -> Result<Table, Error> {
    let quoted = name.len() > 1 && name.starts_with('"') && name.ends_with('"');
    Ok(if quoted { name.parse()? } else { format!("\"{name}\"").parse()? })
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
            assert!(
                before.contains("\nASK = {}\n") && after.contains("\nos.write(pipe"),
                "{entry}"
            );
            parts += 1;
        }
        assert!(parts >= 2, "{parts}");
    }
}

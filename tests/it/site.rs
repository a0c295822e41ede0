//! A Django project with users and sessions, for tests of what sessctl learns from it.

use std::any::Any;
use std::path::PathBuf;
use std::process::Command;

use postgres::{Client, NoTls};

use crate::migrated::{Kind, Migrated};
use crate::python_server::python;
use crate::support::{django_python, postgres_url, postgres_version, sessctl};
use crate::world::{Ran, RunToEnd, around, program};

/// The `SECRET_KEY` of every project.
pub(crate) const SECRET_KEY: &str = "the-key-of-a-discovered-site";

/// The shop of `tests/django`, or a project of its own whose settings are the shop's and something more.
pub(crate) struct Site {
    release: String,
    folder: PathBuf,
    project: PathBuf,
    settings: &'static str,
    environment: Vec<(String, String)>,
    /// Its database goes with it.
    guards: Vec<Box<dyn Any>>,
}

/// This release of Django, or the newest that runs on a server as old as this one.
fn release_for(kind: Kind, release: &str) -> &str {
    if kind != Kind::Postgres {
        return release;
    }
    let server = postgres_version(&mut Client::connect(&postgres_url(), NoTls).unwrap());
    match release {
        "6.1" if server < 15 => release_for(kind, "5.2"),
        "5.2" if server < 14 => release_for(kind, "4.2"),
        "4.2" if server < 12 => "3.2",
        _ => release,
    }
}

impl Site {
    /// Runs a test on every database.
    pub(crate) fn each(
        name: &str,
        release: &str,
        variables: &[(&str, &str)],
        test: impl Fn(&Self),
    ) {
        test(&Self::sqlite(name, release, variables));
        test(&Self::postgres(name, release, variables));
        test(&Self::mysql(name, release, variables));
    }

    pub(crate) fn sqlite(name: &str, release: &str, variables: &[(&str, &str)]) -> Self {
        Self::new(name, Kind::Sqlite, release, variables)
    }

    pub(crate) fn postgres(name: &str, release: &str, variables: &[(&str, &str)]) -> Self {
        Self::new(name, Kind::Postgres, release, variables)
    }

    pub(crate) fn mysql(name: &str, release: &str, variables: &[(&str, &str)]) -> Self {
        Self::new(name, Kind::MySql, release, variables)
    }

    /// Its database is a copy of one that `migrate` made for a site that is set up alike.
    pub(crate) fn new(name: &str, kind: Kind, release: &str, variables: &[(&str, &str)]) -> Self {
        let release = release_for(kind, release);
        let migrated = Migrated::of(kind, release, variables);
        let mut site = Self::without_database(name, kind, release, variables);
        let own = format!("discovered_{name}_{}", release.replace('.', ""));
        site.use_database(migrated.get().unwrap().copy(&own, &site.sqlite_file()));
        site
    }

    pub(crate) fn without_database(
        name: &str,
        kind: Kind,
        release: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let release = release_for(kind, release);
        let own = format!("sessctl-site-{name}-{kind:?}-{release}-{}", std::process::id());
        let folder = std::env::temp_dir().join(own);
        std::fs::create_dir_all(&folder).unwrap();
        let own = [("SITE_SECRET_KEY", SECRET_KEY), ("SITE_DATABASE_URL", "")];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = own.iter().chain(variables).map(owned).collect();
        Self {
            release: release.into(),
            folder,
            project: shop(),
            settings: "shop.settings",
            environment,
            guards: Vec::new(),
        }
    }

    /// Where its database is if that is SQLite.
    pub(crate) fn sqlite_file(&self) -> PathBuf {
        self.folder.join("db.sqlite3")
    }

    /// From now on it uses the database with this URL, which lives as long as it does, or as this value.
    pub(crate) fn use_database(&mut self, (url, database): (String, Box<dyn Any>)) {
        self.environment[1].1 = url;
        self.guards.push(database);
    }

    /// A folder of the site's own.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Gives it a project of its own: a `manage.py` that begins so, and settings that go on so after the shop's.
    pub(crate) fn project(mut self, manage: &str, settings: &str) -> Self {
        self.project = self.folder.clone();
        self.settings = "own_settings";
        let shop = shop();
        let original = std::fs::read_to_string(shop.join("manage.py")).unwrap();
        let own = original.replace("shop.settings", "own_settings");
        let lines = own.replacen("import os\n", &format!("import os\n{manage}\n"), 1);
        self.file("manage.py", &lines);
        self.file(
            "own_settings.py",
            &format!(
                "import os, sys\nsys.path.append({:?})\nfrom shop.settings import *\n{settings}\n",
                shop.display().to_string()
            ),
        );
        self
    }

    /// What a piece of Python in the project prints; `login` is there.
    pub(crate) fn python(&self, code: &str) -> String {
        let settings = ("DJANGO_SETTINGS_MODULE".to_owned(), self.settings.to_owned());
        let environment = self.environment.iter().cloned().chain([settings]).collect();
        let code = format!("{LOGIN}\n{code}");
        let ran = python(&self.release, &code, &self.project, &environment);
        ran.ok().stdout.trim().to_owned()
    }

    /// Logs users in; returns the id and the session key of each.
    pub(crate) fn login(&self, names: &[&str]) -> Vec<(String, String)> {
        let said = self.python(&format!("for name in {names:?}: login(name)"));
        let pair = |line: &str| line.split_once(' ').map(|(id, key)| (id.into(), key.into()));
        said.lines().map(|line| pair(line).unwrap()).collect()
    }

    /// Saves a session that names this user, whoever that is.
    pub(crate) fn login_of(&self, id: &str) {
        self.python(&format!("s = engine.SessionStore(); s['_auth_user_id'] = {id:?}; s.save()"));
    }

    /// The keys that are in the table.
    pub(crate) fn keys(&self) -> Vec<String> {
        let keys = self
            .python("for key in sorted(Session.objects.values_list('pk', flat=True)): print(key)");
        keys.lines().map(str::to_owned).collect()
    }

    /// The program with this project, and nothing else that says where the database is.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&["--django"]);
        command
            .arg(&self.project)
            .arg("--python")
            .arg(django_python(&self.release))
            .args(arguments);
        command.envs(self.environment.iter().cloned());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let ran = self.command(arguments).ran("");
        for secret in self.secrets() {
            assert!(
                !ran.stdout.contains(&secret) && !ran.stderr.contains(&secret),
                "a secret in {ran:#?}"
            );
        }
        ran
    }

    /// A shell without a terminal in the project's folder, which finds programs there first, then `sessctl` and the project's Python.
    pub(crate) fn shell(&self, commands: &str) -> Command {
        let python = django_python(&self.release);
        let (python, sessctl) = (python.parent().unwrap(), sessctl());
        let mut path = std::ffi::OsString::new();
        for folder in [&*self.folder, sessctl.parent().unwrap(), python] {
            path.push(folder);
            path.push(":");
        }
        path.push(std::env::var_os("PATH").unwrap());
        let mut shell = Command::new("setsid");
        shell.args(["--wait", "bash", "-e", "-c", commands]).current_dir(&self.project);
        let mut shell = around(shell, &program(&[]));
        shell.env("PATH", path).env("VIRTUAL_ENV", python.parent().unwrap());
        shell.envs(self.environment.iter().cloned());
        shell
    }

    /// What nobody may see: the key, and the password of the database.
    fn secrets(&self) -> Vec<String> {
        let url = &self.environment[1].1;
        let password = url.rsplit_once('@').and_then(|(login, _)| login.rsplit_once(':'));
        [Some(SECRET_KEY.to_owned()), password.map(|(_, password)| password.to_owned())]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const LOGIN: &str = "
import django; django.setup()
from importlib import import_module
from django.conf import settings
from django.contrib.auth import get_user_model
engine = import_module(settings.SESSION_ENGINE)
Session = engine.SessionStore.get_model_class()
User = get_user_model()

def login(name, **fields):
    user, _ = User.objects.get_or_create(username=name, defaults={'password': '!', **fields})
    session = engine.SessionStore()
    session['_auth_user_id'] = user._meta.pk.value_to_string(user)
    session['_auth_user_backend'] = 'django.contrib.auth.backends.ModelBackend'
    session['_auth_user_hash'] = user.get_session_auth_hash()
    session.save()
    print(user.pk, session.session_key)
";

/// The project of `tests/django`.
pub(crate) fn shop() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/django")
}

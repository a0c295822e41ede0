//! What Python runs before the project, and before anybody in it can look: root runs nothing of others there. These tests
//! are root, as those of `trust`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::django_python;
use crate::trust::{Project, STRANGER};
use crate::world::{RunToEnd, program};

/// A project, and a virtual environment of root's own that has Django and the packages of its base.
struct Environment {
    project: Project,
    folder: PathBuf,
}

impl Environment {
    fn new(name: &str) -> Self {
        let project = Project::new(name);
        let folder = project.folder.join("environment");
        let base = django_python("5.2");
        let make = ["-m", "venv", "--without-pip", "--system-site-packages"];
        assert!(Command::new(&base).args(make).arg(&folder).status().unwrap().success());
        let environment = Self { project, folder };
        environment.line(&packages(base.parent().unwrap().parent().unwrap()).display().to_string());
        environment
    }

    fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// A line of a `.pth` file of it.
    fn line(&self, line: &str) -> PathBuf {
        let lines = packages(&self.folder).join("lines.pth");
        let before = fs::read_to_string(&lines).unwrap_or_default();
        fs::write(&lines, format!("{before}{line}\n")).unwrap();
        lines
    }

    /// Python that notes that it ran.
    fn note(&self) -> String {
        format!("open('{}', 'w')\n", self.mark().display())
    }

    fn mark(&self) -> PathBuf {
        self.project.folder.join("media/stranger")
    }

    fn stranger_ran(&self) -> bool {
        self.mark().exists()
    }

    fn list(&self, python: &Path) -> Command {
        let mut command = program(&["list", "--django"]);
        let environment = self.project.site.command(&[]);
        command.envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.arg(&self.project.folder).arg("--python").arg(python);
        command
    }

    fn is_refused(&self, command: &mut Command, changeable: &Path) {
        self.project.is_refused(command, changeable);
        assert!(!self.stranger_ran(), "{}: it ran", changeable.display());
    }

    /// That it goes well, and nothing of the stranger's runs.
    fn is_run(&self, command: &mut Command) {
        let ran = command.ran("").ok();
        assert!(self.project.ran(), "{ran:#?}");
        assert!(!self.stranger_ran(), "{ran:#?}");
        fs::remove_file(self.project.folder.join("media/ran")).unwrap();
    }

    /// A new folder of the stranger, with a file of this text.
    fn folder_of_stranger(&self, name: &str, file: &str, text: &str) -> PathBuf {
        let folder = self.project.folder.join(name);
        let file = folder.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        chown(&folder, Some(STRANGER), None).unwrap();
        folder
    }

    /// A Python of its own in a new folder, whose standard library is links to the real one, but for a copy of
    /// `encodings` that notes that it ran.
    fn other_python(&self, name: &str) -> PathBuf {
        let real = self.python().canonicalize().unwrap();
        let library =
            packages(real.parent().unwrap().parent().unwrap()).parent().unwrap().to_owned();
        let folder = self.project.folder.join(name);
        let own = folder.join("lib").join(library.file_name().unwrap());
        fs::create_dir_all(own.join("encodings")).unwrap();
        fs::create_dir(folder.join("bin")).unwrap();
        fs::copy(&real, folder.join("bin/python3")).unwrap();
        for entry in fs::read_dir(&library).unwrap().flatten() {
            if entry.file_name() != "encodings" {
                symlink(entry.path(), own.join(entry.file_name())).unwrap();
            }
        }
        for entry in fs::read_dir(library.join("encodings")).unwrap().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "py") {
                fs::copy(entry.path(), own.join("encodings").join(entry.file_name())).unwrap();
            }
        }
        let begin = own.join("encodings/__init__.py");
        let note = format!(
            "import posix; posix.close(posix.open('{}', posix.O_CREAT))\n",
            self.mark().display()
        );
        fs::write(&begin, fs::read_to_string(&begin).unwrap() + &note).unwrap();
        folder
    }

    fn forget(&self) {
        fs::remove_file(self.mark()).unwrap();
        // Where its Python came as far as that.
        let _ = fs::remove_file(self.project.folder.join("media/ran"));
    }
}

/// The `site-packages` below a prefix.
fn packages(prefix: &Path) -> PathBuf {
    let mut versions =
        fs::read_dir(prefix.join("lib")).unwrap().flatten().map(|entry| entry.path());
    versions.find(|version| version.join("site-packages").exists()).unwrap().join("site-packages")
}

#[test]
fn root_uses_no_environment_that_others_can_change() {
    let e = Environment::new("trust_environment");
    let lines = e.line(&format!("import os; {}", e.note()));
    let is_refused = |changeable: &Path| {
        lchown(changeable, Some(STRANGER), None).unwrap();
        e.is_refused(&mut e.list(&e.python()), changeable);
        // Found, and not named.
        let mut command = program(&["list", "--django"]);
        command.arg(&e.project.folder).env("VIRTUAL_ENV", &e.folder);
        e.is_refused(&mut command, changeable);
        lchown(changeable, Some(0), None).unwrap();
    };
    let of_all = |configuration: &Path| {
        for changeable in [
            &e.folder,
            &e.folder.join("bin"),
            &e.python(),
            configuration,
            &packages(&e.folder),
            &lines,
        ] {
            is_refused(changeable);
        }
    };
    let configuration = e.folder.join("pyvenv.cfg");
    of_all(&configuration);
    // Python looks for it there, too.
    let beside = e.folder.join("bin/pyvenv.cfg");
    fs::rename(&configuration, &beside).unwrap();
    of_all(&beside);
    let ran = e.list(&e.python()).ran("").ok();
    assert!(e.project.ran() && e.stranger_ran(), "the environment is none: {ran:#?}");
}

#[test]
fn root_imports_nothing_of_others_that_its_own_environment_leads_to() {
    let e = Environment::new("trust_editable");
    // As an editable install does.
    let source = e.folder_of_stranger("source", "sitecustomize.py", &e.note());
    e.line(&source.display().to_string());
    e.is_refused(&mut e.list(&e.python()), &source);
    fs::remove_file(source.join("sitecustomize.py")).unwrap();
    // What is not imported does not count.
    e.is_run(&mut e.list(&e.python()));
}

#[test]
fn root_looks_for_python_where_others_can_put_none() {
    let e = Environment::new("trust_search_path");
    let text = format!("#!/bin/sh\n: > {}/media/stranger\n", e.project.folder.display());
    let programs = e.folder_of_stranger("programs", "python3.99", &text);
    fs::copy(programs.join("python3.99"), programs.join("helper")).unwrap();
    let search_path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let list = |python: &Path| {
        let mut command = e.list(python);
        command.env("PATH", &search_path);
        command
    };
    e.is_refused(&mut list(Path::new("python3.99")), &programs);
    // A program without a path that a script of root's own starts.
    let script = PathBuf::from(
        e.project
            .site
            .file("script", &format!("#!/bin/sh\nhelper\nexec {} \"$@\"\n", e.python().display())),
    );
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    e.is_run(&mut list(&script));
    list(Path::new("python3.98")).ran("").refuses(2, &["cannot run python3.98"]);
}

#[test]
fn root_uses_no_standard_library_of_others() {
    let e = Environment::new("trust_library");
    let other = e.other_python("other");
    let of_other = || e.list(&other.join("bin/python3"));
    let own = library_of(&other);
    e.list(&other.join("bin/python3")).ran("");
    assert!(e.stranger_ran(), "that library is not used");
    e.forget();
    for changeable in [own.join("encodings/__init__.py"), own.join("encodings"), own.clone()] {
        chown(&changeable, Some(STRANGER), None).unwrap();
        e.is_refused(&mut of_other(), &changeable);
        chown(&changeable, Some(0), None).unwrap();
    }
    // `home` in pyvenv.cfg leads there.
    let copy = e.folder.join("bin/copy");
    fs::copy(e.python().canonicalize().unwrap(), &copy).unwrap();
    let configuration = e.folder.join("pyvenv.cfg");
    fs::write(&configuration, format!("home = {}/bin\n", other.display())).unwrap();
    e.list(&copy).ran("");
    assert!(e.stranger_ran(), "home does not lead there");
    e.forget();
    for changeable in [other.clone(), own.join("encodings/__init__.py")] {
        chown(&changeable, Some(STRANGER), None).unwrap();
        e.is_refused(&mut e.list(&copy), &changeable);
        chown(&changeable, Some(0), None).unwrap();
    }
    // As PYTHONHOME it does not count.
    fs::write(
        &configuration,
        format!("home = {}\n", e.python().canonicalize().unwrap().parent().unwrap().display()),
    )
    .unwrap();
    chown(&other, Some(STRANGER), None).unwrap();
    e.is_run(e.list(&copy).env("PYTHONHOME", &other));
}

fn library_of(prefix: &Path) -> PathBuf {
    fs::read_dir(prefix.join("lib")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn root_imports_nothing_of_others_that_the_environment_names() {
    let e = Environment::new("trust_variables");
    let home = e.project.folder.join("home");
    fs::create_dir(&home).unwrap();
    let list = || {
        let mut command = e.list(&e.python());
        command.env("HOME", &home);
        command
    };
    for (number, file) in [
        "sitecustomize.py",
        "sitecustomize/__init__.py",
        "usercustomize.py",
        "encodings/__init__.py",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("searched{number}");
        let folder = e.folder_of_stranger(&name, file, &e.note());
        if number == 3 {
            // Python's own is there already.
            e.is_run(list().env("PYTHONPATH", &folder));
            continue;
        }
        e.is_refused(list().env("PYTHONPATH", &folder), &folder);
        // Relative to the project, in which it runs.
        e.is_refused(list().env("PYTHONPATH", &name), &folder);
        // What is root's is run.
        chown(&folder, Some(0), None).unwrap();
        list().env("PYTHONPATH", &name).ran("").ok();
        assert!(e.stranger_ran(), "{file}");
        e.forget();
    }
    let version = packages(&e.folder).parent().unwrap().file_name().unwrap().to_owned();
    let version = version.to_str().unwrap();
    for variable in ["HOME", "PYTHONUSERBASE"] {
        let below = if variable == "HOME" { ".local/" } else { "" };
        let file = format!("{below}lib/{version}/site-packages/usercustomize.py");
        let folder = e.folder_of_stranger(
            &variable.to_lowercase().replace("home", "house"),
            &file,
            &e.note(),
        );
        e.is_run(list().env(variable, &folder));
        chown(&folder, Some(0), None).unwrap();
        list().env(variable, &folder).ran("").ok();
        assert!(e.stranger_ran(), "{variable}");
        e.forget();
    }
}

/// What is compiled says itself which file it was made of.
#[test]
fn root_imports_nothing_out_of_an_archive_of_others() {
    const MAKE: &str = "import importlib.util, marshal, sys, zipfile
code = marshal.dumps(compile(sys.argv[2], '<frozen x>', 'exec'))
with zipfile.ZipFile(sys.argv[1], 'w') as archive:
    archive.writestr('sitecustomize.pyc', importlib.util.MAGIC_NUMBER + bytes(12) + code)";
    let e = Environment::new("trust_archive");
    let archive = e.project.folder.join("archive");
    let made = Command::new(e.python()).args(["-c", MAKE]).arg(&archive).arg(e.note()).status();
    assert!(made.unwrap().success());
    chown(&archive, Some(STRANGER), None).unwrap();
    e.is_refused(e.list(&e.python()).env("PYTHONPATH", &archive), &archive);
    chown(&archive, Some(0), None).unwrap();
    e.list(&e.python()).env("PYTHONPATH", &archive).ran("").ok();
    assert!(e.stranger_ran());
}

#[test]
fn root_uses_no_interpreter_that_is_led_elsewhere() {
    let e = Environment::new("trust_redirected");
    let elsewhere = e.folder_of_stranger("elsewhere_too", "encodings/__init__.py", &e.note());
    for name in ["python._pth", "pybuilddir.txt"] {
        let path = e.folder.join("bin").join(name);
        fs::write(&path, format!("{}\n", elsewhere.display())).unwrap();
        e.is_refused(&mut e.list(&e.python()), &elsewhere);
        chown(&path, Some(STRANGER), None).unwrap();
        e.is_refused(&mut e.list(&e.python()), &path);
        fs::remove_file(&path).unwrap();
    }
    e.is_run(&mut e.list(&e.python()));
}

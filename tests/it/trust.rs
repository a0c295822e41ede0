//! Whose code `--django` runs. These tests are root: they give files to other users.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::site::Site;
use crate::support::django_python;
use crate::world::{RunToEnd, around};

/// Users of this machine that are nobody in particular.
const OWNER: u32 = 4711;
pub(crate) const STRANGER: u32 = 4712;

/// A project with a package, a module behind a link, and two folders that are no code; each notes that it ran.
pub(crate) struct Project {
    pub(crate) site: Site,
    pub(crate) folder: PathBuf,
}

impl Project {
    pub(crate) fn new(name: &str) -> Self {
        let uid = fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(uid, 0, "these tests give files to other users: run them as root");
        let site = Site::sqlite(name, "5.2", &[]).project(
            "",
            "import part.code, linked.module; open(os.path.dirname(__file__) + '/media/ran', 'w').close()",
        );
        let folder = PathBuf::from(site.file("requirements.txt", ""));
        let folder = folder.parent().unwrap().to_owned();
        for made in ["part", "elsewhere", "media", "odd"] {
            fs::create_dir(folder.join(made)).unwrap();
        }
        symlink("elsewhere", folder.join("linked")).unwrap();
        for module in ["part/__init__.py", "part/code.py", "elsewhere/module.py"] {
            fs::write(folder.join(module), "").unwrap();
        }
        // What nobody imports does not count, and neither does what has the name of a module of Python's.
        fs::write(folder.join("media/upload.py"), "").unwrap();
        fs::write(folder.join("json.py"), "open('media/ran', 'w')").unwrap();
        for file in ["media", "media/upload.py", "json.py"] {
            chown(folder.join(file), Some(STRANGER), None).unwrap();
        }
        Self { site, folder }
    }

    pub(crate) fn ran(&self) -> bool {
        self.folder.join("media/ran").exists()
    }

    /// That root refuses it, naming that path, before any of it runs that others can change.
    pub(crate) fn is_refused(&self, command: &mut Command, changeable: &Path) {
        let ran = command.ran("").exits(2).says("root does not run the Django project");
        let path = changeable.display().to_string();
        ran.says(&format!("since others can change its code: {path}\nhint: run sessctl as the"));
        assert!(!self.ran(), "{path}: it ran");
    }
}

#[test]
fn root_runs_no_code_that_others_can_change() {
    let project = Project::new("trust_root");
    let list = || project.site.command(&["list"]);
    list().ran("").ok();
    assert!(project.ran());
    fs::remove_file(project.folder.join("media/ran")).unwrap();
    for file in [
        "",
        "manage.py",
        "own_settings.py",
        "part",
        "part/__init__.py",
        "part/code.py",
        "linked",
        "elsewhere",
        "elsewhere/module.py",
    ] {
        let file = if file.is_empty() { project.folder.clone() } else { project.folder.join(file) };
        lchown(&file, Some(STRANGER), None).unwrap();
        project.is_refused(&mut list(), &file);
        lchown(&file, Some(0), None).unwrap();
        if file.is_symlink() {
            continue;
        }
        let mode = fs::metadata(&file).unwrap().permissions();
        for bit in [0o020, 0o002] {
            fs::set_permissions(&file, PermissionsExt::from_mode(mode.mode() | bit)).unwrap();
            project.is_refused(&mut list(), &file);
        }
        fs::set_permissions(&file, mode).unwrap();
    }
    list().ran("").ok();
    fs::remove_file(project.folder.join("media/ran")).unwrap();
    // What Python imports from a folder that the environment names.
    let odd = project.folder.join("odd");
    let note = format!("open({:?} + '/media/ran', 'w')", project.folder);
    fs::write(odd.join("sitecustomize.py"), note).unwrap();
    for changeable in [odd.clone(), odd.join("sitecustomize.py")] {
        chown(&changeable, Some(STRANGER), None).unwrap();
        project.is_refused(list().env("PYTHONPATH", &odd), &changeable);
        chown(&changeable, Some(0), None).unwrap();
    }
}

/// None of them is a library, so each is an error where it is loaded.
#[test]
fn root_loads_no_library_that_others_can_change() {
    let project = Project::new("trust_library_file");
    let library = project.folder.join("part/native.abi3.so");
    fs::write(&library, "no library").unwrap();
    let settings = project.folder.join("own_settings.py");
    let before = fs::read_to_string(&settings).unwrap();
    for load in [
        "import part.native".to_owned(),
        format!("import ctypes; ctypes.CDLL('{}')", library.display()),
        format!("import ctypes; ctypes.CDLL(b'{}')", library.display()),
        "import ctypes; ctypes.CDLL('part/../part/native.abi3.so')".to_owned(),
    ] {
        let load = format!("import ctypes; ctypes.CDLL(None), ctypes.CDLL('libc.so.6'); {load}\n");
        fs::write(&settings, load + &before).unwrap();
        project.site.command(&["list"]).ran("").exits(2).says("does not set itself up");
        chown(&library, Some(STRANGER), None).unwrap();
        project.is_refused(&mut project.site.command(&["list"]), &library);
        chown(&library, Some(0), None).unwrap();
    }
}

/// Whatever it is called.
#[test]
fn root_runs_no_file_by_name_that_others_can_change() {
    let project = Project::new("trust_by_name");
    let (file, mark) = (project.folder.join("part/script"), project.folder.join("media/ran"));
    fs::write(&file, "").unwrap();
    let settings = project.folder.join("own_settings.py");
    let before = fs::read_to_string(&settings).unwrap();
    for run in [
        format!("import runpy; runpy.run_path({file:?})"),
        format!("exec(compile(open({file:?}).read(), {file:?}, 'exec'))"),
    ] {
        fs::write(&settings, format!("{run}\n{before}")).unwrap();
        project.site.command(&["list"]).ran("").ok();
        fs::remove_file(&mark).unwrap();
        chown(&file, Some(STRANGER), None).unwrap();
        project.is_refused(&mut project.site.command(&["list"]), &file);
        chown(&file, Some(0), None).unwrap();
    }
}

/// What is compiled says itself which file it was made of.
#[test]
fn root_runs_nothing_compiled_that_others_can_change() {
    const MAKE: &str = "import importlib.util, marshal, sys, zipfile
code = marshal.dumps(compile('kept = 1', '<frozen x>', 'exec'))
code = importlib.util.MAGIC_NUMBER + bytes(12) + code
open(sys.argv[1], 'wb').write(code)
with zipfile.ZipFile(sys.argv[2], 'w') as archive:
    archive.writestr('__main__.pyc', code), archive.writestr('extra.pyc', code)";
    let project = Project::new("trust_compiled");
    let mark = project.folder.join("media/ran");
    let [file, archive] = ["part/compiled", "part/archive"].map(|name| project.folder.join(name));
    let made =
        Command::new(django_python("5.2")).args(["-c", MAKE]).args([&file, &archive]).status();
    assert!(made.unwrap().success());
    let settings = project.folder.join("own_settings.py");
    let before = fs::read_to_string(&settings).unwrap();
    for (run, it) in [
        (format!("import runpy; runpy.run_path({file:?})"), &file),
        (format!("import runpy; runpy.run_path({archive:?})"), &archive),
        (
            format!(
                "import importlib.machinery as m; m.SourcelessFileLoader('x', {file:?}).load_module()"
            ),
            &file,
        ),
        (format!("import part; part.__path__.append({archive:?}); import part.extra"), &archive),
    ] {
        fs::write(&settings, format!("{run}\n{before}")).unwrap();
        project.site.command(&["list"]).ran("").ok();
        fs::remove_file(&mark).unwrap();
        chown(it, Some(STRANGER), None).unwrap();
        project.is_refused(&mut project.site.command(&["list"]), it);
        chown(it, Some(0), None).unwrap();
    }
}

#[test]
fn others_are_warned_of_code_that_strangers_can_change() {
    let project = Project::new("trust_warned");
    let folder = &project.folder;
    for file in ["", "manage.py", "own_settings.py", "part", "part/code.py", "elsewhere"] {
        chown(folder.join(file), Some(OWNER), None).unwrap();
    }
    fs::set_permissions(folder.join("media"), PermissionsExt::from_mode(0o777)).unwrap();
    let list = |user: u32| {
        let mut other = Command::new("setpriv");
        // Python may be in a folder that only root can enter.
        let enters = ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"];
        other.args(["--reuid", &user.to_string(), "--clear-groups"]).args(enters);
        around(other, &project.site.command(&["list", "--quiet"])).ran("").ok()
    };
    // The owner of the project, and another user whom the site runs as.
    for user in [OWNER, 4713] {
        let ran = list(user);
        assert!(project.ran() && ran.stderr.is_empty(), "{ran:#?}");
        for file in ["part/code.py", "elsewhere/module.py", "manage.py"] {
            let file = folder.join(file);
            let before = fs::metadata(&file).unwrap().uid();
            chown(&file, Some(STRANGER), None).unwrap();
            list(user).says("warning: others can change").says(file.to_str().unwrap());
            chown(&file, Some(before), None).unwrap();
        }
        fs::remove_file(folder.join("media/ran")).unwrap();
    }
}

//! The wheel that `release/build` makes, here around the program under test: installed offline in a fresh environment, and its
//! Django app on real sites by request (`tests/django/python_package.py`). `release/test` does the same for all releases of
//! Django, and for the other packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::django::run;
use crate::pages::repository;
use crate::running::{DEADLINE_OF_RUN, run_to_end};
use crate::support::{django_python, fresh_database, sessctl};
use crate::world::{Ran, RunToEnd, program};

/// A folder that the next run empties, with the wheel in `dist` and its content, as `pip install --target` leaves it, in `site`.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-package");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    // Its debug information would be most of the wheel.
    let binary = folder.join("sessctl");
    said(Command::new("strip").arg("-o").arg(&binary).arg(sessctl()));
    let mut build = Command::new(django_python("5.2"));
    build.arg(repository().join("release/build")).arg("wheel").arg("--binary").arg(&binary);
    said(build.arg("--output").arg(folder.join("dist")).env("SOURCE_DATE_EPOCH", "1700000000"));
    let mut install = Command::new(django_python("5.2"));
    install.args(["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]);
    said(install.arg(folder.join("site")).arg(wheel(&folder)));
    folder
});

fn wheel(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder.join("dist")).unwrap().map(|entry| entry.unwrap().path());
    let mut wheels = files.filter(|path| path.extension().is_some_and(|end| end == "whl"));
    let wheel = wheels.next().unwrap();
    assert_eq!(wheels.next(), None);
    wheel
}

/// What a command prints that must not fail.
fn said(command: &mut Command) -> Ran {
    let ran = run_to_end(command, Vec::new(), 5 * DEADLINE_OF_RUN);
    assert!(ran.code == 0, "{command:?}: {ran:#?}");
    ran
}

fn app_on(release: &str, arguments: &[&str]) {
    let site = FOLDER.join("site");
    run(
        "python_package.py",
        release,
        &[&["--package", site.to_str().unwrap()], arguments].concat(),
    );
}

#[test]
fn django_3_2_app_on_sqlite() {
    app_on("3.2", &[]);
}

#[test]
fn django_6_1_app_with_cached_db_on_postgres() {
    let database = fresh_database("package_61");
    app_on("6.1", &["--server-url", &database.url, "--engine", "cached_db", "--users", "uuid"]);
}

/// Nothing but the wheel: no network, no Rust, no variable of this machine's.
#[test]
fn pip_installs_it_and_the_first_command_of_the_readme_runs() {
    let folder = FOLDER.join("fresh");
    let venv = folder.join("venv");
    said(Command::new(django_python("5.2")).args(["-m", "venv"]).arg(&venv));
    for file in ["demo.sqlite3", "demo.secret_key"] {
        std::fs::copy(repository().join("fixtures").join(file), folder.join(file)).unwrap();
    }
    std::fs::write(folder.join("requirements.txt"), "sessctl\n").unwrap();
    let in_venv = |line: &str| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", line]).current_dir(&folder).env_clear();
        said(shell.env("PATH", format!("{}/bin:/usr/bin:/bin", venv.display())))
    };
    in_venv("pip install --quiet --no-index --find-links ../dist --requirement requirements.txt");
    let version = format!("sessctl {}\n", env!("CARGO_PKG_VERSION"));
    for command in ["sessctl --version", "python -m sessctl --version"] {
        assert_eq!(in_venv(command).stdout, version, "{command}");
    }
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let first = readme.lines().find(|line| line.starts_with("$ sessctl logout-user")).unwrap();
    let (first, _) = first.trim_start_matches("$ ").split_once(" --dry-run").unwrap();
    let settings = "export DATABASE_URL=demo.sqlite3 SESSCTL_ENGINE=db SESSCTL_SECRET_KEY=\"$(cat demo.secret_key)\"";
    let ran = in_venv(&format!("{settings}; {first}"));
    assert!(
        ran.stdout.starts_with("Logged out bob (2): 3 sessions deleted, none is left"),
        "{ran:#?}"
    );
    in_venv("pip uninstall --quiet --yes sessctl; ! command -v sessctl");
}

/// Folders above the package may be anybody's.
#[test]
fn a_program_that_was_not_installed_with_it_is_not_run() {
    let above = FOLDER.join("above");
    let site = above.join("a/b/site");
    std::fs::create_dir_all(&site).unwrap();
    said(Command::new("cp").arg("-r").arg(FOLDER.join("site/sessctl")).arg(&site));
    for folder in ["bin", "a/bin", "a/b/bin"] {
        std::fs::create_dir_all(above.join(folder)).unwrap();
        std::fs::write(above.join(folder).join("sessctl"), "#!/bin/sh\n").unwrap();
    }
    let code =
        "import sessctl\ntry: print(sessctl.program())\nexcept FileNotFoundError: print('none')";
    let ran = said(Command::new(django_python("5.2")).args(["-c", code]).env("PYTHONPATH", &site));
    assert_eq!(ran.stdout, "none\n");
}

/// The user column's apps are what `django-code` prints.
#[test]
fn it_holds_the_app_of_django_code() {
    for kind in ["bigint", "text", "uuid"] {
        let name = format!("sessctl.user_column_{kind}");
        let mut print = Command::new(sessctl());
        let printed = said(print.args(["django-code", "--quiet", "--type", kind, "--app", &name]));
        let mut files = 0;
        for part in printed.stdout.strip_prefix("# ==> ").unwrap().split("\n# ==> ") {
            let (path, text) = part.split_once('\n').unwrap();
            let installed = std::fs::read_to_string(FOLDER.join("site").join(path)).unwrap();
            assert_eq!(installed, text, "{path}");
            files += 1;
        }
        assert_eq!(files, 8);
    }
}

/// Nobody needs the option; what is not an answer may be a secret, so that it is not repeated.
#[test]
fn an_answer_that_is_none_is_refused_unseen() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-answer");
    std::fs::write(&file, "{\"secrets\": [\"s3cret\", 4]").unwrap();
    let answer = format!("--django-answer={}", file.display());
    let ran = program(&[&*answer, "list"]).ran("");
    assert!(ran.code == 2 && ran.stderr.contains("is no answer of a Django project"), "{ran:#?}");
    assert!(!ran.stderr.contains("s3cret"), "{ran:#?}");
    let ran = program(&[&*answer, "--django", ".", "list"]).ran("");
    assert!(ran.code == 2 && ran.stderr.contains("cannot be used with"), "{ran:#?}");
}

/// Names of packages in them would be those of an older release otherwise.
#[test]
fn pages_name_the_packages_of_this_version() {
    let mut named = 0;
    for file in ["README.md", "docs/install.md", "docs/releasing.md", "deploy/cronjob.yaml"] {
        let text = std::fs::read_to_string(repository().join(file)).unwrap();
        for name in ["sessctl-", "sessctl_", "sessctl:", "--tag v"] {
            for rest in text
                .split(name)
                .skip(1)
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            {
                assert!(rest.starts_with(env!("CARGO_PKG_VERSION")), "{file}: {name}{rest:.20}");
                named += 1;
            }
        }
    }
    assert!(named >= 8, "{named}");
}

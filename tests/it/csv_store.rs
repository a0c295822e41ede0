//! A store that can scan and delete, and nothing else, is a store: `examples/csv_store.rs`, which is no part of the program.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::conformance::csv_store::CsvFile;
use crate::world::{Ran, RunToEnd, SECRET_KEY, key, login, signed};

/// A file with two sessions of user 42, one of user 7, and one of user 42 that has expired.
struct CsvWorld {
    file: CsvFile,
    program: PathBuf,
}

impl CsvWorld {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("sessctl-{name}-{}.csv", std::process::id()));
        let world = Self { file: CsvFile(path), program: program() };
        let rows = [(0, "42", "2099"), (1, "42", "2099"), (2, "7", "2099"), (3, "42", "2001")];
        let record = |(number, user, year): (u32, &str, &str)| {
            [key(number), signed(&login(user), SECRET_KEY), format!("{year}-01-01T00:00:00Z")]
        };
        world.file.write(&rows.map(record)).unwrap();
        world
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null()).env_clear().envs([
            ("SESSCTL_DATABASE_URL", format!("csv://{}", self.file.0.display())),
            ("SESSCTL_SECRET_KEY", SECRET_KEY.into()),
        ]);
        command.ran("")
    }

    fn keys(&self) -> Vec<String> {
        self.file.records().unwrap().into_iter().map(|[key, ..]| key).collect()
    }
}

impl Drop for CsvWorld {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file.0);
    }
}

/// The program that knows CSV files, and no other database.
fn program() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--example", "csv_store"]);
    // cargo tells each test which package it is of. A build with that in its environment would compile ring, and all that
    // needs it, again.
    for (name, _) in std::env::vars().filter(|(name, _)| {
        ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| name.starts_with(own))
    }) {
        build.env_remove(name);
    }
    assert!(build.status().unwrap().success());
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("examples/csv_store")
}

#[test]
fn commands_that_scan_and_delete_run_on_it() {
    let w = CsvWorld::new("csv_commands");
    let listed = w.run(&["list", "--user", "42", "--format", "jsonl"]).ok().json_lines();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(w.run(&["list", "--format", "count"]).ok().stdout, "3\n");
    let stats = w.run(&["stats", "--format", "json"]).ok().json();
    assert_eq!((&stats["rows"], &stats["expired"]), (&4.into(), &1.into()), "{stats}");
    let report = w.run(&["logout-user", "42", "--format", "json"]).ok().json();
    assert_eq!(report["deleted"], 2, "{report}");
    assert_eq!(w.keys(), [key(2), key(3)]);
    w.run(&["doctor"]).ok();
    w.run(&["flush-all", "--yes"]).ok();
    assert!(w.keys().is_empty());
}

#[test]
fn what_it_cannot_do_is_one_error_before_anything_is_begun() {
    let w = CsvWorld::new("csv_cannot");
    let all = w.keys();
    for (arguments, what, hint) in [
        (&["backfill"][..], "keep a column that says whose a session is", "three columns"),
        (&["logout-user", "42", "--user-column", "x"], "keep a column", "three columns"),
        (&["logout-user", "42", "--trust-column"], "keep a column", "three columns"),
        (&["purge-expired"], "find rows by when they expire", "let the site"),
        (&["logout-user", "--username", "anna"], "read the table of users", "by their ids"),
        (&["logout-user", "--deleted-users"], "read the table of users", "by their ids"),
        (&["logout-user", "42", "--keep-data"], "write sessions anew", "leave --keep-data out"),
        (&["logout-user", "42", "--cleanup-allauth"], "rows of other tables", "leave --delete"),
        (&["flush-all", "--yes", "--truncate"], "empty the table at once", "leave --truncate out"),
        (&["logout-user", "42", "--schema", "tenant"], "tell schemas apart", "leave --schema"),
        (&["flush-all", "--yes", "--all-schemas"], "tell schemas apart", "leave --schema"),
        (&["flush-all", "--yes", "--max-lag", "5s"], "replicas are behind", "leave --max-lag"),
        (&["doctor", "--grants"], "which rights a role needs", "leave --grants out"),
    ] {
        let ran = w.run(arguments).exits(2).says("error: this store (CSV) cannot ");
        ran.says(what).says(hint);
        assert_eq!(w.keys(), all, "{arguments:?}");
    }
    // A monitor takes 3 for "unknown".
    w.run(&["check"]).exits(3).says("this store (CSV) cannot find rows by when they expire");
}

/// It is registered nowhere else, and the program that has it has no other.
#[test]
fn only_its_own_program_knows_it() {
    let w = CsvWorld::new("csv_other");
    let url = format!("csv://{}", w.file.0.display());
    crate::world::program(&["-d", &url, "list"]).ran("").exits(2).says("\"csv\" are not supported");
    w.run(&["-d", "postgres://u@h/d", "list"]).exits(2).says("supported are csv://");
    w.run(&["-d", "sessions.csv", "list"]).exits(2).says("expected csv://FILE");
}

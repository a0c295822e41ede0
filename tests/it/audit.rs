//! `--audit-file`: who did what where, and nothing that lets anybody in.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::running::{Running, eventually};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, around, key};

/// The last lines of the runs in an audit file, after a look at their first ones.
fn ended(file: &str) -> Vec<Value> {
    let lines = lines(file);
    let runs: Vec<_> = lines.chunks(2).collect();
    let mut seen = std::collections::HashSet::new();
    for run in &runs {
        let [began, ended] = run else { panic!("a run without an end: {run:#?}") };
        assert_eq!((&began["event"], &ended["event"]), (&json!("began"), &json!("ended")));
        assert!(seen.insert(began["run"].as_str().unwrap()), "an old name: {began}");
        for (field, value) in began.as_object().unwrap() {
            assert!(field == "event" || ended[field] == *value, "{field}: {began} {ended}");
        }
        for field in ["exit", "report", "ended", "keys"] {
            assert!(began.get(field).is_none(), "nobody knows that yet: {began}");
        }
    }
    runs.into_iter().map(|run| run[1].clone()).collect()
}

/// The lines of an audit file.
fn lines(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.ends_with('\n'), "{text:?}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// As `printf %s KEY | sha256sum | cut -c 1-16` has it.
fn fingerprint(key: &str) -> String {
    let first = Sha256::digest(key)[..8].try_into().unwrap();
    format!("{:016x}", u64::from_be_bytes(first))
}

#[test]
fn a_logout_says_who_when_what_and_why() {
    World::each("audit", |w| {
        w.user("42", 2).user("7", 1);
        let file = w.file("audit.jsonl", "");
        std::fs::remove_file(&file).unwrap();
        let dry = ["logout-user", "42", "--audit-file", &file, "--dry-run"];
        w.run(&dry).ok().says("leaves no record");
        assert!(!std::path::Path::new(&file).exists(), "a dry run changes nothing");
        let reason = "ticket 4711: \u{1b}[31mlaptop stolen";
        let ran = w
            .command(&["logout-user", "42", "--audit-file", &file, "--reason", reason])
            .env("SESSCTL_SECRET_KEY", SECRET_KEY)
            .env("SUDO_USER", "anna")
            .ran("")
            .ok();
        w.run(&["logout-user", "43", "--audit-file", &file]).ok();
        let text = std::fs::read_to_string(&file).unwrap();
        for key in [key(0), key(1), key(2)] {
            assert!(!text.contains(&key), "a key is in it: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let [first, second] = <[Value; 2]>::try_from(ended(&file)).unwrap();
        for (pointer, wanted) in [
            ("/command", json!("logout-user")),
            ("/sudo_user", json!("anna")),
            ("/uid", json!(std::fs::metadata("/proc/self").unwrap().uid())),
            ("/version", json!(env!("CARGO_PKG_VERSION"))),
            ("/reason", json!(reason)),
            ("/exit", json!(0)),
            ("/error", json!(null)),
            ("/report/users", json!(["42"])),
            ("/report/deleted", json!(2)),
            ("/report/remaining", json!(0)),
            ("/keys", json!([fingerprint(&key(0)), fingerprint(&key(1))])),
            ("/keys_left_out", json!(0)),
        ] {
            assert_eq!(first.pointer(pointer), Some(&wanted), "{pointer}: {first} {ran:?}");
        }
        assert_eq!(first["arguments"][0], "logout-user");
        assert_eq!(first["arguments"][1], "42");
        for field in ["host", "user", "began", "ended", "database"] {
            assert!(first[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {first}");
        }
        assert!(first["began"].as_str() <= first["ended"].as_str(), "{first}");
        assert_eq!(second["report"]["deleted"], 0);
        assert_eq!(second["reason"], Value::Null);
        assert_eq!(second["keys"], json!([]));
    });
}

#[test]
fn every_command_that_changes_a_table_leaves_a_line() {
    World::each("audit_commands", |w| {
        w.user("42", 2).expired(3);
        let file = w.file("audit.jsonl", "");
        let audit = ["--audit-file", &*file];
        w.run(&[&["purge-expired"][..], &audit].concat()).ok();
        w.run(&[&["backfill"][..], &audit].concat()).ok();
        w.run(&[&["backfill", "--watch-nulls"][..], &audit].concat()).ok();
        w.run(&[&["flush-all", "--yes", "--keep-data"][..], &audit].concat()).ok();
        w.user("42", 1);
        w.run(&[&["flush-all", "--yes"][..], &audit].concat()).ok();
        let said: Vec<_> = ended(&file)
            .into_iter()
            .map(|line| {
                let report = &line["report"];
                let done = [&report["deleted"], &report["filled"], &report["rewritten"]];
                let done: u64 = done.into_iter().filter_map(Value::as_u64).sum();
                (line["command"].clone(), done, line["keys"].as_array().unwrap().len())
            })
            .collect();
        let wanted = [
            (json!("purge-expired"), 3, 0),
            (json!("backfill"), 2, 0),
            (json!("flush-all"), 2, 2),
            (json!("flush-all"), 3, 3),
        ];
        assert_eq!(said, wanted);
    });
}

const MOST_BYTES: usize = 1 << 20;

/// A run that cannot make any file larger than that.
fn with_small_files(w: &World, arguments: &[&str]) -> Ran {
    let mut shell = Command::new("sh");
    // SIGXFSZ is ignored, so that the write fails.
    shell.args(["-c", "trap '' 25; ulimit -f 2048; exec \"$@\"", "sh"]);
    around(shell, w.command(arguments).env("SECRET_KEY", SECRET_KEY)).ran("")
}

#[test]
fn a_line_names_ten_thousand_sessions_and_counts_the_others() {
    World::each("audit_many", |w| {
        w.user("42", 10_005);
        let file = w.file("audit.jsonl", "");
        w.run(&["logout-user", "42", "--audit-file", &file]).ok();
        let [line] = <[Value; 1]>::try_from(ended(&file)).unwrap();
        let keys = line["keys"].as_array().unwrap();
        assert_eq!((keys.len(), &line["keys_left_out"]), (10_000, &json!(5)));
        assert!(keys.contains(&json!(fingerprint(&key(0)))), "the first are named");
        assert_eq!(line["report"]["deleted"], 10_005);
    });
}

/// Deletes a session and then waits a second.
const SLOW: [&str; 6] = ["logout-user", "42", "--batch-size", "1", "--settle", "1s"];

#[test]
fn a_run_that_died_is_on_record() {
    World::each("audit_killed", |w| {
        w.user("42", 300);
        let file = w.file("audit.jsonl", "");
        let arguments = [&SLOW[..], &["--sleep", "100ms", "--audit-file", &file]].concat();
        let mut running = Running::start(&mut w.command(&arguments));
        eventually("a delete", || w.count() < 300);
        running.signal("KILL");
        running.end();
        assert!(w.count() > 0);
        let [began] = <[Value; 1]>::try_from(lines(&file)).unwrap();
        assert_eq!((&began["event"], &began["command"]), (&json!("began"), &json!("logout-user")));
        assert!(began["database"].is_string(), "{began}");
    });
}

#[test]
fn the_database_is_named_with_its_whole_path() {
    let w = World::sqlite("audit_path");
    w.user("42", 1);
    let (url, file) = (w.url(), w.file("audit.jsonl", ""));
    let folder = std::path::Path::new(&url).parent().unwrap();
    for database in ["db.sqlite3", "./db.sqlite3", "sqlite:///db.sqlite3"] {
        let arguments = ["logout-user", "42", "--audit-file", &file, "-d", database];
        crate::world::program(&arguments).current_dir(folder).ran("").ok();
    }
    for line in lines(&file) {
        assert_eq!(line["database"].as_str(), Some(&*url), "{line}");
    }
}

#[test]
fn what_failed_is_on_record_too() {
    World::each("audit_failed", |w| {
        w.user("42", 1);
        let file = w.file("audit.jsonl", "");
        let mut wrong_key = w.command(&["logout-user", "42", "--audit-file", &file]);
        wrong_key.env("SESSCTL_SECRET_KEY", "another").ran("").exits(2);
        w.run(&["flush-all", "--audit-file", &file]).exits(4);
        let [wrong_key, refused] = <[Value; 2]>::try_from(ended(&file)).unwrap();
        assert_eq!(wrong_key["exit"], 2);
        assert!(wrong_key["error"].as_str().unwrap().contains("not one of 1"), "{wrong_key}");
        assert_eq!(wrong_key["report"], Value::Null);
        assert_eq!(refused["exit"], 4);
        assert_eq!(w.count(), 1);
    });
}

#[test]
fn nothing_is_done_that_could_not_be_recorded() {
    World::each("audit_unwritable", |w| {
        w.user("42", 1);
        let nowhere = "/nonexistent/audit.jsonl";
        w.run(&["logout-user", "42", "--audit-file", nowhere])
            .exits(1)
            .says(&format!("error: cannot write {nowhere}\ncause: No such file or directory"));
        assert_eq!(w.count(), 1);
        // It has no room left, for the first line or for the second.
        let full = w.file("full.jsonl", "x".repeat(MOST_BYTES));
        let too_large = format!("error: cannot write {full}\ncause: File too large");
        for command in [&["logout-user", "42"][..], &["purge-expired"], &["flush-all", "--yes"]] {
            let ran = with_small_files(w, &[command, &["--audit-file", &full]].concat()).exits(1);
            assert_eq!(ran.stdout, "", "{ran:#?}");
            ran.says(&too_large);
        }
        assert_eq!(w.count(), 1);
        let file = w.file("measured.jsonl", "");
        w.run(&["logout-user", "43", "--audit-file", &file]).ok();
        let first_line = std::fs::read_to_string(&file).unwrap().lines().next().unwrap().len();
        w.file("full.jsonl", "x".repeat(MOST_BYTES - first_line - 100));
        let ran = with_small_files(w, &["logout-user", "42", "--audit-file", &full]).exits(1);
        ran.says("1 session deleted").says(&too_large);
        assert_eq!(w.count(), 0);
    });
    let ran: Ran = crate::world::program(&["logout-user", "42", "--reason", "why"]).ran("");
    ran.exits(2).says("--audit-file");
}

#[test]
fn no_whole_key_is_on_record() {
    let w = World::sqlite("audit_key");
    w.user("42", 1);
    let file = w.file("audit.jsonl", "");
    let arguments = ["logout-user", "42", "--audit-file", &file, "--except"];
    w.run(&[&arguments[..], &[&*key(0)]].concat()).exits(2).says("whole session key");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
    w.command(&[&arguments[..], &["-"]].concat()).ran(key(0)).ok();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("--except") && !text.contains(&key(0)), "{text}");
    assert_eq!(w.count(), 1);
}

#[test]
fn no_password_is_on_record() {
    let w = World::postgres("audit_password");
    w.user("42", 1);
    let url = w.url();
    let file = w.file("audit.jsonl", "");
    let password = url.split_once("postgres:").unwrap().1.split_once('@').unwrap().0;
    let password = password.rsplit(':').next().unwrap().to_owned();
    for option in [vec![format!("-d{url}")], vec!["-d".into(), url.clone()]] {
        let mut command = crate::world::program(&["logout-user", "42", "--audit-file", &file]);
        command.args(option).ran("").ok();
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(password.len() > 8 && !text.contains(&password), "the password is in it");
    assert_eq!(ended(&file).len(), 2);
    assert!(lines(&file)[0]["database"].as_str().unwrap().contains("on 127.0.0.1:"));
}

/// A reason is for people; what looks like a secret in it is left out, wherever it stands.
#[test]
fn a_reason_keeps_no_secret() {
    let w = World::sqlite("audit_reason");
    w.user("42", 1);
    let file = w.file("audit.jsonl", "");
    std::fs::remove_file(&file).unwrap();
    let reason = "ticket=7 for anna@example.com: pw=s3cret postgres://u:s3cret@h/d";
    let shown = "ticket=7 for anna@example.com: pw=... postgres://...@h/d";
    for arguments in [vec!["--reason", reason], vec![&*format!("--reason={reason}")]] {
        let common = ["logout-user", "42", "--audit-file", &file];
        w.run(&[&common[..], &arguments].concat()).ok();
        let lines = std::fs::read_to_string(&file).unwrap();
        assert!(!lines.contains("s3cret"), "{lines}");
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(first["reason"], shown);
        let mut typed = first["arguments"].as_array().unwrap().iter().filter_map(Value::as_str);
        assert!(typed.any(|typed| typed.trim_start_matches("--reason=") == shown), "{first}");
        std::fs::remove_file(&file).unwrap();
    }
}

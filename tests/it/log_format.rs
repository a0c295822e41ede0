use std::time::Duration;

use serde_json::{Value, json};

use crate::running::{Running, eventually};
use crate::world::{Ran, RunToEnd, World, program};

/// Every line of standard error, as an object with a time and a level.
fn lines(ran: &Ran) -> Vec<Value> {
    let lines: Vec<Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
        assert!(line["level"].is_string(), "{line}");
    }
    lines
}

#[test]
fn notes_and_progress_are_objects() {
    World::each("log_json", |w| {
        w.user("42", 3).expired(70);
        let ran = w.run(&["logout-user", "42", "--log-format", "json"]).ok();
        let told: Vec<_> = lines(&ran)
            .iter()
            .filter(|line| line["level"] == "progress")
            .map(|line| (line["phase"].clone(), line["state"].clone(), line["rows"].clone()))
            .collect();
        let phase = |name: &str, rows: u64| {
            ["begins", "ends"].map(|state| {
                (json!(name), json!(state), json!(if state == "begins" { 0 } else { rows }))
            })
        };
        assert_eq!(told, [phase("reading", 3), phase("writing", 3), phase("reading", 0)].concat());
        let ran = w.run(&["logout-user", "42", "--log-format", "json", "--quiet"]).ok();
        assert_eq!(lines(&ran), Vec::<Value>::new());
    });
}

#[test]
fn long_work_tells_how_it_goes_on() {
    let w = World::postgres("log_json_long");
    w.expired(70);
    let slow = ["purge-expired", "--batch-size", "10", "--sleep", "1s", "--log-format", "json"];
    let told = lines(&w.run(&slow).ok());
    assert!(
        told.iter().any(|line| line["state"] == "goes on" && line["rows"].as_u64() > Some(10)),
        "{told:#?}"
    );
}

#[test]
fn a_pause_is_told_as_long_as_it_lasts() {
    World::each("log_json_pause", |w| {
        w.expired(30);
        let pause = w.file("pause", "");
        let arguments = ["purge-expired", "--pause-file", &pause, "--log-format", "json"];
        let running = Running::start(&mut w.command(&arguments));
        std::thread::sleep(Duration::from_millis(6_500));
        std::fs::remove_file(&pause).unwrap();
        let told: Vec<_> = lines(&running.end().ok())
            .into_iter()
            .filter(|line| line["level"] == "progress")
            .map(|line| [line["phase"].clone(), line["state"].clone(), line["reason"].clone()])
            .collect();
        let line = |state, reason| [json!("writing"), json!(state), reason];
        let paused = || line("paused", json!("pause-file"));
        let [began, goes_on, ends] =
            ["begins", "goes on", "ends"].map(|state| line(state, Value::Null));
        assert_eq!(told, [began, paused(), paused(), goes_on, ends]);
    });
}

#[test]
fn a_lost_connection_is_told_as_one() {
    let w = World::postgres("log_json_lost");
    w.expired(70);
    let slow = ["purge-expired", "--batch-size", "10", "--sleep", "1s", "--log-format", "json"];
    let running = Running::start(&mut w.command(&slow));
    eventually("a batch", || w.count() < 70);
    w.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    let told = lines(&running.end().ok());
    let retried: Vec<_> = told.iter().filter(|line| line["state"] == "retrying").collect();
    assert!(!retried.is_empty(), "{told:#?}");
    for line in retried {
        assert_eq!(
            (&line["reason"], &line["attempt"]),
            (&json!("connection"), &json!(1)),
            "{line}"
        );
        assert!(line["message"].is_string(), "{line}");
    }
}

#[test]
fn a_pause_is_two_notes_for_people() {
    World::each("log_pause", |w| {
        w.expired(30);
        let pause = w.file("pause", "");
        let running =
            Running::start(&mut w.command(&["purge-expired", "-v", "--pause-file", &pause]));
        std::thread::sleep(Duration::from_millis(3_500));
        std::fs::remove_file(&pause).unwrap();
        let ran = running.end().ok();
        let told: Vec<_> = ran.stderr.lines().filter(|line| line.contains("pause")).collect();
        let wanted =
            ["paused: the pause file is there", "the pause is over: the pause file is gone"];
        assert_eq!(told, wanted.map(|text| format!("note: {text}")));
    });
}

#[test]
fn errors_are_objects_with_cause_and_hint() {
    let ran =
        program(&["list", "--log-format", "json", "-d", "postgres://u@127.0.0.1:1/x"]).ran("");
    let told = lines(&ran.exits(1));
    let error = told.last().unwrap();
    assert_eq!(error["level"], "error");
    assert!(error["message"].as_str().unwrap().starts_with("cannot connect"), "{error}");
    assert!(
        !error["causes"].as_array().unwrap().is_empty() && error["hint"].is_string(),
        "{error}"
    );
}

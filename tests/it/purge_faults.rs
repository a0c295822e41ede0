//! A purge that is cut off: the server goes away and comes back, or the purge itself is killed. Whatever happens, only
//! expired rows are gone, and it or the next one ends well.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::running::{Running, eventually};
use crate::server::{Server, Stop};
use crate::world::World;

/// Restarts the server twice while this runs, and returns its report.
fn restarted(w: &World, server: &mut Server, command: &[&str]) -> Value {
    let running = Running::start(w.command(command).args(["--sleep", "20ms", "--format", "json"]));
    for (how, away) in [(Stop::Fast, 500), (Stop::Immediate, 1500)] {
        let before = w.count();
        eventually("a delete", || w.count() < before);
        server.stop(how);
        std::thread::sleep(Duration::from_millis(away));
        server.start();
        assert!(w.count() > 50, "it was over before the server was");
    }
    running.end().ok().json()
}

#[test]
fn a_server_that_restarts_is_waited_for() {
    let mut server = Server::new();
    let w = World::on(&server, "restart");
    w.live(50);
    let others = w.session_keys();
    w.user("42", 100);
    let report = restarted(&w, &mut server, &["logout-user", "42", "--batch-size", "1"]);
    assert_eq!((&report["matched"], &report["remaining"]), (&json!(100), &json!(0)));
    assert_eq!(w.session_keys(), others);
    w.expired(2_000);
    let report = restarted(&w, &mut server, &["purge-expired", "--batch-size", "50"]);
    assert_eq!((&report["left"], &report["ended"]), (&json!(0), &json!("done")));
    assert_eq!(w.session_keys(), others);
}

#[test]
fn rows_that_a_crash_brings_back_go_too() {
    let mut server = Server::new();
    let w = World::on(&server, "crash");
    w.expired(110_000).live(50);
    let live = w.live_keys();
    let purge = ["purge-expired", "--batch-size", "500", "--sleep", "5ms", "--format", "json"];
    let running = Running::start(&mut w.command(&purge));
    eventually("half are gone", || w.count() < 60_000);
    server.stop(Stop::Immediate);
    server.start();
    let report = running.end().ok().json();
    assert_eq!((&report["left"], &report["ended"]), (&json!(0), &json!("done")));
    assert_eq!(w.session_keys(), live);
}

#[test]
fn killed_at_any_moment_it_has_deleted_only_expired_rows() {
    let postgres = World::postgres("purge_kill");
    let (wal, journal) = (World::sqlite("purge_kill_wal"), World::sqlite("purge_kill_journal"));
    wal.execute("PRAGMA journal_mode = wal");
    for w in [postgres, wal, journal] {
        w.live(50);
        let live = w.session_keys();
        let purge = ["purge-expired", "--batch-size", if w.is_sqlite() { "1000" } else { "50" }];
        for round in 0..10 {
            w.expired(2_000);
            let before = w.count();
            let mut running = Running::start(&mut w.command(&purge));
            if round % 2 == 0 {
                eventually("a delete", || w.count() < before);
            }
            // Another moment in every run.
            let delay = RandomState::new().hash_one(round) % 100;
            std::thread::sleep(Duration::from_millis(delay));
            running.child().kill().unwrap();
            running.child().wait().unwrap();
            assert_eq!(w.live_keys(), live, "killed after {delay} ms");
            if w.is_sqlite() {
                w.is_sound();
            }
        }
        w.run(&["purge-expired"]).ok();
        assert_eq!(w.session_keys(), live);
    }
}

#[test]
fn killed_amid_a_transaction_it_has_deleted_nothing_of_it() {
    let w = World::sqlite("purge_kill_hot");
    w.expired(20_000).live(50);
    let all = w.session_keys();
    let journal = PathBuf::from(format!("{}-journal", w.url()));
    let mut running = Running::start(&mut w.command(&["purge-expired", "--batch-size", "20000"]));
    while !journal.exists() {
        assert!(!running.is_over());
    }
    running.child().kill().unwrap();
    running.child().wait().unwrap();
    assert!(journal.exists(), "the transaction was over");
    w.is_sound();
    assert_eq!(w.session_keys(), all);
}

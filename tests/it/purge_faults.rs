//! A command, most often a purge, that is cut off: the server goes away and comes back, or the command itself is killed.
//! Whatever happens, only what was to go is gone, and it or the next one ends well.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::backfill::told;
use crate::running::{Running, eventually};
use crate::server::{Server, Stop};
use crate::world::{SECRET_KEY, World, login, signed};

/// Restarts the server twice while this deletes, and returns its report.
fn restarted(w: &World, server: &mut Server, command: &[&str]) -> Value {
    restarted_while(w, server, command, || w.count() - 50)
}

/// The same of what there is to be done in another way.
fn restarted_while(
    w: &World,
    server: &mut Server,
    command: &[&str],
    to_do: impl Fn() -> usize,
) -> Value {
    let running = Running::start(w.command(command).args(["--sleep", "20ms", "--format", "json"]));
    for (how, away) in [(Stop::Fast, 500), (Stop::Immediate, 1500)] {
        let before = to_do();
        eventually("a batch", || to_do() < before);
        server.stop(how);
        std::thread::sleep(Duration::from_millis(away));
        server.start();
        assert!(to_do() > 0, "it was over before the server was");
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
fn a_server_that_restarts_amid_a_flush_or_a_backfill_is_waited_for() {
    let mut server = Server::new();
    let w = World::on(&server, "restart_all");
    let logins = |column: &str, value: &str| {
        let sql = format!("SELECT count(*) FROM django_session WHERE {column} {value}");
        usize::try_from(w.client().query_one(&sql, &[]).unwrap().get::<_, i64>(0)).unwrap()
    };
    w.user("7", 50);
    let others = told(&w, "session_data");
    w.user("42", 150);
    w.execute("ALTER TABLE django_session ADD COLUMN user_id bigint");
    let one = ["--batch-size", "1"];
    let backfill = [&["backfill"][..], &one].concat();
    let report = restarted_while(&w, &mut server, &backfill, || logins("user_id", "IS NULL"));
    assert_eq!((&report["missing"], &report["different"]), (&json!(0), &json!(0)));
    assert_eq!(logins("user_id", "= 42"), 150);
    let flush = [&["flush-all", "--yes", "--except-user", "7"][..], &one].concat();
    let keep = [&flush[..], &["--keep-data"]].concat();
    // Each row is written once, so what was written last is what is not as it was.
    let login = signed(&login("42"), SECRET_KEY);
    let report =
        restarted_while(&w, &mut server, &keep, || logins("session_data", &format!("= '{login}'")));
    assert_eq!(report["remaining"], json!(0));
    w.user("42", 150).live(50);
    let report = restarted_while(&w, &mut server, &flush, || w.count() - 50);
    assert_eq!(report["remaining"], json!(0));
    assert_eq!(told(&w, "session_data"), others);
}

#[test]
fn a_server_that_stops_amid_a_look_ends_it_and_nothing_is_done() {
    let mut server = Server::new();
    let w = World::on(&server, "stop_scan");
    w.user("42", 3);
    w.execute("CREATE VIEW slow AS SELECT * FROM django_session WHERE pg_sleep(0.5) IS NOT NULL");
    for how in [Stop::Fast, Stop::Immediate] {
        let logout = ["logout-user", "42", "--table", "slow", "--superuser-ok"];
        let running = Running::start(&mut w.command(&logout));
        let reads = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'sessctl' AND query LIKE 'COPY%'";
        eventually("it reads", || w.client().query_one(reads, &[]).unwrap().get(0));
        server.stop(how);
        let ran = running.end().exits(1).says("error: cannot read table \"slow\"");
        assert!(ran.stdout.is_empty() && ran.stderr.contains("cause: "), "{ran:#?}");
        server.start();
        assert_eq!(w.count(), 3);
    }
    w.run(&["logout-user", "42"]).ok().says("3 sessions deleted, none is left");
}

/// A server that writes its log later than it says that it has committed.
#[test]
fn rows_that_a_crash_brings_back_go_too() {
    let mut server = Server::new();
    server.set(&[
        "synchronous_commit=off",
        "wal_writer_delay=10s",
        "wal_writer_flush_after=1GB",
        "wal_buffers=8MB",
        "autovacuum=off",
    ]);
    let w = World::on(&server, "crash");
    w.expired(20_000).live(50);
    w.execute("CHECKPOINT");
    let live = w.live_keys();
    let purge = ["purge-expired", "--batch-size", "200", "--sleep", "5ms", "--format", "json"];
    let running = Running::start(&mut w.command(&purge));
    eventually("some are gone", || w.count() < 18_000);
    let before = w.count();
    server.stop(Stop::Immediate);
    // The purge comes back as soon as the server does.
    server.start();
    let report = running.end().ok().json();
    let deleted = report["deleted"].as_u64().unwrap();
    assert!(deleted > 20_000, "the crash brought nothing back: {before} were left, {report}");
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
        let purge = ["purge-expired", "--batch-size", if w.is_sqlite() { "100" } else { "50" }];
        let mut amid = 0;
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
            amid += u32::from((live.len() + 1..before).contains(&w.count()));
            if w.is_sqlite() {
                w.is_sound();
            }
        }
        assert!(amid > 0, "no kill met a purge at work");
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

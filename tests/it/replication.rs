//! `--max-lag` with a real standby, and commands on the standby itself.

use std::time::Duration;

use serde_json::json;

use crate::role::Role;
use crate::running::{Running, eventually};
use crate::server::Server;
use crate::world::World;

const PURGE: [&str; 9] = [
    "purge-expired",
    "--batch-size",
    "50",
    "--sleep",
    "10ms",
    "--max-lag",
    "1s",
    "--format",
    "json",
];

/// A world whose server has a standby that follows it.
fn world() -> (Server, Server, World) {
    let server = Server::new();
    let standby = server.standby();
    let w = World::on(&server, "lag");
    let follows = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')";
    eventually("the standby follows", || w.client().query_one(follows, &[]).unwrap().get(0));
    (server, standby, w)
}

#[test]
fn a_standby_that_lags_is_waited_for() {
    let (_server, standby, w) = world();
    w.expired(10_000).live(20);
    let mut replay = postgres::Client::connect(&standby.url(), postgres::NoTls).unwrap();
    replay.batch_execute("SELECT pg_wal_replay_pause()").unwrap();
    let mut running = Running::start(&mut w.command(&PURGE));
    eventually("it pauses", || {
        let before = w.count();
        std::thread::sleep(Duration::from_secs(1));
        before < 10_020 && w.count() == before
    });
    assert!(!running.is_over() && w.count() > 20, "it was over before it lagged");
    replay.batch_execute("SELECT pg_wal_replay_resume()").unwrap();
    let report = running.end().ok().json();
    assert_eq!((&report["deleted"], &report["left"]), (&json!(10_000), &json!(0)));
    assert!(report["paused"]["lag"].as_f64().unwrap() > 0.5, "{report}");
    assert_eq!(w.session_keys(), w.live_keys());
}

#[test]
fn on_a_standby_what_writes_is_refused_at_once_and_what_reads_works() {
    let (server, standby, w) = world();
    w.user("42", 2).expired(20);
    let folder = |of: &Server| of.url().trim_end_matches("postgres").to_owned();
    let url = w.url().replace(&folder(&server), &folder(&standby));
    let follows = "SELECT pg_current_wal_lsn() = replay_lsn FROM pg_stat_replication";
    eventually("the standby has it all", || w.client().query_one(follows, &[]).unwrap().get(0));
    let on = |arguments: &[&str]| w.run(&[arguments, &["-d", &url]].concat());
    for command in [
        &["logout-user", "42"][..],
        &["logout-user", "42", "--keep-data"],
        &["purge-expired"],
        &["flush-all", "--yes"],
        &["flush-all"],
        &["flush-all", "--truncate", "--yes"],
        &["backfill"],
    ] {
        on(command).refuses(1, &["read replica", "connect to the primary"]);
    }
    assert_eq!(on(&["list", "--format", "count"]).ok().stdout, "2\n");
    for command in [
        &["logout-user", "42", "-n"][..],
        &["purge-expired", "-n"],
        &["flush-all", "-n"],
        &["check", "--max-age", "9999d"],
        &["show", "00000000"],
    ] {
        on(command).ok();
    }
    assert_eq!(w.count(), 22);
}

#[test]
fn a_role_that_may_not_see_the_lag_is_told_so() {
    let (_server, _standby, w) = world();
    w.expired(100);
    let role = Role::new(&w, "lag");
    let name = &role.name;
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {name}"));
    role.run(&PURGE).refuses(1, &["pg_monitor"]);
    assert_eq!(w.count(), 100);
    w.execute(&format!("GRANT pg_monitor TO {name}"));
    role.run(&PURGE).ok();
    assert_eq!(w.count(), 0);
}

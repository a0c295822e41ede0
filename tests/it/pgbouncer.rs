//! Every command through PgBouncer in transaction mode: one server connection after another, no session of one's own, and
//! with two of them in the pool no third at a time.

use std::net::TcpListener;
use std::process::{Child, Stdio};

use postgres::{Client, NoTls};
use serde_json::json;

use crate::role::Role;
use crate::running::{Running, eventually};
use crate::server::Server;
use crate::support::as_server;
use crate::world::{Ran, World, login};

/// A pooler before a server of the test's own. Ends with this value.
pub(crate) struct Pooler {
    pub(crate) server: Server,
    process: Child,
    port: u16,
}

impl Pooler {
    fn new() -> Self {
        Self::in_mode("transaction")
    }

    pub(crate) fn in_mode(mode: &str) -> Self {
        let server = Server::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = server.folder().display();
        server.file(
            "pgbouncer.ini",
            &format!(
                "[databases]\n* = host={folder} port=5432 user=postgres\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
                 pool_mode = {mode}\ndefault_pool_size = 2\nquery_wait_timeout = 20\nlogfile = {folder}/pgbouncer.log\n"
            ),
        );
        let process = as_server("/usr/sbin/pgbouncer")
            .arg("--quiet")
            .arg(server.folder().join("pgbouncer.ini"))
            .stdout(Stdio::null())
            .spawn()
            .expect("pgbouncer");
        let pooler = Self { server, process, port };
        eventually("the pooler answers", || {
            Client::connect(&pooler.url("postgres"), NoTls).is_ok()
        });
        pooler
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a world on its server, through it.
    fn through(&self, w: &World) -> String {
        self.url(w.url().rsplit_once('/').unwrap().1)
    }

    pub(crate) fn run(&self, w: &World, arguments: &[&str]) -> Ran {
        w.run(&[arguments, &["-d", &self.through(w)]].concat())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn every_command_works_through_a_pooler() {
    let pooler = Pooler::new();
    let w = World::on(&pooler.server, "pgbouncer");
    w.user("42", 30).user("7", 5).expired(2_000);
    w.session(r#"{"cart":[1]}"#);
    let run = |arguments: &[&str]| pooler.run(&w, arguments);
    assert_eq!(run(&["list", "--format", "count"]).ok().stdout, "36\n");
    assert_eq!(run(&["list", "--limit", "1", "--format", "count"]).ok().stdout, "1\n");
    assert_eq!(run(&["stats", "--format", "json"]).ok().json()["logged_in"], json!(35));
    let key = w.session(r#"{"cart":[2]}"#);
    run(&["show", &key[..8]]).ok();
    run(&["check"]).exits(2).says("2000 expired");
    run(&["logout-user", "7", "--dry-run"]).ok();
    assert_eq!(run(&["logout-user", "7", "--format", "json"]).ok().json()["deleted"], json!(5));
    let backfill = run(&["backfill", "--format", "json"]).ok().json();
    assert_eq!((&backfill["filled"], &backfill["missing"]), (&json!(30), &json!(0)));
    let again =
        run(&["backfill", "--restart", "--batch-size", "1", "--format", "json"]).ok().json();
    assert_eq!(again["filled"], json!(0));
    run(&["backfill", "--watch-nulls"]).ok();
    run(&["list", "--user", "42", "--trust-column"]).ok();
    let kept = run(&["logout-user", "42", "--keep-data", "--format", "json"]).ok().json();
    assert_eq!(kept["rewritten"], json!(30));
    let small = ["purge-expired", "--batch-size", "100", "--analyze", "--format", "json"];
    assert_eq!(run(&small).ok().json()["deleted"], json!(2_000));
    w.user("42", 3);
    run(&["flush-all", "--yes", "--authenticated-only"]).ok();
    assert_eq!(w.count(), 32);
    run(&["flush-all", "--yes", "--truncate"]).ok();
    assert_eq!(w.count(), 0);
}

#[test]
fn one_purge_at_a_time_through_a_pooler_too() {
    let pooler = Pooler::new();
    let w = World::on(&pooler.server, "pgbouncer_twice");
    w.expired(2_000);
    let slow =
        ["purge-expired", "--batch-size", "10", "--sleep", "50ms", "-d", &pooler.through(&w)];
    let running = Running::start(&mut w.command(&slow));
    eventually("it purges", || w.count() < 2_000);
    // Directly and, once a connection of the pool is free, through it.
    w.run(&["purge-expired"]).exits(1).says("another sessctl purges");
    pooler.run(&w, &["purge-expired", "--skip-if-running"]).ok();
    drop(running);
}

#[test]
fn matches_among_many_rows_go_in_batches_through_a_pooler() {
    let pooler = Pooler::new();
    let w = World::on(&pooler.server, "pgbouncer_many");
    let data = crate::world::signed(&login("42"), crate::world::SECRET_KEY);
    let keys: Vec<String> = (0..5_000).map(|_| w.next_key()).collect();
    w.rows(keys.iter().map(|key| (&**key, &*data, "2099-01-01 00:00:00".into())));
    let role = Role::new(&w, "pooled");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    let report = pooler.run(&w, &["logout-user", "42", "--batch-size", "100", "--format", "json"]);
    assert_eq!(report.ok().json()["deleted"], json!(5_000));
    assert_eq!(w.count(), 0);
}

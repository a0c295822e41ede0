//! Tables that are not plain: partitioned, foreign, or both. What holds on a plain one holds on them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::running::{Running, eventually};
use crate::server::Server;
use crate::world::World;

const COLUMNS: &str = "session_key varchar(40) NOT NULL, session_data text NOT NULL, expire_date timestamptz NOT NULL";

/// Rows of all sorts between each other.
fn fill(w: &World) {
    for _ in 0..5 {
        w.expired(100).live(10).user("42", 1);
    }
}

/// Each command that deletes, one after the other, on what `fill` added. Of a table that may hide sessions they say so,
/// unless it was named.
fn every_command_works(w: &World) {
    let live = w.live_keys();
    let purge = ["purge-expired", "--batch-size", "70", "--format", "json"];
    let report = w.run(&purge).ok().json();
    assert_eq!((&report["deleted"], &report["locked"]), (&json!(500), &json!(0)));
    assert_eq!((&report["left"], &report["ended"]), (&json!(0), &json!("done")));
    assert_eq!(w.session_keys(), live);
    let named = ["--table", "django_session"];
    let logout = ["logout-user", "42", "--format", "json"];
    let report = w.run(&[&logout[..], &named].concat()).ok().json();
    assert_eq!((&report["deleted"], &report["remaining"]), (&json!(5), &json!(0)));
    assert_eq!(w.count(), 50);
    w.run_without_key(&[&["flush-all", "--yes"][..], &named].concat()).ok();
    assert_eq!(w.count(), 0);
}

/// As in every table of several parts, a live row has the `ctid` of an expired one: it must not go in its place.
fn ctids_repeat(w: &World) {
    let repeat = "SELECT EXISTS (SELECT FROM django_session live JOIN django_session old ON live.ctid = old.ctid
                  WHERE live.expire_date > now() AND old.expire_date < now())";
    assert!(w.client().query_one(repeat, &[]).unwrap().get::<_, bool>(0));
}

/// A world whose table has four partitions by hash of the key.
pub(crate) fn partitioned(name: &str) -> World {
    let w = World::postgres(name);
    w.execute(&format!(
        "DROP TABLE django_session;
         CREATE TABLE django_session ({COLUMNS}, PRIMARY KEY (session_key)) PARTITION BY HASH (session_key);
         CREATE INDEX ON django_session (expire_date)"
    ));
    for remainder in 0..4 {
        w.execute(&format!(
            "CREATE TABLE part_{remainder} PARTITION OF django_session
             FOR VALUES WITH (MODULUS 4, REMAINDER {remainder})"
        ));
    }
    w
}

#[test]
fn a_table_partitioned_by_key() {
    let w = partitioned("hash");
    fill(&w);
    ctids_repeat(&w);
    every_command_works(&w);
}

#[test]
fn a_table_partitioned_by_time() {
    let w = World::postgres("range");
    w.execute(&format!(
        "DROP TABLE django_session;
         CREATE TABLE django_session ({COLUMNS}, PRIMARY KEY (session_key, expire_date)) PARTITION BY RANGE (expire_date);
         CREATE TABLE old PARTITION OF django_session FOR VALUES FROM (MINVALUE) TO ('2020-01-10');
         CREATE TABLE rest PARTITION OF django_session DEFAULT"
    ));
    fill(&w);
    ctids_repeat(&w);
    every_command_works(&w);
}

#[test]
fn a_table_that_another_inherits() {
    let w = World::postgres("inherits");
    fill(&w);
    w.execute(
        "CREATE TABLE moved (PRIMARY KEY (session_key)) INHERITS (django_session);
         INSERT INTO moved SELECT * FROM ONLY django_session WHERE hashtext(session_key) % 2 = 0;
         DELETE FROM ONLY django_session WHERE hashtext(session_key) % 2 = 0",
    );
    ctids_repeat(&w);
    every_command_works(&w);
}

/// Lets a database reach the one of another world, which is on a server of its own.
pub(crate) fn reach(w: &World, server: &Server, remote: &World) {
    let folder = server.folder().display();
    let url = remote.url();
    let (_, database) = url.rsplit_once('/').unwrap();
    w.execute(&format!(
        "DROP TABLE django_session; CREATE EXTENSION postgres_fdw;
         CREATE SERVER remote FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{folder}', dbname '{database}');
         CREATE USER MAPPING FOR CURRENT_USER SERVER remote OPTIONS (user 'postgres')"
    ));
}

#[test]
fn a_foreign_table() {
    let server = Server::new();
    let (w, remote) = (World::postgres("foreign"), World::on(&server, "remote"));
    reach(&w, &server, &remote);
    w.execute(
        "IMPORT FOREIGN SCHEMA public LIMIT TO (django_session) FROM SERVER remote INTO public",
    );
    fill(&w);
    for command in [&["logout-user", "42"][..], &["flush-all", "--yes"]] {
        let dry = [command, &["--dry-run", "--format", "json"]].concat();
        let report = w.run(&dry).exits(3).json();
        let doubt = json!({"doubt": "hidden_sessions", "table": "django_session", "view": false});
        assert_eq!(report["doubts"], json!([doubt]), "{report}");
    }
    every_command_works(&w);
    assert_eq!(remote.count(), 0);
}

/// `lock_timeout` does not reach it, and whoever else wants rows of the batch waits behind it.
#[test]
fn a_row_that_is_locked_on_the_other_server_is_given_up_and_asked_for_again() {
    let server = Server::new();
    let (w, remote) = (World::postgres("foreign_lock"), World::on(&server, "remote"));
    reach(&w, &server, &remote);
    w.execute(
        "IMPORT FOREIGN SCHEMA public LIMIT TO (django_session) FROM SERVER remote INTO public",
    );
    w.user("42", 3);
    let mut holder = remote.client();
    holder.batch_execute("BEGIN; SELECT FROM django_session FOR UPDATE").unwrap();
    let logout = ["logout-user", "42", "--table", "django_session", "--format", "json"];
    let mut running = Running::start(&mut w.command(&logout));
    let mut watcher = remote.client();
    let mut waiting = || {
        let sql = "SELECT query_start::text FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        watcher.query_opt(sql, &[]).unwrap().map(|row| row.get::<_, String>(0))
    };
    eventually("it waits", || waiting().is_some());
    let (first, began) = (waiting(), Instant::now());
    eventually("it gives up", || waiting() != first);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "rows were locked for {:?}",
        began.elapsed()
    );
    eventually("it waits again", || waiting().is_some());
    assert!(!running.is_over());
    holder.batch_execute("ROLLBACK").unwrap();
    let report = running.end().ok().json();
    assert_eq!((&report["deleted"], &report["remaining"]), (&json!(3), &json!(0)));
}

#[test]
fn a_table_with_a_foreign_partition() {
    let server = Server::new();
    let (w, remote) = (World::postgres("foreign_partition"), World::on(&server, "remote"));
    reach(&w, &server, &remote);
    w.execute(&format!(
        "CREATE TABLE django_session ({COLUMNS}) PARTITION BY HASH (session_key);
         CREATE TABLE near PARTITION OF django_session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE FOREIGN TABLE far PARTITION OF django_session FOR VALUES WITH (MODULUS 2, REMAINDER 1)
             SERVER remote OPTIONS (table_name 'django_session')"
    ));
    fill(&w);
    every_command_works(&w);
}

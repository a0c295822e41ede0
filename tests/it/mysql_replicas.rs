//! `--max-lag` on MariaDB, with a real replica. The primary does not know how far that is behind, so `--replica` names it.

use std::time::Duration;

use serde_json::json;

use crate::mysql_server::{MySqlClient, MySqlServer};
use crate::role::SENTINEL;
use crate::running::{Running, eventually};
use crate::world::{RunToEnd, SECRET_KEY, World, program};

const LAG: [&str; 4] = ["--max-lag", "1s", "--format", "json"];

/// A world whose server has a replica that follows it.
fn world() -> (MySqlServer, MySqlServer, World) {
    let server = MySqlServer::new(&["--log-bin=binlog", "--server-id=1", "--binlog-format=ROW"]);
    let replica = MySqlServer::new(&["--skip-log-bin", "--server-id=2", "--read-only"]);
    MySqlClient::connect(&replica.url()).execute(&format!(
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'root'; START SLAVE",
        server.port()
    ));
    let w = World::on_mysql(&server.url(), "lag");
    follows(&w, &replica);
    (server, replica, w)
}

/// `None` where the table is not there yet.
fn rows(w: &World, replica: &MySqlServer) -> Option<String> {
    let name = w.url().rsplit_once('/').unwrap().1.to_owned();
    let sql = format!("SELECT CAST(COUNT(*) AS CHAR) FROM \"{name}\".django_session");
    let rows = MySqlClient::connect(&replica.url()).try_query(&sql).ok()?;
    rows[0][0].clone()
}

fn follows(w: &World, replica: &MySqlServer) {
    let all = w.count().to_string();
    eventually("the replica follows", || rows(w, replica).as_ref() == Some(&all));
}

/// The place of a replica, with the account of the database.
fn place(replica: &MySqlServer) -> String {
    format!("mysql://127.0.0.1:{}", replica.port())
}

#[test]
fn a_replica_that_stopped_or_lags_is_waited_for() {
    let (_server, replica, w) = world();
    let place = place(&replica);
    let mut other = MySqlClient::connect(&replica.url());
    for (command, left) in [(&["purge-expired"][..], 20), (&["flush-all", "--yes"], 0)] {
        w.renew();
        w.expired(1_000).user("42", 20);
        follows(&w, &replica);
        other.execute("STOP SLAVE SQL_THREAD");
        let arguments = [command, &LAG, &["--replica", &place]].concat();
        let mut command = w.command(&arguments);
        let mut running = Running::start(command.env("SESSCTL_SECRET_KEY", SECRET_KEY));
        std::thread::sleep(Duration::from_secs(3));
        assert!(!running.is_over() && w.count() == 1_020, "it does not wait: {command:?}");
        other.execute("START SLAVE SQL_THREAD");
        let ran = running.end().ok().says("does not replicate");
        let report = ran.json();
        assert!(report["paused"]["lag"].as_f64().unwrap() > 1.0, "{report}");
        assert_eq!(w.count(), left);
        follows(&w, &replica);
    }
    // It fetches what was deleted, and cannot delete it.
    w.renew();
    w.expired(200);
    follows(&w, &replica);
    other.execute("FLUSH TABLES WITH READ LOCK");
    let slowly = ["purge-expired", "--batch-size", "10", "--sleep", "250ms"];
    let arguments = [&slowly[..], &LAG, &["--replica", &place]].concat();
    let running = Running::start(&mut w.command(&arguments));
    eventually("it pauses", || {
        let before = w.count();
        std::thread::sleep(Duration::from_secs(2));
        before < 200 && w.count() == before
    });
    assert!(w.count() > 0, "it was over before the replica was behind");
    other.execute("UNLOCK TABLES");
    let report = running.end().ok().json();
    assert_eq!((&report["deleted"], &report["left"]), (&json!(200), &json!(0)));
    assert!(report["paused"]["lag"].as_f64().unwrap() > 1.0, "{report}");
    // One that goes away is no replica that is up to date.
    w.expired(100);
    drop(replica);
    w.run(&[&arguments[..], &["--run-time", "3s"]].concat()).exits(3);
    assert_eq!(w.count(), 100);
}

#[test]
fn what_names_no_replica_is_refused_before_anything_is_done() {
    let (server, replica, w) = world();
    w.expired(10);
    let purge = |more: &[&str]| w.run(&[&["purge-expired"][..], &LAG, more].concat());
    purge(&[]).refuses(2, &["does not know how far its replicas are behind", "--replica"]);
    w.run(&["purge-expired", "--replica", "mysql://h"]).exits(2).says("--max-lag");
    for (url, says) in [
        ("postgres://127.0.0.1", "a URL of the same kind of database"),
        ("127.0.0.1", "a URL of the same kind of database"),
        ("mysql:///db", "neither a host nor a socket"),
        ("mysql://127.0.0.1?ssl-mode=VERIFY_CA", "demands ssl-ca"),
    ] {
        purge(&["--replica", url]).refuses(2, &[says]);
    }
    let secret = format!("mysql://root:{SENTINEL}@127.0.0.1:{}", replica.port());
    purge(&["--replica", &secret]).refuses(2, &["every user of this machine can see"]);
    let itself = format!("mysql://127.0.0.1:{}", server.port());
    purge(&["--replica", &itself]).refuses(1, &["it is no replica"]);
    // Accounts are replicated, too. This one is that of the database, and so that of the replica.
    w.execute(&format!(
        "CREATE USER looker@'%' IDENTIFIED BY '{SENTINEL}'; GRANT SELECT, DELETE ON django_session TO looker@'%'"
    ));
    let url = w.url();
    let url = format!("mysql://looker:{SENTINEL}@{}", url.rsplit_once('@').unwrap().1);
    for by_name in [false, true] {
        let user = if by_name { "looker@" } else { "" };
        let replica = format!("mysql://{user}127.0.0.1:{}", replica.port());
        let by_looker = || {
            let arguments = [&["purge-expired"][..], &LAG, &["--replica", &replica]].concat();
            let mut command = program(&[&arguments[..], &["--db-timezone", "UTC"]].concat());
            command.env("MYSQL_PWD", if by_name { SENTINEL } else { "another" });
            command.env("SESSCTL_DATABASE_URL", &url).ran("")
        };
        if by_name {
            w.expired(10);
            by_looker().ok();
            continue;
        }
        eventually("the account is there", || by_looker().stderr.contains("SLAVE MONITOR"));
        by_looker().refuses(1, &["cannot see how far the replica at 127.0.0.1"]);
        assert_eq!(w.count(), 10);
        w.execute("GRANT SLAVE MONITOR ON *.* TO looker@'%'");
        eventually("the right is there", || by_looker().code == 0);
    }
    assert_eq!(w.count(), 0);
    let other = World::postgres("lag_named");
    other
        .run(&["purge-expired", "--max-lag", "1s", "--replica", "postgres://127.0.0.1"])
        .refuses(2, &["PostgreSQL tells of its replicas itself"]);
}

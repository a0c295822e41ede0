//! A MariaDB server that goes away, cuts connections, refuses writes, and locks that others hold. Whatever happens, only what
//! was to go is gone, and what was not read to its end is never taken for the whole table.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::mysql_server::MySqlServer;
use crate::running::{Running, eventually};
use crate::world::{SECRET_KEY, World};

#[test]
fn a_server_that_is_killed_and_comes_back_is_waited_for() {
    let mut server = MySqlServer::new(&["--skip-log-bin"]);
    let w = World::on_mysql(&server.url(), "killed");
    w.live(50);
    let others = w.session_keys();
    w.user("42", 100).expired(500);
    for (command, batch) in [("logout-user 42", "1"), ("purge-expired", "10")] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let slowly = ["--batch-size", batch, "--sleep", "20ms", "--format", "json"];
        let all = w.count();
        let running = Running::start(w.command(&arguments).args(slowly));
        eventually("a batch", || w.count() < all);
        server.kill();
        std::thread::sleep(Duration::from_millis(500));
        server.start();
        let left = w.count();
        let report = running.end().ok().json();
        assert!(left > w.count(), "{command} was over before the server was: {report}");
    }
    assert_eq!(w.session_keys(), others);
}

/// `binlog_format=STATEMENT` refuses every write at READ COMMITTED (1665).
#[test]
fn where_the_binary_log_holds_statements_it_writes_at_repeatable_read_and_says_so_once() {
    let server = MySqlServer::new(&["--log-bin=binlog", "--binlog-format=STATEMENT"]);
    let w = World::on_mysql(&server.url(), "statement");
    w.user("42", 3).user("7", 1).expired(20);
    for command in
        [&["logout-user", "42"][..], &["purge-expired"], &["logout-user", "7", "--keep-data"]]
    {
        let ran = w.run(command).ok();
        assert_eq!(ran.stderr.matches("REPEATABLE READ").count(), 1, "{ran:#?}");
    }
    assert_eq!(w.count(), 1);
    w.run(&["doctor"]).says("binary log with format STATEMENT");
    let ran = w.run(&["list"]).ok();
    assert!(!ran.stderr.contains("REPEATABLE READ"), "it does not write: {ran:#?}");
    w.execute("SET GLOBAL binlog_format = 'ROW'");
    let ran = w.user("42", 1).run(&["logout-user", "42"]).ok();
    assert!(!ran.stderr.contains("REPEATABLE READ"), "{ran:#?}");
}

#[test]
fn a_server_that_takes_no_writes_is_not_written_to() {
    let server = MySqlServer::new(&["--skip-log-bin", "--read-only"]);
    // The account has the right to write all the same.
    let w = World::on_mysql(&server.url(), "read_only");
    w.user("42", 3);
    w.run(&["list"]).ok();
    w.run(&["logout-user", "42"])
        .refuses(1, &["takes no writes (read_only)", "connect to the primary"]);
    w.run(&["doctor"]).says("the server takes none (read_only)");
    assert_eq!(w.count(), 3);
}

#[test]
fn a_scan_that_is_cut_never_passes_for_the_whole_table() {
    let w = World::mysql("cut");
    w.execute(
        "INSERT INTO django_session WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
         SELECT 'live-' || i, REPEAT('x', 1000), '2099-01-01' FROM n",
    );
    let mut command = w.command(&["list", "--format", "jsonl"]);
    command.env("SECRET_KEY", SECRET_KEY).stdout(Stdio::piped()).stderr(Stdio::piped());
    // It writes more than anybody reads, so the server waits for it, amid the answer.
    let mut child = command.spawn().unwrap();
    let mut client = w.mysql_client();
    let scans = "SELECT id FROM information_schema.processlist
                 WHERE db = DATABASE() AND info LIKE 'SELECT s.session_key%' AND state = 'Writing to net'";
    eventually("the scan", || !client.column(scans).is_empty());
    std::thread::sleep(Duration::from_millis(300));
    let id = client.column(scans).remove(0);
    client.execute(&format!("KILL {id}"));
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(1), "{err}");
    assert!(out.lines().count() < 40_000 && err.contains("cannot read table"), "{err}");
}

#[test]
fn a_lock_that_another_holds_is_waited_for() {
    let w = World::mysql("locked_row");
    w.user("42", 3);
    let keys = w.session_keys();
    let mut holder = w.mysql_client();
    holder.execute(&format!(
        "BEGIN; SELECT * FROM django_session WHERE session_key = '{}' FOR UPDATE",
        keys[1]
    ));
    let mut running = Running::start(&mut w.command(&["logout-user", "42", "--format", "json"]));
    let mut watcher = w.mysql_client();
    let mut waits = || {
        let sql = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'DELETE s FROM%'";
        !watcher.column(sql).is_empty()
    };
    eventually("it waits", &mut waits);
    // Longer than one attempt, which ends in 1205.
    std::thread::sleep(Duration::from_secs(4));
    eventually("it waits again", &mut waits);
    assert!(!running.is_over(), "it did not wait");
    holder.execute("ROLLBACK");
    let report = running.end().ok().json();
    assert_eq!((&report["deleted"], &report["remaining"]), (&json!(3), &json!(0)));
    // It holds no lock itself while it waits for one; and gives up in the end.
    w.user("42", 1);
    holder.execute("BEGIN; SELECT * FROM django_session FOR UPDATE");
    w.run(&["logout-user", "42"]).exits(1).says("another session holds a lock");
    holder.execute("ROLLBACK");
    assert_eq!(w.count(), 1);
}

#[test]
fn a_deadlock_is_tried_again() {
    let w = World::mysql("deadlock");
    w.user("42", 2).live(200);
    let keys = w.session_keys();
    let (first, second) = (&keys[0], &keys[1]);
    let mut holder = w.mysql_client();
    // It has written more rows, so the server ends the other transaction.
    holder.execute(&format!(
        "BEGIN; UPDATE django_session SET session_data = 'y' WHERE session_key LIKE 'live%';
         SELECT * FROM django_session WHERE session_key = '{second}' FOR UPDATE"
    ));
    let deadlocks = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_deadlocks'";
    let before = holder.column(deadlocks);
    let running = Running::start(&mut w.command(&["logout-user", "42", "--format", "json"]));
    let waits = "SELECT id FROM information_schema.processlist
         JOIN information_schema.innodb_trx ON trx_mysql_thread_id = id AND trx_state = 'LOCK WAIT'
         WHERE db = DATABASE() AND info LIKE 'DELETE s FROM%'";
    let mut watcher = w.mysql_client();
    eventually("it waits", || {
        // The server renews what this table says once nobody has read it for 100 ms.
        std::thread::sleep(Duration::from_millis(150));
        !watcher.column(waits).is_empty()
    });
    holder.execute(&format!(
        "UPDATE django_session SET expire_date = expire_date WHERE session_key = '{first}'; COMMIT"
    ));
    let report = running.end().ok().json();
    assert_eq!((&report["deleted"], &report["remaining"]), (&json!(2), &json!(0)));
    assert_ne!(watcher.column(deadlocks), before, "there was no deadlock");
}

#[test]
fn a_purge_beside_another_program_that_holds_the_lock_names_it() {
    let w = World::mysql("lock_held");
    w.expired(5);
    let url = w.url();
    let name = url.rsplit_once('/').unwrap().1;
    let mut holder = w.mysql_client();
    holder.execute(
        "DROP USER IF EXISTS sessctl_other@'%'; CREATE USER sessctl_other@'%' IDENTIFIED BY 'x'",
    );
    holder.execute(&format!("GRANT SELECT ON \"{name}\".* TO sessctl_other@'%'"));
    let other = format!("mysql://sessctl_other:x@{}", url.rsplit_once('@').unwrap().1);
    let mut other = crate::mysql_server::MySqlClient::connect(&other);
    other.column(
        "SELECT GET_LOCK(CONCAT('sessctl-purge-', LEFT(SHA2(LOWER(DATABASE()), 256), 40)), 0)",
    );
    w.run(&["purge-expired"]).exits(1).says("(user sessctl_other)");
    w.run(&["purge-expired", "--skip-if-running"]).exits(3);
    assert_eq!(w.count(), 5);
    drop(other);
    w.run(&["purge-expired"]).ok();
    holder.execute("DROP USER sessctl_other@'%'");
}

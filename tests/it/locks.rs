//! Somebody else holds a lock: it is waited for, though not for ever.

use std::time::{Duration, Instant};

use crate::running::{Running, eventually};
use crate::signals::has_opened;
use crate::world::World;

#[test]
fn a_locked_file_is_waited_for() {
    let w = World::sqlite("err_locked");
    w.user("42", 2);
    let holder = rusqlite::Connection::open(w.url()).unwrap();
    for arguments in [&["list", "--format", "count"][..], &["logout-user", "42"]] {
        holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let mut running = Running::start(&mut w.command(arguments));
        has_opened(&w, &mut running);
        // Longer than any one attempt to get the lock.
        std::thread::sleep(Duration::from_secs(3));
        assert!(!running.is_over(), "it did not wait");
        holder.execute_batch("ROLLBACK").unwrap();
        running.end().ok();
    }
    assert_eq!(w.count(), 0);
}

#[test]
fn a_locked_table_is_waited_for() {
    let w = World::postgres("err_pg_locked");
    w.user("42", 2);
    let connect = || postgres::Client::connect(&w.url(), postgres::NoTls).unwrap();
    let (mut holder, mut watcher) = (connect(), connect());
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'django_session'::regclass)";
    for arguments in [&["list", "--format", "count"][..], &["logout-user", "42"]] {
        holder.batch_execute("BEGIN; LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE").unwrap();
        let running = Running::start(&mut w.command(arguments));
        eventually("it waits", || watcher.query_one(waits, &[]).unwrap().get(0));
        holder.batch_execute("ROLLBACK").unwrap();
        running.end().ok();
    }
    assert_eq!(w.count(), 0);
}

/// Whoever comes meanwhile queues behind it.
#[test]
fn a_batch_that_reads_first_asks_again_rather_than_wait_for_long() {
    let w = World::postgres("err_batch_locked");
    w.user("42", 3);
    let logout = ["logout-user", "42", "--keep-data", "--batch-size", "1", "--sleep", "2s"];
    let mut running = Running::start(&mut w.command(&logout));
    let (mut holder, mut watcher) = (w.client(), w.client());
    let logins = "SELECT count(*) FROM django_session WHERE session_data = \
                  (SELECT session_data FROM django_session ORDER BY session_key DESC LIMIT 1)";
    eventually("a batch", || watcher.query_one(logins, &[]).unwrap().get::<_, i64>(0) < 3);
    holder.batch_execute("BEGIN; LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE").unwrap();
    let mut waiting = || {
        let sql = "SELECT query_start::text, query FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = watcher.query_opt(sql, &[]).unwrap();
        waiting.map(|row| (row.get::<_, String>(0), row.get::<_, String>(1)))
    };
    eventually("it waits", || waiting().is_some());
    let (first, began) = (waiting(), Instant::now());
    assert!(first.as_ref().is_some_and(|(_, sql)| sql.starts_with("SELECT")), "{first:?}");
    eventually("it lets go", || waiting() != first);
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for {:?}", began.elapsed());
    eventually("it waits again", || waiting().is_some());
    assert!(!running.is_over());
    holder.batch_execute("ROLLBACK").unwrap();
    running.end().ok();
}

#[test]
fn a_table_that_stays_locked() {
    let (file, server) = (World::sqlite("err_stays_locked"), World::postgres("err_stays_locked"));
    file.user("42", 2);
    server.user("42", 2);
    let file_holder = rusqlite::Connection::open(file.url()).unwrap();
    let mut server_holder = postgres::Client::connect(&server.url(), postgres::NoTls).unwrap();
    file_holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    server_holder
        .batch_execute("BEGIN; LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let on_file = Running::start(&mut file.command(&["list"]));
    let on_server = Running::start(&mut server.command(&["list"]));
    on_file.end().refuses(1, &["database is locked", "another process holds"]);
    on_server.end().refuses(1, &["lock timeout", "another session holds a lock"]);
}

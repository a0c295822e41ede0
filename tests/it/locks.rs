//! Somebody else holds a lock: it is waited for, though not for ever.

use std::time::Duration;

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

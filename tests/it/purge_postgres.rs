//! `purge-expired` on a PostgreSQL that others use too: their locks, their snapshots, and what a role may do.

use std::time::{Duration, Instant};

use postgres::Client;
use serde_json::{Value, json};
use sessctl::consent::{Ask, Consent};
use sessctl::model::Timestamp;
use sessctl::store::{Gone, Locked, Postgres, Store, Table};

use crate::role::Role;
use crate::running::{Running, eventually};
use crate::server::Server;
use crate::table_kinds::partitioned;
use crate::world::World;

const PURGE: [&str; 5] = ["purge-expired", "--batch-size", "50", "--format", "json"];

/// A world with 300 expired rows and 20 live ones.
fn world(name: &str) -> World {
    let w = World::postgres(name);
    w.expired(300).live(20);
    w
}

/// Somebody who does this, and leaves the transaction open.
fn somebody(w: &World, statement: &str) -> Client {
    let mut client = w.client();
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").unwrap();
    client.batch_execute(statement).unwrap();
    client
}

/// Three of the expired rows.
const THREE: &str = "session_key IN (SELECT session_key FROM django_session
    WHERE expire_date < now() ORDER BY hashtext(session_key) LIMIT 3)";

fn deleted_locked_left(report: &Value) -> [&Value; 3] {
    ["deleted", "locked", "left"].map(|field| &report[field])
}

#[test]
fn rows_that_somebody_locks_are_left_and_told() {
    let w = world("purge_locked");
    let _holder = somebody(&w, &format!("SELECT FROM django_session WHERE {THREE} FOR UPDATE"));
    let report = w.run(&PURGE).exits(3).json();
    assert_eq!(deleted_locked_left(&report), [&json!(297), &json!(3), &json!(3)]);
    assert_eq!((w.count(), w.live_keys().len()), (23, 20));
}

#[test]
fn without_the_right_to_skip_locked_rows_only_their_batches_are_left() {
    let w = world("purge_locked_role");
    let role = Role::new(&w, "purge_locked");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    let _holder = somebody(&w, &format!("SELECT FROM django_session WHERE {THREE} FOR UPDATE"));
    let report = role.run(&PURGE).exits(3).json();
    let left = w.count() - 20;
    assert!((3..=150).contains(&left), "{report}");
    assert_eq!(deleted_locked_left(&report), [&json!(300 - left), &json!(left), &json!(left)]);
    assert_eq!(w.live_keys().len(), 20);
}

#[test]
fn rows_that_somebody_unlocks_in_time_go() {
    let w = world("purge_unlocked");
    let mut holder = somebody(&w, &format!("SELECT FROM django_session WHERE {THREE} FOR UPDATE"));
    let running = Running::start(&mut w.command(&PURGE));
    eventually("the others are gone", || w.count() == 23);
    holder.batch_execute("COMMIT").unwrap();
    let report = running.end().ok().json();
    assert_eq!(deleted_locked_left(&report), [&json!(300), &json!(0), &json!(0)]);
    assert_eq!(w.session_keys(), w.live_keys());
}

#[test]
fn a_row_that_is_renewed_meanwhile_stays() {
    for w in [World::postgres("purge_renewed"), partitioned("purge_renewed_part")] {
        w.expired(300).live(20);
        let renew = format!("UPDATE django_session SET expire_date = '2099-01-01' WHERE {THREE}");
        let mut site = somebody(&w, &renew);
        let running = Running::start(&mut w.command(&PURGE));
        eventually("the others are gone", || w.count() == 23);
        site.batch_execute("COMMIT").unwrap();
        let report = running.end().ok().json();
        assert_eq!(deleted_locked_left(&report), [&json!(297), &json!(0), &json!(0)]);
        assert_eq!((w.count(), w.live_keys().len()), (23, 23));
    }
}

/// A batch that meets a locked row keeps its other rows locked while it waits, and a request that wants one of them
/// waits too.
#[test]
fn whoever_wants_a_neighbour_of_a_locked_row_hardly_waits() {
    let w = World::postgres("purge_neighbour");
    w.expired(20);
    let store = Postgres::new(w.conninfo(), Table::default());
    let mut writer = store.writer(Consent::from_ask(Ask::Explicit).unwrap()).unwrap();
    let now = Timestamp::now();
    let picked = writer.pick_expired(now, None, 100).unwrap();
    let rows: Vec<&str> = picked.rows.iter().collect();
    let last = format!("SELECT FROM django_session WHERE ctid = '{}' FOR UPDATE", rows[19]);
    let _holder = somebody(&w, &last);
    let began = Instant::now();
    let gone = writer.delete_expired(&rows, now, Locked::Skip).unwrap();
    let took = began.elapsed();
    assert_eq!(gone, Gone::of(19));
    assert!(took < Duration::from_secs(1), "rows were locked for {took:?}");
}

#[test]
fn a_table_that_somebody_locks_for_a_while_is_waited_for() {
    let w = world("purge_table_locked");
    let live = w.live_keys();
    let mut running = Running::start(w.command(&PURGE).args(["--sleep", "100ms"]));
    eventually("a delete", || w.count() < 320);
    let mut holder = somebody(&w, "LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE");
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'django_session'::regclass)";
    let mut watcher = w.client();
    eventually("it waits", || watcher.query_one(waits, &[]).unwrap().get(0));
    // Longer than any one attempt to get the lock.
    std::thread::sleep(Duration::from_secs(3));
    assert!(!running.is_over(), "it did not wait");
    holder.batch_execute("COMMIT").unwrap();
    let report = running.end().ok().json();
    assert_eq!(deleted_locked_left(&report), [&json!(300), &json!(0), &json!(0)]);
    assert_eq!(w.session_keys(), live);
}

/// A purge of so many rows, and how many it read to find them: entries of indexes and rows, dead ones included.
fn reads(w: &World, expired: i64) -> i64 {
    w.execute("VACUUM ANALYZE django_session");
    let read = || {
        let sql = "SELECT ((SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)
                         + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables))::int8";
        w.client().query_one(sql, &[]).unwrap().get::<_, i64>(0)
    };
    let before = read();
    let purge = ["purge-expired", "--batch-size", "500", "--format", "json"];
    let report = w.run(&purge).ok().json();
    assert_eq!(deleted_locked_left(&report), [&json!(expired), &json!(0), &json!(0)]);
    eventually("the server has counted", || read() - before >= expired);
    read() - before
}

#[test]
fn an_old_snapshot_does_not_disturb_it() {
    let w = World::postgres("purge_snapshot");
    w.expired(20_000).live(20);
    let count = "SELECT count(*) FROM django_session";
    let mut old = somebody(&w, count);
    // Deleted rows and their index entries stay for the old snapshot. Each batch must not read them again.
    let read = reads(&w, 20_000);
    assert!(read < 100_000, "it read {read}");
    assert_eq!(w.session_keys(), w.live_keys());
    assert_eq!(old.query_one(count, &[]).unwrap().get::<_, i64>(0), 20_020);
}

#[test]
fn rows_that_expired_at_one_moment() {
    /// More than two windows.
    const ROWS: u32 = 250_000;
    // No other test's transactions may keep what is deleted.
    let server = Server::new();
    // With an heir a table's rows have no addresses of their own.
    for (name, heir) in [("plain", ""), ("heir", "CREATE TABLE heir () INHERITS (django_session)")]
    {
        let w = World::on(&server, name);
        w.expired(ROWS).live(20);
        w.execute("UPDATE django_session SET expire_date = '2020-01-01' WHERE expire_date < now()");
        w.execute(heir);
        let read = reads(&w, ROWS.into());
        assert!(read < 6 * i64::from(ROWS), "{name}: it read {read}");
        assert_eq!(w.session_keys(), w.live_keys());
    }
}

#[test]
fn it_needs_no_more_than_select_and_delete() {
    let w = world("purge_role");
    let role = Role::new(&w, "purge");
    let name = &role.name;
    w.execute(&format!("GRANT SELECT ON django_session TO {name}"));
    role.run(&PURGE).refuses(1, &["lacks the DELETE privilege", "GRANT DELETE"]);
    assert_eq!(w.count(), 320);
    w.execute(&format!("GRANT DELETE ON django_session TO {name}"));
    let report = role.run(&PURGE).ok().json();
    assert_eq!(deleted_locked_left(&report), [&json!(300), &json!(0), &json!(0)]);
}

/// A statement of a trigger runs with the settings of the batch: what those add to its costs must not have it
/// compiled for each row.
#[test]
fn what_a_trigger_does_is_not_compiled() {
    let w = world("purge_trigger");
    w.user("42", 3).execute(
        "CREATE TABLE seen (jit text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN INSERT INTO seen VALUES (current_setting(''jit'')); RETURN OLD; END';
         CREATE TRIGGER see BEFORE DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION see()",
    );
    w.run(&PURGE).ok();
    w.run(&["logout-user", "42"]).ok();
    let seen: Vec<(String, i64)> = w
        .client()
        .query("SELECT jit, count(*) FROM seen GROUP BY jit", &[])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert_eq!(seen, [("off".to_owned(), 303)]);
}

#[test]
fn who_may_not_analyze_is_told_before_anything_is_deleted() {
    let w = world("purge_analyze_role");
    let role = Role::new(&w, "purge_analyze");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    role.run(&["purge-expired", "--analyze"]).exits(1).says("does not own it").says("--analyze");
    assert_eq!(w.count(), 320);
    role.run(&["purge-expired"]).ok();
}

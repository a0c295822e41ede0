//! What other transactions and the limits of a role do to sessctl on PostgreSQL: locks, deadlocks, serialization
//! failures, timeouts, an administrator who ends its sessions.

use std::thread;

use postgres::Client;
use serde_json::json;

use crate::role::Role;
use crate::running::{Running, eventually};
use crate::server::Server;
use crate::support::postgres_version;
use crate::work::{ALL, BACKFILL, Before, KEEP, LOGOUT, PURGE, Work};
use crate::world::{RunToEnd, World};

/// Starts it as this role, with its report as JSON.
fn start(work: &Work, role: &Role<'_>, w: &World) -> Running {
    Running::start(work.on(w, "5ms").env("SESSCTL_DATABASE_URL", role.url()))
}

/// A role that may do all that sessctl does to the table but own it.
fn role<'w>(w: &'w World, name: &str, setting: &str) -> Role<'w> {
    let role = Role::new(w, name);
    w.execute(&format!(
        "GRANT SELECT, UPDATE, DELETE ON django_session TO {}; ALTER ROLE {0} SET {setting}",
        role.name
    ));
    role
}

/// The column is there, since a role that does not own the table cannot add it.
fn world(work: &Work, name: &str) -> World {
    let w = World::postgres(&format!("conflict_{name}"));
    if work.command == BACKFILL.command {
        w.execute("ALTER TABLE django_session ADD COLUMN user_id bigint; CREATE INDEX ON django_session (user_id)");
    }
    w
}

fn waits(client: &mut Client) -> bool {
    let sql = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()
               AND application_name = 'sessctl' AND wait_event_type = 'Lock'";
    client.query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn a_locked_row_is_waited_for_by_every_command() {
    for work in ALL {
        let w = world(&work, "row");
        let before = Before::fill(&w);
        let (mut holder, mut watcher) = (w.client(), w.client());
        holder.batch_execute("BEGIN; SELECT FROM django_session FOR UPDATE").unwrap();
        let running = Running::start(&mut work.on(&w, "5ms"));
        // A purge goes round what is locked first, and waits for it only then; either is a wait.
        eventually("it waits", || waits(&mut watcher));
        holder.batch_execute("COMMIT").unwrap();
        let ran = running.end().ok();
        work.is_true(&w, &before, &ran, "locked rows");
    }
}

#[test]
fn a_row_that_stays_locked_is_never_said_to_be_out() {
    let w = World::postgres("conflict_stays");
    let before = Before::fill(&w);
    let mut holder = w.client();
    let one = "SELECT FROM django_session WHERE session_key = (SELECT max(session_key) FROM django_session WHERE session_key < 'a')";
    holder.batch_execute(&format!("BEGIN; {one} FOR UPDATE")).unwrap();
    let ran = Running::start(&mut LOGOUT.on(&w, "0s")).end().exits(1);
    LOGOUT.is_true(&w, &before, &ran, "a row that stays locked");
    let ran = ran.says("lock timeout").says("another session holds a lock");
    assert_eq!((&ran.json()["remaining"], LOGOUT.done(&w, &before)), (&json!(null), 9));
    holder.batch_execute("COMMIT").unwrap();
    LOGOUT.ends_well(&w, &before, "a row that stays locked");
}

fn deadlocks(w: &World) -> i64 {
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    w.client().query_one(sql, &[]).unwrap().get(0)
}

/// The other side has the third row of a batch and waits for the first, when sessctl, which has that, comes to the
/// third: so sessctl closes the circle, and is the victim.
#[test]
fn a_deadlock_is_tried_again() {
    for work in [LOGOUT, KEEP] {
        let w = World::postgres("conflict_deadlock");
        let before = Before::fill(&w);
        let keys = w.session_keys();
        let [first, second, third] = [&keys[5], &keys[6], &keys[7]];
        // It waits before the second row for as long as there is something in a table.
        w.execute(&format!(
            "CREATE TABLE hold (x int); INSERT INTO hold VALUES (1);
             CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 WHILE EXISTS (SELECT FROM hold) LOOP PERFORM pg_sleep(0.01); END LOOP;
                 RETURN coalesce(NEW, OLD); END $$;
             CREATE TRIGGER hold BEFORE UPDATE OR DELETE ON django_session
                 FOR EACH ROW WHEN (OLD.session_key = '{second}') EXECUTE FUNCTION hold();
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 100', current_database()); END $$"
        ));
        let mut watcher = w.client();
        let mut is_there = |state: &str| -> bool {
            let sql = format!(
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND {state}"
            );
            watcher.query_one(&sql, &[]).unwrap().get(0)
        };
        let running = Running::start(&mut work.on(&w, "0s"));
        eventually("it has the first row", || is_there("wait_event = 'PgSleep'"));
        let mut other = w.client();
        thread::scope(|scope| {
            scope.spawn(move || {
                let lock = |key| {
                    format!("SELECT FROM django_session WHERE session_key = '{key}' FOR UPDATE")
                };
                let sql = format!(
                    "SET deadlock_timeout = '60s'; BEGIN; {}; {}; COMMIT",
                    lock(third),
                    lock(first)
                );
                other.batch_execute(&sql).unwrap();
            });
            eventually("the other side waits", || is_there("wait_event_type = 'Lock'"));
            w.execute("DELETE FROM hold");
        });
        let ran = running.end().ok();
        work.is_true(&w, &before, &ran, "a deadlock");
        eventually("the server has counted", || deadlocks(&w) > 0);
    }
}

#[test]
fn a_role_that_is_serializable_by_default() {
    for work in ALL {
        let w = world(&work, "serializable");
        let before = Before::fill(&w);
        let role = role(&w, "serializable", "default_transaction_isolation = serializable");
        // A site that is serializable too, and reads and writes what sessctl reads and writes, while it does so.
        let mut site = w.client();
        site.batch_execute("SET default_transaction_isolation = serializable").unwrap();
        let mut command = work.on(&w, "300ms");
        let mut running = Running::start(command.env("SESSCTL_DATABASE_URL", role.url()));
        let (mut failed, mut overlapped) = (Vec::new(), 0);
        // A row that this command does not write: of two who write one row, one has to give way.
        let row = if work.command == BACKFILL.command { "max" } else { "min" };
        while !running.is_over() {
            site.batch_execute("BEGIN; SELECT count(*) FROM django_session").unwrap();
            let done = work.done(&w, &before);
            let is_amid = || work.done(&w, &before) > done;
            eventually("a batch, or the end", || is_amid() || running.is_over());
            overlapped += u32::from(is_amid());
            let sql = format!(
                "UPDATE django_session SET expire_date = expire_date + interval '1 second'
                     WHERE session_key = (SELECT {row}(session_key) FROM django_session);
                 INSERT INTO django_session (session_key, session_data, expire_date) VALUES ('visit', 'x', '2099-01-01');
                 DELETE FROM django_session WHERE session_key = 'visit'; COMMIT"
            );
            if let Err(error) = site.batch_execute(&sql) {
                failed.push(error.to_string());
                site.batch_execute("ROLLBACK").unwrap();
            }
        }
        let ran = running.end().ok();
        work.is_true(&w, &before, &ran, "serializable");
        assert!(overlapped > 0, "no transaction of the site met {:?}", work.command);
        assert_eq!(failed, Vec::<String>::new(), "the site pays for {:?}", work.command);
    }
}

/// A transaction that only reads can have one fail that writes ("A Read-Only Transaction Anomaly Under Snapshot
/// Isolation", SIGMOD Record 33-3): a visitor's, if sessctl's looks were serializable.
#[test]
fn a_look_makes_no_transaction_of_a_serializable_site_fail() {
    let w = World::postgres("conflict_anomaly");
    w.user("42", 2).expired(2);
    let role = role(&w, "anomaly", "default_transaction_isolation = serializable");
    for command in [
        &["list"][..],
        &["logout-user", "43"],
        &["check", "--max-age", "9999d", "--max-expired", "9"],
        &["purge-expired", "--dry-run"],
        &["backfill", "--dry-run"],
    ] {
        let (mut first, mut second) = (w.client(), w.client());
        for site in [&mut first, &mut second] {
            site.batch_execute("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT FROM django_session")
                .unwrap();
        }
        let save = |key: &str| {
            format!(
                "UPDATE django_session SET session_data = session_data || '' WHERE session_key LIKE '{key}%'; COMMIT"
            )
        };
        second.batch_execute("ROLLBACK; BEGIN ISOLATION LEVEL SERIALIZABLE").unwrap();
        second.batch_execute(&save("00000001")).unwrap();
        role.run(command).ok();
        if let Err(error) = first.batch_execute(&save("00000000")) {
            panic!("after {command:?}: {error:?}");
        }
    }
}

#[test]
fn a_statement_timeout_ends_it_with_a_true_report_and_a_hint() {
    for work in ALL {
        let w = world(&work, "statement");
        let before = Before::fill(&w);
        let role = role(&w, "statement", "statement_timeout = 300");
        let mut holder = w.client();
        holder.batch_execute("BEGIN; SELECT FROM django_session FOR UPDATE").unwrap();
        let ran = start(&work, &role, &w).end().exits(1);
        work.is_true(&w, &before, &ran, "statement_timeout");
        ran.says("statement timeout").says("hint: ");
        holder.batch_execute("COMMIT").unwrap();
        work.ends_well(&w, &before, "statement_timeout");
    }
}

/// A look takes as long as it takes.
#[test]
fn a_statement_timeout_ends_no_look() {
    let w = World::postgres("conflict_look");
    // Before PostgreSQL 12 every CTE is.
    let materialized = if postgres_version(&mut w.client()) < 12 { "" } else { "MATERIALIZED" };
    w.user("42", 1).execute(&format!(
        "CREATE VIEW slow_session AS WITH slept AS {materialized} (SELECT pg_sleep(0.6))
         SELECT django_session.* FROM django_session, slept",
    ));
    let role = role(&w, "look", "statement_timeout = 300");
    w.execute(&format!("GRANT SELECT ON slow_session TO {}", role.name));
    for command in [&["list"][..], &["stats"], &["logout-user", "42", "--dry-run"]] {
        let mut looking = w.command(command);
        looking.args(["--table", "slow_session"]).env("SESSCTL_DATABASE_URL", role.url());
        Running::start(&mut looking).end().ok();
    }
}

/// They are ended while sessctl rests: the one that holds the purge's lock is to idle in a transaction, and a batch
/// makes its connection anew.
#[test]
fn sessions_that_may_not_idle_for_as_long_as_a_rest() {
    let server = Server::new();
    for (setting, work, ended, strikes) in [
        ("idle_session_timeout = 500", LOGOUT, "due to idle-session timeout", true),
        ("idle_session_timeout = 500", PURGE, "due to idle-session timeout", true),
        // Only a purge has a transaction open while it rests, and lifts it there.
        ("idle_in_transaction_session_timeout = 500", PURGE, "due to idle-in-transaction", false),
    ] {
        let w = World::on(&server, "conflict_idle");
        if setting.starts_with("idle_session") && postgres_version(&mut w.client()) < 14 {
            continue;
        }
        let before = Before::fill(&w);
        let role = role(&w, "idle", setting);
        let struck = || server.log().matches(ended).count();
        let struck_before = struck();
        let mut command = work.on(&w, "800ms");
        let ran = Running::start(command.env("SESSCTL_DATABASE_URL", role.url())).end().ok();
        work.is_true(&w, &before, &ran, setting);
        assert_eq!(struck() > struck_before, strikes, "{setting}: {:?}", work.command);
    }
}

#[test]
fn sessions_that_an_administrator_ends_amid_a_batch() {
    for work in ALL {
        let w = world(&work, "terminated");
        let before = Before::fill(&w);
        let (mut holder, mut watcher) = (w.client(), w.client());
        holder.batch_execute("BEGIN; SELECT FROM django_session FOR UPDATE").unwrap();
        let running = Running::start(&mut work.on(&w, "5ms"));
        for _ in 0..3 {
            // Amid a batch: it waits for the rows.
            eventually("a session is ended", || {
                let sql = "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity
                           WHERE datname = current_database() AND application_name = 'sessctl'
                               AND wait_event_type = 'Lock'";
                watcher.query_one(sql, &[]).unwrap().get(0)
            });
        }
        holder.batch_execute("COMMIT").unwrap();
        let ran = running.end().ok();
        work.is_true(&w, &before, &ran, "terminated");
    }
}

#[test]
fn a_scan_that_an_administrator_ends_does_nothing() {
    for work in [LOGOUT, KEEP, BACKFILL] {
        let w = world(&work, "scan");
        let before = Before::fill(&w);
        // A row that takes its time to be read.
        w.execute(
            "CREATE FUNCTION slow(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN $1; END $$;
             ALTER TABLE django_session RENAME TO t; CREATE VIEW django_session AS SELECT session_key, slow(session_data) AS session_data, expire_date FROM t",
        );
        let running = Running::start(work.on(&w, "0s").arg("--superuser-ok"));
        let mut watcher = w.client();
        eventually("the scan is ended", || {
            let sql = "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name = 'sessctl' AND state = 'active'
                           AND (query LIKE 'COPY%' OR query LIKE 'SELECT%session_data%') AND query NOT LIKE '%pg_class%'";
            watcher.query_one(sql, &[]).unwrap().get(0)
        });
        let ran = running.end().exits(1);
        w.execute("DROP VIEW django_session; ALTER TABLE t RENAME TO django_session");
        work.is_true(&w, &before, &ran, "a scan that was ended");
        ran.says("error: ").says("terminat");
        work.on(&w, "0s").ran("").ok();
        Work::spares_others(&w, &before, "run again");
    }
}

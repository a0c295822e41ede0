//! The user column on PostgreSQL: its index, and tables and roles of all kinds.

use std::time::Duration;

use serde_json::json;

use crate::backfill::{INDEX, REPORT, is_indexed, schema, site, told};
use crate::role::Role;
use crate::running::{Running, eventually};
use crate::server::Server;
use crate::table_kinds::{partitioned, reach};
use crate::world::{SECRET_KEY, World, signed};

#[test]
fn an_invalid_index_is_built_again() {
    let w = World::postgres("backfill_invalid");
    let truth = site(&w, &["42", "7"]);
    w.run(&["backfill", "--no-index"]).ok();
    assert!(!is_indexed(&w));
    // Fails, since users have several sessions, and leaves an index that is of no use.
    let broken = format!("CREATE UNIQUE INDEX CONCURRENTLY {INDEX} ON django_session (user_id)");
    w.client().batch_execute(&broken).unwrap_err();
    assert!(schema(&w).iter().any(|item| item.contains(INDEX)));
    w.run(&REPORT).ok();
    assert!(is_indexed(&w));
    w.execute(&format!(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{INDEX}'::regclass"
    ));
    assert!(!is_indexed(&w));
    w.run(&REPORT).ok();
    assert!(is_indexed(&w));
    assert_eq!(told(&w, "user_id"), truth);
}

#[test]
fn who_does_not_own_the_table_is_told() {
    let w = World::postgres("backfill_role");
    let truth = site(&w, &["42"]);
    let role = Role::new(&w, "backfill");
    w.execute(&format!("GRANT SELECT, UPDATE ON django_session TO {}", role.name));
    let before = schema(&w);
    role.run(&REPORT).exits(1).says("connect as the owner of the table");
    assert_eq!(schema(&w), before);
    w.execute("ALTER TABLE django_session ADD COLUMN user_id bigint");
    role.run(&["backfill", "--no-index"]).ok();
    assert_eq!(told(&w, "user_id"), truth);
}

#[test]
fn a_partitioned_table_has_its_column_and_an_index() {
    let w = partitioned("backfill_partitioned");
    let truth = site(&w, &["42", "7", "8", "9"]);
    let plan = w.run(&[&REPORT[..], &["--dry-run"]].concat()).ok().json();
    w.run(&REPORT).ok();
    assert_eq!(told(&w, "user_id"), truth);
    assert!(is_indexed(&w));
    let before = schema(&w);
    // What the dry run said is what was done.
    w.execute("ALTER TABLE django_session DROP COLUMN user_id");
    for sql in plan["plan"]["sql"].as_array().unwrap() {
        w.client().batch_execute(sql.as_str().unwrap()).unwrap();
    }
    assert_eq!(schema(&w), before);
    assert!(is_indexed(&w));
    w.run(&REPORT).ok();
    let again = w.run(&REPORT).ok().json();
    assert_eq!((schema(&w), &again["filled"]), (before, &json!(0)));
}

#[test]
fn a_column_that_another_server_lacks_is_not_added() {
    let server = Server::new();
    let (w, remote) = (World::postgres("backfill_foreign"), World::on(&server, "remote"));
    reach(&w, &server, &remote);
    w.execute(
        "IMPORT FOREIGN SCHEMA public LIMIT TO (django_session) FROM SERVER remote INTO public",
    );
    let truth = site(&w, &["42"]);
    let before = schema(&w);
    w.run(&REPORT).exits(1).says("on another server");
    assert_eq!(schema(&w), before);
    for side in [&w, &remote] {
        side.execute("ALTER TABLE django_session ADD COLUMN user_id bigint");
    }
    w.run(&["backfill", "--no-index"]).ok();
    assert_eq!(told(&remote, "user_id"), truth);
}

#[test]
fn large_sessions_are_read_once() {
    let w = World::postgres("backfill_large");
    let payload = format!(r#"{{"cart":"{}","_auth_user_id":"42"}}"#, "x".repeat(200_000));
    let data = signed(&payload, SECRET_KEY);
    let keys: Vec<String> = (0..300).map(|_| w.next_key()).collect();
    w.rows(keys.iter().map(|key| (&**key, &*data, "2099-01-01 00:00:00".into())));
    // The planner now knows how small the table is.
    w.execute("ANALYZE django_session");
    w.run(&["backfill", "--no-index"]).ok();
    assert!(told(&w, "user_id").values().all(|user| user.as_deref() == Some("42")));
    let read = "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'django_session'";
    let read = || w.client().query_one(read, &[]).unwrap().get::<_, i64>(0);
    // Once to read it and once to write it; more that did not fit into a page.
    eventually("the server has counted", || read() >= 600);
    assert!(read() < 2_000, "{}", read());
}

#[test]
fn an_id_that_a_narrower_column_cannot_hold() {
    let w = World::postgres("backfill_narrow");
    site(&w, &["42", "3000000000"]);
    for kind in ["integer", "varchar(5)"] {
        w.execute(&format!("ALTER TABLE django_session ADD COLUMN user_id {kind}"));
        let report = w.run(&REPORT).exits(3).json();
        assert_eq!(report["misfit_ids"], json!(["3000000000"]), "{kind}");
        assert_eq!((&report["filled"], &report["missing"]), (&json!(2), &json!(0)), "{kind}");
        // Whom the column cannot name is found by the data.
        let found = w.run(&["logout-user", "3000000000", "--dry-run", "--format", "json"]).ok();
        assert_eq!(found.json()["matched"], json!(2), "{kind}");
        w.execute("ALTER TABLE django_session DROP COLUMN user_id");
    }
}

#[test]
fn a_timeout_of_requests_that_ends_the_index_can_be_lifted() {
    let w = World::postgres("backfill_timeout");
    let truth = site(&w, &["42"]);
    w.run(&["backfill", "--no-index"]).ok();
    w.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 500', current_database()); END $$");
    let mut holder = w.client();
    // CREATE INDEX CONCURRENTLY waits for whoever may still look at the table as it was.
    holder
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM django_session")
        .unwrap();
    w.run(&["backfill"]).exits(1).says("?options=-c%20statement_timeout%3D0");
    assert!(!is_indexed(&w));
    let url = format!("{}?options=-c%20statement_timeout%3D0", w.url());
    let mut running = Running::start(&mut w.command(&["backfill", "-d", &url]));
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                 AND query LIKE '%CONCURRENTLY%' AND wait_event_type = 'Lock')";
    let mut watcher = w.client();
    eventually("the index waits", || watcher.query_one(waits, &[]).unwrap().get(0));
    // Longer than the time-out that requests have.
    std::thread::sleep(Duration::from_secs(1));
    assert!(!running.is_over(), "it did not wait");
    holder.batch_execute("COMMIT").unwrap();
    running.end().ok();
    assert!(is_indexed(&w));
    assert_eq!(told(&w, "user_id"), truth);
}

#[test]
fn a_role_that_may_not_see_the_users_that_a_column_refers_to_is_told_so() {
    let w = World::postgres("backfill_users_role");
    w.execute(
        "CREATE SCHEMA people; CREATE TABLE people.\"Member\" (\"Id\" bigint PRIMARY KEY);
         INSERT INTO people.\"Member\" VALUES (42);
         ALTER TABLE django_session ADD COLUMN user_id bigint REFERENCES people.\"Member\" (\"Id\");
         CREATE INDEX ON django_session (user_id)",
    );
    site(&w, &["42", "99"]);
    let role = Role::new(&w, "backfill_users");
    w.execute(&format!(
        "GRANT SELECT, UPDATE, DELETE ON django_session TO {}; GRANT USAGE ON SCHEMA people TO {0}",
        role.name
    ));
    role.run(&REPORT).exits(1).says("SELECT on people.\"Member\", to which the column refers");
    w.execute(&format!("GRANT SELECT (\"Id\") ON people.\"Member\" TO {}", role.name));
    let report = role.run(&REPORT).ok().json();
    assert_eq!((&report["filled"], &report["unknown_users"]), (&json!(2), &json!(2)));
}

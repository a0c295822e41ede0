//! The user column: filled, it says of every session what the session's own data says.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use serde_json::{Value, json};

use crate::running::{Running, eventually};
use crate::signals::has_opened;
use crate::world::{RunToEnd, SECRET_KEY, World, login, program, signed};

/// Whose each session is, by its key.
pub(crate) type Truth = BTreeMap<String, Option<String>>;

pub(crate) const INDEX: &str = "django_session_user_id_sessctl";
pub(crate) const REPORT: [&str; 3] = ["backfill", "--format", "json"];

fn each(name: &str, test: impl Fn(&World)) {
    World::each(name, &test);
    let wal = World::sqlite(&format!("{name}_wal"));
    wal.execute("PRAGMA journal_mode = wal");
    test(&wal);
}

/// Two sessions of each user, and sessions of all sorts of nobody.
pub(crate) fn site(w: &World, ids: &[&str]) -> Truth {
    let mut truth = Truth::new();
    for id in ids.iter().chain(ids) {
        truth.insert(w.session(&login(id)), Some((*id).into()));
    }
    for payload in ["{}", r#"{"cart":["_auth_user_id"]}"#, r#"{"_auth_user_id":null}"#] {
        truth.insert(w.session(payload), None);
    }
    let ours = signed(&login(ids[0]), SECRET_KEY);
    let theirs = signed(&login(ids[0]), "the key of another site");
    for (data, expires) in
        [(&*theirs, "2099-01-01"), (".eJno session", "2099-01-01"), (&ours, "2020-01-01")]
    {
        let key = w.next_key();
        w.row(&key, data, &format!("{expires} 00:00:00"));
        truth.insert(key, None);
    }
    truth
}

/// Sessions of a hundred users, in many pages.
fn many(w: &World, sessions: u32) -> Truth {
    let users: Vec<String> =
        (0..100).map(|id| signed(&login(&id.to_string()), SECRET_KEY)).collect();
    let keys: Vec<(String, usize)> =
        (0..sessions).map(|n| (w.next_key(), n as usize % users.len())).collect();
    w.rows(keys.iter().map(|(key, id)| (&**key, &*users[*id], "2099-01-01 00:00:00".into())));
    keys.into_iter().map(|(key, id)| (key, Some(id.to_string()))).collect()
}

/// What a column says.
pub(crate) fn told(w: &World, column: &str) -> Truth {
    if w.is_mysql() {
        let rows = w
            .mysql_client()
            .query(&format!("SELECT session_key, CAST({column} AS char) FROM django_session"));
        let pair = |row: Vec<Option<String>>| {
            let [key, id] = row.try_into().unwrap();
            (Option::unwrap(key), id)
        };
        return rows.into_iter().map(pair).collect();
    }
    let sql = format!("SELECT session_key, CAST({column} AS text) FROM django_session");
    if !w.is_sqlite() {
        return w
            .client()
            .query(&sql, &[])
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
    }
    let file = rusqlite::Connection::open(w.url()).unwrap();
    let mut statement = file.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The columns and indexes of the table.
pub(crate) fn schema(w: &World) -> BTreeSet<String> {
    let postgres = "SELECT format('%s %s %s %s', attname, format_type(atttypid, atttypmod), attnotnull, atthasdef)
                    FROM pg_attribute WHERE attrelid = 'django_session'::regclass AND attnum > 0 AND NOT attisdropped
                    UNION ALL SELECT pg_get_indexdef(indexrelid) || ' ' || indisvalid
                    FROM pg_index WHERE indrelid = 'django_session'::regclass";
    let mysql = "SELECT CONCAT_WS(' ', column_name, column_type, is_nullable, column_default) FROM information_schema.columns
                 WHERE table_schema = DATABASE() AND table_name = 'django_session'
                 UNION ALL SELECT CONCAT_WS(' ', index_name, column_name, IF(non_unique, '', 'UNIQUE')) FROM information_schema.statistics
                 WHERE table_schema = DATABASE() AND table_name = 'django_session'";
    if w.is_mysql() {
        return w.mysql_client().column(mysql).into_iter().collect();
    }
    if !w.is_sqlite() {
        return w.client().query(postgres, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    }
    let file = rusqlite::Connection::open(w.url()).unwrap();
    let mut statement =
        file.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

pub(crate) fn is_indexed(w: &World) -> bool {
    schema(w).iter().any(|item| {
        item.contains(INDEX)
            && !item.contains("UNIQUE")
            && (w.is_sqlite() || w.is_mysql() || item.ends_with(" true"))
    })
}

/// Whether the column is `char(32)`, without hyphens.
fn is_char(w: &World, kind: &str) -> bool {
    kind == "uuid" && (w.is_sqlite() || w.is_mysql())
}

fn fields<const N: usize>(report: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| report[name].as_u64().unwrap_or_else(|| panic!("no {name} in {report}")))
}

#[test]
fn every_row_says_whose_it_is_and_nothing_if_it_is_nobodys() {
    each("backfill", |w| {
        let truth = site(w, &["42", "7", "9223372036854775807", "-1"]);
        let report = w.run(&REPORT).ok().json();
        assert_eq!(told(w, "user_id"), truth);
        assert!(is_indexed(w));
        assert_eq!(
            (&report["type"], &report["ended"], &report["column"]),
            (&json!("bigint"), &json!("done"), &json!("user_id"))
        );
        let counted = ["filled", "logins", "missing", "different", "misfits"];
        assert_eq!(fields(&report, counted), [8, 8, 0, 0, 0]);
        assert_eq!(fields(&report, ["anonymous", "unverified", "unreadable"]), [3, 1, 1]);
    });
}

#[test]
fn a_table_of_many_pages_is_filled_to_the_last_row() {
    each("backfill_many", |w| {
        let mut truth = many(w, 12_345);
        truth.extend(site(w, &["42"]));
        w.run(&REPORT).ok();
        assert_eq!(told(w, "user_id"), truth);
    });
}

#[test]
fn a_second_run_fills_nothing_and_the_next_what_came_since() {
    each("backfill_again", |w| {
        let mut truth = site(w, &["42", "7"]);
        w.run(&REPORT).ok();
        let before = schema(w);
        let report = w.run(&REPORT).ok().json();
        assert_eq!(fields(&report, ["filled", "batches", "missing"]), [0, 0, 0]);
        truth.extend(site(w, &["8"]));
        let report = w.run(&REPORT).ok().json();
        assert_eq!(fields(&report, ["filled", "logins", "missing"]), [2, 6, 0]);
        assert_eq!((told(w, "user_id"), schema(w)), (truth, before));
    });
}

#[test]
fn a_run_that_ends_early_does_not_say_that_none_is_missing() {
    World::each("backfill_early", |w| {
        w.user("42", 30);
        let slow = [&REPORT[..], &["--batch-size", "1", "--sleep", "300ms", "--run-time", "1s"]];
        let report = w.run(&slow.concat()).exits(3).json();
        assert_eq!((&report["missing"], &report["ended"]), (&Value::Null, &json!("run-time")));
    });
}

#[test]
fn expired_sessions_are_filled_on_request() {
    each("backfill_expired", |w| {
        let truth = site(w, &["42"]);
        let report = w.run(&[&REPORT[..], &["--include-expired"]].concat()).ok().json();
        assert_eq!(fields(&report, ["filled", "logins", "missing"]), [3, 3, 0]);
        let differ: Vec<_> =
            told(w, "user_id").into_iter().filter(|(key, user)| &truth[key] != user).collect();
        assert_eq!(differ.len(), 1);
        assert_eq!(differ[0].1.as_deref(), Some("42"));
    });
}

#[test]
fn the_type_is_the_narrowest_that_fits() {
    let uuid = "0fce2a16-9b84-4c29-9d9f-2f2f9d0b0a11";
    for (ids, kind) in [
        (["42", "7"], "bigint"),
        ([uuid, uuid], "uuid"),
        (["42", uuid], "text"),
        (["042", "é'"], "text"),
    ] {
        World::each(&format!("backfill_type_{kind}"), |w| {
            let truth = site(w, &ids);
            assert_eq!(w.run(&REPORT).ok().json()["type"], kind);
            let stored = |id: String| if is_char(w, kind) { id.replace('-', "") } else { id };
            let truth: Truth = truth.into_iter().map(|(key, id)| (key, id.map(stored))).collect();
            assert_eq!(told(w, "user_id"), truth);
            assert_eq!(fields(&w.run(&REPORT).ok().json(), ["filled"]), [0]);
        });
    }
}

#[test]
fn the_type_is_that_of_the_user_table_if_all_ids_fit() {
    World::each("backfill_auth_user", |w| {
        w.execute("CREATE TABLE auth_user (id varchar(20) PRIMARY KEY)");
        site(w, &["42"]);
        assert_eq!(
            w.run(&["backfill", "--dry-run", "--format", "json"]).ok().json()["type"],
            "text"
        );
        w.execute("DROP TABLE auth_user; CREATE TABLE auth_user (id integer PRIMARY KEY)");
        assert_eq!(
            w.run(&["backfill", "--dry-run", "--format", "json"]).ok().json()["type"],
            "bigint"
        );
        w.session(&login("x"));
        assert_eq!(
            w.run(&["backfill", "--dry-run", "--format", "json"]).ok().json()["type"],
            "text"
        );
    });
}

#[test]
fn ids_that_do_not_fit_are_counted_and_named() {
    let uuid = "0fce2a16-9b84-4c29-9d9f-2f2f9d0b0a11";
    for (kind, misfits) in
        [("bigint", vec!["042", uuid, "ann"]), ("uuid", vec!["042", "42", "ann"])]
    {
        World::each(&format!("backfill_misfits_{kind}"), |w| {
            let mut truth = site(w, &["42", "042", "ann", uuid]);
            // A column that is there is filled as far as ids fit it.
            let declared = if is_char(w, kind) { "char(32)" } else { kind };
            w.execute(&format!("ALTER TABLE django_session ADD COLUMN user_id {declared} NULL"));
            let report = w.run(&REPORT).exits(3).json();
            assert_eq!(report["misfit_ids"], json!(misfits));
            assert_eq!(fields(&report, ["filled", "logins", "misfits", "missing"]), [2, 8, 6, 0]);
            for user in truth.values_mut() {
                *user = user
                    .take()
                    .filter(|id| !misfits.contains(&&**id))
                    .map(|id| if is_char(w, kind) { id.replace('-', "") } else { id });
            }
            assert_eq!(told(w, "user_id"), truth);
        });
    }
}

#[test]
fn users_whom_a_foreign_key_forbids_are_counted_and_the_others_filled() {
    each("backfill_foreign_key", |w| {
        w.execute("CREATE TABLE auth_user (id integer PRIMARY KEY); INSERT INTO auth_user VALUES (42), (7)");
        w.execute(
            "ALTER TABLE django_session ADD COLUMN user_id integer NULL
             REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED",
        );
        let mut truth = site(w, &["42", "99", "7", "100"]);
        for told in truth.values_mut() {
            told.take_if(|user| ["99", "100"].contains(&&**user));
        }
        let counted = ["filled", "logins", "missing", "different", "misfits", "unknown_users"];
        for filled in [4, 0] {
            let report = w.run(&[&REPORT[..], &["--batch-size", "2"]].concat()).ok().json();
            assert_eq!(fields(&report, counted), [filled, 8, 0, 0, 0, 4]);
            assert_eq!(told(w, "user_id"), truth);
        }
        w.run(&["backfill"]).ok().says(
            "Left without a user id: 4 logins of users who are not in auth_user, to which the column refers.",
        );
        let of_99 = &w.session_keys()[1];
        w.execute(&format!("UPDATE django_session SET user_id = 7 WHERE session_key = '{of_99}'"));
        let report = w.run(&[&REPORT[..], &["--restart"]].concat()).ok().json();
        assert_eq!(fields(&report, counted), [1, 8, 0, 0, 0, 4]);
        assert_eq!(told(w, "user_id"), truth);
    });
}

#[test]
fn a_dry_run_and_a_wrong_key_leave_the_table_as_it_is() {
    each("backfill_dry", |w| {
        let (truth, before) = (site(w, &["42", "7"]), schema(w));
        let report = w.run(&[&REPORT[..], &["--dry-run"]].concat()).ok().json();
        assert_eq!(fields(&report, ["filled", "missing", "logins"]), [0, 4, 4]);
        assert_eq!(report["plan"]["exists"], json!(false));
        assert!(report["plan"]["sql"][0].as_str().unwrap().contains("ADD COLUMN"));
        let index = if w.is_mysql() { "ADD INDEX" } else { "CREATE INDEX" };
        assert!(report["plan"]["sql"][1].as_str().unwrap().contains(index));
        for estimate in ["seconds", "table_bytes", "index_bytes"] {
            assert!(report["plan"][estimate].as_u64().unwrap() > 0, "{estimate}");
        }
        w.run(&["backfill", "--watch-nulls"]).ok();
        let wrong = w.file("wrong-key", "the key of no site");
        w.run_without_key(&["backfill", "--secret-key-file", &wrong]).exits(2);
        assert_eq!(schema(w), before);
        w.run(&REPORT).ok();
        w.execute("UPDATE django_session SET user_id = NULL");
        w.run(&["backfill", "--dry-run"]).ok();
        w.run_without_key(&["backfill", "--secret-key-file", &wrong]).exits(2);
        assert_eq!(told(w, "user_id").into_values().flatten().count(), 0);
        w.run(&REPORT).ok();
        assert_eq!(told(w, "user_id"), truth);
    });
}

#[test]
fn what_somebody_else_wrote_is_reported_and_put_right_on_request() {
    each("backfill_different", |w| {
        let truth = site(w, &["42", "7"]);
        w.run(&REPORT).ok();
        w.execute("UPDATE django_session SET user_id = 8 WHERE user_id = 7");
        let wrong = told(w, "user_id");
        let report = w.run(&REPORT).exits(3).json();
        assert_eq!(fields(&report, ["different", "missing", "filled"]), [2, 0, 0]);
        assert_eq!(told(w, "user_id"), wrong);
        let report = w.run(&[&REPORT[..], &["--restart"]].concat()).ok().json();
        assert_eq!(fields(&report, ["different", "missing", "filled"]), [0, 0, 2]);
        assert_eq!(told(w, "user_id"), truth);
    });
}

#[test]
fn a_misfit_of_whom_the_column_says_something_is_different() {
    each("backfill_misfit_different", |w| {
        site(w, &["42"]);
        w.run(&REPORT).ok();
        let key = w.session(&login("ann"));
        w.execute(&format!("UPDATE django_session SET user_id = 42 WHERE session_key = '{key}'"));
        let report = w.run(&REPORT).exits(3).json();
        assert_eq!(fields(&report, ["misfits", "different"]), [1, 1]);
        let report = w.run(&[&REPORT[..], &["--restart"]].concat()).exits(3).json();
        assert_eq!(fields(&report, ["misfits", "different", "filled"]), [1, 0, 1]);
        assert_eq!(told(w, "user_id").get(&key), Some(&None));
    });
}

/// Kills it at some moment, another in every run, and looks that what the column says is true.
fn killed(w: &World, truth: &Truth, mut running: Running, longest: u64) {
    let delay = RandomState::new().hash_one(longest) % longest;
    std::thread::sleep(Duration::from_millis(delay));
    running.child().kill().unwrap();
    running.child().wait().unwrap();
    if w.is_sqlite() {
        w.is_sound();
    }
    if schema(w).iter().any(|item| item.contains("user_id")) {
        for (key, user) in told(w, "user_id") {
            assert!(user.is_none() || user == truth[&key], "killed after {delay} ms");
        }
    }
}

#[test]
fn killed_at_any_moment_it_goes_on_and_every_row_is_right() {
    each("backfill_kill", |w| {
        let mut truth = many(w, 6_000);
        truth.extend(site(w, &["42", "7"]));
        let filled = || {
            let there = schema(w).iter().any(|item| item.contains("user_id"));
            if there { told(w, "user_id").into_values().flatten().count() } else { 0 }
        };
        let slowly = ["backfill", "--batch-size", "100", "--sleep", "50ms"];
        for round in 0..10 {
            let before = filled();
            let running = Running::start(&mut w.command(&slowly));
            if round % 2 == 0 {
                eventually("a batch", || filled() > before);
            }
            killed(w, &truth, running, 100);
        }
        let before = filled();
        assert!(before > 0 && before < 6_000, "{before} filled: none of the kills met a batch");
        for _ in 0..10 {
            killed(w, &truth, Running::start(&mut w.command(&["backfill"])), 500);
        }
        w.run(&REPORT).ok();
        assert_eq!(told(w, "user_id"), truth);
        assert!(is_indexed(w));
    });
}

#[test]
fn an_index_of_the_sites_own_will_do() {
    each("backfill_own_index", |w| {
        site(w, &["42"]);
        w.run(&["backfill", "--no-index"]).ok();
        w.execute("CREATE INDEX own ON django_session (user_id)");
        let before = schema(w);
        w.run(&REPORT).ok();
        assert_eq!(schema(w), before);
    });
}

#[test]
fn a_column_of_another_type_is_refused() {
    each("backfill_boolean", |w| {
        site(w, &["42"]);
        w.execute("ALTER TABLE django_session ADD COLUMN user_id boolean; ALTER TABLE django_session ADD COLUMN number bigint");
        let before = schema(w);
        let boolean = if w.is_mysql() { "tinyint(1)" } else { "boolean" };
        w.run(&["backfill"]).refuses(1, &[boolean, "user_id"]);
        w.run(&["backfill", "--column", "number", "--type", "uuid"])
            .refuses(2, &["of another type"]);
        assert_eq!(schema(w), before);
    });
}

#[test]
fn locks_of_others_are_waited_for() {
    World::each("backfill_locked", |w| {
        let mut truth = site(w, &["42"]);
        let running = if w.is_sqlite() {
            let holder = rusqlite::Connection::open(w.url()).unwrap();
            holder.execute_batch("BEGIN IMMEDIATE").unwrap();
            let mut running = Running::start(&mut w.command(&REPORT));
            has_opened(w, &mut running);
            std::thread::sleep(Duration::from_millis(1_200));
            assert!(!running.is_over(), "it did not wait");
            holder.execute_batch("COMMIT").unwrap();
            running
        } else if w.is_mysql() {
            let mut holder = w.mysql_client();
            holder.execute("BEGIN; SELECT * FROM django_session");
            let mut running = Running::start(&mut w.command(&REPORT));
            let waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock' AND db = DATABASE()";
            let mut watcher = w.mysql_client();
            eventually("it waits", || watcher.column(waits) != ["0"]);
            // Whoever comes meanwhile waits for a second at most.
            w.row("fedcba98", "x", "2020-01-01 00:00:00");
            truth.insert("fedcba98".into(), None);
            assert!(!running.is_over(), "it did not wait");
            holder.execute("COMMIT");
            running
        } else {
            let mut holder = w.client();
            holder.batch_execute("BEGIN; SELECT FROM django_session").unwrap();
            let mut running = Running::start(&mut w.command(&REPORT));
            let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'django_session'::regclass)";
            let mut watcher = w.client();
            eventually("it waits", || watcher.query_one(waits, &[]).unwrap().get(0));
            std::thread::sleep(Duration::from_millis(1_200));
            assert!(!running.is_over(), "it did not wait");
            holder.batch_execute("COMMIT").unwrap();
            running
        };
        running.end().ok();
        assert_eq!(told(w, "user_id"), truth);
    });
}

#[test]
fn names_of_columns_are_taken_as_they_are() {
    let long = "é".repeat(31) + "x";
    for (number, name) in
        [r#"a"b'; DROP TABLE django_session; --"#, &long, "select", "User Id"].iter().enumerate()
    {
        World::each(&format!("backfill_name_{number}"), |w| {
            let truth = site(w, &["42"]);
            w.run(&["backfill", "--column", name]).ok();
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            assert_eq!(told(w, &quoted), truth);
            let again = w.run(&[&REPORT[..], &["--column", name]].concat()).ok().json();
            assert_eq!(fields(&again, ["filled", "batches"]), [0, 0]);
        });
    }
}

#[test]
fn names_that_are_taken_are_refused() {
    World::each("backfill_taken", |w| {
        site(w, &["42"]);
        let before = schema(w);
        let long = "x".repeat(if w.is_mysql() { 65 } else { 64 });
        for name in ["session_key", "SESSION_DATA", "expire_date", "_rowid_", "ctid", "", &long] {
            w.run(&["backfill", "--column", name]).refuses(2, &["--column"]);
        }
        assert_eq!(schema(w), before);
    });
}

#[test]
fn a_signal_ends_it_and_the_next_run_goes_on() {
    each("backfill_signal", |w| {
        let truth = many(w, 2_000);
        let slowly = [&REPORT[..], &["--batch-size", "10", "--sleep", "100ms"]].concat();
        let mut running = Running::start(&mut w.command(&slowly));
        eventually("the column", || schema(w).iter().any(|item| item.contains("user_id")));
        eventually("a batch", || told(w, "user_id").into_values().flatten().count() > 0);
        running.signal("INT");
        let report = running.end().exits(130).json();
        let filled = told(w, "user_id").into_values().flatten().count();
        assert_eq!((&report["ended"], &report["filled"]), (&json!("interrupted"), &json!(filled)));
        let report = w.run(&REPORT).ok().json();
        assert_eq!(report["filled"], json!(2_000 - filled));
        assert_eq!(told(w, "user_id"), truth);
    });
}

#[test]
fn two_at_once_end_well() {
    each("backfill_two", |w| {
        let truth = many(w, 2_000);
        let [one, two] = [(); 2].map(|()| Running::start(&mut w.command(&REPORT)));
        let filled = [one, two].map(|running| fields(&running.end().ok().json(), ["filled"])[0]);
        assert_eq!(filled[0] + filled[1], 2_000);
        assert_eq!(told(w, "user_id"), truth);
        assert!(is_indexed(w));
    });
}

#[test]
fn a_type_that_the_ids_do_not_fit_is_refused_before_anything_is_altered() {
    World::each("backfill_fit", |w| {
        site(w, &["42", "anna"]);
        let before = schema(w);
        for (how, kind) in [(&[][..], "bigint"), (&["--dry-run"], "bigint"), (&[], "uuid")] {
            w.run(&[&["backfill", "--type", kind], how].concat()).refuses(
                2,
                &[&format!("--type {kind} cannot hold"), "nothing was altered", "leave --type out"],
            );
        }
        assert_eq!(schema(w), before);
        // The key of the users says it where no session does.
        w.execute("DELETE FROM django_session; CREATE TABLE auth_user (id bigint PRIMARY KEY)");
        w.run(&["backfill", "--type", "uuid"]).refuses(2, &["--type uuid cannot hold"]);
        w.run(&["backfill", "--type", "text"]).ok();
    });
}

/// The default path: what backfill makes of the column, and names as the next step, is what the app writes.
#[test]
fn the_app_has_the_type_that_the_column_has() {
    World::each("backfill_next", |w| {
        site(w, &["42", "7"]);
        // Nothing is there yet: the type that backfill would take.
        w.execute("CREATE TABLE auth_user (id bigint PRIMARY KEY)");
        let app = |arguments: &[&str]| w.run(&[&["django-code"], arguments].concat()).ok();
        assert!(app(&[]).stdout.contains("models.BigIntegerField("));
        let ran = w
            .run(&["backfill"])
            .ok()
            .says("Next: `sessctl django-code --column user_id --type bigint`");
        assert!(ran.stdout.ends_with("at every login.\n"), "{ran:#?}");
        w.execute("DROP TABLE auth_user");
        for arguments in [&[][..], &["-d", &w.url()]] {
            assert!(app(arguments).stdout.contains("models.BigIntegerField("));
        }
        assert!(app(&["--type", "text"]).stdout.contains("models.TextField("));
        w.run(&["backfill", "--column", "whose", "--type", "text"]).ok();
        assert!(app(&["--column", "whose"]).stdout.contains("models.TextField("));
        // A database that was named must answer; one of the environment need not.
        program(&["django-code", "-d", "postgres://u@127.0.0.1:1/x"]).ran("").exits(1);
        let ran = program(&["django-code"])
            .env("DATABASE_URL", "postgres://u@127.0.0.1:1/x")
            .ran("")
            .ok();
        assert!(ran.stderr.contains("takes the column for text"), "{ran:#?}");
        let ran = program(&["django-code"]).ran("").ok().says("no database was asked");
        assert!(ran.stdout.contains("models.TextField("));
    });
}

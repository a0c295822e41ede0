//! `purge-expired` and `check`.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::role::Role;
use crate::running::{Running, eventually};
use crate::schemas::LOCK;
use crate::world::{RunToEnd, World, key, program};

/// Rows that expired one a minute, the last one a minute ago, and three that are live.
fn table(w: &World, expired: u32) {
    let minutes_ago = |minutes: i64| {
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
        then.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
    };
    let plain = |time: String| {
        if w.is_sqlite() { time.trim_end_matches("+00").to_owned() } else { time }
    };
    let keys: Vec<String> = (0..expired).map(|_| w.next_key()).collect();
    w.rows(keys.iter().zip(1..).map(|(key, minutes)| (&**key, "x", plain(minutes_ago(minutes)))));
    w.rows(["live1", "live2", "live3"].map(|key| (key, "x", "2099-01-01 00:00:00".to_owned())));
}

fn live(w: &World) {
    assert_eq!(w.session_keys(), ["live1", "live2", "live3"]);
}

#[test]
fn what_has_expired_goes_in_one_line() {
    World::each("purge", |w| {
        table(w, 250);
        w.run(&["purge-expired", "--dry-run"]).ok().says("Dry run: 250 sessions");
        assert_eq!(w.count(), 253);
        let ran = w.run(&["purge-expired", "--batch-size", "100"]).ok();
        assert!(ran.stdout.starts_with("Purged 250 expired sessions in "), "{ran:#?}");
        assert!(ran.stdout.contains(": none is left (3 batches)."), "{ran:#?}");
        assert_eq!((ran.stdout.lines().count(), &*ran.stderr), (1, ""));
        live(w);
        let ran = w.run(&["purge-expired", "--quiet"]).ok();
        assert_eq!((&*ran.stdout, &*ran.stderr), ("", ""));
    });
}

#[test]
fn a_grace_and_a_limit_leave_rows() {
    World::each("purge_grace", |w| {
        table(w, 250);
        let run = |arguments: &[&str]| {
            w.run(&[&["purge-expired", "--format", "json"], arguments].concat()).ok().json()
        };
        let report = run(&["--limit", "50"]);
        assert_eq!(
            (&report["deleted"], &report["left"], &report["ended"]),
            (&json!(50), &json!(200), &json!("limit"))
        );
        assert!(w.session_keys().contains(&key(0)), "the oldest go first");
        // Of the 200 that are left the oldest expired 200 minutes ago.
        let report = run(&["--older-than", "100m30s"]);
        assert_eq!((&report["deleted"], &report["left"]), (&json!(100), &json!(0)));
        let report = run(&["--older-than", "30d"]);
        assert_eq!((&report["deleted"], &report["ended"]), (&json!(0), &json!("done")));
        assert_eq!(w.count(), 103);
    });
}

#[test]
fn when_the_time_is_over_it_says_so() {
    World::each("purge_time", |w| {
        table(w, 30);
        let arguments =
            ["purge-expired", "--batch-size", "10", "--sleep", "1m", "--run-time", "1s"];
        w.run(&arguments).exits(3).says("20 are left, --run-time is over");
        let nice = ["purge-expired", "--batch-size", "1", "--nice", "1000", "--run-time", "1s"];
        w.run(&nice).exits(3).says("--run-time is over");
        w.run(&["purge-expired", "--nice", "-1"]).exits(2);
        w.run(&["purge-expired", "--nice", "NaN"]).exits(2);
    });
}

#[test]
fn a_pause_file_pauses_it() {
    World::each("purge_pause", |w| {
        table(w, 30);
        let file = w.file("pause", "");
        let arguments = ["purge-expired", "--pause-file", &file, "--format", "json"];
        let running = Running::start(&mut w.command(&arguments));
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(w.count(), 33);
        std::fs::remove_file(&file).unwrap();
        let report = running.end().ok().json();
        assert!(report["paused"]["file"].as_f64().unwrap() > 0.5, "{report}");
        live(w);
    });
}

#[test]
fn one_purges_at_a_time() {
    World::each("purge_twice", |w| {
        table(w, 30);
        let file = w.file("pause", "");
        let mut first = Running::start(&mut w.command(&["purge-expired", "--pause-file", &file]));
        eventually("the first has the claim", || {
            assert!(!first.is_over());
            is_claimed(w)
        });
        w.run(&["purge-expired"]).exits(1).says("another sessctl purges");
        w.run(&["purge-expired", "--skip-if-running"]).ok().says("nothing to do");
        let quiet = w.run(&["purge-expired", "--skip-if-running", "-q"]).ok();
        assert_eq!((&*quiet.stdout, &*quiet.stderr), ("", ""));
        std::fs::remove_file(&file).unwrap();
        first.end().ok();
        w.run(&["purge-expired"]).ok();
        live(w);
    });
}

/// A process of this user and of this name that has the lock.
fn process_with_lock(w: &World, user: u32, name: &str) -> Running {
    let lock = w.file("db.sqlite3-sessctl", "");
    std::fs::set_permissions(&lock, PermissionsExt::from_mode(0o666)).unwrap();
    let program = Path::new(&lock).with_file_name(name);
    if !program.exists() {
        std::os::unix::fs::symlink("/usr/bin/flock", &program).unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user.to_string(), "--clear-groups"]);
    let process = Running::start(command.arg(program).args(["-o", &lock, "cat"]));
    eventually("the lock", || File::open(&lock).unwrap().try_lock().is_err());
    process
}

/// A session that calls itself so and has the lock.
fn session_with_lock(url: &str, name: &str) -> postgres::Client {
    let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
    let sql = format!("SET application_name = '{name}'; SELECT pg_advisory_lock({LOCK})");
    client.batch_execute(&sql).unwrap();
    client
}

/// Whoever can take the lock could otherwise keep every purge from its work, for ever and in silence.
#[test]
fn a_stranger_who_holds_the_lock_is_told() {
    let is_told = |w: &World, who: &str| {
        let held = format!("held by {who}");
        for arguments in [&["--skip-if-running"][..], &["--skip-if-running", "--quiet"]] {
            let ran = w.run(&[&["purge-expired"], arguments].concat()).exits(3);
            ran.says("warning: ").says(&held).says("nothing was purged");
        }
        let ran = w.run(&["purge-expired"]).exits(1).says("error: ").says(&held);
        ran.says("hint: find out who that is");
        w.run(&["check", "--max-age", "1m"]).exits(2).says("30 expired");
    };
    let w = World::sqlite("purge_stranger");
    table(&w, 30);
    for (user, name) in [(4711, "sessctl"), (0, "other")] {
        let stranger = process_with_lock(&w, user, name);
        is_told(&w, "process ");
        w.run(&["purge-expired"]).exits(1).says(&format!("of user {user}"));
        drop(stranger);
    }
    let own = process_with_lock(&w, 0, "sessctl");
    w.run(&["purge-expired", "--skip-if-running"]).ok().says("nothing to do");
    drop(own);
    eventually("the lock", || w.run(&["purge-expired"]).code == 0);
    live(&w);

    let w = World::postgres("purge_stranger");
    table(&w, 30);
    let role = Role::new(&w, "stranger");
    for (url, name) in [(role.url(), "sessctl"), (w.url(), "other"), (w.url(), "")] {
        let stranger = session_with_lock(&url, name);
        is_told(&w, "pid ");
        drop(stranger);
    }
    let own = session_with_lock(&w.url(), "sessctl");
    w.run(&["purge-expired", "--skip-if-running"]).ok().says("nothing to do");
    drop(own);
    eventually("the lock", || w.run(&["purge-expired"]).code == 0);
    live(&w);
}

/// Whether one purges.
pub(crate) fn is_claimed(w: &World) -> bool {
    if w.is_sqlite() {
        return Path::new(&format!("{}-sessctl", w.url())).exists();
    }
    if w.is_mysql() {
        let sql = "SELECT IS_USED_LOCK(CONCAT('sessctl-purge-', LEFT(SHA2(LOWER(DATABASE()), 256), 40))) IS NOT NULL";
        return w.mysql_client().column(sql) == ["1"];
    }
    let mut client = postgres::Client::connect(&w.url(), postgres::NoTls).unwrap();
    let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    client.query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn metrics_are_written_whole_and_keep_the_last_success() {
    World::each("purge_metrics", |w| {
        table(w, 30);
        let file = w.file("purge.prom", "");
        let value = |name: &str| -> String {
            let text = std::fs::read_to_string(&file).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).into()
        };
        w.run(&["purge-expired", "--metrics-file", &file]).ok();
        assert_eq!(value("sessctl_purge_deleted_rows"), "30");
        assert_eq!(value("sessctl_purge_expired_rows_left"), "0");
        let success = value("sessctl_purge_last_success_timestamp_seconds");
        let ago =
            jiff::Timestamp::now().as_duration().as_secs_f64() - success.parse::<f64>().unwrap();
        assert!((0.0..60.0).contains(&ago), "{ago}");
        table_again(w);
        let over = ["purge-expired", "--run-time", "0s", "--metrics-file", &file];
        w.run(&over).exits(3);
        assert_eq!(value("sessctl_purge_expired_rows_left"), "1");
        assert_eq!(value("sessctl_purge_oldest_expired_timestamp_seconds"), "1577836800");
        assert_eq!(value("sessctl_purge_last_success_timestamp_seconds"), success);
        for unwritable in ["/nonexistent/x.prom", "/"] {
            w.run(&["purge-expired", "--metrics-file", unwritable])
                .exits(1)
                .says(&format!("cannot write {unwritable}"));
        }
        w.run(&["purge-expired"]).ok().says("Purged 1 expired session");
    });
}

fn table_again(w: &World) {
    w.row("expired1", "x", "2020-01-01 00:00:00");
}

#[test]
fn statistics_can_be_renewed() {
    World::each("purge_analyze", |w| {
        table(w, 30);
        // It is so at the limit too.
        w.run(&["purge-expired", "--analyze", "--limit", "1"]).ok();
        assert!(is_analyzed(w));
        w.run(&["purge-expired", "--analyze"]).ok();
        live(w);
    });
}

fn is_analyzed(w: &World) -> bool {
    if w.is_sqlite() {
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1')";
        return rusqlite::Connection::open(w.url())
            .unwrap()
            .query_row(sql, [], |row| row.get(0))
            .unwrap();
    }
    if w.is_mysql() {
        let sql = "SELECT n_rows FROM mysql.innodb_table_stats WHERE database_name = DATABASE() AND table_name = 'django_session'";
        return w.mysql_client().column(sql) != ["0"];
    }
    let mut client = postgres::Client::connect(&w.url(), postgres::NoTls).unwrap();
    let sql = "SELECT reltuples > 0 FROM pg_class WHERE relname = 'django_session'";
    client.query_one(sql, &[]).unwrap().get(0)
}

#[test]
fn sqlite_without_a_time_zone_loses_nobody() {
    let w = World::sqlite("purge_zone");
    let hours_ago = |hours: i64| {
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        then.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    w.row("maybe-live", "x", &hours_ago(11)).row("surely-expired", "x", &hours_ago(13));
    let ran = program(&["purge-expired", "-d", &w.url()]).ran("").ok();
    assert_eq!(ran.stderr.matches("--db-timezone").count(), 1);
    assert_eq!(w.session_keys(), ["maybe-live"]);
    w.run(&["purge-expired"]).ok();
    assert_eq!(w.count(), 0);
}

#[test]
fn what_is_purged_of_sqlite_is_what_clearsessions_would_delete() {
    let w = World::sqlite("purge_odd_times");
    w.execute(
        "DROP TABLE django_session;
         CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date datetime);
         INSERT INTO django_session VALUES ('number', 'x', 1), ('late', 'x', 4102444800), ('real', 'x', 1e300),
             ('empty', 'x', ''), ('date', 'x', '2020-01-01'), ('t', 'x', '2020-01-01T00:00:00'), ('no', 'x', '-'),
             ('null', 'x', NULL), ('blob', 'x', x'00'), ('soon', 'x', 'soon'), ('live', 'x', '2099-13-45')",
    );
    // The same condition as Django's.
    let expired = w.keys_in("django_session WHERE expire_date < '2026-11-22 01:57:46'").len();
    assert_eq!(expired, 7);
    w.run(&["purge-expired", "--dry-run"]).ok().says("Dry run: 7 sessions");
    w.run(&["purge-expired", "--limit", "2"]).ok().says("5 are left");
    w.run(&["purge-expired"]).ok().says("Purged 5 expired sessions").says("none is left");
    assert_eq!(w.session_keys(), ["blob", "live", "null", "soon"]);
}

#[test]
fn postgres_columns_without_a_time_zone_are_refused() {
    let w = World::postgres("purge_timestamp");
    w.execute("ALTER TABLE django_session ALTER COLUMN expire_date TYPE timestamp");
    w.row("old", "x", "2020-01-01 00:00:00");
    w.run(&["purge-expired"]).exits(1).says("no timestamp with time zone");
    w.run(&["purge-expired", "--dry-run"]).exits(1);
    assert_eq!(w.count(), 1);
    // Who may be logged in somewhere on earth is logged out.
    w.user("42", 2);
    let ago = |hours: u32| {
        w.execute(&format!(
            "UPDATE django_session SET expire_date = timezone('UTC', now()) - INTERVAL '{hours} hours' WHERE expire_date > '2090-01-01'"
        ));
    };
    ago(11);
    w.run(&["logout-user", "42"]).ok().says("2 sessions deleted, none is left");
    w.user("42", 2);
    ago(13);
    w.run(&["logout-user", "42"]).ok().says("0 sessions deleted, none is left");
}

#[test]
fn texts_that_are_no_text_keep_nothing_from_being_purged_in_sqlite() {
    let w = World::sqlite("purge_no_text");
    w.execute("INSERT INTO django_session VALUES ('odd', 'x', CAST(x'31ff' AS TEXT))");
    table(&w, 30);
    w.run(&["check", "--max-age", "1m"]).exits(2).says("31 expired").says("30 minutes");
    w.run(&["purge-expired"]).ok().says("Purged 31");
    live(&w);
}

#[test]
fn another_name_of_a_database_is_the_same_database() {
    let w = World::sqlite("purge_link");
    table(&w, 30);
    let link = w.file("link", "");
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(w.url(), &link).unwrap();
    let file = w.file("pause", "");
    let mut first = Running::start(&mut w.command(&["purge-expired", "--pause-file", &file]));
    eventually("the first has the claim", || {
        assert!(!first.is_over());
        is_claimed(&w)
    });
    w.run(&["purge-expired", "-d", &link]).exits(1).says("another sessctl purges");
    std::fs::remove_file(&file).unwrap();
    first.end().ok();
}

#[test]
fn check_speaks_nagios() {
    World::each("check", |w| {
        w.run(&["check"])
            .ok()
            .says("SESSIONS OK - 0 expired sessions | expired=0;;;0 oldest=0s;172800;345600;0");
        table(w, 30);
        let line = w.run(&["check", "--max-expired", "30", "--max-age", "1h"]).exits(0);
        assert_eq!((line.stdout.lines().count(), &*line.stderr), (1, ""));
        w.run(&["check", "--max-expired", "29"]).exits(1).says("SESSIONS WARNING - 30 expired");
        w.run(&["check", "--max-expired", "14"]).exits(2).says("SESSIONS CRITICAL");
        w.run(&["check", "--max-age", "20m"]).exits(1).says("the oldest for 30 minutes");
        w.run(&["check", "--max-age", "10m"]).exits(2);
        w.run(&["check", "--max-age", "soon"]).exits(3).says("SESSIONS UNKNOWN");
        for mistake in ["--max-expired=some", "--bogus"] {
            let line = w.run(&["check", mistake]).exits(3).says("SESSIONS UNKNOWN - ");
            assert_eq!((line.stdout.lines().count(), &*line.stderr), (1, ""));
        }
        w.run(&["check", "--table", "nosuch"]).exits(3).says("SESSIONS UNKNOWN - no table");
    });
}

#[test]
fn replicas_are_postgres_own() {
    let w = World::sqlite("purge_lag");
    w.run(&["purge-expired", "--max-lag", "5s"]).exits(2).says("SQLite has no replicas");
}

#[test]
fn the_time_may_be_over_while_a_lock_is_waited_for() {
    World::each("purge_waits", |w| {
        table(w, 30);
        let run = || {
            let ran = w.run(&["purge-expired", "--run-time", "1s"]).exits(3);
            ran.says("30 are left").says("--run-time is over");
        };
        if w.is_sqlite() {
            let holder = rusqlite::Connection::open(w.url()).unwrap();
            holder.execute_batch("BEGIN IMMEDIATE").unwrap();
            run();
        } else if w.is_mysql() {
            let mut holder = w.mysql_client();
            holder.execute("BEGIN; SELECT * FROM django_session FOR UPDATE");
            run();
        } else {
            let mut holder = w.client();
            holder.batch_execute("BEGIN; LOCK TABLE django_session IN EXCLUSIVE MODE").unwrap();
            run();
        }
        w.run(&["purge-expired"]).ok();
    });
}

#[test]
fn what_the_database_does_to_rows_that_refer_to_sessions_is_told() {
    World::each("purge_cascade", |w| {
        w.execute("CREATE TABLE carts (id integer, session varchar(40) REFERENCES django_session ON DELETE CASCADE)");
        table(w, 30);
        for dry_run in [&["--dry-run"][..], &[]] {
            w.run(&[&["purge-expired"], dry_run].concat())
                .ok()
                .says("carts refers to sessions ON DELETE CASCADE");
        }
    });
}

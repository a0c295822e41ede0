//! `--delete-references`: rows of other tables that refer to sessions go with them, in the same transaction.
//! On a real site: `tests/django/referring_site.py`. What it shares with `--cleanup-allauth` is in `allauth.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::django::run;
use crate::mysql_privileges::Account;
use crate::mysql_server::MySqlDatabase;
use crate::references::refer;
use crate::role::Role;
use crate::running::{Running, eventually};
use crate::support::{fresh_database, mysql_url};
use crate::world::World;

const DEVICE: [&str; 2] = ["--delete-references", "device.session_id"];
const LOGOUT: [&str; 4] = ["logout-user", "42", "--format", "json"];

fn with<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

/// How many rows a table has.
fn rows(w: &World, table: &str) -> usize {
    w.keys_in(&format!("(SELECT 'row' AS session_key FROM {table}) AS all_of_it")).len()
}

/// A table with a foreign key, as Django makes it, and a row for each session of which this is true.
fn devices(w: &World, which: &str) {
    refer(w, "device", "DEFERRABLE INITIALLY DEFERRED", which);
}

/// A table with names that have to be quoted, and two rows for each session, without a foreign key.
fn odd(w: &World) {
    let sql = "CREATE TABLE \"My.Log\" (\"Session Key\" varchar(40));
               INSERT INTO \"My.Log\" SELECT session_key FROM django_session;
               INSERT INTO \"My.Log\" SELECT session_key FROM django_session;
               CREATE INDEX log_key ON \"My.Log\" (\"Session Key\")";
    w.execute(&if w.is_mysql() { sql.replace('"', "`") } else { sql.to_owned() });
}

fn odd_rows(w: &World) -> usize {
    rows(w, if w.is_mysql() { "`My.Log`" } else { "\"My.Log\"" })
}

/// The key of some session that expired.
fn expired_key(w: &World) -> String {
    w.session_keys().into_iter().find(|key| key.starts_with("expired-")).unwrap()
}

const ODD: [&str; 2] = ["--delete-references", "\"My.Log\".\"Session Key\""];

#[test]
fn rows_of_two_tables_go_with_their_sessions_and_no_others() {
    for (number, how) in [
        "",
        "ON DELETE RESTRICT",
        "DEFERRABLE INITIALLY DEFERRED",
        "ON DELETE CASCADE",
        "ON DELETE SET NULL",
    ]
    .into_iter()
    .enumerate()
    {
        let test = |w: &World| {
            w.user("42", 5).user("7", 2).live(1);
            refer(w, "device", how, "1 = 1");
            odd(w);
            let both = with(&[&LOGOUT, &DEVICE, &ODD, &["--batch-size", "2"]]);
            let dry = w.run(&with(&[&both, &["--dry-run"]])).ok().json();
            let report = |rows: [u32; 2], left: Value| {
                json!([{"table": "device", "column": "session_id", "rows": rows[0], "left": left},
                       {"table": "My.Log", "column": "Session Key", "rows": rows[1], "left": left}])
            };
            assert_eq!(dry["references_deleted"], report([5, 10], Value::Null), "{how}");
            assert_eq!(
                (&dry["matched"], &dry["referenced"]),
                (&json!(5), &json!(0)),
                "{how}: {dry}"
            );
            assert_eq!((w.count(), rows(w, "device"), odd_rows(w)), (8, 8, 16));
            let told = w.run(&both).ok().json();
            assert_eq!(told["references_deleted"], report([5, 10], json!(0)), "{how}");
            assert_eq!(
                (&told["deleted"], &told["remaining"], &told["batches"]),
                (&json!(5), &json!(0), &json!(3))
            );
            assert_eq!(told["allauth_deleted"], Value::Null);
            assert_eq!((w.count(), rows(w, "device"), odd_rows(w)), (3, 3, 6));
            w.run(&with(&[&["logout-user", "7"], &DEVICE, &ODD]))
                .ok()
                .says("2 rows of device deleted with them.")
                .says("4 rows of My.Log deleted with them.");
        };
        let name = format!("refs_two_{number}");
        // InnoDB makes no column that is NOT NULL and may become NULL.
        if how.contains("SET NULL") {
            World::each_but_mysql(&name, test);
        } else {
            World::each(&name, test);
        }
    }
}

#[test]
fn the_other_commands_take_them_too() {
    World::each("refs_commands", |w| {
        w.user("42", 2).live(3).expired(40);
        devices(w, "1 = 1");
        let purge = with(&[&["purge-expired", "--format", "json"], &DEVICE]);
        w.run(&["purge-expired"])
            .exits(3)
            .says("--delete-references device.session_id deletes these rows of device with them");
        let dry = w.run(&with(&[&purge, &["--dry-run"]])).ok().json();
        assert_eq!((&dry["left"], &dry["referenced"]), (&json!(40), &json!(0)), "{dry}");
        assert_eq!(dry["references_deleted"][0]["rows"], 40, "{dry}");
        w.run(&with(&[&["purge-expired", "--dry-run"], &DEVICE]))
            .ok()
            .says("40 rows of device would be deleted with them.");
        let told = w.run(&with(&[&purge, &["--batch-size", "7", "--limit", "20"]])).ok().json();
        assert_eq!(
            (&told["deleted"], &told["references_deleted"][0]["rows"]),
            (&json!(20), &json!(20)),
            "{told}"
        );
        assert_eq!((w.count(), rows(w, "device")), (25, 25));
        w.run(&with(&[&["purge-expired"], &DEVICE]))
            .ok()
            .says("20 rows of device deleted with them.");
        let delete = with(&[&["delete", "--logged-in", "--yes", "--format", "json"], &DEVICE]);
        let told = w.run(&with(&[&delete, &["--dry-run"]])).json();
        assert_eq!(told["references_deleted"][0]["rows"], 2, "{told}");
        let told = w.run(&delete).json();
        assert_eq!(
            (&told["deleted"], &told["references_deleted"][0]["rows"]),
            (&json!(2), &json!(2)),
            "{told}"
        );
        w.live(2);
        w.execute("INSERT INTO device SELECT 3, session_key FROM django_session WHERE session_key LIKE 'live-%'");
        w.run_without_key(&with(&[&["flush-all", "--yes", "--dry-run"], &DEVICE]))
            .ok()
            .says("8 rows of device would be deleted with them.");
        w.run_without_key(&with(&[&["flush-all", "--yes"], &DEVICE]))
            .ok()
            .says("8 rows of device deleted with them.");
        assert_eq!((w.count(), rows(w, "device")), (0, 0));
    });
}

#[test]
fn sessions_that_the_user_column_finds_take_their_rows_along() {
    World::each("refs_column", |w| {
        w.user("42", 3).user("7", 2);
        devices(w, "1 = 1");
        w.run(&["backfill"]).ok();
        let report = w.run(&with(&[&LOGOUT, &DEVICE, &["--trust-column"]])).ok().json();
        assert_eq!(
            (&report["user_column"], &report["deleted"]),
            (&json!("user_id"), &json!(3)),
            "{report}"
        );
        assert_eq!((&report["references_deleted"][0]["rows"], rows(w, "device")), (&json!(3), 2));
        let one = w.session_keys().remove(0);
        let report = with(&[&["delete", "--session", &one[..12], "--format", "json"], &DEVICE]);
        assert_eq!(w.run(&report).ok().json()["references_deleted"][0]["rows"], 1);
    });
}

/// Its row cannot go since another one refers to that: so the session stays, with all that refers to it.
#[test]
fn what_refers_to_a_row_keeps_it_with_its_session_and_the_rows_of_other_tables() {
    World::each("refs_referred", |w| {
        w.user("42", 9).expired(9);
        w.execute(
            "CREATE TABLE device (number integer PRIMARY KEY, session_key varchar(40) NOT NULL,
                 FOREIGN KEY (session_key) REFERENCES django_session (session_key));
             INSERT INTO device SELECT row_number() OVER (ORDER BY session_key), session_key FROM django_session;
             CREATE TABLE alarm (device integer, FOREIGN KEY (device) REFERENCES device (number))",
        );
        odd(w);
        let (live, expired) = (w.live_keys()[3].clone(), expired_key(w));
        for key in [&live, &expired] {
            w.execute(&format!(
                "INSERT INTO alarm SELECT number FROM device WHERE session_key = '{key}'"
            ));
        }
        let tables =
            with(&[&["--format", "json", "--delete-references", "device.session_key"], &ODD]);
        for (command, kept) in [(&["purge-expired"][..], &expired), (&["logout-user", "42"], &live)]
        {
            let told = w.run(&with(&[command, &tables])).exits(3).json();
            assert_eq!((&told["deleted"], &told["referenced"]), (&json!(8), &json!(1)), "{told}");
            assert!(told["referenced_by"][0].as_str().unwrap().contains(if w.is_sqlite() {
                "another"
            } else {
                "alarm"
            }));
            assert_eq!(told["references_deleted"][0]["rows"], 8, "{told}");
            assert_eq!(told["references_deleted"][1]["rows"], 16, "{told}");
            assert!(w.session_keys().contains(kept) && w.keys_in("device").contains(kept));
        }
        assert_eq!((w.count(), w.keys_in("device"), odd_rows(w)), (2, w.session_keys(), 4));
    });
}

/// That fails half way, again and again, and leaves no half.
#[test]
fn what_fails_is_undone_with_the_session_and_all_rows() {
    World::each("refs_fails", |w| {
        w.user("42", 6);
        devices(w, "1 = 1");
        odd(w);
        let kept = &w.session_keys()[3];
        w.forbids_delete("django_session", &format!("OLD.session_key = '{kept}'"), "no");
        let ran = w.run(&with(&[&LOGOUT, &DEVICE, &ODD, &["--batch-size", "2"]])).exits(1);
        let left = w.count();
        assert!((1..6).contains(&left) && w.session_keys().contains(kept), "{ran:#?}");
        assert_eq!((rows(w, "device"), odd_rows(w)), (left, 2 * left));
        assert_eq!(ran.json()["references_deleted"][0]["rows"], 6 - left);
    });
}

/// MariaDB has no such triggers.
#[test]
fn a_trigger_that_keeps_a_session_or_a_row_is_not_passed_over_in_silence() {
    World::each_but_mysql("refs_kept", |w| {
        w.user("42", 6).expired(6);
        devices(w, "1 = 1");
        odd(w);
        let kept = w.live_keys()[1].clone();
        let expired = expired_key(w);
        w.keeps_rows(&format!("OLD.session_key IN ('{kept}', '{expired}')"));
        let all = with(&[&DEVICE, &ODD]);
        let told = w.run(&with(&[&LOGOUT, &all])).exits(3).json();
        assert_eq!((&told["deleted"], &told["not_deleted"]), (&json!(5), &json!(1)), "{told}");
        assert_eq!(told["references_deleted"][0]["rows"], 5, "{told}");
        let told = w.run(&with(&[&["purge-expired", "--format", "json"], &all])).exits(3).json();
        assert_eq!((&told["deleted"], &told["left"]), (&json!(5), &json!(1)), "{told}");
        assert_eq!((w.count(), rows(w, "device"), odd_rows(w)), (2, 2, 4));
        // Nothing but the trigger keeps these.
        w.execute("CREATE TABLE visit (session_id varchar(40))");
        w.user("7", 2).execute("INSERT INTO visit SELECT session_key FROM django_session");
        w.execute(if w.is_sqlite() {
            "CREATE TRIGGER keep_visit BEFORE DELETE ON visit BEGIN SELECT RAISE(IGNORE); END"
        } else {
            "CREATE TRIGGER keep_visit BEFORE DELETE ON visit FOR EACH ROW EXECUTE FUNCTION keep()"
        });
        let visit = ["logout-user", "7", "--delete-references", "visit.session_id"];
        for more in [&[][..], &["--no-verify"]] {
            let ran =
                w.run(&with(&[&visit, more])).exits(3).says("0 rows of visit deleted with them");
            ran.says(
                "2 rows of visit refer to sessions that were deleted: a trigger keeps such rows",
            );
            w.user("7", 2).execute("INSERT INTO visit SELECT session_key FROM django_session");
        }
    });
}

#[test]
fn what_cannot_be_done_is_said_before_anything_goes() {
    World::each("refs_no_sense", |w| {
        w.user("42", 2);
        devices(w, "1 = 1");
        odd(w);
        w.execute("CREATE TABLE shop_visit (id integer, session_key varchar(40)); CREATE VIEW shown AS SELECT session_id FROM device; \
             CREATE TABLE people (password varchar(128), last_login varchar(40), last_session varchar(40))");
        for (column, why) in [
            (
                "devices.session_id",
                &["there is no table devices beside the session table", "there is a table device"]
                    [..],
            ),
            ("visit.session_key", &["there is no table visit", "there is a table shop_visit"]),
            (
                "Device.session_id",
                if w.is_sqlite() || w.is_mysql() { &[][..] } else { &["there is a table device"] },
            ),
            ("nothing_of_the_kind.x", &["there is no table nothing_of_the_kind", "APP_MODEL"]),
            ("nowhere.device.session_id", &["there is no table nowhere.device"]),
            (
                "device.session_key",
                &["table device has no column session_key", "its columns of texts are session_id"],
            ),
            ("device.SESSION_ID", &["has no column SESSION_ID", "it has a column session_id"]),
            ("shop_visit.id", &["column id of table shop_visit holds no texts"]),
            ("django_session.session_data", &["django_session is the session table itself"]),
            (
                "people.last_session",
                &["table people holds users: their accounts would go", "SET last_session = NULL"],
            ),
            (
                "device",
                &["expected TABLE.COLUMN or SCHEMA.TABLE.COLUMN", "shop_device.session_key"],
            ),
            ("My.Log.Session Key.x", &["expected TABLE.COLUMN"]),
            ("", &["expected TABLE.COLUMN"]),
        ] {
            for command in [
                &["logout-user", "42"][..],
                &["flush-all", "--yes"],
                &["purge-expired", "--dry-run"],
            ] {
                if !why.is_empty() {
                    w.run(&with(&[command, &["--delete-references", column]])).refuses(2, why);
                }
            }
        }
        w.run(&["logout-user", "42", "--delete-references", "shown.session_id", "--superuser-ok"])
            .refuses(1, &["it is a view"]);
        for (more, why) in [
            (&["logout-user", "42", "--keep-data"][..], "cannot be combined with --keep-data"),
            (&["flush-all", "--yes", "--keep-data"], "cannot be combined with --keep-data"),
            (&["flush-all", "--yes", "--truncate"], "cannot be combined with --truncate"),
        ] {
            w.run(&with(&[more, &DEVICE])).refuses(2, &[why]);
        }
        assert_eq!((w.count(), rows(w, "device")), (2, 2));
        // One that is named twice is deleted once.
        let report = w.run(&with(&[&LOGOUT, &DEVICE, &DEVICE])).ok().json();
        assert_eq!(report["references_deleted"].as_array().unwrap().len(), 1);
    });
}

/// What goes would take the sessions that refer to it: others than those that were asked for.
#[test]
fn a_table_to_which_sessions_refer_is_refused_where_it_would_take_them() {
    World::each("refs_cascade", |w| {
        w.user("7", 1).expired(2);
        let key = expired_key(w);
        w.execute(&format!(
            "CREATE TABLE laptop (id varchar(40) PRIMARY KEY, session_key varchar(40)); INSERT INTO laptop VALUES ('one', '{key}')"
        ));
        let (column, refers) =
            ("laptop_id varchar(40)", "REFERENCES laptop (id) ON DELETE CASCADE");
        w.execute(&if w.is_sqlite() {
            format!("ALTER TABLE django_session ADD COLUMN {column} {refers}")
        } else {
            format!(
                "ALTER TABLE django_session ADD COLUMN {column}, ADD FOREIGN KEY (laptop_id) {refers}"
            )
        });
        w.execute("UPDATE django_session SET laptop_id = 'one' WHERE expire_date > '2090-01-01'");
        for command in [&["purge-expired"][..], &["purge-expired", "-n"], &["logout-user", "42"]] {
            let command = with(&[command, &["--delete-references", "laptop.session_key"]]);
            w.run(&command).refuses(2, &["sessions refer to table laptop ON DELETE CASCADE"]);
        }
        assert_eq!((w.count(), rows(w, "laptop")), (3, 1));
        w.run(&["purge-expired"]).ok();
        assert_eq!((w.count(), rows(w, "laptop")), (1, 1));
    });
}

/// The statement that the warning names makes the index.
#[test]
fn a_column_without_an_index_is_warned_of() {
    World::each("refs_index", |w| {
        w.user("42", 2).user("7", 1);
        w.execute("CREATE TABLE visit (session_id varchar(40)); INSERT INTO visit SELECT session_key FROM django_session");
        let visit = ["--delete-references", "visit.session_id"];
        let ran = w.run(&with(&[&["logout-user", "7"], &visit])).ok();
        let (_, said) = ran
            .stderr
            .split_once("visit.session_id has no index: each batch reads the whole table visit (a larger --batch-size has fewer). ")
            .unwrap();
        w.execute(&said.split_once(" makes one").unwrap().0.replace(" CONCURRENTLY", ""));
        let ran =
            w.run(&with(&[&["logout-user", "42"], &visit])).ok().says("2 rows of visit deleted");
        assert!(!ran.stderr.contains("has no index"), "{ran:#?}");
        assert_eq!(rows(w, "visit"), 0);
    });
}

#[test]
fn a_role_that_lacks_a_right_is_told_which() {
    let w = World::postgres("refs_role");
    w.user("42", 2);
    devices(&w, "1 = 1");
    let role = Role::new(&w, "refs");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    let logout = with(&[&["logout-user", "42"], &DEVICE]);
    role.run(&logout)
        .refuses(1, &["permission denied for table device", "GRANT DELETE ON \"device\" TO "]);
    w.execute(&format!("GRANT SELECT ON device TO {}", role.name));
    role.run(&logout).refuses(1, &["hint: GRANT DELETE ON \"device\" TO "]);
    w.execute("ALTER TABLE device ENABLE ROW LEVEL SECURITY");
    role.run(&logout).refuses(1, &["row security hides rows"]);
    w.execute(&format!(
        "ALTER TABLE device DISABLE ROW LEVEL SECURITY; GRANT DELETE ON device TO {}",
        role.name
    ));
    assert_eq!((w.count(), rows(&w, "device")), (2, 2));
    role.run(&logout).ok().says("2 rows of device deleted with them");

    let w = World::mysql("refs_account");
    w.user("42", 2);
    devices(&w, "1 = 1");
    let account = Account::new(&w, "refs");
    let run = |arguments: &[&str]| w.run(&with(&[arguments, &["-d", &account.url()]]));
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}@'%'", account.name));
    run(&logout).refuses(1, &["denied to user", "`device`"]);
    w.execute(&format!("GRANT SELECT ON device TO {}@'%'", account.name));
    run(&logout)
        .refuses(1, &["DELETE command denied to user", "`device`", "grant the account DELETE"]);
    assert_eq!((w.count(), rows(&w, "device")), (2, 2));
    w.execute(&format!("GRANT DELETE ON device TO {}@'%'", account.name));
    run(&logout).ok().says("2 rows of device deleted with them");
}

/// A request writes a row for a session while the batch waits for its lock: the row goes, too.
#[test]
fn a_row_that_comes_meanwhile_goes_too() {
    const COMES: &str = "INSERT INTO device SELECT 1, session_key FROM django_session";
    let w = World::postgres("refs_comes");
    w.user("42", 1);
    refer(&w, "device", "", "1 = 0");
    let logout = with(&[&LOGOUT, &DEVICE]);
    let mut site = w.client();
    let mut request = site.transaction().unwrap();
    request.batch_execute(COMES).unwrap();
    let command = || {
        let mut command = w.command(&logout);
        Running::start(command.env("SESSCTL_SECRET_KEY", crate::world::SECRET_KEY))
    };
    let running = command();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    eventually("a wait", || w.client().query_one(waits, &[]).unwrap().get::<_, i64>(0) > 0);
    request.commit().unwrap();
    let report = running.end().ok().json();
    assert_eq!(
        (&report["deleted"], &report["references_deleted"][0]["rows"]),
        (&json!(1), &json!(1)),
        "{report}"
    );
    assert_eq!((w.count(), rows(&w, "device")), (0, 0));

    World::each_mysql("refs_comes", |w| {
        w.user("42", 1);
        refer(w, "device", "", "1 = 0");
        let mut request = w.mysql_client();
        request.execute("START TRANSACTION");
        request.execute(COMES);
        let mut command = w.command(&logout);
        let running = Running::start(command.env("SESSCTL_SECRET_KEY", crate::world::SECRET_KEY));
        let waits = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
        eventually("a wait", || {
            // It shows news only to who has not asked for a while.
            std::thread::sleep(Duration::from_millis(200));
            !w.mysql_client().query(waits).is_empty()
        });
        request.execute("COMMIT");
        let report = running.end().ok().json();
        assert_eq!(
            (&report["deleted"], &report["references_deleted"][0]["rows"]),
            (&json!(1), &json!(1)),
            "{report}"
        );
    });
}

/// A request of the site logs out as Django does: the rows that refer first, then the session. It is not the one that the
/// database ends, where both wait for each other.
#[test]
fn the_sites_own_logout_does_not_fail() {
    let w = World::postgres("refs_deadlock");
    w.user("42", 1);
    devices(&w, "1 = 1");
    w.execute("CREATE TABLE visit (session_id varchar(40)); INSERT INTO visit SELECT session_key FROM django_session");
    let (mut site, mut other) = (w.client(), w.client());
    site.batch_execute("BEGIN; DELETE FROM device").unwrap();
    // The batch has the session already, and waits here, so that the request waits first.
    other.batch_execute("BEGIN; UPDATE visit SET session_id = session_id").unwrap();
    let visit = ["--delete-references", "visit.session_id"];
    let mut command = w.command(&with(&[&LOGOUT, &visit, &DEVICE]));
    let running = Running::start(command.env("SESSCTL_SECRET_KEY", crate::world::SECRET_KEY));
    let waiting = || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        w.client().query_one(sql, &[]).unwrap().get::<_, i64>(0)
    };
    eventually("a wait", || waiting() > 0);
    let request =
        std::thread::spawn(move || site.batch_execute("DELETE FROM django_session; COMMIT"));
    eventually("the request waits, too", || waiting() > 1 || request.is_finished());
    other.batch_execute("COMMIT").unwrap();
    request.join().unwrap().unwrap();
    // The request ended the session, and knows nothing of its visits.
    let report = running.end().exits(3).json();
    assert_eq!((&report["deleted"], &report["remaining"]), (&json!(0), &json!(0)), "{report}");
    assert_eq!(report["references_deleted"][0]["left"], 1, "{report}");
    World::each_mysql("refs_deadlock", |w| {
        w.user("42", 30);
        devices(w, "1 = 1");
        let last = w.session_keys().pop().unwrap();
        let mut command = w.command(&with(&[&LOGOUT, &DEVICE]));
        let command = command.env("SESSCTL_SECRET_KEY", crate::world::SECRET_KEY);
        let mut request = w.mysql_client();
        request.execute("START TRANSACTION");
        request.execute(&format!("DELETE FROM device WHERE session_id = '{last}'"));
        let running = Running::start(command);
        let waits = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
        eventually("a wait", || {
            // It shows news only to who has not asked for a while.
            std::thread::sleep(Duration::from_millis(200));
            !w.mysql_client().query(waits).is_empty()
        });
        // The server ends the transaction that has changed fewer rows.
        request.execute(&format!("DELETE FROM django_session WHERE session_key = '{last}'"));
        request.execute("COMMIT");
        running.end().ok();
    });
}

#[test]
fn killed_at_any_moment_it_leaves_each_session_with_its_rows() {
    World::each("refs_kill", |w| {
        devices(w, "1 = 1");
        w.execute("CREATE INDEX device_session ON device (session_id)");
        let mut amid = 0;
        for delay in [0, 20, 60] {
            w.user("42", 150);
            w.execute(
                "DELETE FROM device; INSERT INTO device SELECT 1, session_key FROM django_session",
            );
            let before = w.count();
            let mut command = w.command(&with(&[&LOGOUT, &DEVICE, &["--batch-size", "2"]]));
            let mut running = Running::start(&mut command);
            eventually("a delete", || w.count() < before);
            std::thread::sleep(Duration::from_millis(delay));
            running.child().kill().unwrap();
            running.child().wait().unwrap();
            // The server may be at the last batch still.
            eventually("nothing more goes", || {
                let now = w.count();
                std::thread::sleep(Duration::from_millis(50));
                w.count() == now
            });
            assert_eq!(rows(w, "device"), w.count());
            amid += u32::from(w.count() > 0);
        }
        assert!(amid > 0, "each time it was over before it was killed");
    });
}

/// A purge leaves a session that somebody has locked, and its rows, and takes the others.
#[test]
fn a_locked_session_stays_with_its_rows() {
    let test = |w: &World, lock: &mut dyn FnMut(&str)| {
        w.expired(30);
        devices(w, "1 = 1");
        let locked = expired_key(w);
        lock(&locked);
        let purge = with(&[&["purge-expired", "--format", "json"], &DEVICE]);
        let told = w.run(&purge).exits(3).json();
        assert_eq!((&told["deleted"], &told["left"]), (&json!(29), &json!(1)), "{told}");
        assert_eq!(told["references_deleted"][0]["rows"], 29, "{told}");
        assert_eq!((w.session_keys(), rows(w, "device")), (vec![locked], 1));
    };
    let w = World::postgres("refs_locked");
    let mut site = w.client();
    test(&w, &mut |key| {
        site.batch_execute(&format!(
            "BEGIN; SELECT FROM django_session WHERE session_key = '{key}' FOR UPDATE"
        ))
        .unwrap();
    });
    World::each_mysql("refs_locked", |w| {
        let mut site = w.mysql_client();
        test(w, &mut |key| {
            site.execute("START TRANSACTION");
            site.query(&format!(
                "SELECT 1 FROM django_session WHERE session_key = '{key}' FOR UPDATE"
            ));
        });
    });
}

/// Where two tenants have tables of their own, each has its own rows.
#[test]
fn every_schema_has_its_own_table() {
    let w = World::postgres("refs_schemas");
    w.user("42", 2);
    devices(&w, "1 = 1");
    w.execute(
        "CREATE SCHEMA tenant; CREATE TABLE tenant.django_session (LIKE django_session INCLUDING ALL);
         INSERT INTO tenant.django_session SELECT * FROM django_session;
         CREATE TABLE tenant.device (session_id varchar(40) REFERENCES tenant.django_session);
         INSERT INTO tenant.device SELECT session_key FROM django_session",
    );
    let report = w.run(&with(&[&LOGOUT, &DEVICE, &["--all-schemas", "--yes"]])).ok().json();
    assert_eq!(
        (&report["deleted"], &report["references_deleted"][0]["rows"]),
        (&json!(4), &json!(4)),
        "{report}"
    );
    assert_eq!(report["schemas"][1]["references_deleted"][0]["rows"], 2, "{report}");
    assert_eq!((rows(&w, "device"), rows(&w, "tenant.device")), (0, 0));
    // One that is elsewhere is named with its schema.
    w.user("42", 1);
    w.execute("CREATE TABLE tenant.visit (key text); INSERT INTO tenant.visit SELECT session_key FROM django_session");
    let report = w.run(&with(&[&LOGOUT, &["--delete-references", "tenant.visit.key"]])).ok().json();
    assert_eq!(
        report["references_deleted"],
        json!([{"table": "tenant.visit", "column": "key", "rows": 1, "left": 0}])
    );
}

#[test]
fn a_table_without_transactions_is_refused() {
    let w = World::mysql("refs_myisam");
    w.user("42", 1);
    w.execute("CREATE TABLE visit (session_key varchar(40)) ENGINE=MyISAM");
    let logout = ["logout-user", "42", "--delete-references", "visit.session_key"];
    w.run(&logout).refuses(1, &["MyISAM has no transactions"]);
    w.execute("ALTER TABLE visit ENGINE=InnoDB; ALTER TABLE django_session ENGINE=MyISAM");
    w.run(&logout).refuses(1, &["MyISAM has no transactions"]);
    assert_eq!(w.count(), 1);
    w.execute("ALTER TABLE django_session ENGINE=InnoDB");
    w.run(&logout).ok();
}

/// Tables of one name in two databases of a server are two tables.
#[test]
fn a_table_of_that_name_in_another_mysql_database_is_another_one() {
    World::each_mysql("refs_other", |w| {
        w.user("42", 2);
        devices(w, "1 = 1");
        let url = w.url();
        let (_, own) = url.rsplit_once('/').unwrap();
        let other = MySqlDatabase::create(&url, &format!("{own}_x"));
        let (_, elsewhere) = other.url.rsplit_once('/').unwrap();
        w.execute(&format!(
            "CREATE TABLE {elsewhere}.device AS SELECT * FROM device; \
             CREATE TABLE {elsewhere}.django_session AS SELECT * FROM django_session"
        ));
        let run = |column: &str, more: &[&str]| {
            w.run(&with(&[&LOGOUT, &["--delete-references", column], more]))
        };
        // The foreign key of its own `device` still keeps both sessions.
        for column in ["device.session_id", "django_session.session_key"] {
            let column = format!("{elsewhere}.{column}");
            let report = run(&column, &["--dry-run"]).exits(3).json();
            assert_eq!(report["referenced"], 2, "{report}");
            let report = run(&column, &[]).exits(3).json();
            assert_eq!(
                (&report["deleted"], &report["referenced"]),
                (&json!(0), &json!(2)),
                "{report}"
            );
        }
        run(&format!("{own}.django_session.session_key"), &[])
            .refuses(2, &["is the session table itself"]);
        let report = run(&format!("{own}.device.session_id"), &[]).ok().json();
        assert_eq!((&report["deleted"], &report["remaining"]), (&json!(2), &json!(0)), "{report}");
        assert_eq!(rows(w, &format!("{elsewhere}.device")), 2);
    });
}

#[test]
fn on_a_real_site_with_sqlite() {
    run("referring_site.py", "5.2", &[]);
}

#[test]
fn on_a_real_site_with_postgres() {
    let database = fresh_database("site_referring");
    run("referring_site.py", "5.2", &["--server-url", &database.url]);
}

#[test]
fn on_a_real_site_with_mariadb() {
    let database = MySqlDatabase::create(&mysql_url(), "site_referring");
    run("referring_site.py", "5.2", &["--server-url", &database.url]);
}

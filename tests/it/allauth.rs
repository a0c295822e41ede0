//! `--cleanup-allauth`: rows that django-allauth has for sessions go with them, in the same transaction. On a real site:
//! `tests/django/allauth_sessions.py`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::django::run;
use crate::role::Role;
use crate::running::{Running, eventually};
use crate::support::fresh_database;
use crate::world::World;

const TABLE: &str =
    "CREATE TABLE usersessions_usersession (session_key varchar(40) NOT NULL UNIQUE)";
const LOGOUT: [&str; 5] = ["logout-user", "42", "--cleanup-allauth", "--format", "json"];

/// The table, with a row for each session that is there.
fn listed(w: &World) {
    w.execute(TABLE);
    w.execute("INSERT INTO usersessions_usersession SELECT session_key FROM django_session");
}

fn rows(w: &World) -> Vec<String> {
    w.keys_in("usersessions_usersession")
}

#[test]
fn rows_go_with_the_sessions_that_go_and_no_others() {
    World::each("allauth", |w| {
        w.user("42", 3).user("7", 2).live(1);
        listed(w);
        w.user("42", 1);
        w.execute("INSERT INTO usersessions_usersession VALUES ('gone-long-ago')");
        let others: Vec<_> = rows(w).into_iter().skip(3).collect();
        let report = w.run(&[&LOGOUT[..], &["--batch-size", "3"]].concat()).ok().json();
        assert_eq!((&report["deleted"], &report["allauth_deleted"]), (&json!(4), &json!(3)));
        assert_eq!((&report["batches"], &report["remaining"]), (&json!(2), &json!(0)));
        assert_eq!(rows(w), others);
        assert_eq!(w.count(), 3);

        w.user("42", 1);
        w.run(&LOGOUT[..3]).ok().says("0 rows of django-allauth deleted with them");
        w.user("42", 1);
        let report = w.run(&["logout-user", "42", "--format", "json"]).ok().json();
        assert_eq!(report["allauth_deleted"], Value::Null);
        assert_eq!(rows(w), others);
    });
}

#[test]
fn flush_all_takes_them_too() {
    World::each("allauth_flush", |w| {
        w.user("42", 2).user("7", 2).live(3);
        listed(w);
        let flush = ["flush-all", "--yes", "--cleanup-allauth"];
        w.run(&[&flush[..], &["--authenticated-only", "--except-user", "7"]].concat())
            .ok()
            .says("2 sessions deleted")
            .says("2 rows of django-allauth deleted with them.");
        assert_eq!(rows(w), w.session_keys());
        let report =
            w.run(&[&flush[..], &["--format", "json", "--limit", "4"]].concat()).exits(3).json();
        assert_eq!((&report["deleted"], &report["allauth_deleted"]), (&json!(4), &json!(4)));
        assert_eq!(rows(w), w.session_keys());
        w.run_without_key(&flush).ok();
        assert_eq!((rows(w).len(), w.count()), (0, 0));
    });
}

#[test]
fn a_session_that_is_kept_keeps_its_row() {
    World::each_but_mysql("allauth_kept", |w| {
        w.user("42", 3).user("7", 1);
        listed(w);
        let kept = &w.session_keys()[1];
        w.keeps_rows(&format!("OLD.session_key = '{kept}'"));
        let report = w.run(&LOGOUT).exits(3).json();
        assert_eq!((&report["deleted"], &report["allauth_deleted"]), (&json!(2), &json!(2)));
        assert_eq!(report["remaining"], json!(1));
        assert!(rows(w).contains(kept));
        assert_eq!(rows(w), w.session_keys());
    });
}

#[test]
fn where_a_row_cannot_go_its_session_stays() {
    World::each("allauth_fails", |w| {
        w.user("42", 9);
        listed(w);
        let kept = &w.session_keys()[5];
        w.forbids_delete("usersessions_usersession", &format!("OLD.session_key = '{kept}'"), "no");
        let report = w.run(&[&LOGOUT[..], &["--batch-size", "2"]].concat()).exits(1).json();
        let (gone, left) = (9 - w.count(), rows(w));
        assert_eq!((&report["deleted"], &report["allauth_deleted"]), (&json!(gone), &json!(gone)));
        assert!(gone > 0 && left.contains(kept), "{report}");
        assert_eq!(left, w.session_keys());
    });
}

/// The first attempt deletes the sessions of the whole batch before the database refuses: it is undone before the next
/// begins, which on MariaDB would keep what it did.
#[test]
fn what_refers_to_a_row_keeps_its_session_too_and_no_other() {
    World::each("allauth_referred", |w| {
        w.user("42", 9);
        listed(w);
        let kept = &w.session_keys()[5];
        w.execute(&format!(
            "CREATE TABLE device (session_key varchar(40) NOT NULL,
                 FOREIGN KEY (session_key) REFERENCES usersessions_usersession (session_key));
             INSERT INTO device VALUES ('{kept}')"
        ));
        let report = w.run(&LOGOUT).exits(3).json();
        assert_eq!((&report["deleted"], &report["allauth_deleted"]), (&json!(8), &json!(8)));
        assert_eq!((&report["referenced"], &report["remaining"]), (&json!(1), &json!(1)));
        assert_eq!((&rows(w), &w.session_keys()), (&vec![kept.clone()], &vec![kept.clone()]));
    });
}

#[test]
fn killed_at_any_moment_it_leaves_no_row_without_its_session() {
    World::each("allauth_kill", |w| {
        w.execute(TABLE);
        let mut amid = 0;
        for delay in [0, 7, 23, 41, 64, 90] {
            w.user("42", 150);
            w.execute("DELETE FROM usersessions_usersession");
            w.execute(
                "INSERT INTO usersessions_usersession SELECT session_key FROM django_session",
            );
            let before = w.count();
            let mut command = w.command(&[&LOGOUT[..], &["--batch-size", "2"]].concat());
            let mut running = Running::start(&mut command);
            eventually("a delete", || w.count() < before);
            std::thread::sleep(Duration::from_millis(delay));
            running.child().kill().unwrap();
            running.child().wait().unwrap();
            // PostgreSQL may be at the last batch still.
            eventually("nothing more goes", || {
                let now = w.count();
                std::thread::sleep(Duration::from_millis(50));
                w.count() == now
            });
            assert_eq!(rows(w), w.session_keys());
            amid += u32::from(w.count() > 0);
        }
        assert!(amid > 0, "each time it was over before it was killed");
    });
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_goes() {
    World::each("allauth_no_sense", |w| {
        w.user("42", 2);
        let flush = ["flush-all", "--yes", "--cleanup-allauth"];
        let missing = ["no table usersessions_usersession beside the session table"];
        w.run(&LOGOUT).refuses(2, &missing);
        w.run(&[&LOGOUT[..], &["--dry-run"]].concat()).refuses(2, &missing);
        w.run(&flush).refuses(2, &missing);
        w.execute("CREATE TABLE usersessions_usersession (id integer)");
        w.run(&LOGOUT).refuses(2, &["table usersessions_usersession has no column session_key"]);
        w.execute("DROP TABLE usersessions_usersession");
        listed(w);
        let why = ["--keep-data: the sessions stay"];
        w.run(&[&LOGOUT[..], &["--keep-data"]].concat()).refuses(2, &why);
        w.run(&[&flush[..], &["--keep-data"]].concat()).refuses(2, &why);
        w.run(&[&flush[..], &["--truncate"]].concat())
            .refuses(2, &["--truncate: it reads no session"]);
        let ran = w.run(&[&LOGOUT[..], &["--dry-run"]].concat()).ok();
        assert_eq!(
            (&ran.json()["matched"], &ran.json()["allauth_deleted"]),
            (&json!(2), &Value::Null)
        );
        w.run(&[&LOGOUT[..3], &["--dry-run"]].concat())
            .ok()
            .says("2 rows of django-allauth would be deleted with them.");
        assert_eq!((rows(w).len(), w.count()), (2, 2));
    });
}

#[test]
fn a_role_that_may_not_delete_them_is_told_so() {
    let w = World::postgres("allauth_role");
    w.user("42", 2);
    listed(&w);
    let role = Role::new(&w, "allauth");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    let flush = ["flush-all", "--yes", "--cleanup-allauth"];
    for arguments in [&LOGOUT[..], &flush] {
        role.run(arguments).refuses(
            1,
            &[
                "permission denied for table usersessions_usersession",
                "hint: GRANT SELECT ON \"usersessions_usersession\" TO ",
                "; GRANT DELETE ON \"usersessions_usersession\" TO ",
            ],
        );
    }
    w.execute(&format!("GRANT SELECT ON usersessions_usersession TO {}", role.name));
    role.run(&LOGOUT).refuses(1, &["hint: GRANT DELETE ON \"usersessions_usersession\" TO "]);
    assert_eq!((rows(&w).len(), w.count()), (2, 2));
    w.execute(&format!("GRANT DELETE ON usersessions_usersession TO {}", role.name));
    assert_eq!(role.run(&LOGOUT).ok().json()["allauth_deleted"], json!(2));
}

#[test]
fn the_table_is_looked_for_where_the_sessions_are() {
    let w = World::postgres("allauth_schema");
    w.user("42", 2).user("7", 1);
    listed(&w);
    w.execute(
        "CREATE SCHEMA tenant; CREATE TABLE tenant.django_session AS TABLE django_session;
         ALTER TABLE tenant.django_session ADD PRIMARY KEY (session_key)",
    );
    let tenant = [&LOGOUT[..], &["--table", "tenant.django_session"]].concat();
    w.run(&tenant).refuses(2, &["no table usersessions_usersession"]);
    w.execute(
        "CREATE TABLE tenant.usersessions_usersession AS TABLE usersessions_usersession;
         ALTER TABLE tenant.usersessions_usersession ADD UNIQUE (session_key)",
    );
    assert_eq!(w.run(&tenant).ok().json()["allauth_deleted"], json!(2));
    assert_eq!(rows(&w).len(), 3);
    assert_eq!(w.keys_in("tenant.usersessions_usersession").len(), 1);
    // As Django itself finds them.
    let path = format!("{}?options=-c%20search_path%3Dtenant,public", w.url());
    w.execute(
        "INSERT INTO tenant.django_session SELECT * FROM django_session ON CONFLICT DO NOTHING",
    );
    w.execute("DROP TABLE tenant.usersessions_usersession");
    let named = [&LOGOUT[..], &["-d", &path, "--table", "django_session"]].concat();
    let report = w.run(&named).ok().json();
    assert_eq!((&report["deleted"], &report["allauth_deleted"]), (&json!(2), &json!(2)));
    assert_eq!((rows(&w).len(), w.count()), (1, 3));
}

#[test]
fn on_a_real_site_with_sqlite() {
    run("allauth_sessions.py", "5.2", &[]);
}

#[test]
fn on_a_real_site_with_postgres() {
    let database = fresh_database("site_allauth");
    run("allauth_sessions.py", "5.2", &["--postgres-url", &database.url]);
}

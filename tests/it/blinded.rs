//! Tables of which rows are hidden without an error: row security, views, missing rights. What is not seen there proves
//! nothing.

use std::error::Error;

use serde_json::json;
use sessctl::model::Page;
use sessctl::store::{Conninfo, Filter, Postgres, Store, Surroundings, Table};

use crate::backfill::{REPORT, site};
use crate::role::Role;
use crate::world::World;

const HIDES: &str = "row security hides rows";

/// Row security that shows everybody but the owner all rows but one.
fn hide(w: &World, table: &str, but: &str) {
    w.execute(&format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; CREATE POLICY most ON {table} USING ({but})"
    ));
}

fn users(w: &World) {
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE, email varchar(254),
             is_active boolean, is_staff boolean, is_superuser boolean);
         INSERT INTO auth_user VALUES (1, 'anna', 'a@x.org', false, true, true), (2, 'bert', 'b@x.org', false, true, true)",
    );
    w.user("1", 2).user("2", 1);
}

const SELECTORS: [&[&str]; 6] = [
    &["--username", "anna"],
    &["--email", "a@x.org"],
    &["--inactive"],
    &["--staff"],
    &["--superusers"],
    &["--deleted-users"],
];

#[test]
fn users_whom_row_security_hides_are_not_taken_for_absent() {
    let w = World::postgres("blinded_users");
    users(&w);
    let role = Role::new(&w, "blinded_users");
    w.execute(&format!(
        "GRANT SELECT, DELETE ON django_session TO {0}; GRANT SELECT ON auth_user TO {0}",
        role.name
    ));
    hide(&w, "auth_user", "id <> 2");
    for selector in SELECTORS {
        for how in [&["logout-user"][..], &["logout-user", "--dry-run"]] {
            role.run(&[how, selector].concat()).refuses(1, &["auth_user", HIDES, "BYPASSRLS"]);
        }
    }
    assert_eq!(w.count(), 3);
    // It is the owner's to see them all, unless that is forced, too.
    w.run(&["logout-user", "--inactive", "--dry-run"]).ok().says("3 live sessions");
    w.execute(&format!("ALTER TABLE auth_user OWNER TO {}", role.name));
    role.run(&["logout-user", "--inactive", "--dry-run"]).ok().says("3 live sessions");
    w.execute("ALTER TABLE auth_user FORCE ROW LEVEL SECURITY");
    role.run(&["logout-user", "--inactive"]).refuses(1, &[HIDES]);
    w.execute(&format!(
        "ALTER TABLE auth_user OWNER TO CURRENT_USER; ALTER ROLE {} BYPASSRLS",
        role.name
    ));
    w.execute(&format!("GRANT SELECT ON auth_user TO {}", role.name));
    role.run(&["logout-user", "--inactive"]).ok().says("3 sessions deleted, none is left");
}

#[test]
fn a_right_that_is_missing_is_named_and_no_more() {
    let w = World::postgres("blinded_rights");
    users(&w);
    let role = Role::new(&w, "blinded_rights");
    let name = &role.name;
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {name}"));
    let grant =
        format!("GRANT SELECT (\"email\", \"id\", \"username\") ON \"auth_user\" TO \"{name}\"");
    let ran = role
        .run(&["logout-user", "--email", "a@x.org"])
        .exits(1)
        .says(&format!("hint: {grant}, or"));
    assert!(!ran.stderr.contains("DELETE"), "{ran:#?}");
    w.execute(&grant);
    role.run(&["logout-user", "--email", "a@x.org"]).ok().says("2 sessions deleted");
    w.execute(&format!(
        "REVOKE DELETE ON django_session FROM {name}; GRANT UPDATE ON django_session TO {name}"
    ));
    let ran = role.run(&["logout-user", "2"]).exits(1);
    assert!(
        ran.stderr.contains(&format!("hint: GRANT DELETE ON \"django_session\" TO \"{name}\", or")),
        "{ran:#?}"
    );
    w.execute(&format!("REVOKE UPDATE, SELECT ON django_session FROM {name}"));
    role.run(&["list"]).refuses(1, &[&format!("GRANT SELECT ON \"django_session\" TO \"{name}\"")]);
}

#[test]
fn rows_of_allauth_that_would_stay_unseen() {
    let w = World::postgres("blinded_allauth");
    w.user("42", 2).execute(
        "CREATE TABLE usersessions_usersession (id serial, session_key varchar(40));
         INSERT INTO usersessions_usersession (session_key) SELECT session_key FROM django_session",
    );
    let role = Role::new(&w, "blinded_allauth");
    w.execute(&format!("GRANT SELECT, DELETE ON ALL TABLES IN SCHEMA public TO {}", role.name));
    hide(&w, "usersessions_usersession", "id > 1");
    let logout = ["logout-user", "42", "--cleanup-allauth"];
    role.run(&logout).refuses(1, &["usersessions_usersession", HIDES]);
    role.run(&["flush-all", "--yes", "--cleanup-allauth"])
        .refuses(1, &["usersessions_usersession", HIDES]);
    w.execute(
        "ALTER TABLE usersessions_usersession RENAME TO hers;
         CREATE VIEW usersessions_usersession AS SELECT * FROM hers WHERE id > 1",
    );
    // The tests are a superuser.
    w.run(&[&logout[..], &["--superuser-ok"]].concat())
        .refuses(1, &["usersessions_usersession", "is a view"]);
    assert_eq!((w.count(), w.keys_in("hers").len()), (2, 2));
}

#[test]
fn users_to_whom_a_column_refers_and_who_are_hidden() {
    let w = World::postgres("blinded_backfill");
    w.execute(
        "CREATE TABLE auth_user (id bigint PRIMARY KEY); INSERT INTO auth_user VALUES (42), (7);
         ALTER TABLE django_session ADD COLUMN user_id bigint REFERENCES auth_user (id)",
    );
    let truth = site(&w, &["42", "7"]);
    let role = Role::new(&w, "blinded_backfill");
    w.execute(&format!(
        "GRANT SELECT, UPDATE ON django_session TO {0}; GRANT SELECT ON auth_user TO {0}",
        role.name
    ));
    hide(&w, "auth_user", "id <> 7");
    for how in [&["--no-index"][..], &["--restart", "--no-index"], &["--dry-run"]] {
        role.run(&[&REPORT[..], how].concat())
            .refuses(1, &["auth_user", "\"user_id\" refers", HIDES]);
    }
    assert!(crate::backfill::told(&w, "user_id").values().all(Option::is_none));
    w.execute("ALTER TABLE auth_user DISABLE ROW LEVEL SECURITY");
    let report = role.run(&[&REPORT[..], &["--no-index"]].concat()).ok().json();
    assert_eq!(report["unknown_users"], json!(0));
    assert_eq!(crate::backfill::told(&w, "user_id"), truth);
}

/// In place of the table of users a view: whom it hides nobody knows.
#[test]
fn a_view_of_users_is_a_doubt_and_says_of_nobody_that_he_is_gone() {
    World::each("blinded_view", |w| {
        w.execute(
            "CREATE TABLE people (id integer PRIMARY KEY, username varchar(150) UNIQUE, email varchar(254), is_active boolean);
             INSERT INTO people VALUES (1, 'anna', 'a@x.org', true), (2, 'bert', 'a@x.org', true);
             CREATE VIEW auth_user AS SELECT * FROM people WHERE id <> 2",
        );
        w.user("1", 1).user("2", 1);
        // The tests are a superuser.
        let run = |arguments: &[&str]| w.run(&[arguments, &["--superuser-ok"]].concat());
        run(&["logout-user", "--deleted-users", "--yes"])
            .refuses(2, &["\"auth_user\" is a view", "--user-table"]);
        let report =
            run(&["logout-user", "--email", "a@x.org", "--format", "json"]).exits(3).json();
        assert_eq!(
            (&report["deleted"], &report["verdict"]),
            (&json!(1), &json!("unknown")),
            "{report}"
        );
        assert_eq!(report["doubts"][0]["doubt"], "hidden_users");
        let report = run(&["logout-user", "1", "3", "-n", "--format", "json"]).ok().json();
        let exist: Vec<_> =
            report["named"].as_array().unwrap().iter().map(|user| &user["exists"]).collect();
        assert_eq!(exist, [&json!(true), &json!(null)], "{report}");
        let ran = run(&["logout-user", "3"]).ok();
        assert!(!ran.stdout.contains("no such user"), "{ran:#?}");
        run(&["logout-user", "--email", "a@x.org", "--user-table", "people"])
            .ok()
            .says("1 session deleted");
        assert_eq!(w.count(), 0);
    });
}

/// In place of the session table a view: which sessions it hides nobody knows.
#[test]
fn a_view_of_sessions_is_a_doubt_unless_it_was_named() {
    World::each("blinded_sessions", |w| {
        w.user("1", 2).user("2", 1);
        w.execute("ALTER TABLE django_session RENAME TO all_sessions");
        w.execute(&format!(
            "CREATE VIEW django_session AS SELECT * FROM all_sessions WHERE session_key <> '{}'",
            w.keys_in("all_sessions")[0]
        ));
        if w.is_sqlite() {
            w.execute(
                "CREATE TRIGGER gone INSTEAD OF DELETE ON django_session
                 BEGIN DELETE FROM all_sessions WHERE session_key = OLD.session_key; END",
            );
        }
        // The tests are a superuser.
        let run = |arguments: &[&str]| w.run(&[arguments, &["--superuser-ok"]].concat());
        let says = "django_session is a view, which may hide sessions";
        for command in [
            &["list", "--user", "1"][..],
            &["logout-user", "1", "--dry-run"],
            &["logout-user", "1"],
            &["flush-all", "--yes", "--dry-run"],
            &["flush-all", "--yes"],
        ] {
            let ran = run(command).exits(3).says(says).says("--table");
            assert!(!ran.stdout.contains("Logged out"), "{ran:#?}");
            let named = [command, &["--table", "django_session"]].concat();
            run(&named).ok().says(says);
        }
        let report = run(&["logout-user", "1", "--format", "json"]).exits(3).json();
        let doubt = json!({"doubt": "hidden_sessions", "table": "django_session", "view": true});
        assert_eq!((&report["verdict"], &report["doubts"][0]), (&json!("unknown"), &doubt));
        assert_eq!(w.keys_in("all_sessions").len(), 1);
    });
}

/// A scan that began to wait for the table before a migration gave it a policy would see the rest and call it all.
#[test]
fn row_security_that_came_meanwhile_is_an_error() {
    let w = World::postgres("blinded_meanwhile");
    w.user("42", 1);
    let role = Role::new(&w, "blinded_meanwhile");
    w.execute(&format!("GRANT SELECT ON django_session TO {}", role.name));
    let url = role.url();
    let conninfo =
        Conninfo::of_url(url.split_once("://").unwrap().1, &Surroundings::default()).unwrap();
    let store = Postgres::new(conninfo, Table::default());
    let mut reader = store.reader().unwrap();
    w.execute(
        "ALTER TABLE django_session ENABLE ROW LEVEL SECURITY;
         CREATE POLICY few ON django_session USING (expire_date < now())",
    );
    let emit = &mut |page: Page| panic!("{} rows", page.len());
    let error = reader.scan(&Filter::default(), emit).unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("row-level security"), "{cause}");
}

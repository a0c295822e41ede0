//! Tables of users that may not be the site's, and users who are nearly those who were named.

use crate::world::World;

/// A site that has users of its own and left Django's behind.
fn two_tables(w: &World) {
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150));
         INSERT INTO auth_user VALUES (1, 'anna'), (2, 'carl');
         CREATE TABLE accounts_user (id integer PRIMARY KEY, username varchar(150));
         INSERT INTO accounts_user VALUES (1, 'bert'), (2, 'anna');
         CREATE TABLE django_admin_log (id integer PRIMARY KEY, user_id integer REFERENCES accounts_user (id))",
    );
    w.user("1", 1).user("2", 1);
}

#[test]
fn a_table_of_users_to_which_the_site_does_not_refer_is_not_believed() {
    World::each("wrong_users", |w| {
        two_tables(w);
        for selector in [&["--username", "anna"][..], &["--deleted-users", "--yes"]] {
            let ran = w.run(&[&["logout-user"], selector].concat()).exits(2);
            ran.says("foreign keys of the site refer to \"accounts_user\"");
        }
        assert_eq!(w.count(), 2);
        // Nor is it asked who exists.
        let report = w.run(&["logout-user", "3", "-n", "--format", "json"]).ok().json();
        assert_eq!(report["named"][0]["exists"], serde_json::Value::Null, "{report}");
        let named = ["logout-user", "--username", "anna", "--user-table", "accounts_user"];
        let report = w.run(&[&named[..], &["--format", "json"]].concat()).ok().json();
        assert_eq!(report["users"], serde_json::json!(["2"]), "{report}");
        // It is the site's where the site refers to it.
        w.execute(
            "DROP TABLE django_admin_log; CREATE TABLE django_admin_log (id integer PRIMARY KEY,
                 user_id integer REFERENCES auth_user (id))",
        );
        w.run(&["logout-user", "--username", "anna"]).ok().says("1 session deleted");
    });
}

/// A site without the admin: the tables of a model's groups and permissions tell whose they are.
#[test]
fn the_tables_of_groups_and_permissions_name_the_table_of_users() {
    World::each("wrong_users_groups", |w| {
        two_tables(w);
        w.execute(
            "DROP TABLE django_admin_log;
             CREATE TABLE auth_user_groups (id integer PRIMARY KEY, user_id integer REFERENCES auth_user (id));
             CREATE TABLE accounts_user_groups (id integer PRIMARY KEY, customuser_id integer REFERENCES accounts_user (id))",
        );
        // Many a model has groups, and is none of users.
        w.run(&["logout-user", "--username", "anna", "-n"]).ok();
        w.execute(
            "CREATE TABLE accounts_user_user_permissions (id integer PRIMARY KEY,
                 customuser_id integer REFERENCES accounts_user (id))",
        );
        w.run(&["logout-user", "--username", "anna"])
            .exits(2)
            .says("foreign keys of the site refer to \"accounts_user\"");
        assert_eq!(w.count(), 2);
    });
}

#[test]
fn a_table_with_numbers_is_not_that_of_users_with_uuids() {
    World::each("wrong_users_uuids", |w| {
        w.execute(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150));
             INSERT INTO auth_user VALUES (1, 'anna')",
        );
        w.user("0fce2a16-9e1b-4c55-8c0e-0a6cf5f1e7a2", 1);
        w.user("56983410-c068-4719-807a-7d6583c339b6", 1);
        let named = ["logout-user", "--username", "anna"];
        w.run(&named).exits(2).says("the ids of the users who are logged in are UUIDs");
        w.run(&[&named[..], &["--user-table", "auth_user"]].concat())
            .exits(3)
            .says("2 sessions stayed");
        w.user("1", 1);
        w.run(&named).exits(3).says("1 session deleted").says("2 sessions stayed");
    });
}

/// As django-tenants has them: sessions of a tenant, users of all.
#[test]
fn users_are_looked_up_behind_their_sessions_on_the_search_path() {
    let w = World::postgres("wrong_users_path");
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150));
         INSERT INTO auth_user VALUES (7, 'anna'); CREATE SCHEMA t1; CREATE SCHEMA other;
         CREATE TABLE other.auth_user (id varchar(9) PRIMARY KEY, username varchar(150))",
    );
    w.user("7", 1).user("007", 1);
    w.execute("ALTER TABLE django_session SET SCHEMA t1");
    let url = |path: &str| format!("{}?options=-csearch_path%3D{path}", w.url());
    for arguments in [
        &["-d", &url("t1,public")][..],
        &["-d", &url("other,t1,public"), "--table", "t1.django_session"],
        &["-d", &w.url(), "--schema", "t1"],
    ] {
        let command = [&["logout-user", "7", "-n", "--format", "json"], arguments].concat();
        let report = w.run(&command).exits(3).json();
        assert_eq!((&report["matched"], &report["alike"]), (&1.into(), &1.into()), "{report}");
        let command = [&["logout-user", "--username", "anna", "-n"], arguments].concat();
        w.run(&command).exits(3).says("1 session stayed whose id is spelled otherwise");
    }
    w.run(&["logout-user", "7", "-d", &w.url(), "--schema", "t1"]).exits(3);
    // The tenant's own users are nearer.
    w.execute("CREATE TABLE t1.auth_user (id varchar(9) PRIMARY KEY, username text)");
    w.run(&["logout-user", "007", "-d", &w.url(), "--schema", "t1"]).ok().says("1 session deleted");
}

/// Where the role has a table of users of its own in front of the site's.
#[test]
fn users_are_looked_up_beside_their_sessions() {
    let w = World::postgres("wrong_users_front");
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150));
         INSERT INTO auth_user VALUES (1, 'anna'), (2, 'bert'); CREATE SCHEMA mine;
         CREATE TABLE mine.auth_user AS SELECT 3 - id AS id, username FROM auth_user",
    );
    w.user("1", 1).user("2", 1);
    let url = format!("{}?options=-csearch_path%3Dmine,public", w.url());
    let arguments = ["logout-user", "--username", "anna", "--format", "json", "-d", &url];
    let report = w.run(&arguments).ok().json();
    assert_eq!(report["users"], serde_json::json!(["1"]), "{report}");
    assert_eq!(report["user_table"], "public.auth_user");
    w.execute("DROP TABLE public.auth_user");
    w.run(&arguments).exits(2).says("no table of users \"public.auth_user\"");
    assert_eq!(w.count(), 1);
}

#[test]
fn names_are_taken_to_the_letter_and_domains_in_either_case_of_any_alphabet() {
    World::each("nearly_named", |w| {
        let any_case = if w.is_sqlite() {
            "COLLATE NOCASE"
        } else {
            w.execute(
                "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            );
            "COLLATE any_case"
        };
        w.execute(&format!(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) {any_case}, email varchar(254) {any_case},
                 is_active boolean);
             INSERT INTO auth_user VALUES (1, 'anna', 'a@bücher.de', true), (2, 'Anna', 'a@BÜCHER.de', NULL),
                 (3, 'carl', 'A@bücher.de', false)",
        ));
        let users = |arguments: &[&str]| {
            let all = [&["logout-user", "--dry-run", "--format", "json"], arguments].concat();
            w.run(&all).ok().json()["users"].clone()
        };
        w.user("1", 1).user("2", 1).user("3", 1);
        assert_eq!(users(&["--username", "anna"]), serde_json::json!(["1"]));
        assert_eq!(users(&["--email", "a@Bücher.de"]), serde_json::json!(["1", "2"]));
        // Django asks whether it is true.
        assert_eq!(users(&["--inactive"]), serde_json::json!(["2", "3"]));
        w.run(&["logout-user", "--username", "ANNA"]).exits(2).says("nobody is logged out");
    });
}

/// No key can verify what is in no layout of Django's.
#[test]
fn rows_that_no_key_can_verify_are_told_from_a_wrong_key() {
    World::each("no_layout", |w| {
        let types: &[&str] = if w.is_sqlite() { &["text"] } else { &["jsonb", "bytea"] };
        for kind in types {
            w.execute(&format!(
                "DROP TABLE django_session; CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY,
                     session_data {kind} NOT NULL, expire_date timestamp with time zone NOT NULL);
                 INSERT INTO django_session VALUES ('abcdefgh', '{{\"_auth_user_id\": \"42\"}}', '2099-01-01 00:00:00')"
            ));
            let ran = w.run(&["logout-user", "42"]).exits(2).says("no key can verify them");
            assert!(!ran.stderr.contains("give the SECRET_KEY"), "{ran:#?}");
            let ran = w.run(&["doctor"]).says("no key can verify them");
            assert!(!ran.stdout.contains("give the SECRET_KEY"), "{ran:#?}");
        }
    });
}

#[test]
fn a_user_column_that_is_wrong_is_not_called_absent() {
    World::each("wrong_stamps", |w| {
        w.execute("ALTER TABLE django_session ADD user_id integer");
        w.user("42", 3).execute("UPDATE django_session SET user_id = 7");
        let ran = w.run(&["logout-user", "42", "--trust-column"]).exits(2);
        let ran = ran.says("column user_id cannot be used: it says something else");
        assert!(!ran.stderr.contains("no user column"), "{ran:#?}");
        assert_eq!(w.count(), 3);
    });
}

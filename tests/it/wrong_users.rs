//! Tables of users that may not be the site's, and users who are nearly those who were named.

use serde_json::{Value, json};

use crate::world::World;

/// A site that has users of its own and left Django's behind.
fn two_tables(w: &World) {
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE);
         INSERT INTO auth_user VALUES (1, 'anna'), (2, 'carl');
         CREATE TABLE accounts_user (id integer PRIMARY KEY, username varchar(150) UNIQUE);
         INSERT INTO accounts_user VALUES (1, 'bert'), (2, 'anna');
         CREATE TABLE django_admin_log (id integer PRIMARY KEY, user_id integer REFERENCES accounts_user (id))",
    );
    w.user("1", 1).user("2", 1);
}

#[test]
fn the_table_to_which_the_site_refers_is_that_of_its_users() {
    World::each("wrong_users", |w| {
        two_tables(w);
        let report = w.run(&["logout-user", "3", "-n", "--format", "json"]).ok().json();
        assert_eq!(
            (&report["named"][0]["exists"], &report["user_table"]),
            (&json!(false), &json!("accounts_user"))
        );
        let named = ["logout-user", "--username", "anna", "--format", "json"];
        let ran = w.run(&named).ok();
        assert_eq!(ran.json()["users"], json!(["2"]), "{ran:#?}");
        ran.says(
            "users are those of table \"accounts_user\": foreign keys of the site refer to it",
        );
        w.run(&["logout-user", "--deleted-users"]).ok().says("0 sessions deleted");
        // It is Django's own where the site refers to it.
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
        let users = || {
            let named = ["logout-user", "--username", "anna", "-n", "--format", "json"];
            w.run(&named).ok().json()["users"].clone()
        };
        // Many a model has groups, and is none of users.
        assert_eq!(users(), json!(["1"]));
        w.execute(
            "CREATE TABLE accounts_user_user_permissions (id integer PRIMARY KEY,
                 customuser_id integer REFERENCES accounts_user (id))",
        );
        assert_eq!(users(), json!(["2"]));
        // A project that came to have its own has left the whole of Django's behind.
        w.execute(
            "CREATE TABLE auth_user_user_permissions (id integer PRIMARY KEY, user_id integer REFERENCES auth_user (id))",
        );
        for selector in [&["--username", "anna"][..], &["--deleted-users", "--yes"], &["--staff"]] {
            w.run(&[&["logout-user"], selector].concat())
                .exits(2)
                .says("\"accounts_user\" (the tables of groups and permissions refer to it)")
                .says("\"auth_user\" (the tables of groups and permissions refer to it)")
                .says("--user-table accounts_user");
        }
        assert_eq!(w.count(), 2);
        // Their keys are of one type, so ids can be judged.
        w.user(" 2", 1).user("usr_G4", 1);
        let report = w.run(&["logout-user", "2", "--format", "json"]).exits(3).json();
        assert_eq!(
            [&report["deleted"], &report["alike"], &report["unfit"]].map(Value::as_u64),
            [Some(1); 3]
        );
        let named = ["logout-user", "--username", "bert", "--user-table", "accounts_user", "-n"];
        w.run(&named).exits(3).says("1 live session");
    });
}

/// The log of the admin may be older than the site's own users, which need have neither groups nor permissions.
#[test]
fn a_table_with_the_columns_of_users_is_a_rival() {
    World::each("wrong_users_shape", |w| {
        w.execute(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE, is_staff boolean);
             INSERT INTO auth_user VALUES (1, 'anna', true);
             CREATE TABLE django_admin_log (id integer PRIMARY KEY, user_id integer REFERENCES auth_user (id));
             CREATE TABLE acc_historicaluser (history_id integer PRIMARY KEY, id integer, password text, last_login date);
             CREATE TABLE acc_copy (password text, last_login date)",
        );
        w.user("1", 1);
        w.run(&["logout-user", "--staff", "-n"]).ok().says("1 live session");
        w.execute("CREATE TABLE acc_user (id integer PRIMARY KEY, password text, last_login date)");
        for selector in [&["--staff"][..], &["--username", "anna"], &["--inactive"]] {
            w.run(&[&["logout-user"], selector].concat())
                .exits(2)
                .says("\"acc_user\" (it has the columns");
        }
        w.run(&["logout-user", "--staff", "--user-table", "auth_user", "-n"]).ok();
        // A model without last_login may be one of users, too; what only has passwords is none.
        w.execute(
            "DROP TABLE acc_user; CREATE TABLE wifi (id integer PRIMARY KEY, password text);
             CREATE TABLE members (id integer PRIMARY KEY, note text)",
        );
        w.run(&["logout-user", "--staff", "-n"]).ok().says("1 live session");
        w.execute(
            "CREATE TABLE acc_user (id integer PRIMARY KEY, username text UNIQUE, password text)",
        );
        for selector in ["--staff", "--username=anna", "--deleted-users"] {
            w.run(&["logout-user", selector]).exits(2).says("\"acc_user\" (it has the columns");
        }
        assert_eq!(w.count(), 1);
        w.execute("DROP TABLE acc_user; CREATE TABLE acc_user (id integer PRIMARY KEY, password text, last_login date)");
        // Alone it is the site's, whatever it is called.
        w.execute("DROP TABLE django_admin_log; DROP TABLE auth_user");
        w.run(&["logout-user", "anna"]).exits(2).says("table \"acc_user\" holds numbers");
        w.run(&["logout-user", "--staff"])
            .exits(2)
            .says("table \"acc_user\" has no column")
            .says("--django");
        assert_eq!(w.count(), 1);
    });
}

/// Nobody is found in a table that a project with users of its own has left behind.
#[test]
fn conditions_are_asked_of_the_table_to_which_the_site_refers() {
    World::each("wrong_users_conditions", |w| {
        w.execute(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username text UNIQUE, email text, is_active boolean, is_staff boolean,
                 is_superuser boolean);
             INSERT INTO auth_user VALUES (1, 'u1', 'u1@a.de', true, false, false), (2, 'u2', 'u2@a.de', true, false, false);
             CREATE TABLE acc_user (ref integer PRIMARY KEY, username text UNIQUE, email text, is_active boolean, is_staff boolean,
                 is_superuser boolean);
             INSERT INTO acc_user VALUES (1, 'u1', 'b@a.de', true, false, false), (2, 'anna', 'u1@a.de', false, true, true);
             CREATE TABLE authtoken_token (id integer PRIMARY KEY, user_id integer REFERENCES acc_user (ref))",
        );
        w.user("1", 1).user("2", 1);
        for selector in
            ["--staff", "--superusers", "--inactive", "--email=u1@a.de", "--username=anna"]
        {
            let report = w.run(&["logout-user", selector, "-n", "--format", "json"]).ok().json();
            assert_eq!(report["users"], json!(["2"]), "{selector}: {report}");
        }
        // A model that inherits has the columns of its parent in the parent's table.
        w.execute(
            "CREATE TABLE acc_staff (acc_ptr_id integer PRIMARY KEY REFERENCES acc_user (ref));
             INSERT INTO acc_staff VALUES (2);
             CREATE TABLE django_admin_log (id integer PRIMARY KEY, user_id integer REFERENCES acc_staff (acc_ptr_id));
             DROP TABLE authtoken_token;
             CREATE TABLE acc_user_groups (id integer PRIMARY KEY, user_id integer REFERENCES acc_user (ref));
             CREATE TABLE acc_user_user_permissions (id integer PRIMARY KEY, user_id integer REFERENCES acc_user (ref))",
        );
        for selector in
            ["--staff", "--superusers", "--inactive", "--email=u1@a.de", "--username=anna"]
        {
            w.run(&["logout-user", selector])
                .exits(2)
                .says("table \"acc_staff\" has no column")
                .says("--django");
        }
        let report = w.run(&["logout-user", "1", "2", "-n", "--format", "json"]).ok().json();
        assert_eq!(
            (&report["named"][0]["exists"], &report["named"][1]["exists"]),
            (&json!(false), &json!(true))
        );
        let parents = ["logout-user", "--staff", "--user-table", "acc_user"];
        w.run(&parents).ok().says("1 session deleted");
    });
}

#[test]
fn a_table_with_numbers_is_not_that_of_users_with_uuids() {
    World::each("wrong_users_uuids", |w| {
        w.execute(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE);
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
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE);
         INSERT INTO auth_user VALUES (7, 'anna'); CREATE SCHEMA t1; CREATE SCHEMA other;
         CREATE TABLE other.auth_user (id varchar(9) PRIMARY KEY, username varchar(150) UNIQUE)",
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
    w.execute("CREATE TABLE t1.auth_user (id varchar(9) PRIMARY KEY, username text UNIQUE)");
    w.run(&["logout-user", "007", "-d", &w.url(), "--schema", "t1"]).ok().says("1 session deleted");
}

/// The app of the users came into each tenant's schema after the admin, whose foreign keys still refer to the shared one.
#[test]
fn foreign_keys_to_another_schema_do_not_hide_the_users_that_django_finds_first() {
    let w = World::postgres("wrong_users_tenant");
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE);
         INSERT INTO auth_user VALUES (1, 'anna'); CREATE SCHEMA t1;
         CREATE TABLE t1.auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE);
         INSERT INTO t1.auth_user VALUES (2, 'anna');
         CREATE TABLE t1.django_admin_log (id integer PRIMARY KEY, user_id integer REFERENCES public.auth_user (id));
         ALTER TABLE django_session SET SCHEMA t1",
    );
    let path = format!("{}?options=-csearch_path%3Dt1,public", w.url());
    for arguments in [&["-d", &path][..], &["-d", &w.url(), "--schema", "t1"]] {
        let command = [&["logout-user", "--username", "anna", "-n"], arguments].concat();
        let ran = w.run(&command).exits(2).says("auth_user\" (it has the columns");
        ran.says("auth_user\" (foreign keys of the site");
    }
    // A table of another name is no less the site's for being in a later schema.
    w.execute(
        "DROP TABLE t1.auth_user; CREATE SCHEMA accounts;
         CREATE TABLE accounts.acc_user (id integer PRIMARY KEY, username text UNIQUE);
         CREATE TABLE accounts.acc_user_groups (id integer PRIMARY KEY, user_id integer REFERENCES accounts.acc_user (id));
         CREATE TABLE accounts.acc_user_user_permissions (id integer PRIMARY KEY,
             user_id integer REFERENCES accounts.acc_user (id))",
    );
    let path = format!("{}?options=-csearch_path%3Dt1,public,accounts", w.url());
    let named = ["logout-user", "--username", "anna", "-n", "-d", &path];
    w.run(&named).exits(2).says("acc_user\" (the tables of groups");
}

/// Where the role has a table of users of its own in front of the site's.
#[test]
fn users_are_looked_up_beside_their_sessions() {
    let w = World::postgres("wrong_users_front");
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE);
         INSERT INTO auth_user VALUES (1, 'anna'), (2, 'bert'); CREATE SCHEMA mine;
         CREATE TABLE mine.auth_user AS SELECT 3 - id AS id, username FROM auth_user",
    );
    w.user("1", 1).user("2", 1);
    let url = format!("{}?options=-csearch_path%3Dmine,public", w.url());
    let arguments = ["logout-user", "--username", "anna", "--format", "json", "-d", &url];
    // The path of the site may be the same: then Django's users are in front.
    let ran = w.run(&arguments).exits(2).says("several tables may be that of this site's users");
    ran.says("\"public.auth_user\"").says("--user-table auth_user");
    w.run(&["logout-user", "7", "-d", &url]).ok();
    w.run(&["logout-user", "anna", "-d", &url]).exits(2);
    assert_eq!(w.count(), 2);
    w.execute(
        "CREATE TABLE django_admin_log (id integer PRIMARY KEY, user_id integer REFERENCES public.auth_user (id))",
    );
    let report = w.run(&arguments).ok().json();
    assert_eq!(report["users"], serde_json::json!(["1"]), "{report}");
    assert_eq!(report["user_table"], "public.auth_user");
    w.execute("DROP TABLE public.auth_user CASCADE");
    w.run(&arguments).exits(2).says("no table of users \"public.auth_user\"");
    assert_eq!(w.count(), 1);
}

#[test]
fn names_are_taken_to_the_letter_and_domains_in_either_case_of_any_alphabet() {
    // MariaDB has no unique index in another collation than the column's.
    World::each_but_mysql("nearly_named", |w| {
        let (any_case, exact) = if w.is_sqlite() {
            ("COLLATE NOCASE", "BINARY")
        } else {
            w.execute(
                "CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            );
            ("COLLATE any_case", "\"C\"")
        };
        w.execute(&format!(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) {any_case}, email varchar(254) {any_case},
                 is_active boolean);
             CREATE UNIQUE INDEX names ON auth_user (username COLLATE {exact});
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
        let types: &[&str] = if w.is_sqlite() {
            &["text"]
        } else if w.is_mysql() {
            &["longtext", "json"]
        } else {
            &["jsonb", "bytea"]
        };
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

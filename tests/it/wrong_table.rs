//! Session tables that may not be the site's: another one has the sessions.

use serde_json::json;

use crate::role::Role;
use crate::world::{SECRET_KEY, World, login, signed};

const OTHER: &str = "user_sessions_session";
/// What is said of others where this table has no live login, and where it has some.
const HAVE: &str = "other session tables of this database have live sessions";
const SAME: &str = "other session tables of this database have live sessions of the same users";

/// A table of sessions as Django makes it, with this session in it.
fn table_with(w: &World, table: &str, payload: &str) {
    let time = if w.is_sqlite() { "datetime" } else { "timestamp with time zone" };
    let data = signed(payload, SECRET_KEY);
    w.execute(&format!(
        "CREATE TABLE {table} (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL, expire_date {time} NOT NULL);
         INSERT INTO {table} VALUES ('abcdefghabcdefghabcdefghabcdefgh', '{data}', '2099-01-01 00:00:00')"
    ));
}

const COMMANDS: [&[&str]; 8] = [
    &["list"],
    &["list", "--user", "42"],
    &["list", "--user", "42", "--all"],
    &["logout-user", "42", "-n"],
    &["logout-user", "42"],
    &["flush-all", "-n"],
    &["flush-all", "--yes", "--authenticated-only"],
    &["logout-user", "42", "--no-verify"],
];

/// Visitors, expired logins and rows of no kind are in a table that the site left behind, too.
#[test]
fn a_table_without_a_live_login_beside_one_with_sessions_is_a_doubt() {
    World::each("wrong_carts", |w| {
        table_with(w, OTHER, &login("42"));
        for payload in ["{}", r#"{"cart":[1]}"#] {
            w.session(payload);
        }
        w.row("expired1", &signed(&login("42"), SECRET_KEY), "2001-01-01 00:00:00");
        for command in COMMANDS {
            let ran = w.run(command).exits(3).says(&format!("{HAVE}: {OTHER}. "));
            assert!(!ran.stdout.contains("Logged out"), "{ran:#?}");
            w.run(
                &[command, &["--table", "django_session", "--user-key", "_auth_user_id"]].concat(),
            )
            .ok();
        }
        w.run(&["doctor"]).says(&format!("{HAVE}: {OTHER}. "));
        let report = w.run(&["logout-user", "42", "--format", "json"]).exits(3).json();
        let doubts = report["doubts"].as_array().unwrap();
        assert!(doubts.contains(&json!({"doubt": "other_tables", "tables": [OTHER]})), "{report}");
        w.run(&["flush-all", "--yes", "--truncate"]).exits(3).says("session tables");
        // One login, of whomever, shows that the site uses the table, or used it not long ago.
        w.user("7", 1);
        w.run(&["list"]).ok();
        for command in [&["logout-user", "9"][..], &["list", "--user", "9"]] {
            w.run(command).ok();
        }
        assert!(!w.run(&["doctor"]).stdout.contains("session tables"));
    });
}

/// Logins stay live for weeks in a table that a migration left behind, those of the user who is named among them.
#[test]
fn a_session_of_the_same_user_in_another_table_is_a_doubt() {
    World::each("wrong_left_behind", |w| {
        table_with(w, OTHER, &login("42"));
        for command in COMMANDS.iter().filter(|command| *command != &["list"]) {
            w.user("7", 1).user("42", 1);
            let ran = w.run(command).exits(3).says(&format!("{SAME}: {OTHER}. "));
            assert!(!ran.stdout.contains("Logged out"), "{ran:#?}");
        }
        let report = w.run(&["logout-user", "42", "--format", "json"]).exits(3).json();
        let doubt = json!([{"doubt": "sessions_elsewhere", "tables": [OTHER]}]);
        assert_eq!((&report["doubts"], &report["verdict"]), (&doubt, &json!("unknown")));
        w.user("42", 1);
        w.run(&["logout-user", "42", "--table", "django_session"]).ok();
        w.user("42", 1).run(&["logout-user", "42", "--table", OTHER]).ok();
        w.run(&["logout-user", "42"]).ok();
    });
}

/// A column that is believed shows no login of anybody else.
#[test]
fn a_column_that_is_trusted_does_not_hide_the_wrong_table() {
    World::each("wrong_column", |w| {
        w.user("7", 1).run(&["backfill"]).ok();
        table_with(w, OTHER, &login("42"));
        let trusting = ["logout-user", "43", "--trust-column"];
        w.run(&trusting).ok();
        w.execute("DELETE FROM django_session");
        w.run(&trusting).exits(3).says("session tables");
        w.run(&["list", "--user", "43", "--trust-column"]).exits(3).says("session tables");
    });
}

/// The schema that is named may be the one in which bare names are looked up.
#[test]
fn a_schema_that_is_named_does_not_hide_the_wrong_table() {
    World::each("wrong_schema", |w| {
        let database = w.url().rsplit_once('/').unwrap().1.to_owned();
        let schema = if w.is_sqlite() {
            "main"
        } else if w.is_mysql() {
            &*database
        } else {
            "public"
        };
        table_with(w, OTHER, &login("42"));
        for command in COMMANDS {
            let all = ["--all-schemas"];
            // On MariaDB these are the databases of all tests.
            let ways = if w.is_mysql() { 1 } else { 2 };
            for schemas in [&["--schema", schema][..], &all].into_iter().take(ways) {
                let ran = w.run(&[command, schemas].concat()).exits(3);
                // Where a database is named, all names have it.
                let other = if w.is_mysql() { format!("{schema}.{OTHER}") } else { OTHER.into() };
                ran.says(&format!("{HAVE}: {other}. "));
            }
        }
    });
    let w = World::postgres("wrong_schema_other");
    table_with(&w, OTHER, &login("42"));
    w.execute(
        "CREATE SCHEMA acme; CREATE TABLE acme.django_session AS SELECT * FROM django_session",
    );
    w.run(&["logout-user", "42", "--schema", "acme"]).ok();
    w.run(&["logout-user", "42"]).exits(3).says("session tables");
}

#[test]
fn a_table_of_the_role_in_front_of_the_site_s_is_a_doubt() {
    let w = World::postgres("wrong_front");
    w.user("42", 1);
    w.execute("CREATE SCHEMA mine");
    table_with(&w, "mine.django_session", "{}");
    let url = format!("{}?options=-csearch_path%3Dmine,public", w.url());
    let run = |arguments: &[&str]| w.run(&[arguments, &["-d", &url]].concat());
    run(&["logout-user", "42"]).exits(3).says("live sessions: public.django_session. ");
    run(&["logout-user", "42", "--schema", "public"]).ok().says("1 session deleted");
}

/// Its partitions are the table itself.
#[test]
fn partitions_are_no_other_tables() {
    let w = World::postgres("wrong_partitions");
    w.execute(
        "DROP TABLE django_session;
         CREATE TABLE django_session (session_key varchar(40), session_data text NOT NULL,
             expire_date timestamptz NOT NULL) PARTITION BY HASH (session_key);
         CREATE TABLE part PARTITION OF django_session FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    );
    let doctor = w.run(&["doctor"]);
    assert!(!doctor.stdout.contains("session tables"), "{doctor:#?}");
    w.session("{}");
    w.run(&["logout-user", "42", "--user-key", "_auth_user_id"]).ok();
}

#[test]
fn a_tenant_s_view_is_no_tenant_who_is_passed_over() {
    let w = World::postgres("wrong_tenant");
    table_with(&w, "hidden", &login("42"));
    w.user("42", 1).user("7", 1);
    w.execute(
        "ALTER TABLE hidden RENAME session_key TO k;
         CREATE SCHEMA t2; CREATE VIEW t2.django_session AS
             SELECT k AS session_key, session_data, expire_date FROM hidden",
    );
    let run = |arguments: &[&str]| w.run(&[arguments, &["--superuser-ok"]].concat());
    run(&["logout-user", "42", "--schema", "t2", "--schema", "public", "-n"])
        .exits(3)
        .says("2 live sessions")
        .says("t2.django_session is a view");
    run(&["flush-all", "--all-schemas", "-n"]).exits(3).says("3 sessions would go");
    run(&["logout-user", "42", "--all-schemas"]).exits(3).says("2 sessions deleted");
    assert_eq!((w.count(), w.keys_in("t2.django_session").len()), (1, 0));
}

/// A partition is passed over only where the whole is not.
#[test]
fn a_tenant_s_partition_of_another_table_is_a_tenant() {
    let w = World::postgres("wrong_tenant_partition");
    w.user("42", 1).execute(
        "CREATE SCHEMA t2; CREATE SCHEMA t3;
         CREATE TABLE every_session (session_key varchar(40), session_data text, expire_date timestamptz)
             PARTITION BY HASH (session_key);
         CREATE TABLE t2.django_session PARTITION OF every_session FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         INSERT INTO every_session SELECT * FROM django_session;
         CREATE TABLE t3.django_session (LIKE every_session) PARTITION BY HASH (session_key)",
    );
    w.execute(
        "CREATE SCHEMA t4;
         CREATE TABLE t4.django_session PARTITION OF t3.django_session FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         INSERT INTO t3.django_session SELECT * FROM public.django_session",
    );
    let named = ["logout-user", "42", "--all-schemas", "--table", "django_session"];
    let ran = w.run(&named).ok().says("All 3 schemas");
    assert!(ran.stdout.contains("3 sessions deleted"), "{ran:#?}");
}

/// SQLite takes names in either case, and a dot in a name is not the end of a schema.
#[test]
fn an_odd_sqlite_table_is_found_and_named_as_it_is_typed() {
    let w = World::sqlite("wrong_odd");
    for (table, typed) in
        [("odd.t", "'\"odd.t\"'"), ("odd\"t", "'\"odd\"\"t\"'"), ("plain", "plain")]
    {
        let quoted = table.replace('"', "\"\"");
        w.execute(&format!(
            "CREATE TABLE \"{quoted}\" (SESSION_KEY text PRIMARY KEY, SESSION_DATA text, EXPIRE_DATE datetime);
             INSERT INTO \"{quoted}\" VALUES ('abcdefgh', '{}', '2099-01-01 00:00:00')",
            signed(&login("42"), SECRET_KEY)
        ));
        let ran = w.run(&["logout-user", "42"]).exits(3).says(&format!("{HAVE}: {typed}. "));
        assert!(!ran.stdout.contains("Logged out"), "{ran:#?}");
        let named = typed.trim_matches('\'');
        w.run(&["logout-user", "42", "--table", named]).ok().says("1 session deleted");
        w.execute(&format!("DROP TABLE \"{quoted}\""));
    }
}

/// What is said of others that may hold sessions of the same users.
const UNREAD: &str = "other session tables of this database, or live rows in them, cannot be read and may hold sessions of the same users";

/// The user may be logged in by a row that only the site's own engine reads. Rows that expired let nobody in.
#[test]
fn live_rows_in_another_table_that_cannot_be_read_are_a_doubt() {
    World::each("wrong_unreadable", |w| {
        table_with(w, OTHER, "{}");
        let users = ["7", "42"];
        for (data, expires, code) in [
            ("opaque bytes of another engine", "2099-01-01 00:00:00", 3),
            ("opaque bytes of another engine", "2001-01-01 00:00:00", 0),
            // A tenant with another key.
            (&*signed(&login("7"), "another-key"), "2099-01-01 00:00:00", 0),
            (&*signed(&login("42"), "another-key"), "2099-01-01 00:00:00", 3),
        ] {
            w.execute(&format!(
                "UPDATE {OTHER} SET session_data = '{data}', expire_date = '{expires}'"
            ));
            for command in [&["logout-user", "42"][..], &["list", "--user", "42"]] {
                w.renew();
                for user in users {
                    w.user(user, 1);
                }
                w.run(command).exits(code);
            }
        }
        w.execute(&format!(
            "UPDATE {OTHER} SET session_data = 'opaque', expire_date = '2099-01-01'"
        ));
        let report = w.run(&["logout-user", "42", "--format", "json"]).exits(3).json();
        let doubt = json!([{"doubt": "unreadable_elsewhere", "tables": [OTHER]}]);
        assert_eq!((&report["doubts"], &report["verdict"]), (&doubt, &json!("unknown")));
        w.run(&["logout-user", "42"]).exits(3).says(&format!("{UNREAD}: {OTHER}. "));
        w.run(&["logout-user", "42", "--table", "django_session"]).ok();
        // Where the engine is Django's own no such text is a login.
        w.execute(&format!("UPDATE {OTHER} SET session_data = ''"));
        w.run(&["logout-user", "42", "--engine", "db"]).ok();
        w.execute(&format!("DELETE FROM {OTHER}"));
        w.run(&["logout-user", "42"]).ok();
    });
}

/// A role that is not the site's may lack a right to the table that the site uses. Into a schema that the role may not use, no
/// site comes that has this role.
#[test]
fn another_table_without_the_right_to_read_it_is_a_doubt() {
    let w = World::postgres("wrong_unread");
    let role = Role::new(&w, "wrong_unread");
    let name = &role.name;
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {name}; CREATE SCHEMA tenant"));
    table_with(&w, "tenant.django_session", &login("42"));
    let run = || {
        w.user("7", 1).user("42", 1);
        role.run(&["logout-user", "42"])
    };
    run().ok().says("tenant.django_session");
    table_with(&w, OTHER, "{}");
    run().exits(3).says(&format!("{UNREAD}: {OTHER}. "));
    w.execute(&format!("GRANT SELECT ON {OTHER} TO {name}"));
    run().ok();
    w.execute(&format!("GRANT USAGE ON SCHEMA tenant TO {name}"));
    run().exits(3).says(&format!("{UNREAD}: tenant.django_session. "));
}

/// Nothing leads an operator to the table of another tenant, and those of the same schema come first.
#[test]
fn tables_of_tenants_are_named_last_and_none_is_proposed() {
    let w = World::postgres("wrong_tenants");
    w.execute("CREATE SCHEMA acme");
    table_with(&w, "acme.django_session", &login("42"));
    table_with(&w, "zz_session", &login("42"));
    let ran = w.run(&["logout-user", "42"]).exits(3);
    let ran = ran.says(&format!("{HAVE}: zz_session, acme.django_session. Another site or tenant"));
    assert!(!ran.stderr.contains("--table acme") && !ran.stderr.contains("--table zz"), "{ran:#?}");
    w.run(&["doctor"]).says(&format!("{HAVE}: zz_session, acme.django_session. "));
}

/// Each takes a connection, so the search ends somewhere.
#[test]
fn more_tables_than_are_looked_through_are_a_doubt() {
    let w = World::sqlite("wrong_many");
    w.user("7", 1);
    for (tables, code) in [(0..200, 0), (200..201, 3)] {
        for number in tables {
            table_with(&w, &format!("session_{number}"), &login("7"));
        }
        let report = w.run(&["logout-user", "42", "--format", "json"]).exits(code).json();
        let doubts = if code == 0 { json!([]) } else { json!([{"doubt": "tables_unknown"}]) };
        assert_eq!(report["doubts"], doubts);
    }
}

/// A session model may rename the columns of its base: nothing reads such a table but the site.
#[test]
fn a_table_without_a_live_login_beside_one_with_renamed_columns_is_a_doubt() {
    World::each("wrong_renamed", |w| {
        let (text, time) = match w {
            _ if w.is_sqlite() => ("text", "datetime"),
            _ if w.is_mysql() => ("longtext", "datetime(6)"),
            _ => ("text", "timestamp with time zone"),
        };
        let create = |table: &str, key: &str, data: &str, time: &str| {
            w.execute(&format!(
                "CREATE TABLE {table} (sid {key} PRIMARY KEY, data {data} NOT NULL, exp {time} NOT NULL)"
            ));
        };
        for (table, key, data) in [
            ("a_token", "varchar(40)", "varchar(9)"),
            ("b_cache", "varchar(255)", text),
            ("c_number", "integer", text),
        ] {
            create(table, key, data, time);
        }
        w.session(r#"{"cart":[1]}"#);
        let vouched = ["logout-user", "42", "--user-key", "_auth_user_id"];
        w.run(&vouched).ok();
        create("own_sessions", "varchar(40)", text, time);
        let says = "cannot read, so nothing is proved: own_sessions; ";
        for command in [&vouched[..], &["list"], &["flush-all", "--yes"]] {
            w.run(command).exits(3).says(says);
        }
        w.run(&[&vouched[..], &["--table", "django_session"]].concat()).ok();
        // A live login shows that the site uses this table.
        w.user("7", 1);
        w.run(&["logout-user", "42"]).ok();
    });
}

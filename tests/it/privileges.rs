//! What a role can do that may do little: see to it that nobody needs to be a superuser. What each command needs,
//! `doctor_postgres` takes away one by one.

use crate::role::Role;
use crate::world::World;

/// Commands that only read.
const READERS: [&[&str]; 12] = [
    &["list"],
    &["list", "--user", "42", "--format", "count"],
    &["show", "00000000"],
    &["stats"],
    &["check", "--max-expired", "10", "--max-age", "9999d"],
    &["doctor"],
    &["doctor", "--grants"],
    &["logout-user", "42", "--dry-run"],
    &["logout-user", "42", "--keep-data", "--dry-run"],
    &["purge-expired", "--dry-run"],
    &["flush-all", "--dry-run"],
    &["backfill", "--dry-run"],
];

/// Commands that delete.
const DELETERS: [(&[&str], &str); 4] = [
    (&["logout-user", "42"], "2 sessions deleted, none is left"),
    (&["purge-expired"], "Purged 2 expired sessions"),
    (&["flush-all", "--yes", "--except-user", "7"], "4 sessions deleted, nobody else is logged in"),
    (&["flush-all", "--yes", "--authenticated-only"], "3 sessions deleted, nobody is logged in"),
];

/// Two sessions of user 42, one of user 7, two that have expired.
fn fill(w: &World) {
    w.execute("DELETE FROM django_session");
    w.user("42", 2).user("7", 1).expired(2);
}

#[test]
fn who_may_only_read_can_look_at_everything_and_change_nothing() {
    let w = World::postgres("privileges_read");
    fill(&w);
    let role = Role::new(&w, "may_read");
    w.execute(&format!("GRANT SELECT ON django_session TO {}", role.name));
    let before = w.session_keys();
    for command in READERS {
        let ran = role.run(command);
        // That it may do no more, doctor takes for a warning.
        assert_eq!(ran.code, 0, "{command:?}: {ran:#?}");
    }
    for (command, _) in DELETERS {
        role.run(command).refuses(1, &["lacks the DELETE privilege", "GRANT DELETE"]);
    }
    assert_eq!(w.session_keys(), before);
}

#[test]
fn who_may_read_and_delete_can_log_out_and_purge() {
    let w = World::postgres("privileges_delete");
    let role = Role::new(&w, "may_delete");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    for (command, says) in DELETERS {
        fill(&w);
        role.run(command).ok().says(says);
    }
    fill(&w);
    for command in [
        &["logout-user", "42", "--keep-data"][..],
        &["flush-all", "--yes", "--keep-data"],
        &["backfill"],
    ] {
        let before = w.session_keys();
        let ran = role.run(command).exits(1);
        assert!(ran.stderr.contains("error: ") && ran.stderr.contains("hint: "), "{ran:#?}");
        assert_eq!(w.session_keys(), before);
    }
}

/// What `--grants` prints for these commands is enough for them, and for no others.
#[test]
fn what_is_granted_for_a_command_is_enough_for_it_and_no_more() {
    let w = World::postgres("privileges_grants");
    w.execute(
        "CREATE SCHEMA people; CREATE SCHEMA site; ALTER TABLE django_session SET SCHEMA site;
         CREATE TABLE site.auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE, email varchar(254), is_active boolean,
             is_staff boolean, is_superuser boolean, password text);
         INSERT INTO site.auth_user VALUES (42, 'anna', 'a@x.org', false, true, true, 'secret');
         CREATE TABLE people.member (id bigint PRIMARY KEY); INSERT INTO people.member VALUES (42), (7);
         CREATE TABLE site.usersessions_usersession (session_key varchar(40));
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = site', current_database()); END $$",
    );
    let logout: &[&[&str]] = &[
        &["logout-user", "42"],
        &["logout-user", "--username", "anna"],
        &["logout-user", "--email", "a@x.org"],
        &["logout-user", "--inactive"],
        &["logout-user", "--superusers"],
    ];
    let look: &[&[&str]] = &[&["list"], &["stats"], &["check", "--max-age", "9999d"], &["doctor"]];
    let cases: [(&str, &[&[&str]], &str); 8] = [
        ("list", look, "SELECT"),
        ("logout-user", logout, "DELETE,SELECT"),
        ("purge-expired", &[&["purge-expired"]], "DELETE,SELECT"),
        ("flush-all", &[&["flush-all", "--yes"]], "DELETE,SELECT"),
        ("truncate", &[&["flush-all", "--yes", "--truncate"]], "DELETE,SELECT,TRUNCATE"),
        ("keep-data", &[&["logout-user", "42", "--keep-data"]], "DELETE,SELECT,UPDATE"),
        (
            "logout-user,cleanup-allauth",
            &[&["logout-user", "42", "--cleanup-allauth"]],
            "DELETE,SELECT",
        ),
        ("check,purge-expired", &[&["purge-expired"]], "DELETE,SELECT"),
    ];
    for (commands, enough_for, held) in cases {
        let role = Role::new(&w, "granted");
        let printed = w.run(&["doctor", "--grants", commands, "--role", &role.name]).ok();
        assert!(printed.stderr.is_empty(), "{printed:#?}");
        w.execute(&printed.stdout);
        for command in enough_for {
            w.execute("DELETE FROM site.django_session");
            w.user("42", 2).expired(2);
            role.run(command).ok();
        }
        let sql = format!(
            "SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) FROM information_schema.table_privileges
             WHERE grantee = '{}' AND table_name = 'django_session'",
            role.name
        );
        let has: String = w.client().query_one(&sql, &[]).unwrap().get(0);
        assert_eq!(has, held, "{commands}");
        let others = format!(
            "SELECT count(*) FROM information_schema.column_privileges
             WHERE grantee = '{}' AND (table_name = 'member' OR column_name = 'password')",
            role.name
        );
        assert_eq!(w.client().query_one(&others, &[]).unwrap().get::<_, i64>(0), 0, "{commands}");
    }
    // backfill: the table that the column refers to, one column of it.
    w.execute(
        "ALTER TABLE site.django_session ADD COLUMN user_id bigint REFERENCES people.member;
         CREATE INDEX ON site.django_session (user_id)",
    );
    let role = Role::new(&w, "granted");
    let printed = w.run(&["doctor", "--grants", "backfill", "--role", &role.name]).ok();
    assert!(printed.stdout.contains("GRANT SELECT (id) ON people.member TO"), "{printed:#?}");
    w.execute(&printed.stdout);
    w.user("42", 2);
    role.run(&["backfill", "--no-index"]).ok();
    drop(role);
    // All of it at once, for this very role, and for one whose name must be quoted.
    let all = w.run(&["doctor", "--grants", "--role", "we\"ird; DROP"]).ok();
    assert!(
        all.stdout.lines().all(|line| line.contains(" TO \"we\"\"ird; DROP\"; -- ")),
        "{all:#?}"
    );
    // The users are those to which the column refers.
    let users = "GRANT SELECT (\"id\") ON \"people\".\"member\"";
    assert!(all.stdout.contains("TRUNCATE") && all.stdout.contains(users), "{all:#?}");
    w.run(&["doctor", "--grants", "nosuch"]).exits(2);
    w.run(&["doctor", "--role", "x"]).exits(2);
}

//! What a superuser's run meets behind its first look, and in tables that belong to the session table.

use crate::running::{Running, eventually};
use crate::superuser::Site;
use crate::world::World;

/// Each name that a batch uses must lead to the table that was checked: for all later batches, not for a moment.
#[test]
fn a_table_that_takes_the_place_of_one_that_was_checked_is_refused() {
    const LISTED: &str =
        "CREATE TABLE usersessions_usersession AS SELECT session_key FROM django_session";
    const OTHER_LISTED: &str = "ALTER TABLE usersessions_usersession RENAME TO old_one;
        CREATE TABLE usersessions_usersession AS SELECT session_key FROM django_session;
        CREATE TRIGGER t BEFORE DELETE ON usersessions_usersession FOR EACH ROW EXECUTE FUNCTION trap()";
    const CHILD: &str = "CREATE TABLE child (session varchar(40) REFERENCES django_session)";
    const OTHER_CHILD: &str = "ALTER TABLE child RENAME TO old_one;
        CREATE TYPE pair AS (a text);
        CREATE FUNCTION shown(pair) RETURNS text LANGUAGE sql AS $$ SELECT trap('cast') $$;
        CREATE CAST (pair AS text) WITH FUNCTION shown(pair) AS IMPLICIT;
        CREATE TABLE child (session pair);
        INSERT INTO child SELECT ROW(session_key)::pair FROM django_session";
    const USERS: &str =
        "CREATE TABLE auth_user (id bigint PRIMARY KEY); INSERT INTO auth_user VALUES (42), (7);
        ALTER TABLE django_session ADD user_id bigint REFERENCES auth_user";
    const OTHER_USERS: &str = "ALTER TABLE auth_user RENAME TO old_one;
        CREATE TYPE number AS (a bigint);
        CREATE FUNCTION shown(number) RETURNS bigint LANGUAGE sql AS $$ SELECT length(trap('cast'))::bigint $$;
        CREATE CAST (number AS bigint) WITH FUNCTION shown(number) AS IMPLICIT;
        CREATE TABLE auth_user (id number); INSERT INTO auth_user VALUES (ROW(42)), (ROW(7))";
    let cases: [(&str, &[&str], &str, &str, &str); 3] = [
        (
            "listed",
            &["logout-user", "42", "--cleanup-allauth"],
            LISTED,
            OTHER_LISTED,
            "session_key LIKE '%'",
        ),
        ("child", &["purge-expired"], CHILD, OTHER_CHILD, "session_key LIKE '%'"),
        ("users", &["backfill"], USERS, OTHER_USERS, "user_id IS NULL"),
    ];
    for (name, command, before, other, untouched) in cases {
        let w = World::postgres(&format!("swap_{name}"));
        let site = Site::new(&w, &format!("swap_{name}"));
        site.makes(before);
        let count = || {
            let sql = format!("SELECT count(*) FROM django_session WHERE {untouched}");
            w.client().query_one(&sql, &[]).unwrap().get::<_, i64>(0)
        };
        let all = count();
        let slowly = [command, &["--batch-size", "1", "--sleep", "4s"]].concat();
        let running = Running::start(&mut w.command(&slowly));
        eventually("a batch", || count() == all - 1);
        site.makes(other);
        let ran = running.end().exits(1);
        assert!(ran.stderr.contains("another table came in the place"), "{name}: {ran:#?}");
        assert!(site.is_clean(), "{name}: {ran:#?}");
        assert_eq!(count(), all - 1, "{name}");
        // Its casts are in the way of the role's end.
        w.execute("DROP TYPE IF EXISTS pair, number CASCADE");
    }
}

/// A schema of the role's own name comes first in the search path, and the owner of the database can make it.
#[test]
fn a_table_in_an_earlier_schema_takes_no_batch_and_no_proof() {
    let w = World::postgres("swap_schema");
    w.user("42", 3);
    let me: String = w.client().query_one("SELECT current_user::text", &[]).unwrap().get(0);
    let slowly = ["logout-user", "42", "--batch-size", "1", "--sleep", "4s"];
    let running = Running::start(&mut w.command(&slowly));
    eventually("a batch", || w.count() == 2);
    w.execute(&format!(
        "CREATE SCHEMA \"{me}\"; CREATE TABLE \"{me}\".django_session (LIKE public.django_session INCLUDING ALL);
         INSERT INTO \"{me}\".django_session SELECT * FROM public.django_session"
    ));
    let ran = running.end().exits(1);
    assert!(ran.stderr.contains("another table came in the place"), "{ran:#?}");
    let left = "SELECT count(*) FROM \"{me}\".django_session".replace("{me}", &me);
    assert_eq!(w.client().query_one(&left, &[]).unwrap().get::<_, i64>(0), 2, "{ran:#?}");
}

/// The functions of an extension belong to a superuser, and one that a role may install can call that role's own.
#[test]
fn functions_of_extensions_are_no_superusers_on_a_table_of_another_role() {
    let w = World::postgres("swap_extension");
    let site = Site::new(&w, "swap_extension");
    w.execute("CREATE EXTENSION hstore");
    site.makes(
        "CREATE DOMAIN sprung AS text CHECK (trap(value) <> ''); CREATE TYPE holder AS (a sprung);
         CREATE TABLE auth_user (id bigint PRIMARY KEY, username text UNIQUE);
         CREATE INDEX i ON auth_user (username) WHERE populate_record(NULL::holder, hstore('a', 'x')) IS NOT NULL",
    );
    w.run(&["logout-user", "--username", "anna"]).refuses(1, &["index i of public.auth_user"]);
    assert!(site.is_clean());
}

/// A foreign key of the user column reads its table, also if it is not the first one.
#[test]
fn every_table_that_the_user_column_refers_to_counts() {
    let w = World::postgres("swap_second_key");
    let site = Site::new(&w, "swap_second_key");
    site.makes(
        "CREATE TABLE auth_user (id bigint PRIMARY KEY); INSERT INTO auth_user VALUES (42), (7);
         CREATE TABLE people (id bigint PRIMARY KEY); INSERT INTO people VALUES (42), (7);
         CREATE INDEX i ON people (id) WHERE trap('people') IS NOT NULL;
         ALTER TABLE django_session ADD user_id bigint REFERENCES auth_user,
             ADD CONSTRAINT z FOREIGN KEY (user_id) REFERENCES people",
    );
    w.run(&["backfill"]).refuses(1, &["index i of public.people"]);
    assert!(site.is_clean());
}

/// Whoever may add a trigger to a superuser's table has it call a function of a superuser's as they please.
#[test]
fn triggers_that_others_could_add_to_a_table_of_a_superuser_are_code() {
    const WHEN: &str = "WHEN (query_to_xml('SELECT trap(''when'')', true, true, '') IS NOT NULL) EXECUTE FUNCTION noted()";
    let w = World::postgres("swap_trigger");
    let site = Site::new(&w, "swap_trigger");
    let role = &site.owner.name;
    w.execute(
        "ALTER TABLE django_session OWNER TO CURRENT_USER;
         CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$",
    );
    for (does, is_seen_later) in [
        ("EXECUTE FUNCTION noted()", false),
        ("WHEN (OLD.session_key <> '') EXECUTE FUNCTION noted()", false),
        ("EXECUTE FUNCTION noted('x')", true),
        (WHEN, true),
    ] {
        w.execute(&format!("GRANT SELECT, TRIGGER ON django_session TO {role}"));
        site.makes(&format!(
            "CREATE TRIGGER t BEFORE DELETE ON django_session FOR EACH ROW {does}"
        ));
        for command in [&["list"][..], &["purge-expired"]] {
            w.run(command).refuses(1, &["trigger t on public.django_session", "--superuser-ok"]);
        }
        w.execute(&format!("REVOKE ALL ON django_session FROM {role}"));
        let later = w.run(&["purge-expired"]).exits(is_seen_later.into());
        assert_eq!(later.stderr.contains("trigger t on"), is_seen_later, "{does}: {later:#?}");
        assert!(site.is_clean(), "{does}");
        w.execute("DROP TRIGGER t ON django_session");
        w.expired(1);
    }
}

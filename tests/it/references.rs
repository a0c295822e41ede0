//! Tables of the site that refer to sessions: what nobody refers to is deleted, the rest is counted and named.

use serde_json::json;

use crate::role::Role;
use crate::support::postgres_version;
use crate::world::World;

const PURGE: [&str; 3] = ["purge-expired", "--format", "json"];

/// A table that refers to sessions in one of the ways that forbid their end, and such a row for each session of which
/// this is true.
pub(crate) fn refer(w: &World, table: &str, how: &str, which: &str) {
    w.execute(&format!(
        "CREATE TABLE {table} (id integer, session_id varchar(40) NOT NULL REFERENCES django_session (session_key) {how});
         INSERT INTO {table} SELECT 1, session_key FROM django_session WHERE {which}"
    ));
}

const WAYS: [&str; 3] = ["", "ON DELETE RESTRICT", "DEFERRABLE INITIALLY DEFERRED"];

#[test]
fn a_purge_leaves_what_another_table_refers_to_and_nothing_else() {
    for (number, how) in WAYS.into_iter().enumerate() {
        World::each(&format!("references_purge_{number}"), |w| {
            w.expired(300).live(3);
            let live = w.live_keys();
            refer(w, "member", how, "session_key LIKE 'expired-%7'");
            w.execute("INSERT INTO member SELECT 2, session_key FROM django_session WHERE session_key LIKE 'live-%'");
            w.run(&["purge-expired", "--dry-run"])
                .ok()
                .says("Dry run: 270 sessions")
                .says("30 sessions would stay: rows of member refer to them")
                .says("member (session_id) refers to sessions");
            for size in ["7", "1000"] {
                let ran = w.run(&[&PURGE[..], &["--batch-size", size]].concat()).exits(3);
                let report = ran.json();
                let deleted = if size == "7" { 270 } else { 0 };
                assert_eq!(report["deleted"], deleted, "{how}: {report}");
                assert_eq!(report["referenced"], 30, "{how}: {report}");
                assert_eq!(report["referenced_by"], json!(["member"]), "{how}: {report}");
                assert_eq!((&report["left"], &report["locked"]), (&json!(30), &json!(0)));
                assert_eq!(w.count(), 33);
            }
            w.run(&["purge-expired"])
                .exits(3)
                .says("30 sessions stay: rows of member refer to them")
                .says("Delete those rows first");
            w.execute("DELETE FROM member");
            let report = w.run(&PURGE).ok().json();
            assert_eq!((&report["deleted"], &report["referenced"]), (&json!(30), &json!(0)));
            assert_eq!(w.session_keys(), live);
        });
    }
}

/// That of a table which nobody sees until the database forbids it: behind ON DELETE CASCADE.
#[test]
fn what_forbids_the_end_of_a_session_further_on() {
    for (number, cart) in [
        "integer REFERENCES cart (id)",
        "integer REFERENCES cart (id) ON DELETE RESTRICT",
        "integer NOT NULL REFERENCES cart (id) ON DELETE SET NULL",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("references_chain_{number}");
        if cart.contains("SET NULL") {
            // InnoDB makes no such column.
            World::each_but_mysql(&name, |w| forbidden_further_on(w, cart));
        } else {
            World::each(&name, |w| forbidden_further_on(w, cart));
        }
    }
}

fn forbidden_further_on(w: &World, cart: &str) {
    w.expired(40);
    w.execute(&format!(
        "CREATE TABLE cart (id integer PRIMARY KEY, session varchar(40) REFERENCES django_session ON DELETE CASCADE);
         CREATE TABLE item (cart {cart});
         INSERT INTO cart SELECT 10 * CAST(substr(session_key, 9) AS integer), session_key FROM django_session
             WHERE session_key LIKE '%9' OR session_key LIKE '%1';
         INSERT INTO item SELECT id FROM cart WHERE session LIKE '%9'"
    ));
    let report = w.run(&PURGE).exits(3).json();
    assert_eq!((&report["deleted"], &report["referenced"]), (&json!(36), &json!(4)), "{report}");
    assert_eq!((w.count(), &report["left"]), (4, &json!(4)));
    w.execute("DELETE FROM item");
    w.run(&PURGE).ok();
    assert_eq!(w.count(), 0);
}

#[test]
fn a_role_that_may_not_see_the_other_table_leaves_its_sessions_too() {
    let w = World::postgres("references_unseen");
    w.expired(100);
    refer(&w, "member", "DEFERRABLE INITIALLY DEFERRED", "session_key LIKE '%3'");
    let role = Role::new(&w, "references_unseen");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    let report = role.run(&PURGE).exits(3).json();
    assert_eq!((&report["deleted"], &report["referenced"]), (&json!(90), &json!(10)), "{report}");
    assert_eq!(report["referenced_by"], json!(["member"]));
    // Nor one from whom row security hides its rows.
    w.execute(&format!(
        "GRANT SELECT ON member TO {}; ALTER TABLE member ENABLE ROW LEVEL SECURITY",
        role.name
    ));
    let report = role.run(&PURGE).exits(3).json();
    assert_eq!((&report["deleted"], &report["referenced"]), (&json!(0), &json!(10)), "{report}");
    // Nor one in a schema that it may not look into.
    w.execute(
        "ALTER TABLE member DISABLE ROW LEVEL SECURITY; CREATE SCHEMA closed; ALTER TABLE member SET SCHEMA closed",
    );
    let report = role.run(&PURGE).exits(3).json();
    assert_eq!((&report["deleted"], &report["referenced"]), (&json!(0), &json!(10)), "{report}");
    assert_eq!(report["referenced_by"], json!(["closed.member"]));
    assert_eq!(w.count(), 10);
}

#[test]
fn a_foreign_key_that_points_at_one_partition_or_at_another_column() {
    let w = crate::table_kinds::partitioned("references_partition");
    w.expired(100);
    w.execute(
        "CREATE TABLE member (session_id varchar(40) REFERENCES part_2 (session_key));
         INSERT INTO member SELECT session_key FROM part_2",
    );
    let dry = [&PURGE[..], &["--dry-run"]].concat();
    assert_eq!(w.run(&dry).ok().json()["referenced"], w.keys_in("part_2").len());
    let report = w.run(&PURGE).exits(3).json();
    assert_eq!(report["deleted"].as_u64().unwrap() + report["referenced"].as_u64().unwrap(), 100);
    assert_eq!(report["referenced"], w.keys_in("part_2").len());
    let w = World::postgres("references_number");
    w.execute("ALTER TABLE django_session ADD COLUMN number serial UNIQUE");
    w.expired(20);
    w.execute(
        "CREATE TABLE member (session integer REFERENCES django_session (number));
         INSERT INTO member SELECT number FROM django_session WHERE number % 5 = 0",
    );
    let report = w.run(&PURGE).exits(3).json();
    assert_eq!((&report["deleted"], &report["referenced"]), (&json!(16), &json!(4)));
}

#[test]
fn a_logout_leaves_what_another_table_refers_to_and_says_so() {
    for (number, how) in WAYS.into_iter().enumerate() {
        World::each(&format!("references_logout_{number}"), |w| {
            w.user("42", 3).user("7", 1);
            let keys = w.session_keys();
            refer(w, "member", how, &format!("session_key = '{}'", keys[1]));
            w.run(&["logout-user", "42", "--dry-run"])
                .exits(3)
                .says("member (session_id) refers to sessions")
                .says("Dry run: 2 of 3 live sessions of user 42 would be deleted")
                .says("1 session would stay: rows of member refer to it");
            let dry = ["logout-user", "42", "--dry-run", "--format", "json"];
            let report = w.run(&dry).exits(3).json();
            assert_eq!(
                (&report["matched"], &report["referenced"], &report["referenced_by"]),
                (&json!(3), &json!(1), &json!(["member"])),
                "{report}"
            );
            // Nothing refers to the session of user 7, and --keep-data leaves the rows.
            w.run(&["logout-user", "7", "--dry-run"]).ok().says("1 live session of user 7");
            w.run(&["logout-user", "42", "--dry-run", "--keep-data"]).ok();
            let ran = w.run(&["logout-user", "42"]).exits(3);
            let ran = ran.says("NOT logged out, user 42: 2 sessions deleted, 1 IS LEFT");
            let ran = ran.says("1 session stays: rows of member refer to it").says("--keep-data");
            assert!(
                !ran.stdout.contains("Run it again") && !ran.stdout.contains("trigger"),
                "{ran:#?}"
            );
            let again = ["logout-user", "42", "--no-verify", "--format", "json"];
            let report = w.run(&again).exits(3).json();
            assert_eq!(
                (&report["deleted"], &report["referenced"]),
                (&json!(0), &json!(1)),
                "{report}"
            );
            assert_eq!(
                (&report["remaining"], &report["not_deleted"]),
                (&json!(1), &json!(0)),
                "{report}"
            );
            assert_eq!(report["referenced_by"], json!(["member"]));
            w.run(&["logout-user", "42", "--keep-data"]).ok().says("none is left");
            // Nothing refers to the one of user 7.
            let report = w.run(&["logout-user", "7", "--format", "json"]).ok().json();
            assert_eq!((&report["deleted"], &report["referenced"]), (&json!(1), &json!(0)));
        });
    }
}

#[test]
fn everybody_else_is_logged_out() {
    World::each("references_flush", |w| {
        w.user("42", 3).user("7", 3).live(5).expired(2);
        let keys = w.session_keys();
        refer(w, "member", "", &format!("session_key IN ('{}', 'live-6')", keys[0]));
        let flush = ["flush-all", "--yes", "--format", "json"];
        let report = w.run(&["flush-all", "--dry-run", "--format", "json"]).exits(3).json();
        assert_eq!(
            (&report["matched"], &report["referenced"], &report["referenced_by"]),
            (&json!(13), &json!(2), &json!(["member"])),
            "{report}"
        );
        w.run(&["flush-all", "--dry-run"])
            .exits(3)
            .says("Dry run: 11 of 13 sessions would go")
            .says("2 sessions would stay");
        w.run(&["flush-all", "--dry-run", "--authenticated-only"])
            .exits(3)
            .says("1 session would stay");
        let report = w.run(&flush).exits(3).json();
        assert_eq!(
            report["deleted"].as_u64().unwrap() + report["referenced"].as_u64().unwrap(),
            13,
            "{report}"
        );
        assert_eq!(
            (&report["remaining"], &report["referenced_by"]),
            (&json!(1), &json!(["member"]))
        );
        w.run(&["flush-all", "--yes"]).exits(3).says("refer to").says("LOGINS LEFT: 1");
        w.execute("DELETE FROM member");
        w.run(&flush).ok();
        assert_eq!(w.count(), 0);
        // What the database does to the rows of others is said first.
        w.user("42", 1);
        refer(w, "cart", "ON DELETE CASCADE", "1 = 1");
        for command in [
            &["flush-all", "--yes", "--dry-run"][..],
            &["logout-user", "42", "--dry-run"],
            &["flush-all", "--yes"],
        ] {
            w.run(command).ok().says("cart refers to sessions ON DELETE CASCADE");
        }
    });
}

/// What stays is no login that is gone: neither in the audit file nor among the keys of the cache.
#[test]
fn a_session_that_stays_is_not_told_as_gone() {
    World::each("references_told", |w| {
        w.user("42", 2);
        let keys = w.session_keys();
        refer(w, "member", "", &format!("session_key = '{}'", keys[0]));
        let ran = w.run(&["logout-user", "42", "--print-cache-keys"]).exits(3);
        assert!(ran.stdout.contains(&keys[1]) && !ran.stdout.contains(&keys[0]), "{ran:#?}");
    });
}

#[test]
fn a_reference_that_may_not_become_null_keeps_its_session_and_no_other() {
    // InnoDB makes no such column.
    World::each_but_mysql("references_not_null", |w| {
        w.user("42", 3).user("7", 2);
        let first = w.session_keys().into_iter().next().unwrap();
        refer(w, "member", "ON DELETE SET NULL", &format!("session_key = '{first}'"));
        w.run(&["logout-user", "42", "--dry-run"])
            .exits(3)
            .says("Dry run: 2 of 3 live sessions of user 42")
            .says("1 session would stay: rows of member refer to it");
        let report = w.run(&["logout-user", "42", "--format", "json"]).exits(3).json();
        assert_eq!((&report["deleted"], &report["referenced"]), (&json!(2), &json!(1)), "{report}");
        w.run(&["flush-all", "--yes"]).exits(3).says("2 sessions deleted");
        assert_eq!(w.session_keys(), [first]);
    });
}

/// A name by which the database finds the table: SQLite in any case.
fn name(w: &World) -> &'static str {
    if w.is_sqlite() { "Django_Session" } else { "django_session" }
}

/// A dry run and a logout of two sessions, one of which has a row in this table `child`.
fn keeps(w: &World, child: &str, columns: &str, stays: bool) {
    w.user("42", 2);
    w.execute(child);
    let first = w.session_keys().into_iter().next().unwrap();
    w.execute(&format!(
        "INSERT INTO child ({columns}) SELECT {} FROM django_session WHERE session_key = '{first}'",
        columns.replace("session", "session_key").replace("expires", "expire_date")
    ));
    let (kept, by) = (u64::from(stays), if stays { json!(["child"]) } else { json!(null) });
    let logout = ["logout-user", "42", "--table", name(w), "--format", "json"];
    let report =
        w.run(&[&logout[..], &["--dry-run"]].concat()).exits(if stays { 3 } else { 0 }).json();
    assert_eq!((&report["referenced"], &report["referenced_by"]), (&json!(kept), &by), "{child}");
    let report = w.run(&logout).exits(if stays { 3 } else { 0 }).json();
    assert_eq!(
        (&report["deleted"], &report["referenced"]),
        (&json!(2 - kept), &json!(kept)),
        "{child}"
    );
    w.execute("DROP TABLE child; DELETE FROM django_session WHERE session_key NOT LIKE 'live%'");
}

/// What the column is set to decides, and what the database would refuse is known before.
fn foresees(w: &World) {
    w.live(1);
    w.execute("CREATE UNIQUE INDEX both_columns ON django_session (session_key, expire_date)");
    let one = |column: &str, stays| {
        keeps(w, &format!("CREATE TABLE child (session {column})"), "session", stays);
    };
    let usual = "varchar(40) NOT NULL DEFAULT 'live-0' REFERENCES django_session";
    one(&format!("{usual} ON DELETE SET DEFAULT"), false);
    one(&format!("{usual} ON DELETE SET NULL"), true);
    one("varchar(40) NOT NULL REFERENCES django_session ON DELETE SET DEFAULT", true);
    let expires = if w.is_sqlite() { "datetime" } else { "timestamptz" };
    keeps_by_two(w, &format!("expires {expires}, session varchar(40)"), "", true);
    let columns = format!("session varchar(40), expires {expires} NOT NULL");
    keeps_by_two(w, &columns, "ON DELETE SET NULL", true);
    // Each of several keeps its own.
    w.user("42", 3);
    for (table, key) in ["basket", "cart"].iter().zip(w.session_keys()) {
        refer(w, table, "", &format!("session_key = '{key}'"));
    }
    refer(w, "shelf", "", "1 = 0");
    let report = w.run(&["logout-user", "42", "--dry-run", "--format", "json"]).exits(3).json();
    assert_eq!(
        (&report["referenced"], &report["referenced_by"]),
        (&json!(2), &json!(["basket", "cart"]))
    );
    w.execute("DROP TABLE basket; DROP TABLE cart; DROP TABLE shelf; DELETE FROM django_session WHERE session_key NOT LIKE 'live%'");
}

fn keeps_by_two(w: &World, columns: &str, then: &str, stays: bool) {
    let child = format!(
        "CREATE TABLE child ({columns}, FOREIGN KEY (session, expires)
             REFERENCES django_session (session_key, expire_date) {then})"
    );
    keeps(w, &child, "session, expires", stays);
}

#[test]
fn what_a_foreign_key_of_sqlite_keeps_is_foreseen() {
    foresees(&World::sqlite("references_foreseen"));
}

#[test]
fn what_a_foreign_key_of_postgres_keeps_is_foreseen() {
    let w = World::postgres("references_foreseen");
    foresees(&w);
    w.execute(
        "CREATE DOMAIN required AS varchar(40) NOT NULL; CREATE DOMAIN usual AS varchar(40) DEFAULT 'live-0'",
    );
    for (child, stays) in [
        ("(session required REFERENCES django_session ON DELETE SET NULL)", true),
        ("(session usual NOT NULL REFERENCES django_session ON DELETE SET DEFAULT)", false),
        (
            "(session varchar(40) REFERENCES django_session) PARTITION BY HASH (session);
             CREATE TABLE part PARTITION OF child FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
            true,
        ),
    ] {
        keeps(&w, &format!("CREATE TABLE child {child}"), "session", stays);
    }
    // Before PostgreSQL 15 all columns of the key become NULL.
    if postgres_version(&mut w.client()) >= 15 {
        let columns = "session varchar(40) NOT NULL, expires timestamptz";
        keeps_by_two(&w, columns, "ON DELETE SET NULL (expires)", false);
    }
}

#[test]
fn no_session_goes_because_it_refers_to_one_that_goes() {
    World::each("references_itself", |w| {
        w.user("42", 2).user("7", 1);
        let keys = w.session_keys();
        w.execute(&format!(
            "ALTER TABLE django_session ADD COLUMN parent varchar(40)
                 REFERENCES django_session (session_key) ON DELETE CASCADE;
             UPDATE django_session SET parent = '{}' WHERE session_key = '{}'",
            keys[0], keys[2]
        ));
        w.run(&["logout-user", "42", "--dry-run"])
            .exits(3)
            .says("Dry run: 1 of 2 live sessions of user 42")
            .says("sessions refer to each other (parent) ON DELETE CASCADE");
        let logout = ["logout-user", "42", "--table", name(w), "--format", "json"];
        let report = w.run(&logout).exits(3).json();
        assert_eq!((&report["deleted"], &report["referenced"]), (&json!(1), &json!(1)), "{report}");
        assert_eq!(w.session_keys(), [keys[0].clone(), keys[2].clone()]);
    });
}

#[test]
fn a_reference_that_may_become_null_hinders_nobody() {
    World::each("references_null", |w| {
        w.user("42", 3);
        // InnoDB knows no SET DEFAULT.
        let other = if w.is_mysql() { "SET NULL" } else { "SET DEFAULT" };
        w.execute(&format!(
            "CREATE TABLE member (id integer NOT NULL, session varchar(40) REFERENCES django_session ON DELETE SET NULL,
                 other varchar(40) DEFAULT NULL REFERENCES django_session ON DELETE {other});
             INSERT INTO member SELECT 1, session_key, session_key FROM django_session"
        ));
        w.run(&["logout-user", "42", "--dry-run"]).ok().says("Dry run: 3 live sessions of user 42");
        w.run(&["logout-user", "42"]).ok().says("3 sessions deleted");
    });
}

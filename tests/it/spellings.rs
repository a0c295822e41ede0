//! Ids that are spelled otherwise than those of the users who are named, and that mean them.

use serde_json::json;

use crate::world::{World, login};

const FLUSH: [&str; 3] = ["flush-all", "--yes", "--except-user"];

/// Users whose keys the database compares in either case, and sessions that spell one of them in both.
fn either_case(w: &World) {
    let collation = if w.is_sqlite() {
        "NOCASE"
    } else if w.is_mysql() {
        "utf8mb4_general_ci"
    } else {
        w.execute(
            "CREATE COLLATION either_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        );
        "either_case"
    };
    w.execute(&format!(
        "CREATE TABLE auth_user (id varchar(40) COLLATE {collation} PRIMARY KEY, username text UNIQUE);
         INSERT INTO auth_user VALUES ('Anna', 'anna'), ('bob', 'bob')"
    ));
    w.user("Anna", 2).user("anna", 1).user("bob", 1).user("gone", 1);
}

#[test]
fn a_user_is_found_under_an_id_that_the_database_takes_for_theirs() {
    World::each("spellings_case", |w| {
        either_case(w);
        w.run(&["list", "--user", "anna", "--format", "count"]).ok().says("3\n");
        let report = w.run(&["logout-user", "--deleted-users", "--format", "json"]).ok().json();
        assert_eq!((&report["users"], &report["deleted"]), (&json!(["gone"]), &json!(1)));
        let report = w.run(&["logout-user", "anna", "--format", "json"]).ok().json();
        assert_eq!((&report["deleted"], &report["remaining"]), (&json!(3), &json!(0)));
        let named = &report["named"][0];
        assert_eq!(
            ["id", "username", "exists"].map(|field| &named[field]),
            [&json!("Anna"), &json!("anna"), &json!(true)]
        );
        w.user("Anna", 1).user("anna", 1);
        w.run(&[&FLUSH[..], &["anna"]].concat()).ok().says("1 session deleted");
        w.run(&["list", "--user", "anna", "--format", "count"]).ok().says("2\n");
    });
}

/// What `int()` of Python reads as 42.
const AS_42: [&str; 6] = [" 42", "042", "+42", "4_2", "42\u{3000}", "٤٢"];

fn numbers(w: &World) {
    w.user("42", 1).user("7", 1).user("142", 1);
    for id in AS_42 {
        w.user(id, 1);
    }
}

fn doubts_42(w: &World) {
    w.run(&["list", "--user", "42", "--format", "count"])
        .exits(3)
        .says("1\n")
        .says("6 sessions left out whose id is spelled otherwise");
    for (users, deleted) in [(&["42"][..], 1), (&["42", "7"], 2)] {
        let dry = [&["logout-user", "-n"], users].concat();
        w.run(&dry).exits(3).says("6 sessions stayed whose id is spelled otherwise");
        let json = [&dry[..], &["--format", "json"]].concat();
        let report = w.run(&json).exits(3).json();
        assert_eq!((&report["matched"], &report["alike"]), (&json!(deleted), &json!(6)));
    }
    w.run(&["logout-user", "7", "-n"]).ok();
    let report = w.run(&["logout-user", "42", "--format", "json"]).exits(3).json();
    assert_eq!((&report["deleted"], &report["alike"]), (&json!(1), &json!(6)));
    assert_eq!((&report["remaining"], &report["verdict"]), (&json!(0), &json!("unknown")));
}

#[test]
fn where_keys_are_numbers_an_id_that_django_reads_as_one_is_a_doubt() {
    World::each("spellings_number", |w| {
        numbers(w);
        doubts_42(w);
        w.renew();
        numbers(w);
        w.execute("CREATE TABLE auth_user (id integer PRIMARY KEY, username text UNIQUE)");
        w.execute("INSERT INTO auth_user VALUES (42, 'anna'), (7, 'bob'), (142, 'carl')");
        doubts_42(w);
        // To Django they are of a user who is there.
        w.run(&["logout-user", "--deleted-users", "--unfit-ids"]).ok().says("0 sessions deleted");
        // They stay with those of the user who is spared.
        let report = w.run(&[&FLUSH[..], &["42", "--format", "json"]].concat()).exits(3).json();
        assert_eq!((&report["deleted"], &report["alike"]), (&json!(2), &json!(6)));
        w.run(&[&["logout-user", "--unfit-ids", "42"], &AS_42[..]].concat())
            .ok()
            .says("6 sessions deleted");
    });
}

#[test]
fn a_user_column_tells_that_keys_are_numbers_too() {
    World::each("spellings_column", |w| {
        numbers(w);
        w.execute("ALTER TABLE django_session ADD COLUMN user_id bigint");
        doubts_42(w);
    });
}

#[test]
fn one_uuid_is_one_user_however_it_is_spelled() {
    World::each("spellings_uuid", |w| {
        let uuid = "0fce2a16-9e1b-4c55-8c0e-0a6cf5f1e7a2";
        let (digits, upper) = (uuid.replace('-', ""), uuid.to_uppercase());
        w.user(uuid, 2).user(&digits, 1).user(&format!("urn:uuid:{{{uuid}}}"), 1);
        let ids = w.file("ids", format!("{upper}\n{digits}\n"));
        let command = ["logout-user", &upper, uuid, &digits, "--from-file", &ids];
        w.run(&[&command[..], &["-n"]].concat())
            .exits(3)
            .says("1 session stayed whose id is spelled otherwise")
            .says(&format!("3 live sessions of user {upper} would be deleted"));
        let kind = if w.is_sqlite() { "char(32)" } else { "uuid" };
        w.execute(&format!("CREATE TABLE auth_user (id {kind} PRIMARY KEY, username text UNIQUE)"));
        let report = w.run(&[&command[..], &["--format", "json"]].concat()).exits(3).json();
        assert_eq!((&report["users"], &report["alike"]), (&json!([upper]), &json!(1)));
        assert_eq!((&report["deleted"], &report["named"][0]["sessions"]), (&json!(3), &json!(3)));
    });
}

/// Django gives the 128 bits of a number to a UUID.
#[test]
fn a_json_number_is_the_uuid_with_these_bits() {
    World::each("spellings_uuid_number", |w| {
        let uuid = "00000000-0000-0000-0000-000000000007";
        w.user(uuid, 1).session(&login("7").replace("\"7\"", "7"));
        let kind = if w.is_sqlite() { "char(32)" } else { "uuid" };
        w.execute(&format!("CREATE TABLE auth_user (id {kind} PRIMARY KEY, username text UNIQUE)"));
        let report = w.run(&["logout-user", uuid, "--format", "json"]).exits(3).json();
        assert_eq!((&report["deleted"], &report["alike"]), (&json!(1), &json!(1)), "{report}");
        assert_eq!(report["verdict"], "unknown");
    });
}

/// A site with users whose keys are declared so, and sessions that spell them so.
fn site(w: &World, kind: &str, users: [&str; 2], sessions: &[&str]) {
    w.renew();
    w.execute("DROP TABLE IF EXISTS auth_user");
    w.execute(&format!("CREATE TABLE auth_user (id {kind} PRIMARY KEY, username text UNIQUE)"));
    for user in users {
        w.execute(&format!("INSERT INTO auth_user VALUES ('{user}', 'name of {user}')"));
    }
    for id in sessions {
        w.user(id, 1);
    }
}

#[test]
fn a_key_of_an_unknown_type_is_a_doubt() {
    World::each("spellings_unknown", |w| {
        let kinds: &[&str] = if w.is_sqlite() {
            &["decimal", "float", "", "binary(16)", "number", "numeric(5, 1)"]
        } else {
            &["numeric", "numeric(5, 1)", "numeric(30)", "double precision"]
        };
        for kind in kinds {
            site(w, kind, ["7", "8"], &["7", "7.0", "8.0"]);
            let dry = w.run(&["logout-user", "7", "-n", "--format", "json"]).exits(3).json();
            assert_eq!(dry["doubts"][0]["doubt"], "unknown_key", "{kind}: {dry}");
            w.run(&["doctor"]).says("values cannot be compared with ids in sessions");
            w.run(&["list", "--user", "7", "--format", "count"]).exits(3).says("several spellings");
            w.run(&["logout-user", "--username", "name of 7"]).exits(2).says("--unfit-ids");
            w.run(&["flush-all", "--except-user", "8.0", "-n"]).exits(3).says("several spellings");
            assert_eq!(w.count(), 3);
            w.run(&["logout-user", "7"]).exits(3).says("1 session deleted").says("NOT known");
            w.run(&["logout-user", "7", "--user-table", "auth_user"]).exits(3);
            w.run(&["logout-user", "7", "7.0", "--unfit-ids"]).ok().says("1 session deleted");
            assert_eq!(w.count(), 1);
        }
    });
}

#[test]
fn a_number_without_a_fraction_and_a_domain_are_what_they_hold() {
    let w = World::postgres("spellings_numeric");
    w.execute("CREATE DOMAIN user_number AS integer CHECK (value > 0)");
    for kind in ["numeric(10)", "numeric(18, 0)", "user_number"] {
        site(&w, kind, ["7", "8"], &["7", "007", "8"]);
        let report = w.run(&["logout-user", "7", "--format", "json"]).exits(3).json();
        assert_eq!((&report["deleted"], &report["alike"]), (&json!(1), &json!(1)), "{kind}");
        assert_eq!(report["named"][0]["exists"], true, "{kind}: {report}");
        w.run(&["logout-user", "anna"]).exits(2).says("holds numbers");
        w.run(&["logout-user", "--username", "name of 8"]).ok().says("1 session deleted");
    }
}

/// The database finds a user by any of these, as Django does.
#[test]
fn text_is_compared_as_the_database_compares_it() {
    let w = World::postgres("spellings_text");
    w.execute("CREATE EXTENSION citext");
    for (kind, user, sessions, other) in [
        ("character(10)", "anna", ["anna", "anna      "], "anna "),
        ("citext", "Anna", ["anna", "Anna"], "ANNA"),
    ] {
        for selector in [&["anna"][..], &["--username", &format!("name of {user}")], &[user]] {
            site(&w, kind, [user, "bob"], &[sessions[1], "bob"]);
            w.run(&[&["logout-user"], selector].concat()).ok().says("1 session deleted");
            w.user(other, 1);
            let report = [&["logout-user", "--format", "json"], selector].concat();
            let report = w.run(&report).exits(3).json();
            assert_eq!((&report["alike"], &report["deleted"]), (&json!(1), &json!(0)), "{report}");
        }
        // A user who is spared has a session, in whatever spelling.
        for spared in [user, other] {
            site(&w, kind, [user, "bob"], &[sessions[1], "bob"]);
            let ran = w.run(&["flush-all", "--except-user", spared, "-n"]);
            assert!(!ran.stderr.contains("has no live session"), "{spared}: {ran:#?}");
        }
        site(&w, kind, [user, "bob"], &["bob"]);
        w.run(&["flush-all", "--except-user", user, "-n"]).says("has no live session");
        site(&w, kind, [user, "bob"], &sessions);
        let report = w.run(&["logout-user", "anna", "--format", "json"]).ok().json();
        assert_eq!((&report["deleted"], &report["named"][0]["exists"]), (&json!(2), &json!(true)));
        w.user(sessions[1], 1).user("gone", 1);
        let report = w.run(&["logout-user", "--deleted-users", "--format", "json"]).ok().json();
        assert_eq!(report["users"], json!(["gone"]), "{kind}");
        w.user("bob", 1);
        w.run(&[&FLUSH[..], &["anna"]].concat()).ok().says("1 session deleted");
        assert_eq!(w.count(), 1);
    }
}

#[test]
fn a_third_spelling_of_a_user_is_a_doubt() {
    World::each("spellings_third", |w| {
        either_case(w);
        w.user("ANNA", 1).user("BOB", 1);
        for (id, deleted) in [("bob", 1), ("anna", 3)] {
            let report = w.run(&["logout-user", id, "--format", "json"]).exits(3).json();
            assert_eq!(
                (&report["deleted"], &report["alike"]),
                (&json!(deleted), &json!(1)),
                "{id}"
            );
        }
        w.run(&["logout-user", "BOB", "ANNA"]).ok().says("2 sessions deleted");
    });
}

const UUID: &str = "0fce2a16-9e1b-4c55-8c0e-0a6cf5f1e7a2";

/// Nothing tells how the site spells ids, so one that no session has may be there under another spelling.
#[test]
fn without_a_table_of_users_an_absent_id_is_a_doubt_unless_it_is_of_the_kind_of_all() {
    World::each("spellings_absent", |w| {
        let dashless = UUID.replace('-', "").replace('0', "1");
        for (sessions, absent, present) in [
            (
                ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"],
                "01arz3ndektsv4rrffq69g5fav",
                "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            ),
            (["usr_G4", "8"], "7", "usr_G4"),
            (["2026-01-07", "2026-01-08"], "2026-1-7", "2026-01-08"),
            (["7.0", "8.5"], "7", "8.5"),
            (["Anna", "bob"], "anna", "bob"),
            (["7", UUID], "8", "7"),
        ] {
            w.renew();
            for id in sessions {
                w.user(id, 1);
            }
            for command in [
                &["logout-user", absent][..],
                &["logout-user", absent, "-n"],
                &["logout-user", absent, "--no-verify"],
            ] {
                let ran = w.run(command).exits(3);
                ran.says(&format!("no live session names \"{absent}\"")).says("--user-table");
            }
            let report =
                w.run(&["logout-user", absent, present, "-n", "--format", "json"]).exits(3).json();
            assert_eq!(report["doubts"], json!([{"doubt": "unknown_spelling", "ids": [absent]}]));
            assert_eq!((&report["verdict"], &report["matched"]), (&json!("unknown"), &json!(1)));
            w.run(&["list", "--user", absent]).exits(3).says("no live session names");
            w.run(&["list", "--user", present, "--user", absent, "--format", "count"])
                .exits(3)
                .says("1\n")
                .says(&format!("no live session names \"{absent}\""));
            w.run(&["list", "--user", present]).ok();
            w.run(&["logout-user", absent, "--unfit-ids"]).ok();
            assert_eq!(w.count(), 2);
            w.run(&["logout-user", present]).ok().says("1 session deleted, none is left");
        }
        // The columns alone do not make the table the site's.
        w.renew();
        w.user("Anna", 1);
        // Ids as the other databases compare them.
        let exact = if w.is_mysql() { "COLLATE utf8mb4_bin" } else { "" };
        w.execute(&format!(
            "CREATE TABLE acc_user (id varchar(40) {exact} PRIMARY KEY, password text, last_login date)"
        ));
        w.run(&["logout-user", "anna"]).exits(3).says("no live session names \"anna\"");
        w.execute(&format!("CREATE TABLE authtoken_token (id integer PRIMARY KEY, user_id varchar(40) {exact} REFERENCES acc_user (id))"));
        w.run(&["logout-user", "anna"]).ok().says("there is no such user");
        w.execute("DROP TABLE authtoken_token; DROP TABLE acc_user");
        // The ordinary case: users in another database.
        for (sessions, absent) in
            [(["7", "8"], "42"), ([UUID, &dashless], "11111111-1111-1111-1111-111111111111")]
        {
            w.renew();
            for id in sessions {
                w.user(id, 1);
            }
            w.run(&["logout-user", absent]).ok();
            w.run(&["list", "--user", absent, "--format", "count"]).ok().says("0\n");
        }
        w.run(&["logout-user", &UUID.to_uppercase()]).ok().says("1 session deleted");
        w.renew();
        w.run(&["logout-user", "anna"]).ok();
    });
}

/// Django's own table is there and not believed: all who are logged in have UUIDs.
#[test]
fn another_spelling_is_a_doubt_although_the_table_of_users_is_not_known() {
    World::each("spellings_unknown_table", |w| {
        w.execute("CREATE TABLE auth_user (id integer PRIMARY KEY, username text UNIQUE)");
        w.user(&format!("urn:uuid:{UUID}"), 1).user(&UUID.replace('0', "1"), 1);
        w.run(&["logout-user", UUID])
            .exits(3)
            .says("1 session stayed whose id is spelled otherwise");
        w.renew();
        w.user(UUID, 1).user(&UUID.replace('0', "1"), 1);
        for spelled in [UUID.to_uppercase(), UUID.replace('-', "")] {
            w.run(&["logout-user", &spelled, "-n"]).ok().says("1 live session");
        }
        w.run(&["logout-user", &format!("{{{UUID}}}")]).exits(2).says("cannot be the id of a user");
    });
}

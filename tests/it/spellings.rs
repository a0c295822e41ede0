//! Ids that are spelled otherwise than those of the users who are named, and that mean them.

use serde_json::json;

use crate::world::{World, login};

const FLUSH: [&str; 3] = ["flush-all", "--yes", "--except-user"];

/// Users whose keys the database compares in either case, and sessions that spell one of them in both.
fn either_case(w: &World) {
    let collation = if w.is_sqlite() {
        "NOCASE"
    } else {
        w.execute(
            "CREATE COLLATION either_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        );
        "either_case"
    };
    w.execute(&format!(
        "CREATE TABLE auth_user (id varchar(40) COLLATE {collation} PRIMARY KEY, username text);
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
        w.run(&["logout-user", "42", "-n"]).ok();
        w.execute("CREATE TABLE auth_user (id integer PRIMARY KEY, username text)");
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
            .ok()
            .says(&format!("3 live sessions of user {upper} would be deleted"));
        let kind = if w.is_sqlite() { "char(32)" } else { "uuid" };
        w.execute(&format!("CREATE TABLE auth_user (id {kind} PRIMARY KEY, username text)"));
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
        w.execute(&format!("CREATE TABLE auth_user (id {kind} PRIMARY KEY, username text)"));
        let report = w.run(&["logout-user", uuid, "--format", "json"]).exits(3).json();
        assert_eq!((&report["deleted"], &report["alike"]), (&json!(1), &json!(1)), "{report}");
        assert_eq!(report["verdict"], "unknown");
    });
}

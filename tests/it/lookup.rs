//! Sessions looked up by the user column.

use serde_json::{Value, json};

use crate::world::{RunToEnd, SECRET_KEY, World, login, signed};

const JSON: [&str; 2] = ["--format", "json"];

/// A table with a filled user column, in which all is as it should be.
fn with_column(name: &str, test: impl Fn(&World)) {
    World::each(name, |w| {
        w.user("42", 3).user("7", 50).user("142", 1);
        w.session(r#"{"cart":[1]}"#);
        w.run(&["backfill"]).ok().says("54 sessions filled").says("right for every login");
        test(w);
    });
}

fn logout(w: &World, options: &[&str]) -> Value {
    let arguments = [&["logout-user", "42"], options, &JSON].concat();
    w.run(&arguments).ok().json()
}

fn numbers(report: &Value) -> [&Value; 5] {
    ["scanned", "matched", "deleted", "remaining", "different"].map(|name| &report[name])
}

#[test]
fn the_column_finds_rows_and_all_rows_are_the_proof() {
    with_column("lookup_few", |w| {
        let report = logout(w, &[]);
        assert_eq!(report["user_column"], "user_id");
        assert_eq!(numbers(&report), [&json!(3), &json!(3), &json!(3), &json!(0), &json!(0)]);
        assert_eq!(
            (&report["by_column"], &report["tally"]["scanned"]),
            (&json!(false), &json!(52))
        );
        assert_eq!(w.count(), 52);
    });
}

#[test]
fn a_login_that_the_site_did_not_stamp_is_not_missed() {
    with_column("lookup_unstamped", |w| {
        w.user("42", 2);
        let report = logout(w, &[]);
        assert_eq!(numbers(&report), [&json!(3), &json!(5), &json!(5), &json!(0), &json!(0)]);
        w.run(&["logout-user", "42", "--no-user-column"])
            .ok()
            .says("0 sessions deleted, none is left");
    });
}

#[test]
fn a_login_that_the_column_gives_to_somebody_else_is_not_missed() {
    with_column("lookup_hidden", |w| {
        w.execute("UPDATE django_session SET user_id = 7 WHERE user_id = 42");
        w.run(&["list", "--user", "42", "--format", "count"]).ok().says("3\n");
        w.run(&["logout-user", "42", "-n"]).ok().says("3 live sessions of user 42");
        let believed = w.run(&["logout-user", "42", "--trust-column"]).ok();
        believed.says("0 sessions deleted, none is left by column user_id (0 rows read");
        let report = logout(w, &[]);
        assert_eq!(numbers(&report), [&json!(0), &json!(3), &json!(3), &json!(0), &json!(0)]);
        assert_eq!(w.count(), 52);
    });
}

#[test]
fn sessions_of_a_key_that_is_not_given_are_found_by_the_column_too() {
    with_column("lookup_rotated", |w| {
        let older = signed(&login("42"), "the key before this one");
        w.execute(&format!(
            "UPDATE django_session SET session_data = '{older}' WHERE user_id = 42"
        ));
        // A key that verifies nothing anywhere is a wrong one.
        let wrong = w.file("wrong", "no key of this site");
        let arguments = ["logout-user", "42", "--trust-column", "--secret-key-file", &wrong];
        w.run(&arguments).exits(2).says("not one of 3");
        let report = logout(w, &["--trust-column"]);
        assert_eq!(numbers(&report), [&json!(3), &json!(3), &json!(3), &json!(0), &json!(0)]);
        assert_eq!(report["unverified"], json!(3));
    });
}

#[test]
fn who_trusts_the_column_reads_no_other_rows() {
    with_column("lookup_trust", |w| {
        w.user("42", 2);
        let report = logout(w, &["--trust-column"]);
        assert_eq!(numbers(&report), [&json!(3), &json!(3), &json!(3), &json!(0), &json!(0)]);
        let left = logout(w, &["--no-user-column"]);
        assert_eq!((&left["user_column"], &left["deleted"]), (&Value::Null, &json!(2)));
    });
}

#[test]
fn where_the_column_is_wrong_the_data_decides_and_the_operator_is_told() {
    with_column("lookup_wrong", |w| {
        let of_7 = w.session(&login("7"));
        w.execute(&format!("UPDATE django_session SET user_id = 42 WHERE session_key = '{of_7}'"));
        let theirs = "1 row that user_id calls theirs is somebody else's login";
        w.run(&["logout-user", "42", "-n", "--trust-column"]).exits(3).says(theirs);
        w.run(&["list", "--user", "42", "--trust-column"]).exits(3);
        // The data of all rows decides, so nothing is in doubt.
        w.run(&["logout-user", "42"]).ok().says("3 sessions deleted").says(theirs);
        assert!(w.session_keys().contains(&of_7));
        w.run(&["backfill"]).exits(3).says("NOT right");
        w.run(&["backfill", "--restart"]).ok();
        w.run(&["logout-user", "42"]).ok();
    });
}

#[test]
fn a_cart_that_the_column_gives_to_somebody_is_nobody_s_login() {
    with_column("lookup_cart", |w| {
        w.execute("UPDATE django_session SET user_id = 42 WHERE user_id IS NULL");
        let report = logout(w, &[]);
        assert_eq!(numbers(&report), [&json!(4), &json!(3), &json!(3), &json!(0), &json!(0)]);
    });
}

#[test]
fn a_column_that_means_something_else_is_not_used() {
    World::each("lookup_tenant", |w| {
        w.user("42", 3).user("7", 2);
        w.session(r#"{"cart":[1]}"#);
        w.execute("ALTER TABLE django_session ADD COLUMN user_id bigint");
        w.execute("UPDATE django_session SET user_id = 1");
        let report = w.run(&["logout-user", "42", "-n", "--format", "json"]).ok();
        let report = report.says("column user_id is not used").json();
        assert_eq!((&report["user_column"], &report["scanned"]), (&Value::Null, &json!(6)));
        w.run(&["backfill", "--column", "account_id"]).ok();
        let report = logout(w, &[]);
        assert_eq!(report["user_column"], "account_id");
        assert_eq!(numbers(&report), [&json!(3), &json!(3), &json!(3), &json!(0), &json!(0)]);
        assert_eq!(w.count(), 3);
    });
}

#[test]
fn it_is_found_out_behind_many_carts_too() {
    World::each("lookup_behind_carts", |w| {
        let cart = signed(r#"{"cart":[1]}"#, SECRET_KEY);
        let keys: Vec<String> = (0..2_500).map(|number| format!("!{number:07}")).collect();
        w.rows(keys.iter().map(|key| (&**key, &*cart, "2099-01-01 00:00:00".into())));
        w.user("42", 3);
        w.execute("ALTER TABLE django_session ADD COLUMN user_id bigint");
        w.execute("UPDATE django_session SET user_id = 7");
        w.run(&["logout-user", "42"])
            .ok()
            .says("column user_id is not used")
            .says("3 sessions deleted, none is left");
    });
}

#[test]
fn list_looks_up_too() {
    with_column("lookup_list", |w| {
        w.user("42", 1);
        let list = |options: &[&str]| {
            let arguments = [&["list", "--user", "42", "--format", "count"], options].concat();
            w.run(&arguments).ok().stdout
        };
        assert_eq!([list(&[]), list(&["--trust-column"])], ["4\n", "3\n"]);
        assert_eq!(list(&["--no-user-column"]), "4\n");
    });
}

#[test]
fn a_column_of_another_name_and_type() {
    World::each("lookup_named", |w| {
        w.user("ce6db715-bb98-0199-4cff-7a7d3eff1a4f", 2).user("42", 1);
        w.run(&["backfill", "--column", "who's", "--type", "text"]).ok();
        let id = "CE6DB715BB9801994CFF7A7D3EFF1A4F";
        let named = ["logout-user", id, "--user-column", "who's", "--trust-column"];
        w.run(&named).ok().says("2 sessions deleted, none is left");
        w.run(&["logout-user", "42", "--user-column", "nobody"])
            .exits(2)
            .says("no column \"nobody\"");
        w.run(&["logout-user", "42", "--trust-column"]).exits(2).says("no user column");
        assert_eq!(w.count(), 1);
    });
}

#[test]
fn a_hundred_thousand_users_are_looked_up_at_once() {
    with_column("lookup_many", |w| {
        let ids: Vec<String> = (10..100_010).map(|id| id.to_string()).collect();
        let file = w.file("ids", ids.join("\n"));
        let arguments = [&["logout-user", "--from-file", &file], &JSON[..]].concat();
        let report = w.run(&arguments).ok().json();
        assert_eq!(numbers(&report), [&json!(4), &json!(4), &json!(4), &json!(0), &json!(0)]);
        w.command(&["logout-user", "7"]).env("SESSCTL_SECRET_KEY", SECRET_KEY).ran("").ok();
        assert_eq!(w.count(), 1);
    });
}

#[test]
fn a_wrong_key_is_found_out_although_the_column_finds_nothing() {
    with_column("lookup_wrong_key", |w| {
        w.execute("UPDATE django_session SET user_id = NULL WHERE user_id = 42");
        let wrong = w.file("wrong", "no key of this site");
        w.run(&["logout-user", "42", "--secret-key-file", &wrong]).exits(2).says("not one of 55");
        w.execute("UPDATE django_session SET session_data = 'encrypted by a store of its own'");
        w.run(&["logout-user", "42"]).exits(2).says("not one of 55");
        assert_eq!(w.count(), 55);
    });
}

#[test]
fn what_stays_unverified_is_counted_however_it_is_found() {
    with_column("lookup_careful", |w| {
        let key = w.next_key();
        w.row(&key, &signed(&login("42"), "another key"), "2099-01-01 00:00:00");
        let careful = ["logout-user", "42", "--verified-only"];
        let ran = w.run(&careful).exits(3).says("3 sessions deleted").says("NOT known");
        ran.says("1 session failed verification and stays: Django reads it as");
        let report = w.run(&[&careful[..], &JSON].concat()).exits(3).json();
        assert_eq!((&report["unverified"], &report["deleted"]), (&json!(1), &json!(0)));
    });
}

#[test]
fn a_trusted_column_must_be_able_to_hold_the_ids() {
    World::each("lookup_unfit", |w| {
        let uuid = "0fce2a16-9e1b-4c55-8c0e-0a6cf5f1e7a2";
        w.user(uuid, 2);
        w.execute("ALTER TABLE django_session ADD COLUMN account_id integer");
        for command in [
            ["list", "--user", uuid],
            ["logout-user", uuid, "--no-verify"],
            ["logout-user", uuid, "-n"],
        ] {
            let trusting = [&command[..], &["--trust-column"]].concat();
            w.run(&trusting).exits(2).says("column account_id cannot hold the user id");
        }
        assert_eq!(w.count(), 2);
        w.run(&["logout-user", uuid]).ok().says("2 sessions deleted");
    });
}

#[test]
fn a_dry_run_says_that_it_rests_on_the_column() {
    with_column("lookup_dry", |w| {
        w.run(&["logout-user", "42", "-n", "--trust-column"])
            .ok()
            .says("3 live sessions of user 42 would be deleted by column user_id (3 rows read");
    });
}

#[test]
fn a_key_that_verifies_only_what_expired_is_a_wrong_one() {
    with_column("lookup_expired_proof", |w| {
        let older = "the key before this one";
        w.row("expired", &signed(&login("42"), older), "2020-01-01 00:00:00");
        let older = w.file("older", older);
        for how in [&["-n"][..], &["--no-verify"], &["--trust-column"], &[]] {
            let arguments = [&["logout-user", "42", "--secret-key-file", &older], how].concat();
            w.run(&arguments).exits(2).says("not one of ");
        }
        assert_eq!(w.count(), 56);
    });
}

#[test]
fn without_a_key_nothing_can_be_verified() {
    World::each("lookup_no_key", |w| {
        w.user("42", 2);
        for command in [
            &["logout-user", "42"][..],
            &["logout-user", "42", "-n"],
            &["flush-all", "--yes", "--authenticated-only"],
        ] {
            let careful = [command, &["--verified-only"]].concat();
            w.run_without_key(&careful).exits(2).says("--verified-only: no SECRET_KEY is given");
        }
        assert_eq!(w.count(), 2);
    });
}

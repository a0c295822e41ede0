//! Session keys that are equal to the database, by the collation of their column, and are not the same byte for byte.

use serde_json::Value;
use sessctl::consent::{Ask, Consent};
use sessctl::store::{Replacement, Was};

use crate::backfill::told;
use crate::conformance::store;
use crate::world::{SECRET_KEY, World, login, signed};

/// A table whose keys are equal in either case. They are not unique, or the site could not have such rows.
fn alike(w: &World) {
    let (collation, text, time) = if w.is_sqlite() {
        ("NOCASE", "text", "datetime")
    } else if w.is_mysql() {
        ("utf8mb4_general_ci", "text", "datetime(6)")
    } else {
        w.execute(
            "CREATE COLLATION either_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        );
        ("either_case", "text", "timestamptz")
    };
    w.execute(&format!(
        "DROP TABLE django_session;
         CREATE TABLE django_session (session_key varchar(40) COLLATE {collation} NOT NULL, session_data {text} NOT NULL,
             expire_date {time} NOT NULL);
         CREATE INDEX keys_in_either_case ON django_session (session_key);
         CREATE TABLE usersessions_usersession (session_key varchar(40) COLLATE {collation} NOT NULL);
         INSERT INTO usersessions_usersession VALUES ('abc'), ('ABC')"
    ));
    for (key, user) in [("abc", "42"), ("ABC", "7"), ("def", "7"), ("DEF", "42")] {
        w.row(key, &signed(&login(user), SECRET_KEY), "2099-01-01 00:00:00");
    }
}

fn deleted(report: &Value) -> [&Value; 3] {
    ["deleted", "remaining", "not_deleted"].map(|name| &report[name])
}

#[test]
fn a_key_that_another_one_is_equal_to_is_the_key_of_one_session() {
    World::each("keys_alike", |w| {
        alike(w);
        let all = ["logout-user", "42", "--cleanup-allauth", "--format", "json"];
        let dry = w.run(&[&all[..], &["--dry-run"]].concat()).ok().json();
        assert_eq!(dry["matched"], 2);
        let report = w.run(&all).ok().json();
        assert_eq!(deleted(&report), [2, 0, 0]);
        assert_eq!(report["allauth_deleted"], 1);
        let mut left = w.session_keys();
        left.sort();
        assert_eq!(
            (left, w.keys_in("usersessions_usersession")),
            (vec!["ABC".into(), "def".into()], vec!["ABC".into()])
        );
    });
}

#[test]
fn such_keys_are_counted_and_read_one_by_one() {
    World::each("keys_alike_read", |w| {
        alike(w);
        let store = store(w);
        let mut writer = store.writer(Consent::from_ask(Ask::Explicit).unwrap()).unwrap();
        assert_eq!(writer.count(&["abc", "Abc", "DEF"]).unwrap(), 2);
        for keys in [&["abc"][..], &["Abc", "abc"]] {
            let page = writer.read(keys).unwrap();
            let read: Vec<&str> = page.rows().map(|row| row.key).collect();
            assert_eq!(read, ["abc"]);
        }
    });
}

#[test]
fn such_a_session_is_spared_from_a_flush() {
    World::each("keys_alike_flush", |w| {
        alike(w);
        let report =
            w.run(&["flush-all", "--yes", "--except-user", "7", "--format", "json"]).ok().json();
        assert_eq!(deleted(&report), [2, 0, 0]);
        w.run(&["list", "--user", "7", "--format", "count"]).ok().says("2\n");
    });
}

#[test]
fn such_a_session_is_found_by_how_its_key_begins_and_no_other() {
    World::each("keys_alike_prefix", |w| {
        alike(w);
        for (key, user) in [("abcdefgh12", "42"), ("ABCDEFGH12", "7")] {
            w.row(key, &signed(&login(user), SECRET_KEY), "2099-01-01 00:00:00");
        }
        let shown = w.run(&["show", "ABCDEFGH", "--format", "json"]).ok().json();
        assert_eq!(shown["user_id"], "7");
        let logout = ["logout-user", "42", "--except", "abcdefgh", "--format", "json"];
        assert_eq!(deleted(&w.run(&logout).ok().json()), [2, 0, 0]);
        let mut left = w.session_keys();
        left.sort();
        assert_eq!(left, ["ABC", "ABCDEFGH12", "abcdefgh12", "def"]);
    });
}

#[test]
fn such_a_session_keeps_its_login_and_its_column_says_whose_it_is() {
    World::each("keys_alike_rewrite", |w| {
        alike(w);
        w.run(&["backfill"]).ok().says("4 sessions filled").says("right for every login");
        w.run(&["logout-user", "42", "--keep-data"])
            .ok()
            .says("2 sessions kept without their login");
        w.run(&["list", "--user", "7", "--format", "count"]).ok().says("2\n");
        assert_eq!(w.count(), 4);
    });
}

#[test]
fn of_two_sessions_of_the_same_text_only_the_one_with_this_key_is_rewritten() {
    World::each("keys_alike_same", |w| {
        alike(w);
        for key in ["ghi", "GHI"] {
            w.row(key, "the same", "2099-01-01 00:00:00");
        }
        let (store, old) = (store(w), Was::from("the same"));
        let mut writer = store.writer(Consent::from_ask(Ask::Explicit).unwrap()).unwrap();
        let new = [Replacement { key: "ghi", old: &old, new: "another" }];
        assert_eq!(writer.replace(&new).unwrap(), 1);
        let left = told(w, "session_data");
        let text = |key: &str| left[key].as_deref();
        assert_eq!((text("ghi"), text("GHI")), (Some("another"), Some("the same")));
    });
}

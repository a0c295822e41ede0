//! Rows that may be logins of somebody, for all that sessctl can tell: they are never passed over in silence.

use serde_json::json;

use crate::world::{SECRET_KEY, World, login, signed};

const FAR: &str = "2099-01-01 00:00:00";
const EVERYBODY: [&str; 3] = ["flush-all", "--yes", "--authenticated-only"];

#[test]
fn a_row_of_another_key_that_cannot_be_read_may_be_a_login() {
    World::each("of_another_key", |w| {
        for (payload, what) in [
            ("{_auth_user_id: '42'}", "YAML in one line"),
            (r#"{"_auth_user_id":42.5}"#, "an id that is none"),
            ("(\u{b5}/\u{fd}zstd", "what begins like a pickle"),
        ] {
            w.renew();
            w.user("7", 1);
            w.row("of_a_fallback_that_was_not_given", &signed(payload, "an older key"), FAR);
            let ran = w.run(&["logout-user", "42", "--format", "json"]).exits(3);
            assert_eq!(
                (&ran.json()["unreadable"], &ran.json()["verdict"]),
                (&json!(1), &json!("unknown")),
                "{what}"
            );
            w.run(&["list", "--user", "42"]).exits(3).says("may be anybody's session");
            w.run(&EVERYBODY).exits(3).says("NOT everybody");
        }
    });
}

#[test]
fn what_no_django_can_read_is_noted() {
    World::each("damaged_noted", |w| {
        w.user("42", 1).user("7", 1);
        let cut = &signed(&login("42"), SECRET_KEY)[..50];
        w.row("cut_off", cut, FAR);
        let ran = w.run(&["logout-user", "42", "--format", "json"]).ok().says("1 row damaged");
        assert_eq!(
            (&ran.json()["tally"]["damaged"], &ran.json()["unreadable"]),
            (&json!(1), &json!(0))
        );
    });
}

/// A site may have gone over to an `encode` of its own, and have rows of Django's still.
#[test]
fn what_is_in_no_layout_of_django_s_is_of_an_encode_of_the_sites_own() {
    World::each("no_layout_doubt", |w| {
        for stored in ["gAAAAABh-fernet-token", "nonce:text:tag", "v2.local.AAAA-BBBB"] {
            w.renew();
            w.user("42", 1).user("7", 1);
            w.row("in_no_layout", stored, FAR);
            let logout = ["logout-user", "42", "--format", "json"];
            let ran = w.run(&logout).exits(3).says("--engine db says");
            let report = ran.json();
            assert_eq!(
                (&report["tally"]["damaged"], &report["unreadable"], &report["verdict"]),
                (&json!(0), &json!(1), &json!("unknown")),
                "{stored}"
            );
            w.run(&EVERYBODY).exits(3).says("NOT everybody");
            w.user("7", 1);
            // It was said that there is no such thing.
            let report = w.run(&[&logout[..], &["--engine", "db"]].concat()).ok().json();
            assert_eq!(report["tally"]["damaged"], 1);
        }
    });
}

/// A serializer of the site's own may enclose what it wrote, encrypted, in JSON or in a pickle.
#[test]
fn what_is_no_mapping_is_of_a_serializer_of_the_sites_own() {
    World::each("no_mapping", |w| {
        for payload in
            [r#""gAAAAABh""#, r#"[["_auth_user_id","42"]]"#, " 7", "\u{80}\u{2}U\u{3}abc."]
        {
            w.renew();
            w.session(payload);
            w.run(&["logout-user", "42"]).exits(3).says("NOT known to be logged out");
            w.run(&EVERYBODY).exits(3).says("NOT everybody");
            let report = w.run(&["stats", "--format", "json"]).ok().json();
            assert_eq!(
                (&report["unreadable"], &report["anonymous"]),
                (&json!(1), &json!(0)),
                "{payload}"
            );
        }
    });
}

#[test]
fn each_key_that_was_named_must_be_seen() {
    World::each("each_named_key", |w| {
        w.user("1", 1);
        w.session(r#"{"account_id":5}"#);
        w.session(r#"{"account_id":7}"#);
        let mistyped = ["--user-key", "accuont_id", "--user-key", "_auth_user_id"];
        let ran = w.run(&[&["logout-user", "5"][..], &mistyped].concat()).exits(3);
        ran.says("under the key accuont_id").says("--user-key account_id");
        w.run(&[&["list", "--user", "5"][..], &mistyped].concat())
            .exits(3)
            .says("under the key accuont_id");
        let no_look = [&["logout-user", "5", "--no-verify"][..], &mistyped].concat();
        w.run(&no_look).exits(3).says("under the key accuont_id");
        w.run(&[&EVERYBODY[..], &mistyped].concat()).exits(3).says("NOT everybody");
        assert_eq!(w.count(), 2);
        let both = ["--user-key", "account_id", "--user-key", "_auth_user_id"];
        w.run(&[&["logout-user", "5"][..], &both].concat()).ok().says("1 session deleted");
        w.run(&[&EVERYBODY[..], &both].concat()).ok().says("1 session deleted");
        assert_eq!(w.count(), 0);
    });
}

#[test]
fn a_login_that_no_key_verifies_shows_no_key_of_the_site() {
    World::each("forged_login", |w| {
        w.session(r#"{"account_id":5}"#);
        w.row("forged_by_whoever", &signed(&login("9"), "another key"), FAR);
        for command in [
            &["logout-user", "5"][..],
            &["logout-user", "5", "--no-verify"],
            &["list", "--user", "5"],
        ] {
            w.run(command)
                .exits(3)
                .says("under the key _auth_user_id")
                .says("--user-key account_id");
        }
        w.run(&["list", "--user", "5", "--user-key", "account_id"]).ok();
        w.user("7", 1);
        for (user, code) in [("5", 3), ("6", 0)] {
            w.run(&["list", "--user", user]).exits(code);
            w.run(&["logout-user", user]).exits(code);
        }
        let ran = w.run(&["logout-user", "5"]).exits(3);
        ran.says("the id of a named user under account_id");
    });
}

#[test]
fn the_hint_names_what_may_be_a_login() {
    World::each("login_hint", |w| {
        w.user("42", 1);
        let ran = w.run(&["logout-user", "42", "--user-key", "_auth_user_id "]).exits(3);
        ran.says("as in --user-key _auth_user_id;");
        w.renew();
        w.row("of_the_site", &signed(r#"{"_auth_user_backend":"b","member":5}"#, SECRET_KEY), FAR);
        w.run(&["logout-user", "5"]).exits(3).says("as in --user-key member;");
    });
}

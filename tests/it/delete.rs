//! `delete`: sessions go by what they are, exactly those that `list` shows with the same conditions, and no others.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::flush_all::at_a_terminal;
use crate::references::refer;
use crate::running::{Running, eventually};
use crate::site::Site;
use crate::world::{
    RunToEnd, SAVED, SECRET_KEY, World, base64_url, login, program, signed, signed_at,
};

const FAR: &str = "2099-01-01 00:00:00";
/// A session of user 42 in the layout of Django 1.3 to 3.0, signed with another key.
const LEGACY: &str =
    "OGExNDkyNzQ1YjQ0ZWZmMDFmNzQ3MDFlZTZhNzA5ZjFhZDg1NWFiMzp7Il9hdXRoX3VzZXJfaWQiOiI0MiJ9";
const KEY_OF_LEGACY: &str = "clé-🔑";
/// In 2086, in base 62.
const LATER: &str = "3zzzzz";
/// What no serializer of Django's writes.
const FOREIGN: &str = "\u{93}msgpack";

/// A whole key: reports show its first eight characters.
fn key(name: &str) -> String {
    format!("{name}-abcdefghijk")
}

/// One session of each kind.
fn zoo(w: &World) {
    w.renew();
    let large = format!(r#"{{"cart":"{}"}}"#, "y".repeat(3_000));
    let legacy = LEGACY.to_owned();
    let mine = |payload: &str| signed(payload, SECRET_KEY);
    let rows = [
        ("login-42", mine(&login("42"))),
        ("login-07", mine(&login("7"))),
        ("visitor1", mine(r#"{"cart":[1,2]}"#)),
        ("visitor2", mine("{}")),
        ("pickled1", mine("(dS'cart'\nI1\ns.")),
        ("pickled2", mine("(dS'_auth_user_id'\nS'42'\ns.")),
        ("large001", mine(&large)),
        ("behind01", mine(r#"{"hijack_history":["1"]}"#)),
        ("sso00001", mine(r#"{"oidc":{"sid":"s-1"},"_auth_user_id":"7"}"#)),
        ("foreign1", mine(FOREIGN)),
        ("damaged1", mine(&login("42"))[..30].to_owned()),
        ("legacy01", legacy),
        ("forged01", signed(r#"{"cart":[9]}"#, "another key")),
        ("forged02", signed(&login("42"), "another key")),
    ];
    let rows = rows.map(|(name, data)| (key(name), data));
    w.rows(rows.iter().map(|(key, data)| (&**key, &**data, FAR.to_owned())));
    w.row(&key("expired1"), &mine("{}"), "2020-01-01 00:00:00");
}

fn names(w: &World) -> BTreeSet<String> {
    w.session_keys().iter().map(|key| key[..8].to_owned()).collect()
}

/// Conditions, the exit code, and the sessions that go of the zoo.
const CONDITIONS: [(&[&str], i32, &[&str]); 22] = [
    (&["--anonymous"], 3, &["visitor1", "visitor2", "pickled1", "large001", "forged01"]),
    (&["--anonymous", "--serializer", "pickle"], 0, &["pickled1"]),
    (&["--anonymous", "--larger-than", "2kB"], 0, &["large001"]),
    (&["--anonymous", "--unverified"], 0, &["forged01"]),
    (&["--anonymous", "--layout", "legacy"], 0, &[]),
    (
        &["--logged-in"],
        3,
        &["behind01", "forged02", "legacy01", "login-07", "login-42", "pickled2", "sso00001"],
    ),
    (&["--logged-in", "--serializer", "pickle"], 0, &["pickled2"]),
    (&["--serializer", "pickle"], 0, &["pickled1", "pickled2"]),
    (&["--layout", "legacy"], 0, &["legacy01"]),
    (&["--layout", "md5"], 0, &[]),
    (&["--unverified"], 0, &["damaged1", "forged01", "forged02", "legacy01"]),
    (&["--unreadable"], 0, &["damaged1", "foreign1"]),
    (&["--unreadable", "--unverified"], 0, &["damaged1"]),
    (&["--larger-than", "2000"], 0, &["large001"]),
    (&["--match", "oidc.sid=s-1"], 3, &["sso00001"]),
    (&["--match", "oidc.sid=s-2"], 3, &[]),
    (&["--match", "_auth_user_id=42"], 3, &["forged02", "legacy01", "login-42", "pickled2"]),
    (&["--match", "_auth_user_id=42", "--unverified"], 0, &["forged02", "legacy01"]),
    (
        &["--match", "cart.0=1", "--match", "cart.1=2", "--layout", "signed"],
        3,
        &["forged02", "login-07", "login-42", "visitor1"],
    ),
    (&["--match", "cart=1", "--serializer", "pickle"], 0, &["pickled1"]),
    // Only the newest layout says when a session was saved.
    (&["--idle", "1s", "--serializer", "pickle"], 0, &["pickled1", "pickled2"]),
    (
        &[
            "--saved-between",
            "2026-11-22T01:57Z",
            "2026-11-22T01:58Z",
            "--match",
            "_auth_user_id=42",
        ],
        3,
        &["forged02", "login-42", "pickled2"],
    ),
];

#[test]
fn exactly_what_meets_all_conditions_goes_as_the_dry_run_and_the_list_say() {
    World::each("delete_kinds", |w| {
        for (conditions, code, expected) in CONDITIONS {
            zoo(w);
            let before = names(w);
            let expected: BTreeSet<String> = expected.iter().map(|name| (*name).into()).collect();
            let run = |command: &[&str]| w.run(&[command, conditions].concat());
            let listed = run(&["list", "--format", "jsonl"]).exits(code).json_lines();
            let key = |row: &Value| row["session_key"].as_str().unwrap().to_owned();
            assert_eq!(listed.iter().map(key).collect::<BTreeSet<_>>(), expected, "{conditions:?}");
            let dry = run(&["delete", "-n", "--format", "json"]).exits(code).json();
            assert_eq!(dry["matched"], expected.len(), "{conditions:?}: {dry}");
            assert_eq!((names(w), &dry["deleted"]), (before.clone(), &json!(0)));
            let report = run(&["delete", "--yes", "--format", "json"]).exits(code).json();
            let gone: BTreeSet<String> = before.difference(&names(w)).cloned().collect();
            assert_eq!(gone, expected, "{conditions:?}: {report}");
            for field in ["matched", "deleted"] {
                assert_eq!(report[field], expected.len(), "{field}: {report}");
            }
            assert_eq!((&report["remaining"], &report["ended"]), (&json!(0), &json!("done")));
            assert_eq!(dry["kinds"], report["kinds"]);
            assert_eq!(report["kinds"]["scanned"], expected.len());
            let again = run(&["delete", "--yes", "--format", "json"]).exits(code).json();
            let verdict = if code == 0 { "not_found" } else { "unknown" };
            assert_eq!((&again["deleted"], &again["verdict"]), (&json!(0), &json!(verdict)));
        }
    });
}

/// Neither the anonymous ones nor those that no key verifies, nor those that cannot be read.
#[test]
fn a_key_that_verifies_no_row_deletes_nothing() {
    World::each("delete_wrong_key", |w| {
        zoo(w);
        let before = names(w);
        for (conditions, ..) in CONDITIONS {
            for ends in ["--yes", "-n"] {
                let command = [&["delete", ends][..], conditions].concat();
                let ran = w.command(&command).env("SECRET_KEY", "of another site").ran("");
                ran.exits(2).says("verifies with the given SECRET_KEY");
            }
        }
        w.command(&["delete", "--session", "visitor1"])
            .env("SECRET_KEY", "of another site")
            .ran("")
            .exits(2);
        w.run_without_key(&["delete", "--unverified", "--yes"]).exits(2).says("SECRET_KEY");
        assert_eq!(names(w), before);
        // Without any, rows are what they say.
        w.run_without_key(&["delete", "--match", "cart.0=9", "--yes"])
            .exits(3)
            .says("1 session deleted");
        assert!(!names(w).contains("forged01"));
    });
}

#[test]
fn a_fallback_key_decides_what_is_unverified() {
    World::each("delete_fallback", |w| {
        zoo(w);
        let mut command =
            w.command(&["delete", "--unverified", "--match", "_auth_user_id=42", "--yes"]);
        command.env("SECRET_KEY", SECRET_KEY).env("SECRET_KEY_FALLBACKS", KEY_OF_LEGACY);
        command.ran("").ok().says("1 session deleted");
        assert!(names(w).contains("legacy01") && !names(w).contains("forged02"));
    });
}

#[test]
fn what_is_not_described_is_refused() {
    World::each("delete_refused", |w| {
        zoo(w);
        let before = names(w);
        for (arguments, said) in [
            (&[][..], "which sessions? None were described"),
            (&["--cleanup-allauth"], "None were described"),
            (&["--timezone", "UTC"], "--timezone is for times"),
            (&["--match", "sid"], "a key of the session and its value"),
            (&["--match", "sid="], "the value is blank"),
            (&["--match", "=a"], "the key is blank"),
            (&["--larger-than", "big"], "is not a size"),
            (&["--idle", "long"], "is not a length of time"),
            (&["--serializer", "msgpack"], "possible values"),
            (&["--session", "login-42", "--anonymous"], "cannot be used with"),
            (&["--session", "login-42", "--idle", "1s"], "cannot be used with"),
            (&["--session", "login-4"], "at least 8 characters"),
            (&["--session", ""], "empty"),
            (&["--session", &"a".repeat(32)], "a whole session key"),
            (&["--session", "login-42", "--all-schemas"], "several schemas"),
        ] {
            w.run(&[&["delete", "--yes"], arguments].concat()).exits(2).says(said);
        }
        w.run(&["list", "--user", "42", "--anonymous"]).exits(2).says("name no user");
        assert_eq!(names(w), before);
    });
}

#[test]
fn logout_session_is_what_people_type_first() {
    for typed in ["logout-session", "delete-session", "delete-sessions", "kill-session"] {
        program(&[typed, "jo3q3qa3"])
            .ran("")
            .exits(2)
            .says("similar subcommand exists: 'delete --session'");
    }
    program(&["delete"]).ran("").exits(2).says("which sessions?").says("--session");
    let ran = program(&["session-stats"]).ran("").exits(2);
    assert!(!ran.stderr.contains("delete"), "{ran:#?}");
}

#[test]
fn options_by_other_names_are_suggested_and_a_key_that_was_typed_is_not_repeated() {
    let key = "abcdefghijklmnopqrstuvwxyz012345";
    let ran = program(&["delete", key]).ran("").exits(2);
    assert!(
        ran.stderr.contains("'--session PREFIX' takes") && !ran.stderr.contains(&key[..9]),
        "{ran:#?}"
    );
    for (arguments, option) in [
        (&["delete", "--max-per-user", "3"][..], "--beyond-newest"),
        (&["delete", "--max-sessions", "3"], "--beyond-newest"),
        (&["logout-user", "42", "--max-per-user", "3"], "--keep-newest"),
        (&["logout-user", "42", "--beyond-newest", "3"], "--keep-newest"),
    ] {
        program(arguments).ran("").exits(2).says(&format!("exists: '{option}'"));
    }
    let ran = program(&["list", "--max-per-user", "3"]).ran("").exits(2);
    assert!(!ran.stderr.contains("newest"), "{ran:#?}");
}

#[test]
fn one_session_goes_by_the_beginning_of_its_key() {
    World::each("delete_one", |w| {
        zoo(w);
        let before = names(w);
        let gone = |name: &str| {
            let left = names(w);
            before.iter().filter(|one| !left.contains(*one)).any(|one| one == name)
        };
        let ran = w.run(&["delete", "--session", "visitor1"]).ok();
        assert!(ran.stdout.starts_with("Done: 1 session deleted (--session visitor1)"), "{ran:#?}");
        w.run(&["delete", "--session", "visitor1"]).exits(1).says("no session key begins with");
        w.run(&["delete", "--session", "login-42", "-n"]).ok().says("Dry run: 1 session");
        assert!(!gone("login-42"));
        // The whole key comes by standard input, of a user and of one that expired.
        for name in ["login-42", "expired1", "foreign1", "forged02", "damaged1"] {
            let mut command = w.command(&["delete", "--session", "-", "--format", "json"]);
            let report = command.env("SECRET_KEY", SECRET_KEY).ran(key(name)).ok();
            assert!(!report.stdout.contains(&key(name)));
            let report = report.json();
            assert_eq!((&report["deleted"], &report["remaining"]), (&json!(1), &json!(0)));
            assert_eq!(report["conditions"], json!([format!("--session {name}")]));
            assert!(gone(name));
        }
        assert_eq!(names(w).len() + 6, before.len());
        w.row("login-07-second", &signed("{}", SECRET_KEY), FAR);
        w.run(&["delete", "--session", "login-07-"]).exits(1).says("more than one session key");
    });
}

#[test]
fn a_person_confirms_with_the_number_of_sessions() {
    World::each("delete_typed", |w| {
        zoo(w);
        let before = w.count();
        let arguments = ["delete", "--serializer", "pickle"];
        w.run(&arguments).exits(4).says("not confirmed").says("--yes");
        for answer in ["", "yes", "3", "14"] {
            let ran = at_a_terminal(w, answer, &arguments).exits(4);
            ran.says("2 of 14 live sessions are to go: 1 of users, 1 anonymous").says("(2)");
            assert_eq!(w.count(), before);
        }
        at_a_terminal(w, "2", &arguments).exits(0).says("2 sessions deleted");
        // Nobody confirms that there is nothing to do.
        w.run(&arguments).ok().says("0 sessions deleted");
    });
}

/// A site with logins of its own, and perhaps of Django's beside them.
/// A scan for a number that nobody is shown would read the table once more.
#[test]
fn where_nobody_is_asked_two_scans_read_the_table() {
    World::each("delete_scans", |w| {
        zoo(w);
        for (arguments, scans) in [
            (&["--match", "_auth_user_id=42", "--yes"][..], 2),
            (&["--anonymous", "--yes"], 3),
            (&["--anonymous", "--dry-run"], 1),
        ] {
            let ran = w.run(&[&["--verbose", "delete"], arguments].concat());
            assert_eq!(ran.stderr.matches("looked at ").count(), scans, "{ran:#?}");
        }
    });
}

#[test]
fn what_may_be_a_login_of_the_sites_own_is_not_anonymous() {
    World::each("delete_own", |w| {
        let mine = [r#"{"member_id":"5"}"#, r#"{"user":{"sub":"a"}}"#, r#"{"account":[7,8]}"#];
        let visitors =
            [r#"{"cart":1}"#, r#"{"user":null}"#, r#"{"user":{}}"#, r#"{"member_id":"0"}"#];
        let fill = || {
            w.renew();
            for payload in mine.iter().chain(&visitors) {
                w.session(payload);
            }
        };
        fill();
        let delete = ["delete", "--anonymous", "--yes", "--format", "json"];
        for command in [&delete[..], &["delete", "--anonymous", "-n"]] {
            let ran = w.run(command).exits(2);
            ran.says("not known which sessions hold a login").says("--user-key");
        }
        assert_eq!(w.count(), 7);
        let with_key = |key: &'static str| [&delete[..], &["--user-key", key]].concat();
        w.run(&with_key("shop_user")).exits(2);
        // Whoever names a key says that the others are none.
        let report = w.run(&with_key("member_id")).ok().json();
        assert_eq!((&report["deleted"], w.count()), (&json!(5), 2));
        // But Django's own, which staff may have, stays a login.
        fill();
        w.user("42", 1);
        let report = w.run(&with_key("member_id")).ok().json();
        assert_eq!((&report["deleted"], w.count()), (&json!(5), 3));
        fill();
        let report = w.run(&with_key("_auth_user_id")).ok().json();
        assert_eq!(report["deleted"], 7);
        fill();
        w.user("42", 1);
        w.run(&["list", "--anonymous", "--format", "count"])
            .exits(3)
            .says("under account, member_id, user");
        let report = w.run(&delete).exits(3).json();
        assert_eq!((&report["deleted"], &report["unreadable"]), (&json!(4), &json!(3)), "{report}");
        assert_eq!(
            report["doubts"],
            json!([{"doubt": "login_elsewhere", "keys": ["account", "member_id", "user"]}])
        );
        assert_eq!(w.count(), 4);
    });
}

#[test]
fn an_impersonation_and_what_is_unclear_are_not_anonymous() {
    World::each("delete_behind", |w| {
        w.user("42", 1);
        for payload in [
            r#"{"hijack_history":["1"]}"#,
            r#"{"hijack_history":[{"id":1}]}"#,
            r#"{"loginas_from_user":"1:abc:def"}"#,
            r#"{"exit_users_pk":[["1","a.B"]]}"#,
            r#"{"_auth_user_id":{}}"#,
            r#"{"acting_for":"9"}"#,
            r#"["no","mapping"]"#,
        ] {
            w.session(payload);
        }
        let delete = ["delete", "--anonymous", "--yes", "--also-key", "acting_for"];
        w.run(&delete).exits(3).says("0 sessions deleted");
        assert_eq!(w.count(), 8);
        w.run(&delete[..3]).exits(3).says("1 session deleted");
    });
}

/// Or a busy site would never come to an end.
#[test]
fn anonymous_sessions_that_come_meanwhile_stay() {
    World::each("delete_new", |w| {
        w.user("42", 1);
        w.session("{}");
        w.row("later001", &signed_at(&base64_url(b"{}"), LATER, SECRET_KEY), FAR);
        w.row("later002", &signed_at(&base64_url(b"{\"sid\":1}"), LATER, SECRET_KEY), FAR);
        let report = w.run(&["delete", "--anonymous", "--yes", "--format", "json"]).ok().json();
        assert_eq!((&report["deleted"], &report["saved_later"]), (&json!(1), &json!(2)));
        // Who is described by a value is out, however new.
        w.run(&["delete", "--match", "sid=1", "--yes"]).ok().says("1 session deleted");
        assert!(w.session_keys().contains(&"later001".to_owned()));
    });
}

#[test]
fn without_a_time_of_saving_nothing_is_idle() {
    World::each("delete_undated", |w| {
        zoo(w);
        let ran = w.run(&["delete", "--idle", "1s", "--yes", "--format", "json"]).exits(3);
        let report = ran.json();
        assert_eq!((&report["deleted"], &report["undated"]), (&json!(12), &json!(2)), "{report}");
        assert_eq!(names(w), ["damaged1", "expired1", "legacy01"].map(String::from).into());
        assert_eq!(report["conditions"], json!(["--idle 1s"]));
        assert_eq!(SAVED.len(), 6);
    });
}

#[test]
fn a_row_that_is_too_large_to_be_read_is_large_and_unreadable() {
    World::each("delete_huge", |w| {
        w.user("42", 1);
        let text = if w.is_sqlite() { "hex(zeroblob(6500000))" } else { "repeat('ab', 6500000)" };
        let huge = || {
            w.execute(&format!("INSERT INTO django_session VALUES ('huge0001', {text}, '{FAR}')"));
        };
        huge();
        for conditions in [
            &["--match", "a=b"][..],
            &["--anonymous"],
            &["--layout", "signed", "--anonymous"],
            &["--serializer", "json", "--match", "a=b"],
            &["--unverified"],
        ] {
            let delete = [&["delete", "--yes", "--format", "json"], conditions].concat();
            let report = w.run(&delete).exits(3).json();
            assert_eq!((&report["deleted"], &report["unreadable"]), (&json!(0), &json!(1)));
        }
        w.run(&["delete", "--larger-than", "13MB", "--yes"]).ok().says("0 sessions deleted");
        for conditions in [&["--larger-than", "12MB"][..], &["--unreadable"]] {
            w.run(&[&["delete", "--yes"], conditions].concat()).ok().says("1 session deleted");
            assert_eq!(w.count(), 1);
            huge();
        }
        // No row shows that the key is the site's.
        w.execute("DELETE FROM django_session WHERE session_key <> 'huge0001'");
        let report =
            w.run(&["delete", "--unreadable", "--yes", "--format", "json"]).exits(3).json();
        assert_eq!((&report["deleted"], &report["unverified"]), (&json!(0), &json!(1)), "{report}");
        assert_eq!(w.count(), 1);
        w.run_without_key(&["delete", "--unreadable", "--yes"]).ok();
        assert_eq!(w.count(), 0);
    });
}

#[test]
fn sessions_to_which_other_tables_refer_stay_and_are_counted() {
    World::each("delete_referenced", |w| {
        zoo(w);
        refer(w, "cart", "", "session_key LIKE 'pickled1%'");
        let delete = ["delete", "--serializer", "pickle", "--yes", "--format", "json"];
        let dry = w.run(&[&delete[..], &["-n"]].concat()).exits(3).json();
        assert_eq!((&dry["matched"], &dry["referenced"]), (&json!(2), &json!(1)));
        let report = w.run(&delete).exits(3).json();
        assert_eq!((&report["deleted"], &report["referenced"]), (&json!(1), &json!(1)));
        assert_eq!((&report["remaining"], &report["referenced_by"]), (&json!(1), &json!(["cart"])));
        assert!(names(w).contains("pickled1") && !names(w).contains("pickled2"));
    });
}

#[test]
fn what_a_trigger_keeps_is_told() {
    World::each_but_mysql("delete_kept", |w| {
        zoo(w);
        w.keeps_rows("OLD.session_key LIKE 'pickled1%'");
        let ran = w.run(&["delete", "--serializer", "pickle", "--yes"]).exits(3);
        ran.says("NOT all are gone: 1 session deleted").says("1 IS LEFT").says("a trigger");
    });
}

#[test]
fn a_signal_ends_it_after_the_batch_with_a_true_report() {
    World::each("delete_signal", |w| {
        w.user("7", 5);
        (0..100).for_each(|_| drop(w.session(r#"{"sid":"s-1"}"#)));
        let mut running = Running::start(&mut w.command(&[
            "delete",
            "--match",
            "sid=s-1",
            "--yes",
            "--batch-size",
            "1",
            "--sleep",
            "100ms",
            "--format",
            "json",
        ]));
        eventually("a delete", || w.count() < 103);
        running.signal("TERM");
        let report = running.end().exits(143).json();
        let gone = 105 - w.count();
        assert!(gone < 100);
        assert_eq!((&report["deleted"], &report["remaining"]), (&json!(gone), &Value::Null));
        assert_eq!(
            (&report["ended"], &report["verdict"]),
            (&json!("interrupted"), &json!("unknown"))
        );
        let ran = w.run(&["delete", "--match", "sid=s-1", "--yes", "--limit", "10"]).exits(3);
        ran.says("10 sessions deleted").says("stopped at --limit").says("not looked again");
        assert_eq!(w.count(), 95 - gone);
    });
}

#[test]
fn copies_in_caches_and_rows_of_allauth_go_too_and_the_run_is_on_record() {
    World::each("delete_rest", |w| {
        zoo(w);
        w.execute(
            "CREATE TABLE usersessions_usersession (session_key varchar(40) NOT NULL UNIQUE)",
        );
        w.execute("INSERT INTO usersessions_usersession SELECT session_key FROM django_session");
        let audit = w.file("audit", "");
        let delete = ["delete", "--serializer", "pickle", "--yes", "--engine"];
        let rest =
            ["--print-cache-keys", "--cleanup-allauth", "--audit-file", &audit, "--reason", "old"];
        let ran = w.run(&[&delete[..], &["cached_db"], &rest[..]].concat()).ok();
        let printed: BTreeSet<&str> = ran.stdout.lines().collect();
        let cached = |name| format!(":1:django.contrib.sessions.cached_db{}", key(name));
        let both = [cached("pickled1"), cached("pickled2")];
        assert_eq!(printed, both.iter().map(String::as_str).collect());
        ran.says("2 rows of django-allauth deleted with them");
        assert_eq!(w.keys_in("usersessions_usersession").len(), 13);
        let lines = std::fs::read_to_string(&audit).unwrap();
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (&lines[0]["command"], &lines[1]["report"]["deleted"]),
            (&json!("delete"), &json!(2))
        );
        assert_eq!(lines[1]["keys"].as_array().unwrap().len(), 2);
        let ran = w.run(&["delete", "--layout", "legacy", "--yes", "--engine", "cached_db"]);
        ran.exits(3).says("The cache may still hold copies of deleted sessions");
    });
}

#[test]
fn tenants_are_visited_one_by_one() {
    let w = World::postgres("delete_schemas");
    zoo(&w);
    w.execute(
        "CREATE SCHEMA t1; CREATE TABLE t1.django_session (LIKE django_session INCLUDING ALL);
         INSERT INTO t1.django_session SELECT * FROM django_session",
    );
    let delete = ["delete", "--all-schemas", "--serializer", "pickle", "--format", "json"];
    w.run(&delete).exits(4);
    let report = w.run(&[&delete[..], &["-n"]].concat()).ok().json();
    assert_eq!((&report["matched"], &report["kinds"]["anonymous"]), (&json!(4), &json!(2)));
    let report = w.run(&[&delete[..], &["--yes"]].concat()).ok().json();
    assert_eq!((&report["deleted"], &report["remaining"]), (&json!(4), &json!(0)));
    assert_eq!(report["schemas"].as_array().unwrap().len(), 2);
    assert_eq!(w.keys_in("t1.django_session").len(), 13);
}

/// Requests show who is in, and whose cart is there.
#[test]
fn on_a_real_site_visitors_lose_their_carts_and_users_stay_in() {
    Site::each("delete", "5.2", &[], |site| {
        let people = site.login(&["anna", "bert"]);
        let ask = |code: &str| {
            site.python(&format!(
                "
from django.test import Client
def client(key=None):
    client = Client()
    if key: client.cookies['sessionid'] = key
    return client
def key(client): return client.cookies['sessionid'].value
{code}"
            ))
        };
        let visitors = ask("
for item in range(3):
    one = client(); one.get(f'/cart/add/{item}'); print(key(one))
import time; time.sleep(1.1)");
        let visitors: Vec<&str> = visitors.lines().collect();
        let seen =
            |key: &str| ask(&format!("print(client('{key}').get('/whoami').content.decode())"));
        let is_in =
            |(id, key): &(String, String)| seen(key).contains(&format!("\"user\": \"{id}\""));
        let has_cart = |key: &str| !seen(key).contains("\"cart\": []");
        assert!(people.iter().all(is_in) && visitors.iter().all(|key| has_cart(key)));
        ask(&format!("client('{}').get('/cart/add/9')", people[1].1));
        site.run(&["delete", "--session", &visitors[0][..10]]).ok().says("Done: 1 session deleted");
        assert!(!has_cart(visitors[0]) && has_cart(visitors[1]));
        site.run(&["delete", "--match", "cart.0=1", "--yes"]).ok().says("1 session deleted");
        assert!(!has_cart(visitors[1]) && has_cart(visitors[2]));
        site.run(&["delete", "--anonymous", "--yes"]).ok().says("none is left");
        assert!(!has_cart(visitors[2]));
        assert!(people.iter().all(is_in) && has_cart(&people[1].1));
        let id = format!("_auth_user_id={}", people[0].0);
        site.run(&["delete", "--match", &id, "-n"]).ok().says("USERNAME").says("anna");
        site.run(&["delete", "--match", &id, "--yes"]).ok().says("1 session deleted");
        assert!(!is_in(&people[0]) && is_in(&people[1]));
    });
}

//! `logout-user --keep-newest` and `delete --beyond-newest`: of each user the sessions that were saved last stay, and no others.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::flush_all::at_a_terminal;
use crate::random_rows::base62;
use crate::redis::{Redis, whoami};
use crate::running::Running;
use crate::site::Site;
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, base64_url, login, signed_at};

const FAR: &str = "2099-01-01 00:00:00";
/// 2026-11-22.
const DAY: i64 = 1_795_312_666;
/// A session of user 42 in the layout of Django 1.3 to 3.0, and the key that verifies it.
const LEGACY: &str =
    "OGExNDkyNzQ1YjQ0ZWZmMDFmNzQ3MDFlZTZhNzA5ZjFhZDg1NWFiMzp7Il9hdXRoX3VzZXJfaWQiOiI0MiJ9";
const KEY_OF_LEGACY: &str = "clé-🔑";

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// The data of a session of a user that was saved at this time.
fn saved_at(user: &str, saved: i64, secret_key: &str) -> String {
    signed_at(&base64_url(login(user).as_bytes()), &base62(saved), secret_key)
}

/// A whole key: reports show its first eight characters.
fn key(name: &str) -> String {
    format!("{name:-<8}-abcdefghijk")
}

/// Adds a session of a user.
fn add(w: &World, name: &str, user: &str, saved: i64, expires: &str) {
    w.row(&key(name), &saved_at(user, saved, SECRET_KEY), expires);
}

/// The names of the sessions that are there.
fn names(w: &World) -> BTreeSet<String> {
    names_in(w, "django_session")
}

fn names_in(w: &World, table: &str) -> BTreeSet<String> {
    w.keys_in(table).iter().map(|key| key[..8].trim_end_matches('-').to_owned()).collect()
}

fn are(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Two users with several sessions each, one with one, and a visitor. Keys, saves and expiries are each in another order.
fn people(w: &World) {
    w.renew();
    for (name, user, saved, expires) in [
        ("a42-3rd", "42", DAY - 300, "2099-01-04 00:00:00"),
        ("b42-new", "42", DAY - 10, "2099-01-01 00:00:00"),
        ("c42-2nd", "42", DAY - 200, "2099-01-02 00:00:00"),
        ("d42-old", "42", DAY - 900_000, "2099-01-05 00:00:00"),
        // Saved in the same second: the later expiry, then the first key, is newer.
        ("e7-late", "7", DAY, "2099-01-03 00:00:00"),
        ("f7-first", "7", DAY, "2099-01-02 00:00:00"),
        ("g7-then", "7", DAY, "2099-01-02 00:00:00"),
        ("h1-only", "1", DAY, FAR),
    ] {
        add(w, name, user, saved, expires);
    }
    w.row(&key("visitor"), &crate::world::signed("{}", SECRET_KEY), FAR);
}

const ALL: [&str; 9] = [
    "a42-3rd", "b42-new", "c42-2nd", "d42-old", "e7-late", "f7-first", "g7-then", "h1-only",
    "visitor",
];

fn report(ran: &Ran) -> Value {
    ran.json()
}

#[test]
fn the_newest_sessions_of_users_who_are_logged_out_stay() {
    World::each("newest_logout", |w| {
        for (keep, gone) in [
            ("1", &["a42-3rd", "c42-2nd", "d42-old"][..]),
            ("2", &["a42-3rd", "d42-old"]),
            ("3", &["d42-old"]),
            ("4", &[]),
            ("1000", &[]),
        ] {
            people(w);
            let left: BTreeSet<String> = are(&ALL).difference(&are(gone)).cloned().collect();
            let logout =
                ["logout-user", "42", "--keep-newest", keep, "--engine", "db", "--format", "json"];
            let dry = report(&w.run(&[&logout[..], &["-n"]].concat()).ok());
            assert_eq!((&dry["matched"], names(w)), (&json!(gone.len()), are(&ALL)));
            let done = report(&w.run(&logout).ok());
            assert_eq!(names(w), left, "{done}");
            for field in ["matched", "deleted"] {
                assert_eq!(done[field], gone.len(), "{field}: {done}");
            }
            assert_eq!((&done["remaining"], &done["rounds"]), (&json!(0), &json!(1)));
            assert_eq!(done["keep_newest"], keep.parse::<u16>().unwrap());
            assert_eq!(done["named"][0]["sessions"], gone.len(), "{done}");
            let verdict = if gone.is_empty() { "not_found" } else { "logged_out" };
            assert_eq!(done["verdict"], verdict);
            assert_eq!(report(&w.run(&logout).ok())["verdict"], "not_found");
        }
        people(w);
        let ran = w.run(&["logout-user", "42", "7", "--keep-newest", "2", "-n"]).ok();
        ran.says("3 live sessions of 2 users but for the newest 2 sessions would be deleted")
            .says("a42-3rd")
            .says("d42-old")
            .says("g7-then");
        let ran = w.run(&["logout-user", "42", "7", "--keep-newest", "2"]).ok();
        ran.says("Logged out 2 users but for the newest 2 sessions: 3 sessions deleted, no other is left");
        assert_eq!(
            names(w),
            are(&["b42-new", "c42-2nd", "e7-late", "f7-first", "h1-only", "visitor"])
        );
    });
}

#[test]
fn nobody_has_more_sessions_than_the_newest() {
    World::each("newest_delete", |w| {
        for (keep, left) in [
            ("1", &["b42-new", "e7-late", "h1-only", "visitor"][..]),
            ("2", &["b42-new", "c42-2nd", "e7-late", "f7-first", "h1-only", "visitor"]),
            ("4", &ALL),
        ] {
            people(w);
            let gone = ALL.len() - left.len();
            let delete = ["delete", "--beyond-newest", keep, "--engine", "db", "--format", "json"];
            let dry = report(&w.run(&[&delete[..], &["-n"]].concat()).ok());
            assert_eq!((&dry["matched"], names(w)), (&json!(gone), are(&ALL)));
            assert_eq!(dry["conditions"], json!([format!("--beyond-newest {keep}")]));
            if gone > 0 {
                w.run(&delete).exits(4).says(&format!("{gone} of 9 live sessions are to go"));
                let arguments = ["delete", "--beyond-newest", keep];
                at_a_terminal(w, "9", &arguments).exits(4);
            }
            assert_eq!(names(w), are(&ALL));
            let done = report(&w.run(&[&delete[..], &["--yes"]].concat()).ok());
            assert_eq!(names(w), are(left), "{done}");
            assert_eq!((&done["matched"], &done["deleted"]), (&json!(gone), &json!(gone)));
            assert_eq!((&done["kinds"]["logins"], &done["remaining"]), (&json!(gone), &json!(0)));
            assert_eq!(dry["kinds"], done["kinds"]);
            let again = report(&w.run(&[&delete[..], &["--yes"]].concat()).ok());
            assert_eq!(again["verdict"], "not_found");
        }
        people(w);
        let ran = at_a_terminal(w, "5", &["delete", "--beyond-newest", "1"]).exits(0);
        ran.says("5 sessions deleted (--beyond-newest 1), none is left");
    });
}

#[test]
fn what_would_not_be_clear_is_refused() {
    World::each("newest_refused", |w| {
        people(w);
        for (arguments, said) in [
            (&["logout-user", "42", "--keep-newest", "0"][..], "0 is not in 1..=1000"),
            (&["logout-user", "42", "--keep-newest", "1001"], "is not in 1..=1000"),
            (&["logout-user", "42", "--keep-newest", "-1"], "--keep-newest"),
            (&["logout-user", "42", "--keep-newest", "all"], "invalid"),
            (&["logout-user", "42", "--keep-newest", "1", "--idle", "1d"], "cannot be used with"),
            (
                &["logout-user", "42", "--keep-newest", "1", "--except", "b42-new-"],
                "cannot be used",
            ),
            (&["delete", "--beyond-newest", "0", "--yes"], "0 is not in 1..=1000"),
            (&["delete", "--beyond-newest", "1", "--anonymous"], "cannot be used with"),
            (&["delete", "--beyond-newest", "1", "--match", "a=1"], "cannot be used with"),
            (&["delete", "--beyond-newest", "1", "--idle", "1d"], "cannot be used with"),
            (&["delete", "--beyond-newest", "1", "--session", "b42-new-"], "cannot be used with"),
        ] {
            w.run(arguments).exits(2).says(said);
        }
        assert_eq!(names(w), are(&ALL));
    });
}

#[test]
fn what_no_key_verifies_pushes_out_no_other_whatever_time_it_claims() {
    World::each("newest_forged", |w| {
        let forge = |name: &str, saved: i64| {
            w.row(&key(name), &saved_at("42", saved, "of somebody else"), "2099-12-31 00:00:00");
        };
        for (command, keep) in [
            (&["logout-user", "42", "--keep-newest", "2"][..], "2"),
            (&["delete", "--yes", "--beyond-newest", "2"], "2"),
        ] {
            people(w);
            forge("forged-1", now() - 60);
            forge("forged-2", now() + 100_000);
            let ran = w.run(command).ok();
            assert_eq!(ran.code, 0, "{keep}");
            let left = names(w);
            assert!(left.contains("b42-new") && left.contains("c42-2nd"), "{left:?}: {ran:#?}");
            assert!(!left.iter().any(|name| name.starts_with("forged")), "{left:?}");
        }
        // They are left in place of nobody, and told.
        people(w);
        forge("forged-1", now() - 60);
        let ran = w.run(&["logout-user", "42", "--keep-newest", "2", "--verified-only"]).exits(3);
        ran.says("failed verification and stay");
        let left = names(w);
        assert!(left.contains("c42-2nd") && left.contains("forged-1"), "{left:?}");
        // Nothing tells which of these are real, so the time decides, unless it is in the future.
        people(w);
        forge("forged-2", now() + 100_000);
        let ran = w.run_without_key(&["logout-user", "42", "--keep-newest", "2"]).exits(3);
        ran.says("1 session too many stayed");
        let left = names(w);
        assert!(left.contains("b42-new") && left.contains("c42-2nd"), "{left:?}");
        // A key that verifies nothing deletes nothing.
        people(w);
        let delete = ["delete", "--beyond-newest", "1", "--yes"];
        w.command(&delete).env("SECRET_KEY", "of another site").ran("").exits(2);
        assert_eq!(names(w), are(&ALL));
    });
}

/// Only Django 3.1 and later say when a session was saved.
#[test]
fn without_a_time_the_expiry_decides_and_what_cannot_be_compared_is_a_doubt() {
    World::each("newest_undated", |w| {
        let run = |arguments: &[&str]| {
            let mut command = w.command(arguments);
            command.env("SECRET_KEY", SECRET_KEY).env("SECRET_KEY_FALLBACKS", KEY_OF_LEGACY);
            command.ran("")
        };
        let delete = ["delete", "--beyond-newest", "2", "--yes"];
        people(w);
        run(&delete).ok();
        for (name, day) in [("legacy-2", 2), ("legacy-1", 1), ("legacy-3", 3)] {
            w.row(&key(name), LEGACY, &format!("2098-01-0{day} 00:00:00"));
        }
        // b42-new and c42-2nd have times, two of the three have none, and two of these four are too many.
        let ran = run(&delete).exits(3);
        ran.says("1 session deleted").says("2 sessions too many stayed").says("unknown when");
        let left = names(w);
        assert!(left.contains("legacy-2") && left.contains("legacy-3"), "{left:?}");
        assert!(left.contains("b42-new") && left.contains("c42-2nd"), "{left:?}");
        let again = report(&run(&[&delete[..], &["--format", "json"]].concat()).exits(3));
        assert_eq!((&again["undated"], &again["verdict"]), (&json!(2), &json!("unknown")));
        w.execute("DELETE FROM django_session WHERE session_key LIKE '%42-%'");
        run(&["logout-user", "42", "--keep-newest", "1"]).ok();
        assert!(names(w).contains("legacy-3") && !names(w).contains("legacy-2"));
    });
}

#[test]
fn a_session_that_has_expired_pushes_out_no_other() {
    World::each("newest_expired", |w| {
        w.renew();
        add(w, "live", "42", DAY, FAR);
        add(w, "over", "42", DAY + 5, "2020-01-01 00:00:00");
        // A request in flight may yet save it anew.
        let just = if w.is_sqlite() {
            "datetime('now', '-5 seconds')"
        } else if w.is_mysql() {
            "UTC_TIMESTAMP(6) - INTERVAL 5 SECOND"
        } else {
            "now() - interval '5 seconds'"
        };
        add(w, "just", "42", DAY + 9, FAR);
        w.execute(&format!(
            "UPDATE django_session SET expire_date = {just} WHERE session_key LIKE 'just%'"
        ));
        w.run(&["delete", "--beyond-newest", "1", "--yes"]).ok().says("0 sessions deleted");
        assert_eq!(names(w), are(&["live", "over", "just"]));
    });
}

/// The user is logged in by both, and neither may be one too many.
#[test]
fn an_impersonation_counts_for_both_users() {
    World::each("newest_behind", |w| {
        people(w);
        let payload = r#"{"_auth_user_id":"7","hijack_history":["42"]}"#;
        let data = signed_at(&base64_url(payload.as_bytes()), &base62(DAY + 5), SECRET_KEY);
        w.row(&key("hijack"), &data, FAR);
        w.run(&["delete", "--beyond-newest", "2", "--yes"]).ok().says("5 sessions deleted");
        assert_eq!(names(w), are(&["b42-new", "e7-late", "h1-only", "hijack", "visitor"]));
        // It is the oldest of 42's, and counts once.
        people(w);
        let data = signed_at(&base64_url(payload.as_bytes()), &base62(DAY - 1_000_000), SECRET_KEY);
        w.row(&key("hijack"), &data, FAR);
        let ran = w.run(&["delete", "--beyond-newest", "3", "--yes", "--format", "json"]).ok();
        assert_eq!((&ran.json()["deleted"], &ran.json()["impersonated"]), (&json!(2), &json!(1)));
        assert!(!names(w).contains("hijack") && !names(w).contains("d42-old"));
    });
}

#[test]
fn the_user_column_only_finds_and_tenants_are_apart() {
    World::each("newest_column", |w| {
        people(w);
        w.run(&["backfill"]).ok();
        add(w, "unfilled", "42", DAY + 1, FAR);
        // What the column says of others is not believed.
        w.execute("UPDATE django_session SET user_id = 7 WHERE session_key LIKE 'c42-2nd%'");
        let ran = w.run(&["logout-user", "42", "--keep-newest", "2"]).ok();
        ran.says("3 sessions deleted").says("no other is left");
        let left = names(w);
        assert!(left.contains("unfilled") && left.contains("b42-new"), "{left:?}");
        assert!(!left.contains("c42-2nd"), "{left:?}");
    });
    let w = World::postgres("newest_schemas");
    people(&w);
    w.execute(
        "CREATE SCHEMA t1; CREATE TABLE t1.django_session (LIKE django_session INCLUDING ALL);
         INSERT INTO t1.django_session SELECT * FROM django_session WHERE session_key LIKE '%42%'",
    );
    for command in [
        &["logout-user", "42", "--keep-newest", "3", "--all-schemas", "--format", "json"][..],
        &["delete", "--beyond-newest", "1", "--all-schemas", "--format", "json", "--yes"],
    ] {
        let report = report(&w.run(command).ok());
        assert_eq!(report["remaining"], 0, "{report}");
    }
    assert_eq!(names(&w), are(&["b42-new", "e7-late", "h1-only", "visitor"]));
    assert_eq!(names_in(&w, "t1.django_session"), are(&["b42-new"]));
}

/// The proof leaves out sessions that are saved after the command began, so the scan before it must have seen all.
#[test]
fn sessions_that_are_saved_all_the_time_are_counted_although_no_column_names_them() {
    World::each("newest_unfilled", |w| {
        people(w);
        w.run(&["backfill"]).ok();
        // The clock of the site is ahead by a minute.
        for (name, later) in [("x42-busy", 61), ("y42-busy", 62)] {
            add(w, name, "42", now() + later, FAR);
        }
        let behind = r#"{"_auth_user_id":"7","hijack_history":["42"]}"#;
        let data = base64_url(behind.as_bytes());
        w.row(&key("z7-busy"), &signed_at(&data, &base62(now() + 63), SECRET_KEY), FAR);
        let ran = w.run(&["logout-user", "42", "--keep-newest", "1"]).ok();
        ran.says("6 sessions deleted").says("no other is left");
        let left = names(w);
        let busy: Vec<_> = left.iter().filter(|name| name.ends_with("busy")).collect();
        assert_eq!(busy, ["z7-busy"], "{left:?}");
        assert!(!left.iter().any(|name| name.contains("42-")), "{left:?}");
    });
}

#[test]
fn a_login_meanwhile_is_a_newer_one_and_what_comes_back_is_told() {
    World::each("newest_meanwhile", |w| {
        for (command, who) in [
            (&["logout-user", "42", "--keep-newest", "2"][..], "no other is left"),
            (&["delete", "--beyond-newest", "2", "--yes"], "none is left"),
        ] {
            people(w);
            let settle = ["--settle", "3s"];
            let running = Running::start(&mut w.command(&[command, &settle].concat()));
            crate::running::eventually("a delete", || !names(w).contains("a42-3rd"));
            add(w, "login", "42", now() + 2, FAR);
            let ran = running.end().ok();
            ran.says(who);
            let left = names(w);
            assert!(left.contains("c42-2nd") && left.contains("login"), "{left:?}");
            // The next run counts it.
            w.run(command).ok().says("1 session deleted");
            // As Django up to 1.9 does at the end of a request.
            people(w);
            let running = Running::start(&mut w.command(&[command, &settle].concat()));
            crate::running::eventually("a delete", || !names(w).contains("a42-3rd"));
            add(w, "a42-3rd", "42", now() + 2, FAR);
            let ran = running.end().exits(3);
            ran.says("1 IS LEFT").says("the site writes them back");
        }
    });
}

#[test]
fn what_a_trigger_keeps_is_left_and_carts_can_stay() {
    World::each("newest_carts", |w| {
        people(w);
        let ran = w.run(&["logout-user", "42", "--keep-newest", "1", "--keep-data"]).ok();
        ran.says("3 sessions");
        assert_eq!(names(w), are(&ALL));
        let listed = w.run(&["list", "--user", "42", "--format", "jsonl"]).ok().json_lines();
        assert_eq!(listed.len(), 1);
        assert!(listed[0]["session_key"].as_str().unwrap().starts_with("b42-new"));
    });
    World::each_but_mysql("newest_kept", |w| {
        people(w);
        w.keeps_rows("OLD.session_key LIKE 'd42%'");
        let ran = w.run(&["delete", "--beyond-newest", "2", "--yes"]).exits(3);
        ran.says("NOT all are gone").says("1 IS LEFT").says("a trigger");
    });
}

/// Copies of sessions that stay are left in the cache, and those of what went, now or before, are not.
#[test]
fn in_front_of_the_table_the_copies_of_what_went_go() {
    let redis = Redis::new("newest_cache");
    let site = redis.site("");
    let login = |name: &str| site.login(&[name])[0].clone();
    let mut all: Vec<(String, String)> = Vec::new();
    for name in ["anna", "anna", "anna", "bert"] {
        all.push(login(name));
        site.python("import time; time.sleep(1.1)");
    }
    let in_now = || all.iter().map(|one| whoami(&site, &one.1) == one.0).collect::<Vec<_>>();
    assert_eq!(in_now(), [true; 4]);
    let cache = redis.url();
    let rest = ["--format", "json", "--cache", &cache];
    let logout = [&["logout-user", &all[0].0, "--keep-newest", "2"], &rest[..]].concat();
    let report = site.run(&logout).ok().json();
    assert_eq!((&report["deleted"], &report["cache_entries_deleted"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&report["verdict"], in_now()),
        (&json!("logged_out"), vec![false, true, true, true])
    );
    // An earlier run deleted the row only.
    site.python(&format!("Session.objects.filter(pk={:?}).delete()", all[1].1));
    assert_eq!(in_now(), [false, true, true, true]);
    let delete = [&["delete", "--yes", "--beyond-newest", "1"], &rest[..]].concat();
    let report = site.run(&delete).ok().json();
    assert_eq!((&report["deleted"], &report["cache_entries_deleted"]), (&json!(0), &json!(1)));
    assert_eq!(in_now(), [false, false, true, true]);
    assert_eq!(report["rounds"], 2);
    assert_eq!(site.run(&delete).ok().json()["verdict"], "not_found");
}

/// By request: who logged in last stays in, and the others are out.
#[test]
fn on_a_real_site_the_browsers_that_came_last_stay_in() {
    Site::each("newest", "5.2", &[], |site| {
        let mut browsers: Vec<(String, String)> = Vec::new();
        for name in ["anna", "anna", "bert", "anna"] {
            browsers.push(site.login(&[name])[0].clone());
            site.python("import time; time.sleep(1.1)");
        }
        let who = || browsers.iter().map(|one| whoami(site, &one.1) == one.0).collect::<Vec<_>>();
        assert_eq!(who(), [true; 4]);
        // A request that changes the session saves it: this browser is the newest now.
        site.python(&format!(
            "from django.test import Client\nclient = Client()\nclient.cookies['sessionid'] = '{}'\nclient.get('/cart/add/1')",
            browsers[0].1
        ));
        site.run(&["logout-user", "--username", "anna", "--keep-newest", "2"]).ok().says("anna");
        assert_eq!(who(), [true, false, true, true]);
        site.run(&["delete", "--beyond-newest", "1", "--yes"]).ok().says("1 session deleted");
        assert_eq!(who(), [true, false, true, false]);
    });
}

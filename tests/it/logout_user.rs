use serde_json::json;

use crate::world::{RunToEnd, SECRET_KEY, World, login, signed};

#[test]
fn logs_out_this_user_and_nobody_else() {
    World::each("logs_out", |w| {
        w.user("42", 3).user("4", 1).user("142", 1).user("7", 2);
        w.session(r#"{"cart":{"_auth_user_id":"42"},"note":"\"_auth_user_id\":\"42\""}"#);
        let ran = w.run(&["logout-user", "42", "--format", "json"]).ok();
        let mut report = ran.json();
        report["elapsed_seconds"] = json!(0);
        assert_eq!(
            report,
            json!({"command": "logout-user", "users": ["42"], "dry_run": false, "scanned": 8, "matched": 3,
                   "deleted": 3, "rewritten": 0, "remaining": 0, "not_deleted": 0, "rounds": 1, "unverified": 0,
                   "impersonated": 0, "shared": 0, "alike": 0, "unreadable": 0, "maybe_spared": 0, "allauth_deleted": null, "user_column": null,
                   "by_column": false, "different": 0, "undated": 0, "saved_later": 0, "cached": false, "cache_entries_deleted": null,
                   "verdict": "table_only", "doubts": [], "secret_keys": 1,
                   "tally": {"scanned": 5, "expired": 0, "logins": 4, "anonymous": 1, "unverified": 0,
                             "unreadable": 0, "damaged": 0},
                   "resolved": [], "referenced": 0,
                   "named": [{"id": "42", "username": null, "exists": null, "sessions": 3}], "user_table": null, "keep_newest": null, "other_credentials": [], "other_logins": [], "can_log_in": null, "unfit": 0, "unfit_ids": [], "batches": 1,
                   "elapsed_seconds": 0})
        );
        assert_eq!(w.count(), 5);
        w.run(&["logout-user", "42"]).ok().says("0 sessions deleted, none is left");
    });
}

#[test]
fn integers_and_text_are_the_same_user() {
    World::each("integers", |w| {
        w.session(r#"{"_auth_user_id":42}"#);
        w.session(r#"{"_auth_user_id":"42"}"#);
        w.session(r#"{"\u005fauth_user_id":"42"}"#);
        w.session(r#"{"_auth_user_id":"7","_auth_user_id":"42"}"#);
        let last_wins = w.session(r#"{"_auth_user_id":"42","_auth_user_id":"7"}"#);
        w.run(&["logout-user", "42"]).ok();
        assert_eq!(w.session_keys(), [last_wins]);
    });
}

#[test]
fn uuids_match_in_every_spelling() {
    World::each("uuids", |w| {
        w.user("ce6db715-bb98-0199-4cff-7a7d3eff1a4f", 2);
        w.user("88b66785-42c0-b51a-7abe-49e53852ae84", 1);
        w.run(&["logout-user", "CE6DB715BB9801994CFF7A7D3EFF1A4F"]).ok();
        assert_eq!(w.count(), 1);
    });
}

#[test]
fn many_users_cost_one_scan() {
    World::each("many_users", |w| {
        let rows: Vec<_> =
            (0..50).map(|id| (w.next_key(), signed(&login(&id.to_string()), SECRET_KEY))).collect();
        w.rows(rows.iter().map(|(key, data)| (&**key, &**data, "2099-01-01 00:00:00".into())));
        let ids: Vec<String> = (10..100_010).map(|id| id.to_string()).collect();
        let file = w.file("ids", ids.join("\r\n"));
        let report =
            w.run(&["logout-user", "3", "--from-file", &file, "--format", "json"]).ok().json();
        assert_eq!((&report["deleted"], &report["scanned"]), (&json!(41), &json!(50)));
        let mut command = w.command(&["logout-user", "--from-file", "-"]);
        command.env("SESSCTL_SECRET_KEY", SECRET_KEY).ran("4\n5\n").ok();
        assert_eq!(w.count(), 7);
    });
}

#[test]
fn ids_may_come_from_an_editor_that_marks_its_files() {
    World::each("marked_ids", |w| {
        w.user("42", 1).user("7", 1);
        let file = w.file("ids", "\u{feff}42\r\n7\r\n");
        w.run(&["logout-user", "--from-file", &file]).ok().says("2 sessions deleted");
    });
}

#[test]
fn a_dry_run_changes_nothing() {
    World::each("dry_run", |w| {
        w.user("42", 25).user("7", 1);
        let ran = w.run(&["logout-user", "42", "--dry-run"]).ok();
        let ran = ran.says("25 live sessions of user 42 would be deleted").says("... and 5 more");
        assert!(!ran.stdout.contains("abcdefghijkl"), "a whole key is shown: {ran:#?}");
        assert_eq!(w.count(), 26);
    });
}

#[test]
fn the_excepted_session_stays() {
    World::each("except", |w| {
        w.user("42", 3);
        let mine = w.session(&login("42"));
        let except = ["logout-user", "42", "--except", &mine[..8]];
        w.run(&except).ok().says("3 sessions deleted, no other is left");
        let idle = [&except[..], &["--idle", "0s"]].concat();
        w.run(&idle).ok().says("0 sessions deleted, no other of that time is left");
        w.run(&["logout-user", "42", "--idle", "9000d"]).ok().says("none of that time is left");
        assert_eq!(w.session_keys(), std::slice::from_ref(&mine));
        w.run(&["logout-user", "42", "--except", &mine[..7]]).exits(2);
        w.run(&["logout-user", "42", "--except", &mine]).exits(2).says("whole session key");
        w.run(&["logout-user", "42", "--except", "nosuchkey"]).exits(1);
        w.row("samebegin1abcdefghijklmnopqrstuv", "x", "2099-01-01 00:00:00");
        w.row("samebegin2abcdefghijklmnopqrstuv", "x", "2099-01-01 00:00:00");
        w.run(&["logout-user", "42", "--except", "samebegin"]).exits(1).says("more than one");
        assert_eq!(w.count(), 3, "nothing was deleted by what failed");
    });
}

#[test]
fn rows_that_do_not_verify_go_too_once_the_key_has_proved_right() {
    World::each("unverified", |w| {
        w.row("forged02", ".eJgarbage", "2099-01-01 00:00:00");
        w.row("forged01", &signed(&login("42"), "another key"), "2099-01-01 00:00:00");
        w.row("forged07", &signed(&login("7"), "another key"), "2099-01-01 00:00:00");
        let counts = |report: &serde_json::Value| {
            ["deleted", "unverified", "unreadable"].map(|name| report[name].clone())
        };
        // Nothing verifies: the key is wrong, for all that is known.
        w.run(&["logout-user", "42"]).exits(2).says("not one of 3 sessions verifies");
        w.user("42", 2);
        let json = ["logout-user", "42", "--format", "json"];
        let careful = [&json[..], &["--verified-only"]].concat();
        let report = w.run(&careful).exits(3).json();
        assert_eq!(counts(&report), [json!(2), json!(1), json!(0)]);
        assert_eq!(report["verdict"], "unknown");
        w.user("8", 1).user("42", 2);
        w.run(&["logout-user", "42", "-n"]).ok().says("3 live sessions").says("1 session failed");
        let report = w.run(&json).ok().json();
        assert_eq!(counts(&report), [json!(3), json!(1), json!(0)]);
        assert_eq!(w.session_keys().len(), 3, "the garbage, and those of others");
    });
}

#[test]
fn an_incomplete_key_ring_leaves_nobody_in() {
    World::each("key_ring", |w| {
        // The site signs with the first and accepts the second; whichever the operator has, all of them go.
        let (new, old) = ("the new key of the site", SECRET_KEY);
        let rows: Vec<_> =
            [new, old, new, old].map(|key| (w.next_key(), signed(&login("42"), key))).into();
        let rows = rows.iter().map(|(key, data)| (&**key, &**data, "2099-01-01 00:00:00".into()));
        for key in [new, old] {
            w.renew();
            w.rows(rows.clone());
            let mut command = w.command(&["logout-user", "42"]);
            command.env("SECRET_KEY", key).ran("").ok().says("4 sessions deleted, none is left");
            w.rows(rows.clone());
            let mut command = w.command(&["flush-all", "--yes", "--authenticated-only"]);
            let ran = command.env("SECRET_KEY", key).ran("").ok().says("4 sessions deleted");
            ran.says("2 sessions of 1 user failed verification and went, too");
            assert_eq!(w.count(), 0);
        }
    });
}

#[test]
fn a_site_whose_logins_stand_under_a_key_of_its_own_is_a_doubt() {
    World::each("own_key", |w| {
        w.session(r#"{"account_id":5}"#);
        w.session(r#"{"account_id":7,"cart":[1]}"#);
        let ran = w.run(&["logout-user", "5"]).exits(3).says("NOT known to be logged out");
        ran.says("account_id, cart").says("--user-key account_id");
        let report = w.run(&["logout-user", "5", "--format", "json"]).exits(3).json();
        assert_eq!(report["verdict"], "unknown");
        assert_eq!(
            report["doubts"],
            json!([{"doubt": "no_login", "looked_for": ["_auth_user_id"], "keys": ["account_id", "cart"]}])
        );
        w.run(&["-q", "logout-user", "5", "-n"]).exits(3).says("nothing is proved");
        w.run(&["flush-all", "--yes", "--authenticated-only"]).exits(3).says("NOT everybody");
        w.run(&["logout-user", "5", "--user-key", "_auth_user_id"]).ok().says("0 sessions");
        assert_eq!(w.count(), 2);
        w.run(&["logout-user", "5", "--user-key", "account_id"]).ok().says("1 session deleted");
        let mistyped = ["logout-user", "7", "--user-key", "acount_id"];
        w.run(&mistyped).exits(3).says("under the key acount_id").says("--user-key account_id");
        // The most frequent keys are named, however many others there are.
        w.renew();
        w.session(r#"{"zz_member":3}"#);
        w.session(r#"{"zz_member":5}"#);
        for form in 100..125 {
            w.session(&format!("{{\"form_{form}\":1}}"));
        }
        w.run(&["logout-user", "5"]).exits(3).says("stand: zz_member, form_100");
        // Empty sessions cannot hold a login.
        w.renew();
        w.session("{}");
        w.run(&["logout-user", "5"]).ok();
    });
}

#[test]
fn an_id_of_a_named_user_under_a_key_of_the_site_s_own_is_a_doubt() {
    World::each("second_key", |w| {
        w.session(&login("42"));
        w.session(r#"{"cart":[1],"member_id":7}"#);
        w.session(r#"{"member_id":8,"count":7}"#);
        for other in ["42", "9", "1"] {
            w.run(&["logout-user", other, "-n"]).exits(0);
        }
        let ran = w.run(&["logout-user", "7"]).exits(3).says("NOT known to be logged out");
        ran.says("the id of a named user under member_id").says("--user-key member_id");
        w.run(&["logout-user", "7", "--no-verify"]).exits(3);
        w.run(&["list", "--user", "7"]).exits(3).says("under member_id");
        let report = w.run(&["logout-user", "7", "--format", "json"]).exits(3).json();
        assert_eq!(report["doubts"], json!([{"doubt": "id_elsewhere", "keys": ["member_id"]}]));
        w.run(&["logout-user", "7", "--user-key", "_auth_user_id"]).ok().says("0 sessions");
        w.run(&["logout-user", "7", "--user-key", "member_id"]).ok().says("1 session deleted");
        w.run(&["logout-user", "7"]).ok();
        // A mapping under such a key is no id.
        w.session(r#"{"user_profile":{"id":7}}"#);
        w.run(&["logout-user", "7"]).ok();
        assert_eq!(w.count(), 3);
    });
}

#[test]
fn an_empty_table_beside_one_with_sessions_is_a_doubt() {
    World::each("wrong_table", |w| {
        let other = "user_sessions_session";
        let time = if w.is_sqlite() { "datetime" } else { "timestamp with time zone" };
        w.execute(&format!(
            "CREATE TABLE {other} (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL,
             expire_date {time} NOT NULL, user_id integer)"
        ));
        // An empty one is no doubt.
        w.run(&["logout-user", "5"]).ok();
        let data = signed(&login("5"), SECRET_KEY);
        w.execute(&format!(
            "INSERT INTO {other} VALUES ('abcdefghabcdefghabcdefghabcdefgh', '{data}', '2099-01-01 00:00:00', 5)"
        ));
        w.row("expired1", &data, "2001-01-01 00:00:00");
        for command in [
            &["logout-user", "5"][..],
            &["logout-user", "5", "-n"],
            &["list"],
            &["list", "--user", "5"],
            &["flush-all", "-n"],
            &["flush-all", "--yes"],
        ] {
            w.run(command).exits(3).says(&format!(
                "other session tables of this database have live sessions: {other}. "
            ));
            let named = [command, &["--table", "django_session"]].concat();
            w.run(&named).ok();
            if w.count() == 0 {
                w.row("expired1", &data, "2001-01-01 00:00:00");
            }
        }
        // A table whose last session was theirs is the right one.
        w.user("6", 1);
        w.run(&["logout-user", "6"]).ok().says("1 session deleted");
        w.user("6", 1);
        w.run(&["backfill"]).ok();
        w.run(&["logout-user", "6"]).ok().says("1 session deleted");
        w.user("6", 1);
        let emptied = ["flush-all", "--yes", "--truncate", "--format", "json"];
        let doubts = |w: &World| w.run(&emptied).exits(3).json()["doubts"][0]["doubt"].clone();
        assert_eq!(doubts(w), "sessions_elsewhere");
        assert_eq!(doubts(w), "other_tables");
        w.run(&["logout-user", "5", "--table", other]).ok().says("1 session deleted");
    });
}

#[test]
fn what_is_claimed_is_what_is_known_of_the_engine() {
    World::each("engine", |w| {
        let verdict = |more: &[&str], code: i32| {
            w.user("42", 1);
            let arguments = [&["logout-user", "42", "--format", "json"], more].concat();
            let ran = w.run(&arguments).exits(code);
            ran.json()["verdict"].as_str().unwrap().to_owned()
        };
        assert_eq!(verdict(&[], 0), "table_only");
        assert_eq!(verdict(&["--engine", "db"], 0), "logged_out");
        assert_eq!(verdict(&["--engine", "cached_db"], 3), "unknown");
        assert_eq!(verdict(&["--no-verify"], 0), "unknown");
        w.user("7", 1);
        w.run(&["logout-user", "7"]).ok().says("none is left in the table (").says("--engine");
        let ran = w.run(&["logout-user", "7", "--engine", "db"]).ok().says("none is left (");
        assert!(!ran.stderr.contains("--engine"), "{ran:#?}");
        let mut command = w.command(&["logout-user", "7", "--format", "json"]);
        let report = command.env("SESSCTL_ENGINE", "db").ran("").ok().json();
        assert_eq!(report["verdict"], "not_found");
        w.run(&["flush-all", "--yes"]).ok().says("nobody is logged in as far as the table tells");
    });
}

#[test]
fn a_wrong_key_deletes_nothing() {
    World::each("wrong_key", |w| {
        w.user("42", 2).user("7", 1);
        let mut command = w.command(&["logout-user", "42"]);
        let ran = command.env("SECRET_KEY", "wrong-sentinel-key").ran("").exits(2);
        let ran = ran.says("not one of 3 sessions verifies").says("hint:");
        assert!(!ran.stderr.contains("wrong-sentinel-key"));
        assert_eq!(w.count(), 3);
    });
}

/// Where no second scan would find it out, and of a user who has no session.
#[test]
fn a_wrong_key_is_told_by_the_first_scan() {
    World::each("wrong_key_first", |w| {
        w.user("42", 2).user("7", 1);
        for (user, once) in
            [("42", "--no-verify"), ("42", "--dry-run"), ("9", "--no-verify"), ("9", "--dry-run")]
        {
            let mut command = w.command(&["logout-user", user, once]);
            let ran = command.env("SECRET_KEY", "another").ran("").exits(2);
            ran.says("not one of 3 sessions verifies");
        }
        assert_eq!(w.count(), 3);
    });
}

#[test]
fn a_fallback_key_verifies_too() {
    World::each("fallback", |w| {
        w.user("42", 2);
        for fallbacks in [format!("older,{SECRET_KEY}"), format!(r#"["older", "{SECRET_KEY}"]"#)] {
            let mut command = w.command(&["logout-user", "42", "--dry-run"]);
            command.env("SECRET_KEY", "new").env("DJANGO_SECRET_KEY_FALLBACKS", fallbacks);
            command.ran("").ok().says("2 live sessions");
        }
        let file = w.file("keys", format!("new\r\n{SECRET_KEY}\n"));
        w.run_without_key(&["logout-user", "42", "--secret-key-file", &file]).ok();
        assert_eq!(w.count(), 0);
    });
}

#[test]
fn what_cannot_be_read_is_told_and_exits_3() {
    World::each("unreadable", |w| {
        w.user("42", 1);
        w.session("\u{93}msgpack");
        let report = w.run(&["logout-user", "42", "--format", "json"]).exits(3).json();
        assert_eq!((&report["deleted"], &report["unreadable"]), (&json!(1), &json!(1)));
        w.run_without_key(&["logout-user", "42"]).exits(3).says("could not be read");
        assert_eq!(w.count(), 1);
    });
}

#[test]
fn without_a_key_everything_is_decoded_and_that_is_said_once() {
    World::each("no_key", |w| {
        w.user("42", 2);
        let ran = w.run_without_key(&["logout-user", "42"]).ok();
        assert_eq!(ran.stderr.matches("signatures are not checked").count(), 1);
        assert_eq!(w.count(), 0);
    });
}

#[test]
fn what_is_not_known_of_the_site_is_not_said_before_an_error_of_the_connection() {
    World::each("note_later", |w| {
        w.user("42", 1);
        let nosuch = ["list", "--table", "nosuch"];
        let failed = w.run_without_key(&nosuch).exits(1);
        assert!(failed.stderr.starts_with("error: no table"), "{failed:#?}");
        let reached = w.run_without_key(&nosuch[..1]).ok();
        assert!(reached.stderr.starts_with("note: not known of the site: "), "{reached:#?}");
    });
    for database in ["/nosuch.sqlite3", "postgres://127.0.0.1:1/nosuch"] {
        let failed = crate::world::program(&["logout-user", "42", "-d", database]).ran("").exits(1);
        assert!(failed.stderr.starts_with("error: "), "{failed:#?}");
    }
}

#[test]
fn expired_sessions_stay() {
    World::each("expired", |w| {
        w.user("42", 1);
        w.row("expired1", &signed(&login("42"), SECRET_KEY), "2020-01-01 00:00:00");
        w.run(&["logout-user", "42"]).ok().says("1 session deleted");
        assert_eq!(w.session_keys(), ["expired1"]);
    });
}

#[test]
fn without_a_time_zone_sqlite_leaves_no_live_session_standing() {
    let w = World::sqlite("no_zone");
    let hours_ago = |hours: i64| {
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        then.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let data = signed(&login("42"), SECRET_KEY);
    // Live, if the site's clock is in Honolulu; expired 13 hours ago wherever it is.
    w.row("maybe-live", &data, &hours_ago(9)).row("surely-expired", &data, &hours_ago(13));
    let mut command = crate::world::program(&["logout-user", "42", "-d", &w.url()]);
    command
        .env("SECRET_KEY", SECRET_KEY)
        .ran("")
        .ok()
        .says("1 session deleted")
        .says("--db-timezone");
    assert_eq!(w.session_keys(), ["surely-expired"]);
    w.row("maybe-live", &data, &hours_ago(9));
    w.run(&["logout-user", "42"]).ok().says("0 sessions deleted");
}

#[test]
fn batches_are_counted() {
    World::each("batches", |w| {
        w.user("42", 7);
        let args =
            ["logout-user", "42", "--batch-size", "3", "--sleep", "10ms", "--format", "json"];
        let report = w.run(&args).ok().json();
        assert_eq!((&report["batches"], &report["deleted"]), (&json!(3), &json!(7)));
    });
}

#[test]
fn without_the_second_look_nothing_is_said_to_be_left() {
    World::each("no_verify", |w| {
        w.user("42", 1);
        let report = w.run(&["logout-user", "42", "--no-verify", "--format", "json"]).ok().json();
        assert_eq!(report["remaining"], json!(null));
    });
}

#[test]
fn sessions_that_come_back_are_deleted_again_and_in_the_end_reported() {
    // No trigger of MariaDB writes into its own table.
    World::each_but_mysql("come_back", |w| {
        w.user("42", 1);
        // A request in flight that writes the row back after every delete, as Django up to 1.9 does.
        w.execute(if w.is_sqlite() {
            "CREATE TRIGGER back AFTER DELETE ON django_session BEGIN
                 INSERT INTO django_session VALUES (OLD.session_key, OLD.session_data, OLD.expire_date); END"
        } else {
            "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN INSERT INTO django_session SELECT OLD.*; RETURN NULL; END';
             CREATE TRIGGER back AFTER DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION back()"
        });
        let report = w.run(&["logout-user", "42", "--format", "json"]).exits(3).json();
        assert_eq!(
            (&report["rounds"], &report["remaining"], &report["deleted"]),
            (&json!(3), &json!(1), &json!(3))
        );
        // Also where nobody looks again.
        let report =
            w.run(&["logout-user", "42", "--no-verify", "--format", "json"]).exits(3).json();
        assert_eq!((&report["remaining"], &report["not_deleted"]), (&json!(1), &json!(1)));
    });
}

#[test]
fn a_name_where_an_id_is_wanted_is_told() {
    World::each("name_for_id", |w| {
        w.run(&["logout-user", "anna"]).ok().says("No session was found: an id is a primary key");
        w.user("42", 1);
        let ran = w.run(&["logout-user", "43"]).ok();
        assert!(!ran.stdout.contains("primary key"), "{ran:#?}");
        w.run(&["logout-user", "anna"]).exits(2).says("cannot be the id of a user");
        w.row("forged01", &signed(&login("anna"), "another key"), "2099-01-01 00:00:00");
        w.run(&["logout-user", "anna"]).exits(2);
        assert_eq!(w.count(), 2);
    });
}

#[test]
fn who_is_kept_by_a_trigger_is_not_logged_out() {
    World::each_but_mysql("kept_by_trigger", |w| {
        w.user("42", 2).user("7", 1);
        w.keeps_rows("1 = 1");
        for (more, rounds) in [(&[][..], 3), (&["--no-verify"], 1)] {
            let logout = [&["logout-user", "42"], more].concat();
            let ran = w.run(&logout).exits(3).says("2 sessions of those that were deleted are in");
            let said = "NOT logged out, user 42: 0 sessions deleted, 2 ARE LEFT (";
            assert!(ran.stdout.starts_with(said), "{ran:#?}");
            assert!(!ran.stdout.contains("came back"), "{ran:#?}");
            let report = w.run(&[&logout[..], &["--format", "json"]].concat()).exits(3).json();
            let counts =
                ["deleted", "not_deleted", "remaining", "rounds"].map(|name| &report[name]);
            assert_eq!(counts, [&json!(0), &json!(2), &json!(2), &json!(rounds)]);
        }
        assert_eq!(w.count(), 3);
    });
}

/// No serializer of Django's writes one, but the proof does not rest on that.
#[test]
fn a_row_that_names_two_users_is_not_missed() {
    World::each("two_users", |w| {
        let both = r#"{"_auth_user_id":"7","_auth_user_backend":"a.B","_auth_user_id":"42","note":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#;
        w.user("8", 3).session(both);
        let logout = ["logout-user", "42", "--format", "json"];
        let would = w.run(&[&logout[..], &["--dry-run"]].concat()).ok().json();
        assert_eq!(would["matched"], json!(1));
        // Without a second look no more of it is read than the first login.
        let skimmed = w.run(&[&logout[..], &["--no-verify", "--dry-run"]].concat()).ok().json();
        assert_eq!((&skimmed["matched"], &skimmed["scanned"]), (&json!(0), &json!(4)));
        let report = w.run(&logout).ok().json();
        // Where the database can tell what changed, the first look reads the whole row already.
        let rounds = if w.is_mysql() || w.is_sqlite() { 2 } else { 1 };
        assert_eq!(
            (&report["rounds"], &report["deleted"], &report["remaining"]),
            (&json!(rounds), &json!(1), &json!(0))
        );
        assert_eq!(w.count(), 3);
    });
}

/// That what begins with somebody else's login ends as no JSON matters to the proof alone.
#[test]
fn the_first_look_reads_no_more_than_it_must() {
    World::each("skim", |w| {
        w.user("8", 3).session(r#"{"_auth_user_id":"7","a":"#);
        let logout = |more: &[&str], code| {
            let arguments = [&["logout-user", "42", "--format", "json"], more].concat();
            let report = w.run(&arguments).exits(code).json();
            (report["scanned"].as_u64(), report["unreadable"].as_u64())
        };
        assert_eq!(logout(&["--no-verify"], 0), (Some(4), Some(0)));
        assert_eq!(logout(&["--dry-run"], 3), (Some(4), Some(1)));
        assert_eq!(logout(&[], 3), (Some(4), Some(1)));
        w.session(r#"{"_auth_user_id":"42","a":"#);
        assert_eq!(logout(&["--no-verify"], 3), (Some(5), Some(1)));
        assert_eq!(w.count(), 5);
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    World::each("no_sense", |w| {
        w.user("42", 1);
        w.run(&["logout-user"]).exits(2);
        w.run(&["logout-user", ""]).exits(2).says("USER_ID was given an empty text");
        w.run(&["logout-user", "42", "--settle", "soon"]).exits(2).says("not a length of time");
        w.run(&["logout-user", "42", "--settle", "-5s"]).exits(2);
        w.run(&["logout-user", "42", "--batch-size", "0"]).exits(2);
        w.run(&["logout-user", "42", "--keep-data", "--no-verify"])
            .exits(2)
            .says("cannot be used with");
        let empty = w.file("empty", "\n\r\n");
        w.run(&["logout-user", "--from-file", &empty]).exits(2).says("no user id");
        w.run(&["logout-user", "--from-file", "/nonexistent"])
            .exits(1)
            .says("cannot read /nonexistent");
        w.run(&["logout-user", "--from-file", "-", "--secret-key-file", "-"])
            .exits(2)
            .says("standard input");
        assert_eq!(w.count(), 1);
    });
}

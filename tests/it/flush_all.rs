//! `flush-all`: everybody out, and what is spared.

use std::process::Command;

use serde_json::json;

use crate::role::Role;
use crate::running::{Running, eventually};
use crate::support::{django_python, sessctl};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, login, signed};

/// Two sessions each of 42 and 7, a cart, one that expired, one that nobody can read.
fn shop(w: &World) {
    w.user("42", 2).user("7", 2);
    w.session(r#"{"cart":[1,2]}"#);
    w.row("expired1", &signed(&login("42"), SECRET_KEY), "2020-01-01 00:00:00");
    w.session("\u{93}msgpack");
}

#[test]
fn it_says_what_will_go_and_does_it() {
    World::each("flush", |w| {
        shop(w);
        let ran = w.run(&["flush-all", "--yes", "--format", "json"]).exits(0);
        assert!(
            ran.stderr.contains(
                "7 rows: 4 live sessions of users, 1 anonymous, 1 that cannot be read, 1 expired"
            ),
            "{ran:#?}"
        );
        let report = ran.json();
        for (field, wanted) in [
            ("rows", json!(7)),
            ("live_users", json!(4)),
            ("live_anonymous", json!(1)),
            ("live_unreadable", json!(1)),
            ("expired", json!(1)),
            ("deleted", json!(7)),
            ("remaining", json!(0)),
            ("ended", json!("done")),
        ] {
            assert_eq!(report[field], wanted, "{field}: {report}");
        }
        assert_eq!(w.count(), 0);
    });
}

#[test]
fn without_confirmation_nothing_happens() {
    World::each("flush_unconfirmed", |w| {
        shop(w);
        w.run(&["flush-all"]).exits(4).says("not confirmed").says("--yes");
        w.run(&["flush-all", "--truncate"]).exits(4);
        w.run(&["flush-all", "--dry-run"]).ok().says("7 sessions would go");
        w.run(&["flush-all", "--dry-run", "--yes"]).ok();
        w.run(&["flush-all", "--dry-run", "--authenticated-only"])
            .exits(3)
            .says("4 sessions would go");
        assert_eq!(w.count(), 7);
    });
}

/// Runs the program on a terminal at which a person types an answer.
pub(crate) fn at_a_terminal(w: &World, answer: &str, arguments: &[&str]) -> Ran {
    let script = "import os, pty, sys\n\
        asked = b''\n\
        pid, fd = pty.fork()\n\
        if pid == 0: os.execv(sys.argv[2], sys.argv[2:])\n\
        try:\n\
        \x20   while True:\n\
        \x20       said = os.read(fd, 4096)\n\
        \x20       if not said: break\n\
        \x20       sys.stdout.buffer.write(said)\n\
        \x20       if b'to go on:' in asked + said and b'to go on:' not in asked: os.write(fd, sys.argv[1].encode() + b'\\n')\n\
        \x20       asked += said\n\
        except OSError: pass\n\
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
    let mut command = Command::new(django_python("5.2"));
    command.args(["-c", script, answer]).arg(sessctl()).args(arguments);
    command.args(["-d", &w.url()]).env("TERM", "dumb").env("SECRET_KEY", SECRET_KEY).ran("")
}

#[test]
fn a_person_confirms_with_the_number_of_rows() {
    World::each("flush_typed", |w| {
        shop(w);
        for answer in ["", "yes", "8", "77"] {
            at_a_terminal(w, answer, &["flush-all"]).exits(4).says("(7)");
            assert_eq!(w.count(), 7);
        }
        at_a_terminal(w, "7", &["flush-all"]).exits(0).says("7 sessions deleted");
        assert_eq!(w.count(), 0);
    });
}

#[test]
fn carts_stay_with_authenticated_only() {
    World::each("flush_logins", |w| {
        shop(w);
        // One row that nobody can read may be a login: it is left, and told.
        let args = ["flush-all", "--yes", "--authenticated-only", "--format", "json"];
        let report = w.run(&args).exits(3).json();
        assert_eq!(
            (&report["deleted"], &report["unreadable"], &report["remaining"]),
            (&json!(4), &json!(1), &json!(0))
        );
        assert_eq!(w.count(), 3);
        let ran = w.run(&args[..3]).exits(3);
        assert!(ran.stdout.starts_with("NOT everybody is known to be logged out: "), "{ran:#?}");
    });
}

#[test]
fn users_can_be_spared() {
    World::each("flush_except", |w| {
        shop(w);
        w.row("forged01", &signed(&login("7"), "another key"), "2099-01-01 00:00:00");
        w.execute("DELETE FROM django_session WHERE session_data LIKE 'wpNt%'");
        let dry = w.run(&["flush-all", "-n", "--except-user", "7"]).ok();
        dry.says("but for 3 sessions of users who are spared")
            .says("3 sessions of users who are spared stay.");
        let dry = w.run(&["flush-all", "-n", "--except-user", "7", "--format", "json"]).ok().json();
        assert_eq!((&dry["live_spared"], &dry["matched"]), (&json!(3), &json!(4)));
        let ran = w.run(&["flush-all", "--yes", "--except-user", "7"]).ok();
        ran.says("4 sessions deleted").says("3 sessions of users who are spared stay.");
        assert_eq!(w.count(), 3, "what names the spared user stays, whatever key signed it");
        w.user("42", 1).session("{}");
        w.run(&["flush-all", "--yes", "--except-user", "7", "--except-user", "42"])
            .ok()
            .says("1 session deleted")
            .says("4 sessions of users who are spared stay.");
        w.run(&["flush-all", "--yes", "--authenticated-only", "--except-user", "7"])
            .ok()
            .says("1 session deleted");
        assert_eq!(w.run(&["list", "--format", "ids"]).ok().stdout, "7\n7\n7\n");
    });
}

#[test]
fn the_table_can_be_emptied_at_once() {
    World::each("flush_truncate", |w| {
        shop(w);
        w.run(&["flush-all", "--yes", "--truncate"])
            .ok()
            .says("table emptied, nobody is logged in");
        assert_eq!(w.count(), 0);
        for narrower in [&["--authenticated-only"][..], &["--limit", "5"], &["--pause-file", "f"]] {
            w.run(&[&["flush-all", "--yes", "--truncate"], narrower].concat()).exits(2);
        }
    });
}

#[test]
fn a_dry_run_says_what_emptying_the_table_would_take() {
    World::each("flush_truncate_dry", |w| {
        shop(w);
        w.run(&["flush-all", "--dry-run", "--truncate"]).ok().says("7 sessions would go");
        assert_eq!(w.count(), 7);
    });
}

#[test]
fn a_table_that_was_not_emptied_is_not_said_to_be() {
    let w = World::postgres("flush_truncate_signal");
    shop(&w);
    let mut holder = postgres::Client::connect(&w.url(), postgres::NoTls).unwrap();
    holder.batch_execute("BEGIN; SELECT count(*) FROM django_session").unwrap();
    let mut running = Running::start(&mut w.command(&["flush-all", "--yes", "--truncate"]));
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'django_session'::regclass AND NOT granted)";
    eventually("it waits for the lock", || {
        assert!(!running.is_over());
        holder.query_one(waits, &[]).unwrap().get(0)
    });
    running.signal("INT");
    let ran = running.end().exits(130).says("0 sessions deleted, interrupted, not looked again");
    assert!(!ran.stdout.contains("emptied"), "{ran:#?}");
    assert_eq!(w.count(), 7);
}

#[test]
fn an_emptied_table_is_reported_whatever_comes_after() {
    let w = World::postgres("flush_truncate_trigger");
    shop(&w);
    let visitor = signed(&login("42"), "another key");
    w.execute(&format!(
        "CREATE FUNCTION visit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO django_session VALUES ('visitor1', '{visitor}', '2099-01-01'); RETURN NULL; END $$;
         CREATE TRIGGER visit AFTER TRUNCATE ON django_session EXECUTE FUNCTION visit()",
    ));
    // No row is left that could show whether the key is right.
    let ran = w.run(&["flush-all", "--yes", "--truncate", "--format", "json"]).exits(3);
    let report = ran.json();
    assert_eq!(
        (&report["remaining"], &report["verdict"]),
        (&json!(0), &json!("unknown")),
        "{ran:#?}"
    );
    assert_eq!(w.session_keys(), ["visitor1"]);
    w.user("42", 1);
    let careful = ["flush-all", "--yes", "--authenticated-only", "--verified-only"];
    w.run(&careful)
        .exits(3)
        .says("1 session of 1 user failed verification and stays: Django reads it as");
    w.user("42", 1);
    let ran = w.run(&["flush-all", "--yes", "--authenticated-only"]).ok();
    ran.says("1 session of 1 user failed verification and went, too");
    w.run(&["flush-all", "--yes", "--verified-only"]).exits(2);
}

#[test]
fn what_a_trigger_keeps_is_told() {
    World::each_but_mysql("flush_kept", |w| {
        shop(w);
        w.keeps_rows("OLD.session_key LIKE 'expired%'");
        if w.is_sqlite() {
            let ran = w.run(&["flush-all", "--yes", "--truncate"]).exits(1);
            ran.says("cause: rows would be left: a trigger").says("hint: `sessctl doctor`");
            assert_eq!(w.count(), 7);
        }
        // Nobody is logged in by what is kept.
        w.run(&["flush-all", "--yes"]).ok().says("6 sessions deleted, nobody is logged in");
        assert_eq!(w.session_keys(), ["expired1"]);
    });
}

#[test]
fn who_is_kept_by_a_trigger_is_told() {
    World::each_but_mysql("flush_kept_login", |w| {
        shop(w);
        w.keeps_rows("1 = 1");
        let ran = w.run(&["flush-all", "--yes"]).exits(3);
        assert!(ran.stdout.starts_with("NOT everybody is known to be logged out: 0 "), "{ran:#?}");
        ran.says("4 sessions of those that were deleted are in the table");
        assert_eq!(w.count(), 7);
    });
}

#[test]
fn it_says_that_all_are_out_only_if_they_are() {
    World::each("flush_partly", |w| {
        shop(w);
        let ran = w.run(&["flush-all", "--yes", "--limit", "2"]).exits(3);
        assert!(ran.stdout.starts_with("NOT everybody is known to be logged out: 2 "), "{ran:#?}");
        w.execute("DELETE FROM django_session WHERE session_data LIKE 'wpNt%'");
        let ran = w.run(&["flush-all", "--yes", "--except-user", "7"]).ok();
        assert!(ran.stdout.starts_with("Logged out everybody else: "), "{ran:#?}");
        assert!(
            ran.stdout.contains(", nobody else is logged in as far as the table tells ("),
            "{ran:#?}"
        );
    });
}

#[test]
fn who_keeps_it_from_being_emptied_is_named() {
    let w = World::postgres("flush_held");
    shop(&w);
    let url = format!("{}?application_name=the-shop", w.url());
    let mut holder = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    for held in ["SELECT count(*) FROM django_session", "LOCK TABLE django_session IN SHARE MODE"] {
        holder.batch_execute(&format!("BEGIN; {held}")).unwrap();
        let began = std::time::Instant::now();
        w.run(&["flush-all", "--yes", "--truncate"])
            .exits(1)
            .says("ACCESS EXCLUSIVE")
            .says("application the-shop, idle in transaction");
        assert!(began.elapsed().as_secs() < 20, "everybody else queues behind it meanwhile");
        holder.batch_execute("ROLLBACK").unwrap();
        assert_eq!(w.count(), 7);
    }
}

#[test]
fn why_the_table_cannot_be_emptied_is_told() {
    let w = World::postgres("flush_not_emptied");
    shop(&w);
    let (role, truncate) = (Role::new(&w, "not_emptied"), ["flush-all", "--yes", "--truncate"]);
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    let denied = role
        .run(&truncate)
        .exits(1)
        .says("hint: grant the role TRUNCATE on the table, or leave --truncate out");
    w.execute(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this table'; END $$;
         CREATE TRIGGER forbid BEFORE TRUNCATE ON django_session EXECUTE FUNCTION forbid()",
    );
    let forbidden = w.run(&truncate).exits(1).says("not this table");
    assert!(!forbidden.stderr.contains("the role"), "no right is missing: {forbidden:#?}");
    for ran in [denied, forbidden] {
        assert!(!ran.stderr.contains("lock"), "it is no lock: {ran:#?}");
    }
    assert_eq!(w.count(), 7);
}

#[test]
fn foreign_keys_are_found_before_the_first_delete() {
    World::each("flush_referenced", |w| {
        shop(w);
        w.execute(
            "CREATE TABLE visits (id integer, session_key varchar(40) REFERENCES django_session (session_key))",
        );
        w.run(&["flush-all", "--yes", "--truncate"])
            .exits(1)
            .says("refer to: visits")
            .says("hint: leave --truncate out");
        assert_eq!(w.count(), 7);
    });
}

#[test]
fn a_wrong_key_deletes_nothing() {
    World::each("flush_wrong_key", |w| {
        shop(w);
        for arguments in
            [&["flush-all", "--yes"][..], &["flush-all", "--yes", "--authenticated-only"]]
        {
            let mut command = w.command(arguments);
            command
                .env("SECRET_KEY", "another")
                .ran("")
                .exits(2)
                .says("not one of 6 sessions verifies");
        }
        assert_eq!(w.count(), 7);
    });
}

#[test]
fn with_keep_data_everybody_is_out_and_carts_stay() {
    World::each("flush_keep", |w| {
        shop(w);
        let pickle =
            "gAJ9cQAoWA0AAABfYXV0aF91c2VyX2lkcQFLKlgSAAAAX2F1dGhfdXNlcl9iYWNrZW5kcQJYAQAAAGJxA3Uu";
        w.row("pickled1", &crate::world::signed_text(pickle, SECRET_KEY), "2099-01-01 00:00:00");
        let report =
            w.run(&["flush-all", "--yes", "--keep-data", "--format", "json"]).exits(3).json();
        assert_eq!(
            (&report["rewritten"], &report["deleted"], &report["remaining"], &report["unreadable"]),
            (&json!(4), &json!(1), &json!(0), &json!(1)),
            "{report}"
        );
        assert_eq!(w.count(), 7);
        let listed = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        let carts = listed.iter().filter(|row| row["payload"] == json!({"cart": [1, 2]}));
        assert_eq!(carts.filter(|row| row["signature"] == "valid").count(), 5);
        assert!(listed.iter().all(|row| row["state"] != "user"), "{listed:#?}");
        w.run_without_key(&["flush-all", "--yes", "--keep-data"]).exits(2).says("SECRET_KEY");
    });
}

#[test]
fn data_is_kept_in_a_table_without_time_zones_too() {
    let w = World::postgres("flush_keep_timestamp");
    w.execute("ALTER TABLE django_session ALTER COLUMN expire_date TYPE timestamp");
    w.user("42", 2);
    w.run(&["flush-all", "--yes", "--keep-data"]).ok().says("2 kept without their login");
}

#[test]
fn a_role_that_may_not_update_is_told_so() {
    let w = World::postgres("flush_keep_role");
    w.user("42", 1);
    w.execute(
        "DROP ROLE IF EXISTS sessctl_no_update; CREATE ROLE sessctl_no_update LOGIN PASSWORD 'x';
         GRANT SELECT, DELETE ON django_session TO sessctl_no_update",
    );
    let (_, server) = w.url().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let url = format!("postgres://sessctl_no_update:x@{server}");
    w.run(&["flush-all", "--yes", "--keep-data", "-d", &url])
        .exits(1)
        .says("cannot update table")
        .says("hint: GRANT UPDATE ON \"django_session\" TO \"sessctl_no_update\"");
    w.execute("DROP OWNED BY sessctl_no_update; DROP ROLE sessctl_no_update");
    assert_eq!(w.run(&["list", "--format", "ids"]).ok().stdout, "42\n");
}

#[test]
fn logout_user_can_keep_data_too() {
    World::each("logout_keep", |w| {
        shop(w);
        let args = ["logout-user", "42", "--keep-data", "--format", "json"];
        let report = w.run(&args).exits(3).json();
        assert_eq!(
            (&report["rewritten"], &report["deleted"], &report["remaining"]),
            (&json!(2), &json!(0), &json!(0))
        );
        assert_eq!(w.run(&["list", "--format", "ids"]).ok().stdout, "7\n7\n");
        assert_eq!(w.count(), 7);
    });
}

#[test]
fn a_row_that_nobody_can_read_may_be_of_a_user_who_is_spared() {
    World::each("flush_maybe_spared", |w| {
        shop(w);
        let flush = ["flush-all", "--yes", "--except-user", "7"];
        w.run(&[&flush[..], &["-n"]].concat())
            .exits(3)
            .says("1 row that could not be read would go, too: a user who is to be spared");
        let report = w.run(&[&flush[..], &["-n", "--format", "json"]].concat()).exits(3).json();
        assert_eq!((&report["maybe_spared"], &report["verdict"]), (&json!(1), &json!("unknown")));
        let ran = w.run(&flush).exits(3);
        assert!(
            ran.stdout.starts_with(
                "Logged out everybody else, and perhaps users who are to be spared: 5 "
            ),
            "{ran:#?}"
        );
        ran.says("1 row that could not be read went, too: a user who is to be spared");
        w.run(&flush).ok().says("Logged out everybody else: 0 sessions");
    });
}

#[test]
fn who_impersonates_a_spared_user_is_no_secret() {
    World::each("flush_shared", |w| {
        w.user("3", 1).user("1", 2);
        let shared = r#"{"_auth_user_id":"3","_auth_user_backend":"b","hijack_history":["1"]}"#;
        w.session(shared);
        for (spared, left) in [("3", 2), ("1", 2)] {
            for narrower in [&[][..], &["--authenticated-only"]] {
                let arguments =
                    [&["flush-all", "--yes", "--except-user", spared], narrower].concat();
                let ran = w.run(&arguments).exits(3).says("NOT everybody is known");
                ran.says("1 session stayed that name");
            }
            assert_eq!(w.count(), left, "sparing {spared}");
            w.user("1", 1);
        }
        w.run(&["flush-all", "--yes", "--except-user", "3", "--except-user", "1"]).ok();
    });
}

/// Staff log in as Django has it, members under a key of the site's own; carts are nobody's.
#[test]
fn a_login_under_a_key_of_the_site_s_own_that_stays_is_a_doubt() {
    World::each("flush_second_key", |w| {
        w.session(&login("42"));
        w.session(r#"{"cart":[1],"member_id":7}"#);
        w.session(r#"{"cart":[1]}"#);
        let flush = ["flush-all", "--yes", "--authenticated-only"];
        for dry in
            [&["flush-all", "-n", "--authenticated-only"][..], &["flush-all", "-n", "--keep-data"]]
        {
            w.run(dry).exits(3).says("have an id under member_id").says("--user-key member_id");
        }
        // All sessions go.
        w.run(&["flush-all", "-n"]).ok();
        w.run(&flush).exits(3).says("NOT everybody").says("1 session deleted");
        let report = w.run(&[&flush[..], &["--format", "json"]].concat()).exits(3).json();
        assert_eq!(report["verdict"], "unknown");
        w.session(&login("42"));
        let report = w.run(&[&flush[..], &["--format", "json"]].concat()).exits(3).json();
        assert_eq!(report["doubts"], json!([{"doubt": "login_elsewhere", "keys": ["member_id"]}]));
        assert_eq!(w.count(), 2);
        w.run(&[&flush[..], &["--user-key", "_auth_user_id"]].concat()).ok().says("0 sessions");
        let both = ["--user-key", "_auth_user_id", "--user-key", "member_id"];
        w.run(&[&flush[..], &both].concat()).ok().says("1 session deleted");
        assert_eq!(w.count(), 1);
        // What an ordinary shop keeps of visitors is no login.
        w.session(&login("42"));
        for visitor in [
            r#"{"stripe_customer_id":"cus_1","user_language":"de","guest_email":"a@b.de","client_ip":"::1"}"#,
            r#"{"customer":{"id":7},"user":"","username":null,"user_id":0,"account_id":"guest","login":false}"#,
            r#"{"cart_id":7,"basket":"7","visitor_uid":"7","account_user":"7","login_attempts":3}"#,
        ] {
            w.session(visitor);
        }
        w.run(&flush).ok().says("1 session deleted");
        assert_eq!(w.count(), 4);
    });
}

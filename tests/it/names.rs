//! Names of users: `list` takes them, and `list` and `show` print them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::site::Site;
use crate::world::{World, login};

/// A table of users, and sessions of theirs, of somebody who is not there, and of nobody.
fn with_users(w: &World) {
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE, email varchar(254),
             is_active boolean, is_staff boolean, is_superuser boolean);
         INSERT INTO auth_user VALUES (1, 'anna', 'anna@example.org', true, true, true),
             (2, 'bert', 'bert@example.org', true, true, false), (3, 'carl', 'c@x', false, false, false)",
    );
    w.user("1", 2).user("2", 1).user("3", 1).user("99", 1);
    w.session("{}");
}

fn listed(w: &World, options: &[&str]) -> Vec<(Value, Value)> {
    let ran = w.run(&[&["list", "--format", "json"], options].concat()).ok();
    let all: Value = serde_json::from_str(&ran.stdout).unwrap();
    let pair = |session: &Value| (session["user_id"].clone(), session["username"].clone());
    let mut all: Vec<_> = all.as_array().unwrap().iter().map(pair).collect();
    all.sort_by_key(|(id, _)| id.to_string());
    all
}

#[test]
fn sessions_are_shown_with_the_names_of_their_users() {
    World::each("names", |w| {
        with_users(w);
        let anna = (json!("1"), json!("anna"));
        let others = [
            (json!("2"), json!("bert")),
            (json!("3"), json!("carl")),
            (json!("99"), json!(null)),
            (json!(null), json!(null)),
        ];
        assert_eq!(listed(w, &[]), [&[anna.clone(), anna.clone()], &others[..]].concat());
        let unnamed = listed(w, &["--no-names"]);
        assert!(unnamed.iter().all(|(_, name)| name.is_null()), "{unnamed:?}");

        let table = w.run(&["list"]).ok().stdout;
        let head = table.lines().next().unwrap();
        let at = head.find("USERNAME").unwrap();
        let name = |line: &str| line[at..].split(' ').next().unwrap().to_owned();
        let mut names: Vec<String> = table.lines().skip(1).map(name).collect();
        names.sort();
        assert_eq!(names, ["-", "-", "anna", "anna", "bert", "carl"]);
        assert!(!w.run(&["list", "--no-names"]).ok().stdout.contains("USERNAME"));

        let csv = w.run(&["list", "--format", "csv"]).ok().stdout;
        assert!(csv.lines().next().unwrap().ends_with(",username"), "{csv}");
        assert_eq!(csv.matches(",anna\r\n").count(), 2);
        let key = w.run(&["list", "--user", "2", "--show-keys", "--format", "csv"]).ok().stdout;
        let key = &key.lines().nth(1).unwrap()[..12];
        assert!(w.run(&["show", key]).ok().stdout.contains("\nusername    bert\n"));
        assert!(!w.run(&["show", key, "--no-names"]).ok().stdout.contains("bert"));

        let stats = w.run(&["stats", "--format", "json"]).ok().json();
        let first = &stats["top_users"][0];
        assert_eq!((&first["user_id"], &first["username"]), (&json!("1"), &json!("anna")));
        assert!(w.run(&["stats"]).ok().stdout.contains("2  1 (anna)\n"));
        assert!(!w.run(&["stats", "--no-names"]).ok().stdout.contains("anna"));
    });
}

#[test]
fn a_list_takes_what_logout_user_takes() {
    World::each("names_selectors", |w| {
        with_users(w);
        for (options, users) in [
            (&["--username", "anna"][..], &["1", "1"][..]),
            (&["--username", "anna", "--email", "c@x", "--user", "2"], &["1", "1", "2", "3"]),
            (&["--staff"], &["1", "1", "2"]),
            (&["--staff", "--superusers"], &["1", "1"]),
            (&["--deactivated"], &["3"]),
            (&["--staff", "--deactivated"], &[]),
            (&["--deleted-users"], &["99"]),
        ] {
            let ids: Vec<Value> = listed(w, options).into_iter().map(|(id, _)| id).collect();
            assert_eq!(json!(ids), json!(users), "{options:?}");
        }
        for wrong in [&["--username", "nobody"][..], &["--email", "x@y"], &["--username", ""]] {
            let told = w.run(&[&["list"], wrong].concat()).exits(2);
            assert!(!told.stderr.contains("logged out") && told.stdout.is_empty(), "{told:#?}");
        }
        w.run(&["list", "--user", "1", "--staff"]).refuses(2, &["not clear whether"]);
        w.run(&["list", "--user-table", "nosuch"]).exits(2).says("no table of users");
        w.run(&["list", "--username", "ANNA"]).refuses(2, &["in another letter case", "\"1\""]);
    });
}

#[test]
fn stats_and_show_take_what_a_list_takes() {
    World::each("names_everywhere", |w| {
        with_users(w);
        let ids = w.file("ids", "1\n3\n");
        for (options, users, sessions) in [
            (&[][..], 4, 6),
            (&["--username", "anna"], 1, 2),
            (&["--email", "c@x", "--user", "2"], 2, 2),
            (&["--from-file", &ids], 2, 3),
            (&["--staff"], 2, 3),
            (&["--staff", "--deactivated"], 0, 0),
            (&["--deleted-users"], 1, 1),
            (&["--anonymous"], 0, 1),
            (&["--logged-in", "--username", "anna"], 1, 2),
            (&["--match", "_auth_user_id=1"], 1, 2),
            (&["--larger-than", "1MB"], 0, 0),
        ] {
            let stats = w.run(&[&["stats", "--format", "json"], options].concat()).ok().json();
            assert_eq!(
                (&stats["users"], &stats["rows"]),
                (&json!(users), &json!(sessions)),
                "{options:?}"
            );
            let counted = w.run(&[&["list", "--format", "count"], options].concat()).ok().stdout;
            assert_eq!(counted.trim(), sessions.to_string(), "{options:?}");
        }
        let anna = w.run(&["show", "--username", "anna"]).ok().stdout;
        assert_eq!(anna.matches("username    anna\n").count(), 2, "{anna}");
        assert_eq!(anna.matches("\"_auth_user_id\": \"1\"").count(), 2, "{anna}");
        w.run(&["show", "--username", "nobody"]).exits(2);
        w.run(&["show", "987654"]).exits(2);
        w.run(&["show", "--user", "987654"]).ok().says("No live session.");
        let more = w.run(&["show", "--staff", "--limit", "1"]).ok();
        more.says("... and 2 more: --limit N shows as many, --format json all");
        let staff = w.run(&["show", "--staff", "--format", "json"]).ok().json();
        let names: BTreeSet<&str> =
            staff.as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap()).collect();
        assert_eq!(names, BTreeSet::from(["anna", "bert"]));
        assert_eq!(
            w.run(&["show", "--deactivated", "--no-names"]).ok().stdout.matches("carl").count(),
            0
        );
        w.run(&["show"]).exits(2).says("KEY-PREFIX");
        w.run(&["show", "00000000", "--user", "1"]).refuses(2, &["leave out one"]);
        for command in ["stats", "show"] {
            w.run(&[command, "--username", "nobody"]).exits(2);
            w.run(&[command, "--user", "1", "--staff"]).refuses(2, &["not clear whether"]);
            w.run(&[command, "--from-file", &w.file("none", "\n")])
                .refuses(2, &["no user id given"]);
        }
        // What may be theirs and cannot be read is a doubt, as in a list.
        w.row("garbage0abcdefghijklmnopqrstuvwx", "no session of Django's", "2099-01-01 00:00:00");
        for command in [&["list"][..], &["stats"], &["show"]] {
            w.run_without_key(&[command, &["--username", "anna"]].concat())
                .exits(3)
                .says("1 row could not be read and may be anybody's session");
        }
        w.run(&["stats"]).ok();
    });
}

#[test]
fn a_logout_says_whom_by_name() {
    World::each("names_logout", |w| {
        with_users(w);
        w.execute("INSERT INTO auth_user VALUES (4, 'x (1): 0 sessions \"deleted', 'd@x', true, false, false)");
        w.execute("INSERT INTO auth_user VALUES (5, 'eve', 'e@x', true, false, false)");
        w.user("4", 1);
        let dry = w.run(&["logout-user", "1", "-n"]).ok();
        let dry = dry.says("Dry run: 2 live sessions of anna (1) would be deleted");
        let lines: Vec<_> = dry.stdout.lines().filter(|line| line.contains("  1  ")).collect();
        assert!(lines.len() == 2 && lines.iter().all(|line| line.contains(" anna ")), "{dry:#?}");
        let some = w.run(&["logout-user", "1", "5", "77", "-n"]).ok();
        some.says("of 3 users would").says(
            "No live session was found of 2 of 3 users: eve (5), \"77\"; 1 of these do not exist: \"77\".",
        );
        w.run(&["logout-user", "--username", "anna"])
            .ok()
            .says("Logged out anna (1): 2 sessions deleted, none is left");
        // What reads like a part of the sentence is quoted.
        let quoted = "Logged out \"x (1): 0 sessions \\u{22}deleted\" (4): 1 session deleted";
        w.run(&["logout-user", "4"]).ok().says(quoted);
        // Who is in no table has no name.
        w.run(&["logout-user", "99"]).ok().says("Logged out user 99: 1 session deleted");
    });
}

#[test]
fn a_list_goes_without_names_that_cannot_be_read() {
    World::each("names_none", |w| {
        w.user("1", 1);
        assert_eq!(listed(w, &[]), [(json!("1"), json!(null))]);
        assert!(!w.run(&["list"]).ok().stdout.contains("USERNAME"));
        // A key that holds none of these ids, and a table without names.
        w.execute("CREATE TABLE auth_user (id integer PRIMARY KEY, email varchar(254), password varchar(9))");
        w.session(&login("ce6db715-bb98-4199-8cff-7a7d3eff1a4f"));
        assert!(listed(w, &[]).iter().all(|(_, name)| name.is_null()));
    });
}

#[test]
fn a_table_keeps_its_columns_with_long_ids_and_names() {
    World::each("names_columns", |w| {
        w.execute(
            "CREATE TABLE auth_user (id varchar(40) PRIMARY KEY, username varchar(254) UNIQUE)",
        );
        for id in ["ce6db715-bb98-4199-8cff-7a7d3eff1a4f", "0c6db715-bb98-4199-8cff-7a7d3eff1a4f"] {
            let name = format!("somebody.with.a.long.name.{}@example.org", &id[..2]);
            w.execute(&format!("INSERT INTO auth_user VALUES ('{id}', '{name}')"));
            w.user(id, 1);
        }
        w.execute("INSERT INTO auth_user VALUES ('3', '\x1b[31mred')");
        w.user("3", 1);
        let table = w.run(&["list"]).ok().stdout;
        let heads: Vec<_> =
            ["USERNAME", "LAST SAVED", "EXPIRES"].map(|name| table.find(name)).into();
        for line in table.lines() {
            let begins = |at: &Option<usize>| line[at.unwrap()..].starts_with(|c: char| c != ' ');
            let ends = |at: &Option<usize>| line[..at.unwrap()].ends_with("  ");
            assert!(heads.iter().all(|at| begins(at) && ends(at)), "{table}");
        }
        assert!(table.contains("\\u{1b}[31mred") && !table.contains('\x1b'), "{table}");
    });
}

#[test]
fn names_of_a_real_site() {
    Site::each("names", "5.2", &[], |site| {
        let ids = site.login(&["anna", "bert"]);
        let all = site.run(&["list", "--format", "csv"]).ok().stdout;
        assert!(all.contains(",anna\r\n") && all.contains(",bert\r\n"), "{all}");
        let bert = site.run(&["list", "--username", "bert", "--format", "ids"]).ok().stdout;
        assert_eq!(bert.trim(), ids[1].0);
    });
}

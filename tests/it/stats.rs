use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::huge_rows::measured;
use crate::list_order::saved_at;
use crate::world::{RunToEnd, SECRET_KEY, World, login, signed};

const FAR: &str = "2099-01-01 00:00:00";
const JSON: [&str; 3] = ["stats", "--format", "json"];

/// What `list` says of every row, counted.
fn counted(rows: &[Value], field: &str) -> Value {
    let mut counts = BTreeMap::<String, u64>::new();
    for row in rows {
        *counts.entry(row[field].as_str().unwrap_or("none").to_owned()).or_default() += 1;
    }
    json!(counts)
}

/// `stats` agrees with `list`, which is compared with what real Django says of the same rows.
pub(crate) fn agrees(stats: &Value, all: &[Value], live: &[Value]) {
    assert_eq!(stats["rows"], json!(all.len()));
    assert_eq!(
        (&stats["live"], &stats["expired"]),
        (&json!(live.len()), &json!(all.len() - live.len()))
    );
    for (name, field) in
        [("layouts", "layout"), ("serializers", "serializer"), ("signatures", "signature")]
    {
        assert_eq!(stats[name], counted(all, field), "{name}");
    }
    let count = |state: &str| live.iter().filter(|row| row["state"] == state).count();
    let number = |name: &str| usize::try_from(stats[name].as_u64().unwrap()).unwrap();
    assert_eq!(number("logged_in") + number("unverified"), count("user"));
    assert_eq!(number("anonymous"), count("anonymous"));
    assert_eq!(number("unreadable") + number("damaged"), count("unreadable"));
    let believed = |row: &&Value| row["signature"] != "invalid";
    let live: Vec<&Value> = live.iter().filter(believed).collect();
    assert_eq!(number("logged_in"), live.iter().filter(|row| row["state"] == "user").count());
    let logins: Vec<Value> =
        live.iter().filter(|row| row["state"] == "user").map(|row| (*row).clone()).collect();
    let users = counted(&logins, "user_id");
    assert_eq!(stats["users"], json!(users.as_object().unwrap().len()));
    for user in stats["top_users"].as_array().unwrap() {
        assert_eq!(users[user["user_id"].as_str().unwrap()], user["sessions"]);
    }
    let sizes = all.iter().map(|row| row["size"].as_u64().unwrap());
    assert_eq!(stats["size"]["total"], json!(sizes.clone().sum::<u64>()));
    assert_eq!(stats["size"]["largest"], json!(sizes.max()));
}

#[test]
fn who_is_logged_in_and_what_takes_the_space() {
    World::each("stats", |w| {
        w.user("42", 3).user("7", 1);
        w.session(r#"{"cart":[1,2,3]}"#);
        w.row(
            "expired1abcdefghijklmnopqrstuvwx",
            &signed(&login("42"), SECRET_KEY),
            "2020-01-01 00:00:00",
        );
        w.row("forged00abcdefghijklmnopqrstuvwx", &signed(&login("42"), "another key"), FAR);
        w.row("garbage0abcdefghijklmnopqrstuvwx", ".eJgarbage", FAR);
        w.row(
            "big00000abcdefghijklmnopqrstuvwx",
            &signed(&format!(r#"{{"cart":"{}"}}"#, "x".repeat(9_000)), SECRET_KEY),
            FAR,
        );
        let stats = w.run(&JSON).ok().json();
        let all = w.run(&["list", "--all", "--format", "jsonl"]).ok().json_lines();
        let live = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        agrees(&stats, &all, &live);
        assert_eq!(
            stats["top_users"],
            json!([
                {"user_id": "42", "username": null, "sessions": 3},
                {"user_id": "7", "username": null, "sessions": 1}
            ])
        );
        assert_eq!((&stats["unverified"], &stats["damaged"]), (&json!(1), &json!(1)));
        assert_eq!(stats["largest"][0]["session_key"], json!("big00000"));
        assert_eq!(
            stats["keys"][0],
            json!({"key": "cart", "sessions": 8, "bytes": 9_002 + 7 + 6 * 5})
        );
        assert_eq!(stats["saved"], json!([{"day": "2026-11-22", "sessions": 6, "anonymous": 2}]));
        assert_eq!(stats["expires"], json!([{"day": "2099-01-01", "sessions": 8, "anonymous": 2}]));
        let shown = w.run(&["stats", "--top", "1"]).ok().stdout;
        for part in [
            "rows        9: 8 live, 1 expired",
            "live        4 logins of 2 users, 2 anonymous",
            "no pickle is left",
            "\n2099-01-01",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("abcdefghijklmnop"), "a whole session key: {shown}");
    });
}

#[test]
fn hostile_rows_steer_nothing() {
    World::each("stats_hostile", |w| {
        w.session("{\"\\u001b[2J\\u202e\":1,\"_auth_user_id\":\"\\u001b]0;owned\\u0007\",\"_auth_user_backend\":\"\\u009b31m\"}");
        for n in 0..300 {
            w.session(&format!(r#"{{"key{n}":{n}}}"#));
        }
        let shown = w.run(&["stats"]).ok().stdout;
        let steers =
            |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!shown.chars().any(steers), "{shown:?}");
        assert_eq!(w.run(&JSON).ok().json()["keys"].as_array().unwrap().len(), 15);
    });
}

#[test]
fn only_sessions_saved_in_a_time() {
    World::each("stats_saved", |w| {
        // Signed at 2026-11-22T01:57:46Z.
        w.user("42", 3).user("7", 1);
        let pickled = w.next_key();
        // Django 3.0 and earlier did not write when.
        w.row(&pickled, LEGACY, FAR);
        let within = ["--saved-between", "2026-11-22", "2026-11-22T01:57:47Z"];
        let before = ["--saved-between", "2026-11-01", "2026-11-22T02:57:46+01:00"];
        let stats = |when: &[&str]| w.run(&[&JSON[..], when].concat()).ok().json()["rows"].clone();
        assert_eq!(
            (stats(&within), stats(&before), stats(&["--idle", "1s"])),
            (json!(4), json!(0), json!(4))
        );
        let list = |when: &[&str]| {
            let ran = w.run_without_key(&[&["list", "--format", "count"], when].concat()).exits(3);
            ran.says("1 row without a time of saving").stdout
        };
        assert_eq!((&*list(&within), &*list(&before)), ("4\n", "0\n"));
        let out = ["logout-user", "42", "--format", "json"];
        let run =
            |when: &[&str], code| w.run_without_key(&[&out[..], when].concat()).exits(code).json();
        let report = run(&before, 3);
        assert_eq!((&report["matched"], &report["undated"]), (&json!(0), &json!(1)));
        let report = run(&within, 3);
        assert_eq!(
            (&report["deleted"], &report["remaining"], &report["undated"]),
            (&json!(3), &json!(0), &json!(1))
        );
        assert_eq!(w.count(), 2);
        for bad in [["2026-11-22", "2026-11-22"], ["yesterday", "2026-11-22"], ["2026-11-22", ""]] {
            w.run(&["list", "--saved-between", bad[0], bad[1]]).refuses(2, &["--saved-between"]);
        }
    });
}

/// `{"_auth_user_id": "42"}` as Django 1.8 stores it, signed with some key.
const LEGACY: &str =
    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTp7Il9hdXRoX3VzZXJfaWQiOiAiNDIifQ==";

fn people(w: &World) {
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(15000) UNIQUE, is_staff boolean);
         INSERT INTO auth_user VALUES (1, 'anna', true), (2, 'bert', true), (3, 'carl', false), (4, 'dora', true)",
    );
    w.user("1", 2).user("2", 1).user("3", 3);
    w.session(r#"{"_auth_user_id":"3","hijack_history":["1"]}"#);
    for day in 0..3 {
        for _ in 0..=day * 3 {
            w.row(&w.next_key(), &saved_at("{}", 1_795_400_000 + day * 86_400), FAR);
        }
    }
    w.row(&w.next_key(), &signed(&login("2"), SECRET_KEY), "9999-12-31 00:00:00");
}

#[test]
fn a_flood_staff_and_impersonations_are_seen_at_once() {
    World::each("stats_people", |w| {
        people(w);
        let stats = w.run(&JSON).ok().json();
        let user = |id: &str, name: &str, sessions: u32| json!({"user_id": id, "username": name, "sessions": sessions});
        assert_eq!(
            stats["staff"],
            json!({"users": 2, "sessions": 4, "top": [user("1", "anna", 2), user("2", "bert", 2)], "exact": true})
        );
        assert_eq!(stats["impersonators"], json!([user("1", "anna", 1)]));
        assert_eq!((&stats["impersonated"], &stats["never_expire"]), (&json!(1), &json!(1)));
        let days = stats["saved"].as_array().unwrap();
        let of_day: Vec<_> =
            days.iter().map(|day| (&day["day"], &day["sessions"], &day["anonymous"])).collect();
        assert_eq!(of_day[1], (&json!("2026-11-23"), &json!(1), &json!(1)));
        assert_eq!(of_day[3], (&json!("2026-11-25"), &json!(7), &json!(7)));
        assert_eq!(days[0]["anonymous"], 0);
        let steps = stats["size"]["steps"].as_array().unwrap();
        assert_eq!(steps.iter().map(|step| step["rows"].as_u64().unwrap()).sum::<u64>(), 20);
        for exact in ["keys_exact", "backends_exact", "impersonators_exact", "top_users_exact"] {
            assert_eq!(stats[exact], true);
        }
        let words = w.run(&["stats"]).ok().stdout;
        for part in [
            "STAFF, 4 sessions of 2 users\n         2  1 (anna)\n",
            "WHO IMPERSONATES OTHERS\n         1  1 (anna)\n",
            "  100% anonymous\n",
            " 1 never expire\n",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        let unnamed = w.run(&["stats", "--no-names", "--format", "json"]).ok().json();
        assert_eq!(
            (&unnamed["staff"], &unnamed["impersonators"][0]["username"]),
            (&json!(null), &json!(null))
        );
        // Of anna's sessions those too in which she is behind somebody.
        let anna = w.run(&["stats", "--username", "anna", "--format", "json"]).ok().json();
        assert_eq!((&anna["live"], &anna["impersonated"]), (&json!(3), &json!(1)));
        w.execute("DROP TABLE auth_user");
        assert_eq!(w.run(&JSON).ok().json()["staff"], json!(null));
    });
}

#[test]
fn a_report_is_drawn_into_a_new_file_that_others_cannot_read() {
    use std::os::unix::fs::PermissionsExt;
    World::each("stats_svg", |w| {
        people(w);
        let hostile = "</text><script>alert(1)</script>&\u{1b}[2J\u{202e}";
        w.execute(&format!("UPDATE auth_user SET username = '{hostile}' WHERE id = 1"));
        w.session(r#"{"</style><script src=\"http://evil\">":1,"x":2}"#);
        w.session(&format!(r#"{{"{}":1}}"#, "k".repeat(10_000)));
        let folder = w.file("there.svg", "the report of another incident");
        let folder = std::path::Path::new(&folder).parent().unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        for name in ["incident.svg", "incident.html"] {
            let shown = w.run(&["stats", "--svg", &path(name)]).ok().stdout;
            assert_eq!(shown, w.run(&["stats"]).ok().stdout);
            let drawn = std::fs::read_to_string(folder.join(name)).unwrap();
            assert!(
                drawn.contains("Live sessions by the day") && drawn.contains("&lt;script&gt;alert"),
                "{drawn}"
            );
            let is_tame = |c: char| !c.is_control() || c == '\n';
            assert!(
                !drawn.contains("<script")
                    && drawn.chars().all(is_tame)
                    && !drawn.contains('\u{202e}')
            );
            // It loads nothing, and names no whole key of a session.
            let links: Vec<_> = drawn.matches("http").collect();
            assert_eq!(links.len(), usize::from(name.ends_with("html")) + 2, "{drawn}");
            assert!(!drawn.contains("abcdefghijklmnop") && drawn.len() < 100_000);
            let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            w.run(&["stats", "--svg", &path(name)]).refuses(2, &["already", "none is overwritten"]);
            let parse = "import sys; from xml.dom.minidom import parse; print(parse(sys.argv[1]).documentElement.tagName)";
            if name.ends_with("svg") {
                let mut python = std::process::Command::new(crate::support::django_python("5.2"));
                assert_eq!(python.args(["-c", parse, &path(name)]).ran("").ok().stdout, "svg\n");
            }
        }
        std::os::unix::fs::symlink(path("nowhere"), path("link.svg")).unwrap();
        for (name, said) in [
            ("there.svg", "already"),
            ("link.svg", "already"),
            ("picture.png", ".svg"),
            ("picture", ".svg"),
            ("no/such/folder.svg", "folder"),
        ] {
            let code = if name.starts_with("no/") { 1 } else { 2 };
            let ran = w.run(&["stats", "--svg", &path(name)]).exits(code).says(said);
            assert!(ran.stdout.is_empty(), "{ran:#?}");
        }
        assert_eq!(
            std::fs::read_to_string(folder.join("there.svg")).unwrap(),
            "the report of another incident"
        );
        assert!(!folder.join("nowhere").exists());
    });
}

#[test]
fn a_table_of_garbage_is_counted_and_drawn() {
    let w = World::sqlite("stats_garbage");
    w.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO django_session SELECT hex(randomblob(16)), hex(randomblob(20 + i % 50)),
             datetime(1800000000 + i % 80000 * 86400, 'unixepoch') FROM n",
    );
    let file = std::path::PathBuf::from(w.file("x", "")).with_file_name("garbage.svg");
    let (ran, memory) = measured(&w.command(&["stats", "--svg", &file.display().to_string()]));
    assert!(ran.code == 0 && memory < 60, "{memory} MB: {ran:?}");
    assert!(std::fs::metadata(&file).unwrap().len() < 100_000);
    let stats = w.run(&JSON).ok().json();
    assert_eq!(
        (&stats["rows"], stats["expires"].as_array().unwrap().len() <= 3_653),
        (&json!(100_000), true)
    );
}

/// SQLite and MySQL hold a UUID without the hyphens that it has in sessions.
#[test]
fn staff_with_uuids_are_logged_in_too() {
    const ID: &str = "ce6db715-bb98-4199-8cff-7a7d3eff1a4f";
    World::each("stats_staff_uuid", |w| {
        w.user(ID, 2);
        let (kind, stored) = if w.is_sqlite() || w.is_mysql() {
            ("char(32)", ID.replace('-', ""))
        } else {
            ("uuid", ID.to_owned())
        };
        w.execute(&format!(
            "CREATE TABLE auth_user (id {kind} PRIMARY KEY, username varchar(150) UNIQUE, is_staff boolean);
             INSERT INTO auth_user VALUES ('{stored}', 'anna', true)"
        ));
        let staff = &w.run(&JSON).ok().json()["staff"];
        assert_eq!(
            staff,
            &json!({"users": 1, "sessions": 2, "top": [{"user_id": ID, "username": "anna", "sessions": 2}], "exact": true})
        );
    });
}

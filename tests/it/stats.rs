use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::{SECRET_KEY, World, login, signed};

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
        assert_eq!(stats["saved"], json!([{"day": "2026-11-22", "sessions": 6}]));
        assert_eq!(stats["expires"], json!([{"day": "2099-01-01", "sessions": 8}]));
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

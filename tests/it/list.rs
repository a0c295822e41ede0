use serde_json::json;

use crate::world::{RunToEnd, SECRET_KEY, World, login, program, signed};

const FAR: &str = "2099-01-01 00:00:00";

fn mixed(w: &World) {
    w.user("42", 2).user("7", 1);
    w.session(r#"{"cart":[1]}"#);
    w.row(
        "expired1abcdefghijklmnopqrstuvwx",
        &signed(&login("42"), SECRET_KEY),
        "2020-01-01 00:00:00",
    );
    w.row("forged00abcdefghijklmnopqrstuvwx", &signed(&login("42"), "another key"), FAR);
    w.row("garbage0abcdefghijklmnopqrstuvwx", ".eJgarbage", FAR);
}

#[test]
fn jsonl_has_all_promised_fields() {
    World::each("list_jsonl", |w| {
        let key = w.session(&login("42"));
        let ran = w.run(&["list", "--format", "jsonl"]).ok();
        assert_eq!(
            ran.json(),
            json!({"session_key": &key[..8], "username": null, "expires": "2099-01-01T00:00:00Z", "size": 185, "state": "user",
                   "user_id": "42", "backend": "django.contrib.auth.backends.ModelBackend",
                   "behind": [], "behind_unclear": false, "signature": "valid", "key": 1,
                   "saved": "2026-11-22T01:57:46Z", "layout": "signed", "serializer": "json", "compressed": false,
                   "error": null, "payload": {"cart": [1, 2], "_auth_user_id": "42",
                                              "_auth_user_backend": "django.contrib.auth.backends.ModelBackend"}})
        );
        let ran = w.run(&["list", "--format", "jsonl", "--show-keys"]).ok();
        assert_eq!(ran.json()["session_key"], json!(key));
    });
}

#[test]
fn a_user_has_the_sessions_that_django_believes() {
    World::each("list_user", |w| {
        mixed(w);
        let count = |args: &[&str]| w.run(args).ok().stdout;
        assert_eq!(count(&["list", "--format", "count"]), "6\n");
        assert_eq!(count(&["list", "--format", "count", "--all"]), "7\n");
        assert_eq!(count(&["list", "--format", "count", "--user", "42"]), "3\n");
        assert_eq!(
            count(&["list", "--format", "count", "--user", "42", "--user", "7", "--all"]),
            "5\n"
        );
        w.run(&["list", "--user", "42", "--format", "count"])
            .says("no key verifies 1 session of these");
        w.run_without_key(&["list", "--user", "42"])
            .exits(3)
            .says("1 row could not be read and may be anybody's");
    });
}

#[test]
fn nothing_listed_is_not_nobody_logged_in() {
    World::each("list_unfit", |w| {
        w.user("42", 1);
        w.run(&["list", "--user", "anna"]).exits(3).says("cannot be the id of a user");
        w.run(&["list", "--user", "43"]).ok();
    });
}

#[test]
fn ids_are_what_logout_user_reads() {
    World::each("list_ids", |w| {
        w.user("42", 2).user("7", 1);
        w.session("{}");
        let ids = w.run(&["list", "--format", "ids"]).ok().stdout;
        let mut sorted: Vec<_> = ids.lines().collect();
        sorted.sort_unstable();
        assert_eq!(sorted, ["42", "42", "7"]);
        w.command(&["logout-user", "--from-file", "-"]).env("SECRET_KEY", SECRET_KEY).ran(ids).ok();
        assert_eq!(w.count(), 1);
    });
}

#[test]
fn every_format_is_whole_and_masks_keys() {
    World::each("list_formats", |w| {
        mixed(w);
        for format in ["table", "json", "jsonl", "csv", "ids", "count"] {
            let ran = w.run(&["list", "--format", format, "--all"]).ok();
            assert!(!ran.stdout.contains("abcdefghijklmnop"), "{format} shows a key");
            match format {
                "json" => assert_eq!(ran.json().as_array().unwrap().len(), 7),
                "jsonl" => assert_eq!(ran.json_lines().len(), 7),
                "csv" | "table" => assert_eq!(ran.stdout.lines().count(), 8),
                _ => {}
            }
        }
        assert_eq!(w.run(&["list", "--format", "json", "--limit", "0"]).ok().json(), json!([]));
        assert_eq!(
            w.run(&["list", "--format", "jsonl", "--limit", "2"]).ok().json_lines().len(),
            2
        );
    });
}

#[test]
fn sessions_that_inflate_to_much_are_listed_in_their_order() {
    World::each("list_large", |w| {
        let payload = |n: usize| format!(r#"{{"n":{n},"x":"{}"}}"#, "y".repeat(400_000));
        let keys: Vec<String> = (0..8).map(|n| w.session(&payload(n))).collect();
        let lines = w.run(&["list", "--format", "jsonl", "--show-keys"]).ok().json_lines();
        let listed: Vec<_> =
            lines.iter().map(|line| line["session_key"].as_str().unwrap()).collect();
        assert_eq!(listed, keys);
        assert!(lines.iter().enumerate().all(|(n, line)| line["payload"]["n"] == json!(n)));
    });
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let w = World::sqlite("list_pipe");
    for _ in 0..3 {
        w.session(&format!(r#"{{"x":"{}"}}"#, "y".repeat(300_000)));
    }
    let mut child = w
        .command(&["list", "--format", "jsonl"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).contains("error")),
        (Some(0), false)
    );
}

#[test]
fn nothing_that_a_session_holds_steers_the_terminal() {
    World::each("list_hostile", |w| {
        w.session(r#"{"_auth_user_id":"\u001b[2J\u202e\n","x":"\u009b31m\u001b]0;t\u0007"}"#);
        w.row("k\u{1b}[31mabcdefghijklmnopqrstu", &signed("{}", SECRET_KEY), FAR);
        for args in [
            &["list"][..],
            &["list", "--format", "jsonl"],
            &["list", "--format", "csv"],
            &["show", "00000000"],
        ] {
            let ran = w.run(args).ok();
            let steers = |c: char| c.is_control() && c != '\n' && c != '\r';
            assert!(!ran.stdout.contains(steers) && !ran.stdout.contains('\u{202e}'), "{ran:#?}");
        }
    });
}

#[test]
fn nothing_that_a_session_holds_is_run_by_a_spreadsheet() {
    World::each("list_formulas", |w| {
        for id in ["=cmd|' /C calc'!A0", "+1", "-1", "-1+1", "@SUM(A1)", "\\t=1", "\\r=1"] {
            w.session(&format!(r#"{{"_auth_user_id":"{id}","_auth_user_backend":"=1,2"}}"#));
        }
        let csv = w.run(&["list", "--format", "csv"]).ok().stdout;
        let cells: Vec<_> =
            csv.lines().skip(1).map(|line| line.split(',').nth(2).unwrap()).collect();
        let wanted =
            ["'=cmd|' /C calc'!A0", "'+1", "-1", "'-1+1", "'@SUM(A1)", "\\u{9}=1", "\\u{d}=1"];
        assert_eq!(cells, wanted);
        assert_eq!(csv.matches(",\"'=1,2\",").count(), 7, "{csv}");
        // As they are.
        let lines = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        assert_eq!(lines[4]["user_id"], "@SUM(A1)");
    });
}

#[test]
fn show_finds_one_session_by_the_beginning_of_its_key() {
    World::each("show", |w| {
        mixed(w);
        let ran = w.run(&["show", "00000001"]).ok();
        let ran = ran
            .says("user        42")
            .says("signature   valid")
            .says("last saved  2026-11-22T01:57:46Z");
        assert!(
            ran.stdout.contains("\"_auth_user_id\": \"42\"")
                && !ran.stdout.contains("abcdefghijklm")
        );
        w.run(&["show", "expired1"]).ok().says("2020-01-01T00:00:00Z");
        w.run(&["show", "garbage0"]).ok().says("broken base64");
        assert_eq!(
            w.run(&["show", "forged00", "--format", "json"]).ok().json()["signature"],
            json!("invalid")
        );
        w.run(&["show", "0000000"]).exits(2).says("at least 8");
        w.run(&["show", "00000009"]).exits(1).says("no session key begins");
        w.run(&["show", "GARBAGE0"]).exits(1);
        w.run(&["show", "garbage%"]).exits(1);
        w.run(&["show", "' OR 1=1 --"]).exits(1);
        w.row("samebegin1abcdefghijklmnopqrstuv", &signed(&login("8"), SECRET_KEY), FAR);
        w.row("samebegin2abcdefghijklmnopqrstuv", &signed(&login("9"), SECRET_KEY), FAR);
        w.run(&["show", "samebegi"]).exits(1).says("more than one session key begins");
        w.run(&["show", "samebegin2"]).ok().says("user        9");
        let whole = w.session_keys().remove(0);
        w.run(&["show", &whole]).exits(2).says("whole session key");
        let mut command = w.command(&["show", "-"]);
        command.env("SECRET_KEY", SECRET_KEY).ran(format!("{whole}\n")).ok().says("user        42");
    });
}

#[test]
fn decode_takes_lines_or_nul_and_needs_no_database() {
    let value = signed(&login("42"), SECRET_KEY);
    let run = |args: &[&str], input: &str| {
        program(args).env("SECRET_KEY", SECRET_KEY).ran(input).ok().json_lines()
    };
    let lines = run(&["decode"], &format!("{value}\r\n\ngarbage\n{value}"));
    let states: Vec<_> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["user", "unreadable", "unreadable", "user"]);
    let first = &lines[0];
    assert_eq!(
        (&first["user_id"], &first["signature"], &first["layout"]),
        (&json!("42"), &json!("valid"), &json!("signed"))
    );
    assert_eq!((&lines[2]["signature"], &lines[2]["payload"]), (&json!("invalid"), &json!(null)));
    let wrapped = "ZmM4ZTg5YzhlYzhmODVhNmJiYmZkZjYzN2UzNGE4NGQ0ZjZkOWJkZDqAAn1xAVUNX2F1dGhfdXNl\ncl9pZEsqcy4=\n";
    let values = run(&["decode", "-0"], &format!("{wrapped}\0\0{value}\0"));
    assert_eq!(values.len(), 3);
    assert_eq!(
        (&values[0]["layout"], &values[0]["serializer"]),
        (&json!("legacy"), &json!("pickle"))
    );
    assert_eq!(values[0]["user_id"], json!("42"));
}

#[test]
fn decode_survives_a_value_without_end() {
    let mut input = vec![b'e'; 40 << 20];
    input.extend(b"\ne30:1r31eq:x\n");
    let lines = program(&["decode"]).ran(input).ok().json_lines();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["error"], json!("too large to read"));
}

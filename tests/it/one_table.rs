//! Every command over one table that has a row of every kind: their counts are held against each other.

use serde_json::{Value, json};

use crate::world::{SECRET_KEY, World, login, signed};

const FAR: &str = "2099-01-01 00:00:00";

/// Two rows of each kind, and one more login.
fn every_kind(w: &World) {
    w.user("42", 2).user("7", 1);
    for number in ["1", "2"] {
        let row = |kind: &str, data: &str, expires: &str| {
            w.row(&format!("{kind:x<8}{number}abcdefghijklmnopqrstuvw"), data, expires);
        };
        row("cart", &signed(r#"{"cart":[1]}"#, SECRET_KEY), FAR);
        row("othercart", &signed(r#"{"cart":[1]}"#, "another key"), FAR);
        row("otherkey", &signed(&login("42"), "another key"), FAR);
        row("msgpack", &signed("\u{93}msgpack", SECRET_KEY), FAR);
        row("damaged", ".eJgarbage", FAR);
        row("expired", &signed(&login("42"), SECRET_KEY), "2001-01-01 00:00:00");
        let hijacked = r#"{"_auth_user_id":"8","_auth_user_backend":"b","hijack_history":["42"]}"#;
        row("hijacked", &signed(hijacked, SECRET_KEY), FAR);
    }
}

fn tally(w: &World, command: &[&str], code: i32) -> Value {
    let arguments = [command, &["--format", "json"]].concat();
    w.run(&arguments).exits(code).json()["tally"].clone()
}

fn number(tally: &Value, name: &str) -> u64 {
    tally[name].as_u64().unwrap()
}

#[test]
fn all_commands_count_alike() {
    World::each("one_table", |w| {
        every_kind(w);
        let all = tally(w, &["stats"], 0);
        assert_eq!(
            all,
            json!({"scanned": 17, "expired": 2, "logins": 5, "anonymous": 4, "unverified": 2,
                   "unreadable": 2, "damaged": 2})
        );
        assert_eq!(tally(w, &["flush-all", "-n"], 0), all);
        assert_eq!(tally(w, &["flush-all", "-n", "--authenticated-only"], 3), all);
        // These look at live rows only, and logout-user checks no signature of others.
        let live = json!({"scanned": 15, "expired": 0, "logins": 5, "anonymous": 4, "unverified": 2,
                          "unreadable": 2, "damaged": 2});
        assert_eq!(tally(w, &["backfill", "-n"], 0), live);
        assert_eq!(tally(w, &["logout-user", "42", "-n"], 3), live);
        let of_7 = tally(w, &["logout-user", "7", "-n"], 3);
        assert_eq!(number(&of_7, "logins"), number(&all, "logins") + number(&all, "unverified"));
    });
}

#[test]
fn what_is_listed_is_what_is_counted_and_what_is_deleted() {
    World::each("one_table_42", |w| {
        every_kind(w);
        let all = tally(w, &["stats"], 0);
        let rows = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        let count = |state: &str, signature: &str| {
            let is = |row: &&Value| row["state"] == state && row["signature"] == signature;
            u64::try_from(rows.iter().filter(is).count()).unwrap()
        };
        assert_eq!(count("user", "valid"), number(&all, "logins"));
        assert_eq!(count("user", "invalid"), number(&all, "unverified"));
        assert_eq!(count("unreadable", "valid"), number(&all, "unreadable"));
        assert_eq!(count("unreadable", "invalid"), number(&all, "damaged"));
        // The same sessions, by the same rules, for the one who lists and the one who deletes.
        let listed = w.run(&["list", "--user", "42", "--format", "count"]).exits(3);
        assert_eq!(listed.stdout, "6\n");
        let dry = w.run(&["logout-user", "42", "-n", "--format", "json"]).exits(3).json();
        let wanted = [("matched", 6), ("unverified", 2), ("impersonated", 2), ("unreadable", 2)];
        for (name, rows) in wanted {
            assert_eq!(dry[name], json!(rows), "{name}");
        }
        for (window, code) in [(["--idle", "0s"], 3), (["--idle", "99999d"], 0)] {
            let list = [&["list", "--user", "42", "--format", "count"], &window[..]].concat();
            let logout = [&["logout-user", "42", "-n", "--format", "json"], &window[..]].concat();
            let (listed, dry) = (w.run(&list).exits(code), w.run(&logout).exits(code).json());
            assert_eq!(listed.stdout, format!("{}\n", dry["matched"]), "{window:?}");
        }
        let done = w.run(&["logout-user", "42", "--format", "json"]).exits(3).json();
        assert_eq!((&done["deleted"], &done["remaining"]), (&json!(6), &json!(0)));
        assert_eq!(number(&done["tally"], "logins"), 1);
        // What cannot be read may be theirs still.
        assert_eq!(done["verdict"], "unknown");
    });
}

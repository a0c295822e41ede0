//! Who is named: ids as they are, selectors that are blank, ids that are none.

use serde_json::json;

use crate::world::{RunToEnd, SECRET_KEY, World, login};

/// Users whose ids are texts, and one who would like to be taken for another.
fn impostors(w: &World) {
    for id in ["admin", " admin", "admin ", "\u{a0}admin", "admin\u{a0}", "\u{200b}admin"] {
        w.user(id, 1);
    }
}

#[test]
fn ids_are_taken_as_they_are() {
    World::each("ids_as_they_are", |w| {
        impostors(w);
        for id in [" admin", "admin\u{a0}", "\u{200b}admin"] {
            let report = w.run(&["logout-user", id, "--format", "json"]).ok().json();
            assert_eq!((&report["users"], &report["deleted"]), (&json!([id]), &json!(1)));
        }
        let left = ["admin", "admin ", "\u{a0}admin"];
        assert_eq!(ids(w), left);
        let file = w.file("ids", "\u{feff}admin \r\n\n\u{a0}admin");
        w.run(&["logout-user", "--from-file", &file]).ok().says("2 sessions deleted");
        assert_eq!(ids(w), ["admin"]);
        w.run(&["flush-all", "--yes", "--except-user", "admin"]).ok();
        assert_eq!(ids(w), ["admin"]);
    });
}

/// The ids that are logged in, sorted.
fn ids(w: &World) -> Vec<String> {
    let rows = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
    let mut ids: Vec<_> =
        rows.iter().map(|row| row["user_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn what_list_prints_is_what_logout_user_reads() {
    World::each("ids_round_trip", |w| {
        impostors(w);
        w.user("Zoë \u{202e}\u{2028}'\\\\\\\"", 1);
        let printed = w.run(&["list", "--format", "ids"]).ok().stdout;
        w.user("root", 1);
        w.command(&["logout-user", "--from-file", "-"])
            .env("SECRET_KEY", SECRET_KEY)
            .ran(printed)
            .ok();
        assert_eq!(ids(w), ["root"]);
        for id in ["", "ro\\not", "root\\r", "\u{feff}root", "\\u001b[2Jroot"] {
            w.session(&login(id));
        }
        let ran = w.run(&["list", "--format", "ids"]).exits(3);
        assert_eq!(ran.stdout, "root\n");
        ran.says("5 sessions with a user id that no line can hold");
    });
}

#[test]
fn a_file_that_is_not_utf_8_is_refused() {
    World::each("ids_latin_1", |w| {
        w.user("42", 1);
        let file = w.file("ids", b"42\nJos\xe9\n");
        w.run(&["logout-user", "--from-file", &file])
            .exits(2)
            .says("line 2 of")
            .says("is not UTF-8");
        let utf_16: Vec<u8> = "\u{feff}42\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let file = w.file("ids", utf_16);
        w.run(&["logout-user", "--from-file", &file]).exits(2).says("is not UTF-8");
        assert_eq!(w.count(), 1);
    });
}

#[test]
fn a_blank_selector_matches_nobody() {
    World::each("blank_selectors", |w| {
        let boolean = if w.is_sqlite() { "bool" } else { "boolean" };
        w.execute(&format!(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150), email varchar(254),
             is_active {boolean}, is_staff {boolean}, is_superuser {boolean});
             INSERT INTO auth_user (id, username, email) VALUES (1, '', ''), (2, ' ', ' ')"
        ));
        w.user("1", 1).user("2", 1).session("{}");
        let commands: [&[&str]; 12] = [
            &["logout-user", "--email", ""],
            &["logout-user", "--email", " "],
            &["logout-user", "1", "--email", ""],
            &["logout-user", "--username", ""],
            &["logout-user", "--username", "\u{a0}\t"],
            &["logout-user", "1", ""],
            &["logout-user", " "],
            &["logout-user", "--staff", "--user-table", ""],
            &["logout-user", "1", "--except", "          "],
            &["flush-all", "--yes", "--except-user", ""],
            &["flush-all", "--yes", "--except-user", " "],
            &["list", "--user", ""],
        ];
        for command in commands {
            w.run(command).exits(2).says("was given an empty text");
        }
        for option in ["--table", "--schema", "--user-column", "-d"] {
            for blank in ["", " "] {
                w.run(&["logout-user", "1", option, blank]).exits(2).says("given an empty text");
            }
        }
        assert_eq!(w.count(), 3);
    });
}

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
        // By MariaDB's usual collations both names are the same.
        let collation = match (w.is_mysql(), w.is_oracle()) {
            (_, true) => "COLLATE utf8mb4_0900_bin",
            (true, false) => "COLLATE utf8mb4_nopad_bin",
            (false, false) => "",
        };
        w.execute(&format!(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) {collation} UNIQUE, email varchar(254),
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

const UUIDS: [&str; 2] =
    ["56983410-c068-4719-807a-7d6583c339b6", "0fce2a16-9b84-4c29-9d9f-2f2f9d0b0a11"];

/// A table of users with these ids, each with a name of its own.
fn users(w: &World, kind: &str, ids: &[&str]) {
    let kind = if kind == "uuid" && w.is_sqlite() { "char(32)" } else { kind };
    w.execute(&format!("CREATE TABLE auth_user (id {kind} PRIMARY KEY, username text UNIQUE)"));
    for name in ids {
        let id = if w.is_sqlite() { name.replace('-', "") } else { (*name).to_owned() };
        w.execute(&format!("INSERT INTO auth_user VALUES ('{id}', 'name of {name}')"));
    }
}

#[test]
fn an_id_that_no_user_can_have_is_refused() {
    let by_logins = |w: &World, ids: [&str; 2]| {
        w.user(ids[0], 1).user(ids[1], 1);
    };
    let by_table = |w: &World, kind: &str, ids: [&str; 2]| {
        users(w, kind, &ids);
        w.user(ids[0], 1).user(ids[1], 1);
    };
    World::each("unfit_numbers", |w| {
        by_logins(w, ["42", "7"]);
        are_no_numbers(w, "who are logged in are numbers");
        users(w, "integer", &["42", "7"]);
        are_no_numbers(w, "the key \"id\" of table \"auth_user\" holds numbers");
        w.run(&["logout-user", "42", "7"]).ok().says("2 sessions deleted");
    });
    World::each("unfit_uuids", |w| {
        by_table(w, "uuid", UUIDS);
        for unfit in [
            "42",
            "anna",
            "56983410-c068-4719-807a-7d6583c339b",
            "{56983410c0684719807a7d6583c339b6}",
        ] {
            w.run(&["logout-user", UUIDS[0], unfit])
                .exits(2)
                .says("holds UUIDs")
                .says("--username");
        }
        w.execute("DROP TABLE auth_user");
        w.run(&["logout-user", "42"]).exits(2).says("who are logged in are UUIDs");
        assert_eq!(w.count(), 2);
        w.run(&["logout-user", &UUIDS[0].replace('-', "").to_uppercase()]).ok();
        assert_eq!(w.count(), 1);
    });
    World::each("unfit_texts", |w| {
        by_table(w, "varchar(20)", ["anna", "42"]);
        w.run(&["logout-user", "bert", "043"]).ok();
        w.execute("DROP TABLE auth_user");
        // Nothing tells how ids are spelled.
        w.run(&["logout-user", "bert", "043"])
            .exits(3)
            .says("no live session names \"bert\", \"043\"");
        w.run(&["logout-user", "bert", "043", "--unfit-ids"]).ok();
        w.run(&["logout-user", "anna"]).ok().says("1 session deleted");
        // All that is left is a number: so are all ids, for all that can be seen.
        w.run(&["logout-user", "anna"]).exits(2);
        w.run(&["logout-user", "anna", "--unfit-ids"]).ok();
        w.run(&["logout-user", "42"]).ok();
        w.run(&["logout-user", "anna"]).ok();
    });
}

/// Whatever way they are given, and in a dry run too.
fn are_no_numbers(w: &World, why: &str) {
    let before = w.session_keys();
    for unfit in ["anna", " 42", "042", "4.2", "9223372036854775808", "\u{feff}42"] {
        for more in [&[][..], &["--dry-run"], &["--format", "json", "--no-verify"]] {
            let ran = w.run(&[&["logout-user", "42", unfit], more].concat()).exits(2);
            assert!(ran.stdout.is_empty(), "{ran:#?}");
            ran.says(&format!(
                "\"{}\" cannot be the id of a user",
                unfit.replace('\u{feff}', "\\u{feff}")
            ))
            .says(why)
            .says("hint: --username");
        }
    }
    for (lines, named) in [
        ("user_id\n42\n", "\"user_id\" cannot"),
        ("\"42\"\n\"7\"\n", "2 ids cannot be ids of users: \"\"42\"\", \"\"7\"\"; "),
        (
            "a\nb\nc\nd\ne\nf\ng\n42",
            "7 ids cannot be ids of users: \"a\", \"b\", \"c\", \"d\", \"e\" and 2 more",
        ),
        // The wrong file may hold secrets.
        ("42\n\nroot:$6$SECRET\n", "what line 3 of the file holds cannot be the id of a user; "),
        (
            "KEY=SECRET\nanna\n",
            "2 ids cannot be ids of users: what line 1 of the file holds, \"anna\"; ",
        ),
        (&"SECRET".repeat(11), "what line 1 of the file holds cannot be"),
    ] {
        let file = w.file("ids", lines);
        let ran = w.run(&["logout-user", "--from-file", &file]).exits(2).says(named);
        assert!(!ran.stderr.contains("SECRET"), "{ran:#?}");
    }
    w.run(&["flush-all", "--yes", "--except-user", "anna"]).exits(2).says(why);
    assert_eq!(w.session_keys(), before);
}

/// A project with users of its own may have left Django's table behind.
#[test]
fn a_table_of_users_that_no_login_fits_is_not_theirs() {
    World::each("unfit_left_behind", |w| {
        users(w, "integer", &["1"]);
        w.user(UUIDS[0], 1).user(UUIDS[1], 1);
        w.run(&["logout-user", UUIDS[0], "--user-table", "auth_user"]).exits(2);
        w.run(&["logout-user", UUIDS[0], "anna"]).exits(2).says("are UUIDs");
        w.run(&["logout-user", UUIDS[0]]).ok().says("1 session deleted");
    });
}

#[test]
fn who_is_to_be_spared_must_be_somebody() {
    World::each("spared_somebody", |w| {
        w.user("42", 2).user("7", 1).session("{}");
        for more in [&["--yes"][..], &["--dry-run"], &["--yes", "--authenticated-only"]] {
            for nobody in ["8", "anna"] {
                let spared = ["flush-all", "--except-user", "7", "--except-user", nobody];
                let ran = w.run(&[&spared[..], more].concat()).exits(2);
                assert!(ran.stderr.contains(&format!("\"{nobody}\"")), "{ran:#?}");
            }
        }
        assert_eq!(w.count(), 4);
        users(w, "integer", &["7", "8", "42"]);
        let spared = ["flush-all", "--except-user", "7", "--except-user"];
        w.run(&[&spared[..], &["9", "--yes"]].concat())
            .exits(2)
            .says("no table of users that can be read has such a user");
        assert_eq!(w.count(), 4);
        let ran = w.run(&[&spared[..], &["8", "--yes"]].concat()).ok();
        ran.says("note: user 8, who is to be spared, has no live session")
            .says("3 sessions deleted");
        assert_eq!(ids(w), ["7"]);
    });
}

#[test]
fn only_a_session_of_theirs_can_be_excepted() {
    World::each("except_theirs", |w| {
        w.user("42", 2);
        let (of_7, cart) = (w.session(&login("7")), w.session("{}"));
        let but = |key: &str| w.run(&["logout-user", "42", "--except", &key[..8]]);
        but(&of_7).exits(2).says("is of user \"7\", who is not to be logged out");
        but(&cart).exits(2).says("names no user");
        assert_eq!(w.count(), 4);
        let mine = w.session_keys()[0].clone();
        but(&mine).ok().says("1 session deleted, no other is left");
    });
}

/// Of each user who was named: id, username, whether they exist, sessions.
fn told(report: &serde_json::Value) -> Vec<serde_json::Value> {
    let named = report["named"].as_array().unwrap();
    let fields = ["id", "username", "exists", "sessions"];
    named.iter().map(|user| fields.map(|field| user[field].clone()).to_vec().into()).collect()
}

#[test]
fn each_user_who_is_named_is_told() {
    World::each("told_numbers", |w| {
        w.user("42", 3).user("7", 1).user("8", 1);
        let logout = ["logout-user", "43", "42", "7", "--format", "json"];
        for more in [&["--dry-run"][..], &["--no-verify", "--dry-run"], &["--dry-run"]] {
            let report = w.run(&[&logout[..], more].concat()).ok().json();
            assert_eq!(
                told(&report),
                [
                    json!(["43", null, null, 0]),
                    json!(["42", null, null, 3]),
                    json!(["7", null, null, 1])
                ]
            );
        }
        w.run(&["logout-user", "43", "42", "-n"])
            .ok()
            .says("No live session was found of 1 of 2 users: \"43\".\n");
        users(w, "integer", &["42", "44", "9"]);
        let names = ["42", "44", "9"].map(|id| format!("--username=name of {id}"));
        let names = names.each_ref().map(|name| &**name);
        let report = w.run(&[&logout[..], &names].concat()).ok().json();
        assert_eq!(
            told(&report),
            [
                json!(["43", null, false, 0]),
                json!(["42", "name of 42", true, 3]),
                json!(["7", null, false, 1]),
                json!(["44", "name of 44", true, 0]),
                json!(["9", "name of 9", true, 0]),
            ]
        );
        assert_eq!(report["user_table"], "auth_user");
        let report = w.run(&["logout-user", "44", "-n", "--format", "json"]).ok().json();
        assert_eq!(report["user_table"], "auth_user", "that says whether there is such a user");
        assert_eq!(w.count(), 1);
        let ran = w.run(&["logout-user", "43", "45", "46", "47", "48", "49", "44", "8"]).ok();
        ran.says(
            "No live session was found of 7 of 8 users: \"43\", \"45\", \"46\", \"47\", \"48\" and 2 more; \
             6 of these do not exist: \"43\", \"45\", \"46\", \"47\", \"48\" and 1 more.\n",
        );
        w.run(&["logout-user", "44"]).ok().says("No live session was found.\n");
        w.run(&["logout-user", "43"]).ok().says("was found, and there is no such user.\n");
    });
    World::each("told_uuids", |w| {
        let typed = [UUIDS[0].replace('-', ""), UUIDS[1].to_uppercase(), UUIDS[1].to_owned()];
        let logout =
            [&["logout-user", "-n", "--format", "json"], &typed.each_ref().map(|id| &**id)[..]];
        w.user(UUIDS[0], 2);
        let report = w.run(&logout.concat()).ok().json();
        assert_eq!(report["users"], json!(typed[..2]), "one user is one id");
        assert_eq!(
            told(&report),
            [json!([UUIDS[0], null, null, 2]), json!([typed[1], null, null, 0])]
        );
        users(w, "uuid", &UUIDS);
        let report = w.run(&logout.concat()).ok().json();
        assert_eq!(
            told(&report),
            [(UUIDS[0], 2), (UUIDS[1], 0)].map(|(id, sessions)| json!([
                id,
                format!("name of {id}"),
                true,
                sessions
            ]))
        );
    });
}

/// A session that stays is a session all the same.
#[test]
fn a_user_whose_session_stays_is_not_one_without_a_session() {
    World::each("told_stays", |w| {
        w.user("42", 1).user("7", 1);
        let mine = w.session_keys()[0].clone();
        let ran = w.run(&["logout-user", "42", "7", "--except", &mine[..8]]).ok();
        assert!(!ran.stdout.contains("No live session"), "{ran:#?}");
        let ran = w.run(&["logout-user", "42", "--except", &mine[..8]]).ok();
        assert!(!ran.stdout.contains("No live session"), "{ran:#?}");
        let ran = w.run(&["logout-user", "42", "--idle", "9000d"]).ok();
        assert!(!ran.stdout.contains("No live session"), "{ran:#?}");
    });
}

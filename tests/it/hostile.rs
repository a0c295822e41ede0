//! Keys, data and names of tables that were made to do harm: they steer no terminal, are no SQL and no pattern.

use crate::world::{Ran, SECRET_KEY, World, login, signed};

const FAR: &str = "2099-01-01 00:00:00";

/// Keys that mean something to SQL, to a pattern, to a shell, to a terminal, to who reads from right to left.
const KEYS: [&str; 16] = [
    "'; DROP TABLE django_session; --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "%%%%%%%%%%%%",
    "________________",
    "\\' OR 1=1 --",
    "E'\\x27",
    "$1$2$3$$;",
    "{a,b}\",NULL,\"",
    "$(reboot)`reboot`",
    "-rf --yes",
    "\u{1b}]0;owned\u{7}\u{1b}[2J",
    "\u{202e}gnp.exe\u{2066}",
    "new\nline\r\tand\ttab",
    "\u{9b}31m\u{85}\u{2028}",
    "ключ-日本-🗝",
];

/// Nothing that a terminal would obey is in what people read.
fn steers_nothing(ran: &Ran) {
    let steers = |c: char| {
        c.is_control() && c != '\n' && c != '\r'
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || c == '\u{2066}'
    };
    assert!(!ran.stdout.contains(steers) && !ran.stderr.contains(steers), "{ran:?}");
}

#[test]
fn keys_are_no_sql_no_patterns_and_no_orders_to_a_terminal() {
    World::each("hostile_keys", |w| {
        let (ours, theirs) = (signed(&login("42"), SECRET_KEY), signed(&login("7"), SECRET_KEY));
        let fill = || {
            w.execute("DELETE FROM django_session");
            for (number, key) in KEYS.iter().enumerate() {
                w.row(key, &ours, FAR);
                // Whoever takes a key for a pattern finds this one, too.
                w.row(&format!("{number:08}{}", key.to_uppercase()), &theirs, FAR);
            }
        };
        fill();
        let of_others: Vec<String> =
            w.session_keys().into_iter().filter(|key| !KEYS.contains(&&**key)).collect();
        for command in [
            &["list"][..],
            &["list", "--show-keys"],
            &["stats"],
            &["doctor"],
            &["logout-user", "42", "-n", "-v"],
            &["list", "--format", "csv"],
            &["list", "--format", "jsonl", "--show-keys"],
        ] {
            steers_nothing(&w.run(command).ok());
        }
        let shown = w.run(&["list", "--show-keys", "--format", "jsonl", "--user", "42"]).ok();
        let mut shown: Vec<String> = shown
            .json_lines()
            .iter()
            .map(|row| row["session_key"].as_str().unwrap().to_owned())
            .collect();
        shown.sort();
        let mut keys = KEYS.map(str::to_owned).to_vec();
        keys.sort();
        assert_eq!(shown, keys);
        for end in [
            &["logout-user", "42"][..],
            &["logout-user", "42", "--keep-data"],
            &["flush-all", "--yes", "--except-user", "7"],
        ] {
            fill();
            let ran = w.run(end).ok();
            steers_nothing(&ran);
            let left = w.session_keys();
            assert!(of_others.iter().all(|key| left.contains(key)), "{end:?}: {ran:#?}");
            assert_eq!(
                left.len(),
                of_others.len() + if end.contains(&"--keep-data") { KEYS.len() } else { 0 }
            );
            assert_eq!(w.run(&["list", "--user", "42", "--format", "count"]).ok().stdout, "0\n");
        }
        fill();
        for (prefix, found) in [
            ("%%%%%%%%", 0),
            ("________", 0),
            ("' OR '1'", 0),
            ("00000003", 0),
            ("________________", 0),
            ("0000000%", 1),
            ("0000000_", 1),
        ] {
            let ran = w.run(&["show", prefix]).exits(found);
            steers_nothing(&ran);
        }
        fill();
        w.execute("UPDATE django_session SET expire_date = '2020-01-01 00:00:00'");
        w.run(&["purge-expired"]).ok();
        assert_eq!(w.count(), 0);
    });
}

#[test]
fn ids_of_users_are_no_sql_and_no_patterns() {
    World::each("hostile_ids", |w| {
        let ids = [
            "' OR '1'='1",
            "%",
            "_",
            "42'; DROP TABLE django_session; --",
            "\\",
            "{42}",
            "\u{202e}24\u{1b}[2J",
            "NULL",
        ];
        w.user("42", 2).user("bert", 1);
        for id in ids {
            w.session(&login(&id.replace('\\', "\\\\").replace('\u{1b}', "\\u001b")));
        }
        w.run(&["backfill", "--type", "text"]).ok();
        for (number, id) in ids.iter().enumerate() {
            for lookup in [&["--no-user-column"][..], &[], &["--trust-column"]] {
                let ran = w
                    .run(&[&["logout-user", id, "-n"], lookup].concat())
                    .ok()
                    .says("1 live session of");
                steers_nothing(&ran);
            }
            steers_nothing(
                &w.run(&["logout-user", id]).ok().says("1 session deleted, none is left"),
            );
            assert_eq!(w.count(), 3 + ids.len() - number - 1);
        }
        let file = w.file("ids", ids.join("\n"));
        // They are gone, and nothing tells that the site does not spell them otherwise.
        let absent = ["logout-user", "--from-file", &file];
        w.run(&absent).exits(3).says("0 sessions deleted");
        w.run(&[&absent[..], &["--unfit-ids"]].concat()).ok().says("0 sessions deleted");
        assert_eq!(w.count(), 3);
    });
}

#[test]
fn tables_and_columns_of_any_name() {
    let plain = [
        "se\"ss;ion",
        "with.dot",
        "таблица-日本",
        "'; DROP TABLE django_session; --",
        "SELECT",
        "%s",
        "a b",
    ];
    for name in plain {
        World::each("hostile_names", |w| {
            w.user("42", 3).user("7", 1).expired(2);
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            w.execute(&format!("ALTER TABLE django_session RENAME TO {quoted}"));
            let table = ["--table", &*quoted];
            let run = |command: &[&str]| {
                let ran = w.run(&[command, &table].concat());
                assert_eq!(ran.code, 0, "{name}: {command:?}: {ran:#?}");
                ran
            };
            run(&["stats"]);
            run(&["doctor"]);
            run(&["backfill", "--column", name, "--type", "text"]);
            run(&["logout-user", "42", "--user-column", name])
                .says("3 sessions deleted, none is left");
            run(&["purge-expired", "--analyze"]).says("Purged 2 expired sessions");
            run(&["check", "--max-expired", "1"]);
            assert_eq!(run(&["list", "--format", "count"]).stdout, "1\n");
            run(&["flush-all", "--yes", "--truncate"]);
            // A name that is not there is said as it is, and steers nothing.
            steers_nothing(&w.run(&["list", "--table", "no\u{1b}[2J\u{202e}such"]).exits(1));
        });
    }
}

#[test]
fn schemas_of_any_name() {
    let w = World::postgres("hostile_schemas");
    for name in [
        "we.ird",
        "\"; DROP SCHEMA public CASCADE; --",
        "схема",
        "Upper Case",
        "\u{1b}]0;owned\u{7}\u{9b}\\\u{202e}\"",
    ] {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        w.execute(&format!("CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.django_session (LIKE django_session INCLUDING ALL)"));
        let fill = |user: &str| {
            w.execute(&format!("INSERT INTO {quoted}.django_session VALUES ('{user}-abcdefghijklmnop', '{}', '{FAR}')", signed(&login(user), SECRET_KEY)));
        };
        fill("42");
        fill("7");
        let ran =
            w.run(&["logout-user", "42", "--table", &format!("{quoted}.django_session")]).ok();
        steers_nothing(&ran.says("1 session deleted, none is left"));
        fill("42");
        let grants = w.run(&["doctor", "--grants", "--schema", name]);
        steers_nothing(&grants);
        w.execute(&grants.ok().stdout);
        w.run(&["logout-user", "42", "--schema", name]).ok();
        assert_eq!(w.keys_in(&format!("{quoted}.django_session")), ["7-abcdefghijklmnop"]);
        w.execute(&format!("DROP SCHEMA {quoted} CASCADE"));
    }
    assert_eq!(w.count(), 0);
}

/// What a NUL is to SQLite, which lets one into a text: the key goes on behind it.
#[test]
fn keys_and_data_with_a_nul() {
    let w = World::sqlite("hostile_nul");
    let data = signed(&login("42"), SECRET_KEY);
    for (key, data) in [
        ("nul-in-key\0-abcdef", &*data),
        ("nul-in-key\0-ghijkl", &*data),
        ("nul-in-data-abcdef", &*format!("{data}\0more")),
    ] {
        let file = rusqlite::Connection::open(w.url()).unwrap();
        file.execute("INSERT INTO django_session VALUES (?1, ?2, ?3)", [key, data, FAR]).unwrap();
    }
    w.user("7", 1);
    let ran = w.run(&["list"]).ok();
    steers_nothing(&ran);
    steers_nothing(&w.run(&["stats"]).ok());
    // What stands behind the NUL breaks the signature, and it is theirs all the same.
    w.run(&["logout-user", "42"]).ok().says("3 sessions deleted, none is left");
    assert_eq!(w.count(), 1);
    w.execute("UPDATE django_session SET expire_date = '2020-01-01 00:00:00'");
    w.run(&["purge-expired"]).ok();
    assert_eq!(w.count(), 0);
}

/// Characters that are not seen, each behind the name of another user.
const UNSEEN: [&str; 20] = [
    "\u{303f}",
    "\u{2d7f}",
    "\u{378}",
    "\u{e000}",
    "\u{3164}",
    "\u{2800}",
    "\u{34f}",
    "\u{ad}",
    "\u{fe0f}",
    "\u{180e}",
    "\u{115f}",
    "\u{a0}",
    "\u{2003}",
    "\u{ffa0}",
    "\u{e0061}",
    "\u{e0100}",
    "\u{1d173}",
    "\u{200d}",
    " ",
    r"\u{3164}",
];

#[test]
fn no_two_users_look_alike() {
    World::each("hostile_unseen", |w| {
        let users: Vec<String> = UNSEEN.iter().map(|unseen| format!("anna{unseen}")).collect();
        w.user("anna", 1);
        for user in &users {
            w.user(&user.replace('\\', r"\\"), 1);
        }
        let unseen = |c: char| UNSEEN[..18].iter().any(|unseen| unseen.contains(c));
        for command in [
            &["list"][..],
            &["list", "--format", "jsonl"],
            &["list", "--format", "csv"],
            &["stats"],
            &["stats", "--format", "json"],
        ] {
            let ran = w.run(command).ok();
            assert!(!ran.stdout.contains(unseen), "{command:?}: {ran:#?}");
        }
        let table = w.run(&["list"]).ok().stdout;
        let shown: std::collections::BTreeSet<&str> =
            table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(shown.len(), users.len() + 1, "{shown:?}");
        for user in &users {
            let ran = w.run(&["logout-user", user]).ok();
            let first = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!first.contains(unseen) && !first.contains("user anna:"), "{ran:#?}");
        }
        assert_eq!(w.count(), 1);
    });
}

/// SQL that is proposed to an operator: names of roles and tables are quoted, and spelled where they cannot be seen.
#[test]
fn sql_that_is_proposed_means_what_it_shows() {
    let w = World::postgres("hostile_proposed");
    let role = "sessctl_test_\"; DROP TABLE x; --\u{3164}";
    let quoted = format!("\"{}\"", role.replace('"', "\"\""));
    w.execute(&format!("DROP ROLE IF EXISTS {quoted}; CREATE ROLE {quoted} LOGIN PASSWORD 'x'"));
    let server = w.url();
    let url = format!(
        "postgres://sessctl_test_%22%3B%20DROP%20TABLE%20x%3B%20--%E3%85%A4:x@{}",
        server.rsplit_once('@').unwrap().1
    );
    let spelled = r#"TO U&"sessctl_test_""; DROP TABLE x; --\+003164""#;
    let ran = w.run(&["list", "-d", &url]).exits(1);
    assert!(
        ran.stderr.contains(&format!("hint: GRANT SELECT ON \"django_session\" {spelled}, or")),
        "{ran:#?}"
    );
    // It can be run as it is.
    let grant = ran.stderr.split_once("hint: ").unwrap().1.split_once(", or connect").unwrap().0;
    w.execute(grant);
    w.run(&["list", "-d", &url]).ok();
    let ran = w.run(&["purge-expired", "--max-lag", "1s", "-d", &url]);
    assert!(!ran.stderr.contains("TO \"sessctl_test_\";"), "{ran:#?}");
    w.execute("ALTER TABLE django_session RENAME TO \"a; b\u{202e}\"");
    let ran = w.run(&["backfill", "--dry-run", "--table", "a; b\u{202e}"]).ok();
    assert!(ran.stdout.contains(r#"ALTER TABLE U&"a; b\+00202e" ADD COLUMN"#), "{ran:#?}");
    let ran = w.run(&["list", "--table", "nothing"]).exits(1);
    assert!(ran.stderr.contains(r#""a; b\u{202e}""#), "{ran:#?}");
    w.execute(&format!("DROP OWNED BY {quoted}; DROP ROLE {quoted}"));
}

//! The order of a list, its columns, and how much of it is held in memory.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::huge_rows::measured;
use crate::world::{SECRET_KEY, World, base64_url, login, signed, signed_at};

const FAR: &str = "2099-01-01 00:00:00";
/// 2026-11-22T00:00:00Z.
const DAY: i64 = 1_795_305_600;

/// Seconds in base 62, as a signature has them.
pub(crate) fn base62(mut seconds: i64) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = Vec::new();
    while seconds > 0 {
        text.push(DIGITS[usize::try_from(seconds % 62).unwrap()]);
        seconds /= 62;
    }
    text.reverse();
    String::from_utf8(text).unwrap()
}

pub(crate) fn saved_at(payload: &str, seconds: i64) -> String {
    signed_at(&base64_url(payload.as_bytes()), &base62(seconds), SECRET_KEY)
}

/// Sessions of several users, with their keys, saved and expiring at different times.
fn fill(w: &World) {
    let rows = [
        ("third", "42", 3, "2099-01-01 00:00:00"),
        ("fifth", "7", 5, "2098-01-01 00:00:00"),
        ("first", "100", 1, "2097-01-01 00:00:00"),
        ("fourth", "anna", 4, "2099-01-02 00:00:00"),
        ("second", "7", 2, "2096-01-01 00:00:00"),
    ];
    for (name, user, hour, expires) in rows {
        let data = saved_at(&login(user), DAY + hour * 3_600);
        w.row(&format!("{name:-<8}abcdefghijk"), &data, expires);
    }
    w.row("unread--abcdefghijk", ".eJgarbage", "2095-01-01 00:00:00");
    w.row(
        "large---abcdefghijk",
        &saved_at(&format!(r#"{{"x":"{}"}}"#, "y".repeat(5_000)), DAY),
        "2094-01-01 00:00:00",
    );
}

/// The beginnings of the keys in a column.
fn keys(listed: &str) -> Vec<&str> {
    let lines = listed.lines().filter(|line| !line.starts_with("SESSION"));
    lines.map(|line| line.split([' ', '-', ',']).next().unwrap()).collect()
}

#[test]
fn a_list_has_the_order_that_was_asked_for() {
    World::each("order", |w| {
        fill(w);
        let by_save = ["fifth", "fourth", "third", "second", "first", "large", "unread"];
        let list = |options: &[&str]| w.run(&[&["list"], options].concat()).ok().stdout;
        for (options, expected) in [
            (&[][..], &by_save[..]),
            (&["--sort", "saved"], &by_save),
            (
                &["--sort", "expires"],
                &["large", "unread", "second", "first", "fifth", "third", "fourth"],
            ),
            (
                &["--sort", "user"],
                &["fifth", "second", "third", "first", "fourth", "large", "unread"],
            ),
            (&["--limit", "2"], &by_save[..2]),
            (&["--limit", "7"], &by_save),
            (&["--limit", "0"], &[]),
            (&["--sort", "size", "--limit", "1"], &["large"]),
            (&["--user", "7"], &["fifth", "second"]),
        ] {
            let table = list(options);
            let table: Vec<_> = table.lines().filter(|line| !line.starts_with("...")).collect();
            assert_eq!(keys(&table.join("\n")), expected, "{options:?}");
            if options.contains(&"--sort") {
                let csv =
                    list(&[options, &["--format", "csv", "--columns", "session_key"]].concat());
                assert_eq!(
                    keys(csv.trim_start_matches("session_key\r\n")),
                    expected,
                    "{options:?}"
                );
            }
        }
        // What is no table comes as it is, and a sorted one has the whole payload, large or not.
        let names = |lines: Vec<Value>| -> Vec<String> {
            let name = |line: &Value| line["session_key"].as_str().unwrap().replace('-', "");
            lines.iter().map(name).collect()
        };
        let unsorted = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        let sorted = w.run(&["list", "--format", "jsonl", "--sort", "saved"]).ok().json_lines();
        assert_eq!(names(sorted.clone()), by_save);
        let texts =
            |lines: &[Value]| lines.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(texts(&unsorted), texts(&sorted));
        assert_eq!(sorted[5]["payload"]["x"].as_str().unwrap().len(), 5_000);
        let first =
            w.run(&["list", "--format", "json", "--sort", "user", "--limit", "1"]).ok().json();
        assert_eq!(first[0]["user_id"], "7");
        assert_eq!(list(&["--format", "ids", "--sort", "saved"]), "7\nanna\n42\n7\n100\n");
        w.run(&["list", "--format", "count", "--sort", "saved"]).refuses(2, &["no order"]);
        w.run(&["list", "--sort", "saved", "--limit", "100001"])
            .refuses(2, &["100000", "--sort none"]);
    });
}

#[test]
fn a_table_says_how_many_more_there_are() {
    World::each("order_more", |w| {
        w.user("42", 1_003);
        let table = w.run(&["list"]).ok().stdout;
        assert_eq!(table.lines().count(), 1_002);
        assert!(table.ends_with("... and 3 more: --limit N lists as many, --format jsonl all\n"));
        let table = w.run(&["list", "--limit", "10", "-q"]).ok().stdout;
        assert!(table.lines().count() == 12 && table.contains("... and 993 more"), "{table}");
        for whole in [&["--limit", "1003"][..], &["--sort", "none"]] {
            let table = w.run(&[&["list"], whole].concat()).ok().stdout;
            assert!(table.lines().count() == 1_004 && !table.contains("..."), "{table}");
        }
    });
}

#[test]
fn columns_are_those_that_were_asked_for() {
    World::each("columns", |w| {
        fill(w);
        let list = |options: &[&str]| w.run(&[&["list"], options].concat()).ok().stdout;
        let asked = "session_key,user_id,size,size,saved,state";
        let table = list(&["--columns", asked, "--limit", "2", "--sort", "user"]);
        let lines: Vec<Vec<_>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["SESSION", "USER", "SIZE", "LAST", "SAVED", "STATE"]);
        assert_eq!(lines[1][..2], ["fifth---", "7"]);
        assert_eq!(lines[1][3..], ["2026-11-22T05:00:00Z", "user"]);
        let csv = list(&["--columns", "user_id,format,behind", "--format", "csv", "--user", "42"]);
        assert_eq!(csv, "user_id,format,behind\r\n42,signed json,\r\n");
        let all = "session_key,state,user_id,username,backend,behind,signature,saved,expires,size,layout,serializer,compressed,\
                   error,format";
        let table = list(&["--columns", all]);
        assert!(table.contains("ModelBackend") && table.contains("unreadable"), "{table}");
        for (options, said) in [
            (&["--columns", "user"][..], "'user_id'"),
            (&["--columns", ""], "a value is required"),
            (&["--columns", "size", "--format", "jsonl"], "jq"),
            (&["--columns", "schema"], "one schema"),
        ] {
            w.run(&[&["list"], options].concat()).exits(2).says(said);
        }
    });
}

#[test]
fn names_that_want_to_spoil_the_table_do_not() {
    World::each("columns_hostile", |w| {
        w.execute(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(15000) UNIQUE)",
        );
        let names = [
            "\x1b[2J\x1b[31mred".to_owned(),
            "two\nlines\r\n".to_owned(),
            "x".repeat(10_000),
            "\u{202e}olleh".to_owned(),
            "שלום".to_owned(),
            "tab\tbed".to_owned(),
        ];
        for (id, name) in names.iter().enumerate() {
            w.execute(&format!("INSERT INTO auth_user VALUES ({id}, '{name}')"));
            w.user(&id.to_string(), 1);
        }
        for options in [&[][..], &["--format", "csv"], &["--sort", "user"], &["--sort", "none"]] {
            let listed = w.run(&[&["list"], options].concat()).ok().stdout;
            let steers = |c: char| c.is_control() && c != '\n' && c != '\r' || c == '\u{202e}';
            assert!(!listed.contains(steers) && listed.lines().count() == 7, "{listed}");
            assert!(listed.contains("שלום"), "{listed}");
        }
        let table = w.run(&["list"]).ok().stdout;
        assert!(table.lines().all(|line| line.chars().count() < 400), "{table}");
    });
}

/// Beside what a list that is not sorted takes, in MB.
const MOST_OF_SORTING: u64 = 110;

#[test]
fn what_is_sorted_is_held_in_little_memory() {
    for w in [World::sqlite("order_memory"), World::postgres("order_memory")] {
        let large = format!(r#"{{"_auth_user_id":"1","x":"{}"}}"#, "y".repeat(300_000));
        let medium = format!(r#"{{"_auth_user_id":"2","x":"{}"}}"#, "z".repeat(20_000));
        let mut rows = Vec::new();
        for number in 0..40 {
            rows.push((format!("large{number:03}abcdefghijk"), saved_at(&large, DAY + number)));
        }
        for number in 0..4_000 {
            rows.push((format!("m{number:07}abcdefghijk"), saved_at(&medium, DAY + number)));
        }
        // SQLite's memory has a limit in this process, too, and a statement is held whole.
        for some in rows.chunks(100) {
            w.rows(some.iter().map(|(key, data)| (&**key, &**data, FAR.to_owned())));
        }
        let list = |options: &[&str]| {
            let command = [&["list", "--format", "jsonl"], options].concat();
            let (ran, memory) = measured(w.command(&command).env("SECRET_KEY", SECRET_KEY));
            assert_eq!(ran.code, 0, "{ran:?}");
            memory
        };
        let plain = list(&[]);
        let sorted = list(&["--sort", "saved"]);
        assert!(sorted < plain + MOST_OF_SORTING, "{sorted} MB, {plain} MB unsorted");
        let listed = w.run(&["list", "--format", "jsonl", "--sort", "saved"]).ok().json_lines();
        let times: Vec<&str> = listed.iter().map(|line| line["saved"].as_str().unwrap()).collect();
        assert!(listed.len() == 4_040 && times.is_sorted_by(|one, next| one >= next));
        let payloads = listed.iter().map(|line| line["payload"]["x"].as_str().unwrap().len());
        assert_eq!(payloads.sum::<usize>(), 40 * 300_000 + 4_000 * 20_000);
        assert_eq!(listed[0]["signature"], json!("valid"));
    }
}

#[test]
fn more_than_can_be_sorted_is_an_error_and_prints_nothing() {
    let w = World::sqlite("order_many");
    let data = signed(&login("42"), SECRET_KEY);
    w.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001)
         INSERT INTO django_session SELECT printf('%08dabcdefghijk', i), '{data}', '{FAR}' FROM n"
    ));
    let ran = w.run(&["list", "--format", "jsonl", "--sort", "saved"]);
    let ran = ran.exits(2).says("at most 100000 sessions can be sorted").says("--limit N");
    assert!(ran.stdout.is_empty());
    // Who asked for no order gets all.
    let table = w.run(&["list", "--limit", "200000"]).ok().stdout;
    assert_eq!(table.lines().count(), 100_002);
    let (ran, memory) = measured(
        w.command(&["list", "--sort", "size", "--limit", "100000"]).env("SECRET_KEY", SECRET_KEY),
    );
    assert!(ran.code == 0 && memory < 200, "{memory} MB: {ran:?}");
    let table = w.run(&["list", "--sort", "size", "--limit", "100000"]).ok().stdout;
    assert!(table.ends_with("... and 1 more: --limit N lists as many, --format jsonl all\n"));
}

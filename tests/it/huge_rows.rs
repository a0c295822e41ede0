//! Rows that are larger than anything that is decoded: they stay in the database, and are what they are all the same.

use std::io::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{django_python, sessctl};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, base64_url, login, signed, signed_text};

const FAR: &str = "2099-01-01 00:00:00";
/// More than any command may take.
const HUGE: usize = 80_000_000;
/// In MB.
const MOST_MEMORY: u64 = 64;

/// Runs the program and returns what it took at most, in MB.
fn memory(w: &World, arguments: &[&str], code: i32) -> u64 {
    let (ran, memory) = measured(w.command(arguments).env("SECRET_KEY", SECRET_KEY));
    assert_eq!(ran.code, code, "{arguments:?}: {ran:#?}");
    memory
}

/// Runs the program; what it said, all of it as standard error, and what it took at most, in MB.
pub(crate) fn measured(program: &Command) -> (Ran, u64) {
    const MEASURE: &str = "import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)";
    let mut command = Command::new(django_python("5.2"));
    command.args(["-c", MEASURE]).arg(sessctl()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = command.ran("").ok();
    let (ended, memory) = ran.stdout.trim().split_once(' ').unwrap();
    let (code, memory) = (ended.parse().unwrap(), memory.parse().unwrap());
    (Ran { code, stdout: String::new(), ..ran }, memory)
}

fn padded(id: &str, bytes: usize) -> String {
    login(id).replace("[1,2]", &format!("\"{}\"", "y".repeat(bytes)))
}

const INSERT: &str = "import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    row = sys.argv[2], 'x' * int(sys.argv[3]), sys.argv[4]
    connection.execute('INSERT INTO django_session VALUES (?, ?, ?)', row)";

/// Three huge rows, small ones, and one that Django would believe, whose key and size it returns.
fn fill(w: &World) -> (String, usize) {
    w.user("42", 3).user("7", 3);
    for number in 0..3 {
        let key = format!("huge{number}ab-cdefghijklmnop");
        if w.is_sqlite() {
            // Other tests of this process limit the memory that SQLite has in it.
            let mut insert = Command::new(django_python("5.2"));
            insert.args(["-c", INSERT, &w.url(), &key, &HUGE.to_string(), FAR]);
            insert.ran("").ok();
        } else {
            let text = format!("repeat('x', {HUGE})");
            w.execute(&format!("INSERT INTO django_session VALUES ('{key}', {text}, '{FAR}')"));
        }
    }
    let believed = signed(&padded("42", 10 << 20), SECRET_KEY);
    let key = w.next_key();
    w.row(&key, &believed, FAR);
    (key, believed.len())
}

/// Sessions of user 42 that are as large as can be read, or inflate to as much; each takes most at another place. Returns
/// the key of the last, and all that is stored.
fn fill_worst(w: &World) -> (String, Vec<String>) {
    let zlib = |payload: &str, level| {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
        zlib.write_all(payload.as_bytes()).unwrap();
        signed_text(&format!(".{}", base64_url(&zlib.finish().unwrap())), SECRET_KEY)
    };
    let bytes = (8 << 20) - 4_000;
    let letters = padded("42", bytes);
    // As JSON of sessctl's, each of these is six bytes.
    let escaped = login("42").replace("[1,2]", &format!("\"{}\"", "\u{85}".repeat(bytes / 4)));
    let mut stored = vec![signed(&letters, SECRET_KEY), zlib(&letters, 0), zlib(&escaped, 0)];
    // Sizes that an allocator finds no old place for.
    stored.extend((1..4).map(|part| signed(&padded("42", bytes / 4 * part), SECRET_KEY)));
    stored.extend(std::iter::repeat_n(zlib(&letters, 9), 6));
    let mut last = String::new();
    for data in &stored {
        last = w.next_key();
        w.row(&last, data, FAR);
    }
    (last, stored)
}

#[test]
fn memory_is_bounded_whatever_is_in_the_table() {
    World::each("huge", |w| {
        let (believed, _) = fill(w);
        w.execute("CREATE TABLE auth_user (id integer PRIMARY KEY, username text UNIQUE)");
        w.execute("INSERT INTO auth_user VALUES (7, 'bert')");
        let (last, stored) = fill_worst(w);
        let file = w.file("stored", stored.join("\n"));
        for (arguments, code) in [
            (&["list", "--format", "jsonl"][..], 0),
            (&["list", "--user", "42"], 3),
            (&["decode", &file], 0),
            (&["stats"], 0),
            (&["show", "huge0ab-"], 0),
            (&["show", &last[..8]], 0),
            (&["doctor"], 0),
            (&["logout-user", "7", "-n"], 3),
            (&["logout-user", "--deleted-users", "--yes", "-n"], 3),
            (&["backfill"], 0),
            (&["logout-user", "7", "--keep-data"], 3),
            (&["flush-all", "--yes", "--authenticated-only", "--except-user", "42"], 3),
            // It may be anybody's, for all that sessctl reads of it.
            (&["logout-user", "42"], 3),
            // They went, and one of them may be 7's.
            (&["flush-all", "--yes", "--except-user", "7"], 3),
        ] {
            let took = memory(w, arguments, code);
            assert!(took < MOST_MEMORY, "{arguments:?} took {took} MB");
            let flushes =
                arguments[0] == "flush-all" && !arguments.contains(&"--authenticated-only");
            assert_eq!(w.session_keys().contains(&believed), !flushes);
        }
        assert_eq!(w.count(), 0, "user 7 was logged out before");
    });
}

/// All rows of a batch are in memory at once, but for large ones.
#[test]
fn memory_is_bounded_where_large_rows_are_written_anew() {
    World::each("huge_rewritten", |w| {
        for _ in 0..30 {
            w.session(&padded("42", 2 << 20));
        }
        let took = memory(w, &["logout-user", "42", "--keep-data"], 0);
        assert!(took < MOST_MEMORY, "{took} MB");
        assert_eq!(w.count(), 30);
    });
}

/// Users who are gone are held until they are reported.
#[test]
fn more_deleted_users_than_memory_holds_are_refused() {
    World::each("huge_gone", |w| {
        let ascii = if w.is_mysql() { "CHARACTER SET ascii" } else { "" };
        w.execute(&format!(
            "CREATE TABLE auth_user (id varchar(1000) {ascii} PRIMARY KEY, username text UNIQUE)"
        ));
        w.execute("INSERT INTO auth_user VALUES ('7', 'bert')");
        w.user("7", 1);
        let data: Vec<_> =
            (0..4_300).map(|user| signed(&login(&format!("{user:0980}")), SECRET_KEY)).collect();
        let keys: Vec<_> = data.iter().map(|_| w.next_key()).collect();
        w.rows(keys.iter().zip(&data).map(|(key, data)| (&**key, &**data, FAR.to_owned())));
        let dry = ["logout-user", "--deleted-users", "--yes", "--dry-run"];
        w.run(&dry).exits(2).says("4 MiB of ids").says("nobody is logged out");
        assert_eq!(w.count(), 4_301);
    });
}

/// Rows that are small, inflate to a lot, and are all of it ids of users.
#[test]
fn memory_is_bounded_where_small_rows_hold_many_long_ids() {
    World::each("huge_behind", |w| {
        let ids: Vec<_> = (0..99).map(|id| format!("\"{id}{}\"", "y".repeat(990))).collect();
        let history = format!("\"hijack_history\":[{}]", ids.join(","));
        let payload = login("7").replace("\"cart\":[1,2]", &history);
        let mut zlib = vec![0; payload.len()];
        let bytes = libdeflater::Compressor::new(libdeflater::CompressionLvl::best())
            .zlib_compress(payload.as_bytes(), &mut zlib)
            .unwrap();
        let data = signed_text(&format!(".{}", base64_url(&zlib[..bytes])), SECRET_KEY);
        assert!(data.len() < 2_000, "{}", data.len());
        let row = |number| format!("('{number:08}abcdefghijklmnopqrstuvwx', '{data}', '{FAR}')");
        let rows: Vec<_> = (0..1_000).map(row).collect();
        w.execute(&format!("INSERT INTO django_session VALUES {}", rows.join(",")));
        w.execute("CREATE TABLE auth_user (id varchar(150) PRIMARY KEY, username text UNIQUE)");
        w.execute("INSERT INTO auth_user VALUES ('7', 'bert')");
        for (arguments, code) in
            [(&["list"][..], 0), (&["logout-user", "--deleted-users", "--yes", "--dry-run"], 0)]
        {
            let took = memory(w, arguments, code);
            assert!(took < MOST_MEMORY, "{arguments:?} took {took} MB");
        }
    });
}

#[test]
fn what_is_too_large_is_told_as_it_is() {
    World::each("huge_told", |w| {
        let (believed, size) = fill(w);
        let listed = w.run(&["list", "--show-keys", "--format", "jsonl"]).ok().json_lines();
        let told = |key: &str| {
            let row = listed.iter().find(|row| row["session_key"] == key).unwrap();
            ["state", "signature", "error", "size"].map(|field| row[field].clone())
        };
        let too_large = |size: usize| {
            [json!("unreadable"), json!("unchecked"), json!("too large to read"), json!(size)]
        };
        assert_eq!(told("huge0ab-cdefghijklmnop"), too_large(HUGE));
        assert_eq!(told(&believed), too_large(size));
        let stats = w.run(&["stats", "--format", "json"]).ok().json();
        assert_eq!((&stats["unreadable"], &stats["unverified"]), (&json!(4), &json!(0)));
        let largest: Vec<_> = (0..4).map(|n| stats["largest"][n]["size"].clone()).collect();
        assert_eq!(largest, [HUGE, HUGE, HUGE, size]);
        let sizes: u64 = listed.iter().map(|row| row["size"].as_u64().unwrap()).sum();
        assert_eq!(stats["size"]["total"], sizes);
        let dry = w.run(&["logout-user", "42", "-n"]).exits(3);
        dry.says("3 live sessions").says("4 rows could not be read");
        w.run(&["logout-user", "42", "--keep-data"]).exits(3);
        w.run(&["logout-user", "7"]).exits(3).says("3 sessions deleted");
        assert_eq!(w.count(), 3 + 4);
        // That a key verifies nothing of what was not read says nothing of the key.
        w.execute("DELETE FROM django_session WHERE session_key NOT LIKE 'huge%'");
        w.run(&["logout-user", "42"]).exits(3);
        w.run(&["backfill"]).ok();
        w.run(&["flush-all", "--yes", "--authenticated-only"]).exits(3);
        assert_eq!(w.count(), 3);
    });
}

/// 9 kB that inflate to 9 MB are the login of the user whom they begin with.
#[test]
fn a_login_that_inflates_beyond_the_limit_is_told_and_logged_out() {
    World::each("huge_inflated", |w| {
        let payload = |id: &str| {
            let import = "a".repeat(9_000_000);
            format!(r#"{{"_auth_user_id":"{id}","_auth_user_backend":"b","csv":"{import}"}}"#)
        };
        let stored = |id: &str, key: &str| {
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
            zlib.write_all(payload(id).as_bytes()).unwrap();
            signed_text(&format!(".{}", base64_url(&zlib.finish().unwrap())), key)
        };
        for (id, key) in [("1", SECRET_KEY), ("2", SECRET_KEY), ("3", "another key")] {
            w.row(&w.next_key(), &stored(id, key), FAR);
        }
        w.user("1", 1);
        let listed = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        let told = |row: &Value| ["state", "user_id", "signature"].map(|field| row[field].clone());
        let mut all: Vec<_> = listed.iter().map(told).collect();
        all.sort_by_key(|row| row[1].to_string());
        let user = |id: &str, signature: &str| [json!("user"), json!(id), json!(signature)];
        let valid = |id: &str| user(id, "valid");
        assert_eq!(all, [valid("1"), valid("1"), valid("2"), user("3", "invalid")]);
        let report = w.run(&["logout-user", "1", "--format", "json"]).ok().json();
        assert_eq!((&report["deleted"], &report["unreadable"]), (&json!(2), &json!(0)));
        // It cannot be written anew.
        let kept = w.run(&["logout-user", "2", "--keep-data", "--format", "json"]).ok().json();
        assert_eq!((&kept["deleted"], &kept["rewritten"]), (&json!(1), &json!(0)));
        assert_eq!(w.count(), 1);
    });
}

/// A pickle of 100 bytes that shares its parts, and so has 2^40 of them.
#[test]
fn what_is_shared_does_not_unfold() {
    World::each("huge_shared", |w| {
        let login = b"}(\x8c\x0d_auth_user_id\x8c\x0242\x8c\x04bombN";
        let bomb = base64_url(&[b"\x80\x05", &login[..], &b"2\x86".repeat(40), b"u."].concat());
        let plain = base64_url(b"\x80\x05}(\x8c\x0d_auth_user_id\x8c\x0242\x8c\x04bombK\x01u.");
        let forged = signed_text(&plain, "another key");
        let rows = [("bomb", signed_text(&bomb, SECRET_KEY)), ("forged", forged.clone())];
        w.rows(rows.iter().map(|(key, data)| (*key, &**data, "2099-01-01".to_owned())));
        let listed = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        for (row, why) in listed.iter().zip(["too complex", "no key verifies"]) {
            assert!(row["error"].as_str().unwrap().contains(why), "{row}");
            assert_eq!((&row["user_id"], &row["payload"]), (&json!("42"), &Value::Null));
        }
        let decode = |key: bool| {
            let run = if key { World::run } else { World::run_without_key };
            run(w, &["decode", &w.file("stored", &forged)]).ok().json()
        };
        assert_eq!(decode(true)["payload"], Value::Null);
        assert_eq!(decode(false)["payload"]["bomb"], json!(1));
        w.run(&["stats"]).ok();
        w.run(&["logout-user", "42"]).ok().says("2 sessions deleted");
    });
}

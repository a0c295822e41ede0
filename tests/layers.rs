//! The layers of `docs/design.md`: a room uses only what lies below it, no files use each other, and each outside crate lives
//! behind one wall.

#![allow(clippy::unwrap_used, reason = "a test helper that cannot go on must stop the test")]

#[path = "layers/circles.rs"]
mod circles;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("stop", &[]),
    ("consent", &[]),
    ("files", &[]),
    ("report", &["model"]),
    ("store", &["model", "stop", "consent", "files"]),
    ("cache", &["model", "stop", "files", "store"]),
    ("engine", &["model", "stop", "consent", "files", "store"]),
    ("error", &["model", "files", "store", "engine"]),
    ("ui", &["model", "report", "consent", "engine", "error"]),
    ("cli", &["model"]),
    ("settings", &["cli", "model", "stop", "files", "store", "cache", "engine", "error"]),
    (
        "context",
        &[
            "model", "stop", "consent", "files", "report", "store", "engine", "error", "ui", "cli",
            "settings",
        ],
    ),
    (
        "sessions",
        &[
            "model", "stop", "consent", "files", "report", "store", "cache", "engine", "error",
            "ui", "cli", "settings", "context",
        ],
    ),
    (
        "cmd",
        &[
            "model", "stop", "consent", "files", "report", "store", "engine", "error", "ui", "cli",
            "settings", "context", "sessions",
        ],
    ),
];

/// Which files an outside crate may be named in.
const WALLS: &[(&str, &[&str])] = &[
    ("tokio_postgres", &["store/postgres"]),
    ("futures_util", &["store/postgres/client.rs"]),
    ("rustls", &["store/net"]),
    ("rustls_native_certs", &["store/net"]),
    ("tokio_rustls", &["store/net"]),
    ("webpki", &["store/net"]),
    (
        "tokio",
        &[
            "cache/redis",
            "store/net",
            "store/postgres/connect",
            "store/postgres/client.rs",
            "store/mysql/connect.rs",
            "store/mysql/client.rs",
        ],
    ),
    ("mysql_async", &["store/mysql"]),
    ("whoami", &["settings/database.rs", "settings/operator.rs"]),
    ("rusqlite", &["store/sqlite"]),
    (
        "rustix",
        &[
            "files",
            "settings/django/run.rs",
            "settings/operator.rs",
            "stop/call.rs",
            "store/net/wire.rs",
            "store/sqlite/facts.rs",
            "store/sqlite/activity_watch.rs",
            "ui/terminal.rs",
            "main.rs",
        ],
    ),
    ("nix", &["files/owner.rs"]),
    ("indicatif", &["ui/bar.rs"]),
    ("unicode_width", &["ui/table.rs"]),
    ("clap", &["cli", "main.rs"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("simdutf8", &["model/page.rs"]),
    ("signal_hook", &["main.rs"]),
    ("crossbeam_channel", &["engine/scan.rs"]),
    ("django_session", &["model", "error.rs", "settings", "context", "sessions", "cmd"]),
];

const DJANGO_SESSION: &str = "crates/django-session/src";

const WALLS_OF_DJANGO_SESSION: &[(&str, &[&str])] = &[
    ("base64_simd", &["base64.rs"]),
    ("flate2", &["zlib.rs"]),
    ("hmac", &["keyring.rs"]),
    ("serde", &["format.rs"]),
    ("unicode_properties", &["escape.rs"]),
    ("zlib_rs", &["inflate"]),
];

/// Words of one database that are no folder's name.
const WORDS_OF_DATABASES: &[&str] = &["libpq", "pgpass", "pghost", "mariadb", "valkey"];

/// Folders in `src/store` that are no database.
const OF_SEVERAL_DATABASES: &[&str] = &["net"];

/// Words that only `ui` and `main.rs` may use: they print or end the process.
const TALK: &[&str] =
    &["println!", "eprintln!", "print!(", "io::stdout()", "io::stderr()", "process::exit"];

fn sources() -> BTreeMap<String, String> {
    sources_in("src")
}

fn sources_in(folder: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut sources = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                if name.contains("/tests") || name.starts_with("tests") {
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                let code: Vec<_> =
                    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                sources.insert(name, code.join("\n"));
            }
        }
    }
    sources
}

fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room(&file)) else {
            assert!(
                ["lib", "main"].contains(&room(&file)),
                "{file} is in no room of docs/design.md"
            );
            continue;
        };
        for (other, _) in ROOMS.iter().filter(|(other, _)| *other != room(&file)) {
            let uses = code.match_indices("crate::").any(|(at, _)| {
                let rest = &code[at + "crate::".len()..];
                rest.strip_prefix(other)
                    .is_some_and(|rest| rest.starts_with([':', ';', ',', ' ', '}']))
            });
            if uses && !allowed.contains(other) {
                wrong.push(format!("{file} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn outside_crates_stay_behind_their_walls() {
    let mut wrong = Vec::new();
    for (folder, walls) in [("src", WALLS), (DJANGO_SESSION, WALLS_OF_DJANGO_SESSION)] {
        for (file, code) in sources_in(folder) {
            for (name, files) in walls {
                if names(&code, name) && !files.iter().any(|wall| file.starts_with(wall)) {
                    wrong.push(format!("{folder}/{file} uses {name}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// It reads what others give it, and nothing else.
#[test]
fn django_session_does_no_io() {
    let mut wrong = Vec::new();
    for (file, code) in sources_in(DJANGO_SESSION) {
        let words =
            ["std::fs", "std::io::std", "std::net", "std::env", "std::process", "std::thread"];
        for word in words.iter().chain(TALK).filter(|word| code.contains(**word)) {
            wrong.push(format!("{file}: {word}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a file names a crate; `tokio_postgres` is not `tokio`.
fn names(code: &str, name: &str) -> bool {
    let is_whole = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    code.match_indices(&format!("{name}::")).any(|(at, _)| is_whole(at))
        || code.split(&format!("use {name}")).skip(1).any(|rest| rest.starts_with([';', ' ']))
}

/// A database is a folder in `src/store`, a kind of cache one in `src/cache`, and each an entry of its `BACKENDS`. Help texts
/// may name it.
#[test]
fn only_store_and_cache_name_a_server() {
    let mut words: Vec<String> = WORDS_OF_DATABASES.iter().map(ToString::to_string).collect();
    for room in ["src/store", "src/cache"] {
        let room = Path::new(env!("CARGO_MANIFEST_DIR")).join(room);
        for entry in fs::read_dir(room).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() && !OF_SEVERAL_DATABASES.contains(&&*name) {
                words.push(name);
            }
        }
    }
    assert!(words.len() >= WORDS_OF_DATABASES.len() + 3, "{words:?}");
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        // What `django-code` writes is the site's, and runs there.
        if ["store", "cache", "cli"].contains(&room(&file))
            || file.starts_with("cmd/django_code/app/")
        {
            continue;
        }
        let code = code.split("#[cfg(test)]").next().unwrap().to_lowercase();
        wrong.extend(
            words
                .iter()
                .filter(|word| code.contains(*word))
                .map(|word| format!("{file} names {word}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_ui_and_main_talk_or_exit() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let may_talk = room(&file) == "ui" || file == "main.rs";
        for word in TALK.iter().filter(|word| !may_talk && code.contains(**word)) {
            wrong.push(format!("{file}: {word}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long: Vec<_> = sources()
        .into_iter()
        .chain(sources_in(DJANGO_SESSION))
        .filter(|(_, code)| code.lines().count() > 400)
        .map(|(file, _)| file)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// Two files of one thing: a folder makes places, and a place is in a folder.
const MAY_USE_EACH_OTHER: &[&[&str]] = &[&["files/folder.rs", "files/place.rs"]];

#[test]
fn no_files_use_each_other() {
    for folder in ["src", DJANGO_SESSION] {
        let circles = circles::circles(&sources_in(folder));
        let wrong: Vec<_> = circles
            .iter()
            .filter(|circle| !MAY_USE_EACH_OTHER.iter().any(|may| may == circle))
            .collect();
        assert!(wrong.is_empty(), "{folder}: {wrong:#?}");
    }
}

/// What the test above finds: by a list, through what a `mod.rs` passes on, in an expression.
#[test]
fn a_circle_is_seen() {
    let sources = [
        ("a/mod.rs", "mod one;\nmod two;\npub use one::One;"),
        ("a/one.rs", "use std::{fmt,\n    io};\nuse crate::b::{self, Other};\nstruct One;"),
        ("a/two.rs", "use super::One;\nstruct Two;"),
        ("b.rs", "struct Other;\nfn far() { crate::a::two::far() }"),
        ("c.rs", "use crate::b::Other;"),
    ];
    let sources =
        sources.iter().map(|(file, code)| ((*file).to_owned(), (*code).to_owned())).collect();
    assert_eq!(circles::circles(&sources), [["a/one.rs", "a/two.rs", "b.rs"]]);
}

/// Lists that are long by nature: each arm is a line, and none has anything to do with the others.
const MAY_BE_LONG: &[(&str, &str)] = &[
    // What each opcode of a pickle does.
    ("pickle/machine.rs", "step"),
    // What each error code of the server means.
    ("store/mysql/fault.rs", "classify_code"),
];

#[test]
fn no_function_is_longer_than_60_lines() {
    let mut long = Vec::new();
    for (file, code) in sources().into_iter().chain(sources_in(DJANGO_SESSION)) {
        let lines: Vec<&str> = code.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let begin = line.trim_start();
            let indent = &line[..line.len() - begin.len()];
            let Some((before, name)) = begin.split_once("fn ") else { continue };
            if !before.is_empty() && !before.starts_with("pub") && !before.starts_with("const ") {
                continue;
            }
            let name = name.split(['(', '<']).next().unwrap();
            let end = lines[at..].iter().position(|line| *line == format!("{indent}}}"));
            let is_one_line = line.ends_with(['}', ';']);
            let length = end.filter(|_| !is_one_line).map_or(0, |end| end + 1);
            if length > 60 && !MAY_BE_LONG.contains(&(&*file, name)) {
                long.push(format!("{file}: {name} has {length} lines"));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

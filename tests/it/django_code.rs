//! The app that `django-code` prints, on real sites: `tests/django/user_column.py` says what is checked there.

use std::fs;
use std::path::Path;

use crate::django::run;
use crate::support::fresh_database;
use crate::world::{RunToEnd, World, program};

const BEGINNINGS: [&str; 3] = ["empty", "stock", "altered"];

fn on_sqlite(release: &str, arguments: &[&str]) {
    for begin in BEGINNINGS {
        run("user_column.py", release, &[&["--begin", begin], arguments].concat());
    }
}

/// `name` tells the databases of tests that run at the same time apart.
fn on_postgres(release: &str, name: &str, arguments: &[&str]) {
    for begin in BEGINNINGS {
        let database = fresh_database(&format!("app_{name}"));
        let place = ["--begin", begin, "--postgres-url", &database.url];
        run("user_column.py", release, &[&place, arguments].concat());
    }
}

#[test]
fn django_6_1_text_on_sqlite() {
    on_sqlite("6.1", &[]);
}

#[test]
fn django_6_1_uuid_on_postgres() {
    on_postgres("6.1", "61_uuid", &["--users", "uuid", "--type", "uuid"]);
}

#[test]
fn django_5_2_text_on_sqlite() {
    on_sqlite("5.2", &[]);
}

#[test]
fn django_5_2_bigint_on_postgres() {
    on_postgres("5.2", "52_bigint", &["--type", "bigint", "--app", "extras.session_user"]);
}

#[test]
fn django_5_2_uuid_on_postgres() {
    on_postgres("5.2", "52_uuid", &["--users", "uuid", "--type", "uuid", "--column", "order"]);
}

#[test]
fn django_4_2_uuid_on_sqlite() {
    on_sqlite("4.2", &["--users", "uuid", "--type", "uuid", "--column", "Whose"]);
}

#[test]
fn django_4_2_text_on_postgres() {
    on_postgres("4.2", "42_text", &["--users", "uuid", "--column", "Whose"]);
}

#[test]
fn django_3_2_bigint_on_sqlite() {
    on_sqlite("3.2", &["--type", "bigint"]);
}

#[test]
fn django_3_2_text_on_postgres() {
    on_postgres("3.2", "32_text", &[]);
}

#[test]
fn what_is_printed_is_what_is_written() {
    let w = World::sqlite("app_print");
    let url = w.url();
    let folder = Path::new(&url).with_file_name("who");
    let names = ["django-code", "--app", "a.b.who", "--column", "w", "--type", "uuid"];
    let printed = program(&names).ran("").ok().stdout;
    program(&[&names[..], &["--output", folder.to_str().unwrap()]].concat()).ran("").ok();
    let parts = printed.strip_prefix("# ==> ").unwrap().split("\n# ==> ");
    let mut files = 0;
    for part in parts {
        let (path, text) = part.split_once('\n').unwrap();
        let path = folder.join(path.strip_prefix("a/b/who/").unwrap());
        assert_eq!(text, fs::read_to_string(&path).unwrap(), "{}", path.display());
        assert!(!text.contains("{{") && !text.contains("}}"), "{text}");
        files += 1;
    }
    assert_eq!(files, 8, "{printed}");
}

#[test]
fn nothing_is_overwritten() {
    let w = World::sqlite("app_output");
    let url = w.url();
    let parent = Path::new(&url).parent().unwrap();
    let run = |name: &str| {
        program(&["django-code", "--output", parent.join(name).to_str().unwrap()]).ran("")
    };
    let folder = parent.join("session_user");
    fs::create_dir(&folder).unwrap();
    run("session_user").refuses(2, &["exists already", "nothing is overwritten"]);
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "mine").unwrap();
    run("session_user").refuses(2, &["exists already"]);
    assert_eq!(fs::read_to_string(&folder).unwrap(), "mine");
    fs::remove_file(&folder).unwrap();
    std::os::unix::fs::symlink("nowhere", &folder).unwrap();
    run("session_user").refuses(2, &["exists already"]);
    assert!(!parent.join("nowhere").exists());
    run("another").refuses(2, &["\"session_user\"", "--app"]);
    run("missing/session_user").exits(1).says("error: cannot write ").says("cause: ");
    assert!(!parent.join("another").exists() && !parent.join("missing").exists());
}

#[test]
fn only_plain_names_go_into_code() {
    let long = "x".repeat(41);
    let columns = [
        "",
        " ",
        "1st",
        "a b",
        "a-b",
        "a.b",
        "a\"b",
        "a'b",
        "a\nb",
        "ä",
        "id;--",
        "{{app}}",
        "%s",
        "\") or 1=1 --",
        "session_key",
        "SESSION_DATA",
        "expire_date",
        "xmin",
        "rowid",
        &long,
    ];
    for name in columns {
        program(&["django-code", "--column", name])
            .ran("")
            .refuses(2, &["cannot be the name of a user column", "--column user_id"]);
    }
    let apps = [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "1st",
        "a b",
        "a-b",
        "a/b",
        "../a",
        "a\"b",
        "a\nb",
        "ä",
        "class",
        "a.None",
        "lambda.a",
        "sessions",
        "django",
        "django.contrib.sessions",
        &long,
    ];
    for name in apps {
        program(&["django-code", "--app", name])
            .ran("")
            .refuses(2, &["cannot be the name of a Django app", "--app mysite.session_user"]);
    }
    // The app asks for the login that Django writes, and says so rather than write none.
    program(&["django-code", "--user-key", "member_id"])
        .ran("")
        .refuses(2, &["member_id", "user_of"]);
    program(&["django-code", "--user-key", "_auth_user_id"]).ran("").ok();
    program(&["django-code", "--column", &"x".repeat(40), "--app", "_a1.B"])
        .ran("")
        .ok()
        .says("_a1.B.db");
}

//! Secrets that can be told from everything else, given in every way to every command, in success and in failure: none of
//! them is on any output, in any file that is written, or where other users of the machine could see it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::mysql_privileges::Account;
use crate::role::{Role, SENTINEL};
use crate::running::{Running, eventually};
use crate::site::{self, Site};
use crate::support::django_python;
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, login, program, signed};

const FALLBACK: &str = "sentinel-of-a-fallback-key";
const FAR: &str = "2099-01-01 00:00:00";
/// The end of every whole session key.
const REST_OF_KEY: &str = "abcdefghijklmnopqrstuvwx";
const SECRETS: [&str; 4] = [SECRET_KEY, FALLBACK, SENTINEL, REST_OF_KEY];

/// Commands, and what each ends with in a table that is in order.
const COMMANDS: [&[&str]; 19] = [
    &["list"],
    &["list", "--format", "jsonl"],
    &["list", "--format", "csv"],
    &["show", "00000000"],
    &["stats"],
    &["stats", "--format", "json"],
    &["doctor", "--format", "json"],
    &["doctor", "--grants"],
    &["check", "--max-expired", "9", "--max-age", "9999d"],
    &["backfill", "--dry-run"],
    &["backfill"],
    &["logout-user", "42", "--dry-run"],
    &["logout-user", "7", "--keep-data"],
    &["logout-user", "42", "--cleanup-allauth"],
    &["delete", "--session", "00000000", "--dry-run"],
    &["delete", "--anonymous", "--dry-run"],
    &["delete", "--unverified", "--yes"],
    &["purge-expired"],
    &["flush-all", "--yes"],
];

fn keeps_secrets(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "a secret in {what}: {text}");
    }
}

/// Sessions of all sorts, some of them signed with the fallback key.
fn fill(w: &World) {
    w.user("42", 2).user("7", 2).expired(2);
    let key = w.next_key();
    w.row(&key, &signed(&login("42"), FALLBACK), FAR);
    let key = w.next_key();
    w.row(&key, "garbage:that:nobody-can-read", FAR);
}

/// Everything that a run writes: what it says, and the files that it was told to write.
fn all_of(w: &World, command: &mut Command, arguments: &[&str]) -> Ran {
    let (audit, metrics) = (w.file("audit.jsonl", ""), w.file("metrics.prom", ""));
    command.args(arguments);
    let changes = ["logout-user", "delete", "purge-expired", "flush-all", "backfill"];
    if changes.contains(&arguments[0]) && !arguments.contains(&"--dry-run") {
        command.args(["--audit-file", &audit, "--reason", "a reason"]);
    }
    if arguments[0] == "purge-expired" {
        command.args(["--metrics-file", &metrics]);
    }
    let ran = command.ran("");
    for (what, text) in [
        ("standard output", &ran.stdout),
        ("standard error", &ran.stderr),
        ("the audit file", &std::fs::read_to_string(&audit).unwrap()),
        ("the metrics", &std::fs::read_to_string(&metrics).unwrap()),
    ] {
        keeps_secrets(&format!("{what} of {arguments:?}"), text);
    }
    ran
}

/// The ways to give the keys.
fn with_keys(w: &World, command: &mut Command, way: usize) {
    let file = w.file("keys", format!("{SECRET_KEY}\n{FALLBACK}\n"));
    match way % 3 {
        0 => command.args(["--secret-key-file", &file]),
        1 => command
            .env("SESSCTL_SECRET_KEY", SECRET_KEY)
            .env("DJANGO_SECRET_KEY_FALLBACKS", FALLBACK),
        _ => command
            .env("SECRET_KEY", SECRET_KEY)
            .env("DJANGO_SECRET_KEY_FALLBACKS", format!("[\"{FALLBACK}\"]")),
    };
}

const VOICES: [&[&str]; 3] = [&[], &["-v"], &["-v", "--log-format", "json"]];

#[test]
fn no_command_shows_a_secret() {
    World::each("secrets_all", |w| {
        let role = if w.is_sqlite() || w.is_mysql() {
            None
        } else {
            let role = Role::new(w, "secrets");
            w.execute(&format!(
                "ALTER TABLE django_session OWNER TO {}; GRANT CREATE ON SCHEMA public TO {0}",
                role.name
            ));
            w.execute(&format!("CREATE TABLE usersessions_usersession (session_key varchar(40)); ALTER TABLE usersessions_usersession OWNER TO {}", role.name));
            Some(role)
        };
        if role.is_none() {
            w.execute("CREATE TABLE usersessions_usersession (session_key varchar(40))");
        }
        let account = w.is_mysql().then(|| {
            let account = Account::new(w, "secrets");
            w.execute(&format!("GRANT ALL ON world_secrets_all.* TO {}@'%'", account.name));
            account
        });
        let url = role.as_ref().map(Role::url).or_else(|| account.as_ref().map(Account::url));
        for (number, arguments) in COMMANDS.iter().enumerate() {
            for (voice, options) in VOICES[1..].iter().enumerate() {
                w.execute("DELETE FROM django_session");
                fill(w);
                let first = w.session_keys().into_iter().find(|key| key.starts_with('0')).unwrap();
                let arguments: Vec<&str> = arguments
                    .iter()
                    .map(|word| if *word == "00000000" { &first[..8] } else { word })
                    .collect();
                let mut command = w.command(options);
                if let Some(url) = &url {
                    command.env("SESSCTL_DATABASE_URL", url);
                }
                with_keys(w, &mut command, number + voice);
                let ran = all_of(w, &mut command, &arguments);
                // SQLite knows no grants.
                let knows = !w.is_sqlite() || arguments != ["doctor", "--grants"];
                let codes: &[i32] = if knows { &[0, 3, 5] } else { &[2] };
                assert!(codes.contains(&ran.code), "{arguments:?}: {ran:#?}");
            }
        }
        if role.is_some() {
            w.execute("REASSIGN OWNED BY sessctl_test_secrets TO postgres");
        }
    });
}

#[test]
fn no_error_shows_a_secret() {
    let w = World::postgres("secrets_errors");
    fill(&w);
    let role = Role::new(&w, "secrets_errors");
    let right = w.url();
    let nowhere = format!("postgres://{}:{SENTINEL}@127.0.0.1:1/db", role.name);
    let nobody = format!("postgres://nobody:{SENTINEL}@{}", right.rsplit_once('@').unwrap().1);
    let broken = format!("postgres://u:p{SENTINEL}/@127.0.0.1:1/db");
    let pairs =
        format!("host=127.0.0.1 port=1 user=u password='{SENTINEL}' dbname=x sslmode=nosuch");
    // Rules of others that make the server quote rows.
    w.execute(
        "CREATE TABLE refers (session_key varchar(40) REFERENCES django_session);
         INSERT INTO refers SELECT session_key FROM django_session",
    );
    let urls = [&nowhere, &nobody, &broken, &pairs, &role.url(), &right];
    for (place, url) in urls.into_iter().enumerate() {
        for (number, arguments) in COMMANDS.iter().enumerate() {
            // Every command fails in every voice, though not everywhere.
            let mut command = w.command(VOICES[(place + number) % VOICES.len()]);
            command.env("SESSCTL_DATABASE_URL", url);
            with_keys(&w, &mut command, number);
            all_of(&w, &mut command, arguments);
        }
    }
    let trigger = "CREATE FUNCTION quotes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'no' USING DETAIL = OLD.session_key || OLD.session_data, HINT = 'ask the owner'; END $$;
         CREATE TRIGGER quotes BEFORE DELETE OR UPDATE ON django_session FOR EACH ROW EXECUTE FUNCTION quotes()";
    w.execute(&format!("DROP TABLE refers; {trigger}"));
    for arguments in COMMANDS {
        let mut command = w.command(&["-v"]);
        with_keys(&w, &mut command, 1);
        all_of(&w, &mut command, arguments);
    }
}

#[test]
fn no_secret_is_where_other_users_of_the_machine_can_see_it() {
    let w = World::sqlite("secrets_proc");
    fill(&w);
    let holder = rusqlite::Connection::open(w.url()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut command = w.command(&["logout-user", "42"]);
    with_keys(&w, &mut command, 0);
    let mut running = Running::start(&mut command);
    let id = running.child().id();
    let arguments = Path::new("/proc").join(id.to_string()).join("cmdline");
    eventually("it runs", || std::fs::read_to_string(&arguments).unwrap().contains("logout-user"));
    keeps_secrets("the arguments", &std::fs::read_to_string(&arguments).unwrap());
    // A core would have them all.
    let limits = || std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    eventually("no core is written", || {
        let limits = limits();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        core.split_whitespace().skip(4).take(2).eq(["0", "0"])
    });
    drop(holder);
    running.end().exits(3);
}

/// What the project's Python is given: not what sessctl was told in files and on its standard input.
#[test]
fn the_python_of_a_project_is_told_no_secret() {
    let site = Site::postgres("secrets", "5.2", &[]);
    site.login(&["anna"]);
    let seen = site.file("seen", "");
    let python = site.file(
        "python",
        &format!("#!/bin/sh\ntr '\\0' '\\n' < /proc/$$/environ > {seen}\ntr '\\0' '\\n' < /proc/$$/cmdline >> {seen}\nexec {} \"$@\"\n", django_python("5.2").display()),
    );
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let keys = site.file("keys", &format!("{}\n{FALLBACK}\n", site::SECRET_KEY));
    for arguments in [&["list"][..], &["logout-user", "--username", "anna"]] {
        let mut command = program(&[]);
        let environment = site.command(&[]);
        command.envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.arg("--django").arg(site::shop()).args([
            "--python",
            &python,
            "--secret-key-file",
            &keys,
        ]);
        let ran = command.args(arguments).ran("").ok();
        let seen = std::fs::read_to_string(&seen).unwrap();
        assert!(seen.contains("PATH="), "the project was not asked: {ran:#?}");
        keeps_secrets("what Python was told", &seen);
        let arguments = seen.rsplit_once(&python).map_or("", |(_, rest)| rest);
        assert!(
            !arguments.contains(site::SECRET_KEY) && !arguments.contains("postgres://"),
            "{seen}"
        );
    }
}

/// What is typed in the wrong place is repeated to whoever typed it, but for what may be a secret.
#[test]
fn mistakes_on_the_command_line_show_no_secret() {
    let url = format!("postgres://u:{SENTINEL}@nowhere/db");
    for arguments in [
        &["list", &url][..],
        &["logout-user", "42", "--format", &url],
        &["--log-format", "json", "stats", &url],
        &["list", "--secret-key-file", SENTINEL],
    ] {
        let ran = program(arguments).ran("").exits(2);
        keeps_secrets(&format!("{arguments:?}"), &ran.stderr);
        keeps_secrets(&format!("{arguments:?}"), &ran.stdout);
        assert!(ran.stderr.contains("error: "), "{ran:?}");
    }
    let ran = program(&["list", "\u{9b}2J\u{202e}"]).ran("").exits(2);
    assert!(ran.stderr.contains("u{9b}2J") && !ran.stderr.contains('\u{9b}'), "{ran:?}");
    assert!(program(&["list", "--hlep"]).ran("").exits(2).stderr.contains("'--help'"));
}

//! Where the site's keys are given, and what files, editors and shells make of them.

use serde_json::{Value, json};

use crate::list_order::saved_at;
use crate::migrated::Kind;
use crate::site::Site;
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, login, signed};

const FAR: &str = "2099-01-01 00:00:00";
const OLD_KEY: &str = "the-key-before";

/// Adds a session of a user, signed with this key.
fn session(w: &World, user: &str, key: &str) {
    w.row(&w.next_key(), &signed(&login(user), key), FAR);
}

#[test]
fn fallbacks_come_from_every_variable() {
    World::each("keys_fallbacks", |w| {
        for key in [OLD_KEY, SECRET_KEY, "older, still"] {
            session(w, "42", key);
        }
        let verified = |variables: &[(&str, &str)]| {
            let mut command = w.command(&["stats", "--format", "json"]);
            command.env("SECRET_KEY", SECRET_KEY).envs(variables.iter().copied());
            command.ran("").ok().json()["signatures"]["valid"].as_u64().unwrap()
        };
        assert_eq!(verified(&[]), 1);
        for name in
            ["SESSCTL_SECRET_KEY_FALLBACKS", "DJANGO_SECRET_KEY_FALLBACKS", "SECRET_KEY_FALLBACKS"]
        {
            assert_eq!(verified(&[(name, OLD_KEY)]), 2, "{name}");
            assert_eq!(verified(&[(name, &format!("x, {OLD_KEY} ,,"))]), 2, "{name}");
            let ran = w.command(&["list"]).env(name, OLD_KEY).ran("").exits(2);
            ran.says(&format!("error: {name} is set, but no SECRET_KEY"));
        }
        let all = [
            ("DJANGO_SECRET_KEY_FALLBACKS", OLD_KEY),
            ("SECRET_KEY_FALLBACKS", "[\"older, still\"]"),
        ];
        assert_eq!(verified(&all), 3);
        let file = w.file("key", SECRET_KEY.as_bytes());
        let listed = |name: &str| {
            w.command(&["list", "--secret-key-file", &file]).env(name, OLD_KEY).ran("").ok()
        };
        listed("SECRET_KEY_FALLBACKS").says("SECRET_KEY_FALLBACKS is set and not read");
        assert!(!listed("SECRET_KEY").stderr.contains("not read"));
    });
}

#[test]
fn of_several_keys_the_first_in_the_documented_order_counts() {
    let w = World::sqlite("keys_order");
    // Keys that are looked at later verify more rows.
    for (rows, key) in ["in-a-file", "of-sessctl", "of-django", "usual"].iter().enumerate() {
        (0..=rows).for_each(|_| session(&w, "42", key));
    }
    let file = w.file("key", "in-a-file");
    let set = [
        ("SESSCTL_SECRET_KEY", "of-sessctl"),
        ("DJANGO_SECRET_KEY", "of-django"),
        ("SECRET_KEY", "usual"),
    ];
    for counts in 0..=set.len() {
        let mut command = w.command(&["stats", "--format", "json"]);
        if counts == 0 {
            command.args(["--secret-key-file", &file]);
        }
        command.envs(set[counts.saturating_sub(1)..].iter().copied());
        let valid = command.ran("").ok().json()["signatures"]["valid"].as_u64().unwrap();
        assert_eq!(valid, 1 + counts as u64, "{:?}", &set[counts.saturating_sub(1)..]);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_key() {
    World::each("keys_mark", |w| {
        w.user("42", 1);
        let logout = |text: &[u8]| {
            let file = w.file("key", text);
            w.run_without_key(&["logout-user", "42", "--secret-key-file", &file])
        };
        let utf16 = [b"\xff\xfe", &*SECRET_KEY.bytes().flat_map(|b| [b, 0]).collect::<Vec<_>>()];
        logout(&utf16.concat()).exits(2).says("is UTF-16");
        assert_eq!(w.count(), 1);
        logout(format!("\u{feff}{SECRET_KEY}\r\n").as_bytes()).ok();
        assert_eq!(w.count(), 0);
    });
}

/// What every command says that finds the key to be wrong, which is given in a file of this text.
fn all_say(w: &World, text: &str, hint: &str) {
    let file = w.file("key", text);
    for command in [
        &["logout-user", "42"][..],
        &["logout-user", "42", "--dry-run"],
        &["flush-all", "--yes", "--authenticated-only"],
        &["backfill"],
    ] {
        let rows = w.count();
        let ran = w.run_without_key(&[command, &["--secret-key-file", &file]].concat()).exits(2);
        let shows = |output: &str| output.contains(SECRET_KEY);
        assert!(!shows(&ran.stdout) && !shows(&ran.stderr), "{command:?}: {ran:#?}");
        assert_eq!(w.count(), rows, "{command:?}");
        ran.says("error: not one of").says(&format!("hint: {hint}"));
    }
}

#[test]
fn a_key_that_is_nearly_right_is_told_from_one_that_is_wrong() {
    World::each("keys_nearly", |w| {
        // A site whose settings read the key from a file and do not strip it.
        for end in ["\n", "\r\n"] {
            w.renew();
            let key = format!("{SECRET_KEY}{end}");
            session(w, "42", &key);
            all_say(w, &key, "the site's key is the given one with a line end after it");
            let ran: Ran =
                w.command(&["logout-user", "42"]).env("SESSCTL_SECRET_KEY", &key).ran("");
            ran.ok();
            assert_eq!(w.count(), 0);
        }
        w.renew();
        session(w, "42", SECRET_KEY);
        for (text, hint) in [
            (format!("{SECRET_KEY} \n"), "the site's key is the given one without the blanks"),
            (format!("\"{SECRET_KEY}\"\n"), "the site's key is the given one without the quotes"),
            (format!("SECRET_KEY='{SECRET_KEY}'\n"), "the site's key is what follows the \"=\""),
            ("another\n".into(), "give the SECRET_KEY of the site itself"),
        ] {
            all_say(w, &text, hint);
        }
        let file = w.file("key", SECRET_KEY);
        w.run_without_key(&["logout-user", "42", "--secret-key-file", &file]).ok();
    });
}

/// The program with the key in use, and two that were in use before.
fn rotated(w: &World, arguments: &[&str]) -> Ran {
    let file = w.file("keys", format!("{SECRET_KEY}\n{OLD_KEY}\nthe oldest\n"));
    w.run_without_key(&[arguments, &["--secret-key-file", &file]].concat())
}

#[test]
fn each_session_says_which_key_signed_it() {
    World::each("keys_signed_by", |w| {
        let fill = || {
            w.renew();
            session(w, "1", SECRET_KEY);
            w.row("later000abcdefghijk", &saved_at(&login("1"), 1_795_400_000), FAR);
            session(w, "2", OLD_KEY);
            session(w, "3", OLD_KEY);
            w.row("visitor-abcdefghijk", &signed("{}", OLD_KEY), FAR);
            w.row("expired-abcdefghijk", &signed(&login("3"), OLD_KEY), "2020-01-01 00:00:00");
            session(w, "4", "nobody knows it");
            w.row("garbage-abcdefghijk", ".eJgarbage", FAR);
        };
        fill();
        let ids = |key: &str| {
            let ran = rotated(w, &["list", "--signed-by", key, "--format", "ids"]).ok();
            ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            (ids("1"), ids("2"), ids("3")),
            (vec!["1".into(); 2], vec!["2".into(), "3".into()], vec![])
        );
        for line in rotated(w, &["list", "--format", "jsonl"]).ok().json_lines() {
            let key = match line["user_id"].as_str() {
                Some("1") => json!(1),
                Some("4") => json!(null),
                None if line["state"] == "unreadable" => json!(null),
                _ => json!(2),
            };
            assert_eq!(line["key"], key, "{line}");
        }
        let csv =
            rotated(w, &["list", "--columns", "user_id,key", "--format", "csv", "--user", "2"]);
        assert_eq!(csv.ok().stdout, "user_id,key\r\n2,2\r\n");
        let shown = rotated(w, &["show", "visitor-"]).ok().says("signature   valid (2)");
        assert!(!shown.stdout.contains(OLD_KEY));
        let stats = rotated(w, &["stats", "--format", "json"]).ok().json();
        assert_eq!(
            stats["signed_by"],
            json!([
                {"key": 1, "rows": 2, "live": 2, "logins": 2, "last_saved": "2026-11-23T02:13:20Z"},
                {"key": 2, "rows": 4, "live": 3, "logins": 2, "last_saved": "2026-11-22T01:57:46Z"},
                {"key": 3, "rows": 0, "live": 0, "logins": 0, "last_saved": null}
            ])
        );
        let words = rotated(w, &["stats"]).ok().stdout;
        assert!(
            words.contains("         3           2  2026-11-22T01:57:46Z  2 (fallback)\n"),
            "{words}"
        );
        let old = rotated(w, &["stats", "--signed-by", "2", "--format", "json"]).ok().json();
        assert_eq!(
            (&old["rows"], &old["logged_in"], &old["users"]),
            (&json!(4), &json!(2), &json!(2))
        );
        // Exactly these go, as the dry run says, and nothing that another key signed or none.
        let dry = rotated(w, &["delete", "--signed-by", "2", "-n", "--format", "json"]).ok().json();
        assert_eq!((&dry["matched"], &dry["deleted"]), (&json!(3), &json!(0)));
        let report =
            rotated(w, &["delete", "--signed-by", "2", "--yes", "--format", "json"]).ok().json();
        assert_eq!((&report["deleted"], &report["remaining"]), (&json!(3), &json!(0)));
        let mut left: Vec<Value> = rotated(w, &["list", "--format", "jsonl"])
            .ok()
            .json_lines()
            .iter()
            .map(|row| row["key"].clone())
            .collect();
        left.sort_by_key(ToString::to_string);
        assert_eq!(left, [json!(1), json!(1), json!(null), json!(null)]);
        assert!(w.session_keys().iter().any(|key| key.starts_with("expired-")));
    });
}

#[test]
fn a_key_that_is_not_there_signs_nothing() {
    World::each("keys_wrong_place", |w| {
        session(w, "42", SECRET_KEY);
        for command in [&["list"][..], &["stats"], &["delete", "--yes"]] {
            for wrong in ["0", "4", "99999999999999999999", "-1", "one"] {
                let given = format!("--signed-by={wrong}");
                let ran = rotated(w, &[command, &[given.as_str()]].concat()).exits(2);
                assert!(ran.stdout.is_empty() && !ran.stderr.contains(SECRET_KEY), "{ran:#?}");
            }
            let four = rotated(w, &[command, &["--signed-by", "4"]].concat());
            four.refuses(2, &["3 keys are given", "1 is SECRET_KEY"]);
            w.run(&[command, &["--signed-by", "2"]].concat()).refuses(2, &["1 key is given"]);
            w.run_without_key(&[command, &["--signed-by", "1"]].concat())
                .refuses(2, &["no SECRET_KEY is given"]);
        }
        assert_eq!(w.count(), 1);
    });
}

/// Requests of users in browsers of their own; a key is the session of a browser.
const REQUESTS: &str = "
from django.test import Client
def browser(key=None):
    client = Client()
    if key: client.cookies['sessionid'] = key
    return client
";

#[test]
fn who_is_still_signed_with_the_old_key_of_a_real_site() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MySql] {
        let site = &Site::new("keys_rotation", kind, "5.2", &[]).project(
            "",
            "from pathlib import Path
if (Path(__file__).parent / 'rotated').exists():
    SECRET_KEY_FALLBACKS = [SECRET_KEY]
    SECRET_KEY = 'the-key-after-the-rotation'",
        );
        let requests = |code: &str| site.python(&format!("{REQUESTS}\n{code}"));
        let keys = requests(
            "for name in ['anna', 'bert']:
    user = User.objects.create_user(name)
    client = browser()
    assert client.get(f'/login/{user.pk}').json()['user'] == str(user.pk)
    print(user.pk, client.cookies['sessionid'].value)",
        );
        let people: Vec<(&str, &str)> =
            keys.lines().map(|line| line.split_once(' ').unwrap()).collect();
        site.file("rotated", "");
        // Anna comes back, and the site signs her session with the new key.
        let who = |key: &str| {
            requests(&format!(
                "client = browser({key:?})
print(client.get('/whoami').json()['user'], client.cookies['sessionid'].value if 'sessionid' in client.cookies else '')"
            ))
        };
        let anna = who(people[0].1);
        let (id, anna) = anna.split_once(' ').unwrap();
        assert_eq!(id, people[0].0);
        let signed_by = |key: &str| {
            site.run(&["list", "--signed-by", key, "--format", "ids"]).ok().stdout.trim().to_owned()
        };
        assert_eq!((signed_by("1"), signed_by("2")), (people[0].0.into(), people[1].0.into()));
        let csv = ["list", "--signed-by", "2", "--format", "csv", "--columns", "username,key"];
        assert_eq!(site.run(&csv).ok().stdout, "username,key\r\nbert,2\r\n");
        let stats = site.run(&["stats", "--format", "json"]).ok().json();
        let logins = |place: usize| stats["signed_by"][place]["logins"].clone();
        assert_eq!((logins(0), logins(1)), (json!(1), json!(1)), "{stats}");
        site.run(&["delete", "--signed-by", "2", "--yes"]).ok();
        assert_eq!(who(people[1].1).split(' ').next(), Some("None"));
        assert_eq!(who(anna).split(' ').next(), Some(people[0].0));
    }
}

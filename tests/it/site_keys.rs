//! Where the site's keys are given, and what files, editors and shells make of them.

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

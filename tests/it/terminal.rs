//! What a terminal gets, and a pipe or a file does not: lines that end at words, and colour.

use std::process::Command;

use crate::support::{django_python, sessctl};
use crate::world::{RunToEnd, World};

/// What a terminal of so many columns shows, without a key.
fn shown(w: &World, columns: u16, environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut command = Command::new(django_python("5.2"));
    command
        .args(["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"])
        .args(["sh", "-c", &format!("stty cols {columns} rows 24; exec \"$0\" \"$@\"")])
        .arg(sessctl())
        .args(arguments)
        .args(["-d", &w.url()])
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(environment.iter().copied());
    command.ran("").stdout.replace('\r', "")
}

#[test]
fn the_bar_of_a_purge_has_a_total_and_the_time_to_settle_counts_down() {
    World::each("watched", |w| {
        w.expired(300).user("42", 1);
        let slow = ["--batch-size", "50", "--sleep", "300ms"];
        let drawn = shown(w, 120, &[], &[&["purge-expired"][..], &slow].concat());
        assert!(drawn.contains("/300 ") && drawn.contains("/s "), "{drawn:?}");
        let bars = drawn.split("\u{1b}[2K").filter(|line| line.contains('░') || line.contains('█'));
        for bar in bars {
            // Each names the work, and none knows the time that is left before the first rows.
            assert!(bar.contains("reading") || bar.contains("deleting"), "{bar:?}");
            assert!(!(bar.contains(" 0/") && bar.contains(" left")), "{bar:?}");
        }
        assert_eq!(w.count(), 1);
        let zone = ["--db-timezone", "UTC"];
        let drawn =
            shown(w, 120, &[], &[&["logout-user", "42", "--settle", "3s"][..], &zone].concat());
        let told = ["3 s left", "2 s left", "1 s left"].map(|left| drawn.find(left));
        assert!(told.iter().all(Option::is_some) && told.is_sorted(), "{drawn:?}");
    });
}

const PLAIN: [(&str, &str); 1] = [("NO_COLOR", "1")];

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn notes_wrap_at_words() {
    World::each("wrapped_notes", |w| {
        w.user("42", 1);
        let piped = w.run_without_key(&["list", "--limit", "1"]).ok().stderr;
        let note = piped.lines().find(|line| line.starts_with("note: not known")).unwrap();
        let drawn = shown(w, 60, &PLAIN, &["list", "--limit", "1", "--db-timezone", "UTC"]);
        assert!(words(&drawn).contains(&words(note)), "{drawn}");
        let (_, drawn) = drawn.split_once("note: not known").unwrap();
        let more: Vec<&str> =
            drawn.lines().skip(1).take_while(|line| line.starts_with(' ')).collect();
        assert!(!more.is_empty() && more.iter().all(|line| line.starts_with("      ")), "{drawn}");
        assert!(more.iter().all(|line| line.len() <= 60), "{drawn}");
    });
}

#[test]
fn the_lines_of_doctor_wrap_at_words_and_below_each_other() {
    let w = World::postgres("wrapped_doctor");
    let drawn = shown(&w, 80, &PLAIN, &["doctor"]);
    assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    let wraps = format!("\n{:23}", "");
    assert!(drawn.contains(&wraps), "{drawn}");
    let piped = w.run_without_key(&["doctor"]).stdout;
    assert!(piped.lines().any(|line| line.chars().count() > 80), "{piped}");
    let step = piped.lines().find_map(|line| line.trim_start().strip_prefix("next: ")).unwrap();
    assert!(words(&drawn).contains(&words(step)), "{step}: {drawn}");
}

#[test]
fn doctor_colours_what_it_found_on_a_terminal_that_wants_it() {
    let w = World::postgres("coloured_doctor");
    let drawn =
        shown(&w, 80, &[], &["doctor"]) + &shown(&w, 80, &[], &["doctor", "--table", "nosuch"]);
    for (word, colour) in [("ok", 32), ("warning", 33), ("problem", 31)] {
        let begins = format!("\u{1b}[{colour}m{word:<8}\u{1b}[0m ");
        assert!(drawn.contains(&begins), "{word}: {drawn:?}");
    }
    for plain in [&PLAIN, &[("TERM", "dumb")]] {
        let drawn = shown(&w, 80, plain, &["doctor"]);
        assert!(drawn.contains("ok       ") && !drawn.contains("\u{1b}["), "{drawn:?}");
    }
    assert!(!w.run_without_key(&["doctor"]).stdout.contains('\u{1b}'));
}

#[test]
fn a_list_is_as_wide_as_the_terminal() {
    World::each("listed", |w| {
        w.execute(
            "CREATE TABLE auth_user (id varchar(40) PRIMARY KEY, username varchar(254) UNIQUE)",
        );
        let id = "ce6db715-bb98-4199-8cff-7a7d3eff1a4f";
        w.execute(&format!(
            "INSERT INTO auth_user VALUES ('{id}', 'somebody.with.a.name@example.org')"
        ));
        w.user(id, 2);
        for (columns, has_format) in [(80, false), (120, false), (200, true)] {
            let drawn = shown(w, columns, &PLAIN, &["list", "--db-timezone", "UTC"]);
            let at = drawn.find("SESSION").unwrap();
            let lines: Vec<&str> = drawn[at..].lines().collect();
            assert!(lines.len() == 3 && lines[1].contains("2026-11-22T01:57:46Z"), "{drawn}");
            assert!(lines.iter().all(|line| line.chars().count() <= columns.into()), "{drawn}");
            assert_eq!(lines[0].contains("FORMAT"), has_format, "{drawn}");
        }
        let piped = w.run_without_key(&["list"]).ok().stdout;
        assert!(
            piped.contains(id) && piped.contains("name@example.org") && piped.contains("FORMAT"),
            "{piped}"
        );
    });
}

use std::process::Command;

use crate::world::{RunToEnd, program};

const COMMANDS: [&str; 15] = [
    "backfill",
    "check",
    "completions",
    "decode",
    "delete",
    "django-code",
    "doctor",
    "flush-all",
    "list",
    "logout-user",
    "man",
    "purge-expired",
    "show",
    "stats",
    "",
];

#[test]
fn bash_completes_commands_and_options() {
    let script = program(&["completions", "bash"]).ran("").ok().stdout;
    let completes = |typed: &str, wanted: &str| {
        let words: Vec<_> = typed.split(' ').collect();
        let [.., before, last] = &*words else { panic!("{typed}") };
        let ask = format!(
            "{script}\nCOMP_WORDS=({typed}); COMP_CWORD={}; _sessctl sessctl '{last}' '{before}'; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.len() - 1,
        );
        let output = Command::new("bash").args(["-c", &ask]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.lines().any(|line| line == wanted), "{typed}: {said}");
    };
    completes("sessctl logou", "logout-user");
    completes("sessctl purge-expired --old", "--older-than");
    completes("sessctl list --format js", "jsonl");
}

#[test]
fn other_shells_have_scripts_too() {
    for (shell, marks) in [
        ("zsh", ["#compdef sessctl", "'--older-than=["]),
        ("fish", ["complete -c sessctl", "-l older-than "]),
        ("powershell", ["Register-ArgumentCompleter", "'--older-than'"]),
        ("elvish", ["edit:completion:arg-completer[sessctl]", "cand --older-than "]),
    ] {
        let script = program(&["completions", shell]).ran("").ok().stdout;
        for part in marks.iter().chain(&COMMANDS) {
            assert!(script.contains(part), "{shell}: no {part}");
        }
    }
    program(&["completions", "csh"]).ran("").exits(2).says("possible values");
}

/// Or a new one would be missing from these tests.
#[test]
fn these_are_all_commands() {
    let help = program(&["-h"]).ran("").ok().stdout;
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let mut names: Vec<&str> = lines.map(|line| line.split_whitespace().next().unwrap()).collect();
    names.sort_unstable();
    names.retain(|name| *name != "help");
    assert_eq!(names, COMMANDS.iter().copied().filter(|name| !name.is_empty()).collect::<Vec<_>>());
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = std::env::temp_dir().join(format!("sessctl-man-{}", std::process::id()));
    program(&["man", "--output", folder.to_str().unwrap()]).ran("").ok();
    for command in COMMANDS {
        let dash = if command.is_empty() { "" } else { "-" };
        let page =
            std::fs::read_to_string(folder.join(format!("sessctl{dash}{command}.1"))).unwrap();
        assert!(page.contains(".TH sessctl") && page.contains(".SH OPTIONS"), "{command}: {page}");
        let section = |title: &str| {
            let (_, rest) = page.split_once(&format!("\n.SH {title}\n")).unwrap();
            rest.split("\n.SH ").next().unwrap().replace('\\', "")
        };
        let arguments = [command, "--help"];
        let help = program(&arguments[usize::from(command.is_empty())..]).ran("").ok().stdout;
        // The help is wrapped, the page is not.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (examples, _) = help.split_once("\n\n").unwrap();
        let examples = words(examples.trim_start_matches("Examples:"));
        assert!(words(&section("EXAMPLES")).contains(&examples), "{command}: {page}");
        let failed = if command == "check" { "WARNING" } else { "connection" };
        assert!(section("\"EXIT STATUS\"").contains(failed), "{command}: {page}");
        assert!(section("ENVIRONMENT").contains("SESSCTL_DATABASE_URL"), "{command}: {page}");
        assert!(section("FILES").contains("~/.pgpass"), "{command}: {page}");
    }
    let _ = std::fs::remove_dir_all(&folder);
    assert!(program(&["man"]).ran("").ok().stdout.contains(".SH SUBCOMMANDS"));
}

#[test]
fn help_begins_with_examples_and_is_short_on_request() {
    for command in COMMANDS.iter().filter(|name| !name.is_empty()) {
        let long = program(&[command, "--help"]).ran("").ok().stdout;
        assert!(long.starts_with("Examples:\n  sessctl "), "{command}: {long}");
        let short = program(&[command, "-h"]).ran("").ok().stdout;
        assert!(!short.contains("Examples:") && short.contains("Usage:"), "{command}: {short}");
        assert!(short.lines().count() * 10 < long.lines().count() * 7, "{command}: {short}");
    }
}

#[test]
fn the_help_of_the_command_with_the_most_options_fits_into_110_lines() {
    let help = program(&["logout-user", "--help"]).ran("").ok().stdout;
    assert!(help.lines().count() < 110, "{help}");
    assert_eq!(program(&["help", "logout-user"]).ran("").ok().stdout, help);
}

#[test]
fn what_is_nearly_right_is_suggested() {
    program(&["logout-usr", "42"])
        .ran("")
        .exits(2)
        .says("similar subcommand exists: 'logout-user'");
    program(&["list", "--fromat", "json"]).ran("").exits(2).says("'--format'");
    program(&["list", "--format", "jsn"]).ran("").exits(2).says("similar value exists: 'json'");
    program(&["backfill", "--type", "bigin"]).ran("").exits(2).says("value exists: 'bigint'");
}

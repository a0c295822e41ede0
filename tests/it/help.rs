use std::process::Command;

use crate::world::{RunToEnd, program};

const COMMANDS: [&str; 14] = [
    "backfill",
    "check",
    "completions",
    "decode",
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
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        let script = program(&["completions", shell]).ran("").ok().stdout;
        assert!(script.contains("purge-expired"), "{shell}");
    }
    program(&["completions", "csh"]).ran("").exits(2).says("possible values");
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
    }
    let _ = std::fs::remove_dir_all(&folder);
    assert!(program(&["man"]).ran("").ok().stdout.contains(".SH SUBCOMMANDS"));
}

#[test]
fn help_begins_with_examples_and_is_short_on_request() {
    for command in COMMANDS.iter().filter(|name| !["", "completions", "man"].contains(name)) {
        let long = program(&[command, "--help"]).ran("").ok().stdout;
        assert!(long.starts_with("Examples:\n  sessctl "), "{command}: {long}");
        let short = program(&[command, "-h"]).ran("").ok().stdout;
        assert!(!short.contains("Examples:") && short.contains("Usage:"), "{command}: {short}");
    }
    program(&["logout-usr", "42"]).ran("").exits(2).says("logout-user");
    program(&["list", "--fromat", "json"]).ran("").exits(2).says("--format");
}

//! `docs/options.md` is what `--help` says, made of the same definitions.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};
use sessctl::cli::Cli;

const HEAD: &str = "# Options

All options of all commands, for those who look one up without a terminal; `sessctl COMMAND --help` says the same. A program writes this page from
the command line's own definitions: `SESSCTL_TEST_WRITE=1 cargo test --locked --test it options`.

Durations are written `90s`, `5m`, `1h 30m` or `30d`.
";

fn page() -> String {
    let program = Cli::command();
    let mut page = HEAD.to_owned();
    let mut seen = Vec::new();
    for command in program.get_subcommands() {
        section(&mut page, command, &mut seen);
    }
    page += "\n## Every command\n";
    groups(&mut page, &program, &mut seen, "every command");
    page
}

fn section(page: &mut String, command: &Command, seen: &mut Vec<(String, String)>) {
    let name = command.get_name();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(page, "\n## {name}\n\n{}.", about.trim_end_matches('.'));
    groups(page, command, seen, name);
}

/// The options by the headings under which `--help` has them. A group that an earlier command has, too, is not repeated.
fn groups(page: &mut String, command: &Command, seen: &mut Vec<(String, String)>, name: &str) {
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set());
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in shown() {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    headings.sort_by_key(Option::is_some);
    for heading in headings {
        let args = shown().filter(|arg| arg.get_help_heading() == heading);
        let table: String = args.map(line).collect();
        let title = heading.unwrap_or("options").trim_end_matches(':');
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == table) {
            let _ = writeln!(page, "\n{title}: as for [`{first}`](#{first}).");
        } else {
            let _ = writeln!(page, "\n| {title} | |\n|---|---|\n{}", table.trim_end());
            seen.push((table, name.to_owned()));
        }
    }
}

fn line(arg: &Arg) -> String {
    let mut names: Vec<String> =
        arg.get_short().map(|short| format!("`-{short}`")).into_iter().collect();
    let values = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let values: Vec<&str> = values.unwrap_or_default().iter().map(|name| &**name).collect();
    let long = arg.get_long().map_or(String::new(), |long| format!("--{long} "));
    names.push(format!("`{}`", (long + &values.join(" ")).trim()));
    let mut help =
        arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let possible = arg.get_possible_values();
    let possible =
        possible.iter().filter(|value| !value.is_hide_set() && arg.get_action().takes_values());
    let possible: Vec<String> = possible
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}`: {help}", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !possible.is_empty() {
        let _ = write!(help, ". {}", possible.join("; "));
    }
    let defaults = arg.get_default_values();
    if let [default] = defaults
        && arg.get_action().takes_values()
    {
        let _ = write!(help, ". By default `{}`", default.display());
    }
    // A bar would end the cell, and a placeholder would be taken for HTML.
    let escaped = |text: &str| text.replace('|', "\\|").replace("\n\n", "<br>").replace('\n', " ");
    format!("| {} | {} |\n", escaped(&names.join(", ")), escaped(&help))
}

#[test]
fn the_page_of_options_is_what_help_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/options.md");
    let page = page();
    if std::env::var_os("SESSCTL_TEST_WRITE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == page,
        "docs/options.md is stale: SESSCTL_TEST_WRITE=1 cargo test --locked --test it options"
    );
}

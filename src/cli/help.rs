//! Lays out `--help` and `-h` of a command: one line for an option where that is enough, under the headings of `cli.rs`, the
//! options of every command last.

use std::fmt::Write as _;

use clap::builder::{StyledStr, Styles};
use clap::error::ErrorKind::{
    DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, InvalidSubcommand, UnknownArgument,
};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, CommandFactory, Error, FromArgMatches};

use super::Cli;
use crate::model::wrap;

/// Column in which the texts begin, and the one where the terminal is too narrow for that.
const COLUMN: usize = 31;
const NARROW: (usize, usize) = (64, 10);

/// Reads the command line. `width`: columns of the help, if it asks for that.
pub fn parse(width: usize) -> Result<Cli, Error> {
    let mut program = Cli::command().term_width(width);
    let mut matches = match program.try_get_matches_from_mut(std::env::args_os()) {
        // Only who asks for help waits for its pages, which take as long as all else before a command starts.
        Err(error) if shows_help(&error) => {
            program_with_help(width).try_get_matches_from(std::env::args_os())?
        }
        result => result.map_err(suggest)?,
    };
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut program))
}

/// Suggests the command or the option that does what was typed.
fn suggest(error: Error) -> Error {
    match error.kind() {
        InvalidSubcommand => suggest_delete(error),
        UnknownArgument => {
            let commands = ["delete", "logout-user"];
            let typed = std::env::args_os().skip(1);
            let command = typed.filter_map(|word| commands.into_iter().find(|name| word == *name));
            match command.take(1).next() {
                Some(command) => suggest_option(error, command),
                None => error,
            }
        }
        _ => error,
    }
}

/// Suggests options by other names that they might have, and `--session` for the beginning of a key without it.
fn suggest_option(mut error: Error, command: &str) -> Error {
    const PER_USER: [&str; 3] = ["per-user", "newest", "max-sessions"];
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    if typed.starts_with("--") && PER_USER.iter().any(|word| typed.contains(word)) {
        let option = if command == "delete" { "--beyond-newest" } else { "--keep-newest" };
        error.insert(ContextKind::SuggestedArg, ContextValue::String(option.into()));
    } else if command == "delete" && !typed.starts_with('-') {
        // It may be a whole key, with which somebody can log in.
        let beginning: String = typed.chars().take(4).collect();
        let tips = [
            "'--session PREFIX' takes the beginning of the key of a session",
            "'sessctl logout-user ID' and '--username NAME' of it take users",
        ];
        let tips = tips.map(StyledStr::from).to_vec();
        error.insert(ContextKind::InvalidArg, ContextValue::String(beginning + "..."));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

/// Suggests `delete --session` to who types a command that would be called like it.
fn suggest_delete(mut error: Error) -> Error {
    const VERBS: [&str; 6] = ["logout", "delete", "end", "kill", "remove", "revoke"];
    let is_meant = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) => {
            typed.contains("session") && VERBS.iter().any(|verb| typed.starts_with(verb))
        }
        _ => false,
    };
    if is_meant {
        let suggestion = ContextValue::Strings(vec!["delete --session".into()]);
        error.insert(ContextKind::SuggestedSubcommand, suggestion);
    }
    error
}

fn shows_help(error: &Error) -> bool {
    matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand)
}

fn program_with_help(width: usize) -> Command {
    let mut program = Cli::command().term_width(width);
    // After this, each command has the global options, too.
    program.build();
    program.mut_subcommands(|command| {
        if command.get_name() == "help" {
            return command;
        }
        let (short, long) = (short_page(&command, width), long_page(&command, width));
        let command = command.mut_args(|arg| arg.hide_short_help(true).hide_long_help(true));
        command.after_help(short).after_long_help(long)
    })
}

fn long_page(command: &Command, width: usize) -> String {
    let mut page = own_options(command, width, whole_text);
    heading(&mut page, command, "Every command (sessctl --help says more)");
    for arg in shown(command).filter(|arg| is_global(arg)) {
        line(&mut page, arg, &first_sentence(arg), width);
    }
    page.trim_end().to_owned()
}

fn short_page(command: &Command, width: usize) -> String {
    let mut page = own_options(command, width, first_sentence);
    heading(&mut page, command, "Every command (sessctl -h)");
    let globals = shown(command).filter(|arg| is_global(arg));
    let names: Vec<String> = globals.map(|arg| name(arg).replace(' ', "\u{a0}")).collect();
    for line in wrap(&names.join(" "), width.saturating_sub(2)) {
        let _ = writeln!(page, "  {line}");
    }
    page.trim_end().to_owned()
}

fn own_options(command: &Command, width: usize, text: fn(&Arg) -> String) -> String {
    let own = || shown(command).filter(|arg| !is_global(arg));
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in own() {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    let mut page = String::new();
    for title in headings {
        heading(&mut page, command, title.unwrap_or("Options"));
        for arg in own().filter(|arg| arg.get_help_heading() == title) {
            line(&mut page, arg, &text(arg), width);
        }
        page.push('\n');
    }
    page
}

/// The options that a help shows. Those for programs are hidden.
fn shown(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_hide_set())
}

/// Whether every command has it. So are clap's own, `--help` and `--version`.
fn is_global(arg: &Arg) -> bool {
    arg.is_global_set() || ["help", "version"].contains(&arg.get_id().as_str())
}

fn heading(page: &mut String, command: &Command, title: &str) {
    let style = command.get_styles().get_header();
    let _ = writeln!(page, "{style}{title}:{style:#}");
}

/// Writes an option: its name, and its text beside that, or below where the name is long.
fn line(page: &mut String, arg: &Arg, text: &str, width: usize) {
    let column = if width < NARROW.0 { NARROW.1 } else { COLUMN };
    let (name, styles) = (name(arg), Styles::default());
    let style = styles.get_literal();
    let _ = write!(page, "  {style}{name}{style:#}");
    let mut at = 2 + name.chars().count();
    if at >= column {
        page.push('\n');
        at = 0;
    }
    for line in wrap(text, width.saturating_sub(column)) {
        let _ = writeln!(page, "{:at$}{line}", "", at = column - at);
        at = 0;
    }
}

fn name(arg: &Arg) -> String {
    match arg.get_short() {
        Some(short) if arg.get_long().is_some() => format!("-{short}, {arg}"),
        _ => arg.to_string(),
    }
}

fn help(arg: &Arg) -> String {
    arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default()
}

fn first_sentence(arg: &Arg) -> String {
    let help = help(arg);
    help.split(". ").next().unwrap_or_default().to_owned()
}

/// The whole help text, with the possible values and the default.
fn whole_text(arg: &Arg) -> String {
    let mut text = help(arg);
    if !arg.get_action().takes_values() {
        return text;
    }
    let values = arg.get_possible_values();
    let values: Vec<String> = values
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| match value.get_help() {
            Some(help) => format!("{} ({help})", value.get_name()),
            None => value.get_name().to_owned(),
        })
        .collect();
    if !values.is_empty() {
        let _ = write!(text, ": {}", values.join(", "));
    }
    for default in arg.get_default_values() {
        let _ = write!(text, " [default:\u{a0}{}]", default.display());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{first_sentence, help, is_global, name, program_with_help, shown};

    /// What `--help` of each command shows, with its description.
    fn helps(width: usize) -> Vec<(clap::Command, String)> {
        let program = program_with_help(width);
        let commands = program.get_subcommands().filter(|command| command.get_name() != "help");
        commands
            .map(|command| (command.clone(), command.clone().render_long_help().to_string()))
            .collect()
    }

    #[test]
    fn nothing_that_is_said_of_an_option_is_lost() {
        for (command, text) in helps(100) {
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let text = words(&text);
            for arg in shown(&command) {
                let said = if is_global(arg) { first_sentence(arg) } else { help(arg) };
                let line = words(&format!("{} {said}", name(arg)));
                assert!(text.contains(&line), "{}: {line}: {text}", command.get_name());
            }
        }
    }

    #[test]
    fn an_option_of_every_command_takes_one_line() {
        for width in [80, 100] {
            for (command, text) in helps(width) {
                let (_, lines) = text.split_once("\nEvery command").unwrap();
                let options = shown(&command).filter(|arg| is_global(arg)).count();
                assert!(options > 15);
                assert_eq!(lines.trim().lines().count(), 1 + options, "{lines}");
            }
        }
    }

    #[test]
    fn help_is_as_wide_as_it_may_be() {
        for width in [40, 80, 100] {
            for (_, text) in helps(width) {
                let (_, options) = text.split_once("Usage:").unwrap();
                for line in options.lines().skip(1) {
                    assert!(line.chars().count() <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn whom_comes_first_and_the_dry_run_begins_what_is_safe() {
        for (command, text) in helps(100) {
            let own = command.get_arguments().filter(|arg| !is_global(arg));
            let mut headings = Vec::new();
            for heading in own.filter_map(clap::Arg::get_help_heading) {
                if !headings.contains(&heading) {
                    headings.push(heading);
                }
            }
            let order = ["Whom", "Safety", "Column", "Which sessions", "Pace", "Output"];
            let places = headings.iter().map(|title| order.iter().position(|known| known == title));
            assert!(places.clone().all(|place| place.is_some()), "{headings:?}");
            assert!(places.is_sorted(), "{}: {headings:?}", command.get_name());
            if text.contains("--dry-run ") {
                assert!(text.contains("\nSafety:\n  -n, --dry-run "), "{text}");
            }
        }
    }
}

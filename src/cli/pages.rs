//! What is made of the command line's own description: completions and manual pages.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// Writes a script that completes what is typed in this shell.
pub fn write_completions(shell: Shell, out: &mut dyn Write) {
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut { out });
}

/// The name and the text of the manual page of every command, the program's own first.
pub fn manual_pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut program = Cli::command();
    program.build();
    let mut pages = vec![manual_page(program.clone())?];
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        pages.push(manual_page(command.clone())?);
    }
    Ok(pages)
}

fn manual_page(command: Command) -> io::Result<(String, Vec<u8>)> {
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command);
    page.render(&mut text)?;
    Ok((page.get_filename(), text))
}

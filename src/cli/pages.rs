//! Shell completions and manual pages, made of clap's description of the command line.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Cli;

const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "All is done; after \"none is left\", that is proved."),
    ("1", "Failed: connection, SQL, files."),
    ("2", "Wrong usage, configuration or key; or the store cannot do what was asked."),
    ("3", "Incomplete or in doubt. The report says why."),
    ("4", "Not confirmed; nothing was changed."),
    ("5", "sessctl doctor found a problem."),
    (
        "129, 130, 143",
        "Ended by SIGHUP, SIGINT or SIGTERM, after the current batch and with a report.",
    ),
];

/// The exit codes of a Nagios plugin.
const EXIT_STATUS_OF_CHECK: &[(&str, &str)] = &[
    ("0", "OK"),
    ("1", "WARNING"),
    ("2", "CRITICAL"),
    ("3", "UNKNOWN: the check could not be made."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "SESSCTL_DATABASE_URL, DATABASE_URL",
        "The database, without --database. The first that is set counts.",
    ),
    (
        "PGHOST, PGDATABASE, PGSERVICE and other variables of libpq",
        "What neither of these says of a PostgreSQL database.",
    ),
    (
        "MYSQL_HOST, MYSQL_PWD, MYSQL_TCP_PORT, MYSQL_UNIX_PORT",
        "What neither a mysql:// URL nor an option file says of a MySQL or MariaDB database.",
    ),
    (
        "SESSCTL_SECRET_KEY, DJANGO_SECRET_KEY, SECRET_KEY",
        "The site's SECRET_KEY, without --secret-key-file. The first that is set counts. Fallbacks are in variables of \
         these names with _FALLBACKS behind them, as a JSON array or with commas; those of all three count.",
    ),
    ("SESSCTL_ENGINE", "The site's session engine, without --engine: db or cached_db."),
    ("DJANGO_SETTINGS_MODULE, VIRTUAL_ENV", "For --django: settings module and interpreter."),
    (
        "NO_COLOR, TERM",
        "There is no colour if NO_COLOR is set or TERM is dumb, and no progress bar if TERM is dumb.",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "~/.pgpass",
        "Passwords for PostgreSQL; only its owner may read it. PGPASSFILE names another one.",
    ),
    (
        "~/.pg_service.conf",
        "Services of PostgreSQL. PGSERVICEFILE names another one; pg_service.conf in PGSYSCONFDIR comes after it.",
    ),
    (
        "~/.postgresql/root.crt",
        "Certificates that a PostgreSQL server is trusted by, without sslrootcert.",
    ),
    (
        "/etc/my.cnf, /etc/mysql/my.cnf, ~/.my.cnf",
        "Options for MySQL and MariaDB, with passwords among them; later files count more.",
    ),
    (
        "DATABASE-sessctl",
        "Locked beside a SQLite database while its expired sessions are purged, then removed.",
    ),
];

/// Writes the completion script of a shell.
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
    let examples = command.get_before_long_help().map(ToString::to_string).unwrap_or_default();
    let is_check = command.get_name() == "check";
    let has_commands = command.has_subcommands();
    // Examples and exit codes have sections of their own.
    let page = Man::new(command.before_long_help(None).after_help(None));
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if has_commands {
        page.render_subcommands_section(&mut text)?;
    }
    let mut more = Roff::new();
    more.control("SH", ["EXAMPLES"]).control("nf", []);
    more.text(
        examples
            .lines()
            .skip(1)
            .map(|line| roman(format!("{}\n", line.trim())))
            .collect::<Vec<_>>(),
    );
    more.control("fi", []);
    section(&mut more, "EXIT STATUS", if is_check { EXIT_STATUS_OF_CHECK } else { EXIT_STATUS });
    section(&mut more, "ENVIRONMENT", ENVIRONMENT);
    section(&mut more, "FILES", FILES);
    more.to_writer(&mut text)?;
    page.render_version_section(&mut text)?;
    Ok((page.get_filename(), text))
}

fn section(page: &mut Roff, title: &str, entries: &[(&str, &str)]) {
    page.control("SH", [title]);
    for (name, text) in entries {
        page.control("TP", []);
        page.text([bold(*name)]);
        page.text([roman(*text)]);
    }
}

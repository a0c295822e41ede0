//! The command line: every command, option and help text, as clap reads them. No logic and no I/O; `settings` turns the
//! typed texts into values.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

mod backfill;
mod check;
mod completions;
mod conditions;
mod decode;
mod delete;
mod django_code;
mod doctor;
mod examples;
mod flush_all;
mod help;
mod list;
mod logout_user;
mod man;
mod pages;
mod purge_expired;
mod shared;
mod show;
mod stats;
mod user_selectors;

use std::ffi::OsString;
use std::path::PathBuf;

pub use backfill::{AutoColumnType, Backfill};
pub use check::Check;
pub use completions::Completions;
pub use conditions::{Conditions, LayoutName, SerializerName};
pub use decode::Decode;
pub use delete::Delete;
pub use django_code::{ColumnType, DjangoCode};
pub use doctor::{Doctor, Granted};
pub use flush_all::FlushAll;
pub use help::parse;
pub use list::{List, ListColumn, ListFormat, SortBy};
pub use logout_user::LogoutUser;
pub use man::Man;
pub use pages::{manual_pages, write_completions};
pub use purge_expired::PurgeExpired;
pub use shared::{Audit, Batches, Cache, Pace, References, ReportFormat, Saved, UserLookup};
pub use show::Show;
pub use stats::Stats;
pub use user_selectors::{UserSelectors, Whom};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

const DATABASE: &str = "Database and key";
const PROJECT: &str = "Django project";

// The headings of commands, in this order.
const WHOM: &str = "Whom";
const SAFETY: &str = "Safety";
const WHICH: &str = "Which sessions";
const PACE: &str = "Pace";
const OUTPUT: &str = "Output";

/// Administer a Django session table from outside Django.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, before_long_help = examples::SESSCTL)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage or wrong key, 3 incomplete, 4 not confirmed, 5 doctor found a problem, 129/130/143 interrupted."
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Whether the first argument that names a command is `check`, even where the rest of the command line is wrong.
pub fn is_check(arguments: impl Iterator<Item = OsString>) -> bool {
    let commands = Cli::command();
    let mut arguments = arguments.skip(1).filter_map(|argument| argument.into_string().ok());
    arguments
        .find(|argument| commands.find_subcommand(argument).is_some())
        .is_some_and(|command| command == "check")
}

/// Options of every command.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct Global {
    /// Database: a URL, a file or key=value pairs.
    /// postgres://user@host/db, mysql://user@host/db (MySQL, MariaDB) or sqlite:////abs/path; otherwise
    /// SESSCTL_DATABASE_URL, DATABASE_URL, then libpq's PGHOST, PGDATABASE, PGSERVICE.
    #[arg(short, long, global = true, value_name = "URL", help_heading = DATABASE)]
    pub database: Option<String>,
    /// Session table; django_session by default.
    #[arg(long, global = true, value_name = "[SCHEMA.]NAME", help_heading = DATABASE)]
    pub table: Option<String>,
    /// Schema (MySQL: database); may be repeated. With django-tenants each tenant has one.
    #[arg(long = "schema", global = true, value_name = "NAME", help_heading = DATABASE)]
    pub schemas: Vec<String>,
    /// Every schema with a session table, one by one.
    #[arg(long, global = true, conflicts_with = "schemas", help_heading = DATABASE)]
    pub all_schemas: bool,
    /// File with SECRET_KEY; - is standard input. The key is its first line, fallbacks are the others.
    /// Otherwise SESSCTL_SECRET_KEY, DJANGO_SECRET_KEY, SECRET_KEY.
    #[arg(long, global = true, value_name = "FILE", help_heading = DATABASE)]
    pub secret_key_file: Option<PathBuf>,
    /// key_salt, if the class is not called SessionStore. That of the site's class.
    #[arg(long, global = true, value_name = "SALT", help_heading = DATABASE)]
    pub key_salt: Option<String>,
    /// Key in the data with the user id; may be repeated. The site keeps it there, and not under
    /// _auth_user_id: the first that a session has counts.
    #[arg(long = "user-key", global = true, value_name = "KEY", help_heading = DATABASE)]
    pub user_keys: Vec<String>,
    /// Key with the user behind an impersonation. For packages other than django-hijack and
    /// django-loginas; it holds an id, a list of ids, or a signed id. May be repeated.
    #[arg(long = "also-key", global = true, value_name = "KEY", help_heading = DATABASE)]
    pub also_keys: Vec<String>,
    /// The site's session engine: db or cached_db. With the latter a cache is asked before the table.
    /// Otherwise SESSCTL_ENGINE.
    #[arg(long, global = true, value_enum, value_name = "ENGINE", help_heading = DATABASE)]
    pub engine: Option<Engine>,
    /// Time zone of the naive times in SQLite and MySQL. UTC if USE_TZ, else TIME_ZONE.
    #[arg(long, global = true, value_name = "ZONE", allow_hyphen_values = true, help_heading = DATABASE)]
    pub db_timezone: Option<String>,
    /// Give up on a database that is silent this long. A server or a file; by default 1m for a batch and 10m for
    /// the next row of a scan.
    #[arg(long, global = true, value_name = "DURATION", help_heading = DATABASE)]
    pub answer_timeout: Option<String>,
    /// Run code of others, too, as a superuser. Views, triggers and other code that others have put into the
    /// tables then run with a superuser's rights.
    #[arg(long, global = true, help_heading = DATABASE)]
    pub superuser_ok: bool,
    /// Ask this Django project for the rest (runs code). PATH is its folder, or its manage.py. It is asked once, for
    /// all that is not given as an option.
    #[arg(long, global = true, value_name = "PATH", help_heading = PROJECT)]
    pub django: Option<PathBuf>,
    /// Its interpreter. Otherwise that of $VIRTUAL_ENV, of .venv or venv in its folder, or python3.
    #[arg(long, global = true, value_name = "EXE", help_heading = PROJECT)]
    pub python: Option<PathBuf>,
    /// Its settings module. Otherwise what DJANGO_SETTINGS_MODULE or its manage.py says.
    #[arg(long, global = true, value_name = "MODULE", help_heading = PROJECT)]
    pub settings: Option<String>,
    /// A pipe with the answer of a Django project that asked itself: the Django app of the Python package calls sessctl
    /// with it.
    #[arg(long, global = true, hide = true, value_name = "FILE", conflicts_with_all = ["django", "python", "settings"])]
    pub django_answer: Option<PathBuf>,
    /// No progress bar, no notes, no report for people.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more on standard error.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Standard error as text or as JSON. JSON also has progress, every five seconds.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// The list of commands. Each is described in its own file.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "each is described in its own file")]
pub enum Command {
    LogoutUser(LogoutUser),
    PurgeExpired(PurgeExpired),
    FlushAll(FlushAll),
    Delete(Delete),
    Backfill(Backfill),
    Doctor(Doctor),
    Check(Check),
    List(List),
    Show(Show),
    Stats(Stats),
    Decode(Decode),
    DjangoCode(DjangoCode),
    Completions(Completions),
    Man(Man),
}

/// Where a site looks for its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// In the table.
    #[value(name = "db")]
    Db,
    /// In a cache first, then in the table.
    #[value(name = "cached_db")]
    CachedDb,
}

/// How standard error is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

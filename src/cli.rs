//! What was typed. No logic and no I/O: `settings` makes sense of it.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, where backticks are noise"
)]

mod examples;
mod looks;
mod pages;
mod shared;
mod tools;
mod whose;

use std::ffi::OsString;
use std::path::PathBuf;

pub use looks::{Check, Doctor, Granted, List, ListFormat, Show, Stats};
pub use pages::{manual_pages, write_completions};
pub use shared::{Audit, Batches, Pace, ReportFormat, Saved, UserLookup};
pub use tools::{ColumnType, Completions, Decode, DjangoCode, Man};
pub use whose::Whose;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

const DATABASE: &str = "Database and key";
const PROJECT: &str = "Django project";

/// Administer a Django session table from outside Django.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, before_long_help = examples::SESSCTL)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage or wrong key, 3 incomplete, 4 not confirmed, 5 doctor found a problem, 129/130/143 interrupted."
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Whether it is `check` that was typed, however wrongly: the first argument that names a command.
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
    /// Database: postgres://user@host/db, key=value pairs, sqlite:////abs/path or a file.
    /// Otherwise SESSCTL_DATABASE_URL, DATABASE_URL, then libpq's PGHOST, PGDATABASE, PGSERVICE.
    #[arg(short, long, global = true, value_name = "URL", help_heading = DATABASE)]
    pub database: Option<String>,
    /// Session table; django_session by default.
    #[arg(long, global = true, value_name = "[SCHEMA.]NAME", help_heading = DATABASE)]
    pub table: Option<String>,
    /// Schema of the session table (PostgreSQL); may be repeated. With django-tenants each tenant has one.
    #[arg(long = "schema", global = true, value_name = "NAME", help_heading = DATABASE)]
    pub schemas: Vec<String>,
    /// Every schema that has a session table, one after the other.
    #[arg(long, global = true, conflicts_with = "schemas", help_heading = DATABASE)]
    pub all_schemas: bool,
    /// File with SECRET_KEY in its first line and fallbacks in the others; - is standard input.
    /// Otherwise SESSCTL_SECRET_KEY, DJANGO_SECRET_KEY, SECRET_KEY.
    #[arg(long, global = true, value_name = "FILE", help_heading = DATABASE)]
    pub secret_key_file: Option<PathBuf>,
    /// SessionStore.key_salt of a site whose class is not called SessionStore.
    #[arg(long, global = true, value_name = "SALT", help_heading = DATABASE)]
    pub key_salt: Option<String>,
    /// Key of the session data under which the site keeps the user id, instead of _auth_user_id; may be
    /// repeated: the first that a session has counts.
    #[arg(long = "user-key", global = true, value_name = "KEY", help_heading = DATABASE)]
    pub user_keys: Vec<String>,
    /// Key under which another package than django-hijack and django-loginas keeps who is behind an
    /// impersonation: an id, a list of ids, or a signed id; may be repeated.
    #[arg(long = "also-key", global = true, value_name = "KEY", help_heading = DATABASE)]
    pub also_keys: Vec<String>,
    /// The site's session engine: with cached_db a cache is asked before the table.
    /// Otherwise SESSCTL_ENGINE.
    #[arg(long, global = true, value_enum, value_name = "ENGINE", help_heading = DATABASE)]
    pub engine: Option<Engine>,
    /// Time zone of the naive times in SQLite: UTC if USE_TZ, else TIME_ZONE.
    #[arg(long, global = true, value_name = "ZONE", allow_hyphen_values = true, help_heading = DATABASE)]
    pub db_timezone: Option<String>,
    /// Give up on a server or a file that does not answer for so long; 1m for a batch and 10m for
    /// the next row of a scan by default.
    #[arg(long, global = true, value_name = "DURATION", help_heading = DATABASE)]
    pub answer_timeout: Option<String>,
    /// As a PostgreSQL superuser, also use tables in which others have put views, triggers or other code, which then
    /// runs with a superuser's rights.
    #[arg(long, global = true, help_heading = DATABASE)]
    pub superuser_ok: bool,
    /// Ask this Django project, once, for what is not given above: its folder, or its manage.py. Runs
    /// its code.
    #[arg(long, global = true, value_name = "PATH", help_heading = PROJECT)]
    pub django: Option<PathBuf>,
    /// Its interpreter. Otherwise that of $VIRTUAL_ENV, of .venv or venv in its folder, or python3.
    #[arg(long, global = true, value_name = "EXE", help_heading = PROJECT)]
    pub python: Option<PathBuf>,
    /// Its settings module. Otherwise what DJANGO_SETTINGS_MODULE or its manage.py says.
    #[arg(long, global = true, value_name = "MODULE", help_heading = PROJECT)]
    pub settings: Option<String>,
    /// No progress bar, no notes, no report for people.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more on standard error.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// What standard error looks like; json also tells progress, every five seconds.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Delete all live sessions of users, and prove that none is left.
    LogoutUser(LogoutUser),
    /// Delete expired sessions beside a live site, as cron does.
    PurgeExpired(PurgeExpired),
    /// Log everybody out: delete all sessions.
    FlushAll(FlushAll),
    /// Add a column that says whose each session is, and fill it.
    Backfill(Backfill),
    /// Look at everything that sessctl depends on, and say what is wrong and what to do.
    Doctor(Doctor),
    /// Say whether expired sessions pile up, as a Nagios plugin does.
    Check(Check),
    /// List sessions.
    List(List),
    /// Show one session.
    Show(Show),
    /// Say what is in the table: who is logged in, in what formats, what takes the space.
    Stats(Stats),
    /// Decode session_data values; needs no database.
    Decode(Decode),
    /// Print a Django app with which the site itself says in the table whose a session is.
    DjangoCode(DjangoCode),
    /// Print a script with which a shell completes these commands.
    Completions(Completions),
    /// Print the manual page, or write those of all commands into a folder.
    Man(Man),
}

/// Arguments of `logout-user`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::LOGOUT_USER)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct LogoutUser {
    /// Primary keys of the users.
    #[arg(
        value_name = "USER_ID",
        allow_negative_numbers = true,
        required_unless_present_any = Whose::OR_IDS
    )]
    pub users: Vec<String>,
    /// Also the ids in this file, one a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub from_file: Option<PathBuf>,
    /// By what else.
    #[command(flatten)]
    pub whose: Whose,
    /// Keep the one session whose key begins so (at least 8 characters): your own, say.
    #[arg(long, value_name = "PREFIX")]
    pub except: Option<String>,
    /// Show what would be deleted, and delete nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Wait before the second look, for requests in flight to end.
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub settle: String,
    /// Do not take a second look.
    #[arg(long, conflicts_with = "settle")]
    pub no_verify: bool,
    /// Leave sessions of these users that none of the keys verifies. They are counted, and make the exit code 3.
    #[arg(long)]
    pub verified_only: bool,
    /// Take the login out of the sessions and keep the rest: carts. Only deleting cannot be undone by
    /// a request in flight.
    #[arg(long, conflicts_with = "no_verify")]
    pub keep_data: bool,
    /// Delete the rows that django-allauth (allauth.usersessions) has for these sessions, too.
    #[arg(long)]
    pub cleanup_allauth: bool,
    /// Print the cache keys of the sessions that are gone, one a line, for a site with cached_db:
    /// | xargs redis-cli DEL. Each is a login. The report then goes to standard error.
    #[arg(long)]
    pub print_cache_keys: bool,
    /// By what column.
    #[command(flatten)]
    pub lookup: UserLookup,
    /// When they were saved.
    #[command(flatten)]
    pub saved: Saved,
    /// How fast to delete.
    #[command(flatten)]
    pub batches: Batches,
    /// What to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
    /// What is put on record.
    #[command(flatten)]
    pub audit: Audit,
}

/// Arguments of `purge-expired`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::PURGE_EXPIRED)]
pub struct PurgeExpired {
    /// Leave what expired less than this ago.
    #[arg(long, value_name = "DURATION", default_value = "0s", allow_hyphen_values = true)]
    pub older_than: String,
    /// Count what would be deleted, and delete nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// If another sessctl of this user purges this database, end well; if somebody else holds its lock, with exit code 3.
    #[arg(long)]
    pub skip_if_running: bool,
    /// Write metrics for the textfile collector of Prometheus' node exporter.
    #[arg(long, value_name = "FILE.prom")]
    pub metrics_file: Option<PathBuf>,
    /// Renew the planner's statistics of the table at the end.
    #[arg(long)]
    pub analyze: bool,
    /// What to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
    /// How fast to delete.
    #[command(flatten)]
    pub pace: Pace,
    /// What is put on record.
    #[command(flatten)]
    pub audit: Audit,
}

/// Arguments of `flush-all`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::FLUSH_ALL)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct FlushAll {
    /// Do it without asking.
    #[arg(long)]
    pub yes: bool,
    /// Say what would go, and delete nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Leave the sessions of this user; may be repeated.
    #[arg(long = "except-user", value_name = "ID", allow_negative_numbers = true)]
    pub except_users: Vec<String>,
    /// Leave sessions that name no user: carts.
    #[arg(long)]
    pub authenticated_only: bool,
    /// With --authenticated-only or --keep-data: leave sessions of users that none of the keys verifies. They are
    /// counted, and make the exit code 3.
    #[arg(long, conflicts_with = "truncate")]
    pub verified_only: bool,
    /// Take the login out of the sessions and keep the rest: carts. Only deleting cannot be undone by
    /// a request in flight.
    #[arg(long)]
    pub keep_data: bool,
    /// Delete the rows that django-allauth (allauth.usersessions) has for these sessions, too.
    #[arg(long)]
    pub cleanup_allauth: bool,
    /// Print the cache keys of the sessions that are gone, one a line, for a site with cached_db:
    /// | xargs redis-cli DEL. Each is a login. The report then goes to standard error.
    #[arg(long, conflicts_with = "truncate")]
    pub print_cache_keys: bool,
    /// Empty the table at once, with a lock that keeps everybody out for an instant.
    #[arg(long, conflicts_with_all = ["except_users", "authenticated_only", "keep_data", "limit", "pause_file"])]
    pub truncate: bool,
    /// What to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
    /// How fast to delete.
    #[command(flatten)]
    pub pace: Pace,
    /// What is put on record.
    #[command(flatten)]
    pub audit: Audit,
}

/// Arguments of `backfill`.
#[derive(Debug, Args)]
#[command(before_long_help = examples::BACKFILL)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch that was typed")]
pub struct Backfill {
    /// Name of the column.
    #[arg(long, value_name = "NAME", default_value = "user_id")]
    pub column: String,
    /// Its type; auto looks at the key of auth_user and at the ids in the sessions.
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value = "auto")]
    pub column_type: AutoColumnType,
    /// Do not index it: every lookup by user then reads all rows.
    #[arg(long)]
    pub no_index: bool,
    /// Fill expired sessions too.
    #[arg(long)]
    pub include_expired: bool,
    /// Put right what the column says already, too.
    #[arg(long)]
    pub restart: bool,
    /// Show the SQL and count what would be filled, and write nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Only say how many logins of the last hour the site left without a user id.
    #[arg(long, conflicts_with_all = ["dry_run", "restart"])]
    pub watch_nulls: bool,
    /// What to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
    /// How fast to write.
    #[command(flatten)]
    pub pace: Pace,
    /// What is put on record.
    #[command(flatten)]
    pub audit: Audit,
}

/// What a user column is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AutoColumnType {
    /// Whatever fits.
    Auto,
    /// Any id.
    Text,
    /// 64-bit numbers.
    Bigint,
    /// UUIDs.
    Uuid,
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

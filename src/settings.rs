//! Turns the command line, the environment and files into resolved settings, once. Later code reads no connection options and
//! no environment.

mod cache;
mod conditions;
mod database;
mod django;
mod ids;
mod operator;
mod secrets;
mod window;
mod zone;

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use django_session::{Codec, DEFAULT_KEY_SALT, Encode, Keyring, LoginKeys};

use crate::cli;
use crate::engine::{BatchSize, Pace};
use crate::error::Error;
use crate::files;
use crate::model::may_be_login;
use crate::store::{Capability, Table, Traits, UserColumn, Users};

pub use cache::{Cache, cache};
pub use conditions::{bytes, key_and_value};
pub use database::{Backends, Database, database};
pub use django::{Project, probe, project};
pub use ids::{Ids, check_selectors, ids_of_users, refuse_blank, user_ids};
pub use operator::{arguments, operator, refuse_misplaced_connection};
pub use secrets::KeyVariants;
pub use window::saved_window;

/// Settings for sessctl alone, of glibc's allocator and of a driver: environment variables and their values. Programs that
/// sessctl starts do not inherit them.
pub const OF_MEMORY: [(&str, &str); 2] =
    [("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=1048576"), crate::store::BUFFERS];

/// The session table: the one that was named, or the project's; in this schema, if one is given.
pub fn table(
    global: &cli::Global,
    project: Option<&Project>,
    schema: Option<&str>,
) -> Result<Table, Error> {
    refuse_blank("--table", &global.table)?;
    refuse_blank("--schema", &global.schemas)?;
    let table = match (&global.table, project) {
        (Some(table), _) => table.parse()?,
        (None, Some(project)) => project.table()?.unwrap_or_default(),
        (None, None) => Table::default(),
    };
    if let (Some(of_table), true) =
        (table.schema(), global.all_schemas || !global.schemas.is_empty())
    {
        return Err(Error::usage(
            format!("the table is named with a schema already: \"{of_table}\""),
            "leave it out there, or leave out --schema and --all-schemas",
        ));
    }
    Ok(schema.map_or(Ok(table.clone()), |schema| table.in_schema(schema))?)
}

/// The table of users: the project's, or Django's own; in the schema of the sessions, if that is known.
pub fn users(project: Option<&Project>, sessions: &Table) -> Result<Users, Error> {
    let Some(project) = project else { return Ok(Users::beside(sessions)) };
    let users = project.users()?;
    match (sessions.schema(), users.table.schema()) {
        (Some(schema), None) => Ok(Users { table: users.table.in_schema(schema)?, ..users }),
        _ => Ok(users),
    }
}

/// The codec with the secret keys from the file, the project or the environment.
pub fn codec(global: &cli::Global, project: Option<&Project>) -> Result<Codec, Error> {
    let secrets = match (&global.secret_key_file, project) {
        (Some(file), _) => secrets::of_file(file)?,
        (None, Some(project)) => project.secrets(),
        (None, None) => secrets::of_environment()?,
    };
    let keyring = Keyring::new(secrets, key_salt(global, project));
    let encode = match project {
        Some(project) if project.has_own_encode() => Encode::Own,
        // Both engines that --engine can name are Django's own.
        None if engine(global)?.is_none() => Encode::Unknown,
        _ => Encode::Django,
    };
    let login = login_keys(global, project)?;
    Ok(Codec { keyring, login, encode, ..Codec::default() })
}

/// A variable with fallback keys that is set, but not read because there is a key file.
pub fn unread_fallbacks(global: &cli::Global) -> Option<&'static str> {
    global.secret_key_file.as_ref().and_then(|_| secrets::fallbacks_variable())
}

/// Variants of the first key, to explain why it is not the site's.
pub fn key_variants(global: &cli::Global, project: Option<&Project>, codec: &Codec) -> KeyVariants {
    KeyVariants::new(codec, key_salt(global, project))
}

fn key_salt<'s>(global: &'s cli::Global, project: Option<&'s Project>) -> &'s str {
    let key_salt = global.key_salt.as_deref().or(project.map(Project::key_salt));
    key_salt.unwrap_or(DEFAULT_KEY_SALT)
}

/// The site's session engine, if an option or the environment names it.
pub fn engine(global: &cli::Global) -> Result<Option<cli::Engine>, Error> {
    const VARIABLE: &str = "SESSCTL_ENGINE";
    let named = std::env::var_os(VARIABLE).filter(|named| !named.is_empty());
    match (global.engine, named) {
        (Some(engine), _) => Ok(Some(engine)),
        (None, None) => Ok(None),
        (None, Some(named)) if named == "db" => Ok(Some(cli::Engine::Db)),
        (None, Some(named)) if named == "cached_db" => Ok(Some(cli::Engine::CachedDb)),
        (None, Some(_)) => Err(Error::usage(
            format!("{VARIABLE} is neither db nor cached_db"),
            "set it to one of these, or unset it",
        )),
    }
}

/// The keys in session data that hold user ids: Django's or those of `--user-key`, then those of packages and `--also-key`.
fn login_keys(global: &cli::Global, project: Option<&Project>) -> Result<LoginKeys, Error> {
    if global.user_keys.iter().chain(&global.also_keys).any(|key| key.trim().is_empty()) {
        return Err(Error::usage(
            "a key of the session is blank",
            "--user-key and --also-key name a top-level key of the session data, such as _auth_user_id",
        ));
    }
    let mut keys = LoginKeys::default();
    if !global.user_keys.is_empty() {
        keys.user.clone_from(&global.user_keys);
    }
    // An operator who names keys of logins says that the others are none.
    keys.may_be_own = global.user_keys.is_empty().then_some(may_be_login);
    keys.also.extend_from_slice(&global.also_keys);
    keys.also.extend(project.and_then(Project::also_key).map(Into::into));
    Ok(keys)
}

/// How fast to delete.
pub fn batches(args: &cli::Batches) -> Result<Pace, Error> {
    let rows = args.batch_size.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX));
    Ok(Pace {
        batch_size: rows.map_or(BatchSize::Adaptive, BatchSize::Fixed),
        sleep: duration("--sleep", &args.sleep)?,
        ..Pace::default()
    })
}

/// How fast to delete, and until when.
pub fn pace(args: &cli::Pace, traits: &Traits) -> Result<Pace, Error> {
    if !(0.0..=1000.0).contains(&args.nice) {
        return Err(Error::usage(
            format!("{} is no factor for --nice", args.nice),
            "1 rests as long as the work took; 0 not at all; at most 1000",
        ));
    }
    if args.max_lag.is_some() {
        traits.demand(Capability::Replicas)?;
        if traits.names_replicas && args.replicas.is_empty() {
            return Err(Error::usage(
                format!(
                    "--max-lag: a server of {} does not know how far its replicas are behind",
                    traits.name
                ),
                "name each with --replica URL, or leave --max-lag out; --pause-file pauses for any reason",
            ));
        }
    }
    let optional = |option, text: &Option<String>| {
        text.as_deref().map(|text| duration(option, text)).transpose()
    };
    Ok(Pace {
        nice: args.nice,
        run_time: optional("--run-time", &args.run_time)?,
        limit: args.limit,
        max_lag: optional("--max-lag", &args.max_lag)?,
        pause_file: args.pause_file.clone(),
        ..batches(&args.batches)?
    })
}

/// `--answer-timeout`: how long to wait for a server or a file.
pub fn answer_timeout(global: &cli::Global) -> Result<Option<Duration>, Error> {
    const OPTION: &str = "--answer-timeout";
    let Some(text) = &global.answer_timeout else { return Ok(None) };
    match duration(OPTION, text)? {
        timeout if timeout < Duration::from_secs(1) => Err(Error::usage(
            format!("{OPTION}: {text} is too short for a server to answer in"),
            "give at least 1s",
        )),
        timeout => Ok(Some(timeout)),
    }
}

/// Refuses a text that cannot be the name of the user column. Statements quote the name anyway.
pub fn check_user_column(option: &str, name: &str, traits: &Traits) -> Result<(), Error> {
    refuse_blank(option, [name])?;
    let why: String = if name.contains('\0') {
        "is no name of a column".into()
    } else if name.len() > traits.longest_name {
        format!("is longer than {} bytes", traits.longest_name)
    } else if UserColumn::is_taken(name) {
        "is a column of its own in every session table".into()
    } else {
        return Ok(());
    };
    Err(Error::usage(format!("{option}: \"{name}\" {why}"), "user_id is what most sites call it"))
}

/// A length of time, such as `5s`, `100ms`, `1h30m`, `30d`. A day has 24 hours.
pub fn duration(option: &str, text: &str) -> Result<Duration, Error> {
    text.parse::<jiff::Span>()
        .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()))
        .and_then(Duration::try_from)
        .map_err(|_| {
            Error::usage(
                format!("\"{text}\" is not a length of time for {option}"),
                "write a number and its unit, as in 100ms, 5s, 10m or 30d",
            )
        })
}

/// The fewest characters that may name a session key.
const KEY_PREFIX_MIN: usize = 8;
/// The most characters of a session key on the command line, which every user of the machine can see: one fewer than
/// Django's keys have.
const KEY_PREFIX_MAX: usize = 31;

/// The beginning of a session key, given with `option` or, as `-`, on standard input.
pub fn key_prefix(option: &str, text: &str) -> Result<String, Error> {
    refuse_blank(option, [text])?;
    let from_stdin = text == "-";
    let prefix = if from_stdin {
        let mut line = String::new();
        let stdin = Path::new("-");
        io::stdin().lock().read_line(&mut line).map_err(|source| cannot_read(stdin, source))?;
        line.trim_end_matches(['\n', '\r']).to_owned()
    } else {
        text.to_owned()
    };
    let chars = prefix.chars().count();
    if chars < KEY_PREFIX_MIN {
        return Err(Error::usage(
            format!("{option} takes at least {KEY_PREFIX_MIN} characters of a session key"),
            "see `sessctl list` for the first 8 of each",
        ));
    }
    if chars > KEY_PREFIX_MAX && !from_stdin {
        return Err(Error::usage(
            format!(
                "{option} was given a whole session key, which every user of this machine can now see"
            ),
            format!("a session key is a login: give its first {KEY_PREFIX_MIN} characters"),
        ));
    }
    Ok(prefix)
}

/// Whether the path `-` stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses a command line that reads more than one thing from standard input. `of_command`: how many the command's own
/// options read.
pub fn check_stdin(global: &cli::Global, of_command: usize) -> Result<(), Error> {
    let key = global.secret_key_file.as_deref().is_some_and(is_stdin);
    if of_command + usize::from(key) > 1 {
        return Err(Error::usage(
            "two things were to be read from standard input",
            "give a file for one of them, or the SECRET_KEY in the environment",
        ));
    }
    Ok(())
}

/// A file, or standard input for `-`.
pub fn open(file: &Path) -> Result<Box<dyn BufRead>, Error> {
    if is_stdin(file) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = files::open(file).map_err(|source| cannot_read(file, source))?;
    Ok(Box::new(BufReader::new(opened)))
}

/// The error for a file that cannot be read.
pub fn cannot_read(file: &Path, source: io::Error) -> Error {
    Error::Input { what: name(file), source }
}

fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".into() } else { file.display().to_string() }
}

fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

//! Who runs the program, on which machine, and with which command line: for the audit log.

use crate::cli;
use crate::error::Error;
use crate::model::{is_connection, without_logins, without_passwords};

/// The person and process that run sessctl.
pub struct Operator {
    /// The real user id of the process.
    pub uid: u32,
    /// The user id of the login that the process came from, where Linux keeps it (`/proc/self/loginuid`, proc(5)).
    pub login_uid: Option<u32>,
    /// The system's name of the user that the process belongs to.
    pub user: Option<String>,
    /// `SUDO_USER`, which the person who starts sessctl may set to anything.
    pub sudo_user: Option<String>,
    /// The name of the machine.
    pub host: Option<String>,
}

/// Collects the operator's names and ids.
pub fn operator() -> Operator {
    Operator {
        uid: rustix::process::getuid().as_raw(),
        login_uid: login_uid(),
        user: whoami::username().ok(),
        sudo_user: std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty()),
        host: whoami::hostname().ok(),
    }
}

fn login_uid() -> Option<u32> {
    const UNSET: u32 = u32::MAX;
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|uid| *uid != UNSET)
}

/// The command line, without the database, which may hold a password.
pub fn arguments(global: &cli::Global) -> Vec<String> {
    let typed = with_reasons().map(|(argument, is_reason)| {
        if is_reason {
            without_logins(&argument)
        } else {
            without_passwords(&argument).into_owned()
        }
    });
    match global.database.as_deref().filter(|database| !database.is_empty()) {
        Some(database) => typed.map(|argument| without(argument, database)).collect(),
        None => typed.collect(),
    }
}

/// Refuses a connection string in the place of another argument: it would be shown, and sent to the server.
pub fn refuse_misplaced_connection(
    global: &cli::Global,
    replicas: &[String],
    cache: Option<&str>,
) -> Result<(), Error> {
    let is_database = |argument: &str| {
        let url =
            ["--replica=", "--cache="].iter().find_map(|option| argument.strip_prefix(option));
        let url = url.unwrap_or(argument);
        replicas.iter().any(|replica| replica == url)
            || cache == Some(url)
            || global
                .database
                .as_deref()
                .is_some_and(|url| without(argument.into(), url) != argument)
    };
    for (argument, is_free) in with_reasons() {
        if is_connection(&argument) && !is_free && !is_database(&argument) {
            return Err(Error::usage(
                "an argument that is not the database looks like a database URL or key=value pairs (it is not shown)",
                "name the database with -d, or better with DATABASE_URL: every user of this machine can see a command line",
            ));
        }
    }
    Ok(())
}

/// Each argument, and whether it is the text of `--reason`.
fn with_reasons() -> impl Iterator<Item = (String, bool)> {
    let mut follows = false;
    typed().map(move |argument| {
        let is_reason = std::mem::replace(&mut follows, argument == "--reason");
        let is_reason = is_reason || argument.starts_with("--reason=");
        (argument, is_reason)
    })
}

fn typed() -> impl Iterator<Item = String> {
    std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned())
}

/// An argument with `...` for the database. The value may be an argument of its own, or part of one: `-dURL`, `-qd=URL`,
/// `--database=URL`.
fn without(argument: String, database: &str) -> String {
    let short = |option: &str| {
        let letters = option.strip_suffix('=').unwrap_or(option);
        letters.starts_with('-') && !letters.starts_with("--") && letters.ends_with('d')
    };
    match argument.strip_suffix(database) {
        Some(option) if option.is_empty() || option == "--database=" || short(option) => {
            format!("{option}...")
        }
        _ => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn the_database_is_left_out_wherever_it_stands() {
        for (argument, shown) in [
            ("postgres://anna:secret@host/db", "..."),
            ("-dpostgres://anna:secret@host/db", "-d..."),
            ("-qd=postgres://anna:secret@host/db", "-qd=..."),
            ("--database=postgres://anna:secret@host/db", "--database=..."),
            ("--reason=it went to postgres", "--reason=it went to postgres"),
        ] {
            assert_eq!(without(argument.into(), "postgres://anna:secret@host/db"), shown);
        }
        assert_eq!(without("--audit-file=audit.db".into(), "db"), "--audit-file=audit.db");
    }
}

//! What `tests/env` has set up, and how to get at it. Without it these end the run: no test is skipped silently.

use std::env;
use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use postgres::{Client, NoTls};

/// The program under test.
pub(crate) fn sessctl() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sessctl"))
}

/// URL of the private server's `postgres` database, with a superuser's name and password.
pub(crate) fn postgres_url() -> String {
    from_environment("SESSCTL_TEST_POSTGRES")
}

/// URL of the private MariaDB server's `mysql` database, with the name and password of an account with all rights.
pub(crate) fn mysql_url() -> String {
    from_environment("SESSCTL_TEST_MYSQL")
}

/// URL of the `mysql` database of the private server of MySQL itself, with an account that has all rights.
pub(crate) fn oracle_url() -> String {
    from_environment("SESSCTL_TEST_ORACLE")
}

/// The Python that has this release of Django: 3.2, 4.2, 5.2 or 6.1.
pub(crate) fn django_python(release: &str) -> PathBuf {
    let python =
        PathBuf::from(from_environment("SESSCTL_TEST_DJANGO")).join(release).join("bin/python");
    assert!(python.exists(), "{} is missing: run tests/run", python.display());
    python
}

/// The folder of PostgreSQL's programs.
pub(crate) fn postgres_bin() -> PathBuf {
    PathBuf::from(from_environment("SESSCTL_TEST_POSTGRES_BIN"))
}

/// A folder of the user that servers run as, who alone can enter it.
pub(crate) fn postgres_tmp() -> PathBuf {
    PathBuf::from(from_environment("SESSCTL_TEST_POSTGRES_TMP"))
}

/// A program as the user that servers run as. It does not outlive the thread that starts it.
pub(crate) fn as_server(program: impl AsRef<OsStr>) -> Command {
    let prefix = from_environment("SESSCTL_TEST_POSTGRES_AS");
    let mut words = prefix.split_whitespace().chain(["setpriv", "--pdeathsig", "QUIT"]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(program);
    command
}

/// An empty database on the private server. It lives as long as the returned guard.
pub(crate) fn fresh_database(name: &str) -> Database {
    Database::create(&postgres_url(), name)
}

/// A database that is dropped with this value, whoever is still connected to it.
pub(crate) struct Database {
    pub(crate) url: String,
    server: String,
    name: String,
}

impl Database {
    /// An empty database on the server whose `postgres` database has this URL.
    pub(crate) fn create(server: &str, name: &str) -> Self {
        Self::made_by(&format!("CREATE DATABASE \"{name}\""), server, name)
    }

    /// A copy of this one on the same server. Nobody may be connected to the original.
    pub(crate) fn copy(&self, name: &str) -> Self {
        let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{}\"", self.name);
        Self::made_by(&sql, &self.server, name)
    }

    fn made_by(sql: &str, server: &str, name: &str) -> Self {
        let mut client = Client::connect(server, NoTls).expect("connect to the PostgreSQL server");
        drop_database(&mut client, name).expect("drop what an earlier test left");
        client.batch_execute(sql).expect("create a database");
        let (base, _) = server.rsplit_once('/').expect("the URL ends in a database name");
        Self { url: format!("{base}/{name}"), server: server.to_owned(), name: name.to_owned() }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Also runs while a failed test unwinds, where a second panic would hide the first.
        if let Ok(mut client) = Client::connect(&self.server, NoTls) {
            let _ = drop_database(&mut client, &self.name);
        }
    }
}

fn drop_database(client: &mut Client, name: &str) -> Result<(), postgres::Error> {
    if postgres_version(client) >= 13 {
        return client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"));
    }
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    client.execute(end, &[&name])?;
    // It waits some seconds for the sessions to end.
    client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\""))
}

/// The major version of the server.
pub(crate) fn postgres_version(client: &mut Client) -> i32 {
    let number = "SELECT current_setting('server_version_num')::int / 10000";
    client.query_one(number, &[]).unwrap().get(0)
}

#[allow(clippy::exit, reason = "nothing that these tests need is there, and one line says it best")]
fn from_environment(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        // Not by a panic in each of hundreds of tests; and what `eprintln!` says in a test is held back.
        let words = format!("\n{name} is not set: run these tests as `tests/env cargo test ...`, or all with tests/run\n");
        std::io::stderr().write_all(words.as_bytes()).unwrap();
        std::process::exit(1)
    })
}

/// How often a test does what comes out differently every time: often enough for every day, or as often as
/// `SESSCTL_TEST_ROUNDS` says.
pub(crate) fn rounds(every_day: u32) -> u32 {
    env::var("SESSCTL_TEST_ROUNDS").map_or(every_day, |rounds| rounds.parse().unwrap())
}

/// A number below this one, another in every run.
pub(crate) fn random(below: u64) -> u64 {
    RandomState::new().hash_one(below) % below.max(1)
}

/// Where random choices begin: another place in every run, or where `SESSCTL_TEST_SEED` says.
pub(crate) fn seed() -> u64 {
    env::var("SESSCTL_TEST_SEED").map_or_else(|_| random(1 << 32), |seed| seed.parse().unwrap())
}

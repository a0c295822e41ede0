//! What `tests/env` has set up, and how to get at it. Without it these panic: no test is skipped silently.

use std::env;
use std::path::PathBuf;

use postgres::{Client, NoTls};

/// The program under test.
pub(crate) fn sessctl() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sessctl"))
}

/// URL of the private server's `postgres` database, with a superuser's name and password.
pub(crate) fn postgres_url() -> String {
    from_environment("SESSCTL_TEST_POSTGRES")
}

/// The Python that has this release of Django: 3.2, 4.2 or 5.2.
pub(crate) fn django_python(release: &str) -> PathBuf {
    let python =
        PathBuf::from(from_environment("SESSCTL_TEST_DJANGO")).join(release).join("bin/python");
    assert!(python.exists(), "{} is missing: run tests/run", python.display());
    python
}

/// An empty database on the private server. It lives as long as the returned guard.
pub(crate) fn fresh_database(name: &str) -> Database {
    let server = postgres_url();
    let mut client =
        Client::connect(&server, NoTls).expect("connect to the private PostgreSQL server");
    let drop = drop_statement(name);
    client.batch_execute(&drop).expect("drop what an earlier test left");
    client.batch_execute(&format!("CREATE DATABASE \"{name}\"")).expect("create a database");
    let (base, _) = server.rsplit_once('/').expect("SESSCTL_TEST_POSTGRES ends in a database name");
    Database { url: format!("{base}/{name}"), name: name.to_owned() }
}

/// A database that is dropped with this value, whoever is still connected to it.
pub(crate) struct Database {
    pub(crate) url: String,
    name: String,
}

impl Drop for Database {
    fn drop(&mut self) {
        // Also runs while a failed test unwinds, where a second panic would hide the first.
        if let Ok(mut client) = Client::connect(&postgres_url(), NoTls) {
            let _ = client.batch_execute(&drop_statement(&self.name));
        }
    }
}

fn drop_statement(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")
}

fn from_environment(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run tests/run, which sets up what the tests need")
    })
}

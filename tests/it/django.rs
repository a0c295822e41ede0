//! Real Django sites: users log in by Django's own `login()`, sessctl logs some of them out, and requests show that
//! exactly the right ones are out. What is checked stands in `tests/django/check_site.py`; here are the kinds of sites.

use std::path::Path;
use std::process::Command;

use crate::support::{django_python, fresh_database, sessctl};

/// Runs `check_site.py` under one release of Django, and shows what it said when it fails.
fn check_site(release: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/django/check_site.py");
    let run = Command::new(django_python(release))
        .arg("-B")
        .arg(script)
        .arg("--sessctl")
        .arg(sessctl())
        .args(arguments)
        .output()
        .expect("start Python");
    assert!(
        run.status.success(),
        "Django {release} {arguments:?}: {}\n{}\n{}",
        run.status,
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
}

fn on_sqlite(release: &str, arguments: &[&str]) {
    check_site(release, &[&["--database", "sqlite"], arguments].concat());
}

/// `name` tells the databases of tests that run at the same time apart.
fn on_postgres(release: &str, name: &str, arguments: &[&str]) {
    let database = fresh_database(&format!("site_{name}"));
    check_site(
        release,
        &[&["--database", "postgres", "--postgres-url", &database.url], arguments].concat(),
    );
}

#[test]
fn django_5_2_json_on_sqlite() {
    on_sqlite("5.2", &["--serializer", "json"]);
}

#[test]
fn django_5_2_json_on_postgres() {
    on_postgres("5.2", "52_json", &["--serializer", "json"]);
}

#[test]
fn django_4_2_json_on_sqlite() {
    on_sqlite("4.2", &["--serializer", "json"]);
}

#[test]
fn django_4_2_json_on_postgres() {
    on_postgres("4.2", "42_json", &["--serializer", "json"]);
}

#[test]
fn django_4_2_pickle_on_sqlite() {
    on_sqlite("4.2", &["--serializer", "pickle"]);
}

#[test]
fn django_4_2_pickle_on_postgres() {
    on_postgres("4.2", "42_pickle", &["--serializer", "pickle"]);
}

#[test]
fn django_3_2_json_on_sqlite() {
    on_sqlite("3.2", &["--serializer", "json"]);
}

#[test]
fn django_3_2_json_on_postgres() {
    on_postgres("3.2", "32_json", &["--serializer", "json"]);
}

#[test]
fn django_3_2_pickle_on_sqlite() {
    on_sqlite("3.2", &["--serializer", "pickle"]);
}

#[test]
fn django_3_2_pickle_on_postgres() {
    on_postgres("3.2", "32_pickle", &["--serializer", "pickle"]);
}

#[test]
fn users_with_uuids() {
    on_postgres("5.2", "52_uuid", &["--uuid-users"]);
}

// SQLite holds naive local times there, five hours behind UTC.
#[test]
fn local_time_west_of_utc_on_sqlite() {
    on_sqlite("5.2", &["--local-time", "America/New_York"]);
}

// SQLite holds naive local times there, nine hours ahead of UTC.
#[test]
fn local_time_east_of_utc_on_sqlite() {
    on_sqlite("3.2", &["--local-time", "Asia/Tokyo"]);
}

// PostgreSQL holds instants, whatever the site's settings.
#[test]
fn local_time_on_postgres() {
    on_postgres("4.2", "42_local", &["--local-time", "America/New_York"]);
}

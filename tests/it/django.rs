//! Real Django sites: users log in by Django's own `login()`, sessctl logs some of them out, and requests show that
//! exactly the right ones are out, and that a purge beside the site is not noticed. What is checked stands in
//! `tests/django/check_site.py` and `beside_site.py`; here are the kinds of sites.

use std::path::Path;
use std::process::Command;

use crate::mysql_server::MySqlDatabase;
use crate::running::{DEADLINE_OF_RUN, run_to_end};
use crate::support::{django_python, fresh_database, mysql_url, sessctl};

/// Runs a script of `tests/django` under one release of Django, and shows what it said, if asked or when it fails.
#[allow(clippy::print_stdout, reason = "for --show-output")]
pub(crate) fn run(script: &str, release: &str, arguments: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/django").join(script);
    let mut command = Command::new(django_python(release));
    command.arg("-B").arg(script).arg("--sessctl").arg(sessctl()).args(arguments);
    // It runs sessctl many times.
    let run = run_to_end(&mut command, Vec::new(), 5 * DEADLINE_OF_RUN);
    println!("{}", run.stdout);
    assert!(run.code == 0, "Django {release} {arguments:?}: {}\n{}", run.code, run.stderr);
}

fn on_sqlite(release: &str, arguments: &[&str]) {
    run("check_site.py", release, &[&["--database", "sqlite"], arguments].concat());
}

/// `name` tells the databases of tests that run at the same time apart.
fn on_postgres(release: &str, name: &str, arguments: &[&str]) {
    let database = fresh_database(&format!("site_{name}"));
    run(
        "check_site.py",
        release,
        &[&["--database", "postgres", "--server-url", &database.url], arguments].concat(),
    );
}

fn on_mysql(release: &str, name: &str, arguments: &[&str]) {
    let database = MySqlDatabase::create(&mysql_url(), &format!("site_{name}"));
    run(
        "check_site.py",
        release,
        &[&["--database", "mysql", "--server-url", &database.url], arguments].concat(),
    );
}

#[test]
fn django_6_1_json_on_mariadb() {
    on_mysql("6.1", "61_json", &["--serializer", "json"]);
}

#[test]
fn django_5_2_json_on_mariadb() {
    on_mysql("5.2", "52_json", &["--serializer", "json"]);
}

#[test]
fn django_5_2_uuid_users_on_mariadb() {
    on_mysql("5.2", "52_uuid", &["--uuid-users"]);
}

#[test]
fn django_4_2_json_on_mariadb() {
    on_mysql("4.2", "42_json", &["--serializer", "json"]);
}

#[test]
fn django_3_2_pickle_on_mariadb() {
    on_mysql("3.2", "32_pickle", &["--serializer", "pickle"]);
}

#[test]
fn local_time_on_mariadb() {
    on_mysql("4.2", "42_local", &["--local-time", "America/New_York"]);
}

#[test]
fn django_6_1_json_on_sqlite() {
    on_sqlite("6.1", &["--serializer", "json"]);
}

#[test]
fn django_6_1_json_on_postgres() {
    on_postgres("6.1", "61_json", &["--serializer", "json"]);
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

/// What `docs/django.md` says, on the `db` engine and on `cached_db`.
fn what_django_does(release: &str) {
    run("what_django_does.py", release, &[]);
    run("what_django_does.py", release, &["--cached"]);
}

#[test]
fn what_django_3_2_does() {
    what_django_does("3.2");
}

#[test]
fn what_django_4_2_does() {
    what_django_does("4.2");
}

#[test]
fn what_django_5_2_does() {
    what_django_does("5.2");
}

#[test]
fn what_django_6_1_does() {
    what_django_does("6.1");
}

/// Fewer rows than `docs/performance.md` measures. What a busy disk does to single requests is no bound for a
/// test: none may fail, and none may wait as long as Django does before it fails.
fn beside_site(command: &str, database: &[&str]) {
    let size = ["--expired", "30000", "--live", "10000", "--baseline", "3", "--longest-wait", "5"];
    run("beside_site.py", "5.2", &[database, &size, &["--command", command]].concat());
}

fn purge_beside_site(database: &[&str]) {
    beside_site("purge-expired", database);
}

#[test]
fn a_backfill_is_not_noticed_on_postgres() {
    let database = fresh_database("site_backfill");
    beside_site("backfill", &["--postgres-url", &database.url]);
}

#[test]
fn a_backfill_is_not_noticed_on_sqlite() {
    beside_site("backfill", &["--journal", "wal"]);
}

#[test]
fn a_backfill_is_not_noticed_on_mariadb() {
    let database = MySqlDatabase::create(&mysql_url(), "site_backfill");
    beside_site("backfill", &["--mysql-url", &database.url]);
}

#[test]
fn a_purge_is_not_noticed_on_mariadb() {
    let database = MySqlDatabase::create(&mysql_url(), "site_purge");
    purge_beside_site(&["--mysql-url", &database.url]);
}

#[test]
fn a_purge_is_not_noticed_on_postgres() {
    let database = fresh_database("site_purge");
    purge_beside_site(&["--postgres-url", &database.url]);
}

#[test]
fn a_purge_is_not_noticed_on_sqlite_wal() {
    purge_beside_site(&["--journal", "wal"]);
}

#[test]
fn a_purge_is_not_noticed_on_sqlite_rollback_journal() {
    purge_beside_site(&["--journal", "delete"]);
}

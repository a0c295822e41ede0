//! Sites whose sessions are in a table of another package, or of their own, with a user column:
//! `tests/django/table_flavours.py` says what is checked there.

use crate::django::run;
use crate::support::fresh_database;

fn on_sqlite(flavour: &str, users: &str) {
    run("table_flavours.py", "5.2", &["--flavour", flavour, "--users", users]);
}

fn on_postgres(flavour: &str, users: &str) {
    let database = fresh_database(&format!("flavour_{}_{users}", flavour.replace('-', "_")));
    let place = ["--postgres-url", &database.url];
    run(
        "table_flavours.py",
        "5.2",
        &[&place[..], &["--flavour", flavour, "--users", users]].concat(),
    );
}

#[test]
fn django_user_sessions_on_sqlite() {
    on_sqlite("user-sessions", "int");
}

#[test]
fn django_user_sessions_on_postgres() {
    on_postgres("user-sessions", "int");
}

#[test]
fn django_user_sessions_of_users_with_uuids() {
    on_sqlite("user-sessions", "uuid");
    on_postgres("user-sessions", "uuid");
}

#[test]
fn django_qsessions_on_sqlite() {
    on_sqlite("qsessions", "int");
}

#[test]
fn django_qsessions_on_postgres() {
    on_postgres("qsessions", "int");
}

#[test]
fn django_qsessions_of_users_with_uuids() {
    on_sqlite("qsessions", "uuid");
    on_postgres("qsessions", "uuid");
}

#[test]
fn django_qsessions_with_a_cache_that_keeps_logins() {
    on_sqlite("qsessions-cached", "int");
}

#[test]
fn the_example_in_django_s_documentation_on_sqlite() {
    on_sqlite("custom", "int");
}

#[test]
fn the_example_in_django_s_documentation_on_postgres() {
    on_postgres("custom", "int");
}

#[test]
fn the_example_with_users_that_its_column_cannot_hold() {
    on_sqlite("custom", "uuid");
    on_postgres("custom", "uuid");
}

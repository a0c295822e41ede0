//! Users who use a real site while they are logged out: `tests/django/races.py` says what is checked.

use crate::django::run;
use crate::mysql_server::MySqlDatabase;
use crate::support::{fresh_database, mysql_url, rounds};

fn race(engine: &str, database: &[&str]) {
    let rounds = rounds(5).to_string();
    run("races.py", "5.2", &[&["--engine", engine, "--rounds", &rounds], database].concat());
}

#[test]
fn with_django_s_own_engine_on_postgres() {
    race("db", &["--server-url", &fresh_database("races_db").url]);
}

#[test]
fn with_django_s_own_engine_on_mariadb() {
    let database = MySqlDatabase::create(&mysql_url(), "races_db");
    race("db", &["--server-url", &database.url]);
}

#[test]
fn with_a_cache_whose_entries_go_too_on_mariadb() {
    let database = MySqlDatabase::create(&mysql_url(), "races_cached_db");
    race("cached_db", &["--server-url", &database.url]);
}

#[test]
fn with_django_s_own_engine_on_sqlite() {
    race("db", &[]);
}

#[test]
fn with_a_cache_whose_entries_go_too() {
    race("cached_db", &["--server-url", &fresh_database("races_cached_db").url]);
}

#[test]
fn with_an_engine_that_writes_rows_back() {
    race("user-sessions", &["--server-url", &fresh_database("races_user_sessions").url]);
}

//! `doctor` on SQLite: files, and the time zone of naive times.

use std::path::Path;
use std::process::Command;

use crate::doctor::DOCTOR;
use crate::errors::{bound_by_permissions, set_mode};
use crate::support::django_python;
use crate::world::{Ran, RunToEnd, SAVED, SECRET_KEY, World, login, program, signed};

fn doctor(w: &World) -> Ran {
    w.run(&DOCTOR)
}

#[test]
fn a_file_that_is_no_database() {
    let w = World::sqlite("doctor_no_database");
    let file = w.file(
        "text.sqlite3",
        "This is a text, and it is long enough to be looked at as a database.".repeat(20),
    );
    let ran = w.run(&[&DOCTOR[..], &["-d", &file]].concat()).exits(5);
    ran.finds("connection", "problem", &["not a database"]);
    w.run(&["doctor", "--grants"]).refuses(2, &["SQLite knows no privileges"]);
}

#[test]
fn the_time_zone_of_naive_times() {
    let w = World::sqlite("doctor_zone");
    let run = |zone: &[&str]| {
        let mut command = program(&[&DOCTOR[..], zone].concat());
        command.env("DATABASE_URL", w.url()).env("SECRET_KEY", SECRET_KEY).ran("")
    };
    let saved = |expires: &str| {
        w.execute("DELETE FROM django_session");
        for _ in 0..5 {
            w.row(&w.next_key(), &signed(&login("42"), SECRET_KEY), expires);
        }
    };
    assert_eq!(SAVED, "1xUwpu", "2026-11-22 01:57:46 UTC");
    saved("2026-12-06 01:57:46.250000");
    run(&[]).ok().finds("time-zone", "warning", &["stored in UTC", "--db-timezone UTC"]);
    run(&["--db-timezone", "UTC"]).ok().finds("time-zone", "ok", &["14 days after"]);
    run(&["--db-timezone", "Asia/Tokyo"]).ok().finds(
        "time-zone",
        "warning",
        &["stored in UTC", "not in"],
    );
    saved("2026-12-06 10:57:46");
    run(&["--db-timezone", "UTC"]).ok().finds("time-zone", "warning", &["+09:00", "TIME_ZONE"]);
    run(&["--db-timezone", "Asia/Tokyo"]).ok().finds("time-zone", "ok", &["14 days after"]);
    saved("2099-01-01 00:00:00");
    run(&[]).ok().finds("time-zone", "unknown", &["too few rows", "USE_TZ"]);
}

/// A site that saves some sessions. A settings module would set the clock of the process, too.
const SAVE: &str = "
import sys, django
from django.conf import settings
settings.configure(SECRET_KEY=sys.argv[2], TIME_ZONE=sys.argv[3], USE_TZ=sys.argv[4] == 'aware',
    INSTALLED_APPS=['django.contrib.sessions'],
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': sys.argv[1]}})
django.setup()
from django.contrib.sessions.backends.db import SessionStore
for i in range(20):
    session = SessionStore()
    session['i'] = i
    session.save()
";

#[test]
fn the_time_zone_of_what_real_django_saves() {
    for release in ["3.2", "6.1"] {
        for (zone, kind) in [
            ("Asia/Kathmandu", "aware"),
            ("Asia/Kathmandu", "naive"),
            ("America/New_York", "naive"),
        ] {
            let w = World::sqlite("doctor_django");
            let mut python = Command::new(django_python(release));
            python.args(["-c", SAVE, &w.url(), SECRET_KEY, zone, kind]).env("TZ", zone);
            python.ran("").ok();
            let is = if kind == "aware" { "UTC" } else { zone };
            let run = |zone: &str| {
                let mut command = program(&[&DOCTOR[..], &["--db-timezone", zone]].concat());
                command.env("DATABASE_URL", w.url()).env("SECRET_KEY", SECRET_KEY).ran("").ok()
            };
            run(is).finds("time-zone", "ok", &["14 days"]).finds("key", "ok", &["100%"]);
            run("Asia/Tokyo").finds("time-zone", "warning", &["by the save times of 20 rows"]);
        }
    }
}

#[test]
fn a_file_that_cannot_be_written() {
    let w = World::sqlite("doctor_read_only");
    w.user("42", 1);
    let url = w.url();
    let (file, folder) = (Path::new(&url), Path::new(&url).parent().unwrap());
    let run = || bound_by_permissions(&w, &DOCTOR).ran("").ok();
    run().finds("privileges", "ok", &["file and folder can be written"]);
    set_mode(file, 0o444);
    run().finds("privileges", "warning", &["the file cannot be written", "run as a user"]);
    set_mode(file, 0o644);
    set_mode(folder, 0o555);
    run().finds("privileges", "warning", &["the folder cannot be written", "run as a user"]);
    set_mode(folder, 0o755);
}

#[test]
fn a_file_that_somebody_keeps_to_himself() {
    let w = World::sqlite("doctor_busy");
    w.user("42", 1);
    let other = rusqlite::Connection::open(w.url()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    doctor(&w).ok().finds("table", "unknown", &["locked", "another process"]);
}

/// More than a quarter of the file, and 100 MB.
#[test]
fn free_space_in_a_file() {
    let w = World::sqlite("doctor_free");
    w.user("42", 1);
    doctor(&w).ok().finds("free-space", "ok", &["0 of "]);
    w.execute(
        "CREATE TABLE big AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90)
             SELECT i, zeroblob(1000000) FROM n;
         CREATE TABLE more AS SELECT * FROM big LIMIT 20; DROP TABLE big",
    );
    // 90 MB are not worth a word.
    doctor(&w).ok().finds("free-space", "ok", &["pages are free: 90 MB"]);
    w.execute("DROP TABLE more");
    doctor(&w).ok().finds("free-space", "warning", &["pages are free: 110 MB", "VACUUM gives it"]);
    w.execute("VACUUM");
    doctor(&w).ok().finds("free-space", "ok", &["0 of "]);
}

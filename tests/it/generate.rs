//! The tables that benchmarks run on are such as real Django reads.

use std::path::PathBuf;
use std::process::Command;

use crate::support::django_python;
use crate::world::World;

const READ: &str = "
import json, sqlite3, sys
from django.conf import settings
settings.configure(SECRET_KEY='of a test', DATABASES={}, USE_TZ=True)
import django; django.setup()
from django.contrib.sessions.backends.db import SessionStore
rows = sqlite3.connect(sys.argv[1]).execute('SELECT session_data, expire_date > datetime() FROM django_session').fetchall()
read = [SessionStore().decode(data) for data, _ in rows]
users = [session.get('_auth_user_id') for session in read]
print(json.dumps([len(read), read.count({}), sum(map(bool, users)), users.count('42'), sum(live for _, live in rows)]))
";

#[test]
fn real_django_reads_what_is_generated() {
    let w = World::sqlite("generate");
    let file = PathBuf::from(w.file("generated.sqlite3", ""));
    let made = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--example", "generate", "--"])
        .arg(&file)
        .args(["--rows", "1000"])
        .env("SECRET_KEY", "of a test")
        .status()
        .unwrap();
    assert!(made.success());
    let read = Command::new(django_python("5.2")).args(["-c", READ]).arg(&file).output().unwrap();
    let counts: Vec<u32> = serde_json::from_slice(&read.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&read.stderr)));
    let [rows, empty, users, of_42, live] = counts[..] else { panic!("{counts:?}") };
    assert_eq!((rows, empty, of_42, live), (1000, 0, 10, 700));
    assert!((750..850).contains(&users), "{users} of 1000 are logged in");
}

//! A disk that is full, and one that is mounted read-only: what fails is told, what was not asked for stays, and once
//! there is room again the same command ends well.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::doctor::DOCTOR;
use crate::server::Server;
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, around, key, login, signed};

/// A disk of a few megabytes, which only programs that are started in it see: a tmpfs in a mount namespace of its own.
struct SmallDisk {
    keeper: Child,
    folder: PathBuf,
}

impl SmallDisk {
    /// In the world's own folder, with a copy of its database.
    fn with(w: &World) -> Self {
        let folder = Path::new(&w.url()).with_file_name("disk");
        std::fs::create_dir_all(&folder).unwrap();
        let mut keeper = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c"])
            .arg("mount -t tmpfs -o size=32m,mode=755 none \"$0\" && cp \"$1\" \"$0\" && echo ready && exec cat")
            .args([folder.as_path(), Path::new(&w.url())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare, of Debian's util-linux");
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(
            said, "ready\n",
            "a small disk is a mount in a user namespace: this machine must allow them"
        );
        Self { keeper, folder }
    }

    /// A program in it.
    fn run(&self, command: &Command) -> Ran {
        let mut inside = Command::new("nsenter");
        inside.args(["--preserve-credentials", "--user", "--mount", "--target"]);
        inside.arg(self.keeper.id().to_string());
        around(inside, command).ran("")
    }

    /// A piece of shell in its folder.
    fn shell(&self, code: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("cd \"$0\" && {code}")]).arg(&self.folder);
        self.run(&shell).ok();
    }

    /// Fills it up, but for so many bytes.
    fn fill(&self, left: u32) {
        self.shell(&format!(
            "(cat /dev/zero > filler 2> error; rm error; truncate -s -{left} filler)"
        ));
    }

    /// The program on the copy of the database.
    fn sessctl(&self, w: &World, arguments: &[&str]) -> Ran {
        let mut command = w.command(arguments);
        command.env("SESSCTL_DATABASE_URL", self.folder.join("db.sqlite3"));
        self.run(command.env("SECRET_KEY", SECRET_KEY))
    }

    /// Lets the world see what the disk has now.
    fn show(&self, w: &World) {
        let url = w.url();
        for file in ["db.sqlite3", "db.sqlite3-wal", "db.sqlite3-journal"] {
            self.shell(&format!("if [ -e {file} ]; then cp {file} ..; else rm -f ../{file}; fi"));
        }
        let _ = std::fs::remove_file(url + "-shm");
        w.is_sound();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Live rows, and as many expired ones.
const ROWS: u32 = 4_000;

/// Of the live rows user 42 has the first and then every tenth, and the later ones are large. Of the expired ones the
/// first are in the order of their keys and their expiry, the others in neither. So the first batch of every command
/// needs little room, and later ones much.
fn fill(w: &World) {
    let data = |id: &str, size: usize| {
        let payload = login(id).replace("[1,2]", &format!("\"{}\"", "c".repeat(size)));
        signed(&payload, SECRET_KEY)
    };
    let (his, others, large) = (data("42", 200), data("7", 200), data("7", 1_600));
    let mixed = |i: u32| ROWS + FIRST + (i - ROWS - FIRST) * 1_021 % (ROWS - FIRST);
    let numbers: Vec<u32> =
        (0..2 * ROWS).map(|i| if i < ROWS + FIRST { i } else { mixed(i) }).collect();
    let keys: Vec<String> = numbers.iter().map(|number| key(*number)).collect();
    w.rows(numbers.iter().zip(&keys).map(|(i, key)| {
        let data = match *i {
            i if is_his(i) => &his,
            i if i < ROWS / 2 || is_expired(i) => &others,
            _ => &large,
        };
        let expires = if is_expired(*i) {
            format!("2020-01-{:02} {:02}:{:02}:00", 1 + i / 1_440, i / 60 % 24, i % 60)
        } else {
            "2099-01-01 00:00:00".into()
        };
        (&**key, &**data, expires)
    }));
}

/// Rows of the first batch.
const FIRST: u32 = 200;

fn is_his(i: u32) -> bool {
    i < FIRST || i < ROWS && i.is_multiple_of(10)
}

fn is_expired(i: u32) -> bool {
    i >= ROWS
}

/// The numbers of the rows that are gone.
fn gone(w: &World) -> BTreeSet<u32> {
    let left: BTreeSet<u32> =
        w.session_keys().iter().map(|key| key[..8].parse().unwrap()).collect();
    (0..2 * ROWS).filter(|i| !left.contains(i)).collect()
}

/// The rows whose column is filled, each as it must be.
fn filled(w: &World) -> usize {
    let file = rusqlite::Connection::open(w.url()).unwrap();
    let Ok(mut statement) =
        file.prepare("SELECT session_key, user_id FROM django_session WHERE user_id IS NOT NULL")
    else {
        return 0;
    };
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(|row| {
        let (key, user): (String, i64) = row.unwrap();
        let i = key[..8].parse().unwrap();
        assert!(!is_expired(i) && user == if is_his(i) { 42 } else { 7 }, "{i}: {user}");
    })
    .count()
}

/// What a command has done, and must have done in the end.
enum Change {
    Deletes(fn(u32) -> bool),
    Fills,
}

impl Change {
    /// How many rows, none of which was to be left alone.
    fn done(&self, w: &World) -> usize {
        let gone = gone(w);
        match self {
            Self::Deletes(wanted) => assert!(gone.iter().all(|i| wanted(*i)), "{gone:?}"),
            Self::Fills => assert!(gone.is_empty(), "{gone:?}"),
        }
        if matches!(self, Self::Fills) { filled(w) } else { gone.len() }
    }

    fn all(&self) -> usize {
        match self {
            Self::Deletes(wanted) => (0..2 * ROWS).filter(|i| wanted(*i)).count(),
            Self::Fills => ROWS.try_into().unwrap(),
        }
    }

    fn reported(&self, report: &Value) -> usize {
        let field = if matches!(self, Self::Fills) { "filled" } else { "deleted" };
        report[field].as_u64().unwrap().try_into().unwrap()
    }
}

/// Runs a command with so many bytes free, and then with enough. Returns how many rows the first run did.
fn fails_and_ends_well(w: &World, left: u32, command: &[&str], change: &Change) -> usize {
    let command = [command, &["--batch-size", "200", "--format", "json"]].concat();
    let disk = SmallDisk::with(w);
    disk.fill(left);
    let ran = disk.sessctl(w, &command).exits(1);
    for line in ["error: cannot ", "cause: d", "hint: ", "disk", "full"] {
        assert!(ran.stderr.contains(line), "no {line:?} in {ran:#?}");
    }
    ran.keeps_secrets();
    disk.show(w);
    let done = change.done(w);
    let reported = if ran.stdout.is_empty() { 0 } else { change.reported(&ran.json()) };
    assert_eq!(done, reported, "{left} bytes: {ran:#?}");
    disk.shell("rm filler");
    disk.sessctl(w, &command).ok();
    disk.show(w);
    assert_eq!(change.done(w), change.all());
    done
}

/// With no byte free, and with so many.
fn on_a_full_disk(name: &str, mode: &str, some: u32) {
    let w = World::sqlite(name);
    fill(&w);
    w.execute(&format!("VACUUM; PRAGMA journal_mode = {mode}"));
    let before = std::fs::read(w.url()).unwrap();
    for (command, change) in [
        (&["logout-user", "42"][..], Change::Deletes(is_his)),
        (&["purge-expired"], Change::Deletes(is_expired)),
        (&["flush-all", "--yes"], Change::Deletes(|_| true)),
        (&["backfill"], Change::Fills),
    ] {
        for left in [0, some] {
            std::fs::write(w.url(), &before).unwrap();
            let done = fails_and_ends_well(&w, left, command, &change);
            let is_some = (1..change.all()).contains(&done);
            assert!(if left == 0 { done == 0 } else { is_some }, "{command:?}, {left}: {done}");
        }
    }
}

#[test]
fn on_a_full_disk_with_a_wal() {
    on_a_full_disk("full_wal", "wal", 400_000);
}

#[test]
fn on_a_full_disk_with_a_rollback_journal() {
    on_a_full_disk("full_journal", "delete", 200_000);
}

#[test]
fn on_a_disk_that_is_mounted_read_only() {
    for mode in ["delete", "wal"] {
        let w = World::sqlite("mounted_read_only");
        w.user("42", 2);
        w.execute(&format!("PRAGMA journal_mode = {mode}"));
        let disk = SmallDisk::with(&w);
        disk.shell("mount -o remount,bind,ro .");
        for command in [
            &["logout-user", "42"][..],
            &["purge-expired"],
            &["flush-all", "--yes"],
            &["backfill", "--quiet"],
        ] {
            let cause = if mode == "wal" { "unable to open" } else { "may not be written" };
            disk.sessctl(&w, command).refuses(1, &[cause, "mounted read-only?"]);
        }
        // Who reads a WAL writes beside it, too.
        let list = disk.sessctl(&w, &["list", "--format", "count"]);
        if mode == "wal" {
            list.refuses(1, &["unable to open", "mounted read-only?"]);
        } else {
            assert_eq!(list.ok().stdout, "2\n");
            let told = disk.sessctl(&w, &DOCTOR).ok();
            told.finds("privileges", "warning", &["file cannot be written", "mounted read-only?"]);
        }
    }
}

/// 10,000 logins, 100 of them user 42's, and 100 rows that are over.
fn logins(w: &World) {
    w.user("42", 100).expired(100).execute(&format!(
        "INSERT INTO django_session SELECT md5(i::text), '{}', '2099-01-01' FROM generate_series(1, 9900) i",
        signed(&login("7"), SECRET_KEY)
    ));
}

/// A table of so many pages on the small disk.
fn pages(w: &World, name: &str, number: u32) -> Result<(), postgres::Error> {
    w.execute(&format!("CREATE TABLE {name} (x text) WITH (autovacuum_enabled = off) TABLESPACE small; ALTER TABLE {name} ALTER x SET STORAGE PLAIN"));
    let sql =
        format!("INSERT INTO {name} SELECT repeat('x', 7000) FROM generate_series(1, {number})");
    w.client().batch_execute(&sql)
}

/// Leaves so many pages free.
fn fill_small_disk(w: &World, left: u32) {
    pages(w, "room", left).unwrap();
    // The pages that it came to stay although it failed.
    let error = pages(w, "filler", 10_000).unwrap_err();
    assert_eq!(error.code(), Some(&postgres::error::SqlState::DISK_FULL), "{error}");
    w.execute("DROP TABLE room");
}

/// How many logins have the right user id, and that none has a wrong one.
fn right(w: &World) -> u64 {
    let sql = "SELECT count(user_id), count(*) FILTER (WHERE user_id <> CASE WHEN session_key LIKE '%abcdefgh%' THEN 42 ELSE 7 END) FROM django_session";
    let row = w.client().query_one(sql, &[]).unwrap();
    assert_eq!(row.get::<_, i64>(1), 0);
    row.get::<_, i64>(0).try_into().unwrap()
}

#[test]
fn in_a_full_tablespace() {
    let server = Server::with_small_disk();
    let w = World::on(&server, "full_tablespace");
    w.execute("ALTER TABLE django_session SET TABLESPACE small");
    logins(&w);
    fill_small_disk(&w, 100);
    // Or new versions of rows would take the place of old ones.
    let mut snapshot = w.client();
    snapshot.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT").unwrap();
    let backfill = ["backfill", "--batch-size", "100", "--format", "json"];
    let ran = w.run(&backfill).exits(1);
    for line in ["error: cannot update table", "No space left on device", "hint: make room on"] {
        assert!(ran.stderr.contains(line), "no {line:?} in {ran:#?}");
    }
    ran.keeps_secrets();
    let done = right(&w);
    assert_eq!(ran.json()["filled"], done);
    assert!((1..10_000).contains(&done), "{done}");
    // To delete takes no room there.
    w.run(&["purge-expired"]).ok().says("Purged 100");
    w.run(&["logout-user", "42"]).ok().says("100 sessions deleted, none is left");
    snapshot.batch_execute("COMMIT").unwrap();
    w.execute("DROP TABLE filler");
    w.run(&backfill).ok();
    assert_eq!(right(&w), 9_900);
}

#[test]
fn an_index_that_finds_no_room() {
    let server = Server::with_small_disk();
    let w = World::on(&server, "full_index");
    logins(&w);
    fill_small_disk(&w, 1);
    w.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_tablespace = small', current_database()); END $$");
    let ran = w.run(&["backfill", "--format", "json"]).exits(1).says("hint: make room on");
    assert!(ran.stderr.contains("No space left on device"), "{ran:#?}");
    assert_eq!((right(&w), &ran.json()["filled"]), (10_000, &10_000.into()));
    w.run(&DOCTOR).ok().finds("indexes", "warning", &["INVALID"]);
    w.execute("DROP TABLE filler");
    w.run(&["backfill"]).ok();
    w.run(&DOCTOR).ok().finds("indexes", "ok", &[]).finds("user-column", "ok", &["indexed"]);
}

#[test]
fn a_picture_that_cannot_be_written_does_not_cost_the_report() {
    let w = World::sqlite("disk_picture");
    w.user("42", 3);
    let disk = SmallDisk::with(&w);
    disk.fill(0);
    let file = disk.folder.join("incident.svg").display().to_string();
    let mut stats = w.command(&["stats", "--svg", &file]);
    let ran = disk.run(stats.env("SECRET_KEY", SECRET_KEY)).exits(1);
    assert!(
        ran.stderr.contains("incident.svg") && ran.stderr.contains("No space left"),
        "{ran:#?}"
    );
    assert_eq!(ran.stdout, w.run(&["stats"]).ok().stdout);
    disk.shell("[ ! -e incident.svg ]");
}

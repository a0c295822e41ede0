//! SQLite files that are taken away, cut, or damaged while sessctl works on them or before. No row that the file still shows is said to be out.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::random_rows::Random;
use crate::running::{Running, eventually};
use crate::signals::has_opened;
use crate::support::{random, rounds, seed};
use crate::work::{ALL, BACKFILL, Before, LOGOUT, PURGE, Work};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World};

/// In each journal mode.
fn each(name: &str, test: impl Fn(&World)) {
    test(&World::sqlite(name));
    let wal = World::sqlite(&format!("{name}_wal"));
    wal.execute("PRAGMA journal_mode = wal");
    test(&wal);
}

/// So slow that a test can do something meanwhile.
const SLOW: [&str; 8] =
    ["logout-user", "42", "--batch-size", "1", "--sleep", "20ms", "--format", "json"];

#[test]
fn a_writer_that_takes_its_time_is_waited_for() {
    each("busy", |w| {
        for work in [LOGOUT, PURGE, BACKFILL] {
            w.execute("DELETE FROM django_session");
            let before = Before::fill(w);
            let mut holder = Connection::open(w.url()).unwrap();
            let transaction = holder.transaction().unwrap();
            transaction
                .execute_batch("UPDATE django_session SET expire_date = expire_date")
                .unwrap();
            let mut running = Running::start(&mut work.on(w, "0s"));
            has_opened(w, &mut running);
            // Longer than any one attempt to get the lock.
            std::thread::sleep(Duration::from_millis(2_500));
            assert!(!running.is_over(), "it did not wait: {:?}", work.command);
            transaction.commit().unwrap();
            let ran = running.end().ok();
            work.is_true(w, &before, &ran, "a long writer");
        }
    });
}

/// Copies a file with what its log has, and lets the copy be in the place of the file.
fn replace(w: &World) {
    let copy = w.file("copy", "");
    std::fs::remove_file(&copy).unwrap();
    Connection::open(w.url()).unwrap().execute("VACUUM INTO ?1", [&copy]).unwrap();
    for end in ["-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(w.url() + end);
    }
    std::fs::rename(&copy, w.url()).unwrap();
}

/// Runs it, and does something to the file when the first sessions are gone.
fn amid_deleting(w: &World, happens: impl Fn(&World)) -> Ran {
    let mut running = Running::start(&mut w.command(&SLOW));
    eventually("a delete", || w.count() < 50);
    happens(w);
    assert!(!running.is_over());
    running.end()
}

/// What a run may say of whose file was taken away: that it failed, or what is there now.
fn is_not_said_to_be_out(ran: &Ran, left: usize) {
    match ran.code {
        0 => assert_eq!(left, 0, "{ran:#?}"),
        1 => assert!(ran.stderr.contains("error: ") && ran.stderr.contains("hint: "), "{ran:#?}"),
        3 => assert_eq!(ran.json()["remaining"], json!(left), "{ran:#?}"),
        _ => panic!("{ran:#?}"),
    }
}

#[test]
fn a_file_that_is_replaced_meanwhile() {
    each("replaced", |w| {
        w.user("42", 60).user("7", 5);
        let ran = amid_deleting(w, replace);
        assert_eq!(ran.json()["remaining"].as_u64().is_some_and(|left| left == 0), ran.code == 0);
        is_not_said_to_be_out(&ran, w.count() - 5);
        w.is_sound();
        w.run(&["logout-user", "42"]).ok();
        assert_eq!(w.count(), 5);
    });
}

#[test]
fn a_file_that_is_deleted_meanwhile() {
    each("unlinked", |w| {
        w.user("42", 60);
        let ran = amid_deleting(w, |w| std::fs::remove_file(w.url()).unwrap()).exits(1);
        assert_eq!(ran.json()["remaining"], Value::Null, "{ran:#?}");
        is_not_said_to_be_out(&ran, 1);
        assert!(!Path::new(&w.url()).exists(), "a file was made");
    });
}

#[test]
fn a_file_that_is_truncated_meanwhile() {
    each("truncated", |w| {
        w.user("42", 60).user("7", 500);
        let running = Running::start(&mut w.command(&SLOW));
        let left = || {
            Connection::open(w.url())
                .unwrap()
                .query_row("SELECT count(*) FROM django_session", [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        eventually("a delete", || left() < 550);
        let file = OpenOptions::new().write(true).open(w.url()).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2 / 4096 * 4096).unwrap();
        let ran = running.end().exits(1);
        assert!(ran.stderr.contains("error: ") && ran.stderr.contains("hint: "), "{ran:#?}");
    });
}

/// How many live sessions of user 42 a file shows, if it can be read.
fn shown(w: &World) -> Option<usize> {
    let file = Connection::open(w.url()).ok()?;
    let sql = "SELECT session_key, session_data FROM django_session NOT INDEXED
               WHERE expire_date > datetime('now')";
    let mut statement = file.prepare(sql).ok()?;
    let rows = statement.query_map([], |row| {
        Ok((row.get_ref(0)?.as_bytes()?.to_vec(), row.get_ref(1)?.as_bytes()?.to_vec()))
    });
    let rows: Result<Vec<_>, _> = rows.ok()?.collect();
    let of_42 = crate::world::signed(&crate::world::login("42"), SECRET_KEY);
    Some(rows.ok()?.iter().filter(|(_, data)| *data == of_42.as_bytes()).count())
}

/// Damages one page of the file: `how` is 0 for zeros, 1 for noise, 2 for some bits of it.
fn damage(w: &World, page: u64, how: u32, random: &mut Random) {
    let mut file = OpenOptions::new().read(true).write(true).open(w.url()).unwrap();
    let mut bytes = [0; 4096];
    file.seek(SeekFrom::Start(page * 4096)).unwrap();
    file.read_exact(&mut bytes).unwrap();
    match how {
        0 => bytes = [0; 4096],
        1 => bytes.fill_with(|| random.below(256).try_into().unwrap()),
        _ => (0..4).for_each(|_| bytes[random.below(4096)] ^= 1 << random.below(8)),
    }
    file.seek(SeekFrom::Start(page * 4096)).unwrap();
    file.write_all(&bytes).unwrap();
}

#[test]
fn a_damaged_page_of_the_table_or_of_an_index() {
    let w = World::sqlite("damaged");
    w.user("42", 100).user("7", 1_500).expired(100);
    let whole = std::fs::read(w.url()).unwrap();
    let pages = whole.len() / 4096;
    let first = seed();
    for seed in first..first + u64::from(rounds(15)) {
        let page = 1 + Random(seed).below(pages - 1) as u64;
        let how = (seed % 3).try_into().unwrap();
        for command in [
            &["logout-user", "42"][..],
            &["purge-expired"],
            &["flush-all", "--yes"],
            &["list", "--all", "--format", "count"],
            &["backfill"],
            &["doctor"],
        ] {
            std::fs::write(w.url(), &whole).unwrap();
            let _ = std::fs::remove_file(w.url() + "-journal");
            damage(&w, page, how, &mut Random(seed));
            let ran = Running::start(&mut w.command(command)).end();
            let what = format!(
                "SESSCTL_TEST_SEED={seed} SESSCTL_TEST_ROUNDS=1: page {page}, damage {how}, {command:?}: {ran:#?}"
            );
            assert!([0, 1, 2, 3, 5].contains(&ran.code) && !ran.stderr.contains("panic"), "{what}");
            assert!(ran.code != 1 || ran.stderr.contains("error: "), "{what}");
            if ran.code == 0 && command[0] == "logout-user" {
                // It has read all rows to say so: whoever reads them now can do so, too, and finds none.
                assert_eq!(shown(&w), Some(0), "said to be out: {what}");
            }
        }
    }
}

/// A row whose number is that of another one before it: whoever reads on from there would come to it again.
#[test]
fn rows_out_of_their_order_do_not_keep_it_for_ever() {
    let w = World::sqlite("disorder");
    w.user("42", 3_000);
    let mut bytes = std::fs::read(w.url()).unwrap();
    // The thousandth is the last of a page of ours. In the table its data follows its key.
    let cell = format!(
        "{}{}",
        crate::world::key(999),
        &crate::world::signed(&crate::world::login("42"), SECRET_KEY)[..20]
    );
    let at = bytes.windows(cell.len()).position(|bytes| bytes == cell.as_bytes()).unwrap();
    let number = bytes[at - 10..at].windows(2).position(|bytes| bytes == [0x87, 0x68]).unwrap();
    bytes[at - 10 + number..][..2].copy_from_slice(&[0x80, 0x00]);
    std::fs::write(w.url(), &bytes).unwrap();
    for command in
        [&["list", "--format", "count"][..], &["logout-user", "42"], &["backfill"], &["stats"]]
    {
        let ran = Running::start(&mut w.command(command)).end();
        ran.exits(1).says("malformed").says("integrity_check");
    }
}

/// Whether it was killed; if not, `most` is how many writes it has at most.
fn killed_at(write: u64, work: &Work, w: &World, most: &mut u64) -> bool {
    w.execute("DELETE FROM django_session");
    let before = Before::fill(w);
    let what = format!("{:?}, killed at write {write}", work.command);
    let program = work.on(w, "0s");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qqq", "-o", "/dev/null", "-e"]);
    strace
        .arg(format!("inject=pwrite64,fdatasync,fsync,ftruncate,unlink:signal=KILL:when={write}"));
    strace.arg(program.get_program()).args(program.get_args());
    strace.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = strace.ran("");
    assert!([-1, 0, 137].contains(&ran.code), "{what}: {ran:#?}");
    w.is_sound();
    Work::spares_others(w, &before, &what);
    work.ends_well(w, &before, &what);
    if ran.code == 0 {
        *most = write - 1;
        assert!(*most > 0, "{what}: it was not");
    }
    ran.code != 0
}

/// Killed at a write of the file system that nobody chose. A process that is killed leaves to the system what it has
/// written; so this is no power cut.
#[test]
fn killed_at_any_write_the_file_is_sound() {
    each("killed_writing", |w| {
        for round in 0..rounds(8) {
            for work in [&ALL[round as usize % ALL.len()], &LOGOUT] {
                // One that ends before has fewer writes.
                let mut most = 120;
                while !killed_at(1 + random(most), work, w, &mut most) {}
            }
        }
    });
}

/// SQLite maps this file into memory, and what is gone of it there cannot be read.
#[test]
fn an_index_of_the_log_that_is_truncated_ends_the_process_and_undoes_the_batch() {
    let w = World::sqlite("truncated_shm");
    w.execute("PRAGMA journal_mode = WAL");
    w.user("42", 2).expired(2000);
    let slowly = ["purge-expired", "--batch-size", "1", "--sleep", "20ms"];
    let mut running = Running::start(&mut w.command(&slowly));
    eventually("a batch", || w.count() < 2002);
    let index = OpenOptions::new().write(true).open(w.url() + "-shm").unwrap();
    index.set_len(0).unwrap();
    let ended = running.child().wait().unwrap();
    assert_eq!(ended.signal(), Some(7), "{ended}");
    w.is_sound();
    assert!((3..2002).contains(&w.count()));
    w.run(&["purge-expired"]).ok().says("none is left");
    assert_eq!(w.count(), 2);
}

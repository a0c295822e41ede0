//! Ends that nobody planned: signals, lost connections, closed outputs. Whatever happens, only matches are gone, and the
//! report says how many.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::running::{Running, eventually, heeding_hangups};
use crate::support::{django_python, sessctl};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, around};

/// So many sessions of user 42 among those of others, whose keys are returned.
fn mixed(w: &World, sessions: u32) -> BTreeSet<String> {
    w.user("7", 20);
    let others = w.session_keys().into_iter().collect();
    w.user("42", sessions);
    others
}

fn only_matches_are_gone(w: &World, others: &BTreeSet<String>) {
    let left: BTreeSet<String> = w.session_keys().into_iter().collect();
    assert!(others.is_subset(&left), "sessions of others are gone");
}

/// So slow that a test can watch it.
const SLOW: [&str; 8] =
    ["logout-user", "42", "--batch-size", "1", "--sleep", "100ms", "--format", "json"];

#[test]
fn a_signal_amid_deleting_ends_it_after_the_batch_with_a_true_report() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        World::each(&format!("signal_delete_{signal}"), |w| {
            let others = mixed(w, 300);
            let mut running = Running::start(&mut heeding_hangups(&w.command(&SLOW)));
            eventually("a delete", || w.count() < 317);
            running.signal(signal);
            let report = running.end().exits(code).json();
            let gone = 320 - w.count();
            assert_eq!((&report["deleted"], &report["matched"]), (&json!(gone), &json!(300)));
            assert_eq!((&report["batches"], &report["remaining"]), (&json!(gone), &Value::Null));
            assert!(gone < 300, "it went on to the end");
            only_matches_are_gone(w, &others);
        });
    }
}

/// The kernel and the shell each send a hangup, and the terminal is gone.
#[test]
fn a_connection_that_drops_is_a_hangup_and_no_insistence() {
    World::each("signal_hangup", |w| {
        let others = mixed(w, 300);
        let audit = w.file("audit.jsonl", "");
        let mut command = Command::new(django_python("5.2"));
        // Like sshd: a terminal that goes away.
        let script = "import os, pty, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
sys.stdin.readline()
os.close(terminal)
os.kill(pid, signal.SIGHUP)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
        command.args(["-c", script]).arg(sessctl()).args(&SLOW[..6]);
        command.args(["--audit-file", &audit]).env("SESSCTL_DATABASE_URL", w.url());
        let mut running = Running::start(&mut command);
        eventually("a delete", || w.count() < 317);
        drop(running.child().stdin.take());
        assert_eq!(running.end().ok().stdout, "129\n");
        let gone = 320 - w.count();
        assert!(gone < 300, "it went on to the end");
        only_matches_are_gone(w, &others);
        let text = std::fs::read_to_string(&audit).unwrap();
        let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&line["exit"], &line["report"]["deleted"]), (&json!(129), &json!(gone)));
    });
}

#[test]
fn a_hangup_that_is_ignored_stays_so() {
    let w = World::sqlite("signal_nohup");
    w.user("42", 20);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    let mut running = Running::start(&mut around(nohup, &w.command(&SLOW)));
    eventually("a delete", || w.count() < 17);
    running.signal("HUP");
    assert_eq!(running.end().ok().json()["deleted"], 20);
}

#[test]
fn people_are_told_that_it_stopped() {
    let w = World::sqlite("signal_human");
    mixed(&w, 300);
    let mut running = Running::start(&mut w.command(&SLOW[..6]));
    eventually("a delete", || w.count() < 317);
    running.signal("INT");
    let ran = running.end().exits(130);
    let gone = 320 - w.count();
    ran.says(&format!("Stopped: {gone} of 300 sessions of user 42 deleted")).says("Run it again");
}

/// The table as a view that takes a second for a thousand rows.
fn slow_view(w: &World) {
    w.execute("CREATE VIEW slow AS SELECT * FROM django_session WHERE pg_sleep(0.001) IS NOT NULL");
}

fn connect(w: &World) -> postgres::Client {
    postgres::Client::connect(&w.url(), postgres::NoTls).unwrap()
}

/// Waits until the program reads.
fn amid_scan(w: &World) {
    let sql = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database()
               AND application_name = 'sessctl' AND state = 'active' AND query LIKE '%FROM \"slow\"%'";
    eventually("a scan", || connect(w).query_one(sql, &[]).unwrap().get(0));
}

#[test]
fn a_signal_amid_reading_ends_it_with_nothing_deleted() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let w = World::postgres(&format!("signal_scan_{signal}"));
        let others = mixed(&w, 300);
        w.execute(
            "INSERT INTO django_session
             SELECT 'filler' || n, session_data, expire_date FROM generate_series(1, 30000) n,
                 (SELECT * FROM django_session WHERE session_key LIKE '00000300%') one",
        );
        slow_view(&w);
        let before = w.count();
        let began = Instant::now();
        let mut running =
            Running::start(w.command(&SLOW).args(["--table", "slow", "--superuser-ok"]));
        amid_scan(&w);
        running.signal(signal);
        let report = running.end().exits(code).json();
        assert_eq!((&report["deleted"], &report["batches"]), (&json!(0), &json!(0)));
        assert!(report["scanned"].as_u64().unwrap() < 30_000, "it read on: {report}");
        assert!(began.elapsed() < Duration::from_secs(25), "it read on to the end");
        assert_eq!(w.count(), before);
        only_matches_are_gone(&w, &others);
    }
}

/// A lock on the file that keeps everybody from reading, until it is dropped.
fn lock(w: &World) -> rusqlite::Connection {
    let holder = rusqlite::Connection::open(w.url()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    holder
}

/// Waits until the program has the database file open, and so heeds signals.
pub(crate) fn has_opened(w: &World, running: &mut Running) {
    has_opened_file(Path::new(&w.url()), running);
}

pub(crate) fn has_opened_file(path: &Path, running: &mut Running) {
    eventually("the file is open", || is_open(path, running));
}

/// Whether the program has a file open now.
pub(crate) fn is_open(path: &Path, running: &mut Running) -> bool {
    let files = format!("/proc/{}/fd", running.child().id());
    let open = std::fs::read_dir(files).into_iter().flatten().flatten();
    open.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|file| file == path)
}

#[test]
fn a_signal_while_it_waits_for_a_lock_is_heeded() {
    let w = World::sqlite("signal_lock");
    mixed(&w, 300);
    for command in [&SLOW[..], &["logout-user", "42", "--dry-run", "--format", "json"]] {
        let holder = lock(&w);
        let mut running = Running::start(&mut w.command(command));
        has_opened(&w, &mut running);
        running.signal("TERM");
        drop(holder);
        let report = running.end().exits(143).json();
        let dry_run = command.contains(&"--dry-run");
        assert_eq!((&report["deleted"], &report["dry_run"]), (&json!(0), &json!(dry_run)));
        assert_eq!(w.count(), 320);
    }
}

#[test]
fn a_signal_is_heeded_where_no_row_is_live() {
    let w = World::sqlite("signal_expired");
    w.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000)
         INSERT INTO django_session SELECT printf('expired%d', i), 'x', '2020-01-01 00:00:00' FROM n",
    );
    let holder = lock(&w);
    let mut running = Running::start(&mut w.command(&["list", "--format", "ids"]));
    has_opened(&w, &mut running);
    running.signal("INT");
    drop(holder);
    running.end().exits(130);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let w = World::sqlite("signal_twice");
    mixed(&w, 300);
    let holder = lock(&w);
    let mut running = Running::start(&mut w.command(&["logout-user", "42", "--dry-run"]));
    has_opened(&w, &mut running);
    running.signal("INT");
    std::thread::sleep(Duration::from_millis(100));
    while !running.is_over() {
        running.signal("INT");
        std::thread::sleep(Duration::from_millis(100));
    }
    let ran = running.end().exits(130);
    assert_eq!(ran.stdout, "", "it did not wait to report");
    drop(holder);
    assert_eq!(w.count(), 320);
}

#[test]
fn one_signal_ends_what_waits_for_its_standard_input() {
    for command in [&["decode"][..], &["show", "-"], &["logout-user", "--from-file", "-"]] {
        let mut running = Running::start(&mut crate::world::program(command));
        let status = format!("/proc/{}/status", running.child().id());
        eventually("signals are caught", || {
            let status = std::fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & 0b10 != 0
        });
        running.signal("INT");
        running.end().exits(130);
    }
}

#[test]
fn killed_at_any_moment_it_has_deleted_only_matches() {
    World::each("signal_kill", |w| {
        let others = mixed(w, 150);
        let mut amid = 0;
        for delay in [0, 7, 23, 41, 64, 90] {
            let before = w.count();
            let mut running =
                Running::start(&mut w.command(&["logout-user", "42", "--batch-size", "2"]));
            eventually("a delete", || w.count() < before);
            std::thread::sleep(Duration::from_millis(delay));
            running.child().kill().unwrap();
            running.child().wait().unwrap();
            only_matches_are_gone(w, &others);
            if w.is_sqlite() {
                w.is_sound();
            }
            if w.count() > others.len() {
                amid += 1;
            } else {
                // Without a rest between batches a server may be done before the signal is.
                w.user("42", 150);
            }
        }
        assert!(amid > 0, "each time it was over before it was killed");
        let report = w.run(&["logout-user", "42", "--format", "json"]).ok().json();
        assert_eq!(report["remaining"], json!(0));
        assert_eq!(w.session_keys().into_iter().collect::<BTreeSet<_>>(), others);
    });
}

#[test]
fn a_lost_connection_is_made_anew() {
    let w = World::postgres("signal_terminate");
    let others = mixed(&w, 40);
    let mut client = connect(&w);
    let running = Running::start(&mut w.command(&SLOW));
    for at in [50, 40, 30] {
        eventually("a delete", || w.count() < at);
        // Between two transactions, where it is sure what was committed.
        eventually("the connection is cut", || {
            let sql = "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name = 'sessctl' AND state = 'idle'";
            connect(&w).query_one(sql, &[]).unwrap().get(0)
        });
    }
    let report = running.end().ok().json();
    assert_eq!((&report["deleted"], &report["remaining"]), (&json!(40), &json!(0)));
    assert_eq!(w.session_keys().into_iter().collect::<BTreeSet<_>>(), others);
    client.batch_execute("SELECT 1").unwrap();
}

#[test]
fn a_connection_lost_amid_reading_is_a_failure_and_deletes_nothing() {
    let w = World::postgres("signal_terminate_scan");
    mixed(&w, 300);
    w.execute(
        "INSERT INTO django_session SELECT 'filler' || n, 'x', '2099-01-01' FROM generate_series(1, 30000) n",
    );
    slow_view(&w);
    let running = Running::start(w.command(&SLOW).args(["--table", "slow", "--superuser-ok"]));
    amid_scan(&w);
    connect(&w)
        .batch_execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'sessctl'",
        )
        .unwrap();
    running.end().exits(1).says("error: cannot read table \"slow\"").says("terminat");
    assert_eq!(w.count(), 30_320);
}

// --- outputs -------------------------------------------------------------------------------------------------------

/// Runs the program through a shell, which closes one of its outputs first.
fn closing(w: &World, close: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" {close}")]).arg(sessctl()).args(arguments);
    command.args(["-d", &w.url()]).env("SECRET_KEY", SECRET_KEY).ran("")
}

#[test]
fn closed_outputs_change_neither_the_work_nor_the_exit_code() {
    for close in [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        World::each("closed", |w| {
            let others = mixed(w, 2);
            let ran = closing(w, close, &["logout-user", "42", "-v"]).exits(0);
            assert!(!ran.stderr.contains("panic"), "{ran:#?}");
            closing(w, close, &["logout-user", "42", "--table", "nosuch"]).exits(1);
            closing(w, close, &["list"]).exits(0);
            assert_eq!(w.session_keys().into_iter().collect::<BTreeSet<_>>(), others);
            if w.is_sqlite() {
                let head = std::fs::read(w.url()).unwrap();
                assert!(head.starts_with(b"SQLite format 3\0"), "talk went into the database");
            }
        });
    }
}

#[test]
fn a_report_that_nobody_reads_changes_nothing_of_the_exit_code() {
    World::each("unread", |w| {
        mixed(w, 2);
        w.session("\u{93}msgpack");
        for format in ["human", "json"] {
            let mut running =
                Running::start(&mut w.command(&["logout-user", "42", "--format", format]));
            drop(running.child().stdout.take());
            running.end().exits(3);
        }
        assert_eq!(w.count(), 21);
    });
}

/// What the program draws on a terminal.
fn on_a_terminal(w: &World, environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut command = Command::new(django_python("5.2"));
    command
        .args(["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"])
        .arg(sessctl())
        .args(arguments)
        .env("SESSCTL_DATABASE_URL", w.url())
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .env("SECRET_KEY", SECRET_KEY)
        .envs(environment.iter().copied());
    command.ran("").stdout
}

#[test]
fn a_bar_is_drawn_on_a_terminal_only() {
    let w = World::postgres("bar");
    let drawn = |environment: &[(&str, &str)], arguments: &[&str]| {
        w.user("42", 5);
        on_a_terminal(&w, environment, &[&SLOW[..6], arguments].concat())
    };
    assert!(drawn(&[], &[]).contains("deleting"));
    assert!(drawn(&[("NO_COLOR", "1")], &[]).contains("deleting"));
    for quiet in [drawn(&[("TERM", "dumb")], &[]), drawn(&[], &["--quiet"])] {
        assert!(!quiet.contains("deleting") && !quiet.contains('\u{1b}'), "{quiet:?}");
    }
    w.user("42", 5);
    let piped = w.run(&SLOW[..6]).ok();
    assert!(!piped.stderr.contains("deleting"), "{piped:#?}");
}

#[test]
fn a_bar_says_what_is_done() {
    World::each("bar_doing", |w| {
        w.user("42", 25);
        let pause = w.file("pause", "");
        let kept = ["logout-user", "42", "--keep-data", "--batch-size", "5", "--sleep", "300ms"];
        let drawn = on_a_terminal(w, &[], &kept);
        assert!(drawn.contains("rewriting") && !drawn.contains("deleting"), "{drawn:?}");
        w.user("42", 25);
        let filled = ["backfill", "--batch-size", "5", "--sleep", "300ms"];
        let drawn = on_a_terminal(w, &[], &filled);
        assert!(drawn.contains("reading") && !drawn.contains("deleting"), "{drawn:?}");
        // A note does not end up in the bar, and the bar says what it does when the pause is over.
        w.expired(25);
        let purge =
            ["purge-expired", "-v", "--batch-size", "5", "--sleep", "300ms", "--pause-file"];
        let gone = std::thread::spawn({
            let pause = pause.clone();
            move || {
                std::thread::sleep(Duration::from_millis(2_500));
                std::fs::remove_file(pause).unwrap();
            }
        });
        let drawn = on_a_terminal(w, &[], &[&purge[..], &[&*pause]].concat());
        gone.join().unwrap();
        assert_eq!(drawn.matches("the pause file is there").count(), 1, "{drawn:?}");
        let (paused, later) = drawn.rsplit_once("the pause is over").unwrap();
        assert!(paused.contains("paused by file"), "{drawn:?}");
        assert!(later.contains("deleting") && !later.contains("paused by file"), "{drawn:?}");
    });
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let w = World::postgres("colour");
    let error = |environment: &[(&str, &str)]| {
        on_a_terminal(&w, environment, &["list", "--table", "nosuch"])
    };
    assert!(error(&[]).contains("\u{1b}[1;31merror:\u{1b}[0m"));
    for plain in [error(&[("NO_COLOR", "1")]), error(&[("TERM", "dumb")])] {
        assert!(plain.contains("error: no table") && !plain.contains("[1;31m"), "{plain:?}");
    }
}

/// What is drawn there, in the pieces between what moves the cursor.
fn pieces(drawn: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = drawn.chars();
    while let Some(letter) = letters.next() {
        if !matches!(letter, '\u{1b}' | '\r' | '\n') {
            pieces.last_mut().unwrap().push(letter);
            continue;
        }
        pieces.push(String::new());
        if letter == '\u{1b}' {
            letters.find(char::is_ascii_alphabetic);
        }
    }
    pieces
}

/// Everything that is drawn on a terminal of 40 columns, with many rows in the table.
fn on_a_narrow_terminal(w: &World, arguments: &[&str]) -> Ran {
    let mut command = Command::new(django_python("5.2"));
    command
        .args(["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"])
        .args(["sh", "-c", "stty cols 40 rows 24; exec \"$0\" \"$@\""])
        .arg(sessctl())
        .args(arguments)
        .env("SESSCTL_DATABASE_URL", w.url())
        .envs([("TERM", "xterm"), ("SECRET_KEY", SECRET_KEY)]);
    command.ran("")
}

#[test]
fn a_bar_fits_into_40_columns() {
    let w = World::postgres("narrow");
    w.live(30_000).user("42", 5).execute("ANALYZE");
    let filled = on_a_narrow_terminal(&w, &["backfill"]);
    let deleted = on_a_narrow_terminal(&w, &SLOW[..6]);
    for (ran, doing) in [(deleted, "deleting"), (filled, "reading")] {
        let drawn = pieces(&ran.ok().stdout);
        let bars: Vec<&String> = drawn.iter().filter(|piece| piece.contains(doing)).collect();
        assert!(!bars.is_empty(), "{drawn:?}");
        assert!(bars.iter().all(|bar| bar.chars().count() <= 40), "{bars:?}");
    }
}

/// A bar that is drawn between them wipes lines out.
#[test]
fn there_is_no_bar_among_what_is_printed_to_the_same_terminal() {
    World::each("shared_terminal", |w| {
        w.live(30_000).user("42", 300);
        for arguments in [
            &["list"][..],
            &["list", "--format", "ids"],
            &[&SLOW[..2], &["--batch-size", "20", "--sleep", "50ms", "--print-cache-keys"]]
                .concat(),
        ] {
            let ran = on_a_narrow_terminal(w, arguments).ok();
            let moves = ran.stdout.contains("\u{1b}[1A") || ran.stdout.contains("\u{1b}[2K");
            assert!(!moves, "{arguments:?}: {:?}", pieces(&ran.stdout));
        }
    });
}

//! Servers and files that never answer: whoever waits for them gives up, hears signals, and keeps to `--run-time`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::network::{proxy, through};
use crate::proxy::Fault;
use crate::running::{Running, eventually};
use crate::signals::has_opened;
use crate::work::{ALL, BACKFILL, Before, FLUSH, KEEP, LOGOUT, PURGE, Work};
use crate::world::{RunToEnd, World, program};

/// Longer than the five seconds that a signal leaves to what is under way, and less than any default.
const SOON: Duration = Duration::from_secs(25);

/// A server that says this in answer to whatever it is told, piece after piece, and then nothing more. Returns its port.
fn silent_after(said: &'static [&'static [u8]]) -> u16 {
    silent(said, said)
}

/// The same, saying something else from the second connection on.
fn silent(first: &'static [&'static [u8]], later: &'static [&'static [u8]]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (number, socket) in listener.incoming().enumerate() {
            let mut socket = socket.unwrap();
            let said = if number == 0 { first } else { later };
            thread::spawn(move || {
                let mut heard = [0; 4096];
                for piece in said {
                    let _ = (socket.read(&mut heard), socket.write_all(piece));
                }
                while socket.read(&mut heard).is_ok_and(|len| len > 0) {}
            });
        }
    });
    port
}

const NO_TLS: &[u8] = b"N";
const YES_TLS: &[u8] = b"S";
const ASK_PASSWORD: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0";
const READY: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    for (said, options) in [
        (&[][..], ""),
        (&[], "sslmode=disable"),
        (&[], "sslmode=require"),
        (&[YES_TLS], ""),
        (&[NO_TLS], ""),
        (&[NO_TLS, ASK_PASSWORD], ""),
        (&[NO_TLS, LET_IN], ""),
    ] {
        let port = silent_after(said);
        let url = |more: &str| format!("postgres://u:p@127.0.0.1:{port}/d?{options}{more}");
        let timeout = if options.is_empty() { "connect_timeout=1" } else { "&connect_timeout=1" };
        let ran = program(&["list"]).env("SESSCTL_DATABASE_URL", url(timeout)).ran("");
        ran.exits(1).says("no answer in 1 s").says("cannot connect");
        let began = Instant::now();
        let mut waiting = Running::start(program(&["list"]).env("SESSCTL_DATABASE_URL", url("")));
        thread::sleep(Duration::from_millis(500));
        waiting.signal("TERM");
        waiting.end().exits(143).says("asked sessctl to end");
        assert!(began.elapsed() < SOON, "{said:?} {options}");
    }
    let url = format!("postgres://u:p@127.0.0.1:{}/d", silent_after(&[NO_TLS, READY]));
    let mut list = program(&["list", "--answer-timeout", "1s"]);
    list.env("SESSCTL_DATABASE_URL", url).ran("").exits(1).says("no answer in 1 s");
}

/// Over a second connection.
#[test]
fn a_server_that_does_not_hear_that_it_is_to_end_is_not_waited_for() {
    let url = format!("postgres://u:p@127.0.0.1:{}/d", silent(&[NO_TLS, READY], &[]));
    let began = Instant::now();
    let mut list = program(&["list", "--answer-timeout", "1s"]);
    Running::start(list.env("SESSCTL_DATABASE_URL", url)).end().exits(1).says("no answer in 1 s");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// Where the kernel probes the other end of a connection, a firewall does not forget it, and an end that is gone is noticed.
#[test]
fn a_connection_is_probed_while_its_server_is_silent() {
    for (options, milliseconds) in
        [("", Some(60_000)), ("&keepalives_idle=20", Some(20_000)), ("&keepalives=0", None)]
    {
        let port = silent_after(&[]);
        let url = format!("postgres://u:p@127.0.0.1:{port}/d?sslmode=disable{options}");
        let _running = Running::start(program(&["list"]).env("SESSCTL_DATABASE_URL", url));
        // proc(5), `/proc/net/tcp`: state 01 is a connection, timer 02 a probe, after so many hundredths of a second.
        let timer = || {
            let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
            let theirs = format!("0100007F:{port:04X}");
            let of_ours = |line: &str| {
                let fields: Vec<_> = line.split_whitespace().collect();
                (fields[2] == theirs && fields[3] == "01").then(|| fields[5].to_owned())
            };
            connections.lines().find_map(of_ours)
        };
        eventually("a connection", || timer().is_some());
        let Some(most) = milliseconds else {
            thread::sleep(Duration::from_millis(500));
            assert!(timer().unwrap().starts_with("00:"));
            continue;
        };
        eventually("a probe", || timer().is_some_and(|timer| timer.starts_with("02:")));
        let left = timer().unwrap();
        let left = 10 * u64::from_str_radix(left.rsplit_once(':').unwrap().1, 16).unwrap();
        assert!((most - 10_000..=most).contains(&left), "{options}: {left} ms");
    }
}

/// The rest of an answer of which enough was read is waited for no longer than two seconds.
#[test]
fn the_rest_of_an_answer_is_not_waited_for() {
    let w = World::postgres("goodbye");
    w.execute(
        "CREATE TABLE hidden AS SELECT lpad(i::text, 32, '0') AS session_key, repeat('x', 100000) AS session_data,
             timestamptz '2099-01-01' AS expire_date FROM generate_series(1, 50) i;
         DROP TABLE django_session; CREATE VIEW django_session AS SELECT * FROM hidden
             UNION ALL SELECT 'last' || pg_sleep(40), 'x', '2099-01-01'",
    );
    let began = Instant::now();
    let listed = w.run(&["list", "--limit", "1", "--format", "csv", "--superuser-ok"]);
    assert_eq!(listed.stdout.lines().count(), 2, "{listed:#?}");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// What the program says to have its work done, and to look.
fn says(work: &Work) -> [&'static str; 2] {
    let updates = work.command.contains(&"--keep-data") || work.command[0] == "backfill";
    let does = if updates { "UPDATE \"public" } else { "DELETE FROM" };
    [does, "COMMIT"]
}

#[test]
fn an_answer_that_is_withheld_is_given_up_and_asked_for_again() {
    for work in ALL {
        for text in says(&work) {
            let w = World::postgres(&format!("withheld_{}_{}", work.name(), text.len()));
            let before = Before::fill(&w);
            let proxy = proxy(&w, Fault::Silence(text));
            let what = format!("{:?} {text}", work.command);
            let ran = through(&work, &w, proxy.port).args(["--answer-timeout", "3s"]).ran("");
            assert!(proxy.struck(), "{what}");
            work.was_lost(&w, &before, &ran, &what);
            work.ends_well(&w, &before, &what);
        }
    }
}

#[test]
fn a_look_that_goes_silent_is_given_up() {
    for work in [LOGOUT, FLUSH, KEEP] {
        let w = World::postgres(&format!("silent_look_{}", work.name()));
        let before = Before::fill(&w);
        let proxy = proxy(&w, Fault::Silence("COPY (SELECT"));
        let ran = through(&work, &w, proxy.port).args(["--answer-timeout", "2s"]).ran("");
        let ran = ran.exits(1).says("cannot read table").says("no answer in 2 s");
        work.was_lost(&w, &before, &ran, "a look");
    }
}

/// Nobody is left in the server who does what sessctl was doing.
fn holds_nothing(w: &World) {
    let sql = "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database()
               AND application_name = 'sessctl' AND state <> 'idle'";
    eventually("its transaction is over", || w.client().query_one(sql, &[]).unwrap().get(0));
}

#[test]
fn a_signal_and_the_end_of_the_run_time_are_heard_while_an_answer_is_withheld() {
    for work in [LOGOUT, PURGE, BACKFILL] {
        // Only the others have a run time, and a purge and a backfill look at no session first.
        let is_logout = work.command[0] == "logout-user";
        let texts = [says(&work)[0], "COPY (SELECT"];
        for text in &texts[..if is_logout { 2 } else { 1 }] {
            for run_time in if is_logout { &[false][..] } else { &[false, true] } {
                let run_time = *run_time;
                let w =
                    World::postgres(&format!("heard_{}_{}_{run_time}", work.name(), text.len()));
                let before = Before::fill(&w);
                let proxy = proxy(&w, Fault::Silence(text));
                let what = format!("{:?} {text} {run_time}", work.command);
                let began = Instant::now();
                let mut command = through(&work, &w, proxy.port);
                if run_time {
                    command.args(["--run-time", "1s"]);
                }
                let mut running = Running::start(&mut command);
                eventually("silence", || proxy.struck() || running.is_over());
                if !run_time {
                    running.signal("TERM");
                }
                let ran = running.end().exits(if run_time { 3 } else { 143 });
                assert!(began.elapsed() < SOON, "{what}");
                assert!(ran.json()["elapsed_seconds"].is_number(), "{what}: a report: {ran:?}");
                Work::spares_others(&w, &before, &what);
                holds_nothing(&w);
                work.ends_well(&w, &before, &what);
            }
        }
    }
}

/// It does not see that nobody waits for its answer any more.
#[test]
fn a_server_that_works_is_asked_to_end_it() {
    let w = World::postgres("asked_to_end");
    w.user("42", 3).execute(
        "CREATE FUNCTION sleeps() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_sleep(50); RETURN OLD; END $$;
         CREATE TRIGGER sleeps BEFORE DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION sleeps()",
    );
    let sleeps = || -> bool {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'sessctl' AND wait_event = 'PgSleep')";
        w.client().query_one(sql, &[]).unwrap().get(0)
    };
    let mut running = Running::start(&mut w.command(&["logout-user", "42"]));
    eventually("it sleeps", sleeps);
    running.signal("TERM");
    running.end().exits(143);
    let began = Instant::now();
    eventually("it is asked to end", || !sleeps());
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(w.count(), 3);
}

#[test]
fn a_second_signal_ends_it_at_once_whatever_it_waits_for() {
    let w = World::postgres("second_signal");
    let before = Before::fill(&w);
    let proxy = proxy(&w, Fault::Silence("DELETE FROM"));
    let mut running = Running::start(&mut through(&LOGOUT, &w, proxy.port));
    eventually("silence", || proxy.struck());
    running.signal("INT");
    thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    running.signal("INT");
    let ran = running.end().exits(130).says("ended at once, without a report");
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(ran.stdout, "");
    Work::spares_others(&w, &before, "a second signal");
}

#[test]
fn the_server_ends_a_batch_and_forgets_a_client_that_is_gone() {
    let w = World::postgres("server_limits");
    w.user("42", 3);
    w.execute(
        "CREATE TABLE seen (statement text, idle text);
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO seen VALUES (current_setting('statement_timeout'),
                 current_setting('idle_in_transaction_session_timeout'));
             RETURN OLD; END $$;
         CREATE TRIGGER see BEFORE DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION see()",
    );
    let seen = || {
        let row = w.client().query_one("SELECT * FROM seen ORDER BY ctid DESC LIMIT 1", &[]);
        let row = row.unwrap();
        (row.get::<_, String>(0), row.get::<_, String>(1))
    };
    w.run(&["logout-user", "42", "--batch-size", "1"]).ok();
    assert_eq!(seen(), ("1min".into(), "1min".into()));
    w.user("42", 3);
    w.run(&["logout-user", "42", "--answer-timeout", "7s"]).ok();
    assert_eq!(seen(), ("7s".into(), "7s".into()));
    w.execute("CREATE TRIGGER emptied AFTER TRUNCATE ON django_session EXECUTE FUNCTION see()");
    w.run(&["flush-all", "--yes", "--truncate", "--answer-timeout", "9s"]).ok();
    assert_eq!(seen(), ("9s".into(), "9s".into()));
    // What the role has of its own stays.
    w.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''42s''', current_database()); END $$",
    );
    w.user("42", 3);
    w.run(&["logout-user", "42"]).ok();
    assert_eq!(seen(), ("42s".into(), "1min".into()));
}

// --- files -----------------------------------------------------------------------------------------------------------

/// In the file: a query that never ends and has no row.
const ENDLESS: &str = "CREATE VIEW endless AS
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT (i + 1) % 1000 FROM n) SELECT i FROM n WHERE i < 0";

/// A table of which every delete never ends, and one that is a view that never ends.
fn endless(name: &str, is_view: bool) -> World {
    let w = World::sqlite(name);
    w.user("42", 3).expired(3);
    w.execute(ENDLESS);
    w.execute(if is_view {
        "ALTER TABLE django_session RENAME TO hidden;
         CREATE VIEW django_session AS SELECT session_key, session_data, expire_date FROM hidden
             UNION ALL SELECT 'k', 'x', '2099-01-01 00:00:00' FROM endless"
    } else {
        "CREATE TRIGGER never BEFORE DELETE ON django_session BEGIN SELECT count(*) FROM endless; END"
    });
    w
}

/// The commands that run into it, with the exit code of a run that ends for its run time.
fn runs_into(is_view: bool) -> Vec<&'static [&'static str]> {
    if is_view {
        vec![
            &["list"],
            &["stats"],
            &["logout-user", "42", "--dry-run"],
            &["flush-all", "--dry-run"],
        ]
    } else {
        vec![
            &["logout-user", "42"],
            &["purge-expired"],
            &["flush-all", "--yes"],
            &["flush-all", "--yes", "--truncate"],
        ]
    }
}

/// Longer than the limit of a batch and the time that the server has on top of it to end one itself.
#[test]
fn statistics_and_an_index_are_waited_for_longer_than_a_batch() {
    let w = World::postgres("long_build");
    w.user("42", 3).expired(3);
    w.execute("ALTER TABLE django_session ADD user_id bigint");
    for (command, holds) in [
        (
            &["purge-expired", "--analyze"][..],
            "LOCK TABLE django_session IN SHARE UPDATE EXCLUSIVE MODE",
        ),
        // CREATE INDEX CONCURRENTLY waits for whoever may still look at the table as it was.
        (&["backfill"], "SELECT FROM django_session"),
    ] {
        let mut holder = w.client();
        holder.batch_execute(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {holds}")).unwrap();
        let running = Running::start(w.command(command).args(["--answer-timeout", "1s"]));
        let mut watcher = w.client();
        let mut waiting = || {
            let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
                       AND wait_event_type = 'Lock' AND query ~ '^ANALYZE|CONCURRENTLY'";
            watcher.query_opt(sql, &[]).unwrap().map(|row| row.get::<_, i32>(0))
        };
        eventually("it waits", || waiting().is_some());
        let before = waiting();
        thread::sleep(Duration::from_secs(8));
        assert_eq!(waiting(), before, "{command:?}");
        holder.batch_execute("COMMIT").unwrap();
        running.end().ok();
    }
}

#[test]
fn what_never_ends_inside_of_a_file_is_given_up() {
    for is_view in [false, true] {
        let w = endless("endless_timeout", is_view);
        for command in runs_into(is_view) {
            let command = [command, &["--answer-timeout", "1s"]].concat();
            let began = Instant::now();
            let ran = w.run(&command).exits(1).says("it took too long").says("may never end");
            assert!(began.elapsed() < SOON, "{ran:?}");
            // Nobody holds the lock.
            w.execute("CREATE TABLE t (x); DROP TABLE t");
        }
    }
}

/// Each page of rows is no reason to wait for another.
#[test]
fn a_view_that_has_rows_without_end_is_given_up() {
    let w = World::sqlite("endless_rows");
    w.execute(
        "DROP TABLE django_session; CREATE VIEW django_session AS
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
             SELECT 'key' || i AS session_key, 'x' AS session_data, '2099-01-01 00:00:00' AS expire_date FROM n",
    );
    for command in
        [&["list", "--format", "count"][..], &["stats"], &["logout-user", "42", "--dry-run"]]
    {
        let ran = w.run(&[command, &["--answer-timeout", "2s"]].concat());
        ran.exits(1).says("it took too long").says("may never end");
    }
}

/// What SQLite makes of a view of views of views it makes before it runs anything.
#[test]
fn views_that_nobody_asks_for_are_not_unfolded() {
    let w = World::sqlite("nested_views");
    w.user("42", 3).expired(3);
    let mut below = "django_session".to_owned();
    for number in 0..60 {
        let view = format!("view{number}");
        w.execute(&format!("CREATE VIEW {view} AS SELECT a.* FROM {below} a JOIN {below} b"));
        below = view;
    }
    for command in [
        &["list"][..],
        &["stats"],
        &["check"],
        &["purge-expired"],
        &["logout-user", "42"],
        &["flush-all", "--yes"],
        &["backfill"],
    ] {
        let began = Instant::now();
        let mut running = Running::start(&mut w.command(command));
        eventually("the end", || running.is_over());
        assert!(began.elapsed() < SOON, "{command:?}: {:?}", running.end());
    }
    let doctor = w.run(&["doctor"]);
    assert!(!doctor.stdout.contains("took too long"), "{doctor:#?}");
}

/// Between two batches, in which SQLite opens it again.
#[test]
fn a_pipe_that_comes_in_the_place_of_the_journal_ends_a_purge() {
    let w = World::sqlite("late_pipe");
    w.expired(200);
    let pause = w.url() + "-pause";
    let options = ["--batch-size", "1", "--sleep", "20ms", "--pause-file", &pause];
    let running = Running::start(&mut w.command(&[&["purge-expired"][..], &options].concat()));
    eventually("a batch", || w.count() < 200);
    std::fs::write(&pause, "").unwrap();
    let is_paused = || {
        let before = w.count();
        thread::sleep(Duration::from_millis(500));
        before == w.count()
    };
    eventually("a pause", is_paused);
    assert!(Command::new("mkfifo").arg(w.url() + "-journal").status().unwrap().success());
    std::fs::remove_file(&pause).unwrap();
    let ran = running.end();
    assert_ne!(ran.code, 0);
    ran.says("not a regular file");
}

/// Just after the look that would find it.
#[test]
fn what_waits_for_a_pipe_to_be_opened_ends_with_the_process() {
    let w = World::sqlite("unseen_pipe");
    w.user("42", 1);
    w.execute(
        "INSERT INTO django_session SELECT lower(hex(randomblob(16))), session_data, expire_date FROM django_session,
             (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n)",
    );
    // It reads no further than those who read it.
    let list = ["list", "--format", "jsonl", "--answer-timeout", "2s"];
    let mut running = Running::start(&mut w.command(&list));
    thread::sleep(Duration::from_secs(2));
    assert!(Command::new("mkfifo").arg(w.url() + "-journal").status().unwrap().success());
    let mut stdout = running.child().stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut listed = Vec::new();
        stdout.read_to_end(&mut listed).map(|_| listed.len())
    });
    running.end().exits(3).says("a file did not open in 2 s").says("without a report");
    assert!(reader.join().unwrap().unwrap() > 1000);
}

#[test]
fn signals_and_the_end_of_the_run_time_are_heard_inside_of_a_file() {
    for is_view in [false, true] {
        let w = endless("endless_signal", is_view);
        for command in runs_into(is_view) {
            let began = Instant::now();
            let mut running = Running::start(&mut w.command(command));
            has_opened(&w, &mut running);
            thread::sleep(Duration::from_millis(700));
            assert!(!running.is_over(), "it did not run into what never ends: {command:?}");
            running.signal("TERM");
            let ran = running.end().exits(143);
            assert!(began.elapsed() < SOON, "{command:?}: {ran:?}");
            w.execute("CREATE TABLE t (x); DROP TABLE t");
        }
    }
    let w = endless("endless_run_time", false);
    for command in [&["purge-expired"][..], &["flush-all", "--yes"]] {
        let began = Instant::now();
        let arguments = ["--run-time", "1s", "--format", "json"];
        let report = w.run(&[command, &arguments].concat()).exits(3).json();
        assert_eq!(report["deleted"], json!(0));
        assert!(began.elapsed() < SOON);
    }
}

#[test]
fn a_signal_is_heard_while_somebody_holds_a_lock_on_the_file() {
    let w = World::sqlite("held_lock");
    w.user("42", 3).expired(3);
    let holder = rusqlite::Connection::open(w.url()).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for command in [&["list"][..], &["logout-user", "42"], &["purge-expired"], &["stats"]] {
        let began = Instant::now();
        let mut running = Running::start(&mut w.command(command));
        has_opened(&w, &mut running);
        thread::sleep(Duration::from_millis(500));
        assert!(!running.is_over(), "it did not wait: {command:?}");
        running.signal("TERM");
        running.end().exits(143);
        // Less than the ten seconds for which a reader waits for a lock.
        assert!(began.elapsed() < Duration::from_millis(9_500), "{command:?}");
    }
}

/// One call of a function inside of SQLite cannot be interrupted.
#[test]
fn what_cannot_be_given_up_ends_with_the_process() {
    let w = World::sqlite("endless_call");
    w.user("42", 3);
    w.execute(
        "CREATE TRIGGER never BEFORE DELETE ON django_session BEGIN
             SELECT instr(hex(zeroblob(20000000)), hex(zeroblob(10000000)) || 'x'); END",
    );
    let mut running = Running::start(&mut w.command(&["logout-user", "42"]));
    thread::sleep(Duration::from_millis(700));
    running.signal("TERM");
    let ran = running.end().exits(143).says("ended at once, without a report");
    assert_eq!(ran.stdout, "");
    assert_eq!(w.count(), 3);
    w.is_sound();
}

/// Nobody asks for an end: the process ends once the call has had the time of an answer and 10 s, so that its lock goes.
#[test]
fn a_call_that_does_not_return_ends_the_process() {
    let w = World::sqlite("endless_call_alone");
    w.user("42", 3).expired(3);
    let call = "(SELECT instr(hex(zeroblob(5000000)), hex(zeroblob(2500000)) || 'x'))";
    w.execute(&format!(
        "CREATE TRIGGER never BEFORE DELETE ON django_session BEGIN SELECT {call}; END"
    ));
    let is_ended = |command: &[&str]| {
        let began = Instant::now();
        let ran = w.run(&[command, &["--answer-timeout", "1s"]].concat()).exits(3);
        assert!(began.elapsed() < SOON + Duration::from_secs(10));
        ran.says("did not return in 11 s").says("nothing is proved")
    };
    is_ended(&["purge-expired"]);
    assert_eq!(w.count(), 6);
    w.is_sound();
    w.execute(&format!(
        "DROP TRIGGER never; ALTER TABLE django_session RENAME TO hidden; CREATE VIEW django_session AS
             SELECT session_key, session_data, expire_date FROM hidden WHERE {call} = 0"
    ));
    let line = is_ended(&["check"]).stdout;
    let unknown =
        "SESSIONS UNKNOWN - one call of a function inside of SQLite did not return in 11 s";
    assert!(line.starts_with(unknown) && line.lines().count() == 1, "{line:?}");
}

#[test]
fn a_time_that_is_no_time_to_wait_is_refused() {
    let refused = |time: &str| {
        let mut command: Command = program(&["list", "-d", "x.sqlite3", "--answer-timeout", time]);
        command.ran("").exits(2).says("--answer-timeout");
    };
    refused("0s");
    refused("10ms");
    refused("soon");
}

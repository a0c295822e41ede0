//! Signals at moments that nobody chose, to every command that changes a table, on every database.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::running::{Running, eventually};
use crate::support::{random, rounds};
use crate::work::{ALL, Before, LOGOUT, Work};
use crate::world::{RunToEnd, World};

/// A world of each kind.
const KINDS: [fn(&str) -> World; 4] = [World::postgres, World::mysql, World::sqlite, in_wal_mode];

fn in_wal_mode(name: &str) -> World {
    let w = World::sqlite(&format!("{name}_wal"));
    w.execute("PRAGMA journal_mode = wal");
    w
}

/// Calls `strike` with each kind of work on each kind of database in turn, and a delay within the time it takes. It
/// returns how many rows were done by then.
fn everywhere(
    name: &str,
    rounds: u32,
    strike: impl Fn(&Work, &World, &Before, Duration, u32) -> u64,
) {
    let mut amid = 0;
    let kinds = KINDS.iter().flat_map(|kind| ALL.map(|work| (kind, work)));
    let kinds: Vec<_> = kinds.collect();
    let mut took = vec![None; kinds.len()];
    for (round, at) in (0..rounds).zip((0..kinds.len()).cycle()) {
        let (kind, work) = &kinds[at];
        let w = kind(&format!("{name}_{}", work.name()));
        let before = Before::fill(&w);
        let longest = took[at].get_or_insert_with(|| undisturbed(**kind, name, work));
        let delay = Duration::from_micros(random(longest.as_micros().try_into().unwrap()));
        let done = strike(work, &w, &before, delay, round);
        amid += u32::from((1..u64::from(work.to_do)).contains(&done));
    }
    assert!(amid > 0 || rounds < 10, "nothing struck between the first batch and the last");
}

/// How long it takes, rests and all.
fn undisturbed(kind: fn(&str) -> World, name: &str, work: &Work) -> Duration {
    let w = kind(&format!("{name}_undisturbed"));
    Before::fill(&w);
    let began = Instant::now();
    slowly(work, &w).ran("").ok();
    began.elapsed()
}

/// With rests, so that most of the time is spent between the first batch and the last.
fn slowly(work: &Work, w: &World) -> std::process::Command {
    work.on(w, "10ms")
}

#[test]
fn a_signal_at_any_moment_leaves_a_true_report() {
    everywhere("signalled", rounds(40), |work, w, before, delay, round| {
        let (signal, code) = if round % 2 == 0 { ("INT", 130) } else { ("TERM", 143) };
        let what = format!("{:?} SIG{signal} after {delay:?}", work.command);
        let mut running = Running::start(&mut slowly(work, w));
        std::thread::sleep(delay);
        running.signal(signal);
        let ran = running.end();
        // It was over before, or it had not begun to heed signals and was ended by this one.
        assert!([code, 0, -1].contains(&ran.code), "{what}: {ran:#?}");
        if ran.code == -1 {
            assert_eq!((&*ran.stdout, work.done(w, before)), ("", 0), "{what}: {ran:#?}");
        }
        work.is_true(w, before, &ran, &what);
        let done = work.done(w, before);
        work.ends_well(w, before, &what);
        done
    });
}

#[test]
fn a_signal_while_requests_settle_leaves_nothing_claimed() {
    World::each("signal_settle", |w| {
        let before = Before::fill(w);
        let rows = w.count();
        let mut running = Running::start(LOGOUT.on(w, "0s").args(["--settle", "60s"]));
        eventually("they are gone", || w.count() == rows - 12);
        running.signal("TERM");
        let ran = running.end().exits(143);
        LOGOUT.is_true(w, &before, &ran, "while requests settle");
        assert_eq!(ran.json()["remaining"], Value::Null, "{ran:#?}");
    });
}

/// Somebody locks the table when the sessions are gone, and the look that proves it waits.
#[test]
fn a_signal_amid_the_second_look_leaves_nothing_claimed() {
    let w = World::postgres("signal_second");
    let before = Before::fill(&w);
    let rows = w.count();
    // It waits for 10 s until it looks again, and by then the table is locked.
    let (mut holder, mut watcher) = (w.client(), w.client());
    let mut running = Running::start(LOGOUT.on(&w, "0s").args(["--settle", "10s"]));
    eventually("they are gone", || w.count() == rows - 12);
    // All that changed is read again.
    holder
        .batch_execute(
            "BEGIN; LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE;
             UPDATE django_session SET session_data = session_data",
        )
        .unwrap();
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'django_session'::regclass)";
    eventually("it waits", || watcher.query_one(waits, &[]).unwrap().get(0));
    running.signal("INT");
    // On a busy machine the answer to a look that goes on at once may be there before the thread that heeds
    // signals runs, and a look that ended first is whole. After five seconds the look would be given up.
    std::thread::sleep(Duration::from_secs(2));
    holder.batch_execute("COMMIT").unwrap();
    let ran = running.end().exits(130);
    LOGOUT.is_true(&w, &before, &ran, "amid the second look");
    assert_eq!(ran.json()["remaining"], Value::Null, "{ran:#?}");
}

#[test]
fn killed_at_any_moment_it_ends_well_when_run_again() {
    everywhere("killed", rounds(20), |work, w, before, delay, _| {
        let what = format!("{:?} SIGKILL after {delay:?}", work.command);
        let mut running = Running::start(&mut slowly(work, w));
        std::thread::sleep(delay);
        running.child().kill().unwrap();
        running.child().wait().unwrap();
        if w.is_sqlite() {
            w.is_sound();
        }
        Work::spares_others(w, before, &what);
        let done = work.done(w, before);
        work.ends_well(w, before, &what);
        done
    });
}

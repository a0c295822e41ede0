//! The network fails between sessctl and PostgreSQL or MariaDB, after every number of bytes. Whatever was under way, nobody else's
//! session goes, no user is told to be out who is in, and another run ends well.

use std::process::Command;
use std::time::Duration;

use crate::proxy::{Fault, Proxy, Side};
use crate::support::{random, rounds};
use crate::work::{ALL, BACKFILL, Before, FLUSH, KEEP, LOGOUT, PURGE, Work};
use crate::world::{RunToEnd, World};

/// A world of each kind that a network leads to.
const KINDS: [fn(&str) -> World; 2] = [World::postgres, World::mysql];

/// Runs it on this database through this port of this machine.
pub(crate) fn through(work: &Work, w: &World, port: u16) -> Command {
    at(work.on(w, "0s"), w, port)
}

fn at(mut command: Command, w: &World, port: u16) -> Command {
    let url = w.url();
    let (login, rest) = url.rsplit_once('@').unwrap();
    let database = rest.rsplit_once('/').unwrap().1;
    command.env("SESSCTL_DATABASE_URL", format!("{login}@127.0.0.1:{port}/{database}"));
    command
}

/// Between it and its server.
pub(crate) fn proxy(w: &World, fault: Fault) -> Proxy {
    let url = w.url();
    Proxy::to(url.rsplit_once('@').unwrap().1.split_once('/').unwrap().0, fault)
}

/// Runs it with a fault, looks, runs it again without, looks again.
fn run(kind: fn(&str) -> World, test: &str, work: &Work, fault: Fault) -> Proxy {
    let w = kind(&format!("network_{test}_{}", work.name()));
    let before = Before::fill(&w);
    let proxy = proxy(&w, fault);
    let what = format!("{:?} {fault:?}", work.command);
    let ran = through(work, &w, proxy.port).ran("");
    if matches!(fault, Fault::None | Fault::Delay(_)) {
        assert_eq!(ran.code, 0, "{what}: {ran:#?}");
        work.is_true(&w, &before, &ran, &what);
    }
    work.was_lost(&w, &before, &ran, &what);
    work.ends_well(&w, &before, &what);
    proxy
}

/// Faults at places of which each is in another part of what is said, and in another place every time.
fn everywhere(test: &str, work: &Work, fault: fn(Side, u64) -> Fault, every_day: u32) {
    for kind in KINDS {
        everywhere_on(kind, test, work, fault, every_day);
    }
}

fn everywhere_on(
    kind: fn(&str) -> World,
    test: &str,
    work: &Work,
    fault: fn(Side, u64) -> Fault,
    every_day: u32,
) {
    let quiet = run(kind, test, work, Fault::None);
    let rounds = rounds(every_day);
    for side in [Side::Program, Side::Server] {
        let total = quiet.passed(side);
        for round in 0..rounds {
            let part = total / u64::from(rounds);
            let after = part * u64::from(round) + random(part);
            let proxy = run(kind, test, work, fault(side, after));
            // Nothing is as long every time: keys, times and numbers of processes differ.
            assert!(
                proxy.struck() || after > total * 9 / 10,
                "{side:?} said less than {after} of {total}"
            );
        }
    }
}

fn cut(from: Side, after: u64) -> Fault {
    Fault::Cut { from, after }
}

fn half_close(from: Side, after: u64) -> Fault {
    Fault::HalfClose { from, after }
}

#[test]
fn a_connection_that_is_cut_anywhere_amid_a_logout() {
    everywhere("cut", &LOGOUT, cut, 6);
}

#[test]
fn a_connection_that_is_cut_anywhere_amid_a_purge() {
    everywhere("cut", &PURGE, cut, 3);
}

#[test]
fn a_connection_that_is_cut_anywhere_amid_a_flush() {
    everywhere("cut", &FLUSH, cut, 3);
    everywhere("cut", &KEEP, cut, 3);
}

#[test]
fn a_connection_that_is_cut_anywhere_amid_a_backfill() {
    everywhere("cut", &BACKFILL, cut, 3);
}

#[test]
fn a_connection_that_is_closed_in_one_direction() {
    for work in ALL {
        everywhere("closed", &work, half_close, 1);
    }
}

#[test]
fn answers_that_come_late_change_nothing() {
    for work in ALL {
        for kind in KINDS {
            run(kind, "late", &work, Fault::Delay(Duration::from_millis(20)));
        }
    }
}

#[test]
fn a_command_waits_for_the_server_no_more_often_than_it_must() {
    // Connections, and times that it waits for an answer: a batch takes some, all else is the same for tables of every size.
    let most =
        [(&LOGOUT, (3, 220), (8, 300)), (&PURGE, (2, 75), (8, 130)), (&FLUSH, (4, 180), (8, 260))];
    for (work, postgres, mysql) in most {
        for (kind, most) in KINDS.into_iter().zip([postgres, mysql]) {
            let w = kind(&format!("cost_{}", work.name()));
            let before = Before::fill(&w);
            let proxy = proxy(&w, Fault::None);
            let ran = through(work, &w, proxy.port).ran("").ok();
            work.is_true(&w, &before, &ran, "cost");
            let (opened, waited) = proxy.cost();
            println!("{:?}: {opened} connections, {waited} round trips", work.command);
            assert!(opened <= most.0 && waited <= most.1, "{opened}, {waited}: at most {most:?}");
        }
    }
}

#[test]
fn a_batch_is_not_made_small_for_a_long_way_to_the_server() {
    const ROWS: u32 = 5_000;
    for kind in KINDS {
        let w = kind("far_away");
        w.expired(ROWS);
        let proxy = proxy(&w, Fault::Delay(Duration::from_millis(30)));
        let purge = w.command(&["purge-expired", "--format", "json"]);
        let report = at(purge, &w, proxy.port).ran("").ok().json();
        // With batches as small as they can be these were 50.
        assert_eq!(report["deleted"], ROWS, "{report}");
        assert!(report["batches"].as_u64().unwrap() <= 25, "{report}");
    }
}

//! Tests on the in-memory store: more sessions than one scan collects, and signals between scans.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use clap::Parser;

use super::*;
use crate::cli::Cli;
use crate::consent::{Ask, Consent};
use crate::engine::{Event, Pace, Progress, Work};
use crate::error::Exit;
use crate::memory::Memory;
use crate::model::{Expiry, Timestamp};
use crate::sessions::cache_keys::CacheKeys;
use crate::sessions::survey::Collect;
use crate::stop::Stop;
use crate::store::{Terms, Waits};
use crate::ui::Talk;
use django_session::{Codec, Keyring, UserIds};

/// Sessions of user 42, and of user 7, without a key to verify them.
const OF_42: &str =
    "eyJfYXV0aF91c2VyX2lkIjoiNDIifQ:1r31eq:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI";
const OF_7: &str =
    "eyJfYXV0aF91c2VyX2lkIjoiNyJ9:1r31eq:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI";

/// The store in memory has so many rows in a page, at the end of which a look sees that it has enough.
const PAGE: usize = 1_000;
const SIGTERM: i32 = 15;

fn session(memory: &Memory, key: &str, data: &str) {
    let far = Expiry::At(Timestamp::from_seconds(4_000_000_000).unwrap());
    memory.insert(key, data, far);
}

/// So many sessions of user 42, and three of user 7.
fn table(sessions: usize) -> Memory {
    let memory = Memory::default();
    (0..sessions).for_each(|number| session(&memory, &format!("{number:06}"), OF_42));
    for key in OTHERS {
        session(&memory, key, OF_7);
    }
    memory
}

const OTHERS: [&str; 3] = ["000000-", "000999-", "other"];

/// What is done when the engine tells something.
type Listen = dyn Fn(&Event<'_>);

struct Listener(Rc<Listen>);

impl Progress for Listener {
    fn event(&self, event: Event<'_>) {
        (self.0)(&event);
    }
}

/// What a run is asked for, as `logout-user 42` would be.
struct Asked {
    no_verify: bool,
    settle: Duration,
    /// Whether the table was emptied just before.
    emptied: bool,
    codec: Codec,
    listen: Rc<Listen>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            no_verify: false,
            settle: Duration::ZERO,
            emptied: false,
            codec: Codec::default(),
            listen: Rc::new(|_| ()),
        }
    }
}

/// What surrounds a `logout-user 42` that reads rows with this codec.
pub(in crate::sessions) fn in_ctx<T>(
    codec: &Codec,
    stop: &Stop,
    progress: &dyn Progress,
    run: impl FnOnce(&Ctx<'_>) -> T,
) -> T {
    let cli = Cli::parse_from(["sessctl", "logout-user", "42"]);
    run(&Ctx {
        replicas: &[],
        backends: &[],
        terms: Terms::default(),
        global: &cli.global,
        project: &None,
        schema: None,
        unknown: Vec::new(),
        referring: Vec::new(),
        codec,
        stop,
        progress,
        talk: Talk::new(true, false, false),
        workers: 2,
        most_keys: PAGE,
        waits: Waits::default(),
    })
}

fn run(memory: &Memory, stop: &Stop, asked: &Asked) -> Outcome {
    let listener = Listener(Rc::clone(&asked.listen));
    in_ctx(&asked.codec, stop, &listener, |ctx| run_in(ctx, memory, asked))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn run_in(ctx: &Ctx<'_>, memory: &Memory, asked: &Asked) -> Result<Outcome, Error> {
    let ids: UserIds = ["42"].iter().collect();
    let first = SurveyOptions {
        query: SessionQuery::of(UserFilter::These(&ids)),
        by_user: None,
        skim: true,
        collect: Collect::Keys,
        key_is_right: false,
    };
    let store = &memory;
    let plan = Plan {
        store,
        first,
        proof: (!asked.no_verify).then_some(SurveyOptions { skim: false, ..first }),
        settle: asked.settle,
        removal: Removal::Delete,
        record: Record { audit: None, cache: &CacheKeys::None },
        emptied: asked.emptied,
        doubts_no_login: false,
    };
    let consent = Consent::from_ask(Ask::Explicit).unwrap();
    let pace = Pace::default();
    let (stop, progress) = (ctx.stop, ctx.progress);
    let mut driver = Driver::new(Work { store, consent, stop, pace, progress });
    Outcome::run(ctx, &plan, Some(&mut driver))
}

#[test]
fn beyond_what_one_look_collects_all_go_where_nobody_looks_again() {
    for sessions in [PAGE - 4, PAGE, PAGE + 1, 3 * PAGE + 7] {
        let memory = table(sessions);
        let outcome =
            run(&memory, &Stop::default(), &Asked { no_verify: true, ..Asked::default() });
        assert_eq!(memory.keys(), OTHERS, "{sessions}");
        let all = u64::try_from(sessions).unwrap();
        assert_eq!((outcome.deleted, outcome.matches.matched), (all, all));
        assert_eq!((outcome.remaining, outcome.exit()), (None, Exit::Done), "{sessions}");
    }
}

#[test]
fn beyond_what_one_look_collects_all_go_before_the_look_that_proves() {
    for sessions in [PAGE, 3 * PAGE + 7] {
        let memory = table(sessions);
        let outcome = run(&memory, &Stop::default(), &Asked::default());
        assert_eq!(memory.keys(), OTHERS, "{sessions}");
        let all = u64::try_from(sessions).unwrap();
        assert_eq!((outcome.deleted, outcome.matches.matched), (all, all));
        assert_eq!((outcome.remaining, outcome.rounds), (Some(0), 1), "{sessions}");
        assert!(outcome.is_proved(), "{sessions}");
    }
}

/// Looking on for the others would never end.
#[test]
fn beyond_what_one_look_collects_what_is_kept_is_told() {
    for no_verify in [false, true] {
        let memory = table(3 * PAGE);
        let keys = memory.keys();
        memory.refer(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        let outcome = run(&memory, &Stop::default(), &Asked { no_verify, ..Asked::default() });
        assert_eq!(memory.keys(), keys);
        assert!(outcome.remaining.is_some_and(|left| left > 0), "{:?}", outcome.remaining);
        assert_eq!((outcome.deleted, outcome.exit()), (0, Exit::Incomplete));
    }
}

#[test]
fn of_what_is_kept_the_site_may_end_some_before_the_look_that_proves() {
    for (ended, left, exit) in [
        (&[][..], 2, Exit::Incomplete),
        (&["000001"], 1, Exit::Incomplete),
        (&["000001", "000003"], 0, Exit::Done),
    ] {
        let memory: &'static Memory = Box::leak(Box::new(table(5)));
        memory.refer(&["000001", "000003"]);
        let listen: Rc<Listen> = Rc::new(move |event| {
            if matches!(event, Event::BatchesEnd) {
                for key in ended {
                    memory.end(key);
                }
            }
        });
        let outcome = run(memory, &Stop::default(), &Asked { listen, ..Asked::default() });
        assert_eq!((outcome.deleted, outcome.kept.count()), (3, left), "{ended:?}");
        assert_eq!((outcome.remaining, outcome.exit()), (Some(left), exit), "{ended:?}");
        assert_eq!(outcome.is_proved(), left == 0, "{ended:?}");
    }
}

type IsIt = fn(&Event<'_>) -> bool;

/// Asks for an end when something happens for the nth time.
fn stop_at(stop: &'static Stop, nth: u32, is_it: IsIt) -> Rc<Listen> {
    let seen = Cell::new(0);
    Rc::new(move |event| {
        if is_it(event) {
            seen.set(seen.get() + 1);
            if seen.get() == nth {
                stop.request(SIGTERM);
            }
        }
    })
}

/// Whenever a signal comes, nothing is claimed of what is left: during the look that proves, while requests settle
/// before it, and between looks of which one collects no more.
#[test]
fn what_is_interrupted_claims_nothing_of_what_is_left() {
    let begins: IsIt = |event| matches!(event, Event::ScanBegins { .. });
    let ends: IsIt = |event| matches!(event, Event::BatchesEnd);
    let (at_once, long) = (Duration::ZERO, Duration::from_secs(60));
    for (sessions, settle, nth, is_it) in [
        (9, at_once, 1, begins),
        (9, at_once, 2, begins),
        (9, long, 1, ends),
        (3 * PAGE, at_once, 2, begins),
        (3 * PAGE, long, 1, ends),
    ] {
        let memory = table(sessions);
        let stop: &'static Stop = Box::leak(Box::default());
        let listen = stop_at(stop, nth, is_it);
        let asked = Asked { settle, listen, ..Asked::default() };
        let outcome = run(&memory, stop, &asked);
        assert_eq!(outcome.exit(), Exit::Interrupted(SIGTERM), "{sessions} {nth}");
        assert_eq!(outcome.remaining, None, "{sessions} {nth}");
        assert!(!outcome.is_proved());
        let gone = sessions + OTHERS.len() - memory.keys().len();
        assert_eq!(usize::try_from(outcome.deleted), Ok(gone));
    }
}

/// A site that gives the user a session anew after so many rounds of deletes.
fn comes_back(memory: &'static Memory, times: u32) -> Rc<Listen> {
    let left = Cell::new(times);
    Rc::new(move |event| {
        if matches!(event, Event::BatchesEnd) && left.get() > 0 {
            left.set(left.get() - 1);
            session(memory, &format!("again{}", left.get()), OF_42);
        }
    })
}

#[test]
fn what_comes_back_is_looked_for_three_times_and_then_told() {
    for (times, remaining, rounds, exit) in [
        (0, 0, 1, Exit::Done),
        (1, 0, 2, Exit::Done),
        (2, 0, 3, Exit::Done),
        (3, 1, 3, Exit::Incomplete),
        (4, 1, 3, Exit::Incomplete),
    ] {
        let memory: &'static Memory = Box::leak(Box::new(table(5)));
        let listen = comes_back(memory, times);
        let outcome = run(memory, &Stop::default(), &Asked { listen, ..Asked::default() });
        assert_eq!((outcome.remaining, outcome.rounds), (Some(remaining), rounds), "{times}");
        assert_eq!((outcome.exit(), outcome.is_proved()), (exit, remaining == 0), "{times}");
        assert_eq!(u64::try_from(memory.keys().len() - OTHERS.len()), Ok(remaining), "{times}");
        assert_eq!(outcome.deleted, 5 + u64::from(times.min(3)) - remaining, "{times}");
    }
}

/// What the round before found to be left was deleted since, or was not.
#[test]
fn a_signal_in_a_later_round_claims_nothing_of_what_is_left() {
    let memory: &'static Memory = Box::leak(Box::new(table(5)));
    let stop: &'static Stop = Box::leak(Box::default());
    let again = comes_back(memory, 1);
    let signal = stop_at(stop, 2, |event| matches!(event, Event::BatchesEnd));
    let listen: Rc<Listen> = Rc::new(move |event| {
        again(event);
        signal(event);
    });
    let outcome = run(memory, stop, &Asked { listen, ..Asked::default() });
    assert_eq!((outcome.rounds, outcome.remaining), (2, None));
    assert_eq!(outcome.exit(), Exit::Interrupted(SIGTERM));
}

#[test]
fn requests_in_flight_have_the_time_to_settle() {
    let settle = Duration::from_millis(300);
    for (no_verify, waits) in [(false, true), (true, false)] {
        let (memory, began) = (table(5), Instant::now());
        let asked = Asked {
            no_verify,
            settle: if waits { settle } else { 600 * settle },
            ..Asked::default()
        };
        run(&memory, &Stop::default(), &asked);
        assert_eq!(memory.keys(), OTHERS);
        let took = began.elapsed();
        assert!(if waits { took >= settle } else { took < 600 * settle }, "{took:?}");
    }
}

fn with_another_key() -> Asked {
    let codec = Codec { keyring: Keyring::new(["another"], "signing"), ..Codec::default() };
    Asked { codec, ..Asked::default() }
}

#[test]
fn a_key_that_verifies_nothing_deletes_nothing() {
    for no_verify in [false, true] {
        let (memory, asked) = (table(5), Asked { no_verify, ..with_another_key() });
        let keys = memory.keys();
        let ran = in_ctx(&asked.codec, &Stop::default(), &Listener(Rc::new(|_| ())), |ctx| {
            run_in(ctx, &memory, &asked)
        });
        assert!(matches!(ran, Err(Error::WrongKey { checked: 8 })), "{no_verify}");
        assert_eq!(memory.keys(), keys);
    }
}

/// They cannot prove the key wrong, and the table is empty already, so there is a report.
#[test]
fn of_what_came_after_a_truncate_stays_what_no_key_verifies() {
    let (memory, asked) = (table(5), Asked { emptied: true, ..with_another_key() });
    let keys = memory.keys();
    let outcome = run(&memory, &Stop::default(), &asked);
    assert_eq!(memory.keys(), keys);
    assert_eq!((outcome.deleted, outcome.unverified_left), (0, 5));
    assert_eq!((outcome.exit(), outcome.is_proved()), (Exit::Incomplete, false));
}

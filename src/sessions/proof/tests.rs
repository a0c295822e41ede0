//! What a run may claim, for each thing that it found out or did not.

use std::cell::Cell;

use django_session::Codec;

use super::*;
use crate::engine::Silent;
use crate::memory::Memory;
use crate::model::{Expiry, Keys, Timestamp};
use crate::sessions::delete_until_gone::tests::in_ctx;
use crate::stop::Stop;
use crate::store::Kept;

const SIGTERM: i32 = 15;

/// A run that deleted two sessions, and whose last scan found none.
fn proved() -> Outcome {
    let mut outcome = Outcome::interrupted(StopReason::Limit);
    outcome.ended = Ok(());
    outcome.remaining = Some(0);
    outcome.matches.matched = 2;
    outcome
}

type Set = fn(&mut Matches);

fn with(change: impl FnOnce(&mut Outcome)) -> Outcome {
    let mut outcome = proved();
    change(&mut outcome);
    outcome
}

fn is_a_doubt(outcome: &Outcome, what: &str) {
    assert!(!outcome.is_proved() && outcome.is_unsure(), "{what}");
    assert_eq!(outcome.exit(), Exit::Incomplete, "{what}");
    assert_eq!(of(outcome, &CacheKeys::None, false), Proof::Unknown, "{what}");
}

#[test]
fn one_row_of_which_it_is_not_known_whose_it_is_takes_the_proof_away() {
    let fields: [(&str, Set); 6] = [
        ("shared", |matches| matches.shared = 1),
        ("alike", |matches| matches.alike = 1),
        ("unfit", |matches| matches.unfit = 1),
        ("unreadable", |matches| matches.unreadable = 1),
        ("maybe_spared", |matches| matches.maybe_spared = 1),
        ("undated", |matches| matches.undated = 1),
    ];
    for (what, set) in fields {
        is_a_doubt(&with(|outcome| set(&mut outcome.matches)), what);
    }
    is_a_doubt(&with(|outcome| outcome.unverified_left = 1), "unverified");
    is_a_doubt(&with(|outcome| outcome.doubts.push(Doubt::TablesUnknown)), "a doubt");
    let by_column = |outcome: &mut Outcome| {
        outcome.by_column = true;
        outcome.matches.different = 1;
    };
    is_a_doubt(&with(by_column), "a login that the column gives to another user");
}

#[test]
fn what_is_known_to_be_somebody_elses_is_no_doubt() {
    let no_doubt = |outcome: &mut Outcome| {
        outcome.matches.different = 1;
        outcome.matches.saved_later = 1;
        outcome.matches.unverified = 1;
        outcome.matches.impersonated = 1;
    };
    let outcome = with(no_doubt);
    assert!(outcome.is_proved() && !outcome.is_unsure());
    assert_eq!(outcome.exit(), Exit::Done);
}

#[test]
fn a_session_that_is_left_is_never_proved_gone() {
    for left in [Some(1), None] {
        let outcome = with(|outcome| outcome.remaining = left);
        assert!(!outcome.is_proved());
        assert_eq!(of(&outcome, &CacheKeys::None, false), Proof::Unknown);
        // Where nobody was to look again, nothing is incomplete.
        assert_eq!(outcome.exit(), if left.is_some() { Exit::Incomplete } else { Exit::Done });
    }
    let referenced = with(|outcome| {
        let kept = Kept { rows: ["a".to_owned()].into(), by: ["cart".to_owned()].into() };
        outcome.kept.acted(&Keys::default(), kept);
    });
    assert!(referenced.is_unsure());
    assert_eq!(referenced.exit(), Exit::Incomplete);
}

#[test]
fn a_run_that_did_not_end_by_itself_proves_nothing() {
    let failed = StopReason::Failed(StoreError::new(Fault::Fatal, "cannot"));
    for (reason, exit) in [
        (StopReason::Limit, Exit::Incomplete),
        (StopReason::RunTime, Exit::Incomplete),
        (StopReason::Interrupted(SIGTERM), Exit::Interrupted(SIGTERM)),
        (failed, Exit::Failed),
    ] {
        let outcome = with(|outcome| outcome.ended = Err(reason));
        assert!(!outcome.is_proved());
        assert_eq!(outcome.exit(), exit);
        assert_eq!(of(&outcome, &CacheKeys::None, false), Proof::Unknown);
    }
}

#[test]
fn who_is_out_is_said_only_of_what_was_seen() {
    let cached = |is_cleared, ended_some| CacheKeys::NotPrinted {
        is_cleared,
        ended_some: Cell::new(ended_some),
    };
    let nobody = |outcome: &mut Outcome| outcome.matches.matched = 0;
    let emptied = |outcome: &mut Outcome| {
        outcome.matches.matched = 0;
        outcome.emptied = true;
    };
    for (outcome, cache, proof) in [
        (proved(), CacheKeys::None, Proof::LoggedOut),
        (with(nobody), CacheKeys::None, Proof::NotFound),
        (with(emptied), CacheKeys::None, Proof::LoggedOut),
        (proved(), CacheKeys::EngineUnknown, Proof::TableOnly),
        (proved(), CacheKeys::Replica, Proof::TableOnly),
        (with(nobody), CacheKeys::EngineUnknown, Proof::NotFound),
        (proved(), cached(false, false), Proof::Unknown),
        (proved(), cached(true, true), Proof::Unknown),
        (proved(), cached(true, false), Proof::LoggedOut),
    ] {
        assert_eq!(of(&outcome, &cache, false), proof);
        assert_eq!(of(&outcome, &cache, true), Proof::Unknown, "a dry run proves nothing");
    }
}

/// Of a table that a signal kept from being read to its end nobody knows what it holds.
#[test]
fn a_search_of_another_table_that_was_broken_off_is_no_all_clear() {
    let memory = Memory::default();
    memory.insert("a", "x", Expiry::At(Timestamp::from_seconds(4_000_000_000).unwrap()));
    for (is_asked_to_end, wanted) in [(false, Holds::Nothing), (true, Holds::Unreadable)] {
        let stop = Stop::default();
        if is_asked_to_end {
            stop.request(SIGTERM);
        }
        let found = in_ctx(&Codec::default(), &stop, &Silent, |ctx| {
            most(ctx, &&memory, |_, _| Holds::Nothing)
        });
        assert!(found.unwrap() == wanted, "asked to end: {is_asked_to_end}");
    }
}

//! What stores promise that find rows by when they expire.

use std::collections::BTreeSet;

use super::*;
use crate::table_kinds::partitioned;

#[test]
fn the_newest_are_those_that_expire_last() {
    each_that_can(Capability::Expiry, "newest", |subject| {
        let rows: Vec<_> = (0..2_500).map(|i| (format!("{i:08}"), (i * 7) % 2_500)).collect();
        let rows: Vec<_> = rows.iter().map(|(key, expires)| (&**key, "x", *expires)).collect();
        (subject.add)(&rows);
        let newest = |rows: u32| Filter { newest: Some(rows), ..Filter::default() };
        for wanted in [1, 1_200, 3_000] {
            let mut expected: Vec<_> = rows.clone();
            expected.sort_by_key(|(.., expires)| -expires);
            let expected: Vec<_> = expected.iter().take(wanted).map(|(key, ..)| *key).collect();
            let mut expected = expected;
            expected.sort_unstable();
            let mut keys = subject.keys(&newest(wanted.try_into().unwrap()));
            keys.sort();
            assert_eq!(keys, expected);
        }
    });
}

/// Deletes in windows of so many rows all that expired before this; returns how many each had.
fn purge(subject: &Subject<'_>, cutoff: Timestamp, window: usize) -> Vec<u64> {
    let mut writer = subject.store.writer(consent()).unwrap();
    let (mut from, mut deleted) = (None, Vec::new());
    loop {
        let picked = writer.pick_expired(cutoff, from.as_ref(), window).unwrap();
        assert!(picked.rows.len() <= window);
        let rows = batch(&picked.rows);
        deleted.push(writer.delete_expired(&rows, cutoff, Locked::Skip).unwrap().sessions);
        assert!(deleted.len() < 100, "it never ends: {deleted:?}");
        match picked.next {
            Some(next) => from = Some(next),
            None => return deleted,
        }
    }
}

#[test]
fn what_expired_before_the_cutoff_is_picked_and_nothing_else() {
    each_that_can(Capability::Expiry, "pick", |subject| {
        (subject.add)(&[("late", "", 3), ("early", "", 1), ("at", "", 5), ("live", "", 9)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        let none = writer.pick_expired(at(1), None, 10).unwrap();
        assert_eq!((none.rows.len(), none.next), (0, None));
        let one = writer.pick_expired(at(5), None, 1).unwrap();
        assert!(one.rows.len() == 1 && one.next.is_some());
        let all = writer.pick_expired(at(5), None, 10).unwrap();
        assert_eq!((all.rows.len(), all.next), (2, None));
        // The first of them is the one that expired first.
        writer.delete_expired(&batch(&one.rows), at(5), Locked::Skip).unwrap();
        assert_eq!(subject.keys(&Filter::default()), ["at", "late", "live"]);
        writer.delete_expired(&batch(&all.rows), at(5), Locked::Wait).unwrap();
        assert_eq!(subject.keys(&Filter::default()), ["at", "live"]);
    });
}

#[test]
fn windows_lose_no_row_be_they_of_one_expiry() {
    each_that_can(Capability::Expiry, "windows", |subject| {
        let keys: Vec<String> = (0..250).map(|n| format!("{n:06}")).collect();
        let expires = |n: i64| if (50..150).contains(&n) { 1_000 } else { 900 + n };
        let rows: Vec<_> = keys.iter().zip(0..).map(|(key, n)| (&**key, "", expires(n))).collect();
        (subject.add)(&rows);
        let deleted = purge(subject, at(1_140), 7);
        assert_eq!(deleted.iter().sum::<u64>(), 240, "{deleted:?}");
        assert_eq!(subject.keys(&Filter::default()), keys[240..]);
    });
}

/// A table that is there in the place of Django's, and has no index.
fn bare(world: World, time: &str, option: &str) -> World {
    world.execute(&format!(
        "DROP TABLE django_session;
         CREATE TABLE django_session (session_key varchar(40), session_data text, expire_date {time} {option}"
    ));
    world
}

/// Where nothing sorts the rows but the query: by expiry, and by key, of which one is empty, where rows have no address.
#[test]
fn windows_lose_no_row_of_a_table_without_an_index_or_in_parts() {
    let keyed = "datetime, PRIMARY KEY (session_key)";
    for world in [
        bare(World::postgres("conf_bare"), "timestamptz", ")"),
        partitioned("conf_parts"),
        bare(World::sqlite("conf_bare"), "datetime", ")"),
        bare(World::sqlite("conf_bare_keyed"), keyed, ") WITHOUT ROWID"),
    ] {
        let subject = on(&world, store(&world));
        let key = |n: i64| if n == 30 { String::new() } else { format!("{:04}", n * 7919 % 9973) };
        let keys: Vec<String> = (0..90).map(key).collect();
        let expires = |n: i64| if n < 50 { 40 } else { n * 37 % 90 };
        let rows: Vec<_> = keys.iter().zip(0..).map(|(key, n)| (&**key, "", expires(n))).collect();
        (subject.add)(&rows);
        let later = if world.is_sqlite() { "|| '.000001'" } else { "+ interval '1 microsecond'" };
        let [one, another] = [&keys[1], &keys[2]];
        world.execute(&format!(
            "UPDATE django_session SET expire_date = expire_date {later} WHERE session_key IN ('{one}', '{another}')"
        ));
        let live = rows.iter().filter(|(.., seconds)| *seconds >= 80).count();
        let deleted = purge(&subject, at(80), 7);
        assert_eq!(deleted.iter().sum::<u64>(), 90 - u64::try_from(live).unwrap(), "{deleted:?}");
        assert_eq!(subject.keys(&Filter::default()).len(), live);
    }
}

/// Somebody may keep every row locked.
#[test]
fn windows_come_to_an_end_and_to_every_row_although_all_stay() {
    each_that_can(Capability::Expiry, "windows_stay", come_to_an_end);
}

pub(super) fn come_to_an_end(subject: &Subject<'_>) {
    let keys: Vec<String> = (0..40).map(|n| format!("{n:06}")).collect();
    let expires = |n: i64| if (10..30).contains(&n) { 20 } else { n };
    let rows: Vec<_> = keys.iter().zip(0..).map(|(key, n)| (&**key, "", expires(n))).collect();
    (subject.add)(&rows);
    for window in [1, 7, 40] {
        let named: BTreeSet<_> = named_in_windows(subject, window).into_iter().collect();
        assert_eq!(named.len(), keys.len(), "in windows of {window}");
    }
}

/// The rows that expired, in windows of so many, none of which is deleted.
pub(super) fn named_in_windows(subject: &Subject<'_>, window: usize) -> Vec<String> {
    let mut writer = subject.store.writer(consent()).unwrap();
    let (mut from, mut named, mut windows) = (None, Vec::new(), 0);
    loop {
        let picked = writer.pick_expired(at(60), from.as_ref(), window).unwrap();
        named.extend(picked.rows.iter().map(str::to_owned));
        windows += 1;
        assert!(windows < 200, "it never ends: {from:?}");
        let Some(next) = picked.next else { return named };
        from = Some(next);
    }
}

/// Where a cursor is an exact place: who counts what stays counts each row once. A PostgreSQL window begins with the
/// rows of the last expiry of the one before.
pub(super) fn name_no_row_twice(subject: &Subject<'_>) {
    let keys: Vec<String> = (0..40).map(|n| format!("{n:06}")).collect();
    let rows: Vec<_> = keys.iter().zip(0..).map(|(key, n)| (&**key, "", n * 7 % 20)).collect();
    (subject.add)(&rows);
    for window in [1, 7, 40, 41] {
        assert_eq!(named_in_windows(subject, window).len(), keys.len(), "in windows of {window}");
    }
}

/// Renewed where they are, and added anew: SQLite gives the last row number again once its row is gone.
#[test]
fn what_was_picked_and_is_live_again_stays() {
    each_that_can(Capability::Expiry, "renewed", |subject| {
        (subject.add)(&[("renewed", "", 1), ("now", "", 1), ("gone", "", 2), ("anew", "", 3)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        let picked = writer.pick_expired(at(5), None, 10).unwrap();
        assert_eq!(picked.rows.len(), 4);
        (subject.renew)("renewed", 9);
        (subject.renew)("now", 5);
        writer.delete(&["anew"]).unwrap();
        subject.add("anew", "", 9);
        let mut delete =
            |rows: &[&str], locked| writer.delete_expired(rows, at(5), locked).unwrap();
        assert_eq!(delete(&batch(&picked.rows), Locked::Skip), Gone::of(1));
        assert_eq!(delete(&batch(&picked.rows), Locked::Wait), Gone::default());
        assert_eq!(delete(&[], Locked::Skip), Gone::default());
        assert_eq!(subject.keys(&Filter::default()), ["anew", "now", "renewed"]);
    });
}

#[test]
fn expired_rows_are_counted_from_a_place_on() {
    each_that_can(Capability::Expiry, "expired", |subject| {
        let count = |from: Option<&Cursor>| {
            let patience = std::time::Duration::from_secs(60);
            subject.store.reader().unwrap().expired(at(60), from, patience).unwrap()
        };
        assert_eq!(count(None), Expired { rows: Some(0), oldest: None });
        let keys: Vec<String> = (0..100).map(|n| format!("{n:06}")).collect();
        let rows: Vec<_> = keys.iter().zip(0..).map(|(key, n)| (&**key, "", n)).collect();
        (subject.add)(&rows);
        assert_eq!(count(None), Expired { rows: Some(60), oldest: Some(at(0)) });
        let mut writer = subject.store.writer(consent()).unwrap();
        let window = writer.pick_expired(at(60), None, 10).unwrap();
        writer.delete_expired(&batch(&window.rows), at(60), Locked::Skip).unwrap();
        let left = count(window.next.as_ref());
        assert_eq!(left, Expired { rows: Some(50), oldest: Some(at(10)) });
    });
}

//! When `backfill` takes a key for the wrong one: if it verifies nothing in the whole table.

use crate::backfill::REPORT;
use crate::world::{SECRET_KEY, World, login, signed};

const FAR: &str = "2099-01-01 00:00:00";

#[test]
fn a_key_that_verifies_anything_is_right() {
    World::each("backfill_keys", |w| {
        let forged = signed(&login("42"), "the key of another site");
        for _ in 0..3 {
            w.row(&w.next_key(), &forged, FAR);
        }
        w.run(&REPORT).exits(2).says("not one of 3 sessions verifies");
        w.row("unreadable", "no session", FAR);
        w.run(&REPORT).exits(2).says("not one of 4 sessions verifies");
        for proof in [w.session("{}"), w.session("{"), w.session(&login("7"))] {
            let others = format!("session_key <> '{proof}' AND session_data <> '{forged}'");
            w.execute(&format!(
                "UPDATE django_session SET expire_date = '2020-01-01 00:00:00' WHERE {others}"
            ));
            let report = w.run(&REPORT).ok().json();
            assert_eq!((&report["unverified"], &report["scanned"]), (&3.into(), &4.into()));
            w.execute("UPDATE django_session SET expire_date = '2099-01-01 00:00:00'");
        }
    });
}

/// As after a change of the key: the rows that come first are old.
#[test]
fn the_first_rows_alone_do_not_say_that_a_key_is_wrong() {
    World::each("backfill_old_keys", |w| {
        let old = signed(&login("42"), "the key of last month");
        let keys: Vec<String> = (0..10_500).map(|_| w.next_key()).collect();
        w.rows(keys.iter().map(|key| (&**key, &*old, FAR.to_owned())));
        w.run(&REPORT).exits(2).says("not one of 10500 sessions verifies");
        w.row("young", &signed(&login("7"), SECRET_KEY), FAR);
        let report = w.run(&REPORT).ok().json();
        assert_eq!((&report["filled"], &report["unverified"]), (&1.into(), &10_500.into()));
    });
}

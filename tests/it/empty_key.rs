//! A session whose key is empty: no site makes one, and whoever can write to the table could hide a login there.

use std::ops::ControlFlow;

use sessctl::consent::{Ask, Consent};
use sessctl::model::{Page, Timestamp};
use sessctl::store::{Filter, Locked};

use crate::conformance::store;
use crate::world::{SECRET_KEY, World, login, signed};

const COLUMNS: &str =
    "session_key varchar(40) NOT NULL PRIMARY KEY, session_data text NOT NULL, expire_date";

/// Runs a test on tables whose rows have an address, and on such whose rows only have a key.
fn each(name: &str, test: impl Fn(&World)) {
    World::each(name, &test);
    let w = World::sqlite(&format!("{name}_by_key"));
    w.execute(&format!(
        "DROP TABLE django_session; CREATE TABLE django_session ({COLUMNS} datetime NOT NULL) WITHOUT ROWID"
    ));
    test(&w);
    let w = World::postgres(&format!("{name}_by_key"));
    w.execute(&format!(
        "DROP TABLE django_session;
         CREATE TABLE django_session ({COLUMNS} timestamptz NOT NULL) PARTITION BY HASH (session_key);
         CREATE TABLE part PARTITION OF django_session FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
    ));
    test(&w);
}

#[test]
fn every_walk_sees_it() {
    each("empty_walk", |w| {
        for key in ["", "a", "b"] {
            w.row(key, "x", "2099-01-01 00:00:00");
        }
        let store = store(w);
        for in_pages in [false, true] {
            let filter = Filter { in_pages, ..Filter::default() };
            let mut keys = Vec::new();
            let mut emit = |page: Page| {
                keys.extend(page.rows().map(|row| row.key.to_owned()));
                ControlFlow::Continue(Page::default())
            };
            store.reader().unwrap().scan(&filter, &mut emit).unwrap();
            keys.sort();
            assert_eq!(keys, ["", "a", "b"], "in pages: {in_pages}");
        }
    });
}

#[test]
fn its_user_is_logged_out_and_its_column_filled() {
    each("empty_commands", |w| {
        let data = signed(&login("42"), SECRET_KEY);
        w.user("7", 1).row("", &data, "2099-01-01 00:00:00");
        w.run(&["list", "--user", "42", "--format", "count"]).ok().says("1\n");
        w.run(&["backfill"]).ok();
        w.run(&["logout-user", "42", "--keep-data"]).ok();
        assert_eq!(w.count(), 2);
        w.execute(&format!(
            "UPDATE django_session SET session_data = '{data}' WHERE session_key = ''"
        ));
        w.run(&["logout-user", "42", "--no-user-column"])
            .ok()
            .says("1 session deleted, none is left");
        assert_eq!(w.count(), 1);
    });
}

#[test]
fn it_is_purged_also_where_all_rows_expired_at_once() {
    each("empty_purge", |w| {
        for key in ["", "a", "b", "c"] {
            w.row(key, "x", "2020-01-01 00:00:00");
        }
        let store = store(w);
        let consent = Consent::from_ask(Ask::Explicit).unwrap();
        let mut writer = store.writer(consent).unwrap();
        let cutoff: Timestamp = "2021-01-01T00:00:00Z".parse().unwrap();
        let (mut from, mut deleted, mut windows) = (None, 0, 0);
        loop {
            let picked = writer.pick_expired(cutoff, from.as_ref(), 1).unwrap();
            let rows: Vec<&str> = picked.rows.iter().collect();
            // One that stays, for whatever reason, is not picked again and again.
            if windows > 0 {
                deleted += writer.delete_expired(&rows, cutoff, Locked::Skip).unwrap().sessions;
            }
            windows += 1;
            assert!(windows < 20, "it never ends");
            match picked.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        drop(writer);
        // PostgreSQL picks the row of the first window again, since all expired at once.
        let again = !(w.is_sqlite() || w.is_mysql());
        assert_eq!((deleted, w.count()), if again { (4, 0) } else { (3, 1) });
        w.run(&["purge-expired"]).ok().says("none is left");
        assert_eq!(w.count(), 0);
    });
}

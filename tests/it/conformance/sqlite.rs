//! What a walk over a SQLite file promises.

use super::expiry::{name_no_row_twice, named_in_windows};
use super::*;

/// A walk over a SQLite table, at whose first page another connection executes something.
fn disturbed(name: &str, table: &str, disturbance: &str) -> Result<Vec<String>, String> {
    let world = World::sqlite(name);
    world.execute(&format!(
        "DROP TABLE django_session; {table};
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
         INSERT INTO django_session (session_key, session_data, expire_date)
         SELECT printf('%05d', i), 'x', '2999-01-01' FROM n;
         DELETE FROM django_session WHERE session_key < '03000'"
    ));
    let clock = WallClock::in_zone("UTC").unwrap();
    let store = Sqlite::new(world.url().into(), Table::default(), clock);
    let (mut keys, mut is_first) = (Vec::new(), true);
    let other = rusqlite::Connection::open(world.url()).unwrap();
    let scan = store.reader().unwrap().scan(&Filter::default(), &mut |page| {
        keys.extend(page.rows().map(|row| row.key.to_owned()));
        if std::mem::take(&mut is_first) {
            other.execute_batch(disturbance).unwrap();
        }
        ControlFlow::Continue(Page::default())
    });
    scan.map(|()| keys).map_err(|error| format!("{error:?}"))
}

const NO_INDEX: &str =
    "CREATE TABLE django_session (session_key text, session_data text, expire_date text)";

/// In a table without an index VACUUM numbers the rows anew: what comes next may have been passed.
#[test]
fn a_walk_among_which_sqlite_rows_were_numbered_anew_is_no_walk() {
    assert_eq!(disturbed("conf_numbers", NO_INDEX, "").unwrap().len(), 6001);
    let failed = disturbed("conf_vacuum", NO_INDEX, "VACUUM").unwrap_err();
    assert!(failed.contains("other numbers"), "{failed}");
    // A change of the schema leaves them their numbers.
    let altered = "ALTER TABLE django_session ADD user_id integer; CREATE INDEX i ON django_session (user_id)";
    assert_eq!(disturbed("conf_altered", NO_INDEX, altered).unwrap().len(), 6001);
    // So does a logout, of the row at which the walk rests, too.
    let gone = "DELETE FROM django_session WHERE session_key < '05000'";
    let keys = disturbed("conf_logged_out", NO_INDEX, gone).unwrap();
    assert!(keys.len() > 4001 && keys.len() < 6001, "{}", keys.len());
    assert_eq!(keys.iter().filter(|key| key.as_str() >= "05000").count(), 4001);
}

/// Where rows have no numbers, a session that moves to a key that was passed is seen at the old or at the new one, and
/// rows of the same key are all seen.
#[test]
fn a_walk_over_sqlite_rows_without_numbers_is_one_look() {
    let table = |key: &str| {
        format!(
            "PRAGMA journal_mode = wal; CREATE TABLE django_session (session_key text NOT NULL, session_data text,
             expire_date text, PRIMARY KEY ({key})) WITHOUT ROWID"
        )
    };
    let moved = "UPDATE django_session SET session_key = '00001' WHERE session_key = '09000'";
    let keys = disturbed("conf_moved", &table("session_key"), moved).unwrap();
    assert_eq!(keys.iter().filter(|key| ["00001", "09000"].contains(&key.as_str())).count(), 1);
    let world = World::sqlite("conf_same_key");
    world.execute(&format!(
        "DROP TABLE django_session; {};
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
         INSERT INTO django_session (session_key, session_data, expire_date)
         SELECT 'same', 'x', printf('2999-%05d', i) FROM n",
        table("session_key, expire_date")
    ));
    let clock = WallClock::in_zone("UTC").unwrap();
    let store = Sqlite::new(world.url().into(), Table::default(), clock);
    let mut rows = 0;
    let count = &mut |page: Page| {
        rows += page.rows().count();
        ControlFlow::Continue(Page::default())
    };
    store.reader().unwrap().scan(&Filter::default(), count).unwrap();
    assert_eq!(rows, 9000);
}

const KINDS: [(&str, &str); 2] = [("numbered", ""), ("without", "WITHOUT ROWID")];

/// So that a batch touches few pages.
#[test]
fn sqlite_rows_are_picked_in_order_of_their_addresses() {
    for (name, option) in KINDS {
        let world = World::sqlite(&format!("conf_order_{name}"));
        world.renew_with(option);
        let subject = on(&world, store(&world));
        let keys: Vec<String> = (0..300).map(|n| format!("{n:06}")).collect();
        let expires = |n: i64| n * 37 % 60;
        let rows: Vec<_> = keys.iter().zip(0..).map(|(key, n)| (&**key, "", expires(n))).collect();
        (subject.add)(&rows);
        let picked = subject.store.writer(consent()).unwrap().pick_expired(at(60), None, 1_000);
        let addresses: Vec<u32> =
            picked.unwrap().rows.iter().map(|row| row.parse().unwrap()).collect();
        assert_eq!(addresses.len(), 300);
        assert!(addresses.is_sorted(), "{addresses:?}");
    }
}

#[test]
fn sqlite_windows_name_no_row_twice() {
    for (name, option) in KINDS {
        let world = World::sqlite(&format!("conf_once_{name}"));
        world.renew_with(option);
        let subject = on(&world, store(&world));
        name_no_row_twice(&subject);
        // A window may end at any of these, too.
        for number in ["CAST(session_key AS INTEGER)", "session_key / 7.5"] {
            world.execute(&format!("UPDATE django_session SET expire_date = {number}"));
            for window in [1, 7] {
                assert_eq!(named_in_windows(&subject, window).len(), 40, "{number}");
            }
        }
    }
}

/// Rows are counted in slices, in which nobody can commit; one of them ends at the last row.
#[test]
fn sqlite_rows_are_counted_in_all_slices() {
    for (name, option) in KINDS {
        let world = World::sqlite(&format!("conf_slices_{name}"));
        world.renew_with(option);
        let subject = on(&world, store(&world));
        let keys: Vec<String> = (0..20_000).map(|n| format!("{n:06}")).collect();
        let rows: Vec<_> = keys.iter().zip(0..).map(|(key, n)| (&**key, "", n / 1_000)).collect();
        (subject.add)(&rows);
        world.execute(
            "CREATE TABLE cart (session varchar(40) REFERENCES django_session (session_key));
             INSERT INTO cart VALUES ('000007'), ('009999'), ('010000'), ('019999')",
        );
        let (long, short) = (std::time::Duration::from_secs(60), std::time::Duration::ZERO);
        for more in [0, 1] {
            if more > 0 {
                subject.add("more", "", 30);
            }
            let mut reader = subject.store.reader().unwrap();
            let all = Expired { rows: Some(20_000 + more), oldest: Some(at(0)) };
            assert_eq!(reader.expired(at(60), None, long).unwrap(), all);
            assert_eq!(reader.expired(at(60), None, short).unwrap(), Expired { rows: None, ..all });
            assert_eq!(reader.expired_and_kept(at(60), long).unwrap(), Some(4));
            assert_eq!(reader.expired_and_kept(at(60), short).unwrap(), None);
        }
    }
}

//! What a walk over a SQLite file promises.

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

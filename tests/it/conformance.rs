//! What every store promises, on every store: the fake in memory, SQLite in both journal modes, PostgreSQL.

use std::ops::ControlFlow;

use sessctl::consent::{Ask, Consent};
use sessctl::model::{Data, Expiry, Keys, MOST_DATA_BYTES, Page, Timestamp};
use sessctl::store::memory::Memory;
use sessctl::store::{
    Assignment, ByUser, Cursor, Expired, Filter, Gone, Locked, Postgres, Replacement, Sqlite,
    Stamps, Store, Table, UserColumn, UserType, WallClock, Was,
};

use crate::world::World;

/// A store, and a way to add rows to it.
struct Subject<'a> {
    store: Box<dyn Store>,
    add: Box<AddRows<'a>>,
    /// Has django-allauth keep rows for these sessions, and no others.
    list: Box<ListKeys<'a>>,
    /// Gives a row another expiry, as Django does where a session is saved.
    renew: Box<RenewRow<'a>>,
    /// The sessions that it has rows for.
    listed: Box<dyn Fn() -> Vec<String> + 'a>,
}

type AddRows<'a> = dyn Fn(&[RowToAdd<'_>]) + 'a;
type ListKeys<'a> = dyn Fn(&[&str]) + 'a;
type RenewRow<'a> = dyn Fn(&str, i64) + 'a;

/// Key, data, and when it expires: so many seconds after `THEN`.
type RowToAdd<'r> = (&'r str, &'r str, i64);

/// 2001-09-09T01:46:40Z: earlier than the clock of any database server, which counts too.
const THEN: i64 = 1_000_000_000;

fn each(name: &str, test: impl Fn(&Subject<'_>)) {
    memory(&test);
    for (journal, option) in [("wal", ""), ("delete", ""), ("wal", "WITHOUT ROWID")] {
        let world = World::sqlite(&format!("conf_{name}_{journal}{}", option.len()));
        world.execute(&format!("PRAGMA journal_mode = {journal}"));
        world.renew_with(option);
        let clock = WallClock::in_zone("UTC").unwrap();
        let store = Sqlite::new(world.url().into(), Table::default(), clock);
        test(&on(&world, Box::new(store)));
    }
    let world = World::postgres(&format!("conf_{name}"));
    let store = Postgres::new(world.conninfo(), Table::default());
    test(&on(&world, Box::new(store)));
}

fn memory(test: &impl Fn(&Subject<'_>)) {
    let shared: &'static Memory = Box::leak(Box::default());
    test(&Subject {
        store: Box::new(shared),
        add: Box::new(|rows| {
            for (key, data, seconds) in rows {
                let at = Timestamp::from_seconds(THEN + seconds).unwrap();
                shared.insert(key, data, Expiry::At(at));
            }
        }),
        list: Box::new(|keys| shared.list_in_allauth(keys)),
        renew: Box::new(|key, seconds| {
            let at = Timestamp::from_seconds(THEN + seconds).unwrap();
            shared.insert(key, "", Expiry::At(at));
        }),
        listed: Box::new(|| shared.listed_in_allauth()),
    });
}

/// So many seconds after `THEN`, as Django stores it.
fn shown(world: &World, seconds: i64) -> String {
    let zone = if world.is_sqlite() { "" } else { "+00" };
    let at = jiff::Timestamp::from_second(THEN + seconds).unwrap();
    format!("{}{zone}", at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S"))
}

fn on(world: &World, store: Box<dyn Store>) -> Subject<'_> {
    Subject {
        store,
        add: Box::new(|rows| {
            let shown = |seconds: &i64| shown(world, *seconds);
            world.rows(rows.iter().map(|(key, data, seconds)| (*key, *data, shown(seconds))));
        }),
        renew: Box::new(|key, seconds| {
            world.execute(&format!(
                "UPDATE django_session SET expire_date = '{}' WHERE session_key = '{key}'",
                shown(world, seconds)
            ));
        }),
        list: Box::new(|keys| {
            world.execute("DROP TABLE IF EXISTS usersessions_usersession");
            world.execute("CREATE TABLE usersessions_usersession (session_key varchar(40) UNIQUE)");
            for key in keys {
                let key = key.replace('\'', "''");
                world.execute(&format!("INSERT INTO usersessions_usersession VALUES ('{key}')"));
            }
        }),
        listed: Box::new(|| world.keys_in("usersessions_usersession")),
    }
}

impl Subject<'_> {
    fn add(&self, key: &str, data: &str, seconds: i64) {
        (self.add)(&[(key, data, seconds)]);
    }

    fn rows(&self, filter: &Filter) -> Vec<(String, String, Expiry)> {
        let mut rows = Vec::new();
        let mut reader = self.store.reader().unwrap();
        reader
            .scan(filter, &mut |page| {
                let owned = page.rows().map(|row| {
                    (row.key.to_owned(), row.data.text().unwrap().to_owned(), row.expires)
                });
                rows.extend(owned);
                ControlFlow::Continue(Page::default())
            })
            .unwrap();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }

    fn keys(&self, filter: &Filter) -> Vec<String> {
        self.rows(filter).into_iter().map(|(key, ..)| key).collect()
    }
}

fn consent() -> Consent {
    Consent::from_ask(Ask::Explicit).unwrap()
}

#[test]
fn a_scan_returns_every_row_once_and_as_it_is() {
    each("whole", |subject| {
        assert!(subject.rows(&Filter::default()).is_empty());
        subject.add("a", "", 0);
        subject.add("b", "line\nbreak 'quoted' \"é\" 😀", 1);
        subject.add(&"k".repeat(40), &"x".repeat(2_000_000), 2);
        let rows = subject.rows(&Filter::default());
        let at = |seconds| Expiry::At(Timestamp::from_seconds(THEN + seconds).unwrap());
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0], ("a".into(), String::new(), at(0)));
        assert_eq!(rows[1], ("b".into(), "line\nbreak 'quoted' \"é\" 😀".into(), at(1)));
        assert_eq!((rows[2].1.len(), rows[2].2), (2_000_000, at(2)));
    });
}

#[test]
fn what_is_too_large_stays_in_the_database_and_its_size_is_told() {
    each("large", |subject| {
        let large = "é".repeat(MOST_DATA_BYTES / 2 + 1);
        let most = &large[2..];
        let rows =
            [("a", "1"), ("b", &large), ("c", most), ("d", &large), ("e", &large), ("f", "2")];
        (subject.add)(&rows.map(|(key, data)| (key, data, 0)));
        let size = |data: &str| (data.len(), (data.len() <= MOST_DATA_BYTES).then_some(data.len()));
        let expected = rows.map(|(key, data)| (key.to_owned(), size(data)));
        let sizes = |page: &Page| -> Vec<_> {
            let read = |data: Data<&str>| (data.bytes(), data.text().map(str::len));
            page.rows().map(|row| (row.key.to_owned(), read(row.data))).collect()
        };
        let whole = Filter::default();
        let in_pages = Filter { in_pages: true, ..Filter::default() };
        let newest = Filter { newest: Some(9), ..Filter::default() };
        for filter in [whole, in_pages, newest] {
            let mut found = Vec::new();
            let mut reader = subject.store.reader().unwrap();
            let emit = &mut |page: Page| {
                found.extend(sizes(&page));
                ControlFlow::Continue(Page::default())
            };
            reader.scan(&filter, emit).unwrap();
            found.sort();
            assert_eq!(found, expected, "{filter:?}");
        }
        let mut writer = subject.store.writer(consent()).unwrap();
        for (key, expected) in &expected {
            assert_eq!(sizes(&writer.read(&[key]).unwrap()), [(key.clone(), *expected)]);
        }
        let mut found = sizes(&writer.read(&["a", "b", "c", "d", "e", "f"]).unwrap());
        found.sort();
        // What is large comes by itself, or the memory that a batch takes would have no bound.
        let is_large = |(key, (bytes, read)): &(String, (usize, Option<usize>))| {
            assert!(read.is_some() == (*bytes == 1) || key == "c", "{key}");
            (key.clone(), *bytes)
        };
        let bytes = expected.map(|(key, (bytes, _))| (key, bytes));
        assert_eq!(found.iter().map(is_large).collect::<Vec<_>>(), bytes);
        let was = Was::from(most);
        assert!(was.text().is_none());
        let replace = |new| [Replacement { key: "c", old: &was, new }];
        assert_eq!(writer.replace(&replace("another")).unwrap(), 1);
        assert_eq!(writer.replace(&replace("late")).unwrap(), 0);
        let left = writer.read(&["c"]).unwrap();
        assert_eq!(left.rows().next().unwrap().data, Data::Text("another"));
    });
}

#[test]
fn a_scan_of_many_pages_loses_nothing() {
    each("pages", |subject| {
        let keys: Vec<String> = (0..2_500).map(|n| format!("{n:06}")).collect();
        (subject.add)(&keys.iter().map(|key| (&**key, "data", 0)).collect::<Vec<_>>());
        assert_eq!(subject.keys(&Filter::default()), keys);
    });
}

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

#[test]
fn live_means_that_it_expires_later_than_now() {
    each("live", |subject| {
        subject.add("before", "", -1);
        subject.add("now", "", 0);
        subject.add("after", "", 1);
        let filter = Filter { live_at: Timestamp::from_seconds(THEN), ..Filter::default() };
        assert_eq!(subject.keys(&filter), ["after"]);
    });
}

#[test]
fn a_key_prefix_is_taken_literally() {
    each("prefix", |subject| {
        for key in ["abcdefgh1", "abcdefgh2", "ABCDEFGH3", "abcd_fgh4", "abcd%fgh5", "o'clock\\6"] {
            subject.add(key, "", 0);
        }
        let keys = |prefix: &str| {
            subject.keys(&Filter { key_prefix: Some(prefix.into()), ..Filter::default() })
        };
        assert_eq!(keys("abcdefgh"), ["abcdefgh1", "abcdefgh2"]);
        assert_eq!(keys("abcd_fgh"), ["abcd_fgh4"]);
        assert_eq!(keys("abcd%"), ["abcd%fgh5"]);
        assert_eq!(keys("o'clock\\"), ["o'clock\\6"]);
        assert!(keys("' OR true").is_empty());
    });
}

#[test]
fn the_newest_are_those_that_expire_last() {
    each("newest", |subject| {
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

#[test]
fn a_scan_can_be_broken_off_and_another_begun() {
    each("break", |subject| {
        let keys: Vec<String> = (0..2_500).map(|n| format!("{n:06}")).collect();
        (subject.add)(&keys.iter().map(|key| (&**key, "data", 0)).collect::<Vec<_>>());
        let mut reader = subject.store.reader().unwrap();
        let mut pages = 0;
        reader
            .scan(&Filter::default(), &mut |_| {
                pages += 1;
                ControlFlow::Break(())
            })
            .unwrap();
        assert_eq!(pages, 1);
        let mut rows = 0;
        let recycled = &mut |mut page: Page| {
            rows += page.len();
            page.clear();
            ControlFlow::Continue(page)
        };
        reader.scan(&Filter::default(), recycled).unwrap();
        assert_eq!(rows, 2_500);
    });
}

#[test]
fn a_delete_takes_exactly_its_keys_and_may_be_repeated() {
    each("delete", |subject| {
        let hostile = "'; DROP TABLE django_session; --";
        for key in ["a", "b", "c", hostile, "A"] {
            subject.add(key, "data", 0);
        }
        let mut writer = subject.store.writer(consent()).unwrap();
        assert_eq!(writer.delete(&["a", hostile, "nosuch"]).unwrap(), Gone::of(2));
        assert_eq!(writer.delete(&["a", hostile, "nosuch"]).unwrap(), Gone::default());
        assert_eq!(writer.delete(&[]).unwrap(), Gone::default());
        drop(writer);
        assert_eq!(subject.keys(&Filter::default()), ["A", "b", "c"]);
    });
}

#[test]
fn rows_of_allauth_go_with_their_sessions_and_not_alone() {
    each("allauth", |subject| {
        let has_allauth = || subject.store.reader().unwrap().has_allauth().unwrap();
        let hostile = "'; DROP TABLE django_session; --";
        for key in ["a", "b", "c", hostile] {
            subject.add(key, "data", 0);
        }
        assert!(!has_allauth());
        (subject.list)(&["a", "b", "gone", hostile]);
        assert!(has_allauth());
        let mut writer = subject.store.writer(consent()).unwrap();
        let mut delete = |keys: &[&str]| writer.delete_with_allauth(keys).unwrap();
        assert_eq!(delete(&[]), Gone::default());
        assert_eq!(delete(&["gone", "nosuch"]), Gone::default());
        assert_eq!(delete(&["b", "c", "gone"]), Gone { allauth: 1, ..Gone::of(2) });
        assert_eq!(delete(&["b", "c", "gone"]), Gone::default());
        assert_eq!((subject.listed)(), [hostile, "a", "gone"]);
        assert_eq!(delete(&["a", hostile]), Gone { allauth: 2, ..Gone::of(2) });
        assert_eq!((subject.listed)(), ["gone"]);
        assert!(subject.keys(&Filter::default()).is_empty());
    });
}

#[test]
fn an_estimate_is_no_error() {
    each("estimate", |subject| {
        subject.add("a", "data", 0);
        subject.store.reader().unwrap().estimate().unwrap();
    });
}

/// A cutoff: so many seconds after `THEN`.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(THEN + seconds).unwrap()
}

fn batch(keys: &Keys) -> Vec<&str> {
    keys.iter().collect()
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
    each("pick", |subject| {
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
    each("windows", |subject| {
        let keys: Vec<String> = (0..250).map(|n| format!("{n:06}")).collect();
        let expires = |n: i64| if (50..150).contains(&n) { 1_000 } else { 900 + n };
        let rows: Vec<_> = keys.iter().zip(0..).map(|(key, n)| (&**key, "", expires(n))).collect();
        (subject.add)(&rows);
        let deleted = purge(subject, at(1_140), 7);
        assert_eq!(deleted.iter().sum::<u64>(), 240, "{deleted:?}");
        assert_eq!(subject.keys(&Filter::default()), keys[240..]);
    });
}

#[test]
fn postgres_rows_are_picked_page_by_page() {
    let world = World::postgres("conf_pages");
    let keys: Vec<String> = (0..300).map(|n| format!("{n:06}")).collect();
    let expired = |n: usize| format!("2001-01-01 00:{:02}:{:02}", n * 37 % 60, n % 60);
    let data = "x".repeat(1_000);
    world.rows(keys.iter().enumerate().map(|(n, key)| (&**key, &*data, expired(n))));
    let store = Postgres::new(world.conninfo(), Table::default());
    let picked = store.writer(consent()).unwrap().pick_expired(at(0), None, 1_000).unwrap();
    let page = |row: &str| row[1..].split(',').next().unwrap().parse::<u32>().unwrap();
    let pages: Vec<u32> = picked.rows.iter().map(page).collect();
    assert!(pages.is_sorted() && pages.last() > Some(&10), "{pages:?}");
}

/// Renewed where they are, and added anew: SQLite gives the last row number again once its row is gone.
#[test]
fn what_was_picked_and_is_live_again_stays() {
    each("renewed", |subject| {
        (subject.add)(&[("renewed", "", 1), ("gone", "", 2), ("anew", "", 3)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        let picked = writer.pick_expired(at(5), None, 10).unwrap();
        assert_eq!(picked.rows.len(), 3);
        (subject.renew)("renewed", 9);
        writer.delete(&["anew"]).unwrap();
        subject.add("anew", "", 9);
        let mut delete =
            |rows: &[&str], locked| writer.delete_expired(rows, at(5), locked).unwrap();
        assert_eq!(delete(&batch(&picked.rows), Locked::Skip), Gone::of(1));
        assert_eq!(delete(&batch(&picked.rows), Locked::Wait), Gone::default());
        assert_eq!(delete(&[], Locked::Skip), Gone::default());
        assert_eq!(subject.keys(&Filter::default()), ["anew", "renewed"]);
    });
}

/// On PostgreSQL, at the address of a row that is gone; and renewed where rows have no address of their own.
#[test]
fn postgres_rows_that_are_live_again_stay() {
    for (name, table) in [("heap", ""), ("parted", "PARTITION BY HASH (session_key)")] {
        for locked in [Locked::Skip, Locked::Wait] {
            let world = World::postgres(&format!("conf_renewed_{name}"));
            world.renew_with(table);
            if !table.is_empty() {
                world.execute(
                    "CREATE TABLE part PARTITION OF django_session FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
                );
            }
            let subject = on(&world, Box::new(Postgres::new(world.conninfo(), Table::default())));
            (subject.add)(&[("renewed", "", 1), ("another", "", 2), ("gone", "", 3)]);
            let mut writer = subject.store.writer(consent()).unwrap();
            let picked = writer.pick_expired(at(5), None, 10).unwrap();
            let address = |key: &str| -> String {
                let sql = "SELECT ctid::text FROM django_session WHERE session_key = $1";
                world.client().query_one(sql, &[&key]).unwrap().get(0)
            };
            let before = address("another");
            world.execute("DELETE FROM django_session WHERE session_key = 'another'");
            world.execute("VACUUM django_session");
            subject.add("taker", "", 9);
            assert_eq!(address("taker"), before, "nobody took the address");
            (subject.renew)("renewed", 9);
            let gone = writer.delete_expired(&batch(&picked.rows), at(5), locked).unwrap();
            assert_eq!(gone, Gone::of(1), "{name}");
            assert_eq!(subject.keys(&Filter::default()), ["renewed", "taker"], "{name}");
        }
    }
}

#[test]
fn expired_rows_are_counted_from_a_place_on() {
    each("expired", |subject| {
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

#[test]
fn rows_are_read_and_replaced_if_they_are_what_they_were() {
    each("replace", |subject| {
        let odd = "'; DROP TABLE django_session; -- \\ \" é {1,2}";
        (subject.add)(&[("a", "old", 1), ("b", odd, 2), ("c", "old", 3)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        let page = writer.read(&["b", "nosuch", "a"]).unwrap();
        let mut read: Vec<_> = page.rows().map(|row| (row.key, row.data, row.expires)).collect();
        read.sort_by_key(|(key, ..)| *key);
        let old = [("a", "old", 1), ("b", odd, 2)];
        assert_eq!(read, old.map(|(key, data, s)| (key, Data::Text(data), Expiry::At(at(s)))));
        let [old, odd_was, other] = ["old", odd, "other"].map(Was::from);
        let new = |key, old, new| Replacement { key, old, new };
        let replaced = [
            new("a", &old, "new a"),
            new("b", &odd_was, odd.trim_start_matches('\'')),
            new("c", &other, "lost"),
            new("nosuch", &old, "lost"),
        ];
        assert_eq!(writer.replace(&replaced).unwrap(), 2);
        assert_eq!(writer.replace(&replaced).unwrap(), 0);
        assert_eq!(writer.replace(&[]).unwrap(), 0);
        assert!(writer.read(&[]).unwrap().is_empty());
        drop(writer);
        let rows = subject.rows(&Filter::default());
        let rows: Vec<_> = rows.iter().map(|(key, data, at)| (&**key, &**data, *at)).collect();
        assert_eq!(
            rows,
            [
                ("a", "new a", Expiry::At(at(1))),
                ("b", &odd[1..], Expiry::At(at(2))),
                ("c", "old", Expiry::At(at(3)))
            ]
        );
    });
}

#[test]
fn a_table_is_emptied_and_can_be_filled_again() {
    each("truncate", |subject| {
        (subject.add)(&[("a", "", 1), ("b", "", 2)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        writer.truncate().unwrap();
        writer.truncate().unwrap();
        assert!(subject.keys(&Filter::default()).is_empty());
        subject.add("a", "", 1);
        assert_eq!(subject.keys(&Filter::default()), ["a"]);
    });
}

#[test]
fn now_is_now_and_never_later() {
    each("now", |subject| {
        let now = subject.store.reader().unwrap().now().unwrap();
        let own = Timestamp::now();
        let minute = std::time::Duration::from_secs(60);
        assert!(now <= own && now > own.before(minute), "{now} {own}");
    });
}

/// A column and two ids that it can hold.
fn columns() -> [(UserColumn, [&'static str; 2]); 3] {
    let column = |name: &str, kind| UserColumn {
        name: name.into(),
        kind,
        width: None,
        indexed: false,
        users: None,
    };
    let uuids = ["0fce2a16-9b84-4c29-9d9f-2f2f9d0b0a11", "12345678-1234-1234-1234-123456789012"];
    [
        (column("user_id", UserType::Bigint), ["42", "-9223372036854775808"]),
        (column("a\"b' ; --", UserType::Text), ["042", "o'clock \\ \" é {1,2}"]),
        (column("é", UserType::Uuid), uuids),
    ]
}

/// On every store and with every type of column.
fn each_column(name: &str, test: impl Fn(&Subject<'_>, &UserColumn, [&str; 2])) {
    for (number, (column, ids)) in columns().into_iter().enumerate() {
        each(&format!("{name}_{number}"), |subject| test(subject, &column, ids));
    }
}

/// Keys and what the column says of them.
fn stamped(subject: &Subject<'_>, filter: &Filter) -> Vec<(String, Option<String>)> {
    let mut rows = Vec::new();
    let emit = &mut |mut page: Page| {
        rows.extend(page.rows().map(|row| (row.key.to_owned(), row.user.map(str::to_owned))));
        page.clear();
        ControlFlow::Continue(page)
    };
    subject.store.reader().unwrap().scan(filter, emit).unwrap();
    rows.sort();
    rows
}

fn by(column: &UserColumn, stamps: Stamps, in_pages: bool) -> Filter {
    let user = Some(ByUser { column: column.clone(), stamps });
    Filter { user, in_pages, ..Filter::default() }
}

#[test]
fn a_user_column_is_added_once_and_indexed_once() {
    each_column("column", |subject, column, _| {
        let find = || subject.store.reader().unwrap().user_column(&column.name).unwrap();
        let mut writer = subject.store.writer(consent()).unwrap();
        assert_eq!(find(), None);
        writer.add_user_column(column).unwrap();
        assert_eq!(find().as_ref(), Some(column));
        writer.add_user_column(column).unwrap();
        writer.index_user_column(column).unwrap();
        let indexed = UserColumn { indexed: true, ..column.clone() };
        assert_eq!(find().as_ref(), Some(&indexed));
        writer.index_user_column(column).unwrap();
        assert_eq!(find(), Some(indexed));
        assert_eq!(subject.store.reader().unwrap().user_column("another").unwrap(), None);
    });
}

#[test]
fn users_are_assigned_to_rows_that_are_what_they_were() {
    each_column("assign", |subject, column, [one, two]| {
        (subject.add)(&[("a", "data", 1), ("b", "data", 2), ("c", "changed", 3), ("d", "data", 4)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        writer.add_user_column(column).unwrap();
        let data = &Was::from("data");
        let to = |user| ["a", "b", "c", "nosuch"].map(|key| Assignment { key, data, user });
        let told = || {
            let told = stamped(subject, &by(column, Stamps::Any, false));
            told.into_iter()
                .map(|(key, user)| format!("{key} {}", user.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        let says =
            |a: &str, b: &str| [format!("a {a}"), format!("b {b}"), "c ".into(), "d ".into()];
        assert_eq!(writer.assign(column, &[], false).unwrap().rows, 0);
        assert_eq!(writer.assign(column, &to(Some(one))[..1], false).unwrap().rows, 1);
        assert_eq!(told(), says(one, ""));
        assert_eq!(writer.assign(column, &to(Some(two)), false).unwrap().rows, 1);
        assert_eq!(told(), says(one, two));
        assert_eq!(writer.assign(column, &to(Some(two)), false).unwrap().rows, 0);
        assert_eq!(writer.assign(column, &to(Some(one)), true).unwrap().rows, 1);
        assert_eq!(told(), says(one, one));
        assert_eq!(writer.assign(column, &to(Some(one)), true).unwrap().rows, 0);
        assert_eq!(writer.assign(column, &to(None)[1..], true).unwrap().rows, 1);
        assert_eq!(told(), says(one, ""));
        drop(writer);
        let data: Vec<_> = subject.rows(&Filter::default()).into_iter().map(|row| row.1).collect();
        assert_eq!(data, ["data", "data", "changed", "data"]);
    });
}

#[test]
fn a_scan_returns_the_rows_of_which_the_column_says_this() {
    each_column("stamps", |subject, column, [one, two]| {
        let keys: Vec<String> = (0..2_500).map(|n| format!("{n:06}")).collect();
        (subject.add)(&keys.iter().map(|key| (&**key, "data", 0)).collect::<Vec<_>>());
        let mut writer = subject.store.writer(consent()).unwrap();
        writer.add_user_column(column).unwrap();
        let user = |n: usize| [None, Some(one), Some(two), Some(two)][n % 4];
        let data = &Was::from("data");
        let assign = |(n, key)| Some(Assignment { key, data, user: Some(user(n)?) });
        let assigned: Vec<_> =
            keys.iter().map(String::as_str).enumerate().filter_map(assign).collect();
        assert_eq!(writer.assign(column, &assigned, false).unwrap().rows, 1_875);
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        for indexed in [false, true] {
            if indexed {
                writer.index_user_column(column).unwrap();
            }
            let column = &UserColumn { indexed, ..column.clone() };
            for (stamps, included) in [
                (Stamps::Any, vec![None, Some(one), Some(two)]),
                (Stamps::Missing, vec![None]),
                (Stamps::OneOf(ids(&[])), vec![]),
                (Stamps::OneOf(ids(&[one])), vec![Some(one)]),
                (Stamps::OneOf(ids(&[one, two])), vec![Some(one), Some(two)]),
            ] {
                let told = |n: usize| (keys[n].clone(), user(n).map(str::to_owned));
                let truth: Vec<_> =
                    (0..keys.len()).filter(|n| included.contains(&user(*n))).map(told).collect();
                for in_pages in [false, true] {
                    let found = stamped(subject, &by(column, stamps.clone(), in_pages));
                    assert_eq!(found, truth, "{stamps:?} indexed: {indexed}, in pages: {in_pages}");
                }
            }
        }
    });
}

#[test]
fn a_scan_in_pages_loses_nothing() {
    each("in_pages", |subject| {
        let filter = Filter { in_pages: true, ..Filter::default() };
        assert!(subject.keys(&filter).is_empty());
        let keys: Vec<String> = (0..2_500).map(|n| format!("{n:06}")).collect();
        // Pages that are full by their rows, by their bytes, and by one row.
        let data = ["x".repeat(100), "x".repeat(20_000), "x".repeat(600_000)];
        let data =
            |n: usize| &*data[usize::from(n % 100 < 30 && n < 200) + usize::from(n % 500 == 7)];
        let rows: Vec<_> = keys.iter().enumerate().map(|(n, key)| (&**key, data(n), 0)).collect();
        (subject.add)(&rows);
        let found = subject.rows(&filter);
        assert_eq!(found.len(), keys.len());
        for (n, (key, text, _)) in found.iter().enumerate() {
            assert!(*key == keys[n] && text == data(n), "row {n}");
        }
        let mut pages = 0;
        let emit = &mut |_| {
            pages += 1;
            ControlFlow::Break(())
        };
        subject.store.reader().unwrap().scan(&filter, emit).unwrap();
        assert_eq!(pages, 1);
    });
}

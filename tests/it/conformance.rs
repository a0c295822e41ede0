//! What every store promises, on every store: the fake in memory, SQLite in both journal modes, PostgreSQL.

use std::ops::ControlFlow;

use sessctl::consent::{Ask, Consent};
use sessctl::model::{Expiry, Page, Timestamp};
use sessctl::store::memory::Memory;
use sessctl::store::{Filter, Postgres, Sqlite, Store, Table, WallClock};

use crate::world::World;

/// A store, and a way to add rows to it.
struct Subject<'a> {
    store: Box<dyn Store>,
    add: Box<AddRows<'a>>,
}

type AddRows<'a> = dyn Fn(&[RowToAdd<'_>]) + 'a;

/// Key, data, and when it expires: so many seconds after `THEN`.
type RowToAdd<'r> = (&'r str, &'r str, i64);

/// 2001-09-09T01:46:40Z: earlier than the clock of any database server, which counts too.
const THEN: i64 = 1_000_000_000;

fn each(name: &str, test: impl Fn(&Subject<'_>)) {
    memory(&test);
    for journal in ["wal", "delete"] {
        let world = World::sqlite(&format!("conf_{name}_{journal}"));
        world.execute(&format!("PRAGMA journal_mode = {journal}"));
        let clock = WallClock::in_zone("UTC").unwrap();
        let store = Sqlite::new(world.url().into(), Table::default(), clock);
        test(&on(&world, Box::new(store)));
    }
    let world = World::postgres(&format!("conf_{name}"));
    let store = Postgres::new(&world.url(), Table::default()).unwrap();
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
    });
}

fn on(world: &World, store: Box<dyn Store>) -> Subject<'_> {
    Subject {
        store,
        add: Box::new(|rows| {
            let zone = if world.is_sqlite() { "" } else { "+00" };
            let shown = |seconds: &i64| {
                let at = jiff::Timestamp::from_second(THEN + seconds).unwrap();
                let shown = at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S");
                format!("{shown}{zone}")
            };
            world.rows(rows.iter().map(|(key, data, seconds)| (*key, *data, shown(seconds))));
        }),
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
                let owned =
                    page.rows().map(|row| (row.key.to_owned(), row.data.to_owned(), row.expires));
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
fn a_scan_of_many_pages_loses_nothing() {
    each("pages", |subject| {
        let keys: Vec<String> = (0..2_500).map(|n| format!("{n:06}")).collect();
        (subject.add)(&keys.iter().map(|key| (&**key, "data", 0)).collect::<Vec<_>>());
        assert_eq!(subject.keys(&Filter::default()), keys);
    });
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
        assert_eq!(writer.delete(&["a", hostile, "nosuch"]).unwrap(), 2);
        assert_eq!(writer.delete(&["a", hostile, "nosuch"]).unwrap(), 0);
        assert_eq!(writer.delete(&[]).unwrap(), 0);
        drop(writer);
        assert_eq!(subject.keys(&Filter::default()), ["A", "b", "c"]);
    });
}

#[test]
fn an_estimate_is_no_error() {
    each("estimate", |subject| {
        subject.add("a", "data", 0);
        subject.store.reader().unwrap().estimate().unwrap();
    });
}

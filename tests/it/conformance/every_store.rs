//! What every store promises.

use std::collections::BTreeMap;

use super::*;

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
    let _much = MEMORY.write();
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
    });
}

/// All rows of a batch are in memory at once.
#[test]
fn of_rows_that_are_read_at_once_none_is_large() {
    let name = "conf_at_once";
    for world in [World::sqlite(name), World::postgres(name), World::mysql(name)] {
        let subject = on(&world, store(&world));
        (subject.add)(&[("large", &"x".repeat(40 << 10), 0), ("small", "x", 0)]);
        let mut writer = subject.store.writer(consent()).unwrap();
        let mut is_read = |keys: &[&str]| {
            let page = writer.read(keys).unwrap();
            let rows = page.rows().map(|row| (row.key.to_owned(), row.data.text().is_some()));
            rows.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(is_read(&["large"]), [("large".to_owned(), true)].into());
        let both = [("large".to_owned(), false), ("small".to_owned(), true)];
        assert_eq!(is_read(&["large", "small"]), both.into());
    }
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
        assert_eq!(writer.count(&["a", hostile, "b", "nosuch"]).unwrap(), 3);
        assert_eq!(writer.delete(&["a", hostile, "nosuch"]).unwrap(), Gone::of(2));
        assert_eq!(writer.count(&["a", hostile, "nosuch"]).unwrap(), 0);
        assert_eq!(writer.delete(&["a", hostile, "nosuch"]).unwrap(), Gone::default());
        assert_eq!(writer.delete(&[]).unwrap(), Gone::default());
        drop(writer);
        assert_eq!(subject.keys(&Filter::default()), ["A", "b", "c"]);
    });
}

/// A list of keys may get its type from its first key, or from those of an earlier statement.
#[test]
fn keys_of_all_lengths_are_found_together() {
    each("lengths", |subject| {
        let keys: Vec<String> = (1..=40).map(|length| "k".repeat(length)).collect();
        let shortest_first: Vec<&str> = keys.iter().map(String::as_str).collect();
        let longest_first: Vec<&str> = shortest_first.iter().rev().copied().collect();
        for keys in [&shortest_first, &longest_first, &shortest_first] {
            for key in keys {
                subject.add(key, "data", 0);
            }
            let mut writer = subject.store.writer(consent()).unwrap();
            assert_eq!(writer.count(keys).unwrap(), 40);
            for some in keys.chunks(4) {
                assert_eq!(writer.delete(some).unwrap(), Gone::of(4));
            }
            assert_eq!(writer.count(keys).unwrap(), 0);
        }
    });
}

#[test]
fn an_estimate_is_no_error() {
    each("estimate", |subject| {
        subject.add("a", "data", 0);
        subject.store.reader().unwrap().estimate().unwrap();
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

//! What holds on MariaDB and MySQL where columns are as sites have them: case-insensitive, not Unicode, of other precision.

use std::time::{Duration, Instant};

use sessctl::store::{Fault, Holder, LockAttempt};

use super::expiry::name_no_row_twice;
use super::*;
use crate::mysql_server::MySqlClient;

/// Runs a test on both, with a table that has this character set, engine or whatever else.
fn each_with(name: &str, option: &str, test: impl Fn(&World)) {
    World::each_mysql(&format!("conf_{name}"), |world| {
        world.renew_with(option);
        test(world);
    });
}

const COLLATIONS: [&str; 7] = [
    "COLLATE utf8mb4_general_ci",
    "COLLATE utf8mb4_unicode_ci",
    "COLLATE utf8mb4_bin",
    "CHARACTER SET latin1",
    "CHARACTER SET utf8mb3",
    "CHARACTER SET ascii",
    "COLLATE utf8mb4_general_ci ENGINE=MyISAM",
];

#[test]
fn mysql_finds_a_key_in_every_collation_and_no_other_key() {
    for (number, collation) in COLLATIONS.into_iter().enumerate() {
        each_with(&format!("collation_{number}"), collation, |world| {
            let subject = on(world, store(world));
            let keys: Vec<String> = (0..1_200).map(|n| format!("k{n:05}")).collect();
            (subject.add)(&keys.iter().map(|key| (&**key, "data", 0)).collect::<Vec<_>>());
            for filter in [Filter::default(), Filter { in_pages: true, ..Filter::default() }] {
                assert_eq!(subject.keys(&filter), keys, "{collation}");
            }
            let prefix = |text: &str| Filter { key_prefix: Some(text.into()), ..Filter::default() };
            assert!(subject.keys(&prefix("K0")).is_empty(), "{collation}");
            assert_eq!(subject.keys(&prefix("k0001")).len(), 10, "{collation}");
            let mut writer = subject.store.writer(consent()).unwrap();
            // The column may have no room for the last ones, and a row for what they would become.
            (subject.add)(&[("k?", "data", 0)]);
            let others = ["K00001", "k00001 ", "k00001\0", "k\u{e9}", "k\u{2603}"];
            assert_eq!(writer.delete(&others).unwrap(), Gone::default(), "{collation}");
            assert!(writer.read(&others).unwrap().is_empty(), "{collation}");
            assert_eq!(writer.count(&["K00001", "k00002"]).unwrap(), 1, "{collation}");
            assert_eq!(writer.delete(&["k?"]).unwrap(), Gone::of(1), "{collation}");
            let all: Vec<&str> = keys.iter().map(String::as_str).collect();
            assert_eq!(writer.count(&all).unwrap(), 1_200, "{collation}");
            assert_eq!(writer.read(&all).unwrap().rows().count(), 1_200, "{collation}");
            assert_eq!(writer.delete(&all[1..]).unwrap(), Gone::of(1_199), "{collation}");
            assert_eq!(subject.keys(&Filter::default()), ["k00000"], "{collation}");
        });
    }
}

/// base64 is case-sensitive, and the column is not.
#[test]
fn mysql_replaces_only_the_very_data() {
    for (number, collation) in COLLATIONS.into_iter().enumerate() {
        each_with(&format!("very_{number}"), collation, |world| {
            let subject = on(world, store(world));
            (subject.add)(&[("a", "eyJh:AbC", 1), ("b", "eyJh:AbC", 1)]);
            let mut writer = subject.store.writer(consent()).unwrap();
            let other = Was::from("EYJH:abc");
            let same = Was::from("eyJh:AbC");
            let replace = |key, old| Replacement { key, old, new: "new" };
            let both = [replace("a", &other), replace("B", &same), replace("b", &same)];
            assert_eq!(writer.replace(&both).unwrap(), 1, "{collation}");
            let data: Vec<_> =
                subject.rows(&Filter::default()).into_iter().map(|row| row.1).collect();
            assert_eq!(data, ["eyJh:AbC", "new"], "{collation}");
        });
    }
}

#[test]
fn mysql_leaves_locked_rows_and_waits_for_them_no_longer_than_it_must() {
    let _little = MEMORY.read();
    each_with("locked", "", |world| {
        let subject = on(world, store(world));
        let keys: Vec<String> = (0..50).map(|n| format!("k{n:05}")).collect();
        (subject.add)(&keys.iter().map(|key| (&**key, "", 0)).collect::<Vec<_>>());
        let mut other = MySqlClient::connect(&world.url());
        other.execute("START TRANSACTION; UPDATE django_session SET session_data = 'x' WHERE session_key = 'k00007'");
        let mut writer = subject.store.writer(consent()).unwrap();
        let all: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert_eq!(writer.delete_expired(&all, at(9), Locked::Skip).unwrap(), Gone::of(49));
        let error = writer.delete_expired(&all, at(9), Locked::Wait).unwrap_err();
        assert_eq!(error.fault(), Fault::Busy, "{error:?}");
        let locked = writer.delete_expired(&["k00007"], at(9), Locked::Skip).unwrap();
        assert_eq!(locked, Gone::default());
        other.execute("ROLLBACK");
        assert_eq!(writer.delete_expired(&all, at(9), Locked::Wait).unwrap(), Gone::of(1));
    });
}

#[test]
fn mysql_windows_name_no_row_twice_and_its_batches_are_in_order_of_keys() {
    each_with("once", "COLLATE utf8mb4_bin", |world| {
        let subject = on(world, store(world));
        name_no_row_twice(&subject);
        let picked =
            subject.store.writer(consent()).unwrap().pick_expired(at(60), None, 100).unwrap();
        assert!(picked.rows.len() == 40 && batch(&picked.rows).is_sorted(), "{:?}", picked.rows);
    });
}

#[test]
fn mysql_that_counts_for_too_long_gives_up_and_reads_on() {
    each_with("count", "", |world| {
        world.execute(
        "INSERT INTO django_session WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
             SELECT i, 'x', '2001-01-01' FROM n;
         CREATE TABLE cart (session_id varchar(40), FOREIGN KEY (session_id) REFERENCES django_session (session_key));
         INSERT INTO cart VALUES ('7')",
    );
        let store = store(world);
        let mut reader = store.reader().unwrap();
        let (long, short) = (Duration::from_secs(60), Duration::ZERO);
        let given_up = reader.expired(at(0), None, short).unwrap();
        assert!(given_up.rows.is_none() && given_up.oldest.is_some(), "{given_up:?}");
        // What limits a count limits nothing else.
        let mut rows = 0;
        let count = &mut |page: Page| {
            rows += page.len();
            ControlFlow::Continue(Page::default())
        };
        reader.scan(&Filter::default(), count).unwrap();
        assert_eq!(rows, 200_000);
        assert_eq!(reader.expired(at(0), None, long).unwrap().rows, Some(200_000));
        assert_eq!(reader.expired_and_kept(at(0), long).unwrap(), Some(1));
    });
}

/// Django cannot have written it, so it is neither live nor purged.
#[test]
fn mysql_leaves_what_is_no_time() {
    each_with("zero", "", |world| {
        world.execute("SET sql_mode = ''; INSERT INTO django_session VALUES ('zero', 'x', '0000-00-00'), ('part', 'x', '2020-00-07')");
        let subject = on(world, store(world));
        subject.add("late", "", 3);
        assert_eq!(subject.keys(&Filter::default()), ["late", "part", "zero"]);
        let live = Filter { live_at: Some(at(0)), ..Filter::default() };
        assert!(!subject.keys(&live).contains(&"zero".to_owned()));
        let patience = Duration::from_secs(60);
        let counted = subject.store.reader().unwrap().expired(at(5), None, patience).unwrap();
        assert_eq!(counted.rows, Some(1));
        let mut writer = subject.store.writer(consent()).unwrap();
        let picked = writer.pick_expired(at(5), None, 10).unwrap();
        assert_eq!(batch(&picked.rows), ["late"]);
    });
}

/// A connection that was killed while it sends rows is an error, and never the end of the table.
#[test]
fn mysql_that_cuts_a_scan_short_fails_it() {
    each_with("cut", "", |world| {
        let subject = on(world, store(world));
        let data = "x".repeat(10_000);
        for chunk in 0..10 {
            let keys: Vec<String> = (0..500).map(|n| format!("k{chunk}{n:05}")).collect();
            (subject.add)(&keys.iter().map(|key| (&**key, &*data, 0)).collect::<Vec<_>>());
        }
        // From a thread of its own, since the scan's runs the driver.
        let kill = |url: String| {
            let mut other = MySqlClient::connect(&url);
            let sql = "SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
            let ids = other.column(sql);
            assert!(!ids.is_empty());
            for id in ids {
                other.execute(&format!("KILL {id}"));
            }
        };
        let mut pages = 0;
        let scanned = subject.store.reader().unwrap().scan(&Filter::default(), &mut |_| {
            pages += 1;
            if pages == 1 {
                let url = world.url();
                std::thread::spawn(move || kill(url)).join().unwrap();
            }
            ControlFlow::Continue(Page::default())
        });
        let error = scanned.unwrap_err();
        assert_eq!(error.fault(), Fault::Lost, "{error:?} {pages}");
    });
}

#[test]
fn mysql_keeps_what_other_tables_refer_to_and_names_them() {
    each_with("kept", "", |world| {
        let subject = on(world, store(world));
        (subject.add)(&[("a", "", 1), ("b", "", 2), ("c", "", 3)]);
        world.execute(
        "CREATE TABLE carts (id int PRIMARY KEY, session_id varchar(40) NOT NULL,
             CONSTRAINT of_session FOREIGN KEY (session_id) REFERENCES django_session (session_key));
         INSERT INTO carts VALUES (1, 'b')",
    );
        let mut reader = subject.store.reader().unwrap();
        let found = reader.references().unwrap();
        assert_eq!((found.len(), &*found[0].table, found[0].hinders()), (1, "carts", true));
        assert_eq!(reader.referenced(&["a", "b"]).unwrap().rows, ["b".to_owned()].into());
        let mut writer = subject.store.writer(consent()).unwrap();
        let gone = writer.delete(&["a", "b", "c"]).unwrap();
        assert_eq!((gone.sessions, gone.kept.rows), (2, ["b".to_owned()].into()));
        assert_eq!(gone.kept.by, ["carts".to_owned()].into());
        let error = writer.truncate().unwrap_err();
        assert!(error.next_step().unwrap().contains("another table refers"), "{error:?}");
        // One that was not there when the foreign keys were read.
        (subject.add)(&[("d", "", 1), ("e", "", 2)]);
        world.execute(
        "CREATE TABLE late (session_id varchar(40), FOREIGN KEY (session_id) REFERENCES django_session (session_key));
         INSERT INTO late VALUES ('e')",
    );
        let gone = writer.delete(&["d", "e"]).unwrap();
        assert_eq!((gone.sessions, gone.kept.by), (1, ["late".to_owned()].into()));
    });
}

#[test]
fn mysql_tells_foreign_keys_apart_and_takes_the_columns_of_one_together() {
    each_with("foreign_keys", "", |world| {
        let subject = on(world, store(world));
        let mut site = MySqlClient::connect(&world.url());
        site.execute(
            "ALTER TABLE django_session ADD site int NOT NULL DEFAULT 1;
             ALTER TABLE django_session ADD UNIQUE of_site (session_key, site);
             CREATE TABLE baskets (session varchar(40), site int,
                 CONSTRAINT of_basket FOREIGN KEY (session, site) REFERENCES django_session (session_key, site));
             CREATE TABLE marks (loses varchar(40), keeps varchar(40),
                 CONSTRAINT mark_1 FOREIGN KEY (loses) REFERENCES django_session (session_key) ON DELETE SET NULL,
                 CONSTRAINT mark_2 FOREIGN KEY (keeps) REFERENCES django_session (session_key))",
        );
        (subject.add)(&[("a", "", 1), ("b", "", 2), ("c", "", 3), ("d", "", 4)]);
        // A key with a NULL in it refers to nothing.
        site.execute(
            "INSERT INTO baskets VALUES ('a', 1), ('b', NULL); INSERT INTO marks VALUES ('b', 'c')",
        );
        let mut reader = subject.store.reader().unwrap();
        let found = reader.references().unwrap();
        let found: Vec<_> =
            found.iter().map(|one| (&*one.table, one.columns.join(" "), one.hinders())).collect();
        let marks = |column: &str, hinders| ("marks", column.to_owned(), hinders);
        let baskets = ("baskets", "session site".to_owned(), true);
        assert_eq!(found, [baskets, marks("loses", false), marks("keeps", true)]);
        let kept = ["a".to_owned(), "c".to_owned()].into();
        assert_eq!(reader.referenced(&["a", "b", "c", "d"]).unwrap().rows, kept);
        let mut writer = subject.store.writer(consent()).unwrap();
        let gone = writer.delete(&["a", "b", "c", "d"]).unwrap();
        assert_eq!((gone.sessions, gone.kept.rows), (2, kept));
        assert_eq!(writer.delete(&["a"]).unwrap().kept.by, ["baskets".to_owned()].into());
        assert_eq!(writer.delete(&["c"]).unwrap().kept.by, ["marks".to_owned()].into());
    });
}

#[test]
fn mysql_gives_up_soon_to_empty_a_table_that_somebody_uses() {
    let _little = MEMORY.read();
    each_with("emptied", "", |world| {
        let subject = on(world, store(world));
        (subject.add)(&[("a", "", 1)]);
        let mut other = MySqlClient::connect(&world.url());
        other.execute("START TRANSACTION; SELECT * FROM django_session");
        let mut writer = subject.store.writer(consent()).unwrap();
        let began = Instant::now();
        let error = writer.truncate().unwrap_err();
        // Whoever comes meanwhile queues behind it.
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert_eq!(error.fault(), Fault::Busy, "{error:?}");
        assert!(error.next_step().unwrap().contains("SHOW PROCESSLIST"), "{error:?}");
        other.execute("ROLLBACK");
        assert_eq!(writer.count(&["a"]).unwrap(), 1);
        writer.truncate().unwrap();
        assert_eq!(writer.count(&["a"]).unwrap(), 0);
    });
}

#[test]
fn mysql_lets_one_purge_in_at_a_time() {
    let both = |make: fn(&str) -> World| (make("conf_one_purge"), make("conf_another_purge"));
    for (one, other) in [both(World::mysql), both(World::oracle)] {
        let (first, again) = (store(&one), store(&one));
        let mut lock = first.purge_lock();
        for _ in 0..2 {
            assert_eq!(lock.try_acquire().unwrap(), LockAttempt::Acquired);
        }
        let mut second = again.purge_lock();
        assert_eq!(second.try_acquire().unwrap(), LockAttempt::Held(Holder::Sessctl));
        let other = store(&other);
        assert_eq!(other.purge_lock().try_acquire().unwrap(), LockAttempt::Acquired);
        drop(lock);
        assert_eq!(second.try_acquire().unwrap(), LockAttempt::Acquired);
    }
}

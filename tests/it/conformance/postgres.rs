//! What addresses of rows promise on PostgreSQL.

use sessctl::store::Fault;

use super::expiry::come_to_an_end;
use super::*;
use crate::table_kinds::partitioned;

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

#[test]
fn postgres_windows_of_a_table_in_parts_come_to_an_end_although_all_stay() {
    let world = partitioned("conf_parts_stay");
    come_to_an_end(&on(&world, store(&world)));
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
fn postgres_leaves_locked_rows_or_waits_for_them() {
    let world = World::postgres("conf_locked");
    let subject = on(&world, store(&world));
    let keys: Vec<String> = (0..50).map(|n| format!("k{n:05}")).collect();
    (subject.add)(&keys.iter().map(|key| (&**key, "", 0)).collect::<Vec<_>>());
    let mut other = world.client();
    let lock = "BEGIN; SELECT FROM django_session WHERE session_key = 'k00007' FOR UPDATE";
    other.batch_execute(lock).unwrap();
    let mut writer = subject.store.writer(consent()).unwrap();
    let picked = writer.pick_expired(at(9), None, 100).unwrap();
    let mut delete = |locked| writer.delete_expired(&batch(&picked.rows), at(9), locked);
    assert_eq!(delete(Locked::Skip).unwrap(), Gone::of(49));
    assert_eq!(delete(Locked::Wait).unwrap_err().fault(), Fault::Busy);
    assert_eq!(delete(Locked::Skip).unwrap(), Gone::default());
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(delete(Locked::Wait).unwrap(), Gone::of(1));
}

//! What a SQLite file's other users are left: how long a batch may take, and how long nobody works after it.

use std::time::Duration;

use sessctl::consent::{Ask, Consent};
use sessctl::store::{Sqlite, Store, Table, WallClock};

use crate::world::World;

#[test]
fn where_others_write_batches_are_short_and_rests_are_long() {
    for journal in ["delete", "wal"] {
        let w = World::sqlite(&format!("rests_{journal}"));
        w.execute(&format!("PRAGMA journal_mode = {journal}"));
        w.live(20);
        let keys = w.session_keys();
        let clock = WallClock::in_zone("UTC").unwrap();
        let store = Sqlite::new(w.url().into(), Table::default(), clock);
        let mut writer = store.writer(Consent::from_ask(Ask::Explicit).unwrap()).unwrap();
        let mut budgets = keys.iter().map(|key| {
            writer.delete(&[key]).unwrap();
            writer.batch_budget()
        });
        // What it commits itself is not somebody else's.
        for _ in 0..4 {
            let alone = budgets.next().unwrap();
            assert!(alone.batch >= Duration::from_millis(50), "{journal}: {alone:?}");
        }
        w.execute("UPDATE django_session SET session_data = 'y' WHERE session_key LIKE 'live-9%'");
        // For a while, since whoever writes writes again.
        for _ in 0..3 {
            let beside = budgets.next().unwrap();
            assert!(beside.batch <= Duration::from_millis(10), "{journal}: {beside:?}");
            assert!(beside.rest >= Duration::from_millis(50), "{journal}: {beside:?}");
        }
        drop(budgets);
        std::thread::sleep(Duration::from_millis(2_100));
        writer.delete(&[&keys[19]]).unwrap();
        let again = writer.batch_budget();
        assert!(again.batch >= Duration::from_millis(50), "{journal}: {again:?}");
    }
}

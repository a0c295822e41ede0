//! What stores promise, on every store: the fake in memory, the CSV file of `examples/csv_store.rs`, which can scan and
//! delete and nothing else, SQLite in both journal modes, PostgreSQL, MariaDB, MySQL. Each capability has a part of its own, for the
//! stores that have it.

mod capabilities;
/// The example, of which the store alone is used here.
#[allow(dead_code, reason = "its main() is the program's")]
#[path = "../../../examples/csv_store.rs"]
pub(crate) mod csv_store;
mod every_store;
mod expiry;
mod mysql;
mod postgres;
mod referring;
mod rewrite;
mod sqlite;
mod truncate;
mod user_column;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::RwLock;

use sessctl::consent::{Ask, Consent};
use sessctl::model::{Data, Expiry, Keys, MOST_DATA_BYTES, Page, Timestamp};
use sessctl::store::{
    Assignment, BACKENDS, ByUser, Capability, ColumnCondition, Cursor, Expired, Filter, Gone,
    Locked, Opening, Postgres, ReferringColumn, Replacement, Sqlite, Store, Surroundings, Table,
    Terms, UserColumn, UserType, Waits, WallClock, Was,
};

use self::csv_store::CsvFile;
use crate::memory::Memory;
use crate::world::World;

/// Written to by tests that take hundreds of megabytes, and read by those in which a client for MySQL waits: it gives up
/// where its process, which is that of all tests here, grows by 256 MB meanwhile.
static MEMORY: RwLock<()> = RwLock::new(());

/// A store, and a way to add rows to it.
struct Subject<'a> {
    store: Box<dyn Store>,
    /// The same with a table whose rows go with their sessions: that of django-allauth.
    with_referring: Box<dyn Store>,
    add: Box<AddRows<'a>>,
    /// Has that table have rows for these sessions, and no others.
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

/// Runs a test on the stores that have this capability.
fn each_that_can(capability: Capability, name: &str, test: impl Fn(&Subject<'_>)) {
    let able = Cell::new(0);
    each(name, |subject| {
        if subject.store.traits().can(capability) {
            able.set(able.get() + 1);
            test(subject);
        }
    });
    assert!(able.get() >= 4, "on {} stores only: {capability:?}", able.get());
}

fn each(name: &str, test: impl Fn(&Subject<'_>)) {
    memory(&test);
    csv(name, &test);
    for (journal, option) in [("wal", ""), ("delete", ""), ("wal", "WITHOUT ROWID")] {
        let world = World::sqlite(&format!("conf_{name}_{journal}{}", option.len()));
        world.execute(&format!("PRAGMA journal_mode = {journal}"));
        world.renew_with(option);
        test(&on(&world, store(&world)));
    }
    let world = World::postgres(&format!("conf_{name}"));
    test(&on(&world, store(&world)));
    World::each_mysql(&format!("conf_{name}"), |world| {
        // As the other databases are: some tests have keys that only a letter's case tells apart.
        world.renew_with("COLLATE utf8mb4_bin");
        test(&on(world, store(world)));
    });
}

fn mysql(world: &World, referring: Vec<ReferringColumn>) -> Box<dyn Store> {
    let url = world.url();
    let (_, rest) = url.split_once("://").unwrap();
    let backend = BACKENDS.iter().find(|backend| backend.schemes().contains(&"mysql")).unwrap();
    let source = backend.read_url(rest, &Surroundings::default()).unwrap();
    source.open(Opening {
        table: Table::default(),
        referring,
        clock: WallClock::in_zone("UTC").unwrap(),
        waits: Waits::default(),
        terms: Terms::default(),
    })
}

fn memory(test: &impl Fn(&Subject<'_>)) {
    let shared: &'static Memory = Box::leak(Box::default());
    test(&Subject {
        store: Box::new(shared),
        with_referring: Box::new(shared),
        add: Box::new(|rows| {
            for (key, data, seconds) in rows {
                let at = Timestamp::from_seconds(THEN + seconds).unwrap();
                shared.insert(key, data, Expiry::At(at));
            }
        }),
        list: Box::new(|keys| shared.list(keys)),
        renew: Box::new(|key, seconds| {
            let at = Timestamp::from_seconds(THEN + seconds).unwrap();
            shared.insert(key, "", Expiry::At(at));
        }),
        listed: Box::new(|| shared.listed()),
    });
}

fn csv(name: &str, test: &impl Fn(&Subject<'_>)) {
    let path = std::env::temp_dir().join(format!("sessctl-conf-{name}-{}.csv", std::process::id()));
    let file = &CsvFile(path);
    file.write(&[]).unwrap();
    test(&Subject {
        store: Box::new(file.clone()),
        with_referring: Box::new(file.clone()),
        add: Box::new(|rows| {
            let mut records = file.records().unwrap();
            let record = |(key, data, seconds): &RowToAdd<'_>| {
                let at = Timestamp::from_seconds(THEN + seconds).unwrap();
                [(*key).to_owned(), (*data).to_owned(), at.to_string()]
            };
            records.extend(rows.iter().map(record));
            file.write(&records).unwrap();
        }),
        list: Box::new(|_| panic!("it knows no other table")),
        renew: Box::new(|_, _| panic!("it finds no rows by their expiry")),
        listed: Box::new(|| panic!("it knows no other table")),
    });
    std::fs::remove_file(&file.0).unwrap();
}

/// The store that a world has.
pub(crate) fn store(world: &World) -> Box<dyn Store> {
    store_with(world, &[])
}

/// The same with columns of other tables whose rows go with their sessions.
fn store_with(world: &World, referring: &[&str]) -> Box<dyn Store> {
    let referring = referring.iter().map(|column| column.parse().unwrap()).collect();
    if world.is_sqlite() {
        let clock = WallClock::in_zone("UTC").unwrap();
        let store = Sqlite::new(world.url().into(), Table::default(), clock);
        Box::new(store.with_referring(referring))
    } else if world.is_mysql() {
        mysql(world, referring)
    } else {
        Box::new(Postgres::new(world.conninfo(), Table::default()).with_referring(referring))
    }
}

/// So many seconds after `THEN`, as Django stores it.
fn shown(world: &World, seconds: i64) -> String {
    let zone = if world.is_sqlite() || world.is_mysql() { "" } else { "+00" };
    let at = jiff::Timestamp::from_second(THEN + seconds).unwrap();
    format!("{}{zone}", at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S"))
}

fn on(world: &World, store: Box<dyn Store>) -> Subject<'_> {
    Subject {
        store,
        with_referring: store_with(world, &["usersessions_usersession.session_key"]),
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

/// A cutoff: so many seconds after `THEN`.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(THEN + seconds).unwrap()
}

fn batch(keys: &Keys) -> Vec<&str> {
    keys.iter().collect()
}

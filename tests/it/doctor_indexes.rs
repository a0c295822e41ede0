//! `doctor` on indexes: the SQL that it prints must succeed on the very table for which it prints it.

use crate::doctor::DOCTOR;
use crate::server::Server;
use crate::table_kinds::{partitioned, reach};
use crate::world::{Ran, SECRET_KEY, World, login, signed};

const LONG: &str = "sessions_of_the_customers_of_the_shop_in_the_north_of_the_land2";
const COLUMNS: &str =
    "session_key varchar(40) NOT NULL, session_data text NOT NULL, expire_date TIME NOT NULL";

/// A table without an index.
fn bare(w: &World, name: &str, more: &str) {
    let time = if w.is_sqlite() { "datetime" } else { "timestamptz" };
    let columns = COLUMNS.replace("TIME", time);
    w.execute(&format!("CREATE TABLE {name} ({columns}) {more}"));
}

fn row(w: &World, table: &str, key: &str, expires: &str) {
    let data = signed(&login("42"), SECRET_KEY);
    w.execute(&format!("INSERT INTO {table} VALUES ('{key}', '{data}', '{expires}')"));
}

fn doctor(w: &World, table: &str) -> Ran {
    w.run(&[&DOCTOR[..], &["--table", table]].concat())
}

fn next_step(ran: &Ran) -> String {
    ran.finding("indexes")["next_step"].as_str().unwrap().to_owned()
}

/// Runs what is printed until all is well; returns it.
fn follow(w: &World, table: &str) -> Vec<String> {
    let mut followed = Vec::new();
    while doctor(w, table).finding("indexes")["status"] != "ok" {
        assert!(followed.len() < 4, "{followed:#?}");
        let next = next_step(&doctor(w, table));
        let sql = next.split_once(", which leaves").map_or(&*next, |(sql, _)| sql);
        w.execute(sql);
        followed.push(sql.to_owned());
    }
    followed
}

#[test]
fn several_rows_with_the_same_key_are_told_before_an_index_that_would_fail() {
    World::each("doctor_doubles", |w| {
        w.execute("DROP TABLE django_session");
        bare(w, "django_session", "");
        let key = "abcdefgh0000111122223333";
        for (key, day) in [(key, 1), (key, 3), (key, 2), ("once", 1), ("tie", 5), ("tie", 5)] {
            row(w, "django_session", key, &format!("2099-01-0{day} 00:00:00+00"));
        }
        let ran = doctor(w, "django_session").exits(5);
        let ran =
            ran.finds("indexes", "problem", &["several rows have the same key", "abcdefgh..."]);
        let next = next_step(&ran);
        assert!(!next.contains("CREATE") && next.contains("that expires last"), "{next}");
        assert!(!ran.stdout.contains("abcdefgh0"), "{ran:#?}");
        if w.is_mysql() {
            // No statement tells rows apart that are alike in all.
            assert!(next.contains("all but"), "{next}");
            w.execute("DELETE FROM django_session WHERE session_key = 'tie' LIMIT 1");
        }
        let followed = follow(w, "django_session");
        assert_eq!(followed.len(), 3, "{followed:#?}");
        assert_eq!(w.count(), 3);
        let last = "CAST(expire_date AS char(30)) LIKE '2099-01-03%'";
        w.execute(&format!("DELETE FROM django_session WHERE session_key = '{key}' AND {last}"));
        assert_eq!(w.count(), 2);
    });
}

#[test]
fn an_index_gets_a_name_that_nothing_has() {
    // An index of MariaDB belongs to its table: its name is free.
    World::each_but_mysql("doctor_index_names", |w| {
        bare(w, LONG, "");
        row(w, LONG, "one", "2099-01-01 00:00:00+00");
        assert_eq!(follow(w, LONG).len(), 2);
        // Another table whose name begins the same, and one of the name that an index would have.
        let other = LONG.replace("land2", "land3");
        bare(w, &other, "");
        assert_eq!(follow(w, &other).len(), 2);
        bare(w, "short", "");
        w.execute("CREATE TABLE short_session_key_sessctl (id integer)");
        let followed = follow(w, "short");
        assert!(followed[0].contains("\"short_session_key_sessctl2\""), "{followed:#?}");
    });
}

#[test]
fn an_index_that_is_not_unique_is_told_from_none() {
    World::each("doctor_not_unique", |w| {
        bare(w, "plain", "");
        doctor(w, "plain").finds("indexes", "problem", &["reads the whole table"]);
        w.execute("CREATE INDEX by_key ON plain (session_key)");
        doctor(w, "plain").finds("indexes", "problem", &["two rows may have the same key"]);
        w.execute("CREATE VIEW looks AS SELECT * FROM plain");
        doctor(w, "looks").finds("indexes", "unknown", &["a view"]);
    });
}

#[test]
fn a_table_of_sqlite_without_row_ids() {
    let w = World::sqlite("doctor_without_rowid");
    w.execute(
        "CREATE TABLE odd (session_key varchar(40) NOT NULL, session_data text NOT NULL, expire_date datetime NOT NULL,
                           PRIMARY KEY (session_key, expire_date)) WITHOUT ROWID",
    );
    row(&w, "odd", "twice", "2099-01-01 00:00:00");
    row(&w, "odd", "twice", "2099-01-02 00:00:00");
    let ran = doctor(&w, "odd").finds("indexes", "problem", &["same key", "delete of the rows"]);
    assert!(!next_step(&ran).contains("DELETE"), "{ran:#?}");
}

#[test]
fn what_a_failed_create_leaves_is_not_in_the_way_of_the_next() {
    let w = World::postgres("doctor_failed_index");
    bare(&w, "plain", "");
    row(&w, "plain", "twice", "2099-01-01 00:00:00+00");
    row(&w, "plain", "twice", "2099-01-02 00:00:00+00");
    let failed =
        "CREATE UNIQUE INDEX CONCURRENTLY plain_session_key_sessctl ON plain (session_key)";
    w.client().batch_execute(failed).unwrap_err();
    w.execute("DELETE FROM plain WHERE expire_date < '2099-01-02'");
    let ran = doctor(&w, "plain").finds("indexes", "problem", &["INVALID"]);
    w.execute(&next_step(&ran));
    doctor(&w, "plain").finds("indexes", "warning", &["expire_date has none"]);
}

#[test]
fn a_partitioned_table_gets_an_index_that_it_can_have() {
    let w = World::postgres("doctor_partitions");
    w.execute("DROP TABLE django_session");
    // Two levels, each by a column of its own.
    let more = "PARTITION BY RANGE (expire_date)";
    bare(&w, "django_session", more);
    w.execute(
        "CREATE TABLE old PARTITION OF django_session FOR VALUES FROM (MINVALUE) TO ('2020-01-10');
         CREATE TABLE rest PARTITION OF django_session DEFAULT PARTITION BY LIST (session_data);
         CREATE TABLE leaf PARTITION OF rest DEFAULT",
    );
    for key in ["twice", "twice", "once"] {
        row(&w, "django_session", key, "2099-01-01 00:00:00+00");
    }
    row(&w, "django_session", "twice", "2099-01-02 00:00:00+00");
    let ran = doctor(&w, "django_session").exits(5);
    ran.finds("indexes", "problem", &["several rows have the same key", "tw..."]);
    let followed = follow(&w, "django_session");
    assert_eq!(followed.len(), 3, "{followed:#?}");
    assert!(!followed[1].contains("CONCURRENTLY"), "{followed:#?}");
    assert!(
        followed[1].contains("(session_key, \"expire_date\", \"session_data\")"),
        "{followed:#?}"
    );
    assert_eq!(w.count(), 3);
    doctor(&w, "django_session").ok().finds(
        "indexes",
        "ok",
        &["session_key is unique with expire_date, session_data, by which the table is partitioned"],
    );
    // By a hash of the key nothing more is needed.
    let w = partitioned("doctor_partitions_hash");
    w.execute("ALTER TABLE django_session DROP CONSTRAINT django_session_pkey");
    let ran = doctor(&w, "django_session").finds("indexes", "problem", &["keeps every writer out"]);
    assert!(next_step(&ran).ends_with("(session_key)"), "{ran:#?}");
    w.execute(&next_step(&ran));
    doctor(&w, "django_session").finds("indexes", "ok", &["session_key is unique, "]);
}

#[test]
fn a_key_that_begins_with_what_a_table_is_partitioned_by_finds_no_session() {
    let w = World::postgres("doctor_partition_order");
    bare(&w, "plain", "PARTITION BY RANGE (expire_date)");
    w.execute("CREATE TABLE leaf PARTITION OF plain DEFAULT; ALTER TABLE plain ADD PRIMARY KEY (expire_date, session_key)");
    row(&w, "plain", "one", "2099-01-01 00:00:00+00");
    doctor(&w, "plain").finds("indexes", "problem", &["reads the whole table"]);
    assert_eq!(follow(&w, "plain").len(), 1);
}

#[test]
fn a_table_that_can_have_no_unique_index() {
    let w = World::postgres("doctor_no_unique");
    bare(&w, "plain", "PARTITION BY LIST (lower(session_key))");
    w.execute("CREATE TABLE leaf PARTITION OF plain DEFAULT");
    let ran = doctor(&w, "plain").finds("indexes", "warning", &["no unique one", "an expression"]);
    w.execute(&next_step(&ran));
    doctor(&w, "plain").finds("indexes", "warning", &["never writes two rows"]);
    let server = Server::new();
    let remote = World::on(&server, "remote");
    reach(&w, &server, &remote);
    bare(&w, "django_session", "PARTITION BY HASH (session_key)");
    w.execute(
        "CREATE TABLE near PARTITION OF django_session FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE FOREIGN TABLE far PARTITION OF django_session FOR VALUES WITH (MODULUS 2, REMAINDER 1)
             SERVER remote OPTIONS (table_name 'django_session')",
    );
    let ran = doctor(&w, "django_session").finds("indexes", "warning", &["on another server"]);
    w.execute(&next_step(&ran));
}

#[test]
fn where_doubles_cannot_be_looked_for_it_is_said() {
    let w = World::postgres("doctor_doubles_unknown");
    bare(&w, "plain", "");
    let role = crate::role::Role::new(&w, "doctor_doubles_unknown");
    let ran = role.run(&[&DOCTOR[..], &["--table", "plain"]].concat());
    let ran =
        ran.finds("indexes", "problem", &["may not read the table", "must say 0; then CREATE"]);
    let next = next_step(&ran);
    let (query, create) = next.split_once(" must say 0; then ").unwrap();
    let doubles: i64 = w.client().query_one(query, &[]).unwrap().get(0);
    assert_eq!(doubles, 0);
    w.execute(create);
}

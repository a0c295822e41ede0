//! What a store can tell of what changed since an earlier moment: the second scan of a logout reads no more than that.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use postgres::{Client, NoTls};
use sessctl::consent::{Ask, Consent};
use sessctl::model::{Keys, Page};
use sessctl::store::{Conninfo, Filter, Mark, Postgres, Since, Store, Surroundings, Table, Writer};

use crate::conformance::store;
use crate::role::Role;
use crate::running::eventually;
use crate::server::{Server, Stop};
use crate::support::{postgres_url, postgres_version};
use crate::world::World;

fn consent() -> Consent {
    Consent::from_ask(Ask::Explicit).unwrap()
}

fn marked(writer: &mut dyn Writer) -> Mark {
    writer.mark().unwrap().expect("it can tell")
}

/// The keys that a scan reads, and whether the store could tell what changed.
fn scanned(store: &dyn Store, mark: &Mark, only_changes: bool) -> (BTreeSet<String>, bool) {
    scanned_with(store, mark, only_changes, &[])
}

/// The same; rows with these keys are read too.
fn scanned_with(
    store: &dyn Store,
    mark: &Mark,
    only_changes: bool,
    named: &[&str],
) -> (BTreeSet<String>, bool) {
    let mut also = Keys::default();
    for key in named {
        also.push(key);
    }
    let since = Some(Since { mark: mark.clone(), only_changes, also: Arc::new(also) });
    let mut reader = store.reader().unwrap();
    let mut keys = BTreeSet::new();
    let emit = &mut |page: Page| {
        keys.extend(page.rows().map(|row| row.key.to_owned()));
        ControlFlow::Continue(Page::default())
    };
    reader.scan(&Filter { since, ..Filter::default() }, emit).unwrap();
    (keys, reader.could_tell())
}

fn changed(store: &dyn Store, mark: &Mark) -> BTreeSet<String> {
    let (keys, could_tell) = scanned(store, mark, true);
    assert!(could_tell, "it cannot tell any more");
    keys
}

/// Whether the server is PostgreSQL 11, on which no table gives a mark: each scan reads every row.
fn cannot_tell() -> bool {
    postgres_version(&mut Client::connect(&postgres_url(), NoTls).unwrap()) < 12
}

#[test]
fn on_postgresql_11_no_table_gives_a_mark() {
    let w = server_with_old_row("changes_11");
    let mark = store(&w).writer(consent()).unwrap().mark().unwrap();
    assert_eq!(mark.is_none(), cannot_tell());
}

fn keys<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}

fn insert(key: &str) -> String {
    format!("INSERT INTO django_session VALUES ('{key}', '', '2040-01-01 00:00:00+00')")
}

fn server_with_old_row(name: &str) -> World {
    let world = World::postgres(name);
    world.execute(&insert("old"));
    world
}

#[test]
fn on_postgresql_a_scan_of_changes_sees_what_an_earlier_scan_did_not() {
    if cannot_tell() {
        return;
    }
    let mut server = Server::new();
    server.set(&["max_prepared_transactions=5"]);
    let w = World::on(&server, "changes_pg");
    w.execute(&insert("old"));
    w.execute(&insert("updated"));
    w.execute(&insert("deleted"));
    let store = store(&w);
    // Each began before, and commits or aborts at another time.
    let mut sessions: Vec<Client> = (0..6).map(|_| w.client()).collect();
    let [commits, aborts, nested, prepares, runs_on, ends_before] = &mut sessions[..] else {
        unreachable!()
    };
    for session in [&mut *commits, aborts, nested, prepares, runs_on, ends_before] {
        session.batch_execute("BEGIN").unwrap();
    }
    commits.batch_execute(&insert("running")).unwrap();
    aborts.batch_execute(&insert("aborted")).unwrap();
    nested.batch_execute(&format!("SAVEPOINT a; {}", insert("nested"))).unwrap();
    prepares
        .batch_execute(&format!("{}; PREPARE TRANSACTION 'changes'", insert("prepared")))
        .unwrap();
    runs_on.batch_execute(&insert("uncommitted")).unwrap();
    ends_before.batch_execute(&format!("{}; COMMIT", insert("just before"))).unwrap();

    let mark = marked(&mut *store.writer(consent()).unwrap());
    let (first, could_tell) = scanned(&*store, &mark, false);
    assert!(could_tell);
    assert_eq!(first, keys(["deleted", "just before", "old", "updated"]));

    w.execute(&insert("later"));
    w.execute("UPDATE django_session SET session_data = 'x' WHERE session_key = 'updated'");
    w.execute("DELETE FROM django_session WHERE session_key = 'deleted'");
    commits.batch_execute("COMMIT").unwrap();
    aborts.batch_execute("ROLLBACK").unwrap();
    nested
        .batch_execute(&format!(
            "RELEASE a; SAVEPOINT b; {}; ROLLBACK TO b; SAVEPOINT c; {}; COMMIT",
            insert("rolled back"),
            insert("nested later")
        ))
        .unwrap();
    w.execute("COMMIT PREPARED 'changes'");
    let all = keys(["later", "nested", "nested later", "prepared", "running", "updated"]);
    // What an open transaction or the earlier scan itself saw may be read once more; it must not be missed.
    let read = changed(&*store, &mark);
    assert!(read.is_superset(&all), "{read:?}");
    assert!(!read.contains("old") && !read.contains("deleted"), "{read:?}");

    runs_on.batch_execute("COMMIT").unwrap();
    w.execute("VACUUM FREEZE django_session");
    let read = changed(&*store, &mark);
    assert!(read.is_superset(&all) && read.contains("uncommitted"), "{read:?}");
    assert!(!read.contains("old"), "{read:?}");
}

/// Whatever their keys are, and whether or not the server can find them by an index.
#[test]
fn on_postgresql_a_scan_of_changes_sees_rows_that_are_named() {
    if cannot_tell() {
        return;
    }
    let w = server_with_old_row("changes_pg_named");
    let odd = ["", "a,b", "{\"x\"}", "'quoted' \\ $1", "NULL", "é"];
    for key in odd {
        w.execute(&format!(
            "INSERT INTO django_session VALUES ($k${key}$k$, '', '2040-01-01 00:00:00+00')"
        ));
    }
    let store = store(&w);
    let mark = marked(&mut *store.writer(consent()).unwrap());
    assert_eq!(changed(&*store, &mark), keys([]));
    assert_eq!(scanned_with(&*store, &mark, true, &odd), (keys(odd), true));
    if postgres_version(&mut w.client()) < 13 {
        // It does not let a session damage its index.
        return;
    }
    w.execute(
        "SET allow_system_table_mods = on; UPDATE pg_index SET indisready = false WHERE indrelid = 'django_session'::regclass;
         UPDATE django_session SET session_key = 'unseen ' || session_key WHERE session_key = 'old';
         UPDATE pg_index SET indisready = true WHERE indrelid = 'django_session'::regclass",
    );
    let mark = marked(&mut *store.writer(consent()).unwrap());
    let named = ["old", "unseen old", "absent"];
    assert_eq!(scanned_with(&*store, &mark, true, &named), (keys(["unseen old"]), true));
    assert_eq!(changed(&*store, &mark), keys([]), "names do not outlive a scan");
}

/// The server counts what a rule deletes instead.
#[test]
fn on_postgresql_sessions_that_a_rule_keeps_remain() {
    let w = World::postgres("changes_pg_rule");
    w.user("42", 3).user("7", 2);
    w.execute(
        "CREATE TABLE mirror AS SELECT * FROM django_session;
         CREATE RULE elsewhere AS ON DELETE TO django_session DO INSTEAD
             DELETE FROM mirror WHERE session_key = OLD.session_key RETURNING mirror.*",
    );
    let ran = w.run(&["logout-user", "42", "--engine", "db", "--format", "json"]).exits(3);
    assert_eq!((&ran.json()["remaining"], w.count()), (&3.into(), 5), "{ran:#?}");
}

/// Many transactions later the rows of before are still told apart.
#[test]
fn on_postgresql_numbers_of_transactions_may_run_on() {
    if cannot_tell() {
        return;
    }
    let w = server_with_old_row("changes_pg_many");
    let store = store(&w);
    let mark = marked(&mut *store.writer(consent()).unwrap());
    w.execute("DO $$ BEGIN FOR n IN 1..3000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$");
    assert_eq!(changed(&*store, &mark), keys([]));
    w.execute(&insert("new"));
    assert_eq!(changed(&*store, &mark), keys(["new"]));
}

/// After each of these, rows do not tell: all are read, and the store says so.
#[test]
fn on_postgresql_where_rows_cannot_tell_all_are_read() {
    if cannot_tell() {
        return;
    }
    let undone: [(&str, &str); 7] = [
        ("VACUUM FULL django_session", ""),
        ("CLUSTER django_session USING django_session_pkey", ""),
        (
            "ALTER TABLE django_session ALTER COLUMN session_data TYPE text USING session_data || ''",
            "",
        ),
        (
            "TRUNCATE django_session",
            "INSERT INTO django_session VALUES ('old', '', '2040-01-01 00:00:00+00')",
        ),
        (
            "ALTER TABLE django_session RENAME TO elsewhere; ALTER TABLE elsewhere RENAME TO django_session",
            "VACUUM FULL django_session",
        ),
        (
            "ALTER TABLE django_session RENAME session_data TO before",
            "ALTER TABLE django_session ADD session_data text NOT NULL DEFAULT 'other'",
        ),
        ("CREATE TABLE changes_child () INHERITS (django_session)", ""),
    ];
    let w = server_with_old_row("changes_pg_undone");
    for (change, then) in undone {
        let store = store(&w);
        let mark = marked(&mut *store.writer(consent()).unwrap());
        assert!(scanned(&*store, &mark, false).1, "{change}");
        w.execute(change);
        if !then.is_empty() {
            w.execute(then);
        }
        assert_eq!(scanned(&*store, &mark, true), (keys(["old"]), false), "{change}");
    }
}

#[test]
fn on_postgresql_other_kinds_of_tables_give_no_mark() {
    let w = server_with_old_row("changes_pg_kinds");
    w.execute(
        "ALTER TABLE django_session RENAME TO part;
         CREATE TABLE django_session (LIKE part) PARTITION BY LIST (session_key);
         ALTER TABLE django_session ATTACH PARTITION part DEFAULT",
    );
    assert!(store(&w).writer(consent()).unwrap().mark().unwrap().is_none(), "partitioned");
    let w = server_with_old_row("changes_pg_child");
    w.execute("CREATE TABLE changes_child () INHERITS (django_session)");
    assert!(store(&w).writer(consent()).unwrap().mark().unwrap().is_none(), "inherited");
}

/// After a crash, numbers of transactions may be given again: so no mark outlives the process that made it.
#[test]
fn on_postgresql_no_mark_outlives_a_restart() {
    if cannot_tell() {
        return;
    }
    for how in [Stop::Fast, Stop::Immediate] {
        let mut server = Server::new();
        let w = World::on(&server, "changes_restart");
        w.execute(&insert("old"));
        let store = store(&w);
        let mark = marked(&mut *store.writer(consent()).unwrap());
        assert!(scanned(&*store, &mark, false).1);
        server.stop(how);
        server.start();
        assert_eq!(scanned(&*store, &mark, true), (keys(["old"]), false));
    }
}

/// The process that made the mark is gone, without a restart.
#[test]
fn on_postgresql_no_mark_outlives_its_process() {
    if cannot_tell() {
        return;
    }
    let w = server_with_old_row("changes_killed");
    let store = store(&w);
    let mark = marked(&mut *store.writer(consent()).unwrap());
    w.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    eventually("the others are gone", || {
        let others = "SELECT count(*) = 0 FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        w.client().query_one(others, &[]).unwrap().get(0)
    });
    assert_eq!(scanned(&*store, &mark, true), (keys(["old"]), false));
}

/// One connection took the mark, and others read.
#[test]
fn on_postgresql_a_role_without_other_rights_can_tell_too() {
    if cannot_tell() {
        return;
    }
    let w = server_with_old_row("changes_role");
    let role = Role::new(&w, "changes_role");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    let url = role.url();
    let (_, rest) = url.split_once("://").unwrap();
    let conninfo = Conninfo::of_url(rest, &Surroundings::default()).unwrap();
    let store = Postgres::new(conninfo, Table::default());
    let mark = {
        let mut writer = store.writer(consent()).unwrap();
        let mark = marked(&mut *writer);
        assert!(scanned(&store, &mark, false).1, "the writer still has the marking connection");
        mark
    };
    w.execute(&insert("new"));
    assert_eq!(changed(&store, &mark), keys(["new"]));
}

/// Some harden their server so.
#[test]
fn on_postgresql_a_role_that_may_not_ask_gives_no_mark() {
    let server = Server::new();
    let w = World::on(&server, "changes_revoked");
    w.user("42", 2).user("7", 1);
    for function in ["txid_current_snapshot()", "pg_stat_get_activity(int4)", "age(xid)"] {
        w.user("42", 1);
        let role = Role::new(&w, "changes_revoked");
        w.execute(&format!(
            "REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC; GRANT SELECT, DELETE ON django_session TO {}",
            role.name
        ));
        let url = w.url().replace("//postgres@", &format!("//{}@", role.name));
        let ran = w.run(&["logout-user", "42", "--engine", "db", "-d", &url]);
        assert!(ran.stdout.starts_with("Logged out user 42"), "{function}: {ran:#?}");
        assert_eq!(w.count(), 1);
        w.execute(&format!("GRANT EXECUTE ON FUNCTION {function} TO PUBLIC"));
    }
}

#[test]
fn on_another_server_a_mark_is_worth_nothing() {
    if cannot_tell() {
        return;
    }
    let (here, there) = (server_with_old_row("changes_here"), Server::new());
    let there = World::on(&there, "changes_there");
    there.execute(&insert("old"));
    let mark = marked(&mut *store(&here).writer(consent()).unwrap());
    assert_eq!(scanned(&*store(&there), &mark, true), (keys(["old"]), false));
}

#[test]
fn in_a_copy_of_the_database_a_mark_is_worth_nothing() {
    if cannot_tell() {
        return;
    }
    let server = Server::new();
    let w = World::on(&server, "changes_copied");
    w.execute(&insert("old"));
    let here = store(&w);
    let (place, name) =
        w.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let mut admin = Client::connect(&server.url(), NoTls).unwrap();
    admin.batch_execute(&format!("CREATE DATABASE changes_copy TEMPLATE \"{name}\"")).unwrap();
    let mut writer = here.writer(consent()).unwrap();
    let mark = marked(&mut *writer);
    let rest = format!("{place}/changes_copy");
    let conninfo =
        Conninfo::of_url(rest.split_once("://").unwrap().1, &Surroundings::default()).unwrap();
    let there = Postgres::new(conninfo, Table::default());
    assert_eq!(scanned(&there, &mark, true), (keys(["old"]), false));
    assert_eq!(scanned(&*here, &mark, true), (keys([]), true));
}

/// SQLite could tell that nobody else wrote, but a damaged file may show only to a scan what a delete did to it.
#[test]
fn other_databases_cannot_tell() {
    if cannot_tell() {
        return;
    }
    World::each("changes", |w| {
        let has_mark = store(w).writer(consent()).unwrap().mark().unwrap().is_some();
        assert_eq!(has_mark, !w.is_sqlite() && !w.is_mysql());
    });
}

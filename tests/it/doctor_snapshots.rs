//! `doctor` on what keeps deleted rows from being vacuumed: transactions, prepared ones, standbys, slots.

use postgres::{Client, NoTls};

use crate::doctor::DOCTOR;
use crate::role::Role;
use crate::running::eventually;
use crate::server::{Server, Stop};
use crate::world::{Ran, World};

/// Begins a transaction that holds a snapshot.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM django_session";

fn doctor(w: &World) -> Ran {
    w.run(&DOCTOR).ok()
}

/// Waits until `doctor` says this of snapshots.
fn says(w: &World, text: &str) {
    eventually(text, || doctor(w).finding("snapshots")["text"].as_str().unwrap().contains(text));
}

fn transaction(w: &World) -> Client {
    let mut client = w.client();
    client.batch_execute(SNAPSHOT).unwrap();
    client
}

#[test]
fn a_prepared_transaction() {
    let mut server = Server::new();
    server.set(&["max_prepared_transactions=5"]);
    let w = World::on(&server, "snapshots_prepared");
    w.user("42", 3);
    doctor(&w).finds("snapshots", "ok", &["nobody else has one"]);
    w.execute("BEGIN; DELETE FROM django_session; PREPARE TRANSACTION 'two''phases'");
    doctor(&w).finds("snapshots", "ok", &["old: prepared transaction two'phases"]);
    // Whoever has the oldest is named.
    let _younger = transaction(&w);
    doctor(&w).finds("snapshots", "ok", &["prepared transaction"]);
    w.execute("ROLLBACK PREPARED 'two''phases'");
    doctor(&w).finds("snapshots", "ok", &["old: pid "]);
}

/// It keeps no dead row, and to end it would make things worse.
#[test]
fn a_vacuum_is_in_nobodys_way() {
    let w = World::postgres("snapshots_vacuum");
    w.live(20_000);
    w.execute("DELETE FROM django_session");
    let mut vacuum = w.client();
    vacuum.batch_execute("SET vacuum_cost_limit = 1; SET vacuum_cost_delay = 100").unwrap();
    let cancel = vacuum.cancel_token();
    let slowly = std::thread::spawn(move || vacuum.batch_execute("VACUUM django_session"));
    let works =
        "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE datname = current_database())";
    // Of a connection that was just left the server may not know yet.
    let mut looks = w.client();
    eventually("it vacuums", || looks.query_one(works, &[]).unwrap().get(0));
    let ran = doctor(&w);
    assert!(!slowly.is_finished(), "the vacuum was over, and this test shows nothing");
    cancel.cancel_query(NoTls).unwrap();
    slowly.join().unwrap().unwrap_err();
    ran.finds("snapshots", "ok", &["nobody else has one"]);
}

#[test]
fn what_runs_on_a_standby_and_what_its_slot_keeps() {
    let server = Server::new();
    let w = World::on(&server, "snapshots_standby");
    w.user("42", 3);
    w.execute("SELECT pg_create_physical_replication_slot('copy')");
    let mut standby = server.standby();
    // Without a slot the walsender keeps what the standby asks for.
    standby.set(&["hot_standby_feedback=on"]);
    says(&w, "standby walreceiver");
    doctor(&w).finds("snapshots", "ok", &["old: standby walreceiver"]);
    standby.set(&["primary_slot_name=copy"]);
    says(&w, "replication slot copy");
    let database = w.url().rsplit_once('/').unwrap().1.to_owned();
    let url = standby.url().trim_end_matches("postgres").to_owned() + &database;
    let mut held = Client::connect(&url, NoTls).unwrap();
    held.batch_execute(SNAPSHOT).unwrap();
    // Its age grows by what the primary does meanwhile.
    for _ in 0..20 {
        w.user("7", 1);
    }
    let age = || -> i32 {
        let sql = "SELECT age(xmin) FROM pg_replication_slots";
        w.client().query_one(sql, &[]).unwrap().get(0)
    };
    eventually("the slot is behind", || age() >= 20);
    let told = doctor(&w).finds("snapshots", "ok", &[" transactions old: replication slot copy"]);
    assert!(!told.finding("snapshots")["text"].as_str().unwrap().contains("nobody uses"));
    // A standby that goes leaves its slot behind, which keeps every dead row from now on.
    drop(held);
    standby.stop(Stop::Fast);
    eventually("nobody uses it", || {
        let used = "SELECT active FROM pg_replication_slots";
        !w.client().query_one(used, &[]).unwrap().get::<_, bool>(0)
    });
    let told =
        doctor(&w).finds("snapshots", "warning", &["replication slot copy, which nobody uses"]);
    // Everybody sees it.
    let role = Role::new(&w, "snapshots");
    w.execute(&format!("GRANT SELECT ON django_session TO {}", role.name));
    role.run(&DOCTOR).ok().finds("snapshots", "warning", &["replication slot copy"]);
    // The next step, as it stands there.
    let next = told.finding("snapshots")["next_step"].as_str().unwrap().to_owned();
    w.execute(next.split_once("or drop it: ").unwrap().1);
    doctor(&w).finds("snapshots", "ok", &["nobody else has one"]);
}

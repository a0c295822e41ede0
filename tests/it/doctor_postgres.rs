//! `doctor` on PostgreSQL: roles, locks, replicas, poolers, and what to grant.

use postgres::{Client, NoTls};

use crate::doctor::DOCTOR;
use crate::encrypted::{Encrypted, NAME};
use crate::pgbouncer::Pooler;
use crate::role::{Role, SENTINEL};
use crate::running::eventually;
use crate::server::Server;
use crate::table_kinds::{partitioned, reach};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, program};

fn doctor(w: &World) -> Ran {
    w.run(&DOCTOR)
}

#[test]
fn a_role_that_may_only_read() {
    let w = World::postgres("doctor_role");
    w.user("42", 10);
    let role = Role::new(&w, "doctor_role");
    let name = &role.name;
    let ran = role.run(&DOCTOR).exits(5).finds(
        "privileges",
        "problem",
        &["SELECT is lacking", "--grants"],
    );
    ran.finds("connection", "ok", &[name, "world_doctor_role"])
        .finds("rows", "unknown", &["lacks the SELECT privilege"])
        .finds("snapshots", "unknown", &["may not see", "GRANT pg_monitor TO"]);
    w.execute(&format!("GRANT SELECT ON django_session TO {name}; ALTER ROLE {name} SET default_transaction_read_only = on"));
    role.run(&DOCTOR)
        .ok()
        .finds(
            "privileges",
            "warning",
            &[
                "enough for list, show, stats, check, doctor;",
                "logout-user (DELETE)",
                "flush-all --truncate (DELETE, TRUNCATE)",
                "--keep-data (DELETE, UPDATE)",
                "backfill (UPDATE)",
            ],
        )
        .finds("replica", "warning", &["read only", "default_transaction_read_only"])
        .finds("key", "ok", &["100%"])
        .finds("expired", "ok", &["0 rows"]);
    w.execute(&format!("GRANT DELETE ON django_session TO {name}; GRANT pg_monitor TO {name}; ALTER ROLE {name} RESET ALL"));
    role.run(&DOCTOR)
        .ok()
        .finds(
            "privileges",
            "ok",
            &["logout-user, purge-expired, flush-all, delete; not for flush-all --truncate (TRUNCATE)"],
        )
        .finds("replica", "ok", &["primary"])
        .finds("snapshots", "ok", &[]);
    w.execute(&format!("GRANT UPDATE, TRUNCATE ON django_session TO {name}"));
    role.run(&DOCTOR).finds(
        "privileges",
        "ok",
        &["backfill (column and index: only \"postgres\")"],
    );
    doctor(&w).finds("connection", "warning", &["a superuser"]);
}

/// The statements that `--grants` prints for this command.
fn grants(role: &Role, command: &str) -> Vec<String> {
    let ran = role.run(&["doctor", "--grants"]).ok();
    let line =
        |line: &&str| line.ends_with(&format!("-- {command}")) || line.contains("-- every command");
    let lines: Vec<String> = ran.stdout.lines().filter(line).map(ToString::to_string).collect();
    assert_eq!(lines.len(), 2, "{command}: {ran:#?}");
    assert!(ran.stdout.lines().all(|line| line.starts_with("GRANT ")), "{ran:#?}");
    lines
}

#[test]
fn what_to_grant_is_what_each_command_needs() {
    let w = World::postgres("doctor_grants");
    w.execute("CREATE SCHEMA site; ALTER TABLE django_session SET SCHEMA site");
    w.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = site', current_database()); END $$");
    for (command, lines) in [
        (&["list"][..], "list, show, stats, check, doctor"),
        (&["show", "00000000"], "list, show, stats, check, doctor"),
        (&["stats"], "list, show, stats, check, doctor"),
        (&["check", "--max-age", "9999d"], "list, show, stats, check, doctor"),
        (&["doctor"], "list, show, stats, check, doctor"),
        (&["logout-user", "42"], "logout-user"),
        (&["purge-expired"], "purge-expired"),
        (&["flush-all", "--yes"], "flush-all, delete"),
        (&["delete", "--match", "_auth_user_id=42", "--yes"], "flush-all, delete"),
        (&["flush-all", "--truncate", "--yes"], "flush-all --truncate"),
        (&["logout-user", "42", "--keep-data"], "--keep-data"),
        (&["flush-all", "--keep-data", "--yes"], "--keep-data"),
        (&["backfill"], "backfill, once the owner has run the SQL that backfill --dry-run shows"),
    ] {
        w.execute("DROP TABLE IF EXISTS site.was; DELETE FROM site.django_session");
        w.user("42", 3).user("7", 3).expired(3);
        if command == ["backfill"] {
            let plan = w.run(&["backfill", "--dry-run", "--format", "json"]).ok().json();
            for sql in plan["plan"]["sql"].as_array().unwrap() {
                w.client().batch_execute(sql.as_str().unwrap()).unwrap();
            }
        }
        let role = Role::new(&w, "doctor_grants");
        let key = w.session_keys().into_iter().find(|key| key.starts_with("000")).unwrap();
        let command: Vec<&str> =
            command.iter().map(|word| if *word == "00000000" { &key[..8] } else { word }).collect();
        // To a plugin for Nagios 3 is "unknown".
        let refused = |ran: Ran| {
            let is_refusal = ran.code != 0 && (ran.code != 3 || command[0] == "check");
            assert!(is_refusal, "{command:?}: {ran:#?}");
        };
        refused(role.run(&command));
        let statements = grants(&role, lines);
        // As psql takes it.
        w.execute(&statements.join("\n"));
        // Whatever is taken away is missed.
        let rights =
            statements[1].split_once(" ON ").unwrap().0.trim_start_matches("GRANT ").to_owned();
        for right in rights.split(", ") {
            w.execute(&format!("REVOKE {right} ON site.django_session FROM {}", role.name));
            refused(role.run(&command));
            w.execute(&statements[1]);
        }
        w.execute(&format!("REVOKE USAGE ON SCHEMA site FROM {}", role.name));
        refused(role.run(&command));
        w.execute(&statements[0]);
        role.run(&command).ok();
    }
}

#[test]
fn all_that_is_granted_at_once_is_enough_and_is_shown_so() {
    let w = World::postgres("doctor_psql");
    w.execute(
        "CREATE TABLE auth_user (id bigint PRIMARY KEY); ALTER TABLE django_session ADD COLUMN user_id bigint REFERENCES auth_user;
         CREATE INDEX ON django_session (user_id);
         CREATE TABLE usersessions_usersession (session_key varchar(40) PRIMARY KEY)",
    );
    w.user("42", 3);
    let role = Role::new(&w, "doctor_psql");
    let file = w.file("grants.sql", role.run(&["doctor", "--grants"]).ok().stdout);
    let mut psql = std::process::Command::new(crate::support::postgres_bin().join("psql"));
    psql.args(["-qX", "-v", "ON_ERROR_STOP=1", &w.url(), "-f", &file]).ran("").ok();
    role.run(&DOCTOR).ok().finds(
        "privileges",
        "ok",
        &["enough for", "flush-all --truncate, --keep-data, backfill"],
    );
    role.run(&["backfill"]).ok();
    role.run(&["logout-user", "42", "--cleanup-allauth"]).ok();
    assert_eq!(w.count(), 0);
}

#[test]
fn a_table_that_the_role_cannot_name() {
    let w = World::postgres("doctor_schema");
    w.execute("CREATE SCHEMA one; ALTER TABLE django_session SET SCHEMA one");
    let role = Role::new(&w, "doctor_schema");
    role.run(&DOCTOR)
        .exits(5)
        .finds(
            "table",
            "problem",
            &["one.django_session is not in the search path", "--table one.django_session"],
        )
        .finds("privileges", "problem", &["may not use schema \"one\""]);
    w.execute("CREATE SCHEMA two; CREATE TABLE two.django_session (LIKE one.django_session)");
    role.run(&DOCTOR).exits(5).finds(
        "table",
        "problem",
        &["2 in other schemas", "--table one.django_session"],
    );
    role.run(&["doctor", "--grants"]).refuses(1, &["no table \"django_session\""]);
    let named = role.run(&["doctor", "--grants", "--table", "two.django_session"]).ok();
    assert!(named.stdout.contains("SELECT ON \"two\".\"django_session\" TO"), "{named:#?}");
    w.execute("CREATE VIEW sessions AS SELECT * FROM one.django_session");
    let view = [&DOCTOR[..], &["--table", "sessions"]].concat();
    w.run(&view).exits(5).finds("table", "problem", &["is a view"]);
}

#[test]
fn row_security_that_hides_rows() {
    let w = World::postgres("doctor_policy");
    w.user("42", 3);
    let role = Role::new(&w, "doctor_policy");
    w.execute(&format!(
        "GRANT SELECT, DELETE ON django_session TO {}; ALTER TABLE django_session ENABLE ROW LEVEL SECURITY",
        role.name
    ));
    role.run(&DOCTOR).exits(5).finds(
        "row-security",
        "problem",
        &["every command refuses", "BYPASSRLS"],
    );
    doctor(&w).ok().finds("row-security", "ok", &["on, but it hides nothing"]);
}

#[test]
fn what_a_role_may_not_look_into_is_said_and_ends_nothing() {
    let w = World::postgres("doctor_catalogs");
    w.user("42", 3);
    let role = Role::new(&w, "doctor_catalogs");
    w.execute(&format!("GRANT SELECT ON django_session TO {}", role.name));
    for (catalog, checks) in [
        ("pg_stat_activity", &["snapshots", "locks"][..]),
        ("pg_stat_replication", &["replication"]),
        ("pg_locks", &["locks"]),
        ("pg_trigger", &["triggers"]),
        ("pg_index", &["indexes"]),
        ("pg_constraint", &["foreign-keys", "privileges"]),
        ("pg_attribute", &["columns", "indexes", "rows"]),
        ("pg_roles", &["connection"]),
        ("pg_class", &["table", "rows"]),
    ] {
        w.execute(&format!("REVOKE SELECT ON pg_catalog.{catalog} FROM PUBLIC"));
        let ran = role.run(&DOCTOR).ok();
        for check in checks {
            assert_eq!(ran.finding(check)["status"], "unknown", "{catalog}: {ran:#?}");
        }
        assert!(ran.stdout.contains("permission denied for"), "{catalog}: {ran:#?}");
        w.execute(&format!("GRANT SELECT ON pg_catalog.{catalog} TO PUBLIC"));
    }
    role.run(&DOCTOR).ok().finds("locks", "ok", &[]).finds("key", "ok", &["100%"]);
}

#[test]
fn an_index_that_is_invalid() {
    let w = World::postgres("doctor_invalid");
    w.user("42", 3);
    let broken = "CREATE UNIQUE INDEX CONCURRENTLY broken ON django_session (expire_date)";
    w.client().batch_execute(broken).unwrap_err();
    let ran = doctor(&w).ok().finds("indexes", "warning", &["INVALID", "public.broken"]);
    w.execute("DROP INDEX django_session_expire_date_a5c62663");
    doctor(&w).ok().finds(
        "indexes",
        "warning",
        &["expire_date has none", "INVALID: public.broken"],
    );
    let next_step = ran.finding("indexes")["next_step"].as_str().unwrap().to_owned();
    let (drop, _) = next_step.split_once(", and").unwrap();
    w.client().batch_execute(drop).unwrap();
    doctor(&w).finds("indexes", "warning", &["expire_date has none"]);
}

#[test]
fn tables_that_are_not_plain() {
    let w = partitioned("doctor_partitioned");
    w.user("42", 3);
    doctor(&w)
        .ok()
        .finds("table", "ok", &["public.django_session, partitioned"])
        .finds("vacuum", "unknown", &[])
        .finds("key", "ok", &["100%"]);
    let server = Server::new();
    let (w, remote) = (World::postgres("doctor_foreign"), World::on(&server, "remote"));
    reach(&w, &server, &remote);
    w.execute("DROP TABLE IF EXISTS django_session; IMPORT FOREIGN SCHEMA public LIMIT TO (django_session) FROM SERVER remote INTO public");
    remote.user("42", 3);
    doctor(&w).finds("indexes", "unknown", &["on its own server"]).finds(
        "key",
        "ok",
        &["100% of the 3 rows"],
    );
}

#[test]
fn who_is_in_the_way() {
    let w = World::postgres("doctor_locks");
    w.user("42", 3);
    doctor(&w).finds("locks", "ok", &["nobody"]);
    let mut other = w.client();
    other
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM django_session; SET application_name = 'report'")
        .unwrap();
    let pid: i32 = other.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let pid = format!("pid {pid} ");
    doctor(&w)
        .ok()
        .finds("locks", "ok", &[&pid, "application report", "idle in transaction"])
        .finds("snapshots", "ok", &[&pid, "application report"]);
    let role = Role::new(&w, "doctor_locks");
    w.execute(&format!("GRANT SELECT ON django_session TO {}", role.name));
    role.run(&DOCTOR).ok().finds("locks", "unknown", &[&pid, "may not see"]).finds(
        "snapshots",
        "unknown",
        &[],
    );
    // Whoever locks everybody out is named, and keeps the rest from being told only of the rows.
    other.batch_execute("COMMIT; BEGIN; LOCK TABLE django_session").unwrap();
    doctor(&w).ok().finds("locks", "ok", &[&pid]).finds("rows", "unknown", &["lock"]).finds(
        "columns",
        "ok",
        &[],
    );
}

#[test]
fn dead_rows_that_nobody_clears_away() {
    let w = World::postgres("doctor_vacuum");
    w.execute("VACUUM django_session");
    doctor(&w).finds("vacuum", "ok", &["0 dead rows, last vacuum 20"]);
    w.execute("ALTER TABLE django_session SET (autovacuum_enabled = off)");
    doctor(&w).ok().finds(
        "vacuum",
        "warning",
        &["autovacuum is off", "VACUUM \"public\".\"django_session\""],
    );
    w.expired(20_000);
    w.execute("DELETE FROM django_session");
    w.execute("ALTER TABLE django_session RESET (autovacuum_enabled)");
    eventually("the server has counted", || {
        let finding = doctor(&w).finding("vacuum");
        finding["status"] == "warning" && finding["text"].as_str().unwrap().contains("is behind")
    });
}

#[test]
fn replicas() {
    let server = Server::new();
    let w = World::on(&server, "doctor_replicas");
    w.user("42", 3);
    doctor(&w).finds("replication", "ok", &["no replica"]);
    let standby = server.standby();
    let follows = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')";
    eventually("the standby follows", || w.client().query_one(follows, &[]).unwrap().get(0));
    doctor(&w).ok().finds("replication", "ok", &["1 replica, at most ", "0 MB behind"]);
    let folder = |of: &Server| of.url().trim_end_matches("postgres").to_owned();
    let url = w.url().replace(&folder(&server), &folder(&standby));
    w.run(&[&DOCTOR[..], &["-d", &url]].concat())
        .ok()
        .finds("replica", "warning", &["read replica", "connect to the primary"])
        .finds("replication", "unknown", &["only the primary"])
        .finds("key", "ok", &["100%"]);
    let role = Role::new(&w, "doctor_replicas");
    role.run(&DOCTOR).finds("replication", "unknown", &["GRANT pg_monitor"]);
    let mut replay = Client::connect(&standby.url(), NoTls).unwrap();
    replay.batch_execute("SELECT pg_wal_replay_pause()").unwrap();
    w.execute("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 10000000)) FROM generate_series(1, 10)");
    doctor(&w).ok().finds("replication", "warning", &["MB behind", "--max-lag"]);
    replay.batch_execute("SELECT pg_wal_replay_resume()").unwrap();
}

#[test]
fn what_is_encrypted() {
    let e = Encrypted::new("doctor_tls", "host all all 127.0.0.1/32 scram-sha-256");
    let doctor = |options: &str| {
        let mut command = program(&DOCTOR);
        command
            .env("DATABASE_URL", e.url_by(NAME, options))
            .env("SECRET_KEY", SECRET_KEY)
            .ran("")
            .ok()
    };
    doctor("").finds("encryption", "ok", &["TLS 1.3; sslmode=verify-full would"]);
    doctor("sslmode=require&ssl_max_protocol_version=TLSv1.2").finds(
        "encryption",
        "ok",
        &["TLS 1.2"],
    );
    doctor("sslmode=verify-full&sslrootcert=ROOT").finds(
        "encryption",
        "ok",
        &["TLS 1.3, and the server's certificate was verified"],
    );
    doctor("sslmode=disable").finds("encryption", "ok", &["this very machine"]);
    let ran = e.world.run(&DOCTOR).ok();
    ran.finds("encryption", "ok", &["a local socket"]);
    assert!(!doctor("").stdout.contains(SENTINEL));
}

#[test]
fn a_pooler_is_worked_through() {
    for mode in ["transaction", "session"] {
        let pooler = Pooler::in_mode(mode);
        let w = World::on(&pooler.server, &format!("doctor_pooler_{mode}"));
        w.user("42", 3);
        let ran = pooler.run(&w, &DOCTOR).ok();
        ran.finds("key", "ok", &["100%"]).finds("expired", "ok", &["0 rows"]);
    }
}

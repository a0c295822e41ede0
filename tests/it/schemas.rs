//! `--schema`, `--all-schemas`: a session table for each tenant, as django-tenants makes them.

use serde_json::{Value, json};

use crate::django::run;
use crate::purge::is_claimed;
use crate::running::{Running, eventually};
use crate::support::{fresh_database, postgres_url};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, key, login, signed};

const TENANTS: [&str; 3] = ["acme", "Beta \"Ltd\"", "public"];
/// The server's order of names, in which capitals come first.
const TENANTS_IN_ORDER: [&str; 3] = ["Beta \"Ltd\"", "acme", "public"];

/// Three tenants with three sessions of 42, one of 7 and two that expired, each in its own table; and a schema whose
/// table of this name is none of sessions.
fn tenants(name: &str) -> World {
    let w = World::postgres(name);
    w.execute("DROP TABLE django_session");
    for (number, tenant) in (0..).zip(TENANTS) {
        let schema = quote(tenant);
        w.execute(&format!(
            "CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path = {schema};
             CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL,
                 expire_date timestamptz NOT NULL);
             CREATE INDEX ON django_session (expire_date);
             CREATE TABLE auth_user (id serial PRIMARY KEY, username text, email text, is_active bool, is_staff bool,
                 is_superuser bool);
             INSERT INTO auth_user VALUES (42, 'anna', '', true, false, false), (7, 'user-of-{number}', '', true, true, false)"
        ));
        for row in 0..6 {
            let (user, year) = match row {
                0..=2 => ("42", 2099),
                3 => ("7", 2099),
                _ => ("42", 2020),
            };
            let (key, data) = (key(10 * number + row), signed(&login(user), SECRET_KEY));
            w.execute(&format!(
                "INSERT INTO {schema}.django_session VALUES ('{key}', '{data}', '{year}-01-01')"
            ));
        }
    }
    w.execute("CREATE SCHEMA other; CREATE TABLE other.django_session (session_key text)");
    w
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The last line of an audit file.
fn last_line(file: &str) -> Value {
    serde_json::from_str(std::fs::read_to_string(file).unwrap().lines().last().unwrap()).unwrap()
}

/// How many sessions each tenant has.
fn counts(w: &World) -> Vec<usize> {
    let rows = |tenant| w.keys_in(&format!("{}.django_session", quote(tenant))).len();
    TENANTS.into_iter().map(rows).collect()
}

/// A line without the rows and the time in its last parentheses.
fn without_time(line: &str) -> &str {
    line.rsplit_once(" (").map_or(line, |(before, _)| before)
}

/// What a report says of each schema in these fields.
fn by_schema(ran: &Ran, fields: [&str; 2]) -> Vec<(String, Value, Value)> {
    let report = ran.json();
    let parts = report["schemas"].as_array().unwrap();
    let [one, other] = fields;
    let name = |part: &Value| part["schema"].as_str().unwrap().to_owned();
    parts.iter().map(|part| (name(part), part[one].clone(), part[other].clone())).collect()
}

fn of_each(wanted: [(Value, Value); 3]) -> Vec<(String, Value, Value)> {
    TENANTS_IN_ORDER
        .into_iter()
        .zip(wanted)
        .map(|(name, (one, other))| (name.to_owned(), one, other))
        .collect()
}

#[test]
fn one_schema_is_that_schema_alone() {
    let w = tenants("schema_one");
    let ran = w.run(&["logout-user", "42", "--schema", "acme", "--format", "json"]).ok();
    assert_eq!(ran.json()["deleted"], 3);
    assert_eq!(ran.json().get("schemas"), None, "as without --schema");
    assert_eq!(counts(&w), [3, 6, 6]);
    w.run(&["purge-expired", "--schema", TENANTS[1]]).ok();
    assert_eq!(counts(&w), [3, 4, 6]);
    w.run(&["list", "--schema", TENANTS[1], "--format", "count"]).ok().says("4");
    w.run(&["stats", "--schema", "acme"]).ok();
    w.run(&["doctor", "--schema", "public"]);
    w.run(&["backfill", "--schema", "acme"]).ok();
    w.run(&["list", "--schema", "acme", "--user", "7", "--trust-column", "--format", "count"])
        .ok()
        .says("user_id gives to these users")
        .says("1");
    assert_eq!(counts(&w), [3, 4, 6]);
}

#[test]
fn a_user_is_logged_out_in_every_schema() {
    let w = tenants("schema_logout");
    let dry = w.run(&["logout-user", "42", "--all-schemas", "--dry-run"]).ok();
    let last = dry.stdout.lines().last().unwrap();
    assert!(
        last.starts_with(
            "All 3 schemas: Dry run: 9 live sessions of anna (42) would be deleted (12 rows"
        ),
        "{dry:#?}"
    );
    let ran = w.run(&["logout-user", "42", "--all-schemas", "--format", "json"]).ok();
    let report = ran.json();
    assert_eq!((&report["deleted"], &report["remaining"]), (&json!(9), &json!(0)), "{report}");
    assert_eq!(report["users"], json!(["42"]));
    let each = (json!(3), json!(0));
    assert_eq!(
        by_schema(&ran, ["deleted", "remaining"]),
        of_each([each.clone(), each.clone(), each])
    );
    assert_eq!(counts(&w), [3, 3, 3]);
    let again = w.run(&["logout-user", "42", "--schema", "acme", "--schema", "public"]).ok();
    assert_eq!(
        again.stdout.lines().map(without_time).collect::<Vec<_>>(),
        [
            "acme: Logged out anna (42): 0 sessions deleted, none is left in the table",
            "public: Logged out anna (42): 0 sessions deleted, none is left in the table",
            "All 2 schemas: Logged out anna (42): 0 sessions deleted, none is left in the table",
            "No live session was found.",
        ]
    );
}

#[test]
fn names_are_looked_up_in_each_schema() {
    let w = tenants("schema_names");
    let all = ["--all-schemas", "--format", "json"];
    // In one of them alone.
    let ran = w.run(&[&["logout-user", "--username", "user-of-0"][..], &all].concat()).ok();
    let nothing = (json!([]), json!(0));
    let acme = (json!(["7"]), json!(1));
    assert_eq!(by_schema(&ran, ["users", "deleted"]), of_each([nothing.clone(), acme, nothing]));
    w.run(&[&["logout-user", "--username", "anna", "--username", "nobody"][..], &all].concat())
        .exits(2)
        .says("\"nobody\": nobody is logged out");
    assert_eq!(counts(&w), [5, 6, 6]);
    let ran = w.run(&[&["logout-user", "--staff"][..], &all].concat()).ok();
    assert_eq!(ran.json()["deleted"], 2);
    assert_eq!(counts(&w), [5, 5, 5]);
    // A name may be somebody in each schema, but one user at most in any of them.
    w.run(&[&["logout-user", "--username", "anna", "-n"][..], &all].concat()).ok();
    w.execute("INSERT INTO acme.auth_user VALUES (8, 'anna')");
    w.run(&[&["logout-user", "--username", "anna"][..], &all].concat())
        .exits(2)
        .says("2 users in table \"acme.auth_user\" are called \"anna\"");
    assert_eq!(counts(&w), [5, 5, 5]);
}

#[test]
fn what_fails_in_one_schema_is_done_in_the_others() {
    let w = tenants("schema_fails");
    w.execute("ALTER TABLE public.django_session RENAME COLUMN session_data TO data");
    w.execute(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'not today' USING HINT = 'come back tomorrow'; END $$;
         CREATE TRIGGER forbid BEFORE DELETE ON acme.django_session FOR EACH ROW EXECUTE FUNCTION forbid()",
    );
    let ran = w.run(&["purge-expired", "--all-schemas", "--format", "json"]).exits(1);
    assert!(ran.stderr.contains("error: schema \"acme\": cannot delete from table"), "{ran:#?}");
    assert!(ran.stderr.contains("hint: come back tomorrow"), "{ran:#?}");
    let report = ran.json();
    assert_eq!((&report["deleted"], &report["left"]), (&json!(2), &Value::Null), "{report}");
    assert_eq!(report["ended"], "failed");
    assert_eq!(counts(&w), [6, 4, 6]);
    // A wrong key in one is none in the others.
    w.execute("UPDATE acme.django_session SET session_data = replace(session_data, ':', ':x') WHERE session_key LIKE '%'");
    let ran = w.run(&["logout-user", "42", "--all-schemas"]).exits(2);
    assert!(ran.stderr.contains("error: schema \"acme\": not one of"), "{ran:#?}");
    assert!(ran.stdout.contains("acme: FAILED: not one of"), "{ran:#?}");
    assert!(!ran.stdout.contains("All 2 schemas: Logged out"), "{ran:#?}");
    assert_eq!(counts(&w), [6, 1, 6]);
}

#[test]
fn what_fails_in_every_schema_is_on_record_with_the_reason() {
    let w = tenants("schema_all_fail");
    let audit = w.file("audit.jsonl", "");
    let arguments = ["--schema", "acme", "--schema", "acme", "--schema", "public"];
    let mut command = w.command(&["logout-user", "42", "--audit-file", &audit, "--format", "json"]);
    let ran = command.args(arguments).env("SESSCTL_SECRET_KEY", "another").ran("").exits(2);
    let report = ran.json();
    assert_eq!(report.get("deleted"), None, "{report}");
    let line = last_line(&audit);
    assert_eq!((&line["exit"], &line["report"]), (&json!(2), &report));
    let parts = report["schemas"].as_array().unwrap();
    assert_eq!(parts.iter().map(|part| &part["schema"]).collect::<Vec<_>>(), ["acme", "public"]);
    for part in parts {
        assert!(part["error"].as_str().unwrap().starts_with("not one of 4"), "{report}");
    }
    assert_eq!(counts(&w), [6, 6, 6]);
}

#[test]
fn everybody_is_logged_out_when_that_is_said() {
    let w = tenants("schema_flush");
    w.run(&["flush-all", "--all-schemas"]).exits(4).says("not confirmed");
    w.run(&["flush-all", "--all-schemas", "--dry-run"])
        .ok()
        .says("All 3 schemas: Dry run: 18 sessions would go");
    assert_eq!(counts(&w), [6, 6, 6]);
    let ran = w
        .run(&["flush-all", "--all-schemas", "--yes", "--except-user", "7", "--format", "json"])
        .ok();
    assert_eq!(ran.json()["deleted"], 15);
    assert_eq!(ran.json()["rows"], 18);
    assert_eq!(counts(&w), [1, 1, 1]);
    w.run(&["flush-all", "--all-schemas", "--yes", "--truncate"]).ok();
    assert_eq!(counts(&w), [0, 0, 0]);
}

#[test]
fn a_limit_is_one_for_all() {
    let w = tenants("schema_limit");
    let metrics = w.file("purge.prom", "");
    let arguments = [
        "purge-expired",
        "--all-schemas",
        "--limit",
        "3",
        "--metrics-file",
        &metrics,
        "--format",
        "json",
    ];
    let ran = w.run(&arguments).ok();
    assert_eq!((&ran.json()["deleted"], &ran.json()["ended"]), (&json!(3), &json!("limit")));
    assert_eq!(ran.json()["not_begun"], json!(["public"]));
    assert_eq!(counts(&w).iter().sum::<usize>(), 15);
    let text = std::fs::read_to_string(&metrics).unwrap();
    assert!(text.contains("\nsessctl_purge_deleted_rows 3\n"), "{text}");
    w.run(&["check", "--all-schemas", "--max-expired", "2"]).exits(2).says("3 expired sessions");
    w.run(&arguments).ok();
    w.run(&["check", "--all-schemas", "--max-expired", "2"]).ok().says("0 expired sessions");
    w.execute("UPDATE acme.django_session SET expire_date = '2020-01-01'");
    let ran = w.run(&["purge-expired", "--all-schemas", "--run-time", "1ms", "--format", "json"]);
    assert_eq!(ran.json()["ended"], "run-time", "{ran:#?}");
    ran.exits(3);
}

#[test]
fn columns_are_filled_in_every_schema() {
    let w = tenants("schema_backfill");
    let dry = w.run(&["backfill", "--all-schemas", "--dry-run"]).ok();
    assert!(
        dry.stdout.contains(
            "All 3 schemas: Dry run: column user_id (bigint) would be added; 12 of 12 logins"
        ),
        "{dry:#?}"
    );
    let ran = w.run(&["backfill", "--all-schemas", "--format", "json"]).ok();
    assert_eq!(ran.json()["filled"], 12);
    let ran = w.run(&["logout-user", "42", "--all-schemas", "--format", "json"]).ok();
    assert_eq!(ran.json()["user_column"], "user_id");
    assert_eq!(ran.json()["deleted"], 9);
}

#[test]
fn a_signal_ends_it_in_all_schemas() {
    let w = tenants("schema_signal");
    let pause = w.file("pause", "");
    let audit = w.file("audit.jsonl", "");
    let arguments = ["--all-schemas", "--pause-file", &pause, "--audit-file", &audit];
    let mut command = w.command(&["purge-expired", "--format", "json"]);
    let mut running = Running::start(command.args(arguments));
    eventually("a claim", || is_claimed(&w));
    let second = w.run(&["purge-expired", "--all-schemas"]).exits(1);
    assert_eq!(second.stderr.matches("another sessctl purges").count(), 1, "{second:#?}");
    let third = w.run(&["purge-expired", "--all-schemas", "--skip-if-running"]).ok();
    assert_eq!(third.stderr.matches("nothing to do").count(), 1, "{third:#?}");
    running.signal("TERM");
    let ran = running.end().exits(143);
    let report = ran.json();
    assert_eq!(report["ended"], "interrupted", "{report}");
    assert_eq!(report["not_begun"], json!(["acme", "public"]), "{report}");
    assert_eq!(report["left"], Value::Null, "nobody looked into the others: {report}");
    let line = last_line(&audit);
    assert_eq!((&line["exit"], &line["report"]), (&json!(143), &report));
    assert_eq!(counts(&w), [6, 6, 6]);
}

/// The number of the lock: `sessctl` in ASCII.
pub(crate) const LOCK: i64 = 0x73_65_73_73_63_74_6c;

#[test]
fn what_another_sessctl_keeps_from_being_purged_is_not_done() {
    let w = tenants("schema_skip");
    let pause = w.file("pause", "");
    let arguments = ["purge-expired", "--all-schemas", "--skip-if-running", "--pause-file", &pause];
    let running = Running::start(w.command(&arguments).args(["-q", "--format", "json"]));
    eventually("a claim", || is_claimed(&w));
    // Waits for the lock, and has it as soon as the first schema is done.
    let mut other = w.client();
    other.batch_execute("SET application_name = 'sessctl'").unwrap();
    let waiting = std::thread::spawn(move || {
        other.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).unwrap();
        other
    });
    eventually("somebody who waits", || {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
        w.client().query_one(sql, &[]).unwrap().get::<_, i64>(0) == 1
    });
    std::fs::remove_file(&pause).unwrap();
    let ran = running.end().exits(3);
    let report = ran.json();
    assert_eq!(by_schema(&ran, ["deleted", "left"]), [("Beta \"Ltd\"".into(), json!(2), json!(0))]);
    assert_eq!(report["not_begun"], json!(["acme", "public"]), "{report}");
    assert_eq!(report["left"], Value::Null, "nobody looked into the others: {report}");
    assert_eq!(counts(&w), [6, 4, 6]);
    let ran = ran.says("warning: another sessctl purges this database");
    ran.says("schema \"acme\" and those after it were skipped");
    // Where the other was first, all is the other's to do, as with one table.
    let ran = w.run(&arguments).ok().says("nothing to do");
    assert!(ran.stdout.contains("Not begun: Beta \"Ltd\", acme, public"), "{ran:#?}");
    drop(waiting.join().unwrap());
    w.run(&arguments).ok();
    assert_eq!(counts(&w), [4, 4, 4]);
}

#[test]
fn sessions_of_every_schema_are_listed() {
    let w = tenants("schema_list");
    let ran = w.run(&["list", "--all-schemas", "--user", "7", "--format", "jsonl"]).ok();
    let listed: Vec<_> = ran.json_lines().iter().map(|line| line["schema"].clone()).collect();
    assert_eq!(listed, TENANTS_IN_ORDER);
    let ran = w.run(&["list", "--schema", "public", "--schema", "acme", "--limit", "5"]).ok();
    let schemas: Vec<_> =
        ran.stdout.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(schemas, ["SCHEMA", "public", "public", "public", "public", "acme", "..."]);
    let sorted =
        ["--all-schemas", "--sort", "user", "--format", "csv", "--columns", "user_id,schema"];
    let sorted = w.run(&[&["list"], &sorted[..]].concat()).ok().stdout;
    let users: Vec<&str> = sorted.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert!(
        users.len() == 13
            && users[1..].is_sorted_by_key(|id| id.parse::<u32>().unwrap_or(u32::MAX)),
        "{sorted}"
    );
    assert!(sorted.contains("42,public\r\n") && sorted.contains("42,acme\r\n"), "{sorted}");
    let csv = w.run(&["list", "--all-schemas", "--all", "--format", "csv"]).ok().stdout;
    assert!(csv.starts_with("schema,session_key,"), "{csv}");
    assert_eq!(
        csv.lines().filter(|line| line.starts_with("\"Beta \"\"Ltd\"\"\",")).count(),
        6,
        "{csv}"
    );
    w.run(&["list", "--all-schemas", "--format", "count"]).ok().says("12");
}

#[test]
fn what_makes_no_sense_with_schemas_is_refused() {
    let w = tenants("schema_refused");
    for (arguments, why) in [
        (
            &["logout-user", "42", "--schema", "acme", "--schema", "Acme"][..],
            "schema \"Acme\" has no session table",
        ),
        (
            &["logout-user", "42", "--schema", "other", "--schema", "acme"],
            "schemas that have one: Beta",
        ),
        (
            &["logout-user", "42", "--all-schemas", "--except", "00000000"],
            "--except cannot be combined",
        ),
        (
            &["logout-user", "42", "--all-schemas", "--print-cache-keys"],
            "--print-cache-keys cannot be combined",
        ),
        (&["stats", "--all-schemas"], "one schema at a time"),
        (&["doctor", "--schema", "acme", "--schema", "public"], "one schema at a time"),
        (
            &["list", "--schema", "acme", "--table", "public.django_session"],
            "named with a schema already: \"public\"",
        ),
        (&["list", "--schema", ""], "--schema was given an empty text"),
        (
            &["purge-expired", "--all-schemas", "--table", "nosuch"],
            "no schema has a session table \"nosuch\"",
        ),
        (&["list", "--schema", "acme", "--all-schemas"], "cannot be used with"),
    ] {
        w.run(arguments).exits(2).says(why);
    }
    w.run(&["list", "--schema", "nosuch"]).exits(1).says("no table \"nosuch.django_session\"");
    assert_eq!(counts(&w), [6, 6, 6]);
    let sqlite = World::sqlite("schema_sqlite");
    sqlite.user("42", 2);
    let ran = sqlite.run(&["logout-user", "42", "--all-schemas"]).ok();
    assert!(ran.stdout.starts_with("main: Logged out user 42: 2 sessions deleted"), "{ran:#?}");
    assert_eq!(ran.stdout.lines().count(), 1, "no sum of one: {ran:#?}");
}

#[test]
fn a_server_that_is_gone_is_not_asked_for_each_schema() {
    let url = postgres_url().replace("/postgres", "/nosuchdatabase");
    let mut command = crate::world::program(&["purge-expired", "--all-schemas"]);
    let ran = command.env("SESSCTL_DATABASE_URL", url).ran("").exits(1);
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{ran:#?}");
}

#[test]
fn tenants_of_a_real_site_are_logged_out_by_request() {
    let database = fresh_database("tenant_sites");
    run("tenant_sites.py", "5.2", &["--postgres-url", &database.url]);
}

/// One id may be somebody else in each schema, and be spelled otherwise.
#[test]
fn a_sum_of_schemas_says_what_holds_of_all() {
    let w = tenants("schema_sum");
    let uuid = "0fce2a16-58c1-4c2a-8a3e-6d3f0a0e9b11";
    let digits = uuid.replace('-', "");
    w.execute(&format!(
        "UPDATE acme.auth_user SET username = 'carl' WHERE id = 42;
         CREATE SCHEMA zeta; CREATE TABLE zeta.django_session AS SELECT * FROM acme.django_session LIMIT 0;
         CREATE TABLE zeta.auth_user (id uuid PRIMARY KEY, username text UNIQUE);
         INSERT INTO zeta.auth_user VALUES ('{uuid}', 'zoe');
         INSERT INTO zeta.django_session VALUES ('abcdefgh', '{}', '2099-01-01')",
        signed(&login(uuid), SECRET_KEY)
    ));
    w.run(&["list", "--user", "42", "--all-schemas"]).ok();
    w.run(&["list", "--user", "anna", "--all-schemas"]).exits(3).says("cannot be the id of a user");
    // One that fails says nothing of the others.
    w.execute(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
         CREATE TRIGGER forbid BEFORE DELETE ON \"Beta \"\"Ltd\"\"\".django_session
             FOR EACH ROW EXECUTE FUNCTION forbid()",
    );
    let ran = w.run(&["logout-user", "42", &digits, "--all-schemas"]).exits(1);
    let sum = ran.stdout.lines().find(|line| line.starts_with("All 4 schemas")).unwrap();
    assert!(
        sum.contains(
            "NOT known to be logged out, 2 users: 7 sessions deleted, not known of all schemas"
        ),
        "{ran:#?}"
    );
    assert!(!ran.stdout.contains("No live session was found"), "{ran:#?}");
    w.execute("DROP TABLE \"Beta \"\"Ltd\"\"\".django_session");
    for tenant in ["acme", "public", "zeta"] {
        let (key, user) = ("again", if tenant == "zeta" { uuid } else { "42" });
        let data = signed(&login(user), SECRET_KEY);
        w.execute(&format!(
            "INSERT INTO {tenant}.django_session VALUES ('{key}', '{data}', '2099-01-01')"
        ));
    }
    let arguments = ["logout-user", "42", &digits, "--all-schemas"];
    let dry = w.run(&[&arguments[..], &["-n"]].concat()).ok();
    assert!(!dry.stdout.contains("No live session was found"), "{dry:#?}");
    let named = |arguments: &[&str]| {
        let report = w.run(&[arguments, &["-n", "--format", "json"]].concat()).ok().json();
        let of =
            |user: &Value| (user["id"].clone(), user["username"].clone(), user["sessions"].clone());
        report["named"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(
        named(&arguments),
        [(json!("42"), Value::Null, json!(2)), (json!(uuid), Value::Null, json!(1))]
    );
    let of_two = ["logout-user", "42", "--schema", "acme", "--schema", "public"];
    assert_eq!(named(&of_two), [(json!("42"), Value::Null, json!(2))], "carl and anna");
    w.execute("UPDATE acme.auth_user SET username = 'anna' WHERE id = 42");
    assert_eq!(named(&of_two), [(json!("42"), json!("anna"), json!(2))]);
}

//! Which rows may be live: the same for every command, whatever is in `expire_date`.

use serde_json::Value;

use crate::world::{SECRET_KEY, World, login, signed};

/// Makes the table anew, without any constraint, and fills it with logins of user 42 that expire so.
fn filled(w: &World, type_name: &str, expires: &[&str]) {
    w.execute(&format!(
        "DROP TABLE django_session; CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY,
             session_data text NOT NULL, expire_date {type_name})"
    ));
    let data = signed(&login("42"), SECRET_KEY);
    for expires in expires {
        let key = w.next_key();
        w.execute(&format!("INSERT INTO django_session VALUES ('{key}', '{data}', {expires})"));
    }
}

/// Fails unless every command finds so many live sessions.
fn all_find(w: &World, live: u64) {
    let json = |arguments: &[&str]| -> Value {
        let ran = w.run(&[arguments, &["--format", "json"]].concat());
        assert!(matches!(ran.code, 0 | 3), "{ran:#?}");
        ran.json()
    };
    let number = |report: &Value, field: &str| report[field].as_u64().unwrap();
    let list = w.run(&["list", "--user", "42", "--format", "count"]).ok();
    assert_eq!(list.stdout.trim(), live.to_string(), "list");
    let stats = json(&["stats"]);
    assert_eq!(number(&stats, "live"), live, "{stats}");
    assert_eq!(number(&stats, "logged_in"), live, "{stats}");
    let flush = json(&["flush-all", "--dry-run"]);
    assert_eq!(number(&flush, "live_users"), live, "{flush}");
    assert_eq!(number(&flush, "expired"), number(&flush, "rows") - live, "{flush}");
    let logout = json(&["logout-user", "42", "--dry-run"]);
    assert_eq!(number(&logout, "matched"), live, "{logout}");
}

#[test]
fn sqlite_takes_for_live_what_django_does() {
    let w = World::sqlite("live_sqlite");
    let live = [
        "'2099-01-01 00:00:00'",
        "'9999-12-31 23:59:59.999999'",
        "'2099-01-01T00:00:00'",
        "'2099-13-45 00:00:00'",
        "'soon'",
        "x'00'",
    ];
    let not_live =
        ["NULL", "1", "4102444800", "1e300", "''", "'2020-01-01T00:00:00'", "'0 days'", "'-'"];
    filled(&w, "datetime", &[&live[..], &not_live].concat());
    all_find(&w, live.len().try_into().unwrap());
    // What Django asks for.
    assert_eq!(w.keys_in("django_session WHERE expire_date > '2026-11-22 01:57:46'").len(), 6);
    w.run(&["logout-user", "42"]).ok().says("6 sessions deleted, none is left");
    all_find(&w, 0);
}

#[test]
fn postgres_takes_for_live_what_django_does() {
    let w = World::postgres("live_postgres");
    let live = ["'2099-01-01'", "'9999-12-31 23:59:59.999999+00'", "'infinity'", "'20000-01-01'"];
    let not_live = ["NULL", "'-infinity'", "'2020-01-01'", "'4000-01-01 BC'"];
    for zone in ["UTC", "America/Los_Angeles", "Pacific/Auckland"] {
        w.execute(&format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), '{zone}'); END $$"
        ));
        for type_name in ["timestamptz", "timestamp", "text"] {
            filled(&w, type_name, &[&live[..], &not_live].concat());
            all_find(&w, 4);
        }
        // On some clock on earth it may be live still.
        let hours_ago = |hours: i32| format!("timezone('UTC', now()) - interval '{hours} hours'");
        filled(&w, "timestamp", &[&hours_ago(11), &hours_ago(13)]);
        all_find(&w, 1);
        w.run(&["logout-user", "42"]).ok().says("1 session deleted, none is left");
    }
}

//! Which rows may be live: the same for every command, whatever is in `expire_date`.

use serde_json::Value;
use sessctl::consent::{Ask, Consent};
use sessctl::model::Timestamp;
use sessctl::store::{Sqlite, Store, Table, WallClock};

use crate::world::{RunToEnd, SECRET_KEY, World, login, program, signed};

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

/// A request that found its session live saves it when it ends, with a new time of expiry.
#[test]
fn what_expired_a_moment_ago_is_logged_out() {
    World::each("just_expired", |w| {
        let ago = |minutes: u32| {
            if w.is_sqlite() {
                format!("strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{minutes} minutes')")
            } else if w.is_mysql() {
                format!("UTC_TIMESTAMP(6) - INTERVAL {minutes} MINUTE")
            } else {
                format!("now() - interval '{minutes} minutes'")
            }
        };
        for command in [&["logout-user", "42"][..], &["flush-all", "--yes", "--authenticated-only"]]
        {
            w.renew();
            w.user("42", 1);
            for (key, minutes) in [("just00000", 3), ("long00000", 30)] {
                w.row(key, &signed(&login("42"), SECRET_KEY), "2099-01-01 00:00:00");
                w.execute(&format!(
                    "UPDATE django_session SET expire_date = {} WHERE session_key = '{key}'",
                    ago(minutes)
                ));
            }
            w.run(command).ok().says("2 sessions deleted");
            assert_eq!(w.session_keys(), ["long00000"]);
        }
    });
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
    w.execute("CREATE DOMAIN instant AS timestamptz");
    for zone in ["UTC", "America/Los_Angeles", "Pacific/Auckland"] {
        w.execute(&format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), '{zone}'); END $$"
        ));
        for type_name in ["timestamptz", "instant", "timestamp", "date", "text"] {
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

#[test]
fn what_never_expires_is_shown_as_it_is_stored_and_counted() {
    World::each("live_never", |w| {
        let zone = if w.is_sqlite() { "" } else { "+00" };
        let mut expires = vec![
            (format!("'9999-12-31 23:59:59.999999{zone}'"), "9999-12-31T23:59:59.999999Z"),
            (format!("'9999-12-30 21:00:00{zone}'"), "9999-12-30T21:00:00Z"),
            (format!("'2099-01-01 00:00:00.123456{zone}'"), "2099-01-01T00:00:00.123456Z"),
        ];
        if !w.is_sqlite() && !w.is_mysql() {
            expires.push(("'infinity'".into(), "infinity"));
            expires.push(("'20000-01-01 00:00:00+00'".into(), "20000-01-01T00:00:00Z"));
            let last = "'294276-12-31 23:59:59.999999+00'";
            expires.push((last.into(), "294276-12-31T23:59:59.999999Z"));
        }
        let stored: Vec<&str> = expires.iter().map(|(stored, _)| &**stored).collect();
        filled(w, if w.is_sqlite() { "datetime" } else { "timestamptz" }, &stored);
        all_find(w, expires.len().try_into().unwrap());
        let list = w.run(&["list", "--format", "csv"]).ok();
        let json = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
        for ((_, shown), row) in expires.iter().zip(&json) {
            assert!(list.stdout.contains(&format!(",{shown},")), "{list:?}");
            assert_eq!(row["expires"], *shown);
        }
        let never = expires.len() - 1;
        let stats = w.run(&["stats", "--format", "json"]).ok().json();
        let days = serde_json::json!([{"day": "2099-01-01", "sessions": 1, "anonymous": 0}, {"day": "never", "sessions": never, "anonymous": 0}]);
        assert_eq!(stats["expires"], days);
        w.run(&["stats"]).ok().says(&format!("never       {never:>10}  ####"));
        w.run(&["list"]).ok().says(" 2099-01-01T00:00:00Z ").says(" 9999-12-31T23:59:59Z ");
        w.run(&["purge-expired"]).ok().says("Purged 0 expired sessions");
        w.run(&["logout-user", "42"]).ok().says("none is left");
        assert_eq!(w.count(), 0);
    });
}

#[test]
fn a_time_without_a_zone_is_shown_without_z_as_the_clock_shows_it() {
    let w = World::sqlite("live_no_z");
    filled(&w, "datetime", &["'2099-01-01 00:00:00.123456'"]);
    let ran = program(&["list", "-d", &w.url()]).ran("").ok();
    assert!(ran.stdout.contains(" 2099-01-01T00:00:00  "), "{ran:?}");
    let w = World::postgres("live_no_z");
    w.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Asia/Tokyo''', current_database()); END $$",
    );
    filled(&w, "timestamp", &["'2099-01-01 00:00:00.123456'", "'infinity'"]);
    let ran = w.run(&["list"]).ok();
    assert!(ran.stdout.contains(" 2099-01-01T00:00:00  "), "{ran:?}");
    let ran = w.run(&["list", "--format", "csv"]).ok();
    assert!(ran.stdout.contains(",2099-01-01T00:00:00.123456,"), "{ran:?}");
    assert!(ran.stdout.contains(",infinity,"), "{ran:?}");
}

#[test]
fn what_holds_no_time_is_a_line_of_the_chart() {
    let w = World::sqlite("live_unknown");
    filled(&w, "datetime", &["'soon'", "x'00'", "NULL"]);
    let stats = w.run(&["stats", "--format", "json"]).ok().json();
    assert_eq!(
        stats["expires"],
        serde_json::json!([{"day": "unknown", "sessions": 2, "anonymous": 0}])
    );
}

#[test]
fn a_purge_comes_to_each_expired_row_once_whatever_its_expiry_holds() {
    let w = World::sqlite("live_windows");
    let cutoff: Timestamp = "2026-11-22T01:57:46Z".parse().unwrap();
    for type_name in ["datetime", "text", ""] {
        let odd = [
            "1",
            "1",
            "-5",
            "2.5",
            "2.5",
            "-9e999",
            "''",
            "''",
            "'2020-01-01'",
            "CAST(x'31ff' AS TEXT)",
            "CAST(x'31ff' AS TEXT)",
            "'1'",
            "'1 '",
            "NULL",
            "x'00'",
            "'soon'",
        ];
        filled(&w, type_name, &odd);
        let clock = WallClock::in_zone("UTC").unwrap();
        let store = Sqlite::new(w.url().into(), Table::default(), clock);
        let consent = Consent::from_ask(Ask::Explicit).unwrap();
        let mut writer = store.writer(consent).unwrap();
        for limit in [1, 2, 3] {
            let (mut from, mut picked) = (None, Vec::new());
            loop {
                let window = writer.pick_expired(cutoff, from.as_ref(), limit).unwrap();
                picked.extend(window.rows.iter().map(str::to_owned));
                assert!(picked.len() <= 13, "{type_name:?} {limit}: {picked:?}");
                from = window.next;
                if from.is_none() {
                    break;
                }
            }
            picked.sort();
            picked.dedup();
            assert_eq!(picked.len(), 13, "{type_name:?} {limit}");
        }
        drop(writer);
        w.run(&["purge-expired"]).ok().says("Purged 13 expired sessions").says("none is left");
    }
}

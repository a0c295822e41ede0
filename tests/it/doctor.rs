//! `doctor`: each thing that it looks at, when it is well and when it is not.

use serde_json::Value;

use crate::errors::REST_OF_KEY;
use crate::role::SENTINEL;
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, login, program, signed, signed_text};

pub(crate) const DOCTOR: [&str; 3] = ["doctor", "--format", "json"];

impl Ran {
    /// The finding of this name.
    pub(crate) fn finding(&self, check: &str) -> Value {
        for secret in [SENTINEL, SECRET_KEY, REST_OF_KEY] {
            assert!(!self.stdout.contains(secret) && !self.stderr.contains(secret), "{self:#?}");
        }
        let findings = self.json()["findings"].as_array().unwrap().clone();
        let mut found = findings.into_iter().filter(|finding| finding["check"] == check);
        let finding = found.next().unwrap_or_else(|| panic!("no {check} in {self:#?}"));
        assert!(found.next().is_none(), "{check} twice in {self:#?}");
        finding
    }

    /// What it found of this thing, and that it said so.
    pub(crate) fn finds(self, check: &str, status: &str, texts: &[&str]) -> Self {
        let finding = self.finding(check);
        assert_eq!(finding["status"], status, "{finding}");
        let next_step = finding["next_step"].as_str();
        assert!(next_step.is_some() || ["ok", "unknown"].contains(&status), "{finding}");
        let said = format!("{}\n{}", finding["text"].as_str().unwrap(), next_step.unwrap_or(""));
        for text in texts {
            assert!(said.contains(text), "no {text:?} in {said}");
        }
        self
    }
}

fn doctor(w: &World) -> Ran {
    w.run(&DOCTOR)
}

/// A table of Django's, but for this.
fn made_anew(w: &World, columns: &str) {
    w.execute(&format!("DROP TABLE django_session; CREATE TABLE django_session ({columns})"));
}

#[test]
fn a_table_as_django_makes_it_is_well() {
    World::each("doctor_well", |w| {
        w.user("42", 100);
        let ran = doctor(w).ok();
        let expected = if w.is_sqlite() {
            "connection ok, server ok, privileges ok, table ok, columns ok, indexes ok, triggers ok, foreign-keys ok, \
             free-space ok, key ok, layouts ok, serializers ok, time-zone unknown, expired ok, user-column ok"
        } else if w.is_mysql() {
            "connection ok, server ok, writes ok, table ok, privileges ok, columns ok, indexes ok, triggers ok, \
             foreign-keys ok, transactions ok, key ok, layouts ok, serializers ok, time-zone unknown, expired ok, user-column ok"
        } else {
            // The tests are a superuser.
            "connection warning, server ok, encryption ok, replica ok, table ok, columns ok, indexes ok, \
             privileges ok, row-security ok, triggers ok, foreign-keys ok, vacuum ok, locks ok, snapshots ok, \
             replication ok, key ok, layouts ok, serializers ok, expired ok, user-column ok"
        };
        let report = ran.json();
        let findings = report["findings"].as_array().unwrap();
        let word = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let said: Vec<String> = findings
            .iter()
            .map(|finding| format!("{} {}", word(finding, "check"), word(finding, "status")))
            .collect();
        assert_eq!(said.join(", "), expected);
        let is_superuser = !w.is_sqlite() && !w.is_mysql();
        assert_eq!(report["status"], if is_superuser { "warning" } else { "ok" });
        ran.finds("key", "ok", &["100% of the newest 100 rows (key 1 of 1: 100%)"])
            .finds("layouts", "ok", &["Django 3.1 and later 100%"])
            .finds("serializers", "ok", &["JSON 100%"])
            .finds("expired", "ok", &["0 rows (0%)"])
            .finds("user-column", "ok", &["none", "backfill"]);
    });
}

#[test]
fn for_people_it_is_one_line_for_each_and_the_next_step() {
    World::each("doctor_human", |w| {
        w.user("42", 3).expired(2);
        let ran = w.run(&["doctor"]).ok();
        let line = |start: &str| ran.stdout.lines().any(|line| line.starts_with(start));
        assert!(line("ok       columns       as Django"), "{ran:#?}");
        assert!(line("warning  expired       2 rows (40%), the oldest for "), "{ran:#?}");
        assert!(
            ran.stdout.contains("\n                       next: no purge seems to run"),
            "{ran:#?}"
        );
        assert!(ran.stdout.contains("\n\n0 problems, "), "{ran:#?}");
        assert!(!ran.stdout.contains(REST_OF_KEY) && !ran.stdout.contains(SECRET_KEY), "{ran:#?}");
        let brief = w.run(&["doctor", "-q"]).ok().stdout;
        assert!(brief.contains("warning  expired") && !brief.contains("ok "), "{brief}");
    });
}

#[test]
fn an_empty_table_is_no_trouble_but_may_be_the_wrong_one() {
    World::each("doctor_empty", |w| {
        doctor(w).ok().finds("rows", "ok", &["empty"]).finds("expired", "ok", &["0 rows (0%)"]);
        w.execute("CREATE TABLE usersessions_usersession (session_key varchar(40) PRIMARY KEY)");
        doctor(w).ok().finds("rows", "ok", &["django-allauth", "SESSION_ENGINE"]);
        w.execute("CREATE TABLE user_sessions_session AS SELECT * FROM django_session");
        doctor(w).ok().finds("rows", "warning", &["session tables: user_sessions_session"]);
        let named = [&DOCTOR[..], &["--table", "user_sessions_session"]].concat();
        w.run(&named).finds("rows", "ok", &["empty"]);
        w.user("42", 1);
        assert!(!doctor(w).stdout.contains("session tables"));
    });
}

#[test]
fn what_cannot_be_reached_is_a_problem_and_not_a_failure() {
    World::each("doctor_unreachable", |w| {
        let url = if w.is_sqlite() {
            w.url().replace("db.sqlite3", "other.sqlite3")
        } else {
            let (_, rest) =
                w.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            let scheme = if w.is_mysql() { "mysql" } else { "postgres" };
            format!("{scheme}://nobody:{SENTINEL}@{rest}")
        };
        let at = |url: &str, arguments: &[&str]| {
            let mut command = program(arguments);
            command.env("DATABASE_URL", url).env("SECRET_KEY", SECRET_KEY).ran("")
        };
        let ran = at(&url, &DOCTOR).exits(5).finds("connection", "problem", &["cannot "]);
        assert_eq!(ran.json()["findings"].as_array().unwrap().len(), 1);
        if !w.is_sqlite() {
            at(&url, &["doctor", "--grants"]).refuses(
                1,
                &[if w.is_mysql() {
                    "Access denied for user 'nobody'"
                } else {
                    "password authentication failed"
                }],
            );
        }
        w.execute("ALTER TABLE django_session RENAME TO sessions");
        doctor(w).exits(5).finds(
            "table",
            "problem",
            &["no table \"django_session\"", "sessions; name"],
        );
        program(&DOCTOR).ran("").refuses(2, &["no database given"]);
    });
}

#[test]
fn columns_that_django_would_not_make() {
    World::each("doctor_columns", |w| {
        let time = if w.is_sqlite() { "datetime" } else { "timestamp with time zone" };
        let text = if w.is_mysql() { "longtext" } else { "text" };
        let columns = |key: &str, expires: &str| {
            format!(
                "session_key {key} PRIMARY KEY, session_data {text} NOT NULL, {expires} NOT NULL"
            )
        };
        made_anew(w, &columns("varchar(100) NOT NULL", &format!("expire_date {time}")));
        doctor(w).ok().finds("columns", "warning", &["session_key is ", "(100), not "]);
        made_anew(w, &columns("varchar(40) NOT NULL", "expire_date date"));
        doctor(w).ok().finds("columns", "warning", &["expire_date is date, not "]);
        made_anew(
            w,
            &format!(
                "session_key varchar(40) PRIMARY KEY, session_data {text}, expire_date {time} NOT NULL"
            ),
        );
        doctor(w).ok().finds("columns", "warning", &["session_data may be NULL"]);
        made_anew(w, &columns("varchar(40) NOT NULL", &format!("expires {time}")));
        doctor(w).exits(5).finds("columns", "problem", &["no column expire_date"]).finds(
            "rows",
            "unknown",
            &["not a session table"],
        );
    });
}

#[test]
fn indexes_that_are_missing() {
    World::each("doctor_indexes", |w| {
        w.user("42", 3);
        doctor(w).finds("indexes", "ok", &[]);
        let index = "django_session_expire_date_a5c62663";
        let on = if w.is_mysql() { " ON django_session" } else { "" };
        w.execute(&format!("DROP INDEX {index}{on}"));
        let said = ["expire_date has none", "CREATE INDEX"];
        let ran = doctor(w).ok().finds("indexes", "warning", &said);
        // Then the sample is some rows.
        let ran = ran.finds("key", "ok", &["100% of the 3 rows"]);
        let next_step = ran.finding("indexes")["next_step"].as_str().unwrap().to_owned();
        w.execute(&next_step);
        doctor(w).finds("indexes", "ok", &[]).finds("key", "ok", &["100% of the newest 3 rows"]);
        let time = if w.is_sqlite() { "datetime" } else { "timestamptz" };
        made_anew(
            w,
            &format!(
                "session_key varchar(40) NOT NULL, session_data text NOT NULL, expire_date {time} NOT NULL"
            ),
        );
        let ran = doctor(w).exits(5);
        let ran = ran.finds("indexes", "problem", &["session_key has no unique one"]);
        let next_step = ran.finding("indexes")["next_step"].as_str().unwrap().to_owned();
        w.execute(&next_step);
        doctor(w).ok().finds("indexes", "warning", &["expire_date has none"]);
    });
}

#[test]
fn foreign_keys_and_triggers() {
    World::each("doctor_references", |w| {
        w.execute("CREATE TABLE carts (id integer, session varchar(40) REFERENCES django_session ON DELETE CASCADE)");
        doctor(w).ok().finds(
            "foreign-keys",
            "warning",
            &["carts (session, CASCADE)", "go or change with the sessions"],
        );
        w.execute("CREATE TABLE notes (id integer, session varchar(40) REFERENCES django_session)");
        doctor(w).ok().finds(
            "foreign-keys",
            "warning",
            &[
                if w.is_mysql() && !w.is_oracle() {
                    "notes (session, RESTRICT)"
                } else {
                    "notes (session, NO ACTION)"
                },
                "cannot be deleted, and stays",
            ],
        );
        doctor(w).finds("triggers", "ok", &["none"]);
        w.execute(if w.is_sqlite() {
            "CREATE TRIGGER audit AFTER DELETE ON django_session BEGIN SELECT 1; END"
        } else if w.is_mysql() {
            "CREATE TRIGGER audit AFTER DELETE ON django_session FOR EACH ROW SET @audited = 1"
        } else {
            "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER audit AFTER DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION audit()"
        });
        doctor(w).ok().finds("triggers", "warning", &["audit: they run"]);
    });
}

#[test]
fn which_key_verifies_how_many() {
    World::each("doctor_keys", |w| {
        let add = |rows: usize, key: &str| {
            let data = signed(&login("42"), key);
            let keys: Vec<String> = (0..rows).map(|_| w.next_key()).collect();
            w.rows(keys.iter().map(|key| (&**key, &*data, "2099-01-01 00:00:00".into())));
        };
        add(90, SECRET_KEY);
        add(8, "fallback two");
        let with = |fallbacks: &str| {
            let mut command = w.command(&DOCTOR);
            command.env("SECRET_KEY", SECRET_KEY);
            command.env("DJANGO_SECRET_KEY_FALLBACKS", fallbacks).ran("")
        };
        with("fallback one,fallback two").ok().finds(
            "key",
            "ok",
            &["verifies 100%", "(key 1 of 3: 91%, key 2 of 3: 0%, key 3 of 3: 8%)"],
        );
        w.run(&DOCTOR).ok().finds("key", "warning", &["verifies 91%", "give the old ones too"]);
        let only = |key: &str| w.command(&DOCTOR).env("SECRET_KEY", key).ran("");
        only("fallback two").ok().finds("key", "warning", &["verifies 8%"]);
        only("another").exits(5).finds("key", "problem", &["verifies 0%", "of the site itself"]);
        w.run_without_key(&DOCTOR).ok().finds("key", "unknown", &["no SECRET_KEY given"]);
        let swapped = w
            .command(&DOCTOR)
            .env("SECRET_KEY", "the new one")
            .env("DJANGO_SECRET_KEY_FALLBACKS", format!("[\"{SECRET_KEY}\",\"fallback two\"]"))
            .ran("");
        swapped.ok().finds("key", "warning", &["key 1 of 3: 0%", "is the first key"]);
        // Of 1,000 rows or more the newest are looked at.
        w.expired(1_000);
        w.run(&DOCTOR).ok().finds("key", "warning", &["verifies 9% of the newest 1000 rows"]);
    });
}

#[test]
fn what_is_left_of_old_times() {
    World::each("doctor_formats", |w| {
        w.user("42", 8);
        // As base64: `{}` as a pickle, and as JSON after a hash.
        w.row(&w.next_key(), &signed_text("gAJ9cQEu", SECRET_KEY), "2099-01-01 00:00:00");
        doctor(w).ok().finds("serializers", "warning", &["pickle 11%", "JSONSerializer"]).finds(
            "layouts",
            "ok",
            &["Django 3.1 and later 100%"],
        );
        w.row(
            &w.next_key(),
            "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDp7fQ==",
            "2099-01-01 00:00:00",
        );
        doctor(w).finds("layouts", "ok", &["Django 3.1 and later 90%", "Django 1.3 to 3.0 10%"]);
        w.row(&w.next_key(), ".eJgarbage!", "2099-01-01 00:00:00");
        doctor(w).finds("layouts", "warning", &["no layout of Django's 9%"]);
        w.execute("DELETE FROM django_session WHERE session_key LIKE '00000008%'");
        w.session("\u{93}msgpack");
        doctor(w).finds("serializers", "warning", &["1 row cannot be read"]);
    });
}

#[test]
fn expired_rows_that_nobody_purges() {
    World::each("doctor_expired", |w| {
        let hours_ago = |hours: i64| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            let at = i64::try_from(now.as_secs()).unwrap() - hours * 3_600;
            let at = sessctl::model::Timestamp::from_seconds(at).unwrap().to_string();
            at.replace('T', " ").trim_end_matches('Z').to_owned()
        };
        let zoned = |at: String| if w.is_sqlite() { at } else { at + "+00" };
        w.user("42", 8);
        w.row(&w.next_key(), "x", &zoned(hours_ago(5)));
        doctor(w).ok().finds("expired", "ok", &["1 row (11%), the oldest for 5 hours"]);
        w.row(&w.next_key(), "x", &zoned(hours_ago(6)));
        doctor(w).ok().finds("expired", "ok", &["2 rows (20%), the oldest for 6 hours"]);
        w.row(&w.next_key(), "x", &zoned(hours_ago(7)));
        doctor(w).ok().finds("expired", "warning", &["3 rows (27%)", "sessctl purge-expired"]);
        w.user("42", 80);
        doctor(w).ok().finds("expired", "ok", &["3 rows (3%)"]);
        w.row(&w.next_key(), "x", &zoned(hours_ago(72)));
        doctor(w).ok().finds("expired", "warning", &["4 rows (4%), the oldest for 3 days"]);
    });
}

#[test]
fn the_user_column() {
    World::each("doctor_column", |w| {
        w.user("42", 5);
        w.run(&["backfill", "--no-index"]).ok();
        doctor(w).ok().finds(
            "user-column",
            "warning",
            &["user_id (bigint), without an index", "backfill"],
        );
        w.run(&["backfill"]).ok();
        doctor(w).ok().finds(
            "user-column",
            "ok",
            &["user_id (bigint), indexed, right for 100% of 5 logins newest"],
        );
        w.user("7", 5);
        doctor(w).ok().finds(
            "user-column",
            "warning",
            &["right for 50% of 10 logins", "django-code"],
        );
        w.execute("UPDATE django_session SET user_id = 1");
        doctor(w).ok().finds("user-column", "warning", &["something else", "not used"]);
        w.execute("UPDATE django_session SET user_id = NULL");
        doctor(w).ok().finds(
            "user-column",
            "warning",
            &["right for 0% of 10 logins", "backfill` fills it"],
        );
    });
}

/// Commands that name users would refuse, or exit with 3.
#[test]
fn a_table_of_users_that_is_not_the_site_s() {
    World::each("doctor_users", |w| {
        w.user("56983410-c068-4719-807a-7d6583c339b6", 1);
        assert!(!doctor(w).ok().stdout.contains("\"users\""));
        w.execute("CREATE TABLE auth_user (id bigint PRIMARY KEY, username text UNIQUE)");
        w.execute("INSERT INTO auth_user VALUES (1, 'anna')");
        doctor(w).ok().finds("users", "warning", &["auth_user", "UUIDs", "--user-table"]);
        w.execute("DELETE FROM django_session");
        w.user("1", 1);
        doctor(w).ok().finds("users", "ok", &["holds numbers"]);
    });
}

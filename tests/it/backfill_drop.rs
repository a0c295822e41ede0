//! `backfill --drop`: the table is as it was before, and a column that is not sessctl's stays.

use std::time::Duration;

use serde_json::json;

use crate::backfill::{INDEX, REPORT, schema, site, told};
use crate::flush_all::at_a_terminal;
use crate::running::Running;
use crate::site::Site;
use crate::table_kinds::partitioned;
use crate::world::{SECRET_KEY, World, login, signed_at};

const DROP: [&str; 5] = ["backfill", "--drop", "--yes", "--format", "json"];

#[test]
fn the_column_and_its_index_go_and_nothing_else_does() {
    World::each("drop", |w| {
        let before = schema(w);
        site(w, &["42", "7"]);
        let data = told(w, "session_data");
        for kind in ["bigint", "text"] {
            w.run(&[&REPORT[..], &["--type", kind]].concat()).ok();
            let with_column = schema(w);
            let dry = w.run(&["backfill", "--drop", "-n", "--format", "json"]).ok().json();
            assert_eq!(
                (&dry["dropped"], &dry["filled"], &dry["scanned"]),
                (&json!(false), &json!(4), &json!(10))
            );
            assert_eq!(dry["rewrites"], json!(w.is_sqlite()));
            let sql: Vec<&str> =
                dry["sql"].as_array().unwrap().iter().map(|sql| sql.as_str().unwrap()).collect();
            assert!(
                sql.len() == 2 && sql[0].contains(INDEX) && sql[1].contains("DROP COLUMN"),
                "{dry}"
            );
            // Nobody is asked where there is no terminal.
            w.run(&["backfill", "--drop"]).exits(4);
            for answer in ["", "y", "5"] {
                at_a_terminal(w, answer, &["backfill", "--drop"]).exits(4).says("(4)");
            }
            assert_eq!(schema(w), with_column);
            let report = if kind == "text" {
                at_a_terminal(w, "4", &["backfill", "--drop"])
                    .ok()
                    .says("Column user_id is gone, with its index and 4 user ids");
                json!({"dropped": true})
            } else {
                w.run(&DROP).ok().json()
            };
            assert_eq!(report["dropped"], true);
            assert_eq!((schema(w), told(w, "session_data")), (before.clone(), data.clone()));
            w.run(&DROP).refuses(2, &["no column \"user_id\"", "dropped already"]);
        }
        // Without its index, under another name, and what the dry run says is what it takes.
        w.run(&["backfill", "--no-index", "--column", "Who is it"]).ok();
        let dry = w
            .run(&["backfill", "--drop", "-n", "--column", "Who is it", "--format", "json"])
            .ok()
            .json();
        assert_eq!(dry["sql"].as_array().unwrap().len(), 1);
        w.execute(dry["sql"][0].as_str().unwrap());
        assert_eq!(schema(w), before);
        w.run(&REPORT).ok();
        // Names of columns are compared as the database does.
        let in_capitals = ["backfill", "--drop", "--yes", "--column", "User_Id"];
        if w.is_sqlite() || w.is_mysql() {
            w.run(&in_capitals).ok().says("is gone");
            assert_eq!(schema(w), before);
        } else {
            let with_column = schema(w);
            w.run(&in_capitals).refuses(2, &["no column \"User_Id\""]);
            assert_eq!(schema(w), with_column);
        }
        w.run(&["logout-user", "42"]).ok();
    });
}

#[test]
fn a_column_that_is_not_as_backfill_makes_it_stays() {
    World::each("drop_others", |w| {
        let bigint = "user_id bigint";
        w.execute("CREATE TABLE people (id bigint PRIMARY KEY)");
        let mut kinds = vec![
            (bigint.to_owned() + " REFERENCES people (id)", String::new()),
            (bigint.to_owned() + " NOT NULL DEFAULT 0", String::new()),
            (bigint.to_owned() + " DEFAULT 7", String::new()),
            ("user_id integer".to_owned(), String::new()),
            (bigint.to_owned(), "CREATE INDEX by_user ON django_session (user_id)".to_owned()),
            (
                bigint.to_owned(),
                "CREATE INDEX by_both ON django_session (expire_date, user_id)".to_owned(),
            ),
            (
                bigint.to_owned(),
                format!(
                    "CREATE INDEX {INDEX} ON django_session (user_id); CREATE INDEX by_user ON django_session (user_id)"
                ),
            ),
            (
                bigint.to_owned(),
                "CREATE VIEW who AS SELECT session_key, user_id FROM django_session".to_owned(),
            ),
        ];
        for index in ["(expire_date, user_id)", "(user_id, expire_date)"] {
            kinds.push((
                bigint.to_owned(),
                format!("CREATE INDEX {INDEX} ON django_session {index}"),
            ));
        }
        kinds.push((
            bigint.to_owned(),
            format!("CREATE UNIQUE INDEX {INDEX} ON django_session (user_id)"),
        ));
        if !w.is_mysql() {
            for index in [
                format!("{INDEX} ON django_session (user_id) WHERE user_id > 7"),
                "other ON django_session (expire_date) WHERE user_id > 7".to_owned(),
                "other ON django_session ((User_Id + 1))".to_owned(),
            ] {
                kinds.push((bigint.to_owned(), format!("CREATE INDEX {index}")));
            }
        }
        if w.is_mysql() {
            // A reference of a column is parsed there, and means nothing.
            kinds[0] = (
                bigint.to_owned()
                    + ", ADD CONSTRAINT whose FOREIGN KEY (user_id) REFERENCES people (id)",
                String::new(),
            );
            kinds.push((bigint.to_owned(), "CREATE TRIGGER fills BEFORE INSERT ON django_session FOR EACH ROW SET NEW.user_id = 1".to_owned()));
        }
        for (column, besides) in kinds {
            w.renew();
            w.user("42", 2);
            w.execute(&format!("ALTER TABLE django_session ADD COLUMN {column}"));
            if !besides.is_empty() {
                w.execute(&besides);
            }
            let before = schema(w);
            for options in [&["-n"][..], &["--yes"]] {
                let ran = w.run(&[&["backfill", "--drop"], options].concat());
                assert!(
                    ran.code == 1 && ran.stderr.contains("error: "),
                    "{column} {besides}: {ran:#?}"
                );
                assert!(!ran.stdout.contains("is gone"), "{ran:#?}");
            }
            assert_eq!((schema(w), w.count()), (before, 2), "{column} {besides}");
            if besides.contains("VIEW") {
                w.execute("DROP VIEW who");
            }
        }
        for name in ["session_key", "session_data", "expire_date"] {
            w.run(&["backfill", "--drop", "--yes", "--column", name]).exits(2);
        }
        w.run(&["backfill", "--drop", "--watch-nulls"]).exits(2);
        w.run(&["backfill", "--yes"]).exits(2);
    });
}

#[test]
fn a_site_that_fills_the_column_is_told_of() {
    World::each("drop_filled", |w| {
        w.user("42", 1);
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let saved = crate::list_order::base62(i64::try_from(now).unwrap());
        let data = signed_at(&crate::world::base64_url(login("7").as_bytes()), &saved, SECRET_KEY);
        w.row("fresh---abcdefghijk", &data, "2099-01-01 00:00:00");
        w.run(&REPORT).ok();
        let dry = w.run(&["backfill", "--drop", "-n"]).ok();
        dry.says("1 session saved in the last hour with a user id in it: if the site fills the column, it fails without it");
    });
}

#[test]
fn a_lock_of_somebody_else_is_waited_for() {
    for w in [World::postgres("drop_locked"), World::mysql("drop_locked")] {
        site(&w, &["42"]);
        let before = schema(&w);
        w.run(&REPORT).ok();
        let holds = |w: &World| {
            let running = Running::start(w.command(&DROP).env("SECRET_KEY", SECRET_KEY));
            std::thread::sleep(Duration::from_secs(2));
            running
        };
        let running = if w.is_mysql() {
            let mut client = w.mysql_client();
            client.query("START TRANSACTION");
            client.query("SELECT * FROM django_session");
            let running = holds(&w);
            client.query("COMMIT");
            running
        } else {
            let mut client = w.client();
            let mut transaction = client.transaction().unwrap();
            transaction.batch_execute("SELECT * FROM django_session").unwrap();
            let running = holds(&w);
            transaction.commit().unwrap();
            running
        };
        assert_eq!(running.end().ok().json()["dropped"], true);
        assert_eq!(schema(&w), before);
    }
}

/// Names of indexes are those of a schema on PostgreSQL, where another table may have the index of this name.
#[test]
fn an_index_of_the_same_name_on_another_table_stays() {
    let w = World::postgres("drop_namesake");
    w.user("42", 2);
    w.execute(&format!(
        "ALTER TABLE django_session ADD COLUMN user_id bigint; CREATE TABLE other (user_id bigint);
         CREATE INDEX {INDEX} ON other (user_id)"
    ));
    w.run(&["backfill", "--drop", "--yes"]).ok().says("is gone");
    // It can be dropped still.
    w.execute(&format!("DROP INDEX {INDEX}"));
}

#[test]
fn a_partitioned_table_loses_its_column_too() {
    let w = partitioned("drop_partitioned");
    let before = schema(&w);
    site(&w, &["42", "7"]);
    w.run(&REPORT).ok();
    assert_ne!(schema(&w), before);
    assert_eq!(w.run(&DROP).ok().json()["dropped"], true);
    assert_eq!(schema(&w), before);
}

#[test]
fn a_real_site_works_on_without_it() {
    Site::each("drop_site", "5.2", &[], |site| {
        let request = "
from django.test import Client
user, _ = User.objects.get_or_create(username='anna')
client = Client()
print(client.get(f'/login/{user.pk}').json()['user'] == client.get('/whoami').json()['user'])";
        assert_eq!(site.python(request), "True");
        site.run(&["backfill"]).ok();
        assert_eq!(site.python(request), "True");
        site.run(&["backfill", "--drop", "--yes"]).ok().says("is gone");
        assert_eq!(site.python(request), "True");
        site.run(&["logout-user", "--username", "anna"]).ok();
    });
}

#[test]
fn a_column_of_the_project_s_own_model_stays() {
    let site = Site::sqlite("drop_own_model", "5.2", &[]).project(
        "",
        "from django.db.models.signals import class_prepared
def add(sender, **kwargs):
    from django.db import models
    if sender.__name__ == 'Session':
        models.BigIntegerField(null=True).contribute_to_class(sender, 'user_id')
class_prepared.connect(add)",
    );
    site.python("from django.db import connection; connection.cursor().execute('ALTER TABLE django_session ADD COLUMN user_id bigint')");
    let ran = site.run(&["backfill", "--drop", "--yes"]);
    ran.refuses(2, &["session model has a field in column \"user_id\"", "migration"]);
}

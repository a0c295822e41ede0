//! `logout-user` by what the site knows of its users.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use postgres::{Client, NoTls};
use serde_json::json;

use crate::mysql_server::MySqlClient;
use crate::role::Role;
use crate::running::{Running, eventually};
use crate::site::Site;
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, login, signed};

/// Django's table of users, with some in it.
fn with_users(w: &World) {
    let boolean =
        |value: bool| if w.is_sqlite() { u8::from(value).to_string() } else { value.to_string() };
    let boolean_type = if w.is_sqlite() { "bool" } else { "boolean" };
    // As a site has it that tells `anna` from `Anna`.
    let collation = if w.is_mysql() { "COLLATE utf8mb4_bin" } else { "" };
    w.execute(&format!(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) {collation} UNIQUE, email varchar(254),
         is_active {boolean_type}, is_staff {boolean_type}, is_superuser {boolean_type})"
    ));
    for (id, name, email, active, staff, root) in [
        (1, "anna", "Anna@Example.org", true, true, true),
        (2, "Anna", "anna@example.org", true, false, false),
        (3, "bert", "bert''s@home@EXAMPLE.ORG", false, false, false),
        (4, "it''s", "it@example.org.evil", true, true, false),
        (5, "ännä", "", true, false, false),
        (6, "\x1b[31mred", "6@x", false, false, false),
    ] {
        w.execute(&format!(
            "INSERT INTO auth_user VALUES ({id}, '{name}', '{email}', {}, {}, {})",
            boolean(active),
            boolean(staff),
            boolean(root)
        ));
        w.user(&id.to_string(), 1);
    }
}

/// The ids of whom a dry run would log out.
fn whom(ran: &Ran) -> Vec<String> {
    let report = ran.json();
    let users = report["users"].as_array().unwrap();
    assert_eq!(report["matched"], users.len());
    let mut ids: Vec<String> = users.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn users_are_found_by_what_the_site_knows() {
    World::each("whose", |w| {
        with_users(w);
        let by = |options: &[&str]| {
            whom(&w.run(&[&["logout-user", "-n", "--format", "json"], options].concat()).ok())
        };
        assert_eq!(by(&["--username", "anna"]), ["1"]);
        assert_eq!(by(&["--username", "Anna", "--username", "it's"]), ["2", "4"]);
        assert_eq!(by(&["--username", "ännä"]), ["5"]);
        // The local part as it is, the domain in either case, and nothing more.
        assert_eq!(by(&["--email", "Anna@example.ORG"]), ["1"]);
        assert_eq!(by(&["--email", "anna@EXAMPLE.org"]), ["2"]);
        assert_eq!(by(&["--email", "bert's@home@example.org"]), ["3"]);
        assert_eq!(by(&["--deactivated"]), ["3", "6"]);
        assert_eq!(by(&["--inactive"]), ["3", "6"]);
        assert_eq!(by(&["--staff"]), ["1", "4"]);
        assert_eq!(by(&["--superusers"]), ["1"]);
        // Names add up, conditions narrow, and both together could be meant either way.
        assert_eq!(
            by(&["2", "--username", "bert", "--email", "Anna@example.org", "6"]),
            ["1", "2", "3", "6"]
        );
        assert_eq!(by(&["--staff", "--superusers"]), ["1"]);
        w.run(&["logout-user", "--superusers", "--staff", "-n"])
            .says("note: --staff --superusers: only users who meet each of these conditions");
        assert_eq!(by(&["--staff", "--deactivated"]), [""; 0]);
        for named in [&["2"][..], &["--username", "anna"], &["--email", "6@x"]] {
            for kind in ["--staff", "--superusers", "--deactivated", "--deleted-users"] {
                let mixed = w.run(&[&["logout-user", kind], named].concat());
                mixed.refuses(2, &[kind, "not clear whether", "one after the other"]);
            }
        }
        let mut of_file = w.command(&["logout-user", "--staff", "--from-file", "-"]);
        of_file.ran("2\n").refuses(2, &["not clear whether"]);
        w.run(&["logout-user", "--deleted-users", "--staff"])
            .refuses(2, &["of a deleted user nothing else is known"]);
        assert_eq!(w.count(), 6);
        for nobody in [
            ["--username", "ANNA"],
            ["--username", "ann_"],
            ["--username", "x' OR '1'='1"],
            ["--username", "\\"],
            ["--email", "anna"],
            ["--email", "example.org"],
            ["--email", "ANNA@example.org"],
            ["--email", "it@example.org"],
            ["--email", "%@example.org"],
        ] {
            let told = w.run(&[&["logout-user"], &nobody[..]].concat()).exits(2);
            let told = told.says("error: no user in table").says("nobody is logged out");
            assert!(w.count() == 6 && told.stdout.is_empty(), "{told:#?}");
        }
        // Django's login compares exactly, its password reset does not: who may be meant is shown.
        let other_case = |option, name, ids| {
            let told = w.run(&["logout-user", option, name]).exits(2);
            told.says(&format!("in another letter case, some user is: write the name as the table has it, or name the user by the id: {ids}"));
        };
        other_case("--email", "ANNA@example.org", "\"1\", \"2\"");
        other_case("--username", "ANNA", "\"1\", \"2\"");
        w.run(&["logout-user", "-n", "--email", "anna@example.org"]).ok().says(
            "\"anna@example.org\" is the address of other users, too, in another letter case, who are left out: \"1\"",
        );
        w.run(&["logout-user", "2", "--username", "nobody"]).exits(2).says("is \"nobody\"");
        assert_eq!(w.count(), 6);
        w.run(&["logout-user", "2"]).ok().says("Logged out Anna (2): 1 session");
        assert_eq!(w.count(), 5);
    });
}

#[test]
fn a_dry_run_shows_who_is_meant() {
    World::each("whose_shown", |w| {
        with_users(w);
        let shown =
            w.run(&["logout-user", "--username", "bert", "--username", "anna", "--dry-run"]).ok();
        for line in ["USER          USERNAME\n", "\n1             anna\n", "\n3             bert\n"]
        {
            assert!(shown.stdout.contains(line), "{shown:#?}");
        }
        assert!(!shown.stdout.contains('\u{1b}') && w.count() == 6);
        let report = w.run(&["logout-user", "--username", "anna", "--format", "json"]).ok().json();
        assert_eq!(report["resolved"], serde_json::json!([{"id": "1", "username": "anna"}]));
        assert_eq!(w.count(), 5);
    });
}

#[test]
fn sessions_of_users_who_exist_no_longer() {
    World::each("whose_deleted", |w| {
        with_users(w);
        w.user("7", 2).user("8", 1).expired(3);
        w.session("{}");
        // To Python the first three are the number of somebody who is there, and the fourth that of one who is not.
        for odd in [" 1", "+1", "01", "1_0", "x"] {
            w.session(&login(odd));
        }
        let before = w.count();
        let dry = w.run(&["logout-user", "--deleted-users", "-n", "--format", "json"]).exits(3);
        assert_eq!(
            (&dry.json()["users"], &dry.json()["matched"]),
            (&serde_json::json!(["10", "7", "8"]), &3.into())
        );
        let ran = w.run(&["logout-user", "--deleted-users"]).exits(3);
        assert!(
            ran.stdout.starts_with("NOT known to be logged out, 3 users: 3 sessions deleted, none"),
            "{ran:#?}"
        );
        let ran = ran.says("Users were looked up in table \"auth_user\"");
        let ran = ran.says("1 session stayed whose id is spelled otherwise");
        ran.says("1 session stayed and names a user whom no key of that table can mean (\"x\")");
        assert_eq!(w.count(), before - 3);
        let report = w.run(&["logout-user", "--deleted-users", "--format", "json"]).exits(3);
        let report = report.json();
        assert_eq!(
            [&report["deleted"], &report["unfit"], &report["unfit_ids"], &report["user_table"]],
            [&json!(0), &json!(1), &json!(["x"]), &json!("auth_user")]
        );
        let report =
            w.run(&["logout-user", "--deleted-users", "--unfit-ids", "--format", "json"]).exits(3);
        let report = report.json();
        assert_eq!(
            [&report["deleted"], &report["unfit"], &report["alike"]],
            [&json!(1), &json!(0), &json!(1)]
        );
        w.run(&["logout-user", "--unfit-ids", "1_0"]).ok().says("1 session deleted");
        w.run(&["logout-user", "1"]).exits(3).says("1 session deleted");
    });
}

/// A table of users that is not the site's, or not of today, would log everybody out.
#[test]
fn users_are_gone_only_by_a_table_that_can_be_believed() {
    World::each("whose_believed", |w| {
        with_users(w);
        let deleted = |more: &[&str]| w.run(&[&["logout-user", "--deleted-users"], more].concat());
        w.execute("DELETE FROM auth_user WHERE id > 2");
        // Of six users who are logged in, four are gone.
        let before = w.session_keys();
        for more in [&[][..], &["--format", "json"]] {
            let told = deleted(more).exits(4).says("--yes");
            told.says("4 of 6 users who are logged in are not in table \"auth_user\"");
        }
        deleted(&["--dry-run"]).ok().says("4 of 6").says("4 live sessions of 4 users");
        w.execute(
            "CREATE TABLE other_user (id integer PRIMARY KEY, username text UNIQUE);
                   INSERT INTO other_user VALUES (100, 'x')",
        );
        deleted(&["--yes", "--user-table", "other_user"])
            .exits(2)
            .says("sessions name 6 users, and table \"other_user\" has none of them");
        w.execute("DELETE FROM other_user");
        for more in [&["--yes"][..], &["--dry-run"], &["--yes", "--unfit-ids"]] {
            deleted(&[&["--user-table", "other_user"], more].concat())
                .exits(2)
                .says("table \"other_user\" is empty");
        }
        assert_eq!(w.session_keys(), before);
        deleted(&["--yes"]).ok().says("4 sessions deleted, none is left");
        // Half of them is not most of them.
        w.user("7", 3).user("8", 1);
        deleted(&[]).ok().says("4 sessions deleted, none is left");
    });
}

/// Two kinds of users, each with a table and an authentication backend, may have the same ids.
#[test]
fn logins_of_several_backends_may_be_of_users_of_another_table() {
    World::each("whose_backends", |w| {
        w.execute(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username text UNIQUE);
             INSERT INTO auth_user VALUES (1, 'anna'), (2, 'bob'), (3, 'carl')",
        );
        let login = |id: u8, backend: &str| {
            w.session(&format!(r#"{{"_auth_user_id":"{id}","_auth_user_backend":"{backend}"}}"#));
        };
        let users = || (1..4).for_each(|id| login(id, "a.Users"));
        users();
        login(4, "a.Users");
        let deleted = ["logout-user", "--deleted-users"];
        w.run(&deleted).ok().says("1 session deleted");
        login(1, "a.Customers");
        w.run(&deleted).ok().says("0 sessions deleted");
        login(4, "a.Customers");
        let why = "1 of 4 users who are logged in is not in table \"auth_user\": several authentication backends";
        w.run(&deleted).exits(4).says(why);
        w.run(&[&deleted[..], &["-n"]].concat()).ok().says(why).says("1 live session");
        assert_eq!(w.count(), 5);
        w.run(&[&deleted[..], &["--yes"]].concat()).ok().says("1 session deleted");
        let note = "logins of 1 user were made by more than one authentication backend";
        for more in [&["-n"][..], &[]] {
            let named = ["logout-user", "--username", "anna", "--username", "bob"];
            w.run(&[&named[..], more].concat()).ok().says(note);
        }
        assert_eq!(w.count(), 1);
        // Each user with one backend is ordinary.
        w.renew();
        users();
        login(4, "a.Customers");
        let ran = w.run(&["logout-user", "--username", "anna", "--username", "bob"]).ok();
        assert!(!ran.stderr.contains("backend"), "{ran:#?}");
    });
}

/// Of before the keys of users were changed from numbers to UUIDs.
#[test]
fn ids_of_before_a_change_of_keys_are_counted_as_sessions() {
    World::each("whose_unfit", |w| {
        let kind = if w.is_sqlite() { "char(32)" } else { "uuid" };
        w.execute(&format!(
            "CREATE TABLE auth_user (id {kind} PRIMARY KEY, username text UNIQUE);
             INSERT INTO auth_user VALUES ('56983410c0684719807a7d6583c339b6', 'anna')"
        ));
        w.user("2", 7).user("3", 1);
        let deleted = ["logout-user", "--deleted-users"];
        w.run(&deleted)
            .exits(3)
            .says("8 sessions stayed")
            .says("(\"2\", \"3\"): --unfit-ids")
            .says("all of them would be logged out");
        assert_eq!(w.count(), 8);
        let unfit = [&deleted[..], &["--unfit-ids"]].concat();
        w.run(&unfit).exits(4).says("2 of 2 users who are logged in are not in table");
        w.user("56983410-c068-4719-807a-7d6583c339b6", 1);
        w.run(&[&unfit[..], &["--yes"]].concat()).ok().says("2 users: 8 sessions deleted");
        assert_eq!(w.count(), 1);
    });
}

/// A visitor of a site whose ids are texts, or a damaged row, may name users by texts of any length.
#[test]
fn an_id_that_no_key_can_be_is_told_by_its_beginning_and_stays() {
    World::each("whose_long", |w| {
        w.execute("CREATE TABLE auth_user (id varchar(150) PRIMARY KEY, username text UNIQUE)");
        w.execute("INSERT INTO auth_user VALUES ('1', 'anna'), ('2', 'bert')");
        w.user("1", 1).user("2", 1).user(&"g".repeat(1_000), 1);
        for length in [1_001, 100_000] {
            w.session(&login(&"é".repeat(length)));
        }
        let deleted = ["logout-user", "--deleted-users"];
        let told = format!("(\"{}…\"): --unfit-ids takes them, but none of more", "é".repeat(40));
        w.run(&deleted).exits(3).says("1 session deleted").says(&told);
        let again = [&deleted[..], &["--unfit-ids", "--format", "json"]].concat();
        let report = w.run(&again).exits(3).json();
        assert_eq!(
            (&report["deleted"], &report["unfit"]),
            (&serde_json::json!(0), &serde_json::json!(2)),
            "{report}"
        );
        assert_eq!(w.count(), 4);
        w.run(&["logout-user", &"é".repeat(1_001)]).ok().says("1 session deleted");
    });
}

/// Users who come while it runs are not taken for users who went.
#[test]
fn a_user_who_is_new_is_not_gone() {
    World::each("whose_new", |w| {
        with_users(w);
        w.user("7", 1).live(5_000);
        let over = AtomicBool::new(false);
        let (url, is_mysql) = (w.url(), w.is_mysql());
        let data = |id: u32| signed(&login(&id.to_string()), SECRET_KEY);
        let insert = |id: u32| {
            let session = format!(
                "INSERT INTO django_session VALUES ('new-{id}-abcdefgh', '{}', '2099-01-01 00:00:00')",
                data(id)
            );
            [format!("INSERT INTO auth_user (id, username) VALUES ({id}, 'new-{id}')"), session]
        };
        let (came, looks) = thread::scope(|scope| {
            let site = scope.spawn(|| {
                let sqlite = file(&url);
                let mut mysql = is_mysql.then(|| MySqlClient::connect(&url));
                let mut server =
                    (sqlite.is_none() && !is_mysql).then(|| Client::connect(&url, NoTls).unwrap());
                (100..)
                    .take_while(|_| !over.load(Ordering::Relaxed))
                    .inspect(|id| {
                        thread::sleep(Duration::from_millis(2));
                        for sql in insert(*id) {
                            match (&sqlite, &mut server, &mut mysql) {
                                (Some(file), ..) => file.execute_batch(&sql).unwrap(),
                                (_, Some(server), _) => server.batch_execute(&sql).unwrap(),
                                (.., Some(mysql)) => mysql.execute(&sql),
                                _ => unreachable!(),
                            }
                        }
                    })
                    .count()
            });
            let looks = [1, 2, 3]
                .map(|_| w.run(&["logout-user", "--deleted-users", "-n", "--format", "json"]));
            over.store(true, Ordering::Relaxed);
            (site.join().unwrap(), looks)
        });
        for look in looks {
            assert_eq!(look.json()["users"], serde_json::json!(["7"]), "{look:#?}");
        }
        let left = w.session_keys().iter().filter(|key| key.starts_with("new-")).count();
        assert!(left == came && came > 20, "{left} of {came}");
    });
}

/// What the order of the two looks is for: between them a user comes, and logs in. Had sessctl read the users
/// first, it would read a session now of somebody who is not among them.
#[test]
fn a_user_who_comes_between_the_two_looks_stays() {
    let w = World::postgres("whose_between");
    with_users(&w);
    w.user("7", 1);
    let lock = |table: &str| {
        let mut holder = w.client();
        holder
            .batch_execute(&format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            .unwrap();
        holder
    };
    let mut watcher = w.client();
    let mut wait = |table: &str| {
        let sql = format!(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass)"
        );
        eventually(table, || watcher.query_one(&sql, &[]).unwrap().get(0));
    };
    let mut users = lock("auth_user");
    let running =
        Running::start(&mut w.command(&["logout-user", "--deleted-users", "--format", "json"]));
    // It has seen the sessions, and may not see the users.
    wait("auth_user");
    // The table itself will not do: its COPY would wait with a snapshot of before.
    let mut before_sessions = lock("pg_inherits");
    users.batch_execute("COMMIT").unwrap();
    // It has seen the users, and wants the sessions, were it for the first time.
    wait("pg_inherits");
    let data = signed(&login("100"), SECRET_KEY);
    before_sessions
        .batch_execute(&format!(
            "INSERT INTO auth_user VALUES (100, 'new', '', true, false, false);
             INSERT INTO django_session VALUES ('new-abcdefgh', '{data}', '2099-01-01'); COMMIT"
        ))
        .unwrap();
    let report = running.end().ok().json();
    assert_eq!((&report["users"], &report["deleted"]), (&serde_json::json!(["7"]), &1.into()));
    assert!(w.session_keys().contains(&"new-abcdefgh".to_owned()), "{report}");
}

/// The file that a URL names, if it is one.
fn file(url: &str) -> Option<rusqlite::Connection> {
    let file = (!url.contains("://")).then(|| rusqlite::Connection::open(url).unwrap())?;
    file.busy_timeout(Duration::from_secs(30)).unwrap();
    Some(file)
}

#[test]
fn who_may_not_read_the_users_is_told() {
    let w = World::postgres("whose_role");
    with_users(&w);
    let role = Role::new(&w, "whose_reader");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    let told = role
        .run(&["logout-user", "--staff"])
        .exits(1)
        .says("cannot read users in table \"auth_user\"");
    assert!(told.stderr.contains("permission denied"), "{told:#?}");
}

/// More users than are read at once, and asked for at once.
#[test]
fn many_users() {
    World::each("whose_many", |w| {
        with_users(w);
        let boolean = if w.is_sqlite() { "0" } else { "false" };
        w.execute(&format!(
            "INSERT INTO auth_user
             WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 12009)
             SELECT i, 'user-' || i, '', {boolean}, {boolean}, {boolean} FROM n"
        ));
        let data: Vec<_> = (8000..14010)
            .map(|id| (w.next_key(), signed(&login(&id.to_string()), SECRET_KEY)))
            .collect();
        w.rows(data.iter().map(|(key, data)| (&**key, &**data, "2099-01-01 00:00:00".into())));
        let gone = w.run(&["logout-user", "--deleted-users", "--format", "json"]).ok().json();
        assert_eq!(
            (&gone["deleted"], gone["users"].as_array().unwrap().len()),
            (&2000.into(), 2000)
        );
        let inactive = w.run(&["logout-user", "--inactive", "--format", "json"]).ok().json();
        assert_eq!(
            (&inactive["deleted"], inactive["users"].as_array().unwrap().len()),
            (&4012.into(), 12002)
        );
        assert_eq!(w.count(), 4);
    });
}

#[test]
fn the_table_of_users_may_be_named() {
    World::each("whose_table", |w| {
        w.run(&["logout-user", "--staff"]).exits(2).says("no table of users \"auth_user\"");
        with_users(w);
        w.execute("ALTER TABLE auth_user RENAME TO \"My.Users\"");
        w.run(&["logout-user", "--staff"]).exits(2).says("--user-table");
        w.run(&["logout-user", "--staff", "--user-table", "\"My.Users\""])
            .ok()
            .says("2 sessions deleted");
        // A column that is not there is an error, never nobody.
        w.execute("ALTER TABLE \"My.Users\" DROP COLUMN is_active");
        w.run(&["logout-user", "--inactive", "--user-table", "\"My.Users\""])
            .exits(2)
            .says("no column for that (is_active)");
    });
}

#[test]
fn a_project_says_where_its_users_are() {
    Site::each("whose", "5.2", &[("SITE_USERS", "uuid")], |site| {
        let users = &site.login(&["anna", "bert", "carl"])[..];
        let [anna, bert, carl] = users else { panic!("three") };
        site.run(&["logout-user", "--username", "anna"]).ok().says("1 session deleted");
        site.python("User.objects.filter(username='bert').update(is_active=False)");
        site.run(&["logout-user", "--inactive"]).ok().says("1 session deleted");
        assert_eq!(site.keys(), std::slice::from_ref(&carl.1));
        site.run(&["logout-user", "--email", "a@b"]).exits(2).says("no column for that");
        site.run(&["logout-user", "--staff"]).exits(2).says("no column for that");
        site.python("User.objects.filter(username='carl').delete(); login('dora')");
        let gone = site.run(&["logout-user", "--deleted-users", "--format", "json"]).ok().json();
        assert_eq!(gone["users"], serde_json::json!([carl.0]));
        assert_eq!(site.keys().len(), 1);
        assert_ne!(anna.0, bert.0);
    });
}

#[test]
fn a_proxy_of_the_user_model_has_its_columns() {
    let site = Site::sqlite("proxy", "5.2", &[("SITE_USERS", "proxy")]);
    let bert = &site.login(&["anna", "bert"])[1];
    site.run(&["logout-user", "--username", "anna"]).ok().says("1 session deleted");
    assert_eq!(site.keys(), std::slice::from_ref(&bert.1));
    site.python("User.objects.filter(username='bert').update(is_active=False)");
    site.run(&["logout-user", "--inactive"]).ok().says("1 session deleted");
    site.run(&["logout-user", "--staff"]).exits(2).says("no column for that");
}

/// `username` may be a display name, where users log in with their address.
#[test]
fn a_name_of_several_users_is_no_login() {
    World::each("whose_twice", |w| {
        w.execute(
            "CREATE TABLE auth_user (id integer PRIMARY KEY, username text);
             INSERT INTO auth_user VALUES (1, 'anna'), (2, 'bob'), (3, 'bob')",
        );
        w.user("1", 1).user("2", 1).user("3", 1);
        for more in [&["--username", "anna"][..], &["--dry-run"], &["--user-table", "auth_user"]] {
            w.run(&[&["logout-user", "--username", "bob"], more].concat())
                .exits(2)
                .says("2 users in table")
                .says("are called \"bob\"")
                .says("nobody is logged out")
                .says("ids: \"2\", \"3\"");
        }
        assert_eq!(w.count(), 3);
        // One user has one name, however often it is given.
        w.run(&["logout-user", "--username", "anna", "--username", "anna"]).ok();
        assert_eq!(w.count(), 2);
    });
}

/// One user only is called so; but whoever is meant logs in with something else, and may be called otherwise.
#[test]
fn a_name_that_is_not_unique_may_be_a_display_name() {
    // MariaDB has no unique index on some rows or on an expression.
    World::each_but_mysql("whose_display", |w| {
        for kind in ["varchar(150)", "text"] {
            w.renew();
            w.execute(&format!(
                "DROP TABLE IF EXISTS auth_user;
                 CREATE TABLE auth_user (id integer PRIMARY KEY, username {kind}, email varchar(254) UNIQUE);
                 INSERT INTO auth_user VALUES (1, 'anna', 'x@a.de'), (2, 'bob', 'anna@a.de')"
            ));
            w.user("1", 1).user("2", 1);
            let named = ["logout-user", "--username", "anna", "-n"];
            let refused = |more: &[&str]| {
                w.run(&[&named[..], more].concat())
                    .exits(2)
                    .says("column \"username\" of table \"auth_user\" is not unique")
                    .says("nobody is logged out")
                    .says("hint: --django")
                    .says("ids: \"1\"")
            };
            refused(&[]);
            refused(&["--user-table", "auth_user"]);
            w.run(&["logout-user", "--username", "anna"]).exits(2);
            assert_eq!(w.count(), 2);
            // Several people may have an address.
            w.run(&["logout-user", "--email", "anna@a.de", "-n"]).ok().says("1 live session");
            for (index, is_unique) in [
                ("INDEX u ON auth_user (username)", false),
                ("UNIQUE INDEX u ON auth_user (username, email)", false),
                ("UNIQUE INDEX u ON auth_user (username) WHERE id > 0", false),
                ("UNIQUE INDEX u ON auth_user ((lower(email)))", false),
                ("UNIQUE INDEX u ON auth_user ((length(username)))", false),
                ("UNIQUE INDEX u ON auth_user (username)", true),
                // As Django's constraints make them.
                ("UNIQUE INDEX \"u\" ON \"auth_user\" ((LOWER(\"username\")))", true),
                ("UNIQUE INDEX \"u\" ON \"auth_user\" ((UPPER(\"username\")))", true),
                ("UNIQUE INDEX u ON auth_user (lower(username))", true),
            ] {
                w.execute(&format!(
                    "UPDATE auth_user SET username = 'bo' WHERE id = 2; CREATE {index}"
                ));
                if is_unique {
                    w.run(&named).ok().says("1 live session");
                } else {
                    refused(&[]);
                }
                w.execute("DROP INDEX u");
            }
            // No unique index at all: of a table with Django's own name, that tells nothing.
            for (table, code) in [("auth_user", 0), ("acc_user", 2)] {
                w.execute(&format!(
                    "DROP TABLE auth_user; CREATE TABLE {table} (id integer PRIMARY KEY, username {kind}, password text);
                     INSERT INTO {table} VALUES (1, 'anna', 'x')"
                ));
                w.run(&named).exits(code);
            }
            w.execute("DROP TABLE acc_user");
        }
    });
}

/// Users log in with their address, and one of them has that of another as the handle.
#[test]
fn a_name_that_is_the_address_of_another_user_is_refused() {
    World::each("whose_address", |w| {
        w.execute(
            "CREATE TABLE acc_user (id integer PRIMARY KEY, username varchar(150) UNIQUE, email varchar(254) UNIQUE,
                 password text, last_login date);
             INSERT INTO acc_user VALUES (1, 'ann', 'Anna@EX.com', '', NULL),
                 (2, 'anna@ex.com', 'bob@ex.com', '', NULL), (3, 'carl@ex.com', 'carl@ex.com', '', NULL)",
        );
        w.user("1", 1).user("2", 1).user("3", 1);
        for more in [&[][..], &["--dry-run"], &["--user-table", "acc_user"], &["--username", "ann"]]
        {
            w.run(&[&["logout-user", "--username", "anna@ex.com"], more].concat())
                .exits(2)
                .says("the \"username\" of one user (\"2\") and the \"email\" of another (\"1\")")
                .says("nobody is logged out")
                .says("hint: --django");
        }
        assert_eq!(w.count(), 3);
        w.run(&["logout-user", "--username", "ann"]).ok().says("1 session deleted");
        w.run(&["logout-user", "--username", "carl@ex.com"]).ok().says("1 session deleted");
        w.run(&["logout-user", "2"]).ok().says("1 session deleted");
    });
}

/// A project knows what they log in with.
#[test]
fn a_project_takes_a_name_that_is_the_address_of_another_user() {
    Site::each("whose_address_known", "5.2", &[], |site| {
        site.login(&["anna", "anna@ex.com"]);
        site.python("User.objects.filter(username='anna').update(email='anna@ex.com')");
        site.run(&["logout-user", "--username", "anna@ex.com"]).ok().says("1 session deleted");
    });
}

#[test]
fn users_in_another_database_are_not_guessed() {
    let site = Site::sqlite("apart", "5.2", &[]);
    site.login(&["anna"]);
    let site = site.project(
        "",
        "
DATABASES['users'] = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'users.sqlite3'}
class Router:
    def db_for_write(self, model, **hints): return 'users' if model._meta.app_label == 'auth' else None
    db_for_read = db_for_write
DATABASE_ROUTERS = [Router()]",
    );
    site.run(&["logout-user", "--username", "anna"]).exits(2).says("another database");
    site.run(&["logout-user", "--deleted-users"]).exits(2).says("another database");
}

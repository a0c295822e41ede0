//! Ids in sessions that the key of the table of users cannot hold: the site's key field writes them in another form than the
//! database holds.

use serde_json::json;

use crate::world::World;

/// Users, and sessions that name them in the form of the site's own: the id, the key in the table, whether they are active.
fn site(w: &World, kind: &str, users: [(&str, &str, bool); 3]) {
    let (kind, boolean) = match (kind, w.is_sqlite()) {
        ("uuid", true) => ("char(32)", "bool"),
        (kind, true) => (kind, "bool"),
        (kind, false) => (kind, "boolean"),
    };
    w.execute(&format!(
        "CREATE TABLE auth_user (id {kind} PRIMARY KEY, username text UNIQUE, is_active {boolean})"
    ));
    for (number, (id, key, active)) in users.into_iter().enumerate() {
        let key = if w.is_sqlite() { key.replace('-', "") } else { key.to_owned() };
        let number = number + 1;
        w.execute(&format!("INSERT INTO auth_user VALUES ('{key}', 'u{number}', {active})"));
        w.user(id, 1);
    }
}

/// As django-hashid-field and the like have them.
const PREFIXED: [(&str, &str, bool); 3] =
    [("usr_G4", "7", true), ("usr_HA", "8", false), ("usr_HE", "9", true)];

/// As ULIDs over UUIDs are written.
const ULIDS: [(&str, &str, bool); 3] = [
    ("00000000010000000000000007", "00000000-0001-0000-0000-000000000007", true),
    ("00000000020000000000000007", "00000000-0002-0000-0000-000000000007", false),
    ("0000000003000000000000000Z", "00000000-0003-0000-0000-00000000001f", true),
];

fn each(name: &str, test: impl Fn(&World, &[(&str, &str, bool); 3])) {
    World::each(name, |w| {
        for (kind, users) in [("integer", PREFIXED), ("uuid", ULIDS)] {
            w.renew();
            w.execute("DROP TABLE IF EXISTS auth_user");
            site(w, kind, users);
            test(w, &users);
        }
    });
}

#[test]
fn nobody_is_logged_out_by_a_key_that_sessions_write_in_another_form() {
    each("unfit_form", |w, users| {
        let key = users[0].1;
        let example = format!("\"{}\"", users[0].0);
        for selector in [&["--username", "u1"][..], &[key], &["--inactive"], &["--deleted-users"]] {
            for more in [&[][..], &["--dry-run"], &["--no-verify"], &["--user-table", "auth_user"]]
            {
                let ran = w.run(&[&["logout-user"], selector, more].concat()).exits(3);
                ran.says("3 sessions stayed and name users whom no key of").says(&example);
            }
            let report = [&["logout-user", "--format", "json"], selector].concat();
            let report = w.run(&report).exits(3).json();
            assert_eq!((&report["verdict"], &report["unfit"]), (&json!("unknown"), &json!(3)));
            assert_eq!(report["unfit_ids"], json!(users.map(|user| user.0)), "{report}");
        }
        w.run(&["logout-user", "--username", "u1", "--unfit-ids"])
            .exits(3)
            .says("by the ids that `sessctl list`");
        let list = ["list", "--user", key, "--format", "count"];
        w.run(&list).exits(3).says("0\n").says("3 sessions left out that no key").says(&example);
        assert_eq!(w.count(), 3);
    });
}

#[test]
fn users_are_logged_out_by_the_ids_that_stand_in_their_sessions() {
    each("unfit_named", |w, users| {
        let id = users[0].0;
        w.run(&["list", "--user", id, "--format", "count"]).ok().says("1\n");
        w.run(&["logout-user", id, "--user-table", "auth_user"]).exits(2).says("--unfit-ids");
        // Of the other one nothing is known.
        w.run(&["logout-user", id, users[1].1, "--unfit-ids", "-n"]).exits(3);
        w.run(&["logout-user", id, "--unfit-ids"]).ok().says("1 session deleted, none is left");
        assert_eq!(w.count(), 2);
    });
}

#[test]
fn nobody_is_spared_by_a_key_that_sessions_write_in_another_form() {
    each("unfit_spared", |w, users| {
        for more in [&["--yes"][..], &["--yes", "--authenticated-only"], &["--dry-run"]] {
            let ran = w.run(&[&["flush-all", "--except-user", users[0].1], more].concat());
            ran.exits(2).says("3 live sessions").says("nobody is logged out");
        }
        assert_eq!(w.count(), 3);
        w.run(&["flush-all", "--except-user", users[0].0, "--yes"]).ok().says("2 sessions deleted");
        w.run(&["list", "--user", users[0].0, "--format", "count"]).ok().says("1\n");
    });
}

/// Keys of the site's own table, which nobody named: foreign keys do.
#[test]
fn the_key_of_a_table_of_any_name_is_known() {
    World::each("unfit_own_table", |w| {
        for (kind, ids, doubt) in [
            ("integer", ["usr_G4", "usr_HA"], "no key of"),
            ("integer", [" 7", "007"], "spelled otherwise"),
            ("decimal(9,1)", ["7.0", "8.0"], "several spellings"),
            ("date", ["2026-01-07", "2026-01-08"], "several spellings"),
        ] {
            w.renew();
            w.execute("DROP TABLE IF EXISTS django_admin_log; DROP TABLE IF EXISTS auth_user; DROP TABLE IF EXISTS acc_user");
            w.execute(&format!(
                "CREATE TABLE auth_user (id varchar(9) PRIMARY KEY, username text UNIQUE);
                 CREATE TABLE acc_user (id {kind} PRIMARY KEY, username text UNIQUE);
                 CREATE TABLE django_admin_log (id integer PRIMARY KEY, user_id {kind} REFERENCES acc_user (id))"
            ));
            for id in ids {
                w.user(id, 1);
            }
            w.run(&["logout-user", "7", "-n"]).exits(3).says(doubt);
            w.run(&["logout-user", "7"]).exits(3).says(doubt).says("NOT known to be logged out");
            w.run(&["list", "--user", "7", "--format", "count"]).exits(3).says("0\n");
            assert_eq!(w.count(), 2, "{kind}");
        }
    });
}

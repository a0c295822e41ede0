//! What an account of MariaDB needs for each command, and what it is told that lacks it.

use crate::doctor::DOCTOR;
use crate::role::SENTINEL;
use crate::world::{Ran, World, login};

/// An account of the world's server, for the time of a test.
pub(crate) struct Account<'w> {
    world: &'w World,
    pub(crate) name: String,
}

impl<'w> Account<'w> {
    pub(crate) fn new(world: &'w World, name: &str) -> Self {
        let name = format!("sessctl_{name}");
        world.execute(&format!(
            "DROP USER IF EXISTS {name}@'%'; CREATE USER {name}@'%' IDENTIFIED BY '{SENTINEL}'"
        ));
        Self { world, name }
    }

    pub(crate) fn url(&self) -> String {
        let url = self.world.url();
        format!("mysql://{}:{SENTINEL}@{}", self.name, url.rsplit_once('@').unwrap().1)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.world.run(&[arguments, &["-d", &self.url()]].concat())
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.execute(&format!("DROP USER {}@'%'", self.name));
        }
    }
}

/// The statement that `--grants` prints for this command, and the rights in it.
fn grant(w: &World, account: &Account<'_>, command: &str) -> (String, Vec<String>) {
    let ran = w.run(&["doctor", "--grants", "--role", &account.name]).ok();
    assert!(ran.stdout.lines().all(|line| line.starts_with("GRANT ")), "{ran:#?}");
    let line = ran.stdout.lines().find(|line| line.ends_with(&format!("-- {command}")));
    let line = line.unwrap_or_else(|| panic!("no {command} in {ran:#?}"));
    let (rights, _) = line.trim_start_matches("GRANT ").split_once(" ON ").unwrap();
    (line.to_owned(), rights.split(", ").map(str::to_owned).collect())
}

#[test]
fn what_to_grant_is_what_each_command_needs() {
    let w = World::mysql("account_grants");
    let readers = "list, show, stats, check, doctor";
    for (command, line) in [
        (&["list"][..], readers),
        (&["show", "00000000"], readers),
        (&["stats"], readers),
        (&["check", "--max-age", "9999d"], readers),
        (&["doctor"], readers),
        (&["logout-user", "42"], "logout-user"),
        (&["purge-expired"], "purge-expired"),
        (&["flush-all", "--yes"], "flush-all, delete"),
        (&["delete", "--match", "cart.0=1", "--yes"], "flush-all, delete"),
        (&["flush-all", "--truncate", "--yes"], "flush-all --truncate"),
        (&["logout-user", "42", "--keep-data"], "--keep-data"),
        (&["flush-all", "--yes", "--keep-data"], "--keep-data"),
        (&["backfill"], "backfill"),
    ] {
        w.renew();
        // What is no JSON cannot be written anew: it is deleted.
        w.session("(dS'_auth_user_id'\nS'42'\ns.");
        w.user("42", 3).user("7", 3).expired(3);
        let account = Account::new(&w, "grants");
        // Without any right to the database it would not be let in.
        w.execute("CREATE TABLE IF NOT EXISTS other (id integer)");
        w.execute(&format!("GRANT SELECT ON other TO {}@'%'", account.name));
        let refused = |right: &str| {
            // What an earlier run did before it failed is to be done again.
            w.user("42", 1);
            let ran = account.run(command);
            // To a plugin for Nagios 3 is "unknown".
            let is_refusal = ran.code != 0 && (ran.code != 3 || command[0] == "check");
            assert!(is_refusal, "{command:?} without {right}: {ran:#?}");
            ran
        };
        refused("any");
        let (statement, rights) = grant(&w, &account, line);
        w.execute(&statement);
        for right in rights {
            w.execute(&format!("REVOKE {right} ON django_session FROM {}@'%'", account.name));
            let ran = refused(&right);
            if command[0] != "check" && command[0] != "doctor" {
                ran.says(&right).says("doctor --grants");
            }
            w.execute(&statement);
        }
        account.run(command).ok();
    }
}

#[test]
fn what_to_grant_for_rows_of_allauth_is_what_they_need() {
    let w = World::mysql("account_allauth");
    w.execute("CREATE TABLE usersessions_usersession (session_key varchar(40) UNIQUE)");
    let account = Account::new(&w, "allauth");
    let command = ["logout-user", "42", "--cleanup-allauth"];
    w.execute(&grant(&w, &account, "logout-user").0);
    let (statement, rights) = grant(&w, &account, "--cleanup-allauth");
    assert_eq!(rights, ["SELECT", "DELETE"]);
    w.execute(&statement);
    for right in rights {
        w.execute(&format!("REVOKE {right} ON usersessions_usersession FROM {}@'%'", account.name));
        w.user("42", 2);
        assert_ne!(account.run(&command).code, 0, "without {right}");
        w.execute(&statement);
        w.execute("INSERT INTO usersessions_usersession SELECT session_key FROM django_session");
        account.run(&command).ok();
        assert!(w.count() == 0 && w.keys_in("usersessions_usersession").is_empty());
    }
}

#[test]
fn who_may_only_read_can_look_at_everything_and_change_nothing() {
    let w = World::mysql("account_reads");
    let account = Account::new(&w, "reads");
    w.execute(&format!("GRANT SELECT ON django_session TO {}@'%'", account.name));
    w.user("42", 2).user("7", 1).expired(2);
    for command in [
        &["list"][..],
        &["show", "00000000"],
        &["stats"],
        &["check", "--max-expired", "10", "--max-age", "9999d"],
        &["logout-user", "42", "--dry-run"],
        &["logout-user", "42", "--keep-data", "--dry-run"],
        &["purge-expired", "--dry-run"],
        &["flush-all", "--dry-run"],
        &["backfill", "--dry-run"],
    ] {
        account.run(command).ok();
    }
    let lacking = ["DELETE command denied", "grant the account DELETE"];
    for command in [&["logout-user", "42"][..], &["purge-expired"], &["flush-all", "--yes"]] {
        account.run(command).refuses(1, &lacking);
    }
    account.run(&DOCTOR).ok().finds("privileges", "warning", &["not for others (DELETE)"]);
    assert_eq!(w.count(), 5);
}

#[test]
fn a_table_of_users_is_read_by_the_columns_that_are_needed() {
    let w = World::mysql("account_users");
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE, password varchar(128), email varchar(254));
         INSERT INTO auth_user VALUES (42, 'anna', 'x', 'a@x')",
    );
    w.user("42", 2);
    let account = Account::new(&w, "users");
    let by_name = ["logout-user", "--username", "anna"];
    let ran = w.run(&["doctor", "--grants", "logout-user", "--role", &account.name]).ok();
    let (own, users): (Vec<_>, Vec<_>) =
        ran.stdout.lines().partition(|line| line.contains("`django_session`"));
    w.execute(&own.join("\n"));
    account.run(&by_name).exits(2);
    w.execute(&users.join("\n"));
    assert!(!users.concat().contains("password"), "{users:#?}");
    account.run(&by_name).ok().says("2 sessions deleted");
    assert!(w.session_keys().is_empty(), "{}", login("42"));
}

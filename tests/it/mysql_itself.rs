//! MySQL itself, where it is not as MariaDB, on which most tests run: how it lets accounts in, what it has no longer, and how it
//! changes a table.

use crate::django::run as run_site;
use crate::doctor::DOCTOR;
use crate::mysql_server::{MySqlClient, MySqlDatabase};
use crate::role::SENTINEL;
use crate::support::oracle_url;
use crate::world::{Ran, World};

#[test]
fn every_command_runs() {
    let w = World::oracle("itself_commands");
    w.user("42", 3).user("7", 2).expired(20);
    let first = w.session_keys().remove(0);
    w.run(&DOCTOR).ok().says("MySQL 9.").finds("transactions", "ok", &[]);
    for reads in [
        &["list"][..],
        &["show", &first[..8]],
        &["stats"],
        &["check", "--max-age", "9999d"],
        &["doctor", "--grants"],
        &["logout-user", "42", "--dry-run"],
        &["purge-expired", "--dry-run"],
        &["backfill", "--dry-run"],
    ] {
        w.run(reads).ok();
    }
    w.run(&["backfill"]).ok().says("5 sessions filled");
    w.run(&["logout-user", "42", "--trust-column"]).ok().says("3 sessions deleted");
    w.run(&["purge-expired", "--analyze"]).ok().says("20 ");
    w.run(&["logout-user", "7", "--keep-data"]).ok();
    assert_eq!(w.count(), 2);
    w.run(&["flush-all", "--yes"]).ok();
    w.user("42", 1).run(&["flush-all", "--truncate", "--yes"]).ok();
    assert_eq!(w.count(), 0);
}

#[test]
fn a_site_with_django_5_2() {
    let database = MySqlDatabase::create(&oracle_url(), "site_52_itself");
    let arguments = ["--database", "mysql", "--server-url", &database.url, "--serializer", "json"];
    run_site("check_site.py", "5.2", &arguments);
}

/// An account that has never logged in sends its password: encrypted by TLS, or else for the key that the server sends.
#[test]
fn accounts_with_a_cached_hash_get_in_with_tls_and_without() {
    let w = World::oracle("itself_accounts");
    w.user("42", 1);
    let mut client = w.mysql_client();
    let url = w.url();
    let (_, place) = url.rsplit_once('@').unwrap();
    let run = |options: &str| -> Ran {
        let url = format!("mysql://sessctl_cached:{SENTINEL}@{place}?{options}");
        w.run(&["list", "--format", "count", "-d", &url])
    };
    for plugin in ["caching_sha2_password", "sha256_password"] {
        for (options, is_encrypted) in
            [("ssl-mode=DISABLED", false), ("", true), ("ssl-mode=REQUIRED", true)]
        {
            client.execute(&format!(
                "DROP USER IF EXISTS sessctl_cached@'%';
                 CREATE USER sessctl_cached@'%' IDENTIFIED WITH {plugin} BY '{SENTINEL}';
                 GRANT SELECT ON django_session TO sessctl_cached@'%'"
            ));
            if plugin == "sha256_password" {
                run(options).refuses(1, &["give the account caching_sha2_password"]);
                continue;
            }
            // The second time the server knows the hash.
            for _ in 0..2 {
                assert_eq!(run(options).ok().stdout, "1\n", "{options}");
            }
            client.execute("ALTER USER sessctl_cached@'%' REQUIRE SSL");
            assert_eq!(run(options).code == 0, is_encrypted, "{options}");
        }
    }
    client.execute("DROP USER sessctl_cached@'%'");
}

/// A table that is copied, or rebuilt, gets another number.
#[test]
fn a_backfill_changes_the_table_without_copying_it() {
    World::each_mysql("backfill_instant", |w| {
        let mut client = w.mysql_client();
        let is_mariadb = client.column("SELECT VERSION()")[0].contains("MariaDB");
        let tables = if is_mariadb { "innodb_sys_tables" } else { "innodb_tables" };
        let mut number = || {
            let of = "name = DATABASE() || '/django_session'";
            client.column(&format!(
                "SELECT CAST(table_id AS CHAR) FROM information_schema.{tables} WHERE {of}"
            ))
        };
        let before = number();
        w.user("42", 3).run(&["backfill"]).ok().says("3 sessions filled");
        assert_eq!(number(), before);
        w.execute("ALTER TABLE django_session FORCE, ALGORITHM=COPY");
        assert_ne!(number(), before, "it does not tell a copied table");
    });
}

#[test]
fn triggers_that_an_account_may_not_see_are_not_known() {
    let w = World::oracle("itself_triggers");
    w.forbids_delete("django_session", "FALSE", "no");
    w.run(&DOCTOR).finds("triggers", "warning", &["forbid"]);
    w.execute(&format!(
        "DROP USER IF EXISTS sessctl_blind@'%'; CREATE USER sessctl_blind@'%' IDENTIFIED BY '{SENTINEL}';
         GRANT SELECT, DELETE ON django_session TO sessctl_blind@'%'"
    ));
    let url = w.url();
    let url = format!("mysql://sessctl_blind:{SENTINEL}@{}", url.rsplit_once('@').unwrap().1);
    let blind = || w.run(&[&DOCTOR[..], &["-d", &url]].concat());
    let ran = blind().finds("triggers", "unknown", &["TRIGGER"]);
    let ran = ran.finds("foreign-keys", "unknown", &["PROCESS"]);
    ran.finds("transactions", "unknown", &["PROCESS"]);
    w.execute("GRANT TRIGGER ON django_session TO sessctl_blind@'%'");
    blind().finds("triggers", "warning", &["forbid"]);
    MySqlClient::connect(&w.url()).execute("DROP USER sessctl_blind@'%'");
}

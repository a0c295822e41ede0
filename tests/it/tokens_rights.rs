//! `doctor --grants revoke-tokens` prints what `logout-user --revoke-tokens` needs, and no more.

use serde_json::{Value, json};

use crate::mysql_privileges::Account;
use crate::role::Role;
use crate::world::{Ran, World};
use crate::{tokens, tokens_kinds};

const REVOKE: [&str; 5] = ["logout-user", "42", "--revoke-tokens", "--format", "json"];

fn grants(w: &World, commands: &str, role: &str) -> Vec<String> {
    let ran = w.run(&["doctor", "--grants", commands, "--role", role]).ok();
    ran.stdout.lines().map(str::to_owned).collect()
}

/// Grants, takes each right away for a while, and sees that it is missed; then all tokens end.
fn each_right_is_needed(w: &World, role: &str, who: &str, run: &dyn Fn(&[&str]) -> Ran) {
    w.execute(&grants(w, "logout-user", role).join("\n"));
    let all = grants(w, "revoke-tokens", role);
    let ends = |line: &&String| line.ends_with("-- logout-user --revoke-tokens");
    let statements: Vec<&String> = all.iter().filter(ends).collect();
    assert!(statements.len() >= 8, "{all:#?}");
    w.execute(&all.join("\n"));
    for statement in statements {
        let (rights, rest) = statement.trim_start_matches("GRANT ").split_once(" ON ").unwrap();
        let on = rest.split_once(" TO ").unwrap().0;
        for right in rights.split(", ") {
            w.execute(&format!("REVOKE {right} ON {on} FROM {who}"));
            w.user("42", 1);
            let report = run(&[&REVOKE[..], &["-n"]].concat()).json();
            let unknown = |one: &Value| one["valid"].is_null();
            let is_unknown = report["other_credentials"].as_array().unwrap().iter().any(unknown);
            // Without the right to count nothing is ended; without the right to end all else is.
            assert_eq!(
                is_unknown,
                right == "SELECT" && !on.contains("SCHEMA"),
                "{right} on {on}: {report}"
            );
            w.execute(statement);
        }
    }
    w.user("42", 1);
    let report = run(&REVOKE).ok().json();
    let others = report["other_credentials"].as_array().unwrap();
    assert!(others.len() >= 6, "{report}");
    assert!(others.iter().all(|one| one["valid"] == 0 && one["error"].is_null()), "{report}");
}

#[test]
fn what_to_grant_is_what_a_revocation_needs() {
    for (name, tables) in
        [("tokens_grants", tokens::tables as fn(&World)), ("tokens_grants2", tokens_kinds::tables)]
    {
        let with_users = |w: &World| {
            tables(w);
            w.execute(
                "CREATE TABLE IF NOT EXISTS auth_user (id integer PRIMARY KEY, username varchar(150) UNIQUE, email varchar(254),
                     password varchar(128), is_active bool, is_staff bool, is_superuser bool)",
            );
        };
        let w = World::postgres(name);
        with_users(&w);
        let role = Role::new(&w, name);
        each_right_is_needed(&w, &role.name, &role.name, &|command| role.run(command));
        World::each_mysql(name, |w| {
            with_users(w);
            let account = Account::new(w, name);
            let who = format!("{}@'%'", account.name);
            each_right_is_needed(w, &account.name, &who, &|command| account.run(command));
        });
    }
}

/// What cannot be written is missed when it is to be ended.
#[test]
fn without_one_of_the_rights_tokens_are_left() {
    for (number, right) in [
        "DELETE ON authtoken_token",
        "DELETE ON socialaccount_socialtoken",
        "UPDATE (expires) ON oauth2_provider_accesstoken",
        "UPDATE (revoked) ON oauth2_provider_refreshtoken",
        "INSERT ON token_blacklist_blacklistedtoken",
        "USAGE ON SEQUENCE old_seq",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("tokens_grants_left{number}");
        let w = World::postgres(&name);
        w.user("42", 1);
        tokens::tables(&w);
        // As Django before 4.1 made it.
        w.execute(
            "ALTER TABLE token_blacklist_blacklistedtoken ALTER id DROP IDENTITY;
             CREATE SEQUENCE old_seq START 100 OWNED BY token_blacklist_blacklistedtoken.id;
             ALTER TABLE token_blacklist_blacklistedtoken ALTER id SET DEFAULT nextval('old_seq')",
        );
        let role = Role::new(&w, &name);
        let all = grants(&w, "logout-user,revoke-tokens", &role.name).join("\n");
        w.execute(&all);
        w.execute(&format!("REVOKE {right} FROM {}", role.name));
        let report = role.run(&REVOKE).exits(3).json();
        let others = report["other_credentials"].as_array().unwrap();
        let left: Vec<&Value> = others.iter().filter(|one| one["valid"] != json!(0)).collect();
        assert_eq!((others.len(), left.len()), (6, 1), "{right}: {report}");
        assert!(left[0]["error"].as_str().unwrap().contains("permission denied"), "{report}");
        w.execute(&all);
        role.run(&REVOKE).ok();
    }
}

/// Tokens that tenants share.
#[test]
fn the_rights_in_another_schema_come_with_the_right_to_use_it() {
    let w = World::postgres("tokens_grants_schema");
    w.execute(
        "CREATE SCHEMA acme; ALTER TABLE django_session SET SCHEMA acme;
         CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150), password varchar(128), is_active bool,
             last_login timestamptz, email text, is_staff bool, is_superuser bool);
         CREATE TABLE authtoken_token (key_ varchar(40), user_id integer NOT NULL REFERENCES auth_user)",
    );
    let ran =
        w.run(&["doctor", "--grants", "revoke-tokens", "--role", "r", "--schema", "acme"]).ok();
    ran.says("GRANT USAGE ON SCHEMA \"public\" TO \"r\"; -- logout-user --revoke-tokens")
        .says("GRANT SELECT, DELETE ON \"public\".\"authtoken_token\" TO \"r\"; -- logout-user --revoke-tokens");
}

//! Credentials in another schema than the sessions, as on sites of several tenants.

use serde_json::{Value, json};

use crate::world::World;

const LOGOUT: [&str; 4] = ["logout-user", "42", "--format", "json"];

/// A user in `public` whose sessions are in this schema.
fn site(name: &str, sessions: &str) -> World {
    let w = World::postgres(name);
    w.user("42", 1);
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username varchar(150), password varchar(128), last_login timestamptz,
             is_active bool, is_staff bool, is_superuser bool);
         INSERT INTO auth_user VALUES (42, 'anna', 'a', NULL, true, false, false), (7, 'bert', 'a', NULL, true, false, false);
         CREATE TABLE django_admin_log (id integer, user_id integer REFERENCES auth_user);
         CREATE SCHEMA acme; CREATE SCHEMA beta",
    );
    if sessions != "public" {
        w.execute(&format!("ALTER TABLE django_session SET SCHEMA {sessions}"));
    }
    w
}

/// Two tokens of 42 and one of 7, in this schema.
fn tokens(w: &World, schema: &str, references: &str) {
    w.execute(&format!(
        "CREATE TABLE {schema}.authtoken_token (key_ varchar(40) PRIMARY KEY, user_id integer NOT NULL {references});
         INSERT INTO {schema}.authtoken_token VALUES ('a', 42), ('b', 42), ('c', 7)"
    ));
}

fn left(w: &World, schema: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {schema}.authtoken_token WHERE user_id = 42");
    w.client().query_one(&sql, &[]).unwrap().get(0)
}

#[test]
fn tokens_that_tenants_share_are_found_by_the_foreign_key_and_the_schema_is_told() {
    let w = site("tokens_shared", "acme");
    tokens(&w, "public", "REFERENCES public.auth_user");
    // Another tenant's, with the same users.
    tokens(&w, "beta", "REFERENCES public.auth_user");
    w.execute("CREATE TABLE beta.django_session (LIKE acme.django_session INCLUDING ALL)");
    let of_acme = [&LOGOUT[..], &["--schema", "acme"]].concat();
    let report = w.run(&of_acme).ok().json();
    assert_eq!(
        report["other_credentials"],
        json!([{"table": "authtoken_token", "schema": "public", "what": "API token", "package": "Django REST framework",
                "valid": 2, "revoked": 0, "error": null, "sql": "DELETE FROM public.authtoken_token WHERE user_id IN ('42');"}])
    );
    w.run(&["logout-user", "42", "--schema", "acme"])
        .ok()
        .says("2 API tokens (Django REST framework, public.authtoken_token) of anna (42) stay");
    let acme = [&of_acme[..], &["--schema", "public", "-n"]].concat();
    assert!(w.run(&acme).code != 0, "public has no session table");
    // One table of two tenants is counted once.
    w.execute("DROP TABLE beta.authtoken_token");
    let both = [&of_acme[..], &["--schema", "beta"]].concat();
    assert_eq!(w.run(&both).ok().json()["other_credentials"][0]["valid"], 2);
    w.run(&[&of_acme[..], &["--revoke-tokens"]].concat()).ok();
    assert_eq!(left(&w, "public"), 0);
    tokens(&w, "beta", "REFERENCES public.auth_user");
    w.run(&[&of_acme[..], &["--revoke-tokens"]].concat()).ok();
    assert_eq!(left(&w, "beta"), 2, "another tenant's tokens are not ended");
}

#[test]
fn tokens_of_users_who_may_be_others_are_not_counted_and_not_ended() {
    for (number, references) in ["", "REFERENCES acme.auth_user"].into_iter().enumerate() {
        let w = site(&format!("tokens_unclear{number}"), "acme");
        w.execute("CREATE TABLE acme.auth_user (id integer PRIMARY KEY); INSERT INTO acme.auth_user VALUES (42), (7)");
        tokens(&w, "public", references);
        let logout =
            [&LOGOUT[..], &["--schema", "acme", "--user-table", "public.auth_user"]].concat();
        let report = w.run(&logout).ok().json();
        let one = &report["other_credentials"][0];
        assert_eq!((&one["valid"], &one["sql"]), (&Value::Null, &Value::Null), "{report}");
        let why = "authtoken_token exists in schema \"public\", not beside the sessions: its users may be others";
        assert!(one["error"].as_str().unwrap().starts_with(why), "{report}");
        w.run(&[&logout[..], &["--revoke-tokens"]].concat()).exits(3);
        assert_eq!(left(&w, "public"), 2);
    }
}

/// Sessions and users in `public`, tokens in the schemas of tenants: the search path says of which tenant.
#[test]
fn tokens_in_schemas_of_tenants_are_named_and_the_search_path_chooses() {
    let w = site("tokens_of_tenants", "public");
    tokens(&w, "acme", "REFERENCES public.auth_user");
    tokens(&w, "beta", "REFERENCES public.auth_user");
    w.run(&["logout-user", "42", "--revoke-tokens"])
        .exits(3)
        .says("Whether anna (42) can come in by rows of authtoken_token is NOT known")
        .says("exists in schema \"acme\" and 1 more, not beside the sessions");
    assert_eq!((left(&w, "acme"), left(&w, "beta")), (2, 2));
    let path = format!("{}?options=-c%20search_path%3Dacme,public", w.url());
    let of_acme = [&LOGOUT[..], &["--revoke-tokens", "-d", &path]].concat();
    let one = w.run(&of_acme).ok().json()["other_credentials"][0].clone();
    assert_eq!((&one["schema"], &one["revoked"]), (&json!("acme"), &json!(2)), "{one}");
    assert_eq!((left(&w, "acme"), left(&w, "beta")), (0, 2));
}

#[test]
fn of_another_site_in_the_same_database_nothing_is_said() {
    let w = site("tokens_of_another", "public");
    w.execute("CREATE TABLE acme.auth_user (id integer PRIMARY KEY); INSERT INTO acme.auth_user VALUES (42), (7)");
    tokens(&w, "acme", "REFERENCES acme.auth_user");
    let logout = [&LOGOUT[..], &["--revoke-tokens"]].concat();
    assert_eq!(w.run(&logout).ok().json()["other_credentials"], json!([]));
    assert_eq!(left(&w, "acme"), 2);
}

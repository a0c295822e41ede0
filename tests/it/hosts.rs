//! Several servers in one URL, and which of them is taken.

use std::net::TcpListener;

use serde_json::json;

use crate::proxy::{Fault, Proxy};
use crate::role::Role;
use crate::running::{Running, eventually};
use crate::server::{Server, Stop};
use crate::world::{Ran, RunToEnd, World};

/// A server and its standby, on which the world is, too.
fn pair(name: &str) -> (Server, Server, World) {
    let server = Server::new();
    let standby = server.standby();
    let w = World::on(&server, name);
    w.user("42", 2);
    let rows = "SELECT count(*) FROM django_session";
    let url = w.url().replace(&encoded(&server), &encoded(&standby));
    eventually("the standby has the rows", || {
        let rows = postgres::Client::connect(&url, postgres::NoTls)
            .and_then(|mut client| client.query_one(rows, &[]))
            .map(|row| row.get::<_, i64>(0));
        rows.is_ok_and(|rows| rows == 2)
    });
    (server, standby, w)
}

fn encoded(server: &Server) -> String {
    server.folder().to_str().unwrap().replace('/', "%2F")
}

/// The program on these servers.
fn on(w: &World, hosts: &[&str], options: &str, arguments: &[&str]) -> Ran {
    let database = w.url().rsplit_once('/').unwrap().1.to_owned();
    let url = format!("postgres://postgres@{}/{database}?{options}", hosts.join(","));
    w.run(&[arguments, &["-d", &url]].concat())
}

#[test]
fn the_first_that_will_do_is_taken() {
    let (server, standby, w) = pair("hosts");
    let (primary, standby) = (encoded(&server), encoded(&standby));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dead = format!("127.0.0.1:{free}");
    let both = [&*dead, "%2Fnonexistent", &standby, &primary];
    let list = ["list", "--format", "count"];
    assert_eq!(on(&w, &both, "", &list).ok().stdout, "2\n");
    on(&w, &both[..2], "", &list).refuses(1, &[&dead, "/nonexistent: ", "is the server running"]);
    // Writes go where they can.
    on(&w, &both, "", &["logout-user", "42"]).refuses(1, &["read replica"]);
    for (attrs, refused) in [("read-write", "takes no writes"), ("primary", "is a standby")] {
        let attrs = format!("target_session_attrs={attrs}");
        on(&w, &both[..3], &attrs, &list).refuses(1, &[refused, "target_session_attrs"]);
    }
    for (attrs, refused) in [("read-only", "takes writes"), ("standby", "is no standby")] {
        let attrs = format!("target_session_attrs={attrs}");
        on(&w, &[&primary], &attrs, &list).refuses(1, &[refused, "target_session_attrs"]);
        on(&w, &[&primary, &standby], &attrs, &["logout-user", "42"]).refuses(1, &["read replica"]);
    }
    let prefer = "target_session_attrs=prefer-standby";
    on(&w, &[&primary, &standby], prefer, &["logout-user", "42"]).refuses(1, &["read replica"]);
    assert_eq!(on(&w, &[&primary], prefer, &list).ok().stdout, "2\n");
    assert_eq!(w.count(), 2);
    on(&w, &both, "target_session_attrs=read-write", &["logout-user", "42"]).ok();
    assert_eq!(w.count(), 0);
}

/// As libpq has it: who says no is believed.
#[test]
fn where_the_password_is_wrong_no_other_server_is_asked() {
    let server = Server::new();
    let w = World::on(&server, "hosts_password");
    let role = Role::new(&w, "hosts");
    server.file("data/pg_hba.conf", "local all postgres trust\nlocal all all scram-sha-256\n");
    w.execute("SELECT pg_reload_conf()");
    let url = format!(
        "postgres://{}:wrong@{h},{h}/world_hosts_password",
        role.name,
        h = encoded(&server)
    );
    eventually("the server asks for passwords", || w.run(&["list", "-d", &url]).code == 1);
    let ran = w.run(&["list", "-d", &url]);
    assert_eq!(ran.stderr.matches("password authentication failed").count(), 1, "{ran:#?}");
    ran.refuses(1, &["check user and password"]);
}

#[test]
fn a_server_that_has_stopped_is_passed_over() {
    let (mut server, standby, w) = pair("hosts_stop");
    server.stop(Stop::Immediate);
    let hosts = [&*encoded(&server), &encoded(&standby)];
    assert_eq!(on(&w, &hosts, "", &["list", "--format", "count"]).ok().stdout, "2\n");
}

/// The standby may be behind: that it does not show the sessions proves nothing.
#[test]
fn the_look_that_proves_is_taken_at_the_primary_or_not_at_all() {
    let (mut server, standby, w) = pair("hosts_proof");
    let database = w.url().rsplit_once('/').unwrap().1.to_owned();
    let hosts = [encoded(&server), encoded(&standby)].join(",");
    let url = format!("postgres://postgres@{hosts}/{database}");
    let logout = ["logout-user", "42", "--settle", "5s", "--format", "json", "-d", &url];
    let running = Running::start(&mut w.command(&logout));
    eventually("they are gone", || w.count() == 0);
    server.stop(Stop::Immediate);
    let ran = running.end().exits(1);
    assert_eq!((&ran.json()["deleted"], &ran.json()["remaining"]), (&json!(2), &json!(null)));
    ran.says("read replica");
}

#[test]
fn a_server_that_is_too_old_is_refused_in_one_line() {
    let w = World::postgres("hosts_too_old");
    w.user("42", 2).expired(2);
    let url = w.url();
    let (login, rest) = url.rsplit_once('@').unwrap();
    let (server, database) = rest.rsplit_once('/').unwrap();
    let proxy = Proxy::to(server, Fault::Replace("server_version\x001", "server_version\x000"));
    let url = format!("{login}@127.0.0.1:{}/{database}?sslmode=disable", proxy.port);
    for command in [
        &["logout-user", "42"][..],
        &["purge-expired"],
        &["list"],
        &["backfill"],
        &["flush-all", "--yes"],
    ] {
        let mut old = w.command(command);
        let ran = old.env("SESSCTL_DATABASE_URL", &url).ran("").exits(1);
        assert!(ran.stderr.contains("cause: the server is PostgreSQL 0"), "{ran:#?}");
        assert!(ran.stderr.contains("sessctl needs 11 or later\nhint: upgrade"), "{ran:#?}");
        assert!(!ran.stderr.contains("unrecognized") && ran.stdout.is_empty(), "{ran:#?}");
    }
    assert_eq!(w.count(), 4);
    let ran = w.command(&["doctor"]).env("SESSCTL_DATABASE_URL", &url).ran("").exits(5);
    assert!(ran.stdout.contains("sessctl needs 11 or later"), "{ran:#?}");
}

//! What each `sslmode` demands, on real servers.

use crate::authority::Authority;
use crate::encrypted::{Encrypted, NAME, Seen};
use crate::role::SENTINEL;
use crate::running::{Running, eventually};
use crate::server::{Server, Stop};
use crate::world::{Ran, RunToEnd, World, program};

const EVERYBODY: &str = "host all all 127.0.0.1/32 scram-sha-256";

#[test]
fn every_mode_demands_what_it_says() {
    let e = Encrypted::new("tls_modes", EVERYBODY);
    let other = e.world.file("other.crt", Authority::new("Another Authority").pem);
    let other = |mode: &str| format!("sslmode={mode}&sslrootcert={other}");
    for (options, seen) in [
        ("", Seen::Tls),
        ("sslmode=disable", Seen::Plain),
        ("sslmode=allow", Seen::Plain),
        ("sslmode=prefer", Seen::Tls),
        ("sslmode=require", Seen::Tls),
        ("ssl_require=true", Seen::Tls),
        ("sslmode=require&sslrootcert=ROOT", Seen::Tls),
        ("sslmode=verify-ca&sslrootcert=ROOT", Seen::Tls),
        ("sslmode=verify-full&sslrootcert=ROOT", Seen::Tls),
        ("sslmode=verify-full&sslrootcert=ROOT&sslsni=0", Seen::Tls),
        ("sslmode=require&channel_binding=require", Seen::Tls),
        ("sslmode=require&channel_binding=disable", Seen::Tls),
        ("sslmode=require&ssl_max_protocol_version=TLSv1.2", Seen::Tls),
        ("sslmode=require&ssl_min_protocol_version=TLSv1.3", Seen::Tls),
        // As libpq has it: whom not to trust is not spoken to in secret, but spoken to.
        (&other("prefer"), Seen::Plain),
    ] {
        // libpq knows no `ssl_require`.
        let options_of_libpq = options.replace("ssl_require=true", "sslmode=require");
        assert_eq!(e.libpq_gets_in(&options_of_libpq), Some(seen), "{options}");
        assert_eq!(e.gets_in(options), seen, "{options}");
    }
    assert!(e.server.log().contains("protocol=TLSv1.2"), "{}", e.server.log());
    // A file that is there is heeded, as libpq heeds it.
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_eq!(e.libpq_gets_in(&other(mode)), None);
        e.is_refused(&other(mode), &["authority that is not trusted", "sslrootcert=FILE"]);
    }
    for mode in ["verify-ca", "verify-full"] {
        assert_eq!(e.libpq_gets_in(&format!("sslmode={mode}")), None);
        e.is_refused(&format!("sslmode={mode}"), &["root.crt", "sslrootcert=FILE"]);
    }
    e.is_refused("sslmode=require&sslrootcert=/nonexistent/root", &["/nonexistent/root"]);
    e.is_refused("sslmode=disable&channel_binding=require", &["channel binding"]);
    e.run_by("wrong.test", "sslmode=verify-full&sslrootcert=ROOT")
        .refuses(1, &["not for wrong.test, but for", NAME, "sslmode=verify-ca"]);
    e.run_by("wrong.test", "sslmode=verify-ca&sslrootcert=ROOT").ok();
    e.run_by("127.0.0.1", "sslmode=verify-full&sslrootcert=ROOT").ok();
}

#[test]
fn roots_of_the_system_and_of_the_home_folder() {
    let e = Encrypted::new("tls_roots", EVERYBODY);
    let url = e.url_by(NAME, "sslrootcert=system");
    let run = |name: &str, value: &str, url: &str| {
        let mut command = e.world.command(&["list", "--format", "count", "-d", url]);
        command.env(name, value).ran("")
    };
    run("SSL_CERT_FILE", &e.root, &url).ok();
    let other = e.world.file("other.crt", Authority::new("Another Authority").pem);
    run("SSL_CERT_FILE", &other, &url).refuses(1, &["authority that is not trusted"]);
    let wrong = e.url_by("wrong.test", "sslrootcert=system");
    run("SSL_CERT_FILE", &e.root, &wrong).refuses(1, &["not for wrong.test"]);

    let home = std::path::Path::new(&e.root).parent().unwrap();
    std::fs::create_dir(home.join(".postgresql")).unwrap();
    std::fs::copy(&e.root, home.join(".postgresql/root.crt")).unwrap();
    let home = home.to_str().unwrap();
    run("HOME", home, &e.url_by(NAME, "sslmode=verify-full")).ok();
    run("HOME", home, &e.url_by("wrong.test", "sslmode=require")).ok();
    std::fs::copy(&other, format!("{home}/.postgresql/root.crt")).unwrap();
    run("HOME", home, &e.url_by(NAME, "sslmode=require"))
        .refuses(1, &["authority that is not trusted"]);
}

#[test]
fn pg_hba_that_wants_tls_or_wants_none() {
    let ssl = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let e = Encrypted::new("tls_hostssl", ssl);
    for options in ["sslmode=allow", "sslmode=prefer", "sslmode=require"] {
        assert_eq!(e.libpq_gets_in(options), Some(Seen::Tls), "{options}");
        assert_eq!(e.gets_in(options), Seen::Tls, "{options}");
    }
    e.is_refused("sslmode=disable", &["no pg_hba.conf entry"]);
    // Of two refusals the one that helps.
    let wrong = |e: &Encrypted, mode: &str| {
        let url = e.url_by(NAME, mode).replace(SENTINEL, "wrong");
        e.run_url(&url).refuses(1, &["password authentication failed"]);
    };
    wrong(&e, "sslmode=prefer");
    wrong(&e, "sslmode=allow");
    drop(e);
    let e = Encrypted::new("tls_hostnossl", &ssl.replace("hostssl", "hostnossl"));
    for options in ["sslmode=disable", "sslmode=allow", "sslmode=prefer"] {
        assert_eq!(e.libpq_gets_in(options), Some(Seen::Plain), "{options}");
        assert_eq!(e.gets_in(options), Seen::Plain, "{options}");
    }
    e.is_refused("sslmode=require", &["no pg_hba.conf entry"]);
    wrong(&e, "sslmode=prefer");
    wrong(&e, "sslmode=allow");
}

#[test]
fn a_certificate_of_the_client() {
    let e = Encrypted::new(
        "tls_client",
        "hostssl all postgres 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256",
    );
    let own = e.authority.issue("postgres", &[]);
    let certificate = e.world.file("client.crt", &own.pem);
    let key = e.secret("client.key", &own.key);
    let with = |certificate: &str, key: &str| {
        format!("sslmode=verify-full&sslrootcert=ROOT&sslcert={certificate}&sslkey={key}")
    };
    assert_eq!(e.gets_in(&with(&certificate, &key)), Seen::Tls);
    e.is_refused("sslmode=require", &["valid client certificate", "sslcert"]);
    e.is_refused(&with("/nonexistent/crt", &key), &["/nonexistent/crt", "sslcert"]);
    e.is_refused(&with(&certificate, "/nonexistent/key"), &["/nonexistent/key", "sslkey"]);
    e.is_refused(&with(&certificate, &certificate), &["others may read it", "chmod 600"]);
    let no_key = e.secret("no.key", &own.pem);
    e.is_refused(&with(&certificate, &no_key), &["no private key"]);
    let stranger = Authority::new("Another Authority").issue("postgres", &[]);
    let strange = e.world.file("strange.crt", &stranger.pem);
    e.is_refused(&with(&strange, &key), &["client certificate", "belong to"]);
    let strange_key = e.secret("strange.key", &stranger.key);
    e.is_refused(&with(&strange, &strange_key), &["UnknownCA", "ssl_ca_file"]);

    let home = e.world.file("home", "");
    std::fs::remove_file(&home).unwrap();
    std::fs::create_dir_all(format!("{home}/.postgresql")).unwrap();
    for (from, to) in [(&certificate, "crt"), (&key, "key")] {
        std::fs::copy(from, format!("{home}/.postgresql/postgresql.{to}")).unwrap();
    }
    let mut command = e.world.command(&["list", "-d", &e.url_by(NAME, "sslmode=require")]);
    command.env("HOME", home).ran("").ok();
}

/// A scan that is broken off sends its wish to end over TLS, too.
#[test]
fn what_is_broken_off_is_cancelled_over_tls() {
    let e = Encrypted::new("tls_cancel", "hostssl all all 127.0.0.1/32 scram-sha-256");
    e.world.live(200_000);
    let url = e.url_by(NAME, "sslmode=verify-full&sslrootcert=ROOT");
    e.world.run(&["list", "--limit", "1", "--sort", "none", "-d", &url]).ok();
    eventually("the statement is cancelled", || {
        e.server.log().contains("canceling statement due to user request")
    });
}

#[test]
fn a_server_that_restarts_is_waited_for_and_spoken_to_over_tls_again() {
    let mut e = Encrypted::new("tls_restart", "hostssl all all 127.0.0.1/32 scram-sha-256");
    e.world.expired(2_000);
    let url = e.url_by(NAME, "sslmode=verify-full&sslrootcert=ROOT");
    let mut purge = program(&["purge-expired", "--batch-size", "50", "--sleep", "20ms"]);
    let running = Running::start(purge.env("DATABASE_URL", &url));
    eventually("a delete", || e.world.count() < 2_000);
    e.server.stop(Stop::Immediate);
    e.server.start();
    assert!(e.world.count() > 1, "it was over before the server was");
    running.end().ok();
    assert_eq!(e.world.count(), 1);
    let ran = program(&["logout-user", "42"]).env("DATABASE_URL", &url).ran("").ok();
    ran.says("1 session deleted, none is left");
}

/// Whoever stands between has the password then: warned of once, however many connections there are.
#[test]
fn a_password_that_is_sent_as_it_is_is_warned_of() {
    let (server, port) = Server::on_port(
        "host all plain 127.0.0.1/32 password\nhost all scram 127.0.0.1/32 scram-sha-256",
    );
    let w = World::on(&server, "cleartext");
    w.user("42", 2).execute(&format!(
        "SET password_encryption = 'scram-sha-256';
         CREATE ROLE plain LOGIN PASSWORD '{SENTINEL}'; CREATE ROLE scram LOGIN PASSWORD '{SENTINEL}';
         GRANT SELECT, DELETE ON django_session TO plain, scram"
    ));
    let database = w.url().rsplit_once('/').unwrap().1.to_owned();
    let run = |role: &str, options: &str, password: &str| {
        let url = format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}?{options}");
        w.run(&["logout-user", "42", "--dry-run", "-d", &url])
    };
    let warned = |ran: &Ran| ran.stderr.matches("asked for the password as it is").count();
    for options in ["sslmode=disable", "sslmode=allow", "sslmode=prefer"] {
        assert_eq!(warned(&run("plain", options, SENTINEL).ok()), 1, "{options}");
        // Also where it was wrong, or the server only says so.
        assert_eq!(warned(&run("plain", options, "wrong").exits(1)), 1, "{options}");
        assert_eq!(warned(&run("scram", options, SENTINEL).ok()), 0, "{options}");
    }
}

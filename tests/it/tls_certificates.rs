//! Certificates as servers really have them, and connections that somebody tampers with.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::authority::Certificate;
use crate::encrypted::{Encrypted, NAME, Seen};
use crate::role::SENTINEL;
use crate::server::Server;
use crate::world::{RunToEnd, World, program};

const EVERYBODY: &str = "host all all 127.0.0.1/32 scram-sha-256";
const FULL: &str = "sslmode=verify-full&sslrootcert=ROOT";
const CHAIN: &str = "sslmode=verify-ca&sslrootcert=ROOT";
/// Encrypted, and bound to the certificate, which is not verified.
const BOUND: &str = "sslmode=require&channel_binding=require";

#[test]
fn certificates_that_are_not_in_order_are_named() {
    let mut e = Encrypted::new("tls_order", EVERYBODY);
    e.present(&e.authority.issue_expired(NAME));
    for options in [FULL, CHAIN] {
        e.is_refused(options, &["has expired", "clock"]);
    }
    assert_eq!(e.gets_in(BOUND), Seen::Tls);

    e.present(&e.authority.issue(NAME, &[]));
    e.is_refused(FULL, &["no subjectAltName", "sslmode=verify-ca"]);
    assert_eq!(e.gets_in(CHAIN), Seen::Tls);

    e.present(&Certificate::version_1(NAME));
    for options in [FULL, CHAIN] {
        e.is_refused(options, &["X.509 version 1", "sslmode=require"]);
    }
    assert_eq!(e.gets_in(BOUND), Seen::Tls);
}

#[test]
fn a_certificate_that_is_its_own_authority() {
    let mut e = Encrypted::new("tls_self", EVERYBODY);
    let own = Certificate::self_signed(NAME, 2099);
    e.present(&own);
    e.is_refused(CHAIN, &["an authority's (CA:TRUE)", "sslrootcert"]);
    assert_eq!(e.gets_in(BOUND), Seen::Tls);
    let pinned = |certificate: &Certificate| {
        let file = e.world.file("pinned.crt", &certificate.pem);
        format!("sslmode=verify-full&sslrootcert={file}")
    };
    let options = pinned(&own);
    assert_eq!(e.gets_in(&options), Seen::Tls);
    e.run_by("wrong.test", &options).refuses(1, &["not for wrong.test"]);
    // Another one of the same name is another one.
    let twin = pinned(&Certificate::self_signed(NAME, 2099));
    e.is_refused(&twin, &["an authority's (CA:TRUE)"]);
    let expired = Certificate::self_signed(NAME, 2020);
    let options = pinned(&expired);
    e.present(&expired);
    e.is_refused(&options, &["has expired"]);
}

#[test]
fn a_server_without_tls() {
    let (server, port) = Server::on_port("host all all 127.0.0.1/32 trust");
    let w = World::on(&server, "tls_none");
    let database = w.url().rsplit_once('/').unwrap().1.to_owned();
    let run = |options: &str| {
        let url = format!("postgres://postgres@127.0.0.1:{port}/{database}?{options}");
        w.run(&["list", "-d", &url])
    };
    for options in ["", "sslmode=allow", "sslmode=prefer", "sslmode=disable"] {
        run(options).ok();
    }
    let root = w.file("root.crt", crate::authority::Authority::new("Any").pem);
    for mode in ["require", "verify-ca", "verify-full"] {
        run(&format!("sslmode={mode}&sslrootcert={root}"))
            .refuses(1, &["does not offer TLS", "turn ssl on"]);
    }
}

/// Takes one connection after the other to the server, and answers the wish for TLS itself: no.
fn downgrade(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = [0; 8];
            // The length, and the number that stands for TLS.
            if client.read_exact(&mut request).is_err() {
                continue;
            }
            assert_eq!(request, [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
            client.write_all(b"N").unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            thread::spawn(move || std::io::copy(&mut server, &mut client));
        }
    });
    port
}

#[test]
fn who_takes_the_offer_of_tls_away_gets_nothing_that_was_to_be_encrypted() {
    let mut e = Encrypted::new("tls_downgrade", EVERYBODY);
    e.port = downgrade(e.port);
    for mode in ["require", "verify-ca", "verify-full"] {
        let options = format!("sslmode={mode}&sslrootcert=ROOT");
        e.is_refused(&options, &["does not offer TLS", "somebody in between"]);
    }
    e.is_refused("channel_binding=require", &["channel binding"]);
    assert_eq!(e.gets_in("sslmode=prefer"), Seen::Plain);
}

#[test]
fn who_never_answers_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for mode in ["disable", "require"] {
        let began = Instant::now();
        let url =
            format!("postgres://u:{SENTINEL}@127.0.0.1:{port}/db?connect_timeout=1&sslmode={mode}");
        program(&["list", "-d", &url]).ran("").refuses(1, &["no answer in 1 s", "connect_timeout"]);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

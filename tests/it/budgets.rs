//! Servers and files that send without end: what is held of it is bounded.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::huge_rows::measured;
use serde_json::Value;

use crate::world::{Ran, RunToEnd, SECRET_KEY, World, base64_url, login, program, signed_text};

/// In MB. A run on a server that means well takes about 20.
const MOST_OF_A_SERVER: u64 = 110;
const MOST_OF_A_FILE: u64 = 300;

/// How a server treats whoever comes.
#[derive(Clone)]
struct Hostile {
    /// Whether it says yes to TLS.
    tls: bool,
    /// What it says first, and then over and over again.
    first: Vec<u8>,
    flood: Vec<u8>,
    /// Whether it waits for a question in between.
    is_asked: bool,
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap();
    [&[kind], &len.to_be_bytes()[..], body].concat()
}

/// The head of a message of so many bytes.
fn announced(kind: u8, len: u32) -> Vec<u8> {
    [&[kind], &len.to_be_bytes()[..]].concat()
}

fn let_in() -> Vec<u8> {
    message(b'R', &[0; 4])
}

fn ready() -> Vec<u8> {
    [let_in(), message(b'Z', b"I")].concat()
}

impl Hostile {
    fn new(first: Vec<u8>, flood: Vec<u8>) -> Self {
        Self { tls: false, first, flood, is_asked: false }
    }

    /// Its URL.
    fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = self.tls.then(tls);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (hostile, config) = (self.clone(), config.clone());
                thread::spawn(move || hostile.treat(socket.unwrap(), config));
            }
        });
        format!("postgres://u:p@127.0.0.1:{port}/d")
    }

    fn treat(&self, mut socket: TcpStream, config: Option<Arc<ServerConfig>>) {
        let mut heard = [0; 8];
        let _ = socket.read_exact(&mut heard);
        match config {
            None => {
                let _ = socket.write_all(b"N");
                self.speak(&mut socket);
            }
            Some(config) => {
                let _ = socket.write_all(b"S");
                let connection = ServerConnection::new(config).unwrap();
                self.speak(&mut StreamOwned::new(connection, socket));
            }
        }
    }

    fn speak(&self, stream: &mut (impl Read + Write)) {
        let mut heard = [0; 8192];
        let _ = stream.read(&mut heard);
        let _ = stream.write_all(&self.first);
        if self.is_asked {
            let _ = stream.read(&mut heard);
        }
        let flood = self.flood.repeat(1 + 65536 / self.flood.len());
        // As much as would be noticed, and no more than a test machine has.
        for _ in 0..16_384 {
            if stream.write_all(&flood).is_err() {
                return;
            }
        }
    }
}

fn tls() -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["db".into()]).unwrap().self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    Arc::new(config.unwrap())
}

/// The program takes no more memory than this, gives up soon, and says why.
fn is_refused(hostile: Hostile, said: &str) {
    let url = hostile.start();
    let began = Instant::now();
    let (ran, memory) =
        measured(program(&["list", "--answer-timeout", "20s"]).env("SESSCTL_DATABASE_URL", url));
    ran.exits(1).says(said).says("sslmode=verify-full");
    assert!(memory < MOST_OF_A_SERVER, "{said}: {memory} MB");
    assert!(began.elapsed() < Duration::from_secs(20), "{said}");
}

#[test]
fn what_comes_before_the_server_lets_us_in_is_bounded() {
    const BEFORE: &str = "before it let us in";
    let parameters = message(b'S', &[b"name\0", &[b'x'; 5000][..], b"\0"].concat());
    let notices = message(b'N', &[b"SNOTICE\0", &[b'x'; 5000][..], b"\0\0"].concat());
    for flood in [&parameters, &notices] {
        is_refused(Hostile::new(let_in(), flood.clone()), BEFORE);
        let hostile = Hostile { tls: true, ..Hostile::new(let_in(), flood.clone()) };
        is_refused(hostile, BEFORE);
    }
    is_refused(Hostile::new(announced(b'R', 1 << 24), vec![0]), BEFORE);
}

#[test]
fn no_message_is_taken_that_is_larger_than_a_session() {
    let sized = |kind| Hostile::new(ready(), [announced(kind, 700_000_000), vec![0]].concat());
    for kind in *b"DNEdT" {
        is_refused(sized(kind), "a message of 700000000 bytes");
    }
    is_refused(Hostile { tls: true, ..sized(b'D') }, "a message of 700000000 bytes");
    let all = Hostile::new(announced(b'R', 700_000_000), vec![0]);
    is_refused(all, "a message of 700000000 bytes");
}

#[test]
fn what_is_held_of_a_server_that_has_let_us_in_is_bounded() {
    let parameters = (0..1000).flat_map(|number| {
        message(b'S', format!("name{number}\0{}\0", "x".repeat(5000)).as_bytes())
    });
    is_refused(Hostile::new(ready(), parameters.collect()), "of parameters");
    // Rows, in answer to the first question.
    let row = message(b'D', &[&1_u16.to_be_bytes()[..], &8_u32.to_be_bytes(), &[b'x'; 8]].concat());
    let columns = message(
        b'T',
        &[&1_u16.to_be_bytes()[..], b"c\0", &[0; 6], &25_u32.to_be_bytes(), &[0; 8]].concat(),
    );
    let bound = [message(b'1', b""), message(b't', &[0; 2]), columns, message(b'2', b"")].concat();
    let hostile = Hostile { is_asked: true, ..Hostile::new(ready(), row) };
    let first = [ready(), bound].concat();
    let url = Hostile { first, ..hostile }.start();
    let (ran, memory) =
        measured(program(&["list", "--answer-timeout", "9s"]).env("SESSCTL_DATABASE_URL", url));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(memory < 400, "{memory} MB");
}

#[test]
fn what_a_file_has_sqlite_make_is_bounded() {
    let many = vec!["randomblob(60000000)"; 30].join(", ");
    for made in ["randomblob(900000000)", "zeroblob(900000000) || 'x'", &many] {
        let w = World::sqlite("large_values");
        w.user("42", 3).expired(3);
        w.execute(&format!(
            "CREATE TABLE kept (x); CREATE TRIGGER large BEFORE DELETE ON django_session BEGIN
                 INSERT INTO kept SELECT length(hex(a.c1)) FROM (SELECT {}) AS a; END",
            made.split(", ")
                .enumerate()
                .map(|(n, value)| format!("{value} AS c{}", n + 1))
                .collect::<Vec<_>>()
                .join(", ")
        ));
        for command in [&["logout-user", "42"][..], &["purge-expired"], &["flush-all", "--yes"]] {
            let (ran, memory) = measured(&w.command(command));
            assert_eq!(ran.code, 1, "{made}: {ran:?}");
            let ran = ran.says("that no session has");
            assert!(memory < MOST_OF_A_FILE, "{made}: {memory} MB: {ran:?}");
            assert_eq!(w.count(), 6);
        }
    }
    // It would fit into all the memory that SQLite may take.
    let w = World::sqlite("large_value");
    w.user("42", 3);
    w.execute("CREATE TRIGGER large BEFORE DELETE ON django_session BEGIN SELECT length(randomblob(80000000)); END");
    w.run(&["logout-user", "42"]).exits(1).says("that no session has");
    let w = World::sqlite("large_view");
    w.execute(
        "ALTER TABLE django_session RENAME TO hidden; CREATE VIEW django_session AS
             SELECT 'k' AS session_key, hex(randomblob(400000000)) AS session_data, '2099-01-01' AS expire_date",
    );
    for command in [&["list"][..], &["stats"], &["logout-user", "42", "--dry-run"]] {
        let (ran, memory) = measured(&w.command(command));
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(memory < MOST_OF_A_FILE, "{memory} MB: {ran:?}");
    }
}

/// What is sorted would go to temporary files, which have no limit.
#[test]
fn what_a_file_has_sqlite_sort_does_not_fill_the_disk() {
    const BLOBS: &str = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT randomblob(100000) AS x FROM n)";
    let refused = |w: &World, command: &[&str]| {
        let command = [command, &["--answer-timeout", "20s"]].concat();
        let (ran, memory) = measured(&w.command(&command));
        let ran = ran.exits(1).says("that no session has");
        assert!(memory < MOST_OF_A_FILE, "{memory} MB: {ran:?}");
    };
    let w = World::sqlite("sorted_trigger");
    w.user("42", 3).expired(3);
    w.execute(&format!(
        "CREATE TABLE kept (x); CREATE TRIGGER sorts BEFORE DELETE ON django_session BEGIN
             INSERT INTO kept SELECT x FROM {BLOBS} ORDER BY x; END"
    ));
    for command in [&["logout-user", "42"][..], &["purge-expired"], &["flush-all", "--yes"]] {
        refused(&w, command);
        assert_eq!(w.count(), 6);
    }
    let w = World::sqlite("sorted_view");
    w.execute(&format!(
        "DROP TABLE django_session; CREATE VIEW django_session AS
             SELECT DISTINCT hex(x) AS session_key, 'x' AS session_data, '2099-01-01' AS expire_date FROM {BLOBS} ORDER BY 1"
    ));
    for command in
        [&["list", "--format", "count"][..], &["stats"], &["logout-user", "42", "--dry-run"]]
    {
        refused(&w, command);
    }
}

#[test]
fn what_a_file_says_is_not_trusted_with_functions_that_do_things() {
    for (does, said) in [
        ("SELECT load_extension('evil')", "unsafe use of load_extension"),
        // Only a schema that is trusted may.
        ("SELECT count(*) FROM pragma_table_info('django_session')", "unsafe use of virtual table"),
        // What a virtual table keeps is its own.
        ("INSERT INTO found_data VALUES (99, x'00')", "table found_data may not be modified"),
    ] {
        let w = World::sqlite("untrusted_schema");
        w.user("42", 3);
        w.execute(&format!(
            "CREATE VIRTUAL TABLE found USING fts5 (x);
             CREATE TRIGGER does BEFORE DELETE ON django_session BEGIN {does}; END"
        ));
        w.run(&["logout-user", "42"]).exits(1).says(said);
        assert_eq!(w.count(), 3);
    }
}

/// How long the first letters of a server make the program wait, and what it says then.
fn first_letters(said: impl Fn(&str) -> Vec<Vec<u8>> + Send + 'static) -> (Ran, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "postgres://u:p@127.0.0.1:{}/d?sslmode=disable&connect_timeout=2",
        listener.local_addr().unwrap().port()
    );
    thread::spawn(move || {
        let (mut socket, mut heard) = (listener.accept().unwrap().0, [0; 4096]);
        let mut last = String::new();
        for number in 0.. {
            let len = socket.read(&mut heard).unwrap_or(0);
            last.push_str(&String::from_utf8_lossy(&heard[..len]));
            let said = said(&last);
            let Some(message) = said.get(number).filter(|_| len > 0) else { break };
            let _ = socket.write_all(message);
        }
        thread::sleep(Duration::from_secs(30));
    });
    let began = Instant::now();
    let ran = program(&["list"]).env("SESSCTL_DATABASE_URL", url).ran("");
    (ran, began.elapsed())
}

/// The driver's own limit.
#[test]
fn a_password_is_not_hashed_for_hours() {
    let (ran, took) = first_letters(|heard| {
        let nonce = heard.rsplit_once("r=").map_or("", |(_, nonce)| nonce.trim_end_matches('\0'));
        let first = format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i=4294967295");
        vec![
            message(b'R', &[&10_u32.to_be_bytes()[..], b"SCRAM-SHA-256\0\0"].concat()),
            message(b'R', &[&11_u32.to_be_bytes()[..], first.as_bytes()].concat()),
        ]
    });
    ran.exits(1).says("iteration count");
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn a_long_error_is_told_in_brief() {
    let (ran, _) = first_letters(|_| {
        let text = "y".repeat(900_000);
        vec![message(b'E', format!("SFATAL\0C28000\0M{text}\0\0").as_bytes())]
    });
    let ran = ran.exits(1).says("yyy ...");
    assert!(ran.stderr.len() < 3_000, "{} bytes", ran.stderr.len());
}

/// Rows of 1 kB that hold texts of 1 MB each wherever a row can hold one.
#[test]
fn little_that_is_stored_is_no_flood_of_output() {
    let w = World::sqlite("budget_output");
    let long = "g".repeat(1_000_000);
    let zlib = |payload: &str| {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        zlib.write_all(payload.as_bytes()).unwrap();
        signed_text(&format!(".{}", base64_url(&zlib.finish().unwrap())), SECRET_KEY)
    };
    let rows: Vec<_> = (0..5)
        .flat_map(|number| {
            [
                login(&format!("{long}{number}")),
                login("42").replace("ModelBackend", &long),
                login("42")
                    .replace("cart", "_impersonate")
                    .replace("[1,2]", &format!("\"{long}\"")),
                format!(r#"{{"member_{number}{long}":"42","user_{number}":"42","{long}":1}}"#),
            ]
        })
        .map(|payload| (w.next_key(), zlib(&payload)))
        .collect();
    let fill = || {
        let rows = rows.iter().map(|(key, data)| (&**key, &**data, "2099-01-01 00:00:00".into()));
        w.execute("DELETE FROM django_session");
        w.rows(rows).user("42", 1);
    };
    fill();
    w.execute(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, username text, is_staff boolean);
         INSERT INTO auth_user VALUES (42, 'anna', true)",
    );
    for command in [
        &["list"][..],
        &["list", "--user", "42"],
        &["list", "--format", "ids"],
        &["stats"],
        &["stats", "--format", "json"],
        &["doctor", "--format", "json"],
        &["logout-user", "42", "-n"],
        &["logout-user", "42", "-n", "--format", "json"],
        &["logout-user", "--staff", "-n"],
        &["logout-user", "--deleted-users", "--unfit-ids", "-n"],
        &["logout-user", "42"],
        &["logout-user", "42", "--format", "json"],
        &["logout-user", "42", "--keep-data", "--format", "json"],
        &["flush-all", "--yes", "--except-user", "42", "--format", "json"],
        &["backfill", "--type", "bigint", "--format", "json"],
        &["backfill", "--type", "text", "--column", "as_text", "--format", "json"],
    ] {
        let ran = w.run(command);
        let bytes = ran.stdout.len() + ran.stderr.len();
        assert!(bytes < 30_000, "{command:?} printed {bytes} bytes");
        fill();
    }
    w.execute(
        "ALTER TABLE auth_user RENAME TO people; CREATE VIEW auth_user AS
             SELECT p.id, hex(zeroblob(500000)) || p.id AS username, p.is_staff FROM people p",
    );
    let staff = ["logout-user", "--staff", "--user-table", "auth_user", "-n", "--format", "json"];
    assert!(w.run(&staff).exits(3).stdout.len() < 5_000);
    let shown = w.run(&["list"]).ok().stdout;
    let brief = format!("{}... (1000001 characters)", "g".repeat(200));
    assert!(shown.contains(&brief), "{shown}");
    // No key is that long, so no line of --from-file is.
    let ids = w.run(&["list", "--format", "ids"]).exits(3).says("has more than 1,000 bytes");
    assert!(ids.stdout.lines().all(|id| id == "42") && ids.stdout.lines().count() == 11);
    // Programs get it as it is.
    let listed = w.run(&["list", "--format", "jsonl"]).ok().json_lines();
    let is_whole = |row: &Value| row["user_id"].as_str().is_some_and(|id| id.len() == 1_000_001);
    assert_eq!(listed.into_iter().filter(is_whole).count(), 5);
}

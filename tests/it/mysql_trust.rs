//! Whose code runs with the rights of a strong account, and how much a server may send.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use crate::huge_rows::measured;
use crate::mysql_server::MySqlClient;
use crate::running::{Running, eventually};
use crate::support::{mysql_url, postgres_tmp};
use crate::world::{Ran, World, program};

/// The account of these tests may do anything. A function writes a file if it has the right to.
struct Trap {
    w: World,
    caught: PathBuf,
}

const TRAP: &str = "CREATE FUNCTION trap() RETURNS integer SQL SECURITY INVOKER BEGIN
        DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
        SELECT 'x' INTO OUTFILE 'CAUGHT'; RETURN 1; END";

/// In the place of a table.
const VIEW: &str = "RENAME TABLE PLACE TO hers;
    CREATE SQL SECURITY INVOKER VIEW PLACE AS SELECT * FROM hers WHERE trap() = 1";

impl Trap {
    fn new(name: &str) -> Self {
        let w = World::mysql(name);
        w.user("42", 3).user("7", 1).expired(2);
        let caught = postgres_tmp().join(format!("caught_{name}_{}", std::process::id()));
        w.execute(&TRAP.replace("CAUGHT", caught.to_str().unwrap()));
        Self { w, caught }
    }

    fn put(&self, table: &str) {
        self.w.execute(&VIEW.replace("PLACE", table));
    }

    fn is_refused(&self, command: &[&str], view: &str) {
        let ran = self.w.run(command);
        assert!(ran.code != 0 && says(&ran, view), "{command:?}: {ran:#?}");
        assert!(!self.caught.exists(), "{command:?} ran it: {ran:#?}");
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.caught);
    }
}

fn says(ran: &Ran, what: &str) -> bool {
    ran.stderr.contains(what) || ran.stdout.contains(what)
}

#[test]
fn a_view_that_runs_code_of_others_is_refused_to_a_strong_account() {
    let trap = Trap::new("mysql_trust");
    let w = &trap.w;
    trap.put("django_session");
    for command in [
        &["list"][..],
        &["show", "00000000"],
        &["stats"],
        &["check", "--max-expired", "10"],
        &["doctor"],
        &["logout-user", "42", "--dry-run"],
        &["logout-user", "42"],
        &["logout-user", "42", "--keep-data"],
        &["purge-expired"],
        &["purge-expired", "--dry-run"],
        &["flush-all", "--yes"],
        &["backfill"],
    ] {
        trap.is_refused(command, "django_session` (SQL SECURITY INVOKER)");
    }
    // An account of the site's own has nothing to lose.
    let (server, database) =
        w.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let mut client = MySqlClient::connect(&mysql_url());
    client.execute(&format!(
        "DROP USER IF EXISTS mysql_trust@'%'; CREATE USER mysql_trust@'%' IDENTIFIED BY 'weak'; GRANT ALL ON {database}.* TO mysql_trust@'%'"
    ));
    let (_, at) = server.rsplit_once('@').unwrap();
    let url = format!("mysql://mysql_trust:weak@{at}/{database}");
    w.run(&["stats", "-d", &url]).ok();
    assert!(!trap.caught.exists());
    client.execute("GRANT FILE ON *.* TO mysql_trust@'%'");
    let ran = w.run(&["stats", "-d", &url]).exits(1);
    assert!(says(&ran, "--superuser-ok"), "{ran:#?}");
    client.execute("DROP USER mysql_trust@'%'");
    let allowed = w.run(&["stats", "--superuser-ok"]).ok();
    assert!(allowed.stderr.contains("warning: with the rights of account"), "{allowed:#?}");
    assert!(trap.caught.exists(), "the trap does not work");
}

#[test]
fn tables_of_users_and_of_allauth_are_no_traps_either() {
    let trap = Trap::new("mysql_trust_others");
    let w = &trap.w;
    w.execute(
        "CREATE TABLE auth_user (id bigint PRIMARY KEY, username varchar(150) UNIQUE, password varchar(128), last_login datetime(6));
         INSERT INTO auth_user VALUES (42, 'anna', '', NULL);
         CREATE TABLE usersessions_usersession AS SELECT session_key FROM django_session",
    );
    trap.put("auth_user");
    trap.is_refused(
        &["logout-user", "--username", "anna", "--user-table", "auth_user"],
        "auth_user` (SQL SECURITY INVOKER)",
    );
    w.execute("DROP TABLE hers");
    trap.put("usersessions_usersession");
    trap.is_refused(
        &["logout-user", "42", "--cleanup-allauth"],
        "usersessions_usersession` (SQL SECURITY INVOKER)",
    );
}

/// Before the next batch, and before the next look.
#[test]
fn a_view_that_comes_while_sessctl_runs_is_not_run() {
    for (name, rest, left) in [
        ("mysql_trust_batch", &["--batch-size", "1", "--sleep", "4s"][..], 5),
        ("mysql_trust_look", &["--settle", "4s"], 3),
    ] {
        let trap = Trap::new(name);
        let running = Running::start(&mut trap.w.command(&[&["logout-user", "42"], rest].concat()));
        eventually("a batch", || trap.w.count() == left);
        trap.put("django_session");
        let ran = running.end().exits(1);
        assert!(says(&ran, "(SQL SECURITY INVOKER)"), "{ran:#?}");
        assert!(!trap.caught.exists(), "{ran:#?}");
    }
}

/// MySQL cannot spell what is not shown.
#[test]
fn grants_show_no_characters_that_steer_a_terminal() {
    let w = World::mysql("mysql_trust_names");
    w.execute("RENAME TABLE django_session TO `x\u{1b}\u{202e}\nz`");
    let ran = w.run(&["doctor", "--grants", "--table", "\"x\u{1b}\u{202e}\nz\""]).ok();
    assert!(ran.stdout.contains(r"x\u{1b}\u{202e}\u{a}"), "{ran:#?}");
    assert!(!ran.stdout.contains(['\u{1b}', '\u{202e}']), "{ran:#?}");
}

fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    [&length[..3], &[number], body].concat()
}

/// What a server does without end.
#[derive(Clone, Copy)]
enum Flood {
    /// Sends a greeting.
    Greeting,
    /// Lets anybody in, and sends one message.
    Message,
    /// Lets anybody in, and describes columns.
    Columns,
}

fn send(flood: Flood, client: &mut TcpStream) -> std::io::Result<()> {
    // A message longer than this goes on in the next packet.
    let part = vec![0xff; 0xff_ffff];
    if let Flood::Greeting = flood {
        return (0..).try_for_each(|number: u8| client.write_all(&packet(number, &part)));
    }
    let mut greeting = b"\x0a8.0.30\0\x01\0\0\0challeng\0".to_vec();
    greeting.extend([0xff, 0xf7, 0x2d, 2, 0, 0xff, 0x81, 21]);
    greeting.extend([0; 10]);
    greeting.extend(b"echallengech\0mysql_native_password\0");
    client.write_all(&packet(0, &greeting))?;
    let mut buffer = [0; 4096];
    let _ = client.read(&mut buffer)?;
    client.write_all(&packet(2, &[0, 0, 0, 2, 0, 0, 0]))?;
    let _ = client.read(&mut buffer)?;
    if let Flood::Message = flood {
        return (1..=200).try_for_each(|number| client.write_all(&packet(number, &part)));
    }
    client.write_all(&packet(1, b"\xfd\xff\xff\xff"))?;
    let column =
        [b"\x03def\0\0\0\0\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0", &[b'x'; 200][..]].concat();
    (2..).try_for_each(|number: u64| {
        client.write_all(&packet(u8::try_from(number % 256).unwrap(), &column))
    })
}

#[test]
fn what_a_server_sends_is_bounded() {
    for (flood, said, most) in [
        (Flood::Greeting, "larger than max_allowed_packet", 60),
        (Flood::Message, "larger than max_allowed_packet", 300),
        (Flood::Columns, "the server sent more than 256 MB as an answer", 700),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("mysql://u@127.0.0.1:{}/db", listener.local_addr().unwrap().port());
        thread::spawn(move || {
            listener.incoming().for_each(|client| drop(send(flood, &mut client.unwrap())));
        });
        let list = ["list", "--db-timezone", "UTC"];
        let (ran, memory) = measured(program(&list).env("SESSCTL_DATABASE_URL", url));
        ran.exits(1).says(said);
        assert!(memory < most, "{said}: {memory} MB");
    }
}

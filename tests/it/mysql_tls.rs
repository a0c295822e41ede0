//! What each `ssl-mode` demands, on real servers of MariaDB.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::authority::{Authority, Certificate};
use crate::mysql_server::MySqlClient;
use crate::role::SENTINEL;
use crate::running::eventually;
use crate::support::{as_server, postgres_tmp};
use crate::world::{Ran, RunToEnd, World, program};

/// A server of a test's own, with one session. It ends, and its folder goes, with this value.
struct Encrypted {
    folder: PathBuf,
    process: Child,
    port: u16,
    world: World,
    authority: Authority,
    root: String,
}

impl Encrypted {
    fn new(name: &str, certificate: impl FnOnce(&Authority) -> Certificate) -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let folder = postgres_tmp().join(format!("mysql-{}-{number}", std::process::id()));
        let made = as_server("mkdir").args(["-m", "700"]).arg(&folder).status();
        assert!(made.unwrap().success());
        let place = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let mut install = as_server("mariadb-install-db");
        install.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        install.args(["--skip-name-resolve", &format!("--datadir={}", place("data"))]);
        install.arg(format!("--tmpdir={}", folder.display()));
        assert!(install.output().unwrap().status.success());
        let authority = Authority::new("Private Authority");
        let Certificate { pem, key } = certificate(&authority);
        for (name, text) in [
            ("root.crt", &*authority.pem),
            ("server.crt", &pem),
            ("server.key", &key),
            (
                "init.sql",
                &format!(
                    "CREATE USER u@'%' IDENTIFIED BY '{SENTINEL}';\nGRANT ALL ON *.* TO u@'%';\nCREATE DATABASE db;\n"
                ),
            ),
        ] {
            let mut write = as_server("tee");
            write.arg(folder.join(name)).stdout(Stdio::null()).stdin(Stdio::piped());
            write.ran(text).ok();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut start = as_server("mariadbd");
        start.args([
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--skip-log-bin",
        ]);
        start.args(["--innodb-buffer-pool-size=16M", &format!("--port={port}")]);
        for (option, name) in [
            ("datadir", "data"),
            ("tmpdir", "."),
            ("socket", "socket"),
            ("pid-file", "pid"),
            ("init-file", "init.sql"),
            ("ssl-ca", "root.crt"),
            ("ssl-cert", "server.crt"),
            ("ssl-key", "server.key"),
        ] {
            start.arg(format!("--{option}={}", place(name)));
        }
        let process = start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let world = World::mysql(name);
        world.user("42", 1);
        let root = world.file("root.crt", &authority.pem);
        let new = Self { folder, process, port, world, authority, root };
        eventually("the server lets us in", || {
            new.ran("127.0.0.1", "ssl-mode=DISABLED").stderr.contains("no table")
        });
        let mut client = MySqlClient::connect(&format!("mysql://u:{SENTINEL}@127.0.0.1:{port}/db"));
        client.execute(
            "CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY,
             session_data longtext NOT NULL, expire_date datetime(6) NOT NULL)",
        );
        client.execute("INSERT INTO django_session VALUES ('k', 'x', '2099-01-01')");
        new
    }

    /// `list` by this name of the host. `ROOT` stands for the file with the authority.
    fn ran(&self, host: &str, options: &str) -> Ran {
        let options = options.replace("ROOT", &self.root);
        let url = format!("mysql://u:{SENTINEL}@{host}:{}/db?{options}", self.port);
        let mut command = program(&["list", "--format", "count", "--db-timezone", "UTC"]);
        let ran = command.env("DATABASE_URL", url).ran("");
        assert!(!ran.stderr.contains(SENTINEL), "{ran:#?}");
        ran
    }

    fn gets_in(&self, options: &str) {
        assert_eq!(self.ran("127.0.0.1", options).ok().stdout, "1\n", "{options}");
    }

    fn is_refused(&self, options: &str, says: &[&str]) {
        self.ran("127.0.0.1", options).refuses(1, says);
    }

    /// Whether an account that must use TLS gets in.
    fn demand_tls(&self) {
        let mut client =
            MySqlClient::connect(&format!("mysql://u:{SENTINEL}@127.0.0.1:{}/db", self.port));
        client.execute("ALTER USER u@'%' REQUIRE SSL");
    }

    fn secret(&self, name: &str, text: &str) -> String {
        let file = self.world.file(name, text);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        file
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = as_server("rm").arg("-rf").arg(&self.folder).status();
    }
}

#[test]
fn every_mode_demands_what_it_says() {
    let e = Encrypted::new("mysql_tls", |authority| {
        authority.issue("db.test", &["db.test", "127.0.0.1"])
    });
    let other = e.world.file("other.crt", Authority::new("Another Authority").pem);
    e.gets_in("ssl-mode=DISABLED");
    e.demand_tls();
    e.is_refused("ssl-mode=DISABLED", &["1045"]);
    for options in [
        "",
        "ssl-mode=PREFERRED",
        "ssl-mode=REQUIRED",
        "ssl=1",
        "ssl-mode=REQUIRED&ssl-ca=ROOT",
        "ssl-mode=VERIFY_CA&ssl-ca=ROOT",
        "ssl-mode=VERIFY_IDENTITY&ssl-ca=ROOT",
        "ssl-ca=ROOT",
        "ssl-verify-server-cert=1&ssl-ca=ROOT",
    ] {
        e.gets_in(options);
    }
    for mode in ["VERIFY_CA", "VERIFY_IDENTITY"] {
        e.is_refused(
            &format!("ssl-mode={mode}&ssl-ca={other}"),
            &["authority that is not trusted", "ssl-ca=FILE"],
        );
        e.is_refused(&format!("ssl-mode={mode}&ssl-ca=/nonexistent/ca"), &["/nonexistent/ca"]);
        // The driver verifies the name in both modes.
        let options = format!("ssl-mode={mode}&ssl-ca=ROOT&protocol=tcp");
        e.ran("localhost", &options)
            .refuses(1, &["not for localhost, but for", "ssl-mode=REQUIRED"]);
    }
    e.ran("localhost", "ssl-mode=REQUIRED&protocol=tcp").ok();
    // Of no authority that this machine trusts.
    let system = |file: &str| {
        let url = format!("mysql://u:{SENTINEL}@127.0.0.1:{}/db?ssl-mode=VERIFY_IDENTITY", e.port);
        let mut command = program(&["list", "--db-timezone", "UTC"]);
        command.env("SSL_CERT_FILE", file).env("DATABASE_URL", url).ran("")
    };
    system(&other).refuses(1, &["authority that is not trusted"]);
    system(&e.root).ok();
}

#[test]
fn a_certificate_of_the_client() {
    let e = Encrypted::new("mysql_tls_client", |authority| authority.issue("x", &["127.0.0.1"]));
    let mut client = MySqlClient::connect(&format!("mysql://u:{SENTINEL}@127.0.0.1:{}/db", e.port));
    client.execute("ALTER USER u@'%' REQUIRE X509");
    let own = e.authority.issue("client", &[]);
    let (cert, key) = (e.world.file("own.crt", &own.pem), e.secret("own.key", &own.key));
    e.gets_in(&format!("ssl-mode=VERIFY_IDENTITY&ssl-ca=ROOT&ssl-cert={cert}&ssl-key={key}"));
    e.is_refused("ssl-mode=REQUIRED", &["1045"]);
    e.is_refused(
        &format!("ssl-cert=/nonexistent/c&ssl-key={key}"),
        &["/nonexistent/c", "ssl-cert"],
    );
    e.is_refused(&format!("ssl-cert={cert}&ssl-key={cert}"), &["others may read it", "chmod 600"]);
}

#[test]
fn certificates_that_are_not_in_order_are_refused() {
    let e = Encrypted::new("mysql_tls_expired", |authority| authority.issue_expired("127.0.0.1"));
    e.is_refused("ssl-mode=VERIFY_IDENTITY&ssl-ca=ROOT", &["has expired", "ssl-mode=REQUIRED"]);
    e.gets_in("ssl-mode=REQUIRED");
}

/// The shared server has no certificate.
#[test]
fn a_server_without_tls() {
    let w = World::mysql("mysql_tls_none");
    w.user("42", 1);
    let run = |options: &str| {
        let url = format!("{}?{options}", w.url());
        program(&["list", "--db-timezone", "UTC"]).env("DATABASE_URL", url).ran("")
    };
    // Nobody is between us and this machine.
    for options in ["", "ssl-mode=PREFERRED", "ssl-mode=DISABLED"] {
        run(options).ok();
    }
    let root = w.file("root.crt", Authority::new("Any").pem);
    for options in [
        "ssl-mode=REQUIRED".into(),
        format!("ssl-ca={root}"),
        format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={root}"),
    ] {
        run(&options).refuses(1, &["TLS"]);
    }
}

/// An account whose password the server wants to see as it is, as with PAM. Who plays the server here would have it.
#[test]
fn a_password_does_not_go_in_the_clear() {
    let (port, heard) = greedy_server();
    let run = |options: &str| {
        let url = format!("mysql://u:{SENTINEL}@127.0.0.1:{port}/db?{options}");
        program(&["list", "--db-timezone", "UTC"]).env("DATABASE_URL", url).ran("")
    };
    for options in ["ssl-mode=DISABLED", "", "ssl-mode=DISABLED&enable-cleartext-plugin=1"] {
        run(options).exits(1);
    }
    run("ssl-mode=REQUIRED").exits(1);
    assert!(
        !heard.lock().unwrap().windows(SENTINEL.len()).any(|bytes| bytes == SENTINEL.as_bytes())
    );
    assert!(heard.lock().unwrap().len() > 100, "it was not spoken to");
}

/// A server without TLS that lets nobody in, and asks for the password by `mysql_clear_password`.
fn greedy_server() -> (u16, std::sync::Arc<std::sync::Mutex<Vec<u8>>>) {
    use std::io::{Read, Write};
    let heard = std::sync::Arc::<std::sync::Mutex<Vec<u8>>>::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let all = std::sync::Arc::clone(&heard);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let packet = |number: u8, body: &[u8]| {
                let length = u8::try_from(body.len()).unwrap();
                [&[length, 0, 0, number], body].concat()
            };
            // Protocol 10; a connection; a challenge; all that was long spoken, but TLS; the plugin.
            let mut greeting = b"\x0a8.0.30\0\x01\0\0\0challeng\0".to_vec();
            greeting.extend([0xff, 0xf7, 0x2d, 2, 0, 0xff, 0x81, 21]);
            greeting.extend([0; 10]);
            greeting.extend(b"echallengech\0mysql_native_password\0");
            client.write_all(&packet(0, &greeting)).unwrap();
            let mut buffer = [0; 4096];
            let mut hear = |client: &mut std::net::TcpStream| {
                let read = client.read(&mut buffer).unwrap_or(0);
                all.lock().unwrap().extend(&buffer[..read]);
                read > 0
            };
            if hear(&mut client) {
                let _ = client.write_all(&packet(2, b"\xfemysql_clear_password\0"));
                hear(&mut client);
            }
        }
    });
    (port, heard)
}

//! A server that speaks TLS, with a session table, and the program run on it by all kinds of URLs.

use std::fs::set_permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::authority::{Authority, Certificate};
use crate::role::SENTINEL;
use crate::server::Server;
use crate::support::postgres_bin;
use crate::world::{Ran, RunToEnd, World};

/// The name that its first certificate is for.
pub(crate) const NAME: &str = "db.test";

pub(crate) struct Encrypted {
    pub(crate) server: Server,
    pub(crate) port: u16,
    pub(crate) world: World,
    pub(crate) authority: Authority,
    /// A file with the authority's certificate.
    pub(crate) root: String,
}

/// What connection the server saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Seen {
    Plain,
    Tls,
}

impl Encrypted {
    /// Whom it lets in by TCP, `hba` says. The world has one session.
    pub(crate) fn new(name: &str, hba: &str) -> Self {
        let (server, port) = Server::on_port(hba);
        let world = World::on(&server, name);
        world.user("42", 1);
        world.execute(&format!("ALTER ROLE postgres PASSWORD '{SENTINEL}'"));
        let authority = Authority::new("Private Authority");
        let root = world.file("root.crt", &authority.pem);
        let mut new = Self { server, port, world, authority, root };
        new.server.file("data/root.crt", &new.authority.pem);
        new.present(&new.authority.issue(NAME, &[NAME, "127.0.0.1"]));
        new
    }

    /// Restarts the server with this certificate.
    pub(crate) fn present(&mut self, certificate: &Certificate) {
        self.server.file("data/server.crt", &certificate.pem);
        self.server.file("data/server.key", &certificate.key);
        self.server.set(&["ssl=on", "ssl_ca_file=root.crt"]);
    }

    /// A file that only we may read.
    pub(crate) fn secret(&self, name: &str, content: &str) -> String {
        let path = self.world.file(name, content);
        set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    /// The URL that leads to it by this name, with these options. `ROOT` in them stands for the file
    /// with the authority.
    pub(crate) fn url_by(&self, host: &str, options: &str) -> String {
        let options = options.replace("ROOT", &self.root);
        let (_, database) =
            self.world.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        format!(
            "postgres://postgres:{SENTINEL}@{host}:{}/{database}?hostaddr=127.0.0.1&{options}",
            self.port
        )
    }

    pub(crate) fn run(&self, options: &str) -> Ran {
        self.run_by(NAME, options)
    }

    pub(crate) fn run_by(&self, host: &str, options: &str) -> Ran {
        self.run_url(&self.url_by(host, options))
    }

    pub(crate) fn run_url(&self, url: &str) -> Ran {
        let ran = self
            .world
            .command(&["list", "--format", "count"])
            .env("DATABASE_URL", url)
            .env_remove("SESSCTL_DATABASE_URL")
            .ran("");
        assert!(!ran.stderr.contains(SENTINEL) && !ran.stdout.contains(SENTINEL), "{ran:#?}");
        ran
    }

    /// It gets in; returns as what the server saw it.
    pub(crate) fn gets_in(&self, options: &str) -> Seen {
        self.seen(|| self.run(options).ok())
    }

    /// What the last connection was that such a run made.
    pub(crate) fn seen(&self, run: impl FnOnce() -> Ran) -> Seen {
        let before = self.server.log().len();
        let ran = run();
        assert_eq!(ran.stdout, "1\n", "{ran:#?}");
        let log = self.server.log();
        let line = log[before..].lines().rfind(|line| line.contains("application_name=sessctl"));
        let line = line.unwrap_or_else(|| panic!("{log}"));
        if line.contains("SSL enabled") { Seen::Tls } else { Seen::Plain }
    }

    /// As what libpq gets in, if it does.
    pub(crate) fn libpq_gets_in(&self, options: &str) -> Option<Seen> {
        let mut psql = Command::new(postgres_bin().join("psql"));
        psql.args(["-X", "-A", "-t", "-c", "SELECT count(*) FROM django_session"]);
        psql.arg(self.url_by(NAME, &format!("application_name=sessctl&{options}")));
        let ran = psql.env("HOME", "/nonexistent").ran("");
        (ran.code == 0).then(|| self.seen(|| psql.ran("")))
    }

    /// It does not get in, and says why and what to do.
    pub(crate) fn is_refused(&self, options: &str, texts: &[&str]) {
        self.run(options).refuses(1, texts);
    }
}

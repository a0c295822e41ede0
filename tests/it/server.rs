//! A PostgreSQL server of a test's own, which it may stop, start and copy.

use std::ffi::OsStr;
use std::fs::{File, read_to_string};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::{Client, NoTls};

use crate::running::eventually;
use crate::support::{as_server, postgres_bin, postgres_tmp, postgres_version};

/// How a server stops: it ends every session in good order, or at once and without a word, as in a crash.
#[derive(Clone, Copy)]
pub(crate) enum Stop {
    Fast,
    Immediate,
}

/// Listens on a Unix socket in a folder that nobody else can enter: so it needs neither a port nor a password, and the
/// same URL leads to it however often it is started. It ends, and its folder goes, with this value.
pub(crate) struct Server {
    folder: PathBuf,
    process: Option<Child>,
    settings: Vec<String>,
    small_disk: bool,
}

/// Mounts a disk of 24 MB in the server's folder, which it alone sees, and runs the server on as a user who is not root.
const ON_SMALL_DISK: &str = "mount -t tmpfs -o mode=700,size=24m none small &&
    exec unshare --user --map-user=1000 --map-group=1000 setpriv --pdeathsig QUIT \"$@\"";

impl Server {
    /// A new server, running.
    pub(crate) fn new() -> Self {
        let mut server = Self::empty();
        let mut make = server.program("initdb");
        make.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
        assert!(make.status().unwrap().success(), "{}", server.log());
        server.start();
        server
    }

    /// A new server, running, that also listens on a port of this machine. Whom it lets in there, and
    /// how, its `pg_hba.conf` says; through the socket it lets in everybody.
    pub(crate) fn on_port(hba: &str) -> (Self, u16) {
        let mut server = Self::new();
        server.file("data/pg_hba.conf", &format!("local all all trust\n{hba}\n"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // The socket is called by the port, too.
        server.settings = vec![
            "listen_addresses=127.0.0.1".into(),
            format!("port={port}"),
            "log_connections=on".into(),
        ];
        server.restart();
        (server, port)
    }

    /// A new server, running, with a tablespace `small` on a disk that can be filled up. It goes with the first stop.
    pub(crate) fn with_small_disk() -> Self {
        let mut server = Self::new();
        server.stop(Stop::Fast);
        server.small_disk = true;
        let folder = server.folder.join("small");
        assert!(as_server("mkdir").arg(&folder).status().unwrap().success());
        server.start();
        let mut client = Client::connect(&server.url(), NoTls).unwrap();
        let sql = format!("CREATE TABLESPACE small LOCATION '{}'", folder.display());
        client.batch_execute(&sql).unwrap();
        server
    }

    /// Adds settings, and restarts it with them.
    pub(crate) fn set(&mut self, settings: &[&str]) {
        // Before PostgreSQL 12 what concerns the primary stands in another file.
        let recovery = self.folder.join("data/recovery.conf");
        for setting in settings {
            if setting.starts_with("primary_") && recovery.exists() {
                let (name, value) = setting.split_once('=').unwrap();
                let before = read_to_string(&recovery).unwrap();
                self.file("data/recovery.conf", &format!("{before}{name} = '{value}'\n"));
            } else {
                self.settings.push((*setting).to_owned());
            }
        }
        self.restart();
    }

    fn restart(&mut self) {
        self.stop(Stop::Fast);
        self.start();
    }

    /// A file in the server's folder, which only the server may read.
    pub(crate) fn file(&self, name: &str, content: &str) {
        let mut command = as_server("sh");
        command.args(["-c", "umask 077; rm -f \"$0\"; cat > \"$0\""]).arg(self.folder.join(name));
        let mut writer = command.stdin(Stdio::piped()).spawn().unwrap();
        writer.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
    }

    /// A hot standby of this server, running. `pg_basebackup` does not come with the programs of every version.
    pub(crate) fn standby(&self) -> Self {
        let mut standby = Self::empty();
        let mut client = Client::connect(&self.url(), NoTls).unwrap();
        let version = postgres_version(&mut client);
        let (begin, end) = if version < 15 {
            ("pg_start_backup('copy', true, false)", "pg_stop_backup(false, false)")
        } else {
            ("pg_backup_start('copy', true)", "pg_backup_stop(false)")
        };
        client.batch_execute(&format!("SELECT {begin}")).unwrap();
        let copy = "cp -a \"$0/data\" . && rm -rf data/postmaster.pid data/postmaster.opts";
        let made = standby.command("sh").args(["-c", copy]).arg(&self.folder).status().unwrap();
        assert!(made.success(), "{}", standby.log());
        let label: String =
            client.query_one(&format!("SELECT labelfile FROM {end}"), &[]).unwrap().get(0);
        standby.file("data/backup_label", &label);
        let primary =
            format!("primary_conninfo = 'user=postgres host={}'\n", self.folder.display());
        if version < 12 {
            standby.file("data/recovery.conf", &format!("standby_mode = on\n{primary}"));
        } else {
            standby.file("data/standby.signal", "");
            standby.file("data/postgresql.auto.conf", &primary);
        }
        standby.start();
        standby
    }

    /// A folder for one.
    fn empty() -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let folder = postgres_tmp().join(format!("server-{}-{number}", std::process::id()));
        let made = as_server("mkdir").args(["-m", "700"]).arg(&folder).status();
        assert!(made.unwrap().success());
        Self { folder, process: None, settings: Vec::new(), small_disk: false }
    }

    /// One of PostgreSQL's programs, about to be run on this server's data.
    fn program(&self, name: &str) -> Command {
        let mut command = self.command(postgres_bin().join(name));
        command.args(["-D", "data"]);
        command
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = as_server(program);
        command.current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        read_to_string(self.folder.join("log")).unwrap()
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let mut command = if self.small_disk {
            let mut command = self.command("unshare");
            command.args(["--map-root-user", "--mount", "sh", "-c", ON_SMALL_DISK, "sh"]);
            command.arg(postgres_bin().join("postgres")).args(["-D", "data"]);
            command
        } else {
            self.program("postgres")
        };
        command.arg("-k").arg(&self.folder);
        for setting in [
            "listen_addresses=",
            "shared_buffers=32MB",
            "max_connections=30",
            "fsync=off",
            "wal_receiver_status_interval=1s",
            // The default since PostgreSQL 14.
            "password_encryption=scram-sha-256",
        ] {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let mut process = command.spawn().unwrap();
        eventually("the server answers", || {
            assert!(process.try_wait().unwrap().is_none(), "{}", self.log());
            Client::connect(&self.url(), NoTls).is_ok()
        });
        self.process = Some(process);
    }

    /// Stops it, and waits for its end.
    pub(crate) fn stop(&mut self, how: Stop) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let signal = match how {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        let kill = format!("kill -s {signal} {}", process.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = process.wait();
    }

    /// URL of its `postgres` database, with a superuser's name.
    pub(crate) fn url(&self) -> String {
        let folder = self.folder.to_str().unwrap().replace('/', "%2F");
        let port = self.settings.iter().find_map(|setting| setting.strip_prefix("port="));
        format!("postgres://postgres@{folder}:{}/postgres", port.unwrap_or("5432"))
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Stop::Immediate);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

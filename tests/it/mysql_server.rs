//! A connection to a MariaDB server, for what tests do behind sessctl's back, and a server of a test's own.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};
use tokio::runtime::{Builder, Runtime};

use crate::running::eventually;
use crate::support::{as_server, postgres_tmp};

/// A connection on which SQL means what it means elsewhere: double quotes are for names, a backslash is itself.
pub(crate) struct MySqlClient {
    conn: Option<Conn>,
    runtime: Runtime,
}

impl MySqlClient {
    pub(crate) fn connect(url: &str) -> Self {
        Self::try_connect(url).unwrap()
    }

    fn try_connect(url: &str) -> mysql_async::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let opts = OptsBuilder::from_opts(Opts::from_url(url).unwrap())
            .prefer_socket(false)
            .max_allowed_packet(Some(64 << 20));
        let conn = runtime.block_on(Conn::new(opts))?;
        let mut client = Self { conn: Some(conn), runtime };
        client.execute(
            "SET NAMES utf8mb4, sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES'",
        );
        // MariaDB's name for it, or MySQL's.
        client
            .try_execute("SET max_recursive_iterations = 1000000")
            .or_else(|_| client.try_execute("SET cte_max_recursion_depth = 1000000"))?;
        Ok(client)
    }

    /// Runs one statement or several.
    pub(crate) fn execute(&mut self, sql: &str) {
        self.try_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql:.300}"));
    }

    /// The same, where it may fail.
    pub(crate) fn try_execute(&mut self, sql: &str) -> mysql_async::Result<()> {
        let conn = self.conn.as_mut().unwrap();
        self.runtime.block_on(conn.query_drop(sql))
    }

    /// The rows, each column as text.
    pub(crate) fn query(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.try_query(sql).unwrap()
    }

    /// The same, where it may fail.
    pub(crate) fn try_query(&mut self, sql: &str) -> mysql_async::Result<Vec<Vec<Option<String>>>> {
        let conn = self.conn.as_mut().unwrap();
        let rows: Vec<Row> = self.runtime.block_on(conn.query(sql))?;
        let text = |value: Value| match value {
            Value::NULL => None,
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            other => panic!("{other:?}"),
        };
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
    }

    /// The first column of each row.
    pub(crate) fn column(&mut self, sql: &str) -> Vec<String> {
        self.query(sql).into_iter().map(|row| row.into_iter().flatten().next().unwrap()).collect()
    }
}

impl Drop for MySqlClient {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            let _ = self.runtime.block_on(conn.disconnect());
        }
    }
}

/// A database that is dropped with this value.
pub(crate) struct MySqlDatabase {
    pub(crate) url: String,
}

impl MySqlDatabase {
    /// An empty database on the server whose `mysql` database has this URL.
    pub(crate) fn create(server: &str, name: &str) -> Self {
        let sql = format!("DROP DATABASE IF EXISTS \"{name}\"; CREATE DATABASE \"{name}\"");
        MySqlClient::connect(server).execute(&sql);
        let (base, _) = server.rsplit_once('/').unwrap();
        Self { url: format!("{base}/{name}") }
    }

    /// A copy of its tables and their rows, on the same server.
    pub(crate) fn copy(&self, name: &str) -> Self {
        let (_, original) = self.url.rsplit_once('/').unwrap();
        let copy = Self::create(&self.url, name);
        let mut client = MySqlClient::connect(&copy.url);
        // A table may refer to one that comes later.
        client.execute("SET foreign_key_checks = 0");
        for table in client.column(&format!("SHOW TABLES FROM \"{original}\"")) {
            let made = client.query(&format!("SHOW CREATE TABLE \"{original}\".\"{table}\""));
            client.execute(made[0][1].as_deref().unwrap());
            let rows = format!("SELECT * FROM \"{original}\".\"{table}\"");
            client.execute(&format!("INSERT INTO \"{table}\" {rows}"));
        }
        copy
    }
}

impl Drop for MySqlDatabase {
    fn drop(&mut self) {
        // Also runs while a failed test unwinds, and where the server is gone.
        if let (Some((_, name)), Ok(mut client)) =
            (self.url.rsplit_once('/'), MySqlClient::try_connect(&self.url))
        {
            let _ = client.try_execute(&format!("DROP DATABASE \"{name}\""));
        }
    }
}

/// A MariaDB server of a test's own, which it may kill and start again. It ends, and its folder goes, with this value.
pub(crate) struct MySqlServer {
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl MySqlServer {
    /// A new server, running, with settings.
    pub(crate) fn new(settings: &[&str]) -> Self {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let folder = postgres_tmp().join(format!("mariadb-{}-{number}", std::process::id()));
        assert!(as_server("mkdir").args(["-m", "700"]).arg(&folder).status().unwrap().success());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = settings.iter().map(ToString::to_string).collect();
        let mut server = Self { folder, port, settings, process: None };
        let mut make = server.command("mariadb-install-db");
        make.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        make.arg(format!("--tmpdir={}", server.folder.display()));
        assert!(make.arg("--skip-name-resolve").status().unwrap().success(), "{}", server.log());
        server.start();
        server
    }

    /// One of MariaDB's programs, about to be run on this server's data.
    fn command(&self, program: &str) -> Command {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = as_server(program);
        command.arg("--no-defaults").arg(format!("--datadir={}/data", self.folder.display()));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let mut command = self.command("mariadbd");
        let folder = self.folder.display();
        command.args([
            &format!("--port={}", self.port),
            &format!("--socket={folder}/socket"),
            &format!("--tmpdir={folder}"),
            &format!("--pid-file={folder}/pid"),
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=32M",
            // A commit outlives the server when that is killed, and not when the machine fails.
            "--innodb-flush-log-at-trx-commit=2",
            "--character-set-server=utf8mb4",
        ]);
        let mut process = command.args(&self.settings).spawn().unwrap();
        eventually("the server answers", || {
            assert!(process.try_wait().unwrap().is_none(), "{}", self.log());
            MySqlClient::try_connect(&self.url()).is_ok()
        });
        self.process = Some(process);
    }

    /// Ends it at once and without a word, as in a crash.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// URL of its `mysql` database, with an account that has all rights.
    pub(crate) fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/mysql", self.port)
    }
}

impl Drop for MySqlServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

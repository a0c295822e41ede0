//! A session table on each database, filled in one line, and the program run on it:
//!
//! ```text
//! World::each(|w| { w.user("42", 3).user("7", 1); w.run(&["logout-user", "42"]).ok(); assert_eq!(w.count(), 1) });
//! ```

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use hmac::{Hmac, KeyInit, Mac};
use postgres::{Client, NoTls};
use sessctl::store::{Conninfo, Surroundings};
use sha2::{Digest, Sha256};

use crate::mysql_server::{MySqlClient, MySqlDatabase};
use crate::running::{DEADLINE_OF_RUN, run_to_end};
use crate::server::Server;
use crate::support::{Database, mysql_url, oracle_url, postgres_url, sessctl};

/// The `SECRET_KEY` of every world.
pub(crate) const SECRET_KEY: &str = "not-a-secret-outside-of-tests";
const SALT: &str = "django.contrib.sessions.SessionStoresigner";
/// 2026-11-22T01:57:46Z, in base 62.
pub(crate) const SAVED: &str = "1xUwpu";

enum Backend {
    Sqlite(PathBuf),
    Postgres(Database),
    MySql(MySqlDatabase),
}

/// A database with a `django_session` table as `manage.py migrate` makes it.
pub(crate) struct World {
    backend: Backend,
    folder: PathBuf,
    keys: std::cell::Cell<u32>,
}

const SQLITE_TABLE: &str = r#"
    CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY,
        "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
    CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")"#;
const POSTGRES_TABLE: &str = r#"
    CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY,
        "session_data" text NOT NULL, "expire_date" timestamp with time zone NOT NULL);
    CREATE INDEX "django_session_session_key_c0390e0f_like" ON "django_session" ("session_key" varchar_pattern_ops);
    CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")"#;
/// Where the database is case-insensitive, as by default, this table is.
const MYSQL_TABLE: &str = r#"
    CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY,
        "session_data" longtext NOT NULL, "expire_date" datetime(6) NOT NULL);
    CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date")"#;

impl World {
    /// Runs a test on every database.
    pub(crate) fn each(name: &str, test: impl Fn(&Self)) {
        Self::each_but_mysql(name, &test);
        test(&Self::mysql(name));
    }

    /// Runs a test that MariaDB cannot have, for a reason that stands there. No trigger of it keeps a row without an error.
    pub(crate) fn each_but_mysql(name: &str, test: impl Fn(&Self)) {
        test(&Self::sqlite(name));
        test(&Self::postgres(name));
    }

    pub(crate) fn sqlite(name: &str) -> Self {
        let folder = folder(name, "sqlite");
        let path = folder.join("db.sqlite3");
        let world = Self { backend: Backend::Sqlite(path), folder, keys: 0.into() };
        world.execute(SQLITE_TABLE);
        world
    }

    pub(crate) fn postgres(name: &str) -> Self {
        Self::at(&postgres_url(), name)
    }

    pub(crate) fn mysql(name: &str) -> Self {
        Self::on_mysql(&mysql_url(), name)
    }

    /// Runs a test on MariaDB and on MySQL.
    pub(crate) fn each_mysql(name: &str, test: impl Fn(&Self)) {
        test(&Self::mysql(name));
        test(&Self::oracle(name));
    }

    /// On MySQL itself.
    pub(crate) fn oracle(name: &str) -> Self {
        Self::on_mysql(&oracle_url(), name)
    }

    /// On the MariaDB or MySQL server whose `mysql` database has this URL.
    pub(crate) fn on_mysql(url: &str, name: &str) -> Self {
        let folder = folder(name, "mysql");
        let database = MySqlDatabase::create(url, &format!("world_{name}"));
        let world = Self { backend: Backend::MySql(database), folder, keys: 0.into() };
        world.execute(MYSQL_TABLE);
        world
    }

    /// On a server of the test's own.
    pub(crate) fn on(server: &Server, name: &str) -> Self {
        Self::at(&server.url(), name)
    }

    fn at(server: &str, name: &str) -> Self {
        let folder = folder(name, "postgres");
        let database = Database::create(server, &format!("world_{name}"));
        let world = Self { backend: Backend::Postgres(database), folder, keys: 0.into() };
        world.execute(POSTGRES_TABLE);
        world
    }

    /// Makes its table anew: much faster than a database.
    pub(crate) fn renew(&self) {
        self.renew_with("");
    }

    /// The same, with this behind the columns.
    pub(crate) fn renew_with(&self, option: &str) {
        let table = match self.backend {
            Backend::Sqlite(_) => SQLITE_TABLE,
            Backend::Postgres(_) => POSTGRES_TABLE,
            Backend::MySql(_) => MYSQL_TABLE,
        };
        let table = table.replacen(");", &format!(") {option};"), 1);
        self.execute(&format!("DROP TABLE django_session; {table}"));
        self.keys.set(0);
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.backend, Backend::Sqlite(_))
    }

    pub(crate) fn is_mysql(&self) -> bool {
        matches!(self.backend, Backend::MySql(_))
    }

    /// Whether its server is MySQL itself.
    pub(crate) fn is_oracle(&self) -> bool {
        let server = |url: &str| url.rsplit_once('/').map(|(server, _)| server.to_owned());
        self.is_mysql() && server(&self.url()) == server(&oracle_url())
    }

    /// What `-d` takes.
    pub(crate) fn url(&self) -> String {
        match &self.backend {
            Backend::Sqlite(path) => path.display().to_string(),
            Backend::Postgres(database) => database.url.clone(),
            Backend::MySql(database) => database.url.clone(),
        }
    }

    /// The same, as the library takes it.
    pub(crate) fn conninfo(&self) -> Conninfo {
        let url = self.url();
        Conninfo::of_url(url.split_once("://").unwrap().1, &Surroundings::default()).unwrap()
    }

    /// A file in the world's own folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// A connection to its server.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.url(), NoTls).unwrap()
    }

    /// From now on a trigger keeps rows of which this is true from being deleted.
    pub(crate) fn keeps_rows(&self, which: &str) {
        assert!(!self.is_mysql(), "no trigger of MariaDB keeps a row without an error");
        self.execute(&if self.is_sqlite() {
            format!(
                "CREATE TRIGGER keep BEFORE DELETE ON django_session WHEN {which}
                     BEGIN SELECT RAISE(IGNORE); END"
            )
        } else {
            format!(
                "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                 CREATE TRIGGER keep BEFORE DELETE ON django_session FOR EACH ROW WHEN ({which})
                     EXECUTE FUNCTION keep()"
            )
        });
    }

    pub(crate) fn execute(&self, sql: &str) {
        match &self.backend {
            Backend::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.execute_batch(&format!("PRAGMA synchronous = OFF; {sql}")).unwrap();
            }
            Backend::Postgres(_) => self.client().batch_execute(sql).unwrap(),
            Backend::MySql(database) => {
                let mut sql = in_mysql(sql);
                if self.is_oracle() {
                    // It has no unique index on the whole of a text.
                    sql = sql.replace("text UNIQUE", "varchar(255) UNIQUE");
                }
                MySqlClient::connect(&database.url).execute(&sql);
            }
        }
    }

    /// A connection to its server, if that is MariaDB.
    pub(crate) fn mysql_client(&self) -> MySqlClient {
        MySqlClient::connect(&self.url())
    }

    /// From now on a trigger of the table raises this where a row is deleted of which this is true.
    pub(crate) fn forbids_delete(&self, table: &str, which: &str, message: &str) {
        self.execute(&if self.is_sqlite() {
            format!(
                "CREATE TRIGGER forbid BEFORE DELETE ON {table} WHEN {which}
                 BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        } else if self.is_mysql() {
            format!(
                "CREATE TRIGGER forbid BEFORE DELETE ON {table} FOR EACH ROW
                 IF {which} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'; END IF"
            )
        } else {
            format!(
                "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{message}'; END $$;
                 CREATE TRIGGER forbid BEFORE DELETE ON {table}
                 FOR EACH ROW WHEN ({which}) EXECUTE FUNCTION forbid()"
            )
        });
    }

    /// Adds one row as it is: key, data, expiry.
    pub(crate) fn row(&self, key: &str, data: &str, expires: &str) -> &Self {
        self.rows([(key, data, expires.to_owned())])
    }

    /// Adds rows in one transaction.
    pub(crate) fn rows<'r>(
        &self,
        rows: impl IntoIterator<Item = (&'r str, &'r str, String)>,
    ) -> &Self {
        let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let tuple = |(key, data, expires): (&str, &str, String)| {
            format!("({}, {}, {})", quote(key), quote(data), quote(&expires))
        };
        let tuples: Vec<String> = rows.into_iter().map(tuple).collect();
        self.execute(&format!(
            "INSERT INTO django_session (session_key, session_data, expire_date) VALUES {}",
            tuples.join(", ")
        ));
        self
    }

    /// Adds a session that expires in 2099, and returns its key.
    pub(crate) fn session(&self, payload: &str) -> String {
        let key = self.next_key();
        self.row(&key, &signed(payload, SECRET_KEY), "2099-01-01 00:00:00");
        key
    }

    /// Adds so many sessions of a user.
    pub(crate) fn user(&self, id: &str, sessions: u32) -> &Self {
        let keys: Vec<String> = (0..sessions).map(|_| self.next_key()).collect();
        let data = signed(&login(id), SECRET_KEY);
        self.rows(keys.iter().map(|key| (&**key, &*data, "2099-01-01 00:00:00".into())))
    }

    /// Adds so many rows that expired in 2020, an hour apart.
    pub(crate) fn expired(&self, rows: u32) -> &Self {
        self.fill(rows, "expired", "2020-01-01")
    }

    /// Adds so many rows that expire in 2099, an hour apart.
    pub(crate) fn live(&self, rows: u32) -> &Self {
        self.fill(rows, "live", "2099-01-01")
    }

    fn fill(&self, rows: u32, what: &str, from: &str) -> &Self {
        let first: u32 = self.next_key()[..8].parse().unwrap();
        self.keys.set(first + rows);
        let expires = if self.is_sqlite() {
            format!("datetime('{from}', (i % 8760) || ' hours')")
        } else if self.is_mysql() {
            format!("TIMESTAMP('{from}') + INTERVAL i % 8760 HOUR")
        } else {
            format!("timestamptz '{from}+00' + i % 8760 * interval '1 hour'")
        };
        let with = format!(
            "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {first} + {rows} - 1)"
        );
        let insert = "INSERT INTO django_session (session_key, session_data, expire_date)";
        let select = format!("SELECT '{what}-' || i, 'x', {expires} FROM n");
        self.execute(&if self.is_mysql() {
            format!("{insert} {with} {select}")
        } else {
            format!("{with} {insert} {select}")
        });
        self
    }

    /// A session key that no other session has: it begins with its number in eight digits.
    pub(crate) fn next_key(&self) -> String {
        let number = self.keys.get();
        self.keys.set(number + 1);
        key(number)
    }

    /// The keys that are in the table, sorted.
    pub(crate) fn session_keys(&self) -> Vec<String> {
        self.keys_in("django_session")
    }

    /// Those of the rows that expire in 2099.
    pub(crate) fn live_keys(&self) -> Vec<String> {
        self.keys_in("django_session WHERE expire_date >= '2099-01-01'")
    }

    /// The keys that are in another table, sorted.
    pub(crate) fn keys_in(&self, table: &str) -> Vec<String> {
        let sql = &format!("SELECT session_key FROM {table} ORDER BY session_key");
        match &self.backend {
            Backend::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                let mut statement = connection.prepare(sql).unwrap();
                let keys = statement.query_map([], |row| row.get(0)).unwrap();
                keys.map(Result::unwrap).collect()
            }
            Backend::Postgres(_) => {
                self.client().query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
            }
            Backend::MySql(database) => MySqlClient::connect(&database.url).column(sql),
        }
    }

    /// Fails if the file is damaged.
    pub(crate) fn is_sound(&self) {
        let file = rusqlite::Connection::open(self.url()).unwrap();
        let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }

    pub(crate) fn count(&self) -> usize {
        let sql = "SELECT count(*) FROM django_session";
        let rows: i64 = match &self.backend {
            Backend::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            Backend::Postgres(_) => self.client().query_one(sql, &[]).unwrap().get(0),
            Backend::MySql(database) => {
                MySqlClient::connect(&database.url).column(sql)[0].parse().unwrap()
            }
        };
        rows.try_into().unwrap()
    }

    /// Runs the program on this database, with its key.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).env("SESSCTL_SECRET_KEY", SECRET_KEY).ran("")
    }

    /// Runs the program on this database, without a key.
    pub(crate) fn run_without_key(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).ran("")
    }

    /// The program, about to be run on this database, without a key.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command.env("SESSCTL_DATABASE_URL", self.url());
        if self.is_sqlite() || self.is_mysql() {
            command.args(["--db-timezone", "UTC"]);
        }
        command
    }
}

/// What a test says as PostgreSQL does, as MariaDB does: where both mean the same.
fn in_mysql(sql: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("timestamp with time zone", "datetime(6)"),
        ("timestamptz", "datetime(6)"),
        ("+00'", "'"),
        ("REFERENCES django_session (session_key)", "REFERENCES django_session"),
        ("REFERENCES django_session", "REFERENCES django_session (session_key)"),
        (" DEFERRABLE INITIALLY DEFERRED", ""),
        ("AS integer)", "AS signed)"),
        ("now()", "UTC_TIMESTAMP(6)"),
    ];
    let word = |sql: String, (theirs, ours): &(&str, &str)| sql.replace(theirs, ours);
    WORDS.iter().fold(sql.to_owned(), word)
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The program, with nothing of this environment that it would heed.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(sessctl());
    command.args(arguments).stdin(Stdio::null());
    for name in [
        "SESSCTL_DATABASE_URL",
        "DATABASE_URL",
        "SESSCTL_SECRET_KEY",
        "DJANGO_SECRET_KEY",
        "SECRET_KEY",
        "SESSCTL_SECRET_KEY_FALLBACKS",
        "DJANGO_SECRET_KEY_FALLBACKS",
        "SECRET_KEY_FALLBACKS",
    ] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
        command.env_remove(name);
    }
    // Where libpq would look for passwords, certificates and services.
    command.env("HOME", "/nonexistent");
    command
}

/// A command that runs another, which the arguments of the first end with.
pub(crate) fn around(mut outer: Command, inner: &Command) -> Command {
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// Runs a command to its end, which has a deadline, with a text on its standard input.
pub(crate) trait RunToEnd {
    fn ran(&mut self, stdin: impl AsRef<[u8]>) -> Ran;
}

impl RunToEnd for Command {
    fn ran(&mut self, stdin: impl AsRef<[u8]>) -> Ran {
        run_to_end(self, stdin.as_ref().to_vec(), DEADLINE_OF_RUN)
    }
}

/// What a run of the program said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout.clone()).unwrap(),
            stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Its standard output as one JSON object.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Its standard output as JSON lines.
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "no {text:?} in {self:#?}"
        );
        self
    }
}

/// The payload of a login.
pub(crate) fn login(user_id: &str) -> String {
    format!(
        r#"{{"cart":[1,2],"_auth_user_id":"{user_id}","_auth_user_backend":"django.contrib.auth.backends.ModelBackend"}}"#
    )
}

/// A payload as Django 3.1 and later stores it, uncompressed.
pub(crate) fn signed(payload: &str, secret_key: &str) -> String {
    signed_text(&base64_url(payload.as_bytes()), secret_key)
}

/// A payload in base64, signed the same way.
pub(crate) fn signed_text(base64: &str, secret_key: &str) -> String {
    signed_at(base64, SAVED, secret_key)
}

/// The same, with another time of saving, in base 62.
pub(crate) fn signed_at(base64: &str, saved: &str, secret_key: &str) -> String {
    let value = format!("{base64}:{saved}");
    let key = Sha256::new().chain_update(SALT).chain_update(secret_key).finalize();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(&value).finalize();
    format!("{value}:{}", base64_url(&mac.into_bytes()))
}

pub(crate) fn base64_url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            text.push(char::from(DIGITS[((bits >> (18 - 6 * digit)) & 63) as usize]));
        }
    }
    text
}

/// The key of the session with this number.
pub(crate) fn key(number: u32) -> String {
    format!("{number:08}abcdefghijklmnopqrstuvwx")
}

fn folder(name: &str, database: &str) -> PathBuf {
    let name = format!("sessctl-{name}-{database}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

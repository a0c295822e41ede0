//! Where a password, a host or a database of MySQL may be named, each way by really connecting.

use std::fs::{create_dir_all, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::mysql_server::MySqlClient;
use crate::role::SENTINEL;
use crate::support::{django_python, mysql_url};
use crate::world::{Ran, RunToEnd, World, program};

/// A world with two sessions, and an account that reads them.
struct Site {
    world: World,
    account: String,
    host: String,
    database: String,
    socket: String,
}

impl Site {
    fn new(name: &str) -> Self {
        let world = World::mysql(name);
        world.user("42", 2);
        let url = world.url();
        let (server, database) = url.rsplit_once('/').unwrap();
        let host = server.rsplit_once('@').unwrap().1.to_owned();
        let mut client = MySqlClient::connect(&mysql_url());
        let account = format!("t_{name}");
        client.execute(&format!(
            "DROP USER IF EXISTS {account}@'%'; CREATE USER {account}@'%' IDENTIFIED BY '{SENTINEL}';
             GRANT SELECT ON {database}.* TO {account}@'%'"
        ));
        let socket = client.column("SELECT CAST(@@socket AS CHAR)").remove(0);
        let database = database.to_owned();
        Self { world, account, host, database, socket }
    }

    fn url(&self) -> String {
        format!("mysql://{}:{SENTINEL}@{}/{}", self.account, self.host, self.database)
    }

    /// A file with this mode.
    fn file(&self, name: &str, mode: u32, text: &str) -> String {
        let file = self.world.file(name, text);
        set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        file
    }

    /// A folder with this in `.my.cnf`.
    fn home(&self, mode: u32, text: &str) -> String {
        let home = self.world.file("marker", "").replace("marker", "home");
        create_dir_all(&home).unwrap();
        self.file("home/.my.cnf", mode, text);
        home
    }
}

/// The program with these variables. It shows no password.
fn list(url: &str, variables: &[(&str, &str)]) -> Ran {
    let mut command = program(&["list", "--format", "count", "--db-timezone", "UTC"]);
    for name in ["MYSQL_HOST", "MYSQL_PWD", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT"] {
        command.env_remove(name);
    }
    let ran = command.env("DATABASE_URL", url).envs(variables.iter().copied()).ran("");
    assert!(!ran.stderr.contains(SENTINEL) && !ran.stdout.contains(SENTINEL), "{ran:#?}");
    ran
}

fn finds(url: &str, variables: &[(&str, &str)]) -> Ran {
    let ran = list(url, variables).ok();
    assert_eq!(ran.stdout, "2\n", "{ran:#?}");
    ran
}

#[test]
fn urls_of_every_kind_lead_there() {
    let s = Site::new("conninfo_url");
    let Site { account, database, socket, host, .. } = &s;
    for scheme in ["mysql", "mariadb", "mysql2", "mysql-connector", "mysqlgis", "mysql+pymysql"] {
        finds(&s.url().replacen("mysql", scheme, 1), &[]);
    }
    let encoded = socket.replace('/', "%2F");
    for url in [
        format!("mysql://{account}:{SENTINEL}@localhost/{database}?unix_socket={socket}"),
        format!("mysql:///{database}?socket={socket}&user={account}&password={SENTINEL}"),
        format!("mysql://{account}:{SENTINEL}@{encoded}/{database}"),
        format!("mysql://{account}:{SENTINEL}@/{socket}/{database}"),
    ] {
        finds(&url, &[]);
    }
    let (_, port) = host.split_once(':').unwrap();
    let by_tcp = format!("mysql://{account}:{SENTINEL}@localhost:{port}/{database}");
    finds(&format!("{by_tcp}?protocol=tcp"), &[]);
    // Some clients mean the port, and others the socket.
    list(&by_tcp, &[]).refuses(2, &["port of localhost", "127.0.0.1"]);
    list(&format!("{}?unix_socket={socket}", s.url()), &[]).refuses(2, &["a host and a socket"]);
    finds(&format!("{}?conn_max_age=60&charset=utf8mb4", s.url()), &[])
        .says("conn_max_age in the database URL is ignored");
    list(&format!("{}?nosuch=1", s.url()), &[]).refuses(2, &["\"nosuch\"", "docs/connections.md"]);
}

#[test]
fn what_is_wrong_is_named_and_the_password_is_not() {
    let s = Site::new("conninfo_wrong");
    let wrong = |from: &str, to: &str| list(&s.url().replacen(from, to, 1), &[]);
    wrong(SENTINEL, "wrong").refuses(1, &["1045", "check user and password"]);
    wrong(&s.account, "nobody").refuses(1, &["1045"]);
    wrong(&format!("/{}", s.database), "/nosuch").refuses(1, &["nosuch", "name of the database"]);
    wrong(&s.host, "127.0.0.1:1").refuses(1, &["is the server running"]);
    for culprit in ["#", "/", "@", "?"] {
        wrong(SENTINEL, &format!("{SENTINEL}{culprit}x"))
            .refuses(2, &["in the password?", &format!("%{:X}", culprit.as_bytes()[0])]);
    }
    // A password on the command line works, with a warning.
    let ran =
        program(&["list", "--format", "count", "--db-timezone", "UTC", "-d", &s.url()]).ran("");
    ran.ok().says("MYSQL_PWD or ~/.my.cnf");
}

#[test]
fn option_files_and_the_environment_complete_a_url() {
    let s = Site::new("conninfo_files");
    let (host, port) = s.host.split_once(':').unwrap();
    let file = format!(
        "[mysqld]\nport=1\n[client]\nuser={}\npassword=\"{SENTINEL}\" # ours\nhost={host}\nport={port}\n[site]\ndatabase={}\n",
        s.account, s.database
    );
    let home = s.home(0o600, &file);
    let at_home = [("HOME", &*home)];
    let url = format!("mysql:///{}", s.database);
    finds(&url, &at_home);
    finds("mysql://?read_default_group=site", &at_home);
    list("mysql://", &at_home).refuses(2, &["no database"]);
    // What the URL says counts more, and then the file.
    finds(&s.url(), &[at_home[0], ("MYSQL_PWD", "wrong")]);
    finds(&url, &[at_home[0], ("MYSQL_PWD", "wrong"), ("MYSQL_HOST", "wrong.invalid")]);
    list(&url.replace("///", "//u@/"), &at_home).refuses(1, &["1045"]);

    let all = [("MYSQL_HOST", host), ("MYSQL_TCP_PORT", port), ("MYSQL_PWD", SENTINEL)];
    finds(&format!("mysql://{}@/{}", s.account, s.database), &all);
    let by_socket = [("MYSQL_UNIX_PORT", &*s.socket), all[2]];
    // A file of this machine may name a socket, which counts more.
    let none = s.file("none.cnf", 0o600, "");
    let local = format!("mysql://{}@localhost/{}?read_default_file={none}", s.account, s.database);
    finds(&local, &by_socket);

    let named = s.file("named.cnf", 0o600, &file);
    let including = s.file("including.cnf", 0o600, &format!("!include {named}\n"));
    finds(&format!("{url}?read_default_file={named}"), &[]);
    finds(&format!("{url}?read_default_file={including}"), &[]);
    list(&format!("{url}?read_default_file=/nonexistent/x"), &[]).refuses(2, &["/nonexistent/x"]);
    let odd = s.file("odd.cnf", 0o600, &format!("password={SENTINEL}\n"));
    list(&format!("{url}?read_default_file={odd}"), &[]).refuses(2, &["odd.cnf", "line 1"]);
}

/// Whoever can write it chooses where the password goes.
#[test]
fn an_option_file_that_others_can_write_is_not_read() {
    let s = Site::new("conninfo_modes");
    let file = format!("[client]\npassword={SENTINEL}\n");
    let url = format!("mysql://{}@{}/{}", s.account, s.host, s.database);
    for mode in [0o620, 0o602] {
        let home = s.home(mode, &file);
        list(&url, &[("HOME", &home)]).refuses(1, &[".my.cnf is ignored", "chmod go-w", "1045"]);
    }
    let named = s.file("named.cnf", 0o602, &file);
    list(&format!("{url}?read_default_file={named}"), &[]).refuses(2, &["named.cnf", "chmod go-w"]);
    set_permissions(&named, PermissionsExt::from_mode(0o640)).unwrap();
    finds(&format!("{url}?read_default_file={named}"), &[]);
}

/// What each driver makes of the settings. The connection is a stand-in with what Django's has.
#[test]
fn what_django_says_of_its_connection() {
    const ASK: &str = r#"
import json, os, sys
ASK = {}
def variables(prefix):
    return {name: value for name, value in os.environ.items() if name.startswith(prefix)}
exec(open(sys.argv[1]).read())
class Connection:
    def __init__(self, driver, settings, options):
        self.Database = type(sys)(driver)
        self.settings_dict = {"OPTIONS": options}
        self.settings = settings
    def get_connection_params(self):
        return {"conv": {}, "charset": "utf8mb4", **self.settings, **self.settings_dict["OPTIONS"]}
for line in sys.stdin:
    print(json.dumps(ASK["mysql"](Connection(*json.loads(line)))))
"#;
    let asked = |driver: &str, settings: &str, options: &str| -> serde_json::Value {
        let part = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/mysql/django.py");
        let mut python = Command::new(django_python("5.2"));
        python.args(["-B", "-c", ASK, part]).env("MYSQL_PWD", "p").env("MYSQL_HOST", "h");
        python.stdin(Stdio::piped()).stdout(Stdio::piped());
        let ran = python.ran(format!("[\"{driver}\", {settings}, {options}]\n")).ok();
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let said = asked(
        "MySQLdb",
        r#"{"database": "n", "user": "u", "host": "localhost", "port": 3307}"#,
        r#"{"db": "o", "passwd": "q", "ssl": {"ca": "/ca"}, "isolation_level": "x", "ssl_mode": "VERIFY_CA"}"#,
    );
    let expected = serde_json::json!([
        {"charset": "utf8mb4", "database": "o", "user": "u", "host": "localhost", "port": "3307",
         "password": "q", "ssl": "1", "ssl_ca": "/ca", "isolation_level": "x", "ssl_mode": "VERIFY_CA"},
        {"MYSQL_PWD": "p"}
    ]);
    assert_eq!(said, expected);
    // Those that are written in Python mean the port by localhost, and read no variables.
    let said = asked("pymysql", r#"{"database": "n"}"#, r#"{"ssl": {"ca": "/ca"}}"#);
    let expected = serde_json::json!([
        {"charset": "utf8mb4", "database": "n", "ssl": "1", "ssl_ca": "/ca", "ssl_verify_identity": "1",
         "host": "localhost", "protocol": "tcp"},
        {}
    ]);
    assert_eq!(said, expected);
    let said = asked(
        "pymysql",
        r#"{"host": "h"}"#,
        r#"{"unix_socket": "/s", "ssl": {"ca": "/ca", "check_hostname": false}}"#,
    );
    assert_eq!(said[0]["unix_socket"], "/s");
    assert!(
        said[0].get("host").is_none() && said[0].get("ssl_verify_identity").is_none(),
        "{said}"
    );
    let said =
        asked("mysql.connector", "{}", r#"{"ssl_disabled": true, "read_default_file": "~/x"}"#);
    assert_eq!((&said[0]["ssl_disabled"], said[0].get("protocol")), (&"1".into(), None));
    assert!(said[0]["read_default_file"].as_str().unwrap().starts_with('/'));
    assert_eq!(asked("mysql.connector", "{}", "{}")[0]["host"], "127.0.0.1");
    // Who is trusted by an object of Python's nobody can read.
    assert_eq!(asked("pymysql", "{}", r#"{"ssl": ["x"]}"#)[0]["ssl_context"], "an object");
}

//! What operators get wrong at three in the morning: one clear error each, nothing deleted, no secret shown.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::role::{Role, SENTINEL};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, around, login, program};

/// The end of every whole session key.
pub(crate) const REST_OF_KEY: &str = "abcdefghijklmnopqrstuvwx";

impl Ran {
    /// It said what is wrong, once, and what to do about it; and neither anything else nor a secret.
    pub(crate) fn refuses(self, code: i32, texts: &[&str]) {
        let ran = self.exits(code);
        let lines = |label: &str| ran.stderr.lines().filter(|line| line.starts_with(label)).count();
        assert_eq!((lines("error: "), lines("hint: ")), (1, 1), "{ran:#?}");
        assert_eq!(ran.stdout, "", "{ran:#?}");
        ran.keeps_secrets();
        for text in texts {
            assert!(ran.stderr.contains(text), "no {text:?} in {ran:#?}");
        }
    }

    pub(crate) fn keeps_secrets(&self) {
        for secret in [SENTINEL, SECRET_KEY, REST_OF_KEY] {
            assert!(!self.stdout.contains(secret) && !self.stderr.contains(secret), "{self:#?}");
        }
    }
}

/// Both commands that open the table, on this database.
fn both(w: &World, url: &str, check: impl Fn(Ran)) {
    check(w.run(&["list", "-d", url]));
    check(w.run(&["logout-user", "42", "-d", url]));
    assert_eq!(w.count(), 2, "nothing is deleted by what fails");
}

/// `user:password@host:port` of a URL, in its parts, and the database.
fn parts(url: &str) -> (&str, &str, &str, &str) {
    let (login, rest) = url.strip_prefix("postgres://").unwrap().rsplit_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    (user, password, server, database)
}

#[test]
fn a_server_that_cannot_be_reached_or_does_not_let_in() {
    let w = World::postgres("err_connect");
    w.user("42", 2);
    let url = w.url();
    let (user, password, server, database) = parts(&url);
    let at = |login: &str, server: &str, database: &str| {
        format!("postgres://{login}@{server}/{database}")
    };
    let wrong = format!("{user}:{SENTINEL}");
    let right = format!("{user}:{password}");
    for (url, texts) in [
        (at(&wrong, "nosuch.invalid", "db"), ["\"db\" on nosuch.invalid", "listen at that host"]),
        (at(&wrong, "127.0.0.1:1", "db"), ["on 127.0.0.1:1", "listen at that host and port"]),
        (
            at(&wrong, server, database),
            ["password authentication failed", "check user and password"],
        ),
        (
            at(&format!("nobody9:{SENTINEL}"), server, database),
            ["\"nobody9\"", "check user and password"],
        ),
        (at(user, server, database), ["password missing", "check user, password"]),
        (
            at(&right, server, "nosuchdb"),
            ["\"nosuchdb\" does not exist", "check the database name"],
        ),
    ] {
        both(&w, &url, |ran| ran.refuses(1, &texts));
    }
}

#[test]
fn urls_that_make_no_sense_show_nothing_of_themselves() {
    let w = World::postgres("err_urls");
    w.user("42", 2);
    for url in [
        format!("postgres://u:a@{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://u:a@b/{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://u:@/#?{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://u:a/{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://u:a#?{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://u:1?host={SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://u:%{SENTINEL}@127.0.0.1:1/db"),
        format!("postgres://u:{SENTINEL}@127.0.0.1:99999/db"),
        format!("postgres://u:p@127.0.0.1:{SENTINEL}/db"),
        format!("postgres://u:p@127.0.0.1/db?nosuchoption={SENTINEL}"),
        format!("postgres:/u:{SENTINEL}@127.0.0.1/db"),
        format!("postgres:u:{SENTINEL}@127.0.0.1/db"),
        format!("u:{SENTINEL}@127.0.0.1/db"),
        format!("mssql://u:{SENTINEL}@127.0.0.1/db"),
        format!("mysql://u:{SENTINEL}@127.0.0.1"),
        format!("redis://:{SENTINEL}@127.0.0.1:1/0"),
        format!("://u:{SENTINEL}@127.0.0.1/db"),
        format!("host=127.0.0.1 port=1 pasword={SENTINEL}"),
        "sqlite://".into(),
        String::new(),
    ] {
        both(&w, &url, |ran| ran.refuses(2, &[]));
    }
    // These make sense, and nobody listens there.
    for url in [
        format!("Postgres://u:{SENTINEL}@127.0.0.1:1/db"),
        format!("MySQL://u:{SENTINEL}@127.0.0.1:1/db"),
        format!("host=127.0.0.1 port=1 dbname=db user=u password={SENTINEL}://"),
        format!("connect_timeout=3 host=127.0.0.1 port=1 user=u password={SENTINEL}"),
    ] {
        both(&w, &url, |ran| ran.refuses(1, &["127.0.0.1:1"]));
    }
    w.run(&["list", "-d", "mssql://h/db"]).refuses(2, &["\"mssql\"", "postgres://", "mysql://"]);
}

/// Pairs with semicolons between them, and what else is no connection string here.
#[test]
fn variables_that_make_no_sense_show_nothing_of_themselves() {
    let here = std::env::temp_dir();
    for url in [
        format!("host=h.invalid;password={SENTINEL}"),
        format!("host=h.invalid user=u;password={SENTINEL}"),
        format!("dbname=d;pwd={SENTINEL} host=h.invalid"),
        format!("Driver={{PostgreSQL}};Server=h;Pwd={SENTINEL}"),
        format!("Server=h;Database=d;User Id=u;Password={SENTINEL}"),
        format!("postgres://u:p@h.invalid/db;password={SENTINEL}"),
        format!("postgres://u:p@h.invalid;password={SENTINEL}/db"),
        format!("sqlite:///db;password={SENTINEL}"),
        format!("db?password={SENTINEL}"),
        format!("{SENTINEL}@h.invalid"),
        format!("u:{SENTINEL}@h.invalid/db"),
    ] {
        for variable in ["DATABASE_URL", "SESSCTL_DATABASE_URL"] {
            for arguments in [&["list"][..], &["check"], &["logout-user", "42", "-v"]] {
                let ran = program(arguments).env(variable, &url).current_dir(&here).ran("");
                assert!([2, 3].contains(&ran.code), "{url}: {ran:#?}");
                ran.keeps_secrets();
            }
        }
    }
}

#[test]
fn no_database_no_time_zone_no_key() {
    program(&["list"]).ran("").refuses(2, &["no database given", "DATABASE_URL"]);
    World::each("err_config", |w| {
        w.user("42", 2);
        let missing = w.file("missing", "");
        std::fs::remove_file(&missing).unwrap();
        let empty = w.file("empty", "");
        let late = w.file("late", format!("\n{SECRET_KEY}\n"));
        let folder = Path::new(&empty).parent().unwrap().display().to_string();
        let key = |file: &str| w.run_without_key(&["logout-user", "42", "--secret-key-file", file]);
        key(&empty).refuses(2, &["is empty", "it must be the SECRET_KEY"]);
        key(&late).refuses(2, &["first line", "is empty"]);
        for file in [&missing, &folder] {
            key(file)
                .exits(1)
                .says(&format!("error: cannot read {file}"))
                .says("cause: ")
                .keeps_secrets();
        }
        let mut fallbacks = w.command(&["logout-user", "42"]);
        fallbacks.env("DJANGO_SECRET_KEY_FALLBACKS", SECRET_KEY);
        fallbacks.ran("").refuses(2, &["but no SECRET_KEY"]);
        let mut zone =
            program(&["logout-user", "42", "--db-timezone", "Mars/Olympus", "-d", &w.url()]);
        zone.ran("").refuses(2, &["\"Mars/Olympus\" is not a time zone", "Europe/Berlin"]);
        let mut argument = w.command(&["logout-user", "42", &format!("--secret-key={SENTINEL}")]);
        argument.ran("").exits(2).keeps_secrets();
        assert_eq!(w.count(), 2);
    });
}

#[test]
fn the_table_is_another_one() {
    World::each("err_table", |w| {
        w.user("42", 2);
        let table = |name: &str| w.run(&["logout-user", "42", "--table", name]);
        table("nosuch").refuses(
            1,
            &["no table \"nosuch\" in ", "hint: these have the columns", "django_session"],
        );
        table("nosuch.django_session")
            .refuses(1, &["no table \"nosuch.django_session\"", "--table"]);
        for name in ["a.b.c", "a\"b"] {
            table(name).refuses(2, &["not a table name", "--table"]);
        }
        table("").refuses(2, &["--table was given an empty text"]);
        w.execute("CREATE TABLE lacking (session_key varchar(40), session_data text)");
        table("lacking").refuses(1, &["no column expire_date", "--table"]);
        w.execute(
            "CREATE VIEW grouped AS SELECT session_key, max(session_data) AS session_data,
                       max(expire_date) AS expire_date FROM django_session GROUP BY session_key",
        );
        // The tests are a superuser.
        let grouped = ["--table", "grouped", "--superuser-ok"];
        w.run(&[&["logout-user", "42"][..], &grouped].concat())
            .refuses(1, &["cannot delete from table \"grouped\"", "view"]);
        w.run(&[&["list", "--format", "count"][..], &grouped].concat()).ok().says("2");
        assert_eq!(w.count(), 2);
        w.execute("ALTER TABLE django_session RENAME TO user_sessions_session");
        w.run(&["list"]).refuses(1, &["no table \"django_session\"", "user_sessions_session"]);
        w.run(&["logout-user", "42", "--table", "user_sessions_session"])
            .ok()
            .says("2 sessions deleted");
        w.execute("DROP VIEW grouped; DROP TABLE user_sessions_session");
        w.run(&["list"]).refuses(1, &["is this the site's database?"]);
    });
}

#[test]
fn a_table_in_a_schema_with_a_strange_name() {
    let w = World::postgres("err_schema");
    w.user("42", 2).user("7", 1);
    w.execute(
        r#"CREATE SCHEMA "we.ird"; ALTER TABLE django_session SET SCHEMA "we.ird";
           ALTER TABLE "we.ird".django_session RENAME TO "se""ss;ion""#,
    );
    let name = r#""we.ird"."se""ss;ion""#;
    w.run(&["list"]).refuses(1, &["no table \"django_session\"", name]);
    w.run(&["logout-user", "42", "--table", name]).ok().says("2 sessions deleted, none is left");
    assert_eq!(w.run(&["list", "--table", name, "--format", "count"]).ok().stdout, "1\n");
}

#[test]
fn columns_of_other_types() {
    let w = World::postgres("err_types");
    w.user("42", 2);
    w.execute("CREATE TABLE odd (session_key int, session_data jsonb, expire_date bigint)");
    for command in [&["list"][..], &["logout-user", "42"]] {
        let mut command = w.command(command);
        command.args(["--table", "odd"]).env("SECRET_KEY", SECRET_KEY);
        command.ran("").refuses(1, &["types that Django gives"]);
    }
    assert_eq!(w.count(), 2);
}

#[test]
fn what_is_no_database_file() {
    let w = World::sqlite("err_files");
    w.user("42", 2);
    let text = w.file("text", "a text is not a database ".repeat(100));
    let empty = w.file("empty", "");
    let missing = w.file("missing", "");
    std::fs::remove_file(&missing).unwrap();
    let folder = Path::new(&text).parent().unwrap().display().to_string();
    both(&w, &text, |ran| ran.refuses(1, &[&text, "file is not a database"]));
    both(&w, &empty, |ran| {
        ran.refuses(1, &["no table \"django_session\"", "is this the site's database?"]);
    });
    both(&w, &missing, |ran| ran.refuses(1, &["cannot open ", "check the path"]));
    both(&w, &folder, |ran| ran.refuses(1, &["cannot open ", "it is a folder", "check the path"]));
    assert!(!Path::new(&missing).exists(), "a missing file is not made");
    let whole = std::fs::read(w.url()).unwrap();
    let cut = w.file("cut", &whole[..whole.len() / 2]);
    both(&w, &cut, |ran| ran.refuses(1, &["malformed", "integrity_check"]));
}

/// The program as a user whom permissions bind, which is everybody but root with all capabilities.
pub(crate) fn bound_by_permissions(w: &World, arguments: &[&str]) -> Command {
    let mut command = w.command(arguments);
    if std::fs::metadata(w.url()).unwrap().uid() == 0 {
        let mut bound = Command::new("setpriv");
        bound.args(["--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search"]);
        command = around(bound, &command);
    }
    command.env("SECRET_KEY", SECRET_KEY);
    command
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_may_not_be_written() {
    let w = World::sqlite("err_read_only");
    w.user("42", 2);
    let url = w.url();
    let (file, folder) = (Path::new(&url), Path::new(&url).parent().unwrap());
    let run = |arguments: &[&str]| bound_by_permissions(&w, arguments).ran("");
    set_mode(file, 0o444);
    run(&["logout-user", "42"])
        .refuses(1, &["cannot delete from", "may not be written", "run as a user"]);
    assert_eq!(run(&["list", "--format", "count"]).ok().stdout, "2\n");
    run(&["logout-user", "42", "-n"]).ok().says("2 live sessions");
    // The journal needs a place beside the file.
    set_mode(file, 0o644);
    set_mode(folder, 0o555);
    let ran = run(&["logout-user", "42", "--quiet"]).exits(1);
    ran.says("error: cannot delete from").says("folder").keeps_secrets();
    set_mode(folder, 0o755);
    set_mode(file, 0o000);
    run(&["list"]).refuses(1, &["cannot open", "check the path"]);
    set_mode(file, 0o644);
    assert_eq!(w.count(), 2);
}

#[test]
fn roles_that_lack_rights() {
    let w = World::postgres("err_roles");
    w.user("42", 2);
    let role = Role::new(&w, "rights");
    let name = &role.name;
    role.run(&["list"])
        .refuses(1, &["lacks the SELECT privilege", "GRANT SELECT ON \"django_session\""]);
    // What is missing first is asked for first.
    role.run(&["logout-user", "42"]).refuses(1, &["lacks the SELECT privilege", "GRANT SELECT"]);
    w.execute(&format!("GRANT SELECT ON django_session TO {name}"));
    assert_eq!(role.run(&["list", "--format", "count"]).ok().stdout, "2\n");
    role.run(&["logout-user", "42"]).refuses(1, &["lacks the DELETE privilege", "GRANT DELETE"]);
    role.run(&["logout-user", "42", "-n"]).ok().says("2 live sessions").keeps_secrets();
    w.execute("CREATE SCHEMA closed; CREATE TABLE closed.django_session (LIKE django_session)");
    let closed = ["list", "--table", "closed.django_session"];
    role.run(&closed).refuses(1, &["permission denied for schema closed", "USAGE on the schema"]);
    w.execute(&format!("GRANT DELETE ON django_session TO {name}; ALTER TABLE django_session ENABLE ROW LEVEL SECURITY"));
    for command in [&["list"][..], &["logout-user", "42"]] {
        role.run(command).refuses(1, &["row security hides rows", "BYPASSRLS"]);
    }
    assert_eq!(w.count(), 2);
    w.execute("ALTER TABLE django_session DISABLE ROW LEVEL SECURITY");
    role.run(&["logout-user", "42"]).ok().says("2 sessions deleted, none is left");
}

#[test]
fn a_database_that_is_read_only() {
    let w = World::postgres("err_pg_read_only");
    w.user("42", 2);
    let role = Role::new(&w, "read_only");
    let name = &role.name;
    w.execute(&format!(
        "GRANT SELECT, DELETE ON django_session TO {name}; ALTER ROLE {name} SET default_transaction_read_only = on"
    ));
    role.run(&["logout-user", "42"]).refuses(1, &["read only", "connect to the primary"]);
    assert_eq!(role.run(&["list", "--format", "count"]).ok().stdout, "2\n");
    w.execute("ALTER DATABASE world_err_pg_read_only SET default_transaction_read_only = on");
    w.run(&["logout-user", "42"]).refuses(1, &["read only", "connect to the primary"]);
    assert_eq!(w.count(), 2);
    // Or the role could not be dropped.
    w.execute("BEGIN READ WRITE; ALTER DATABASE world_err_pg_read_only RESET ALL; COMMIT");
}

#[test]
fn what_the_server_says_of_a_row_does_not_show_its_key() {
    let w = World::postgres("err_foreign_key");
    w.session(&login("42"));
    w.execute(
        "CREATE TABLE audit (session_key varchar(40) REFERENCES django_session);
         INSERT INTO audit SELECT session_key FROM django_session",
    );
    let ran =
        w.run(&["logout-user", "42"]).exits(3).says("1 session stays: rows of audit refer to it");
    ran.keeps_secrets();
    assert!(ran.stdout.contains("0 sessions deleted, 1 IS LEFT"), "{ran:#?}");
    assert_eq!(w.count(), 1);
}

/// What stands in the wrong place may be a connection string.
#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    let w = World::sqlite("err_misplaced");
    w.user("42", 2);
    let audit = w.file("audit", "");
    let connections = [
        format!("host=h password={SENTINEL}"),
        format!("password={SENTINEL}"),
        format!("postgres://u:{SENTINEL}@h/db"),
        format!("u:{SENTINEL}@h/db"),
        format!("host=h.example password='{SENTINEL}"),
    ];
    for value in &connections {
        let attached = |option: &str| format!("{option}={value}");
        let (table, user_key, nonsense) =
            (attached("--table"), attached("--user-key"), attached("--nonsense"));
        for arguments in [
            &["list", value][..],
            &[value],
            &["list", "--format", value],
            &["list", "--user", value],
            &["list", &nonsense],
            &["list", &user_key],
            &["list", "--idle", value],
            &["list", "--saved-between", value],
            &["show", value],
            &["decode", value],
            &["backfill", "--column", value, "--audit-file", &audit],
            &["logout-user", value, "--audit-file", &audit],
            &["logout-user", "--username", value],
            &["logout-user", "42", "--dry-run", "--except", value],
            &["flush-all", "--yes", "--except-user", value],
            &["purge-expired", "--metrics-file", value],
            &["doctor", "--grants", "--role", value],
            &["stats", &table],
            &["stats", "-v", "--log-format", "json", "--schema", value],
            &["--table", value, "logout-user", "42"],
        ] {
            let ran = w.run(arguments).exits(2);
            assert!(ran.stderr.contains("error"), "{arguments:?}: {ran:#?}");
            ran.keeps_secrets();
            assert!(!ran.stderr.contains(value.as_str()), "{arguments:?}: {ran:#?}");
        }
        for arguments in
            [&["check", value][..], &["check", "--table", value], &["check", &nonsense]]
        {
            let ran = w.run(arguments).exits(3);
            assert!(ran.stdout.starts_with("SESSIONS UNKNOWN - "), "{ran:#?}");
            ran.keeps_secrets();
        }
    }
    // What is less sure to be one is taken, and not repeated either.
    for value in ["pin=1234", "1234@h", "a://1234"] {
        for arguments in [
            &["list", value][..],
            &["list", "--table", value],
            &["list", "--python", value, "--django", value],
            &["show", value],
            &["logout-user", "42", "--except", value],
            &["check", "--table", value],
        ] {
            let ran = w.run(arguments);
            assert!(ran.code != 0 && !(ran.stdout + &ran.stderr).contains("1234"), "{arguments:?}");
        }
    }
    // An address says who was meant.
    w.execute("DELETE FROM django_session");
    w.user("anna@example.com", 2);
    let ran = w.run(&["logout-user", "anna@example.com", "--audit-file", &audit]);
    assert!(ran.stdout.contains("anna@example.com: 2 sessions deleted"), "{ran:#?}");
    let on_record = std::fs::read_to_string(&audit).unwrap();
    assert!(on_record.contains("anna@example.com") && !on_record.contains(SENTINEL), "{on_record}");
}

/// The words of the server are not ours: whoever stands in its place could have the operator do anything.
#[test]
fn a_hint_of_the_server_is_told_as_its_own() {
    let w = World::postgres("err_server_hint");
    w.user("42", 1).execute(
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE 'no' USING HINT = E'run curl x\nhint: | sh', DETAIL = 'and so on'; END $$;
         CREATE TRIGGER t BEFORE DELETE ON django_session FOR EACH ROW EXECUTE FUNCTION f()",
    );
    let ran = w.run(&["logout-user", "42"]).exits(1).says("server hint: run curl");
    assert!(!ran.stderr.lines().any(|line| line.starts_with("hint: ")), "{ran:#?}");
    let ran = w.run(&["logout-user", "42", "--log-format", "json"]).exits(1);
    let error = ran.stderr.lines().find(|line| line.contains("\"error\"")).unwrap();
    let error: serde_json::Value = serde_json::from_str(error).unwrap();
    assert_eq!(error["hint"], serde_json::Value::Null);
    assert!(error["server_hint"].as_str().unwrap().starts_with("run curl"), "{error}");
}

//! Where a password, a host or a database may be named, each way by really connecting; and what libpq itself makes of
//! the same.

use std::fs::{create_dir_all, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::role::{Role, SENTINEL};
use crate::support::postgres_bin;
use crate::world::{Ran, RunToEnd, World, program};

fn world(name: &str) -> World {
    let w = World::postgres(name);
    w.user("42", 2);
    w
}

/// A role that reads its table, over TCP and with a password.
fn reader<'w>(w: &'w World, name: &str) -> Role<'w> {
    let role = Role::new(w, name);
    w.execute(&format!("GRANT SELECT ON django_session TO {}", role.name));
    role
}

/// The address, the port and the database of a role's URL.
fn place(role: &Role<'_>) -> (String, String, String) {
    let url = role.url();
    let (server, database) = url.rsplit_once('@').unwrap().1.split_once('/').unwrap();
    let (host, port) = server.split_once(':').unwrap();
    (host.into(), port.into(), database.into())
}

/// The program with these variables, which finds the two sessions and shows no password.
fn list(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = program(&["list", "--format", "count"]);
    command.args(arguments).envs(variables.iter().copied());
    let ran = command.ran("");
    assert!(!ran.stderr.contains(SENTINEL) && !ran.stdout.contains(SENTINEL), "{ran:#?}");
    ran
}

fn finds(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let ran = list(arguments, variables).ok();
    assert_eq!(ran.stdout, "2\n", "{ran:#?}");
    ran
}

#[test]
fn the_environment_alone_will_do() {
    let w = world("conninfo_env");
    let role = reader(&w, "conninfo_env");
    let (host, port, database) = place(&role);
    let all = [
        ("PGHOST", &*host),
        ("PGPORT", &port),
        ("PGDATABASE", &database),
        ("PGUSER", &role.name),
        ("PGPASSWORD", SENTINEL),
    ];
    finds(&[], &all);
    let by_address =
        all.map(|(name, value)| (if name == "PGHOST" { "PGHOSTADDR" } else { name }, value));
    finds(&[], &by_address);
    // What the URL leaves open is taken from there, and what it says is not.
    let wrong = [&all[..2], &[("PGDATABASE", "wrong"), ("PGUSER", "wrong"), all[4]]].concat();
    finds(&["-d", &format!("postgres://{}@/{database}", role.name)], &wrong);
    finds(&["-d", &format!("dbname={database} user={}", role.name)], &wrong);
    list(&[], &wrong).refuses(1, &["\"wrong\""]);
    list(&[], &all[3..]).refuses(2, &["no database given", "PGHOST"]);
    let settings = [&all[..], &[("PGOPTIONS", "-c search_path=nowhere")]].concat();
    list(&[], &settings).refuses(1, &["no table \"django_session\""]);
    let strange = [&all[..], &[("PGSSLMODE", "sometimes")]].concat();
    list(&[], &strange).refuses(2, &["sslmode", "verify-full"]);
}

#[test]
fn the_schema_is_named_in_the_url() {
    let w = world("conninfo_schema");
    let role = reader(&w, "conninfo_schema");
    let name = &role.name;
    w.execute(&format!(
        "CREATE SCHEMA \"my tenant\"; ALTER TABLE django_session SET SCHEMA \"my tenant\";
         GRANT USAGE ON SCHEMA \"my tenant\" TO {name}"
    ));
    let url = role.url();
    list(&["-d", &url], &[]).refuses(1, &["no table"]);
    for options in ["currentSchema=%22my tenant%22", "options=-csearch_path%3D%22my\\%20tenant%22"]
    {
        finds(&["-d", &format!("{url}?{options}")], &[]);
    }
    w.execute("ALTER TABLE \"my tenant\".django_session SET SCHEMA public");
}

#[test]
fn the_password_file_and_its_permissions() {
    let w = world("conninfo_pgpass");
    let role = reader(&w, "conninfo_pgpass");
    let (host, port, database) = place(&role);
    let url = format!("postgres://{}@{host}:{port}/{database}", role.name);
    let home = w.file("home", "");
    std::fs::remove_file(&home).unwrap();
    create_dir_all(&home).unwrap();
    let file = format!("{home}/.pgpass");
    let line = |password: &str| format!("{host}:{port}:*:{}:{password}\n", role.name);
    std::fs::write(&file, format!("# ours\n{}", line(SENTINEL))).unwrap();
    set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let at_home = [("HOME", &*home)];
    finds(&["-d", &url], &at_home);
    list(&["-d", &url], &[]).refuses(1, &["password missing", "~/.pgpass"]);
    let elsewhere = w.file("elsewhere", line("wrong"));
    set_permissions(&elsewhere, PermissionsExt::from_mode(0o600)).unwrap();
    let both = [at_home[0], ("PGPASSFILE", &elsewhere)];
    list(&["-d", &url], &both).refuses(1, &["password authentication failed"]);
    finds(&["-d", &format!("{url}?passfile={file}")], &both);
    finds(&["-d", &url], &[both[1], ("PGPASSWORD", SENTINEL)]);
    set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    list(&["-d", &url], &at_home).refuses(1, &["is ignored", "chmod 600", "password missing"]);
}

#[test]
fn a_service() {
    let w = world("conninfo_service");
    let role = reader(&w, "conninfo_service");
    let (host, port, database) = place(&role);
    let text = format!(
        "[other]\nhost=nosuch.invalid\n\n# the site's\n[site]\nhost={host}\nport={port}\ndbname={database}\nuser={}\npassword={SENTINEL}\n",
        role.name
    );
    let file = w.file("services", &text);
    let named = ("PGSERVICEFILE", &*file);
    finds(&[], &[named, ("PGSERVICE", "site")]);
    finds(&["-d", "service=site"], &[named]);
    finds(&["-d", "postgres://?service=site"], &[named, ("PGDATABASE", "wrong")]);
    list(&["-d", "service=site dbname=wrong"], &[named]).refuses(1, &["\"wrong\""]);
    list(&[], &[named, ("PGSERVICE", "nosuch")]).refuses(2, &["no service \"nosuch\""]);
    list(&[], &[("PGSERVICEFILE", "/nonexistent"), ("PGSERVICE", "site")])
        .refuses(2, &["/nonexistent"]);
    let folder = w.file("folder", "");
    std::fs::remove_file(&folder).unwrap();
    create_dir_all(&folder).unwrap();
    std::fs::write(format!("{folder}/pg_service.conf"), &text).unwrap();
    std::fs::write(format!("{folder}/.pg_service.conf"), "[other]\n").unwrap();
    finds(&[], &[("HOME", &folder), ("PGSYSCONFDIR", &folder), ("PGSERVICE", "site")]);
}

#[test]
fn a_password_on_the_command_line_works_and_is_warned_of() {
    let w = world("conninfo_argv");
    let role = reader(&w, "conninfo_argv");
    let url = role.url();
    let ran = finds(&["-d", &url], &[]);
    assert_eq!(ran.stderr.matches("warning: every user of this machine").count(), 1, "{ran:#?}");
    for variable in ["DATABASE_URL", "SESSCTL_DATABASE_URL"] {
        let ran = finds(&[], &[(variable, &url)]);
        assert!(!ran.stderr.contains("warning"), "{ran:#?}");
    }
    let ran = finds(&["-d", &format!("{url}?conn_max_age=60&ssl_require=false")], &[]);
    assert!(ran.stderr.contains("ignored here: conn_max_age\n"), "{ran:#?}");
    finds(&["-d", &url.replace("postgres:", "postgis:")], &[]);
}

/// What libpq understands, as `psql` shows it: every value that `\conninfo` has.
#[test]
fn libpq_understands_the_same() {
    let w = world("conninfo_libpq");
    let role = reader(&w, "conninfo_libpq");
    let (host, port, database) = place(&role);
    let (user, password) = (&role.name, SENTINEL);
    w.execute(&format!("ALTER ROLE {user} PASSWORD 'p@s/s#?:%'"));
    let encoded = "p%40s%2Fs%23%3F%3a%25";
    for url in [
        format!("postgres://{user}:{encoded}@{host}:{port}/{database}"),
        format!("postgresql://{user}:{encoded}@{host}:{port}/{database}?application_name=x"),
        format!("postgres://{user}@{host}:{port}/{database}?password={encoded}"),
        format!("postgres://{user}:{encoded}@/{database}?host={host}&port={port}"),
        format!("postgres://{user}:{encoded}@nosuch.invalid:{port}/{database}?hostaddr={host}"),
        format!("postgres://{user}:{encoded}@{host}:1,{host}:{port}/{database}"),
        format!("postgres://{user}:{encoded}@{host},{host}/{database}?port={port}"),
        format!("postgres://wrong:{encoded}@{host}:{port}/wrong?dbname={database}&user={user}"),
        format!("postgres://{user}:{encoded}@{host}:{port}?dbname={database}"),
        format!("host={host} port={port} dbname={database} user={user} password=p@s/s#?:%"),
        format!(
            "host = '{host}' port={port} dbname='{database}' user={user} password='p@s/s\\#?:%'"
        ),
    ] {
        let mut psql = Command::new(postgres_bin().join("psql"));
        psql.args(["-X", "-A", "-t", "-c", "SELECT count(*) FROM django_session", &url]);
        psql.env("HOME", "/nonexistent");
        let libpq = psql.ran("");
        assert_eq!((libpq.code, &*libpq.stdout), (0, "2\n"), "{url}: {libpq:#?}");
        assert_eq!(list(&["-d", &url], &[]).ok().stdout, "2\n", "{url}");
    }
    for (url, why) in [
        (format!("postgres://{user}:{encoded}@{host}:{port}/{database}?nosuch=1"), 2),
        (format!("postgres://{user}:%zz@{host}:{port}/{database}"), 2),
        (format!("postgres://{user}:{encoded}@{host}:port/{database}"), 2),
        (format!("postgres://{user}:{encoded}@[{host}:{port}/{database}"), 2),
        (format!("host={host} port={port} dbname"), 2),
        (format!("host={host} port={port} dbname='{database}"), 2),
        (format!("postgres://{user}:{password}@{host}:{port}/{database}"), 1),
        (format!("postgres://{user}:{encoded}@{host}:{port}/{database}?sslmode=verify-full"), 1),
        (format!("postgres://{user}:{encoded}@{host}:{port}/{database}?sslmode=require"), 1),
    ] {
        let mut psql = Command::new(postgres_bin().join("psql"));
        let libpq = psql.args(["-X", "-c", "SELECT 1", &url]).env("HOME", "/nonexistent").ran("");
        assert_ne!(libpq.code, 0, "{url}: {libpq:#?}");
        list(&["-d", &url], &[]).refuses(why, &[]);
    }
}

#[test]
fn sqlite_by_url_and_by_path() {
    let w = World::sqlite("conninfo_sqlite");
    w.user("42", 2);
    let path = w.url();
    let odd = w.file("100% our?site#1.sqlite3", std::fs::read(&path).unwrap());
    let folder = path.rsplit_once('/').unwrap().0;
    let quiet = |url: &str| {
        let ran = finds(&["-q", "-d", url], &[]);
        assert_eq!(ran.stderr, "", "{url}: {ran:#?}");
    };
    for url in [&*path, &odd, &format!("sqlite:///{path}"), &format!("spatialite:///{path}")] {
        quiet(url);
    }
    quiet(&format!("sqlite:///{folder}/100%25%20our%3Fsite%231.sqlite3"));
    let ran =
        finds(&["-d", &format!("sqlite:///{path}?timeout=20&transaction_mode=IMMEDIATE")], &[]);
    assert!(ran.stderr.contains("ignored here: timeout, transaction_mode\n"), "{ran:#?}");
    let mut relative = program(&["list", "--format", "count", "-d", "sqlite:///db.sqlite3"]);
    assert_eq!(relative.current_dir(folder).ran("").ok().stdout, "2\n");
    for (url, says) in [
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///%zz", "\"%\""),
    ] {
        list(&["-d", url], &[]).refuses(2, &[says]);
    }
}

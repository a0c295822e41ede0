//! `--django`: real projects are asked for what would have to be typed otherwise.

use std::time::Instant;

use crate::site::{SECRET_KEY, Site};
use crate::support::{django_python, postgres_url};
use crate::world::{RunToEnd, program};

const UUIDS: &[(&str, &str)] = &[("SITE_USERS", "uuid")];

/// Nothing but the project says where the sessions are, and exactly the right ones go.
fn logs_out(release: &str, variables: &[(&str, &str)]) {
    let name = if variables.is_empty() { "plain" } else { "other" };
    Site::each(name, release, variables, |site| {
        let [anna, bert] = &site.login(&["anna", "bert"])[..] else { panic!("two") };
        let report = site.run(&["logout-user", &anna.0, "--format", "json"]).ok();
        assert!(
            !report.stderr.contains("not checked") && !report.stderr.contains("time zone"),
            "{report:#?}"
        );
        assert_eq!(report.json()["deleted"], 1);
        assert_eq!(site.keys(), std::slice::from_ref(&bert.1));
    });
}

#[test]
fn django_3_2() {
    logs_out("3.2", &[]);
}

#[test]
fn django_4_2() {
    logs_out("4.2", &[]);
}

#[test]
fn django_5_2() {
    logs_out("5.2", &[]);
}

#[test]
fn django_6_1() {
    logs_out("6.1", &[]);
}

#[test]
fn users_with_uuids() {
    logs_out("5.2", UUIDS);
}

#[test]
fn a_package_with_a_table_of_its_own() {
    logs_out("5.2", &[("SITE_SESSIONS", "qsessions")]);
}

/// The project says that the table and the engine are its own, so nobody is logged in where there are carts and no login.
#[test]
fn carts_without_a_login_are_no_doubt_for_a_project() {
    Site::each("carts", "5.2", &[], |site| {
        let save = |payload: &str| {
            site.python(&format!(
                "from django.contrib.sessions.backends.db import SessionStore as S; s = S(); s.update({payload}); s.save()"
            ));
        };
        save("{'cart': [1]}");
        // What django-two-factor-auth, social-auth and mozilla-django-oidc keep of visitors.
        save("{'wizard_login_view': {'step': 'auth', 'step_data': {}}, 'oidc_login_next': '/me/'}");
        save(
            "{'google-oauth2_state': 'Wq2fJ0aZ8kLmN4pRsT6vXy1bC3dE5gH7', 'oauth_user': None, 'login_attempts': [3]}",
        );
        site.run(&["logout-user", "1"]).ok();
        site.run(&["list", "--user", "1"]).ok();
        site.run(&["flush-all", "--authenticated-only", "--yes"]).ok();
        site.run(&["flush-all", "--yes"]).ok();
        for value in [
            "7",
            "'anna'",
            "'anna.with-a-long-address@mail.example.org'",
            "'ce6db715bb9801994cff7a7d3eff1a4f'",
        ] {
            save(&format!("{{'shop_login_of': {value}}}"));
            site.run(&["logout-user", "1"]).exits(3).says("--user-key shop_login_of");
            site.run(&["flush-all", "--yes"]).ok();
        }
        // A key that is called like a login is one, whatever it holds.
        save("{'member': {'id': 7}}");
        site.run(&["logout-user", "1"]).exits(3).says("--user-key member");
        site.run(&["flush-all", "--yes"]).ok();
        // A login of the site's own, beside or instead of Django's, is one.
        save("{'member_id': 1}");
        site.run(&["logout-user", "1"]).exits(3).says("--user-key member_id");
        site.run(&["logout-user", "1", "--user-key", "_auth_user_id"]).ok();
    });
}

/// A second middleware of the site keeps logins in a table of its own. Tables that no model of the project has are another's.
#[test]
fn another_session_table_of_the_project_is_a_doubt() {
    for new in [Site::sqlite, Site::postgres] {
        let site = new("two_tables", "5.2", &[]).project("", "INSTALLED_APPS += ['desk']");
        let folder = site.file("empty", "");
        std::fs::create_dir(folder.replace("empty", "desk")).unwrap();
        site.file("desk/__init__.py", "");
        site.file(
            "desk/models.py",
            "from django.contrib.sessions.base_session import AbstractBaseSession
class Desk(AbstractBaseSession): pass",
        );
        site.python(
            "from django.db import connection as c
from desk.models import Desk
with c.schema_editor() as editor: editor.create_model(Desk)",
        );
        let anna = &site.login(&["anna"])[0];
        site.python(
            "from django.db import connection as c
c.cursor().execute('INSERT INTO desk_desk SELECT * FROM django_session')
c.cursor().execute('CREATE TABLE other_session AS SELECT * FROM django_session')",
        );
        let bert = &site.login(&["bert"])[0];
        let says = "live sessions of the same users: desk_desk. ";
        site.run(&["list", "--user", &anna.0]).exits(3).says(says);
        site.run(&["logout-user", &bert.0]).ok().says("none is left");
        for command in
            [&["logout-user", &*anna.0][..], &["logout-user", &anna.0], &["flush-all", "--yes"]]
        {
            site.run(command).exits(3).says(says);
        }
        site.run(&["logout-user", &anna.0, "--table", "django_session"]).ok();
        site.run(&["logout-user", &anna.0, "--table", "desk_desk"]).ok().says("1 session deleted");
        for command in [&["logout-user", &*anna.0][..], &["flush-all", "--yes"]] {
            site.run(command).ok();
        }
    }
}

#[test]
fn a_project_may_print_what_it_likes() {
    let noise = "
print('{\"project\": 1}\\0')
os.write(1, b'\\0{\"no_settings\": null}')
os.system('echo; echo \\'\"no_settings\"\\'; echo noise >&2')
import atexit, logging, subprocess
logging.basicConfig(level=0, stream=sys.stdout)
logging.warning('noise')
atexit.register(print, 'noise')
subprocess.Popen(['sleep', '20'])
";
    let site = Site::postgres("noisy", "5.2", &[]);
    let [anna] = &site.login(&["anna"])[..] else { panic!("one") };
    let site =
        site.project(&format!("import sys{noise}"), &format!("{noise}\nsys.stdout.write('noise')"));
    let began = Instant::now();
    let report = site.run(&["logout-user", &anna.0]).ok().says("1 session deleted");
    assert!(!report.stdout.contains("noise") && !report.stderr.contains("noise"), "{report:#?}");
    assert!(began.elapsed().as_secs() < 15, "somebody waited for what the project had started");
}

#[test]
fn manage_py_may_prepare_the_environment() {
    let site = Site::sqlite("dotenv", "4.2", &[]);
    let [anna] = &site.login(&["anna"])[..] else { panic!("one") };
    let site = site.project(
        &format!("os.environ['SITE_TIME_ZONE'] = 'Asia/Tokyo'; os.environ['SITE_SECRET_KEY'] = '{SECRET_KEY}'"),
        "DATABASES['default']['NAME'] = 'db.sqlite3'",
    );
    // Read off a clock nine hours ahead of UTC, the UTC in the table is that much earlier.
    let shown =
        site.command(&["list", "--format", "jsonl"]).env_remove("SITE_SECRET_KEY").ran("").ok();
    let row = &shown.json_lines()[0];
    assert_eq!(
        (row["user_id"].as_str(), row["signature"].as_str()),
        (Some(&*anna.0), Some("valid"))
    );
    let told = site.run(&["--db-timezone", "UTC", "list", "--format", "jsonl"]).ok();
    let expires = |row: &serde_json::Value| {
        row["expires"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
    };
    assert_eq!(expires(&told.json_lines()[0]).duration_since(expires(row)).as_hours(), 9);
}

#[test]
fn a_settings_module_may_be_named() {
    let site = Site::sqlite("named", "5.2", &[]);
    site.login(&["anna"]);
    let site = site.project("", "raise Exception('not these')");
    let shop = crate::site::shop();
    site.file(
        "others.py",
        &format!(
            "import sys\nsys.path.append({:?})\nfrom shop.settings import *",
            shop.to_str().unwrap()
        ),
    );
    site.run(&["list"]).exits(2).says("Exception: not these");
    let named = site.run(&["--settings", "others", "list", "--format", "count"]).ok();
    assert_eq!(named.stdout, "1\n");
    let mut by_environment = site.command(&["list", "--format", "count"]);
    assert_eq!(by_environment.env("DJANGO_SETTINGS_MODULE", "others").ran("").ok().stdout, "1\n");
}

/// Sessions in a database of their own, reached by way of a service file, a password file and a schema.
#[test]
fn the_database_is_that_of_the_sessions() {
    let site = Site::postgres("routed", "5.2", &[]);
    let [anna] = &site.login(&["anna"])[..] else { panic!("one") };
    site.python(
        "from django.db import connection as c
c.cursor().execute('CREATE SCHEMA tenant; CREATE TABLE tenant.django_session AS SELECT * FROM public.django_session LIMIT 0')",
    );
    let database = "DATABASES['default']";
    let settings = format!(
        "
there = {database}
{database} = {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'elsewhere.sqlite3'}}
with open('pass', 'w') as file:
    os.chmod('pass', 0o600)
    print('*', '*', '*', '*', there['PASSWORD'], sep=':', file=file)
with open('services', 'w') as file:
    print('[there]', 'host=%s' % there['HOST'], 'port=%s' % there['PORT'], 'user=%s' % there['USER'],
          'dbname=%s' % there['NAME'], sep='\\n', file=file)
os.environ['PGSERVICEFILE'] = os.path.abspath('services')
DATABASES['sessions'] = {{'ENGINE': 'django.db.backends.postgresql', 'OPTIONS': {{
    'service': 'there', 'passfile': 'pass', 'sslmode': 'disable', 'options': '-c search_path=tenant,public',
    'isolation_level': 2, 'assume_role': 'pg_read_all_data'}}}}
class Router:
    def db_for_read(self, model, **hints): return self.db_for_write(model)
    def db_for_write(self, model, **hints):
        return 'sessions' if model._meta.app_label == 'sessions' else None
DATABASE_ROUTERS = [Router()]
"
    );
    let site = site.project("", &settings);
    // What the server makes of it all: the empty table of the schema, which that role may not write to.
    assert_eq!(site.run(&["list", "--format", "count"]).ok().stdout, "0\n");
    let there = site.run(&["--table", "public.django_session", "list", "--format", "ids"]).ok();
    assert_eq!(there.stdout.trim(), anna.0);
    site.run(&["--table", "public.django_session", "logout-user", &anna.0])
        .exits(1)
        .says("role \"pg_read_all_data\" lacks the DELETE privilege");
}

#[test]
fn what_was_typed_counts_more() {
    Site::each("typed", "5.2", &[], |site| {
        let [anna] = &site.login(&["anna"])[..] else { panic!("one") };
        site.run(&["--table", "other", "list"]).exits(1).says("no table \"other\"");
        site.run(&["-d", "/nonexistent/db", "list"]).exits(1).says("/nonexistent/db");
        site.run(&["--key-salt", "other", "logout-user", &anna.0]).exits(2).says("not one of 1");
        let wrong = site.file("wrong", "wrong\n");
        site.run(&["--secret-key-file", &wrong, "logout-user", &anna.0])
            .exits(2)
            .says("not one of 1");
        // The environment counts less: it may be meant for somebody else.
        let mut beside = site.command(&["logout-user", &anna.0]);
        beside.env("DATABASE_URL", postgres_url()).env("SESSCTL_SECRET_KEY", "other").ran("").ok();
        assert!(site.keys().is_empty());
    });
}

#[test]
fn an_old_key_is_a_fallback() {
    let site = Site::sqlite("fallbacks", "5.2", &[]);
    let [anna] = &site.login(&["anna"])[..] else { panic!("one") };
    let site =
        site.project("", "SECRET_KEY_FALLBACKS = [b'\\xff', SECRET_KEY]; SECRET_KEY = 'clé-🔑'");
    site.run(&["logout-user", &anna.0]).ok().says("1 session deleted");
}

#[test]
fn an_engine_without_a_table_is_refused() {
    for (engine, place) in
        [("cache", "in the cache alone"), ("file", "in files"), ("signed_cookies", "cookies")]
    {
        let site = Site::sqlite(engine, "5.2", &[])
            .project("", &format!("SESSION_ENGINE = 'django.contrib.sessions.backends.{engine}'"));
        for command in
            [&["logout-user", "1"][..], &["flush-all", "--yes"], &["purge-expired"], &["list"]]
        {
            let mut told = site.command(command);
            // Not even a database that something else names is looked at.
            told.env("DATABASE_URL", postgres_url());
            told.ran("").exits(2).says(place).says(&format!("backends.{engine}"));
        }
    }
}

#[test]
fn a_broken_project_says_what_is_wrong_with_it() {
    let broken = |name: &str, settings: &str| {
        let site = Site::sqlite(name, "5.2", &[]).project("", settings);
        let told = site.run(&["list"]).exits(2).says("hint: ");
        assert!(told.stderr.matches("cause: ").count() <= 5, "{told:#?}");
        told
    };
    broken("missing", "os.environ['SITE_NOT_SET']")
        .says("KeyError: 'SITE_NOT_SET'")
        .says("own_settings.py\", line 4");
    broken("syntax", "INSTALLED_APPS = [").says("SyntaxError: '[' was never closed");
    broken("app", "INSTALLED_APPS.append('nobody')").says("No module named 'nobody'");
    broken("exits", "sys.exit('no such luck')").says("SystemExit: no such luck");
    broken("ends", "os._exit(7)").says("exit status: 7");
    broken("mysql", "DATABASES['default']['ENGINE'] = 'nosql.backend'").says("nosql");
    broken("key", "SECRET_KEY = ''").says("SECRET_KEY setting must not be empty");
    broken("many", "raise Exception('1\\n2\\n3\\n4\\n5\\n6\\n7')");
    // Whatever could steer a terminal is escaped, and what the environment keeps secret is not repeated.
    let told = broken("odd", "raise Exception('\\x1b[31mred')");
    assert!(!told.stderr.contains('\u{1b}'), "{told:#?}");
    broken("telling", "int(SECRET_KEY)")
        .says("ValueError: invalid literal for int() with base 10: '...'");
    let told = broken("url", "raise Exception('cannot parse postgres://me:hunter2@there/db')")
        .says("cannot parse");
    assert!(!told.stderr.contains("hunter2"), "{told:#?}");
    let told = broken("source", "PASSWORD = 'hunter2' + 1");
    assert!(!told.stderr.contains("hunter2"), "{told:#?}");
}

#[test]
fn what_cannot_be_asked_is_told() {
    let shop = crate::site::shop();
    let shop = shop.to_str().unwrap();
    let run = |arguments: &[&str]| {
        program(arguments).env_remove("VIRTUAL_ENV").ran("").exits(2).says("hint: ")
    };
    run(&["--django", shop, "--python", "/nonexistent/python", "list"])
        .says("cannot run /nonexistent/python");
    run(&["--django", shop, "--python", "/bin/false", "list"])
        .says("exit status: 1")
        .says("did not come as far");
    run(&["--django", "/nonexistent", "list"]).says("cannot find /nonexistent");
    run(&["--python", "python3", "list"]).says("--django");
    run(&["--settings", "shop.settings", "list"]).says("--django");
    let python = django_python("5.2");
    let python = python.to_str().unwrap();
    let apart = format!("{shop}/shop");
    run(&["--django", &apart, "--python", python, "list"]).says("which settings module");
}

/// What a serializer, an `encode()` or a `SESSION_KEY` of the site's own makes of a login is read as one, or it is a doubt.
#[test]
fn logins_in_a_form_of_the_projects_own_are_a_doubt() {
    const FORMS: &str = "import json
from django.contrib import auth
from django.contrib.sessions.backends.db import SessionStore as Django
class Wrapped:
    def dumps(self, data): return json.dumps({'v': 1, 'd': data}).encode()
    def loads(self, data): return json.loads(data)['d']
class Spaced:
    def dumps(self, data): return json.dumps(data, indent=1).encode()
    def loads(self, data): return json.loads(data)
class Ciphered(Spaced):
    def dumps(self, data): return super().dumps({**data, '_auth_user_id': data['_auth_user_id'] + '0'})
class Refusing(Spaced):
    def dumps(self, data): return 1 / (data['_auth_user_id'] != '4207') and super().dumps(data)
";
    const WRAPPING: &str = "from forms import Django
class SessionStore(Django):
    def encode(self, data): return super().encode({'all': data})
    def decode(self, data): return super().decode(data).get('all', {})
";
    let site = |name, settings| {
        let site = Site::sqlite(name, "5.2", &[]).project("", settings);
        site.file("forms.py", FORMS);
        site.file("wrapping.py", WRAPPING);
        site.file(
            "renaming.py",
            "from forms import auth, Django as SessionStore\nauth.SESSION_KEY = 'uid'",
        );
        site
    };
    for (name, settings) in [
        ("wrapped", "SESSION_SERIALIZER = 'forms.Wrapped'"),
        ("ciphered", "SESSION_SERIALIZER = 'forms.Ciphered'"),
        ("refusing", "SESSION_SERIALIZER = 'forms.Refusing'"),
        ("wrapping", "SESSION_ENGINE = 'wrapping'"),
    ] {
        let site = site(name, settings);
        let anna = &site.login(&["anna"])[0];
        let commands = [
            &["list", "--user", &*anna.0][..],
            &["logout-user", &*anna.0, "--dry-run"],
            &["logout-user", &*anna.0, "--format", "json"],
            &["flush-all", "--yes"],
        ];
        for command in commands {
            let ran = site.run(command).exits(3).says("that the project wrote");
            if command.contains(&"json") {
                assert_eq!(ran.json()["verdict"], "unknown");
                assert_eq!(ran.json()["doubts"][0]["doubt"], "own_form");
            }
        }
        site.run(&["logout-user", &anna.0, "--user-key", "_auth_user_id"]).ok();
    }
    let spaced = site("spaced", "SESSION_SERIALIZER = 'forms.Spaced'");
    let anna = &spaced.login(&["anna"])[0];
    spaced.run(&["logout-user", &anna.0]).ok().says("1 session deleted");
    let renaming = site("renaming", "SESSION_ENGINE = 'renaming'");
    renaming.python("s = engine.SessionStore(); s['uid'] = '1'; s.save()");
    renaming.run(&["logout-user", "1"]).exits(3).says("that the project wrote");
    renaming.run(&["logout-user", "1", "--user-key", "uid"]).ok().says("1 session deleted");
}

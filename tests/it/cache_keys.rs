//! `cached_db`: a session whose row is gone is in the cache still, and `--print-cache-keys` says where.

use std::process::Stdio;

use crate::doctor::DOCTOR;
use crate::site::Site;
use crate::world::{Ran, RunToEnd as _, SECRET_KEY, World, key, login, signed};

const CACHED: &[(&str, &str)] = &[("SITE_ENGINE", "django.contrib.sessions.backends.cached_db")];
const QSESSIONS: &[(&str, &str)] =
    &[("SITE_SESSIONS", "qsessions"), ("SITE_ENGINE", "qsessions.backends.cached_db")];

/// Sessions are cached in files, whose names are made of the keys of the entries.
fn with_cache(site: Site, more: &str) -> Site {
    site.project(
        "",
        &format!(
            "
CACHES = {{'default': {{'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'}}, 'sessions': {{
    'BACKEND': 'django.core.cache.backends.filebased.FileBasedCache', {more}
    'LOCATION': os.path.join(os.path.dirname(os.path.abspath(__file__)), 'cache')}}}}
SESSION_CACHE_ALIAS = 'sessions'
def last(key, prefix, version): return '%s/%s/%s' % (version, prefix, key) + '/end'
def hashed(key, prefix, version):
    import hashlib
    return hashlib.md5(key.encode()).hexdigest()
"
        ),
    )
}

/// Whether a request with this session would be logged in.
fn is_in(site: &Site, key: &str) -> bool {
    site.python(&format!("print('_auth_user_id' in engine.SessionStore({key:?}).load())")) == "True"
}

/// Deletes entries from the cache as `redis-cli DEL` would: by their whole keys.
fn delete(site: &Site, keys: &str) {
    let keys: Vec<&str> = keys.lines().collect();
    site.python(&format!(
        "import hashlib, os
for key in {keys:?}: os.unlink('cache/%s.djcache' % hashlib.md5(key.encode()).hexdigest())"
    ));
}

#[test]
fn a_session_stays_in_the_cache() {
    stays_in_the_cache(&with_cache(Site::sqlite("stays", "5.2", CACHED), ""));
    stays_in_the_cache(&with_cache(Site::postgres("stays", "5.2", CACHED), ""));
}

fn stays_in_the_cache(site: &Site) {
    let [anna, bert, carl] = &site.login(&["anna", "bert", "carl"])[..] else { panic!("three") };
    let told =
        site.run(&["logout-user", &anna.0, "--format", "json"]).exits(3).says("cache \"sessions\"");
    assert_eq!((&told.json()["deleted"], &told.json()["cached"]), (&1.into(), &true.into()));
    assert!(is_in(site, &anna.1), "the cache is not asked first, and this test shows nothing");
    site.run(&DOCTOR).ok().finds(
        "engine",
        "warning",
        &["cache \"sessions\"", "--print-cache-keys"],
    );
    let dry = site.run(&["logout-user", &bert.0, "--dry-run"]).ok();
    assert!(dry.stderr.contains("--print-cache-keys"), "{dry:#?}");
    site.run(&["logout-user", &bert.0])
        .exits(3)
        .says("NOT known to be logged out, ")
        .says("clear it");
    site.run(&["flush-all", "--yes"]).exits(3).says("NOT everybody is known").says("clear it");
    assert!(is_in(site, &carl.1) && site.keys().is_empty());
}

/// The row goes and the entry with it, whatever its key is made of.
fn goes_with_its_entry(name: &str, release: &str, variables: &[(&str, &str)], more: &str) -> Ran {
    let site = with_cache(Site::sqlite(name, release, variables), more);
    let [anna, bert] = &site.login(&["anna", "bert"])[..] else { panic!("two") };
    let ran = site.run(&["logout-user", &anna.0, "--print-cache-keys"]).ok();
    assert!(
        ran.stderr.contains("1 session deleted") && ran.stdout.lines().count() == 1,
        "{ran:#?}"
    );
    assert!(is_in(&site, &anna.1));
    delete(&site, &ran.stdout);
    assert!(!is_in(&site, &anna.1) && is_in(&site, &bert.1));
    let rest = site.run(&["flush-all", "--yes", "--print-cache-keys", "-q"]).ok();
    delete(&site, &rest.stdout);
    assert!(!is_in(&site, &bert.1));
    Ran { stdout: ran.stdout.replace(&anna.1, "KEY"), ..ran }
}

#[test]
fn its_key_is_printed() {
    let usual = ":1:django.contrib.sessions.cached_dbKEY\n";
    for release in ["3.2", "4.2", "5.2", "6.1"] {
        assert_eq!(goes_with_its_entry("usual", release, CACHED, "").stdout, usual);
    }
}

#[test]
fn its_key_is_made_as_the_cache_makes_it() {
    let more = "'KEY_PREFIX': 'my:shop', 'VERSION': 3,";
    let key = goes_with_its_entry("prefix", "5.2", CACHED, more).stdout;
    assert_eq!(key, "my:shop:3:django.contrib.sessions.cached_dbKEY\n");
    let more = "'KEY_PREFIX': 'p', 'KEY_FUNCTION': 'own_settings.last',";
    let key = goes_with_its_entry("function", "5.2", CACHED, more).stdout;
    assert_eq!(key, "1/p/django.contrib.sessions.cached_dbKEY/end\n");
    assert_eq!(
        goes_with_its_entry("package", "5.2", QSESSIONS, "").stdout,
        ":1:qsessions.q_cached_dbKEY\n"
    );
}

#[test]
fn a_key_that_cannot_be_made_is_not_guessed() {
    let site =
        with_cache(Site::sqlite("hashed", "5.2", CACHED), "'KEY_FUNCTION': 'own_settings.hashed',");
    let [anna] = &site.login(&["anna"])[..] else { panic!("one") };
    site.run(&["logout-user", &anna.0, "--print-cache-keys"]).exits(2).says("KEY_FUNCTION");
    assert_eq!(site.keys(), std::slice::from_ref(&anna.1));
    // It is the engine that hides it.
    let own = "from django.contrib.sessions.backends.cached_db import SessionStore as Django\nclass SessionStore(Django):\n    cache_key = property(lambda self: str(hash(self.session_key)))";
    let site = Site::sqlite("hides", "5.2", &[]).project("", "SESSION_ENGINE = 'own_engine'");
    site.file("own_engine.py", own);
    site.run(&["logout-user", "1", "--print-cache-keys"])
        .exits(2)
        .says("the SESSION_ENGINE \"own_engine\" does not tell");
    let site = Site::sqlite("uncached", "5.2", &[]);
    site.run(&["logout-user", "1", "--print-cache-keys"]).exits(2).says("has no cache");
    site.run(&DOCTOR).ok().finds("engine", "ok", &["in the table, and nowhere else"]);
}

#[test]
fn keys_are_printed_of_what_is_gone_and_of_nothing_else() {
    World::each("cache_keys", |w| {
        w.user("42", 3).user("7", 2);
        let entry = |number| format!(":1:django.contrib.sessions.cached_db{}\n", key(number));
        let dry = w.run(&["logout-user", "42", "--print-cache-keys", "--dry-run"]).ok();
        assert_eq!(dry.stdout, "");
        let ran = w
            .run(&[
                "logout-user",
                "42",
                "--print-cache-keys",
                "--format",
                "json",
                "--batch-size",
                "2",
            ])
            .ok();
        assert_eq!(ran.stdout, (0..3).map(entry).collect::<String>());
        let report = report(&ran.stderr);
        assert_eq!((&report["deleted"], &report["cached"]), (&3.into(), &false.into()));
        // What only loses its login is in the cache with it.
        let ran = w.run(&["logout-user", "7", "--print-cache-keys", "--keep-data"]).ok();
        assert_eq!(ran.stdout, (3..5).map(entry).collect::<String>());
        assert_eq!(w.count(), 2);
        // Without being asked for, no key is printed, and nobody said that there is a cache.
        let ran = w.run(&["flush-all", "--yes"]).ok();
        assert!(!ran.stdout.contains(&key(3)) && !ran.stderr.contains(&key(3)), "{ran:#?}");
        w.run(&["flush-all", "--yes", "--truncate", "--print-cache-keys"])
            .exits(2)
            .says("--truncate");
    });
}

#[test]
fn a_key_that_is_no_line_is_not_printed() {
    World::each("odd_cache_keys", |w| {
        w.row("odd\nFLUSHALL", &signed(&login("42"), SECRET_KEY), "2099-01-01 00:00:00");
        let ran = w.run(&["logout-user", "42", "--print-cache-keys"]).exits(3).says("clear it");
        assert_eq!((ran.stdout.as_str(), w.count()), ("", 0));
    });
}

/// Rows are deleted no further than their keys can be told, and the report says how far that was.
#[cfg(target_os = "linux")]
#[test]
fn who_cannot_print_goes_no_further() {
    World::each("full_cache_keys", |w| {
        for (command, gone, is_rewritten) in [
            (&["logout-user", "42", "--batch-size", "10"][..], 10, false),
            // There is no batch after the one that fails.
            (&["logout-user", "42", "--batch-size", "50", "--no-verify"], 30, false),
            (&["logout-user", "42", "--batch-size", "10", "--keep-data"], 10, true),
            (&["flush-all", "--yes", "--batch-size", "10"], 10, false),
        ] {
            w.execute("DELETE FROM django_session");
            w.user("42", 30);
            let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let said = unheard(w, command, full);
            assert!(said.contains("cannot print the cache keys"), "{command:?}: {said}");
            assert!(said.contains("clear it"), "{command:?}: {said}");
            let left = w.run(&["list", "--user", "42", "--format", "count"]).ok().stdout;
            assert_eq!(left.trim(), (30 - gone).to_string(), "{command:?}: {said}");
            let report = report(&said);
            let done = &report[if is_rewritten { "rewritten" } else { "deleted" }];
            assert_eq!((done, &report["cached"]), (&gone.into(), &true.into()), "{command:?}");
        }
    });
}

/// The same where the keys are read by somebody who goes away.
#[test]
fn a_reader_who_goes_away_is_missed() {
    World::each("closed_cache_keys", |w| {
        w.user("42", 30);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let said = unheard(w, &["logout-user", "42", "--batch-size", "10"], writer);
        assert!(said.contains("cannot print the cache keys"), "{said}");
        assert_eq!((&report(&said)["deleted"], w.count()), (&10.into(), 20));
    });
}

/// What a command that fails says, when its standard output leads nowhere.
fn unheard(w: &World, arguments: &[&str], stdout: impl Into<Stdio>) -> String {
    let mut command = w.command(&[arguments, &["--print-cache-keys", "--format", "json"]].concat());
    command.env("SECRET_KEY", SECRET_KEY).stdout(stdout).stderr(Stdio::piped());
    let ran = command.spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{arguments:?}: {said}");
    said
}

/// The report among what was said.
fn report(said: &str) -> serde_json::Value {
    said.lines().rfind(|line| line.starts_with('{')).unwrap().parse().unwrap()
}

#[test]
fn what_was_rewritten_is_told_although_the_next_write_fails() {
    World::each("cache_keys_half", |w| {
        // The first is written anew; the second is a pickle, which can only be deleted, and may not be.
        let kept = w.session(&login("42"));
        let pickle = w.session("(dS'_auth_user_id'\nS'42'\ns.");
        w.forbids_delete(
            "django_session",
            &format!("OLD.session_key = '{pickle}'"),
            "not this one",
        );
        let logout = ["logout-user", "42", "--keep-data", "--print-cache-keys"];
        let ran = w.run(&logout).exits(1).says("not this one");
        assert_eq!(ran.stdout, format!(":1:django.contrib.sessions.cached_db{kept}\n"), "{ran:#?}");
        let report = [&logout[..3], &["--format", "json"]].concat();
        w.session(&login("42"));
        assert_eq!(w.run(&report).exits(1).json()["rewritten"], 1);
    });
}

#[test]
fn what_was_kept_is_not_called_deleted() {
    World::each("kept_words", |w| {
        w.user("42", 2);
        let ran = w.run(&["logout-user", "42", "--keep-data"]).ok();
        ran.says("user 42: 2 sessions kept without their login, none is left");
        w.user("42", 1);
        w.session("(dS'_auth_user_id'\nS'42'\ns.");
        let ran = w.run(&["logout-user", "42", "--keep-data"]).ok();
        ran.says("1 session deleted, 1 session kept without its login, none is left");
    });
}

#[test]
fn a_run_that_finds_no_row_knows_nothing_of_the_cache() {
    World::each("cache_keys_again", |w| {
        w.user("42", 1).user("7", 1);
        w.run(&["logout-user", "42"]).ok().says("--engine");
        let again = ["logout-user", "42", "--engine", "cached_db", "--print-cache-keys"];
        let ran = w.run(&again).exits(3).says("if an earlier run deleted rows").says("clear it");
        ran.says("NOT known to be logged out");
        let cleared = ["--cache-cleared"];
        w.run(&[&again[..], &cleared].concat()).ok();
        // Whatever was cleared before, a run that ends sessions and prints no key leaves copies of them.
        let unprinted = [&again[..4], &cleared].concat();
        w.run(&unprinted).ok();
        w.user("42", 1).run(&unprinted).exits(3).says("--cache-cleared");
        w.run(&unprinted).ok();
        w.run(&[&again[..], &["-n"]].concat()).ok();
        w.user("42", 1);
        let json = [&again[..], &["--format", "json"]].concat();
        let ran = w.run(&json).ok();
        assert!(ran.stderr.contains(r#""verdict":"table_only""#), "the keys are a guess: {ran:#?}");
        let mut command = w.command(&["logout-user", "42"]);
        command.env("SESSCTL_ENGINE", "").ran("").ok();
        let mut command = w.command(&["logout-user", "42"]);
        command.env("SESSCTL_ENGINE", "redis").ran("").exits(2).says("SESSCTL_ENGINE");
    });
}

/// An engine that looks for sessions in its own way may let users in whose rows are gone, also for asynchronous views alone.
/// A router of Django's documentation: the primary is written, a replica is read.
#[test]
fn sessions_that_are_read_from_a_replica_are_claimed_for_the_table_only() {
    const ROUTER: &str = "class Router:
    def db_for_read(self, model, **hints): return 'replica'
    def db_for_write(self, model, **hints): return 'default'
DATABASE_ROUTERS = [Router()]
DATABASES['replica'] = {**DATABASES['default']";
    for (name, verdict, says) in [
        (", 'NAME': 'replica.sqlite3'}", "table_only", "its database \"replica\""),
        ("}", "logged_out", ""),
    ] {
        let site = Site::sqlite("read_from", "5.2", &[]);
        let [anna, bea] = &site.login(&["anna", "bea"])[..] else { panic!("two") };
        let site = site.project("", &format!("{ROUTER}{name}"));
        let logout = |id: &str| ["logout-user", id, "--format", "json"].map(str::to_owned);
        let run = |arguments: &[String]| {
            let arguments: Vec<&str> = arguments.iter().map(|one| &**one).collect();
            site.run(&arguments).ok()
        };
        assert_eq!(run(&logout(&anna.0)).says(says).json()["verdict"], verdict);
        let told = [&logout(&bea.0)[..], &["--engine".into(), "db".into()]].concat();
        assert_eq!(run(&told).json()["verdict"], "logged_out");
    }
}

#[test]
fn an_engine_that_finds_sessions_in_its_own_way_is_a_doubt() {
    const MODEL: &str =
        "@classmethod\n    def get_model_class(cls): return super().get_model_class()";
    let site = Site::sqlite("own_ways", "5.2", &[]).project("", "SESSION_ENGINE = 'own_engine'");
    for (method, own) in [
        ("load", "def load(self): return super().load()"),
        ("aload", "async def aload(self): return await super().aload()"),
        ("_aget_session_from_db", "async def _aget_session_from_db(self): return None"),
        ("model", "@property\n    def model(self): return self.get_model_class()"),
        ("", MODEL),
    ] {
        let django = "from django.contrib.sessions.backends.db import SessionStore as Django";
        site.file("own_engine.py", &format!("{django}\nclass SessionStore(Django):\n    {own}\n"));
        let anna = &site.login(&["anna"])[0];
        let ran = site.run(&["logout-user", &anna.0, "--format", "json"]);
        let (code, verdict, doubts, says) = if method.is_empty() {
            (0, "logged_out", serde_json::json!([]), String::new())
        } else {
            let doubt = serde_json::json!([{"doubt": "own_load", "engine": "own_engine", "method": method}]);
            (3, "unknown", doubt, format!("has its own {method}()"))
        };
        let report = ran.exits(code).says(&says).json();
        assert_eq!((&report["verdict"], &report["doubts"]), (&verdict.into(), &doubts), "{method}");
        let everybody = ["flush-all", "--yes", "--format", "json"];
        assert_eq!(site.run(&everybody).exits(code).json()["doubts"], doubts, "{method}");
        // Who logs in shows who is in the table, which is all that it promises.
        site.run(&["list"]).exits(0);
        let anna = &site.login(&["anna"])[0];
        let named = site.run(&["logout-user", &anna.0, "--engine", "db", "--format", "json"]);
        assert_eq!(named.ok().json()["verdict"], "logged_out", "{method}");
    }
}

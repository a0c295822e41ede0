//! `--cache`: on real sites with `cached_db` and a real Redis, the rows of sessions and their copies go together.

use std::process::Stdio;

use serde_json::json;

use crate::doctor::DOCTOR;
use crate::redis::{Redis, whoami, whoami_each};
use crate::running::{Running, eventually};
use crate::site::Site;
use crate::world::{RunToEnd as _, program};

/// The key of the cache entry of a session, without `KEY_PREFIX`.
pub(crate) fn entry(session: &str) -> String {
    format!(":1:django.contrib.sessions.cached_db{session}")
}

impl Redis {
    fn has(&self, key: &str) -> bool {
        self.cli(&["-n", "1", "EXISTS", key]).stdout == "1\n"
    }

    /// Puts a copy of an entry aside, for [`Self::put_back`].
    fn put_aside(&self, key: &str) {
        self.cli(&["-n", "1", "COPY", key, "aside"]).ok();
    }

    /// As a request does that read or wrote the row before it was deleted, and writes the copy after that.
    fn put_back(&self, key: &str) {
        self.cli(&["-n", "1", "COPY", "aside", key, "REPLACE"]).ok();
    }
}

#[test]
fn rows_and_entries_go_together() {
    let redis = Redis::new("cached_db");
    let site = redis.site("'KEY_PREFIX': 'my*[shop]', 'VERSION': 2,");
    let people = site.login(&["anna", "anna", "bert", "carl", "dora"]);
    let [anna, anna2, bert, carl, dora] = &people[..] else { panic!("five") };
    let who = |one: &(String, String)| whoami(&site, &one.1);
    let cache = redis.url();
    let json = ["--format", "json", "--cache", &cache];
    let run = |arguments: &[&str]| site.run(&[arguments, &json].concat());
    let report = run(&["logout-user", &anna.0, "--settle", "100ms"]).ok().json();
    assert_eq!((&report["verdict"], &report["cached"]), (&json!("logged_out"), &json!(false)));
    assert_eq!((&report["deleted"], &report["cache_entries_deleted"]), (&json!(2), &json!(2)));
    assert_eq!((who(anna), who(anna2)), ("None".into(), "None".into()));
    assert_eq!((who(bert), who(carl)), (bert.0.clone(), carl.0.clone()));
    // A dry run touches nothing.
    run(&["logout-user", &bert.0, "--dry-run"]).ok();
    assert_eq!(who(bert), bert.0);
    // An earlier run, or somebody, deleted the row only. The next run finds the entry by whom it names.
    site.python(&format!("Session.objects.filter(pk={:?}).delete()", bert.1));
    assert_eq!(who(bert), bert.0);
    let report = run(&["logout-user", &bert.0]).ok().json();
    assert_eq!((&report["verdict"], &report["deleted"]), (&json!("logged_out"), &json!(0)));
    assert_eq!((&report["cache_entries_deleted"], who(bert)), (&json!(1), "None".into()));
    let again = run(&["logout-user", &bert.0]).ok().json();
    assert_eq!(again["verdict"], "not_found");
    // What stays keeps its entry, also where the run compares entries with the table.
    let carl2 = &site.login(&["carl"])[0];
    run(&["logout-user", &carl.0, "--except", &carl.1[..8]]).ok();
    assert_eq!((who(carl), who(carl2)), (carl.0.clone(), "None".into()));
    let report = run(&["logout-user", &carl.0, "--keep-data"]).ok().json();
    assert_eq!((&report["rewritten"], who(carl)), (&json!(1), "None".into()));
    // Everybody but one, whose entry without a row stays, too.
    let emil = &site.login(&["emil"])[0];
    site.python(&format!("Session.objects.filter(pk={:?}).delete()", dora.1));
    let report = run(&["flush-all", "--yes", "--except-user", &emil.0]).ok().json();
    assert_eq!((&report["verdict"], who(dora)), (&json!("logged_out"), "None".into()));
    assert_eq!(who(emil), emil.0);
    run(&["flush-all", "--yes"]).ok();
    assert_eq!(who(emil), "None");
}

/// An entry without a row does not tell whether it meets a condition, so it stays.
#[test]
fn sessions_that_go_by_what_they_are_take_their_entries_and_no_others() {
    let redis = Redis::new("cached_db_delete");
    let site = redis.site("");
    let people = site.login(&["anna", "bert", "carl"]);
    let [anna, bert, carl] = &people[..] else { panic!("three") };
    let who = |one: &(String, String)| whoami(&site, &one.1);
    site.python(&format!("Session.objects.filter(pk={:?}).delete()", carl.1));
    let cache = redis.url();
    let run = |rest: &[&str]| {
        site.run(&[&["delete", "--yes", "--format", "json", "--cache", &cache], rest].concat())
    };
    let id = format!("_auth_user_id={}", anna.0);
    run(&["--match", &id, "--dry-run"]).ok();
    assert_eq!(who(anna), anna.0);
    // Carl's entry has no row: a run that failed may have left it, and it may be one of those that were to go.
    let ran = run(&["--match", &id]).exits(3).says("the cache has 1 session without a row");
    let report = ran.json();
    assert_eq!((&report["deleted"], &report["cache_entries_deleted"]), (&json!(1), &json!(1)));
    assert_eq!((&report["cached"], who(anna)), (&json!(true), "None".into()));
    assert_eq!((who(bert), who(carl)), (bert.0.clone(), carl.0.clone()));
    // It found no row, and so knows of no entry.
    let report = run(&["--match", &id]).exits(3).json();
    assert_eq!((&report["cached"], who(bert)), (&json!(true), bert.0.clone()));
    run(&["--match", &id, "--cache-cleared"]).ok();
    assert_eq!(who(carl), carl.0);
    site.run(&["logout-user", &carl.0, "--cache", &cache]).ok();
    assert_eq!(who(carl), "None");
    let session = ["delete", "--session", &bert.1[..8], "--format", "json", "--cache", &cache];
    let report = site.run(&session).ok().json();
    assert_eq!((&report["verdict"], who(bert)), (&json!("logged_out"), "None".into()));
}

#[test]
fn an_entry_that_comes_back_goes_again() {
    let redis = Redis::new("cached_db_race");
    let site = redis.site("");
    let cache = redis.url();
    let arguments = ["--settle", "2s", "--format", "json", "--cache", &cache];
    for (how, keeps_coming) in [("user", false), ("user", true), ("condition", false)] {
        let [anna, bert] = &site.login(&["anna", "bert"])[..] else { panic!("two") };
        let key = entry(&anna.1);
        redis.put_aside(&key);
        let which = match how {
            "user" => vec!["logout-user", &anna.0],
            _ => vec!["delete", "--session", &anna.1[..8]],
        };
        let mut command = site.command(&[&which[..], &arguments].concat());
        let running = Running::start(command.stdout(Stdio::piped()));
        eventually("the entry goes", || !redis.has(&key));
        redis.put_back(&key);
        assert_eq!(
            (whoami(&site, &anna.1), site.keys().contains(&anna.1)),
            (anna.0.clone(), false)
        );
        if keeps_coming {
            for _ in 0..3 {
                eventually("the entry goes", || !redis.has(&key));
                redis.put_back(&key);
            }
        }
        let ran = running.end();
        let report = if keeps_coming { ran.exits(3) } else { ran.ok() }.json();
        if keeps_coming {
            assert_eq!(report["doubts"][0]["doubt"], "cache_refilled");
            site.run(&["logout-user", &anna.0, "--cache", &cache]).ok();
        } else {
            assert_eq!(
                (&report["rounds"], &report["cache_entries_deleted"]),
                (&json!(2), &json!(2))
            );
        }
        assert_eq!(
            (whoami(&site, &anna.1), whoami(&site, &bert.1)),
            ("None".into(), bert.0.clone())
        );
    }
}

/// The program on the site's database, which asks no project: Redis alone says what is in it.
pub(crate) fn without_project(site: &Site, arguments: &[&str]) -> crate::world::Ran {
    let database = site.sqlite_file().display().to_string();
    let mut command = program(&["-d", &database, "--db-timezone", "UTC"]);
    command.args(arguments).env("SESSCTL_SECRET_KEY", crate::site::SECRET_KEY).ran("")
}

#[test]
fn a_cache_that_may_not_be_the_site_s_proves_nothing() {
    let redis = Redis::new("cached_db_wrong");
    let site = redis.site("'KEY_PREFIX': 'shop', 'VERSION': 3,");
    let [anna, _bert] = &site.login(&["anna", "bert"])[..] else { panic!("two") };
    let logout = |url: &str| without_project(&site, &["logout-user", &anna.0, "--cache", url]);
    let (right, other) = (redis.url(), redis.url().replace("db=1", "db=2"));
    // The row goes. Where its entry is, only a message can tell.
    logout(&right).exits(3).says("\"shop:3:\"").says("?key_prefix=");
    logout(&other).exits(3).says("may not be the site's").says("the number of the database");
    assert_eq!(whoami(&site, &anna.1), anna.0);
    logout(&format!("{right}&key_prefix=shop&version=3")).ok().says("1 entry deleted");
    assert_eq!(whoami(&site, &anna.1), "None");
    // It knows the cache by the entries of others.
    logout(&format!("{right}&key_prefix=shop&version=3")).ok();
    let cleared = ["logout-user", &anna.0, "--cache", &other, "--cache-cleared"];
    without_project(&site, &cleared).ok();

    // What was typed wrong.
    let say =
        |arguments: &[&str]| site.run(&[&["logout-user", &anna.0], arguments].concat()).exits(2);
    say(&["--cache", "memcached://localhost"]).says("are not supported");
    say(&["--cache", &format!("{right}&version=3")]).says("the project says");
    say(&["--cache", &right, "--engine", "db"]).says("--engine db");
    say(&["--cache", &right, "--print-cache-keys"]).says("cannot be used with");
    say(&["--cache", &right, "--schema", "a", "--schema", "b"]).says("several schemas");
    without_project(&site, &["logout-user", "1", "--engine", "db", "--cache", &right])
        .exits(2)
        .says("no cache in front");
}

/// Nothing is deleted where the cache is not to be had from the beginning, and what went is told where it ends amid the
/// work. The next run finds what was left.
#[test]
fn a_cache_that_fails_is_never_a_success() {
    let mut redis = Redis::new("cached_db_faults");
    let site = redis.site("");
    let url = redis.url();
    let anna = &site.login(&["anna", "anna", "anna", "bert"])[..];
    let logout = |url: &str| site.run(&["logout-user", &anna[0].0, "--cache", url]);
    let acl = |rules: &[&str]| {
        redis
            .cli(&[&["ACL", "SETUSER", "site", "reset", "on", ">s3cret", "~*"], rules].concat())
            .ok()
    };
    let named = url.replace("unix://", "unix://site:s3cret@");
    let enough = ["+del", "+exists", "+getrange", "+scan", "+select"];
    for lacking in ["+del", "+exists", "+getrange", "+scan", "+select"] {
        let rights: Vec<&str> = enough.into_iter().filter(|right| *right != lacking).collect();
        acl(&rights);
        logout(&named).exits(1).says("NOPERM").says(lacking);
    }
    acl(&enough);
    let wrong = url.replace("unix://", "unix://site:s3cret1@");
    let ran = logout(&wrong).exits(1).says("WRONGPASS");
    assert!(!ran.stderr.contains("s3cret"), "{ran:#?}");
    redis.cli(&["CONFIG", "SET", "replica-read-only", "yes"]).ok();
    redis.cli(&["REPLICAOF", "127.0.0.1", "1"]).ok();
    logout(&url).exits(1).says("cannot find and delete entries");
    redis.cli(&["REPLICAOF", "NO", "ONE"]).ok();
    logout("redis://127.0.0.1:1/1").exits(1).says("is the server running");
    assert_eq!(site.keys().len(), 4, "nothing was deleted");

    // The right to delete is taken away after the first batch: the row goes, and its entry stays.
    let amid = |redis: &mut Redis, end: &dyn Fn(&mut Redis)| {
        let left = site.keys().len();
        let arguments = ["logout-user", &anna[0].0, "--batch-size", "1", "--sleep", "2s"];
        let arguments = [&arguments[..], &["--cache", &named, "--format", "json"]].concat();
        let running = Running::start(site.command(&arguments).stdout(Stdio::piped()));
        eventually("a row goes", || site.keys().len() < left);
        end(redis);
        let ran = running.end().exits(1).says("run it again").says("clear the cache");
        let report = ran.json();
        assert_eq!((&report["cached"], &report["verdict"]), (&json!(true), &json!("unknown")));
        assert!(report["deleted"].as_u64() >= Some(1), "{report}");
    };
    amid(&mut redis, &|redis| drop(redis.cli(&["ACL", "SETUSER", "site", "-del"]).ok()));
    let ended = |one: &&(String, String)| !site.keys().contains(&one.1);
    let ended: Vec<_> = anna.iter().filter(ended).collect();
    let is_in = ended.iter().filter(|one| whoami(&site, &one.1) == one.0).count();
    assert_eq!(is_in, 1, "one row went without its entry");
    redis.cli(&["ACL", "SETUSER", "site", "+del"]).ok();
    logout(&named).ok();
    for one in &anna[..3] {
        assert_eq!(whoami(&site, &one.1), "None");
    }
    assert_eq!(whoami(&site, &anna[3].1), anna[3].0);

    // It dies amid the work.
    site.login(&["anna", "anna", "anna"]);
    amid(&mut redis, &Redis::kill);
    logout(&url).exits(1).says("is the server running");
}

#[test]
fn tls_verifies_who_the_server_is() {
    let authority = crate::authority::Authority::new("An Authority");
    let own = authority.issue("localhost", &["localhost"]);
    let folder = std::env::temp_dir().join(format!("sessctl-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let (root, certificate) = (file("root.crt", &authority.pem), file("own.crt", &own.pem));
    let key = file("own.key", &own.key);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = port.to_string();
    let options = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let options =
        [&options[..], &["--tls-ca-cert-file", &root, "--tls-auth-clients", "no"]].concat();
    let redis = Redis::with("cached_db_tls", &options);
    let site = redis.site("");
    let anna = &site.login(&["anna"])[0];
    let logout = |host: &str, options: &str| {
        let url = format!("rediss://{host}:{port}/1?{options}");
        site.run(&["logout-user", &anna.0, "--cache", &url])
    };
    let trusted = format!("ssl_ca_certs={root}");
    logout("localhost", "")
        .exits(1)
        .says("authority that is not trusted")
        .says("ssl_ca_certs=FILE");
    logout("127.0.0.1", &trusted).exits(1).says("not for 127.0.0.1, but for");
    site.run(&["logout-user", "1", "--cache", &format!("redis://localhost:{port}/1")]).exits(1);
    assert_eq!(site.keys().len(), 1);
    logout("127.0.0.1", &format!("{trusted}&ssl_check_hostname=false")).ok();
    assert_eq!(whoami(&site, &anna.1), "None");
    logout("127.0.0.1", "ssl_cert_reqs=none").ok();
    logout("localhost", &trusted).ok();
    let _ = std::fs::remove_dir_all(&folder);
}

const CORE: &str = "django.core.cache.backends.redis.RedisCache";
const PACKAGE: &str = "django_redis.cache.RedisCache";

/// The project says where its cache is and what its keys look like; whatever reads its values reads those that Django writes.
#[test]
fn a_project_tells_its_cache() {
    let redis = Redis::new("cached_db_project");
    redis.cli(&["CONFIG", "SET", "requirepass", "s3cret"]).ok();
    let compressed = "'OPTIONS': {'PASSWORD': 's3cret', 'COMPRESSOR': 'django_redis.compressors.zlib.ZlibCompressor',
        'SERIALIZER': 'django_redis.serializers.json.JSONSerializer'}";
    let foreign = "'OPTIONS': {'PASSWORD': 's3cret', 'COMPRESSOR': 'django_redis.compressors.lzma.LzmaCompressor'}";
    let password = "'OPTIONS': {'password': 's3cret'}, 'KEY_PREFIX': 'shop'";
    for (release, backend, more) in [
        ("3.2", PACKAGE, "'OPTIONS': {'PASSWORD': 's3cret'}, 'VERSION': 7"),
        ("3.2", PACKAGE, compressed),
        ("3.2", PACKAGE, foreign),
        ("4.2", CORE, password),
        ("5.2", CORE, password),
        ("6.1", CORE, password),
    ] {
        let site = redis.site_of(release, backend, more, "");
        let people = &site.login(&["anna", "bert", "carl"])[..];
        let [anna, bert, carl] = people else { panic!("three") };
        let who = || whoami_each(&site, &[&*anna.1, &*bert.1, &*carl.1]);
        let report = site.run(&["logout-user", &anna.0, "--format", "json"]).ok().json();
        let figures = (&report["verdict"], &report["cache_entries_deleted"]);
        assert_eq!(figures, (&json!("logged_out"), &json!(1)), "{release} {more}");
        // What an earlier run left is found by its value, or by having no row.
        site.python(&format!("Session.objects.filter(pk={:?}).delete()", bert.1));
        assert_eq!(who(), format!("None\n{}\n{}", bert.0, carl.0), "{release} {more}");
        let ran = site.run(&["-v", "logout-user", &bert.0]).ok();
        assert!(ran.stderr.contains(&redis.url()) && !ran.stderr.contains("s3cret"), "{ran:#?}");
        assert_eq!(who(), format!("None\nNone\n{}", carl.0), "{release} {more}");
        site.run(&["flush-all", "--yes"]).ok();
        assert_eq!(who(), "None\nNone\nNone", "{release} {more}");
        if release == "6.1" {
            let doctor = site.run(&DOCTOR).ok();
            doctor.finds("engine", "ok", &[&redis.url(), "delete, too"]);
        }
    }
}

/// With several servers Django writes the first and reads the others: an entry that only a replica has lets users in.
#[test]
fn every_server_is_looked_at_that_a_site_reads() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let primary = Redis::with("cached_db_primary", &["--port", &port.to_string()]);
    let replica =
        Redis::with("cached_db_replica", &["--replicaof", "127.0.0.1", &port.to_string()]);
    let more = format!("'LOCATION': ['{}', '{}']", primary.url(), replica.url());
    let site = primary.site_of("5.2", CORE, &more, "");
    eventually("it follows", || {
        primary.cli(&["-n", "1", "SET", "x", "1"]).ok();
        replica.cli(&["-n", "1", "EXISTS", "x"]).stdout == "1\n"
    });
    let [anna, bert] = &site.login(&["anna", "bert"])[..] else { panic!("two") };
    eventually("it has them", || replica.has(&entry(&bert.1)));
    site.run(&["logout-user", &anna.0]).ok();
    assert_eq!((whoami(&site, &anna.1), whoami(&site, &bert.1)), ("None".into(), bert.0.clone()));
    // It follows no longer, so that its entry stays: nobody can say that bert is out.
    replica.cli(&["REPLICAOF", "NO", "ONE"]).ok();
    site.run(&["logout-user", &bert.0]).exits(3).says("came back into the cache");
    assert_eq!(whoami(&site, &bert.1), bert.0);
    // The first takes no writes.
    let reversed = format!("{},{}", replica.url(), primary.url());
    replica.cli(&["REPLICAOF", "127.0.0.1", &port.to_string()]).ok();
    site.run(&["logout-user", &bert.0, "--cache", &reversed]).exits(1).says("READONLY");
}

/// What works in a way of the site's own is not guessed.
#[test]
fn a_cache_of_the_site_s_own_stays_a_doubt() {
    let redis = Redis::new("cached_db_own");
    let own = "
from django.core.cache.backends.redis import RedisCache
class Mine(RedisCache):
    def get(self, key, *args, **kwargs): return super().get(key, *args, **kwargs)
def hashed(key, prefix, version):
    import hashlib
    return hashlib.md5(key.encode()).hexdigest()
";
    for (backend, more) in [
        ("own_cache.Mine", ""),
        (CORE, "'KEY_FUNCTION': 'own_cache.hashed'"),
        (CORE, "'LOCATION': 'redis://localhost:1/no-number?socket_timeout=x'"),
    ] {
        let site = redis.site_of("5.2", backend, more, "");
        site.file("own_cache.py", own);
        let ran = if more.contains("LOCATION") {
            site.run(&["logout-user", "1"])
        } else {
            let anna = &site.login(&["anna"])[0];
            let ran = site.run(&["logout-user", &anna.0]);
            assert_eq!(whoami(&site, &anna.1), anna.0, "{backend} {more}");
            ran
        };
        ran.exits(3).says("the cache \"default\"").says("--cache URL");
    }
}

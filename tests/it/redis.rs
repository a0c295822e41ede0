//! `cached_db` with a real Redis: a pipe of `redis-cli` is what ends a session that is in it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::running::eventually;
use crate::site::Site;
use crate::support::sessctl;
use crate::world::{Ran, RunToEnd};

/// Listens on a Unix socket in a folder of its own, and keeps nothing on disk. Ends with this value.
pub(crate) struct Redis {
    name: &'static str,
    folder: PathBuf,
    process: Child,
}

impl Redis {
    pub(crate) fn new(name: &'static str) -> Self {
        Self::with(name, &[])
    }

    /// The same, with more options for the server.
    pub(crate) fn with(name: &'static str, more: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("sessctl-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(folder.join("socket"))
            .args(more)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is missing: run tests/run, which sets up what the tests need");
        let redis = Self { name, folder, process };
        eventually("Redis answers", || redis.cli(&["PING"]).stdout == "PONG\n");
        redis
    }

    pub(crate) fn socket(&self) -> String {
        self.folder.join("socket").display().to_string()
    }

    /// What `--cache` takes.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}?db=1", self.socket())
    }

    /// Ends the server at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn cli(&self, arguments: &[&str]) -> Ran {
        Command::new("redis-cli").args(["-s", &self.socket()]).args(arguments).ran("")
    }

    /// A site whose sessions are in database 1, on which these users are logged in.
    pub(crate) fn site(&self, more: &str) -> Site {
        self.site_of("5.2", "django.core.cache.backends.redis.RedisCache", more, "")
    }

    /// The same with another Django and another cache, and with this in its settings.
    pub(crate) fn site_of(&self, release: &str, backend: &str, more: &str, settings: &str) -> Site {
        let engine = [("SITE_ENGINE", "django.contrib.sessions.backends.cached_db")];
        let cache = format!(
            "{settings}
CACHES = {{'default': {{'BACKEND': '{backend}', 'LOCATION': '{}', {more}}}}}",
            self.url()
        );
        Site::sqlite(self.name, release, &engine).project("", &cache)
    }

    /// What `docs/caches.md` says, in the shell: the keys of a command's sessions go to `redis-cli`.
    fn pipe(&self, site: &Site, command: &str) -> Ran {
        let with = site.command(&[]);
        let mut pipe = Command::new("bash");
        pipe.env_clear().envs(with.get_envs().filter_map(|(name, value)| Some((name, value?))));
        pipe.env("PATH", std::env::var_os("PATH").unwrap()).arg("-c").arg(format!(
            "set -o pipefail; \"$0\" \"$@\" {command} --print-cache-keys | xargs -d '\\n' -r redis-cli -e -s {} -n 1 DEL",
            self.socket()
        ));
        pipe.arg(sessctl()).args(with.get_args()).ran("")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whom the site answers to, asked by request with this session's cookie.
pub(crate) fn whoami(site: &Site, key: &str) -> String {
    whoami_each(site, &[key])
}

/// The same of several, one a line.
pub(crate) fn whoami_each(site: &Site, keys: &[&str]) -> String {
    site.python(&format!(
        "
from django.test import Client
for key in {keys:?}:
    client = Client()
    client.cookies['sessionid'] = key
    print(client.get('/whoami').json()['user'])"
    ))
}

#[test]
fn a_pipe_to_redis_logs_out() {
    let redis = Redis::new("redis");
    for more in ["", "'KEY_PREFIX': 'my shop', 'VERSION': 2,"] {
        let site = redis.site(more);
        let [anna, bert, carl] = &site.login(&["anna", "bert", "carl"])[..] else { panic!("3") };
        // With the row alone nobody is out.
        site.python(&format!("Session.objects.filter(pk={:?}).delete()", anna.1));
        assert_eq!(whoami(&site, &anna.1), anna.0);
        let piped = redis.pipe(&site, &format!("logout-user {}", bert.0)).ok();
        assert_eq!(piped.stdout, "1\n", "what DEL says: {piped:#?}");
        assert!(piped.stderr.contains("1 session deleted, none is left"), "{piped:#?}");
        assert_eq!(
            (whoami(&site, &bert.1), whoami(&site, &carl.1)),
            ("None".into(), carl.0.clone())
        );
        redis.pipe(&site, "flush-all --yes").ok().says("1\n");
        assert_eq!(whoami(&site, &carl.1), "None");
        // Hers is the key that nobody printed: what is left is to clear the cache.
        assert_eq!(whoami(&site, &anna.1), anna.0);
        redis.cli(&["-n", "1", "FLUSHDB"]).ok();
        assert_eq!(whoami(&site, &anna.1), "None");
    }
}

/// Rows are gone and their entries are not: the exit code of the pipe says so.
#[test]
fn a_redis_that_does_not_answer_fails_the_pipe() {
    let redis = Redis::new("redis_closed");
    let site = redis.site("");
    let [anna] = &site.login(&["anna"])[..] else { panic!("1") };
    redis.cli(&["CONFIG", "SET", "requirepass", "x"]).ok();
    let piped = redis.pipe(&site, &format!("logout-user {}", anna.0));
    redis.cli(&["-a", "x", "CONFIG", "SET", "requirepass", ""]).ok();
    assert!(piped.code != 0 && piped.stderr.contains("NOAUTH"), "{piped:#?}");
    assert_eq!((whoami(&site, &anna.1), site.keys().len()), (anna.0.clone(), 0));
}

//! A Django project that is asked (`--django`) and fails, or does not end: what is said of it, and what is left of it.

use std::path::Path;

use crate::running::{Running, eventually, heeding_hangups};
use crate::site::Site;
use crate::world::RunToEnd;

/// Too odd to be anything else.
const SENTINEL: &str = "sentinelOfAPassword";

/// The end of a traceback can quote a part of what code takes apart.
#[test]
fn a_traceback_shows_no_part_of_a_secret() {
    let parse = "from urllib.parse import urlparse";
    let import = "import importlib; importlib.import_module";
    for (number, (settings, says)) in [
        (
            format!("{parse}; urlparse(os.environ['DATABASE_URL']).port"),
            "ValueError: Port could not be cast to integer value as '...'",
        ),
        (
            format!("OTHER = 'redis://:{SENTINEL}#x@h/0'; {parse}; urlparse(OTHER).port"),
            "ValueError: Port could not be cast to integer value as '...'",
        ),
        (
            format!("SECRET_KEY = 'django-insecure-{SENTINEL}.!x'; INSTALLED_APPS += [SECRET_KEY]"),
            "ModuleNotFoundError: No module named '...'",
        ),
        (
            format!("SECRET_KEY_FALLBACKS = ['{SENTINEL}']; {import}(SECRET_KEY_FALLBACKS[0])"),
            "ModuleNotFoundError: No module named '...'",
        ),
        (
            format!("DATABASES['other'] = {{'PASSWORD': '{SENTINEL}?x'}}; raise ValueError('no {SENTINEL}')"),
            "ValueError: no ...",
        ),
        ("import own_missing".to_owned(), "No module named 'own_missing'"),
        (format!("db_password = '{SENTINEL}'; raise ValueError(db_password)"), "ValueError: ..."),
        (format!("secrets = {{'DB': '{SENTINEL}'}}; raise ValueError(secrets)"), "ValueError: {'DB': '...'}"),
        (
            format!("AWS_SECRET = {{'a': {{'b': ['{SENTINEL}']}}}}; raise ValueError('%s' % AWS_SECRET)"),
            "ValueError: {'a': {'b': ['...']}}",
        ),
        (
            format!("class Conf: pass\nCONF = Conf(); CONF.api_key = '{SENTINEL}'; raise ValueError(CONF.api_key)"),
            "ValueError: ...",
        ),
        (
            format!("def connect(password): raise ValueError(password[5:])\nconnect('begin{SENTINEL}')"),
            "ValueError: ...",
        ),
        (
            format!("SECRET_KEY = '0{SENTINEL}1'; raise ValueError('begins ' + SECRET_KEY[:14] + ', see')"),
            "ValueError: begins ..., see",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let site = Site::sqlite(&format!("traceback{number}"), "5.2", &[]).project("", &settings);
        let mut command = site.command(&["list"]);
        command.env("DATABASE_URL", format!("postgres://u:{SENTINEL}#x@h/db"));
        let ran = command.ran("").exits(2).says(says);
        assert!(!ran.stderr.contains("sentinel"), "{ran:#?}");
    }
}

/// A Python that goes on, as root, has nobody who looks after it.
#[test]
fn a_project_ends_with_sessctl() {
    let script = "import subprocess, time; own = open(os.path.dirname(os.path.abspath(__file__)) + '/ids', 'w'); \
                  own.write('%d %d.' % (os.getpid(), subprocess.Popen(['sleep', '300']).pid)); own.close(); time.sleep(300)";
    let site = Site::sqlite("hangs", "5.2", &[]).project("", script);
    let ids = site.file("ids", "");
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        site.file("ids", "");
        let mut running = Running::start(&mut heeding_hangups(&site.command(&["list"])));
        let read = || std::fs::read_to_string(&ids).unwrap();
        eventually("the project runs", || read().ends_with('.'));
        running.signal(signal);
        running.end().exits(code);
        for id in read().trim_end_matches('.').split(' ') {
            let status = Path::new("/proc").join(id).join("stat");
            // Whoever adopts it may not have looked yet.
            let runs =
                || std::fs::read_to_string(&status).is_ok_and(|status| !status.contains(") Z "));
            eventually("it ends", || !runs());
        }
    }
}

/// What sessctl sets for itself when it starts anew is not the project's, what the operator sets is.
#[test]
fn a_project_has_the_operators_environment() {
    let tell = "raise ValueError('set: %s %s' % (os.environ.get('GLIBC_TUNABLES'), \
                [name for name in os.environ if name.startswith(('SESSCTL_', 'MYSQL_'))]))";
    let site = Site::sqlite("environment_of_project", "5.2", &[]).project("", tell);
    let mut command = site.command(&["list"]);
    command.env("SESSCTL_SECRET_KEY", "x").env_remove("GLIBC_TUNABLES");
    command.ran("").exits(2).says("set: None []");
    let own = "glibc.malloc.arena_max=2";
    command.env("GLIBC_TUNABLES", own).ran("").exits(2).says(&format!("set: {own} []"));
}

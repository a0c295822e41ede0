//! Python with Django for what tests set up: one server for each release, which forks for each piece of code. What
//! sessctl runs under `--django` is no matter of this: it starts a Python of its own, as always.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::running::DEADLINE_OF_RUN;
use crate::support::django_python;
use crate::world::Ran;

/// `tests/django/python_server.py`. It ends with this process, which holds the other end of its standard input.
struct PythonServer {
    socket: PathBuf,
    _process: Child,
}

impl PythonServer {
    fn of(release: &str) -> Arc<OnceLock<Self>> {
        static SERVERS: Mutex<BTreeMap<String, Arc<OnceLock<PythonServer>>>> =
            Mutex::new(BTreeMap::new());
        let server = Arc::clone(SERVERS.lock().unwrap().entry(release.to_owned()).or_default());
        server.get_or_init(|| Self::start(release));
        server
    }

    fn start(release: &str) -> Self {
        let own = format!("sessctl-python-{release}-{}", std::process::id());
        let folder = std::env::temp_dir().join(own);
        // Whoever can reach the socket can run code.
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let socket = folder.join("socket");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/django/python_server.py");
        let mut command = Command::new(django_python(release));
        command.args(["-B", script]).arg(&socket).env_remove("DJANGO_SETTINGS_MODULE");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Self { socket, _process: process }
    }
}

/// Runs `python -B -c CODE` with this release of Django, in this folder, and with this in its environment.
pub(crate) fn python(
    release: &str,
    code: &str,
    folder: &Path,
    environment: &BTreeMap<String, String>,
) -> Ran {
    let server = PythonServer::of(release);
    let mut stream = UnixStream::connect(&server.get().unwrap().socket).unwrap();
    let asked = json!({
        "code": code,
        "folder": folder,
        "environment": environment,
        "seconds": DEADLINE_OF_RUN.as_secs(),
    });
    writeln!(stream, "{asked}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let said: Value = serde_json::from_str(&answer).unwrap();
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    // A signal, as that at the deadline, is a negative number.
    let code = said["status"].as_i64().unwrap().try_into().unwrap();
    Ran { code, stdout: text("stdout"), stderr: text("stderr") }
}

#[test]
fn a_piece_of_python_is_a_process_of_its_own() {
    let folder = std::env::temp_dir().canonicalize().unwrap();
    let (own, none) = (BTreeMap::from([("OWN".to_owned(), "é".to_owned())]), BTreeMap::new());
    let run = |code: &str, environment| python("5.2", code, &folder, environment);
    let said =
        run("import os, sys; print(os.getcwd(), os.environ['OWN'], sys.path[0] == '')", &own);
    assert_eq!(said.ok().stdout, format!("{} é True\n", folder.display()));
    let said = run("import os; x = 1; print(os.environ.get('OWN'))", &none).ok();
    assert_eq!(said.stdout, "None\n");
    run("print(x)", &own).exits(1).says("NameError");
    run("import sys; sys.exit(7)", &own).exits(7);
    run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", &own).exits(-9);
    // Its end is waited for, and what it does as it ends.
    let last = "import atexit, time; atexit.register(lambda: (time.sleep(0.2), print('last')))";
    assert_eq!(run(last, &own).ok().stdout, "last\n");
}

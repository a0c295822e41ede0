//! The program while it runs.

use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use crate::world::{Ran, SECRET_KEY, around};

/// Longer than anything takes that works, on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_secs(60);
/// The same for a whole run of a program.
pub(crate) const DEADLINE_OF_RUN: Duration = Duration::from_secs(120);

/// Waits until a condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// Runs a command to its end, with this on its standard input. One that does not end in time is killed and fails
/// the test, which shows what it printed so far.
pub(crate) fn run_to_end(command: &mut Command, input: Vec<u8>, deadline: Duration) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The program may end without reading it all.
    spawn(move || stdin.write_all(&input));
    let stdout = Printed::by(child.stdout.take().unwrap());
    let stderr = Printed::by(child.stderr.take().unwrap());
    let began = Instant::now();
    while began.elapsed() < deadline {
        if stdout.is_whole()
            && stderr.is_whole()
            && let Some(status) = child.try_wait().unwrap()
        {
            return Ran::of(&Output { status, stdout: stdout.take(), stderr: stderr.take() });
        }
        sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let so_far =
        [stdout.take(), stderr.take()].map(|text| String::from_utf8_lossy(&text).into_owned());
    panic!("not over after {deadline:?}: {command:?} printed so far:\n{}", so_far.join("\n"));
}

/// What comes out of a pipe, which somebody may hold open whom the program left behind.
struct Printed {
    reader: JoinHandle<()>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Printed {
    fn by(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let came = Arc::clone(&bytes);
        let reader = spawn(move || {
            let mut piece = vec![0; 65_536];
            while let Ok(length @ 1..) = pipe.read(&mut piece) {
                came.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { reader, bytes }
    }

    fn is_whole(&self) -> bool {
        self.reader.is_finished()
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock().unwrap())
    }
}

/// The program at work, killed if the test ends before it.
pub(crate) struct Running(Option<Child>);

/// The same command where SIGHUP is not ignored, as it is under nohup.
pub(crate) fn heeding_hangups(command: &Command) -> Command {
    let mut heeding = Command::new("env");
    heeding.arg("--default-signal=HUP");
    around(heeding, command)
}

impl Running {
    /// Starts it with the key of every world.
    pub(crate) fn start(command: &mut Command) -> Self {
        command.env("SECRET_KEY", SECRET_KEY).stdin(Stdio::piped());
        Self(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }

    pub(crate) fn signal(&mut self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child().id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child().try_wait().unwrap().is_some()
    }

    /// Waits for its end. What it prints must fit into a pipe.
    pub(crate) fn end(mut self) -> Ran {
        eventually("the end", || self.is_over());
        Ran::of(&self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn what_does_not_end_is_killed_and_shown() {
    let mut command = Command::new("sh");
    // What the shell leaves behind keeps the pipes open.
    command.args(["-c", "echo so far; sleep 9; echo more"]);
    let began = Instant::now();
    let run = move || run_to_end(&mut command, Vec::new(), Duration::from_secs(1));
    let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("sleep 9; echo more") && said.ends_with("so far\n\n"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(8), "waited for what the shell left behind");
}

//! The program while it runs.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::world::{Ran, SECRET_KEY, around};

/// Longer than anything takes that works, on a machine that has much else to do.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until a condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
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

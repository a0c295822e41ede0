//! Runs a program until it ends, a deadline passes or the run is asked to stop. Then it kills the program's
//! whole process group.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::stop::Stop;

pub(super) struct Ran {
    /// `None` if the time was over, or sessctl was asked to stop.
    pub(super) status: Option<ExitStatus>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

const TICK: Duration = Duration::from_millis(10);
/// How long to wait for output after the end. A process that it started may hold the pipe open.
const GRACE: Duration = Duration::from_secs(1);
/// The most output that is kept.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn run(command: &mut Command, time: Duration, stop: &Stop) -> io::Result<Ran> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    stop.while_checked(|| {
        let mut child = command.spawn()?;
        let (stdout, stderr) =
            (PipeOutput::of(child.stdout.take()), PipeOutput::of(child.stderr.take()));
        let status = wait(&mut child, time, stop)?;
        let began = Instant::now();
        while !(stdout.is_over() && stderr.is_over()) && began.elapsed() < GRACE {
            thread::sleep(TICK);
        }
        Ok(Ran { status, stdout: stdout.take(), stderr: stderr.take() })
    })
}

fn wait(child: &mut Child, time: Duration, stop: &Stop) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    // The process id cannot be reused before the process was waited for.
    let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let mut ended = false;
    while !ended && began.elapsed() < time && stop.asked().is_none() {
        thread::sleep(TICK);
        ended = waitid(WaitId::Pid(group), how)?.is_some();
    }
    kill_process_group(group, Signal::KILL)?;
    let status = child.wait()?;
    Ok(ended.then_some(status))
}

/// The output that a pipe gave so far.
struct PipeOutput {
    bytes: Arc<Mutex<Vec<u8>>>,
    listener: JoinHandle<()>,
}

impl PipeOutput {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::clone(&bytes);
        let listener = thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut piece = [0; 4096];
            while let Ok(len) = pipe.read(&mut piece) {
                if len == 0 {
                    return;
                }
                let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                read.extend_from_slice(piece.get(..len).unwrap_or_default());
                let surplus = read.len().saturating_sub(MOST_BYTES);
                read.drain(..surplus);
            }
        });
        Self { bytes, listener }
    }

    fn is_over(&self) -> bool {
        self.listener.is_finished()
    }

    fn take(self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, time: Duration) -> Ran {
        run(Command::new("sh").args(["-c", script]), time, &Stop::default()).unwrap()
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let began = Instant::now();
        let ran = shell("echo here; exec sleep 60", Duration::from_millis(300));
        assert!(ran.status.is_none() && ran.stdout == b"here\n");
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_pipe_that_others_hold_open_is_not_waited_for() {
        let began = Instant::now();
        let ran = shell("setsid sleep 20 & echo here; echo there >&2", Duration::from_secs(10));
        assert!(ran.status.unwrap().success());
        assert_eq!((&*ran.stdout, &*ran.stderr), (&b"here\n"[..], &b"there\n"[..]));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn what_it_has_started_ends_with_it() {
        let began = Instant::now();
        for (script, time) in [("sleep 30 & echo $!; wait", 300), ("sleep 30 & echo $!", 10_000)] {
            let ran = shell(script, Duration::from_millis(time));
            let id = String::from_utf8(ran.stdout).unwrap();
            let id = Pid::from_raw(id.trim().parse().unwrap()).unwrap();
            while rustix::process::test_kill_process(id).is_ok() && !is_zombie(id) {
                assert!(began.elapsed() < Duration::from_secs(20), "{script}: it goes on");
                thread::sleep(TICK);
            }
        }
    }

    /// Whether nobody has waited for its end yet.
    fn is_zombie(id: Pid) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero()))
            .is_ok_and(|status| status.contains(") Z "))
    }

    #[test]
    fn one_who_says_much_is_heard_to_the_end() {
        let ran = shell("yes | head -c 3000000; printf over", Duration::from_secs(60));
        assert!(ran.stdout.len() == MOST_BYTES && ran.stdout.ends_with(b"over"));
    }
}

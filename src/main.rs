//! The `sessctl` binary: parses the command line, installs signal handlers, runs the command and sets the
//! exit code.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use clap::error::ErrorKind;
use rustix::process::{Resource, Rlimit, setrlimit};
use sessctl::cli;
use sessctl::error::Exit;
use sessctl::stop::{Asked, Stop};
use sessctl::store::BACKENDS;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let cli = match cli::parse(width()) {
        Ok(cli) => cli,
        Err(error) => return not_run(&error),
    };
    leave_no_core();
    keep_no_freed_memory();
    let stop = Arc::new(Stop::default());
    let last_words = Arc::new(sessctl::last_words(&cli));
    end_what_does_not_open(sessctl::patience(&cli), Arc::new(sessctl::words_on_waiting(&cli)));
    end_what_does_not_return(&stop, sessctl::call_patience(&cli), sessctl::words_on_call(&cli));
    handle_signals(&stop, Arc::clone(&last_words));
    end_what_does_not_end(&stop, last_words);
    ExitCode::from(sessctl::run(&cli, &stop, BACKENDS).code())
}

/// Columns of the terminal that gets the help; as many as clap takes where there is none.
fn width() -> usize {
    const MOST: u16 = 100;
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    let columns = size.map_or(0, |size| size.ws_col);
    usize::from(if columns == 0 { MOST } else { columns.min(MOST) })
}

/// Says what is wrong with what was typed, or what was asked of clap itself, as `--help`.
fn not_run(error: &clap::Error) -> ExitCode {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.use_stderr()
        && !is_help
        && let Some(code) = sessctl::misused(&error.render().to_string())
    {
        return ExitCode::from(code);
    }
    // There is nobody else to tell.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
}

/// A core would hold the keys of the site and of its sessions. A limit can always be lowered; were it
/// not so, to go on would still be right.
fn leave_no_core() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Begins anew with settings of what keeps memory, where the operator has made none. By default glibc keeps large blocks that
/// were freed, in each thread's arena, once it has seen as large ones freed (`mallopt(3)`, `M_MMAP_THRESHOLD`): two scans of
/// rows of 11 MB then take twice the memory of one. Where no setting can be made it goes on with more memory.
#[cfg(target_env = "gnu")]
fn keep_no_freed_memory() {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use sessctl::settings::OF_MEMORY;

    let unset = OF_MEMORY.into_iter().filter(|(variable, _)| std::env::var_os(variable).is_none());
    let unset: Vec<_> = unset.collect();
    // To make them while running takes unsafe code.
    if !unset.is_empty()
        && let Ok(program) = std::env::current_exe()
        && is_this_program(&program)
    {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_else(|| program.clone().into());
        let _ = Command::new(program).arg0(name).args(arguments).envs(unset).exec();
    }
}

/// Whether a path still leads to the program that runs. Where the dynamic loader was told to run it, the loader runs.
#[cfg(target_env = "gnu")]
fn is_this_program(path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_loader = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"ld"));
    let file =
        |path: &std::path::Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    let running = file(std::path::Path::new("/proc/self/exe"));
    !is_loader && running.is_ok_and(|running| file(path).is_ok_and(|named| named == running))
}

#[cfg(not(target_env = "gnu"))]
fn keep_no_freed_memory() {}

/// The first signal asks for an end after the batch, which has a few seconds. A second one ends at once, and so does one that nobody would heed.
/// A hangup never counts as a second one: the kernel and the shell each send one when a connection drops.
fn handle_signals(stop: &Arc<Stop>, last_words: Arc<impl Fn() + Send + Sync + 'static>) {
    let stop = Arc::clone(stop);
    let mut signals = vec![SIGINT, SIGTERM];
    if !ignores_hangup() {
        signals.push(SIGHUP);
    }
    let Ok(mut signals) = Signals::new(signals) else { return };
    thread::spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            let is_checked = stop.request(signal);
            let insists = signal != SIGHUP && std::mem::replace(&mut asked, true);
            if insists && is_checked {
                end(128 + signal, &last_words);
            }
            if insists || !is_checked {
                end(128 + signal, &Arc::new(|| {}));
            }
        }
    });
}

/// What cannot be given up ends with the process: a name server, a disk that went away, one call of a function of
/// SQLite.
fn end_what_does_not_end(stop: &Arc<Stop>, last_words: Arc<impl Fn() + Send + Sync + 'static>) {
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let code = match stop.wait_until_overdue() {
            Asked::Signal(signal) => 128 + signal,
            Asked::RunTime => i32::from(Exit::Incomplete.code()),
        };
        end(code, &last_words);
    });
}

/// SQLite cannot be asked to leave one call of a function, which a view or trigger of another user may make. The system
/// releases its locks, and its journal undoes what was not committed.
fn end_what_does_not_return(
    stop: &Arc<Stop>,
    patience: Duration,
    last_words: impl Fn() + Send + Sync + 'static,
) {
    const TICK: Duration = Duration::from_secs(1);
    let (stop, last_words) = (Arc::clone(stop), Arc::new(last_words));
    thread::spawn(move || {
        loop {
            thread::sleep(TICK);
            if stop.has_stuck_call(patience) {
                end(i32::from(Exit::Incomplete.code()), &last_words);
            }
        }
    });
}

/// What waits in open(2), as for a pipe that nobody writes to, cannot be given up either, and SQLite opens what it finds beside
/// a database. Linux tells what a thread waits in (proc(5), `/proc/pid/syscall`).
fn end_what_does_not_open(patience: Duration, last_words: Arc<impl Fn() + Send + Sync + 'static>) {
    const TICK: Duration = Duration::from_secs(1);
    thread::spawn(move || {
        let mut waiting: BTreeMap<(OsString, String), Instant> = BTreeMap::new();
        loop {
            thread::sleep(TICK);
            let now = Instant::now();
            let since = |waits| (waiting.get(&waits).copied().unwrap_or(now), waits);
            waiting = opening().map(since).map(|(then, waits)| (waits, then)).collect();
            if waiting.values().any(|then| then.elapsed() >= patience) {
                end(i32::from(Exit::Incomplete.code()), &last_words);
            }
        }
    });
}

/// The threads that open a file just now, and how.
fn opening() -> impl Iterator<Item = (OsString, String)> {
    /// `open`, `openat`.
    const CALLS: &[&str] = if cfg!(target_arch = "x86_64") {
        &["2", "257"]
    } else if cfg!(target_arch = "aarch64") {
        &["56"]
    } else {
        &[]
    };
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.filter_map(|thread| {
        let waits = std::fs::read_to_string(thread.path().join("syscall")).ok()?;
        let call = waits.split_whitespace().next()?;
        CALLS.contains(&call).then(|| (thread.file_name(), waits))
    })
}

/// Ends the process, even where nobody takes its last words.
fn end(code: i32, last_words: &Arc<impl Fn() + Send + Sync + 'static>) {
    const PATIENCE: Duration = Duration::from_millis(500);
    let (sender, receiver) = channel();
    let last_words = Arc::clone(last_words);
    thread::spawn(move || {
        last_words();
        // Nobody may be waiting any more.
        let _ = sender.send(());
    });
    let _ = receiver.recv_timeout(PATIENCE);
    #[allow(clippy::exit, reason = "the operator insists; open transactions roll back")]
    std::process::exit(code);
}

/// Whether it was started with hangups ignored, as by `nohup`: they are to stay so. Where that cannot be told they
/// are left alone, too.
fn ignores_hangup() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return true };
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_none_or(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

//! Detects whether other processes use the database file. A commit of another connection leaves a trace in
//! the file, but a read leaves none; the kernel (inotify) reports both. It does not report reads of a connection
//! that stays open with `PRAGMA mmap_size`.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;

/// Records when another process last used the file.
pub(super) struct ActivityWatch {
    watch: Option<OwnedFd>,
    last_seen: Instant,
}

impl ActivityWatch {
    /// A watch that counts the file as used just now.
    pub(super) fn new() -> Self {
        Self { watch: None, last_seen: Instant::now() }
    }

    /// Starts watching: until [`Self::finish`], every open, read or write of the file or its `-wal` counts as
    /// use by another process.
    pub(super) fn start(&mut self, path: &Path) {
        self.watch = kernel::watch(path);
        if self.watch.is_none() {
            self.last_seen = Instant::now();
        }
    }

    /// Stops watching, and records whether the file was used.
    pub(super) fn finish(&mut self) {
        if self.watch.take().is_some_and(|watch| kernel::saw_somebody(&watch)) {
            self.last_seen = Instant::now();
        }
    }

    /// How long no use was seen, as far as the file was watched.
    pub(super) fn idle_for(&self) -> Duration {
        self.last_seen.elapsed()
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::path::Path;

    use rustix::fd::OwnedFd;
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    use rustix::fs::statfs;
    use rustix::io::{Errno, read};

    /// File systems that only this machine's kernel accesses: ext2 to ext4, XFS, Btrfs, F2FS, ZFS, tmpfs and
    /// overlays of these (statfs(2)). A watch does not see accesses of another machine.
    const LOCAL: [u32; 7] =
        [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010, 0x2FC1_2FC1, 0x0102_1994, 0x794C_7630];

    /// Watches the file. Without a watch, use by others is unknown.
    pub(super) fn watch(path: &Path) -> Option<OwnedFd> {
        let kind = statfs(path).ok()?.f_type;
        if !LOCAL.iter().any(|&local| i128::from(local) == i128::from(kind)) {
            return None;
        }
        let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let visits = WatchFlags::OPEN | WatchFlags::ACCESS | WatchFlags::MODIFY;
        add_watch(&watch, path, visits).ok()?;
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        match add_watch(&watch, wal, visits) {
            Ok(_) | Err(Errno::NOENT) => Some(watch),
            Err(_) => None,
        }
    }

    pub(super) fn saw_somebody(watch: &OwnedFd) -> bool {
        let mut event = [0; 512];
        !matches!(read(watch, &mut event), Err(Errno::AGAIN))
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::path::Path;

    use rustix::fd::OwnedFd;

    pub(super) fn watch(_: &Path) -> Option<OwnedFd> {
        None
    }

    pub(super) fn saw_somebody(_: &OwnedFd) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rusqlite::Connection;

    use super::*;

    /// Whether the watch sees this access to a database file that is open already.
    fn seen(journal_mode: &str, visit: impl FnOnce(&Path, &Connection)) -> bool {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("sessctl-visitors-{}-{number}", std::process::id()));
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", journal_mode).unwrap();
        connection.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
        let mut activity = ActivityWatch::new();
        let before = activity.last_seen;
        activity.start(&path);
        visit(&path, &connection);
        activity.finish();
        drop(connection);
        fs::remove_file(path).unwrap();
        activity.last_seen > before
    }

    #[test]
    fn whoever_opens_reads_or_writes_is_seen() {
        for journal_mode in ["delete", "wal"] {
            let seen = |visit: &dyn Fn(&Path, &Connection)| seen(journal_mode, visit);
            let run =
                |sql| seen(&|_, connection| connection.query_row(sql, [], |_| Ok(())).unwrap());
            assert!(!seen(&|_, _| ()));
            assert!(run("INSERT INTO t VALUES (2) RETURNING x"));
            assert!(seen(&|path, _| drop(fs::File::open(path).unwrap())));
            // Locks alone, as those of a waiting connection, are not seen.
            assert!(!run("SELECT 1"));
        }
        assert!(seen("delete", |_, connection| {
            connection.query_row("SELECT x FROM t", [], |_| Ok(())).unwrap();
        }));
    }

    #[test]
    fn where_nobody_can_be_seen_somebody_may_be_there() {
        let mut activity = ActivityWatch::new();
        let before = activity.last_seen;
        activity.start(Path::new("/proc/self/status"));
        activity.finish();
        assert!(activity.last_seen > before);
    }
}

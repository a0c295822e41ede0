//! What others put in the place of files that root makes or opens. These tests are root: they make files of other users.

use std::error::Error;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use sessctl::consent::{Ask, Consent};
use sessctl::model::Timestamp;
use sessctl::store::{
    Locked, Replacement, Sqlite, Store, StoreError, Table, UserColumn, UserType, WallClock, Was,
    Writer,
};

use crate::errors::set_mode;
use crate::running::{Running, eventually};
use crate::signals::{has_opened_file, is_open};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World, around};

/// Users of this machine that are nobody in particular.
const SITE: u32 = 4711;
const NEIGHBOUR: u32 = 4712;

/// A path in the world's own folder, where nothing is.
fn path(w: &World, name: &str) -> PathBuf {
    let uid = fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(uid, 0, "these tests make files of other users: run them as root");
    let path = PathBuf::from(w.file(name, ""));
    fs::remove_file(&path).unwrap();
    path
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Runs it with a deadline: what waits for a pipe waits for ever.
fn run(w: &World, arguments: &[&str]) -> Ran {
    Running::start(&mut w.command(arguments)).end()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The file beside a database.
fn beside(w: &World, end: &str) -> PathBuf {
    PathBuf::from(w.url() + end)
}

#[test]
fn the_lock_is_made_through_no_link() {
    let w = World::sqlite("files_lock_link");
    w.expired(3);
    let elsewhere = path(&w, "nologin");
    let lock = beside(&w, "-sessctl");
    for is_there in [false, true] {
        if is_there {
            fs::write(&elsewhere, "as it was").unwrap();
        }
        symlink(&elsewhere, &lock).unwrap();
        run(&w, &["purge-expired"]).exits(1).says("cannot lock").says("not a regular file");
        assert_eq!(elsewhere.exists(), is_there);
        assert!(lock.is_symlink(), "it is not ours to remove");
        fs::remove_file(&lock).unwrap();
    }
    assert_eq!(w.count(), 3);
}

#[test]
fn a_pipe_in_the_place_of_the_lock_is_not_waited_for() {
    let w = World::sqlite("files_lock_pipe");
    w.expired(3);
    pipe(&beside(&w, "-sessctl"));
    run(&w, &["purge-expired", "--skip-if-running"]).exits(1).says("not a regular file");
    assert_eq!(w.count(), 3);
}

#[test]
fn a_new_lock_is_the_database_owners() {
    let w = World::sqlite("files_lock_owner");
    w.expired(30);
    chown(w.url(), Some(SITE), Some(NEIGHBOUR)).unwrap();
    let lock = beside(&w, "-sessctl");
    let slow = ["purge-expired", "--batch-size", "1", "--sleep", "100ms"];
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$@\"", "sh"]);
    let running = Running::start(&mut around(shell, &w.command(&slow)));
    eventually("the lock", || w.count() < 30);
    let status = fs::metadata(&lock).unwrap();
    assert_eq!((status.uid(), status.gid(), status.mode() & 0o7777), (SITE, NEIGHBOUR, 0o600));
    running.end().ok();
    assert!(!lock.exists());
}

/// Commands that open the database, `check` too.
const COMMANDS: [&[&str]; 7] = [
    &["check"],
    &["list"],
    &["stats"],
    &["doctor"],
    &["purge-expired"],
    &["flush-all", "--yes"],
    &["logout-user", "42"],
];

/// That every command fails in time and says this.
fn all_refuse(w: &World, said: &str) {
    for command in COMMANDS {
        let ran = run(w, command);
        let code = match command[0] {
            "check" => 3,
            "doctor" => 5,
            _ => 1,
        };
        ran.exits(code).says(said);
    }
}

#[test]
fn a_pipe_in_the_place_of_the_database_is_not_waited_for() {
    let w = World::sqlite("files_pipe");
    fs::remove_file(w.url()).unwrap();
    pipe(Path::new(&w.url()));
    all_refuse(&w, "not a regular file");
}

#[test]
fn nothing_odd_beside_the_database_is_opened() {
    let w = World::sqlite("files_beside");
    w.user("42", 2);
    let victim = path(&w, "victim");
    fs::write(&victim, "as it was").unwrap();
    for end in ["-journal", "-wal", "-shm"] {
        let file = beside(&w, end);
        pipe(&file);
        all_refuse(&w, "not a regular file");
        fs::remove_file(&file).unwrap();
        symlink(&victim, &file).unwrap();
        all_refuse(&w, "not a regular file");
        fs::remove_file(&file).unwrap();
        fs::hard_link(&victim, &file).unwrap();
        all_refuse(&w, "second name");
        fs::remove_file(&file).unwrap();
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    run(&w, &["logout-user", "42"]).ok();
}

#[test]
fn metrics_are_written_through_no_link() {
    World::each("files_metrics", |w| {
        w.expired(3);
        let (file, victim) = (path(w, "metrics.prom"), path(w, "victim"));
        fs::write(&victim, "as it was").unwrap();
        symlink(&victim, &file).unwrap();
        // A shell keeps its number when it becomes another program.
        let planted = "umask 077; ln -s victim \"$0.$$.tmp\"; exec \"$@\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", planted, text(&file)]);
        let mut command = w.command(&["purge-expired", "--metrics-file", text(&file)]);
        around(shell, command.env("SECRET_KEY", SECRET_KEY)).ran("").ok();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
        let status = fs::symlink_metadata(&file).unwrap();
        assert!(status.is_file() && status.permissions().mode() & 0o777 == 0o644);
        assert!(fs::read_to_string(&file).unwrap().contains("sessctl_purge_deleted_rows 3"));
    });
}

/// A run without success looks at what the last one wrote.
#[test]
fn a_pipe_in_the_place_of_the_metrics_is_not_waited_for() {
    World::each_but_mysql("files_metrics_pipe", |w| {
        w.expired(3).keeps_rows("true");
        let file = path(w, "metrics.prom");
        pipe(&file);
        run(w, &["purge-expired", "--metrics-file", text(&file)]).exits(3);
        assert!(fs::read_to_string(&file).unwrap().contains("sessctl_purge_expired_rows_left 3"));
    });
}

#[test]
fn the_record_is_no_file_of_others() {
    World::each("files_audit", |w| {
        w.user("42", 1);
        let file = path(w, "audit.jsonl");
        let victim = path(w, "victim");
        fs::write(&victim, "as it was").unwrap();
        set_mode(&victim, 0o600);
        let refused = |said: &str| {
            for command in [&["logout-user", "42"][..], &["purge-expired"], &["backfill"]] {
                run(w, &[command, &["--audit-file", text(&file)]].concat())
                    .exits(1)
                    .says("error: cannot write ")
                    .says(said)
                    .says("hint: ");
            }
            assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
            fs::remove_file(&file).unwrap();
        };
        symlink(&victim, &file).unwrap();
        refused("not a regular file");
        symlink("nowhere", &file).unwrap();
        refused("not a regular file");
        assert!(!file.with_file_name("nowhere").exists());
        pipe(&file);
        refused("not a regular file");
        pipe(&file);
        // One that somebody reads opens at once.
        let reader = fs::OpenOptions::new().read(true).write(true).open(&file).unwrap();
        refused("not a regular file");
        drop(reader);
        fs::hard_link(&victim, &file).unwrap();
        refused("second name");
        fs::write(&file, "").unwrap();
        set_mode(&file, 0o620);
        refused("written by others");
        fs::write(&file, "").unwrap();
        chown(&file, Some(SITE), None).unwrap();
        refused("written by others");
        assert_eq!(w.count(), 1);
        run(w, &["logout-user", "42", "--audit-file", text(&file)]).ok();
        let status = fs::metadata(&file).unwrap();
        assert_eq!((status.uid(), status.mode() & 0o777), (0, 0o600));
    });
}

/// A folder's owner puts a link in the place of a folder in it.
#[test]
fn a_folder_elsewhere_is_not_written_to_through_the_link_of_another() {
    let w = World::sqlite("files_folders");
    w.expired(1);
    let (link, elsewhere) = (path(&w, "folder"), path(&w, "elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &link).unwrap();
    let inside = link.join("file");
    let commands: [&[&str]; 4] = [
        &["purge-expired", "--metrics-file", text(&inside)],
        &["purge-expired", "--audit-file", text(&inside)],
        &["man", "--output", text(&inside)],
        &["django-code", "--type", "text", "--app", "file", "--output", text(&inside)],
    ];
    std::os::unix::fs::lchown(&link, Some(SITE), None).unwrap();
    let to_link_itself = ["man", "--output", text(&link)];
    for command in commands.into_iter().chain([&to_link_itself[..]]) {
        let ran = run(&w, command).exits(1).says(&format!("link of user {SITE}"));
        ran.says("hint: ").says("cannot write");
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "{command:?}");
    }
    // Root's own link is root's to follow, and the owner of the folder may have two names for it.
    for (of_link, of_folder) in [(0, SITE), (SITE, SITE)] {
        std::os::unix::fs::lchown(&link, Some(of_link), None).unwrap();
        chown(&elsewhere, Some(of_folder), None).unwrap();
        for command in commands {
            run(&w, command).ok();
            let made = elsewhere.join("file");
            fs::remove_file(&made).or_else(|_| fs::remove_dir_all(&made)).unwrap();
        }
    }
}

#[test]
fn manual_pages_are_written_through_no_link() {
    let w = World::sqlite("files_man");
    let (folder, victim) = (path(&w, "man"), path(&w, "victim"));
    fs::create_dir(&folder).unwrap();
    fs::write(&victim, "as it was").unwrap();
    let page = folder.join("sessctl.1");
    symlink(&victim, &page).unwrap();
    run(&w, &["man", "--output", text(&folder)]).ok();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was");
    assert!(fs::symlink_metadata(&page).unwrap().is_file());
    let deep = folder.join("a/b");
    run(&w, &["man", "--output", text(&deep)]).ok();
    assert!(deep.join("sessctl.1").exists());
}

#[test]
fn a_pipe_of_another_is_not_read() {
    World::each("files_input", |w| {
        w.user("42", 1);
        let file = path(w, "input");
        pipe(&file);
        chown(&file, Some(SITE), None).unwrap();
        for option in ["--from-file", "--secret-key-file"] {
            run(w, &["logout-user", "7", option, text(&file)])
                .exits(1)
                .says("cannot read")
                .says("not a regular file");
        }
        assert_eq!(w.count(), 1);
    });
}

/// To open it may make something, wait for ever, or find no end.
#[test]
fn a_device_is_not_read() {
    let w = World::sqlite("files_device");
    w.user("42", 1);
    for device in ["zero", "ptmx", "tty", "kmsg"] {
        let file = linked(&w, device, &Path::new("/dev").join(device));
        for option in ["--from-file", "--secret-key-file"] {
            run(&w, &["logout-user", "7", option, text(&file)])
                .exits(1)
                .says("cannot read")
                .says("not a regular file");
        }
    }
    let file = path(&w, "long");
    fs::File::create(&file).unwrap().set_len((64 << 20) + 1).unwrap();
    for option in ["--from-file", "--secret-key-file"] {
        run(&w, &["logout-user", "7", option, text(&file)]).exits(1).says("larger than 64 MiB");
    }
}

/// As that of `<(command)`, or one that a script made: even where nobody writes to it yet.
#[test]
fn a_pipe_of_ones_own_is_waited_for() {
    World::each("files_own_pipe", |w| {
        w.user("42", 1).user("7", 1);
        let file = path(w, "input");
        pipe(&file);
        let mut running =
            Running::start(&mut w.command(&["logout-user", "7", "--from-file", text(&file)]));
        has_opened_file(&file, &mut running);
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert!(is_open(&file, &mut running), "it did not wait");
        fs::write(&file, "42\n").unwrap();
        running.end().ok();
        assert_eq!(w.count(), 0);
        w.user("8", 1);
        let script = "exec \"$@\" --secret-key-file <(sleep 0.3; echo \"$SECRET_KEY\")";
        let mut shell = Command::new("bash");
        shell.args(["-c", script, "bash"]);
        let mut command = w.command(&["logout-user", "8", "--format", "json"]);
        let ran = around(shell, command.env("SECRET_KEY", SECRET_KEY)).ran("").ok();
        assert_eq!(ran.json()["deleted"], json!(1));
    });
}

/// A database of another user's, and what makes a link to it or to its folder.
fn linked(w: &World, name: &str, target: &Path) -> PathBuf {
    let link = path(w, name);
    symlink(target, &link).unwrap();
    link
}

#[test]
fn root_follows_no_link_of_another_to_a_database() {
    let w = World::sqlite("files_database_link");
    w.user("42", 1).expired(1);
    let folder = path(&w, "neighbour");
    fs::create_dir(&folder).unwrap();
    let database = folder.join("db.sqlite3");
    fs::copy(w.url(), &database).unwrap();
    chown(&database, Some(NEIGHBOUR), None).unwrap();
    chown(&folder, Some(NEIGHBOUR), None).unwrap();
    let to_file = linked(&w, "to-file", &database);
    let to_folder = linked(&w, "to-folder", &folder);
    // The first of several links, in the middle, relative.
    let roundabout = linked(&w, "roundabout", Path::new("./to-folder/../neighbour/db.sqlite3"));
    for (url, link) in [
        (to_file.clone(), &to_file),
        (to_folder.join("db.sqlite3"), &to_folder),
        (roundabout.clone(), &to_folder),
        (roundabout, &to_folder.with_file_name("roundabout")),
    ] {
        std::os::unix::fs::lchown(link, Some(SITE), None).unwrap();
        for command in COMMANDS {
            let arguments = [command, &["-d", text(&url)]].concat();
            let ran = run(&w, &arguments);
            assert_ne!(ran.code, 0, "{ran:#?}");
            ran.says(&format!("{} is a link of user {SITE}", link.display()));
        }
        // Root, or whose it is, may have as many names for it as they like; and others only follow what they may open.
        for owner in [0, NEIGHBOUR] {
            std::os::unix::fs::lchown(link, Some(owner), None).unwrap();
            run(&w, &["list", "-d", text(&url)]).ok();
        }
        std::os::unix::fs::lchown(link, Some(SITE), None).unwrap();
        let mut other = Command::new("setpriv");
        other.args(["--reuid", &NEIGHBOUR.to_string(), "--clear-groups"]);
        around(other, &w.command(&["list", "-d", text(&url)])).ran("").ok();
        std::os::unix::fs::lchown(link, Some(0), None).unwrap();
    }
}

/// Leaves the file as a program leaves it that crashes in the middle of a commit.
fn crash(w: &World) {
    let connection = rusqlite::Connection::open(w.url()).unwrap();
    // So small a cache writes to the file before the commit.
    connection
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN; UPDATE django_session SET session_data = 'half of a commit';",
        )
        .unwrap();
    let copies = ["", "-journal"].map(|end| (beside(w, end), fs::read(beside(w, end)).unwrap()));
    drop(connection);
    for (file, content) in copies {
        fs::write(file, content).unwrap();
    }
}

#[test]
fn what_a_crashed_site_left_is_restored() {
    let w = World::sqlite("files_hot_journal");
    for command in [
        &["list", "--format", "count"][..],
        &["stats"],
        &["check"],
        &["doctor"],
        &["logout-user", "42"],
        &["logout-user", "42", "--dry-run"],
        &["purge-expired"],
        &["purge-expired", "--dry-run"],
        &["flush-all", "--yes"],
        &["backfill"],
    ] {
        w.execute("DELETE FROM django_session");
        w.user("42", 200).user("7", 1).expired(if command == ["check"] { 0 } else { 3 });
        crash(&w);
        let ran = run(&w, command);
        assert!(!ran.stderr.contains("error") && !ran.stdout.contains("problem "), "{ran:#?}");
        let halves = "django_session WHERE session_data = 'half of a commit'";
        assert_eq!(w.keys_in(halves).len(), 0);
        w.is_sound();
        w.execute("DELETE FROM django_session");
    }
}

/// Leaves a journal that names another file: SQLite would open that file, and remove it.
fn crash_beside(w: &World, other: &Path) {
    crash(w);
    let name = text(other).as_bytes();
    let magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
    let sum = name.iter().map(|byte| usize::from(*byte)).sum();
    // For a page that no file has: that of its locks.
    let page = (1 << 30) / 4096 + 1;
    let record = [&number(page)[..], name, &number(name.len()), &number(sum), &magic].concat();
    let journal = [fs::read(beside(w, "-journal")).unwrap(), record].concat();
    fs::write(beside(w, "-journal"), journal).unwrap();
}

/// A pipe would be waited for.
#[test]
fn a_journal_that_names_another_file_is_refused() {
    let w = World::sqlite("files_super_journal");
    w.user("42", 200);
    let pipe_of_root = path(&w, "pipe");
    pipe(&pipe_of_root);
    crash_beside(&w, &pipe_of_root);
    all_refuse(&w, "names another file");
    assert!(pipe_of_root.exists());
}

fn user_column() -> UserColumn {
    UserColumn {
        name: "user_id".into(),
        kind: UserType::Bigint,
        width: None,
        indexed: false,
        users: None,
    }
}

type Step = fn(&mut (dyn Writer + '_), &str) -> Result<(), StoreError>;

/// It may come while a command runs.
#[test]
fn a_journal_that_comes_before_a_batch_is_refused_by_the_batch() {
    let w = World::sqlite("files_late_journal");
    w.user("42", 200);
    let keys = w.session_keys();
    let clock = WallClock::in_zone("UTC").unwrap();
    let store = Sqlite::new(w.url().into(), Table::default(), clock);
    let steps: [(&str, Step); 10] = [
        ("delete", |writer, key| writer.delete(&[key]).map(|_| ())),
        ("count", |writer, key| writer.count(&[key]).map(|_| ())),
        ("read", |writer, key| writer.read(&[key]).map(|_| ())),
        ("replace", |writer, key| {
            let (key, old, new) = (key, &Was::from("x"), "y");
            writer.replace(&[Replacement { key, old, new }]).map(|_| ())
        }),
        ("pick", |writer, _| writer.pick_expired(Timestamp::now(), None, 10).map(|_| ())),
        ("delete expired", |writer, _| {
            writer.delete_expired(&["1"], Timestamp::now(), Locked::Wait).map(|_| ())
        }),
        ("analyze", |writer, _| writer.analyze()),
        ("truncate", |writer, _| writer.truncate()),
        ("add a column", |writer, _| writer.add_user_column(&user_column())),
        ("index", |writer, _| writer.index_user_column(&user_column())),
    ];
    let victim = path(&w, "victim");
    for (name, step) in steps {
        let whole = fs::read(w.url()).unwrap();
        fs::write(&victim, "as it was").unwrap();
        let mut writer = store.writer(Consent::from_ask(Ask::Explicit).unwrap()).unwrap();
        assert_eq!(writer.count(&[&keys[0]]).unwrap(), 1);
        crash_beside(&w, &victim);
        fs::write(w.url(), whole).unwrap();
        let budget = writer.batch_budget();
        assert!(victim.exists(), "before {name}: {budget:?}");
        let refused = step(&mut *writer, &keys[0]);
        let is_refused = |error: &StoreError| {
            error.source().is_some_and(|cause| cause.to_string().contains("names another file"))
        };
        assert!(refused.as_ref().is_err_and(is_refused), "{name}: {refused:?}");
        assert!(victim.exists(), "{name}");
        fs::remove_file(beside(&w, "-journal")).unwrap();
    }
    assert_eq!(w.session_keys(), keys);
}

/// SQLite looks for the log beside the name that it is given, so it would not see what the site wrote last.
#[test]
fn a_file_in_wal_mode_that_has_another_name_is_refused() {
    let w = World::sqlite("files_wal_names");
    w.user("42", 1);
    let site = rusqlite::Connection::open(w.url()).unwrap();
    let other = path(&w, "other.sqlite3");
    let folder = path(&w, "mounted");
    fs::create_dir(&folder).unwrap();
    let mounted = folder.join("db.sqlite3");
    fs::write(&mounted, "").unwrap();
    let mount = "mount --bind \"$0\" \"$1\" || exit 99; shift; exec \"$@\"";
    let here = |command: &[&str]| run(&w, &[command, &["-d", text(&other)]].concat());
    let there = |command: &[&str]| {
        let mut shell = Command::new("unshare");
        shell.args(["-m", "sh", "-c", mount, &w.url(), text(&mounted)]);
        let mut command = w.command(&[command, &["-d", text(&mounted)]].concat());
        around(shell, command.env("SECRET_KEY", SECRET_KEY)).ran("")
    };
    for mode in ["delete", "wal"] {
        site.pragma_update(None, "journal_mode", mode).unwrap();
        let is_wal = mode == "wal";
        site.execute("UPDATE django_session SET expire_date = expire_date", []).unwrap();
        for command in [&["list"][..], &["logout-user", "7"], &["purge-expired"]] {
            fs::hard_link(w.url(), &other).unwrap();
            let hard = here(command);
            fs::remove_file(&other).unwrap();
            for (name, ran) in [(&other, hard), (&mounted, there(command))] {
                if is_wal {
                    ran.exits(1)
                        .says("in WAL mode and has another name")
                        .says(&format!("hint: `find / -samefile {}`", text(name)))
                        .says("remove those that the site does not use");
                } else {
                    ran.ok();
                }
            }
        }
        for folder in [w.url(), text(&mounted).to_owned()] {
            let folder = Path::new(&folder).parent().unwrap();
            let mut names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            assert!(!names.any(|name| name.to_str().unwrap().starts_with("other")));
        }
        // By its own name it is what it was.
        run(&w, &["list"]).ok();
    }
}

#[test]
fn who_may_not_restore_it_is_told_what_does() {
    let w = World::sqlite("files_hot_read_only");
    w.user("42", 200);
    crash(&w);
    set_mode(Path::new(&w.url()), 0o444);
    let run = |command: &[&str]| crate::errors::bound_by_permissions(&w, command).ran("");
    run(&["list"])
        .exits(1)
        .says("restore")
        .says("in the middle of a commit")
        .says("start the site");
    assert!(beside(&w, "-journal").exists());
}

#[test]
fn a_path_is_a_path() {
    let w = World::sqlite("files_paths");
    w.user("42", 1);
    let whole = fs::read(w.url()).unwrap();
    w.user("42", 1);
    let folder = PathBuf::from(w.url()).parent().unwrap().to_owned();
    for name in [
        "file:db.sqlite3?immutable=1",
        "file:db.sqlite3?mode=memory",
        "file:db.sqlite3",
        "db.sqlite3?mode=ro",
        "db.sqlite3#x",
        "db%2Esqlite3",
        ":memory:",
        " db.sqlite3",
    ] {
        let mut command = w.command(&["logout-user", "42", "--format", "json", "-d", name]);
        command.env("SECRET_KEY", SECRET_KEY).current_dir(&folder);
        command.ran("").exits(1).says("No such file");
        fs::write(folder.join(name), &whole).unwrap();
        let ran = command.ran("").ok();
        assert_eq!(ran.json()["deleted"], json!(1), "{name}: {ran:#?}");
        assert_eq!(w.count(), 2, "{name} is another file");
    }
}

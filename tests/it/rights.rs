//! With whose rights root works on a site's file. These tests are root: they make files of other users.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::errors::set_mode;
use crate::running::{Running, eventually};
use crate::world::{Ran, RunToEnd, World, around};

/// Users of this machine that are nobody in particular.
const SITE: u32 = 4811;
const NEIGHBOUR: u32 = 4812;

/// The database of a world in a folder `site` of its own, both of this user.
struct Site {
    world: World,
    folder: PathBuf,
    database: PathBuf,
}

impl Site {
    fn new(name: &str, fill: impl FnOnce(&World)) -> Self {
        let world = World::sqlite(name);
        fill(&world);
        let folder = PathBuf::from(world.url()).with_file_name("site");
        let database = folder.join("db.sqlite3");
        fs::create_dir(&folder).unwrap();
        fs::rename(world.url(), &database).unwrap();
        let site = Self { world, folder, database };
        site.belongs_to(SITE, SITE);
        site
    }

    fn belongs_to(&self, folder: u32, file: u32) {
        chown(&self.folder, Some(folder), Some(folder)).unwrap();
        chown(&self.database, Some(file), Some(file)).unwrap();
    }

    fn beside(&self, end: &str) -> PathBuf {
        let mut path = self.database.clone().into_os_string();
        path.push(end);
        path.into()
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let database = self.database.to_str().unwrap();
        Running::start(&mut self.world.command(&[arguments, &["-d", database]].concat()))
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).end()
    }

    fn rows(&self) -> u32 {
        let file = rusqlite::Connection::open(&self.database).unwrap();
        file.query_row("SELECT count(*) FROM django_session", [], |row| row.get(0)).unwrap()
    }

    /// A folder that only root may look into.
    fn folder_of_root(&self) -> PathBuf {
        let folder = self.folder.with_file_name("root");
        fs::create_dir(&folder).unwrap();
        set_mode(&folder, 0o700);
        folder
    }
}

/// From now on each row takes seconds to be deleted, and a journal is there meanwhile.
const SLOW: &str = "CREATE TABLE kept (x); CREATE TRIGGER slow BEFORE DELETE ON django_session BEGIN
    INSERT INTO kept VALUES (1);
    INSERT INTO kept SELECT max(i) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000000) SELECT i FROM n);
    END";

/// SQLite removes the journal by its path.
#[test]
fn a_folder_that_is_replaced_leads_root_to_no_journal_of_another_site() {
    let site = Site::new("rights_swap", |w| {
        w.expired(1).execute(SLOW);
    });
    let other = site.folder.with_file_name("other");
    let journal = other.join("db.sqlite3-journal");
    fs::create_dir(&other).unwrap();
    fs::write(&journal, "what the other site needs").unwrap();
    let mut running = site.start(&["purge-expired"]);
    eventually("a journal", || site.beside("-journal").exists());
    fs::rename(&site.folder, site.folder.with_file_name("real")).unwrap();
    symlink(&other, &site.folder).unwrap();
    assert!(!running.is_over());
    running.end();
    assert_eq!(fs::read_to_string(&journal).unwrap(), "what the other site needs");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1);
}

#[test]
fn what_is_made_beside_the_database_is_its_owners() {
    let site = Site::new("rights_owner", |w| {
        w.expired(1).execute(SLOW);
    });
    let running = site.start(&["purge-expired"]);
    for end in ["-sessctl", "-journal"] {
        eventually(end, || site.beside(end).exists());
        let status = fs::metadata(site.beside(end)).unwrap();
        assert_eq!((status.uid(), status.gid()), (SITE, SITE), "{end}");
    }
    running.end().ok();
    assert_eq!(site.rows(), 0);
}

/// Two processes of root find each other, though neither has root's rights at that time.
#[test]
fn another_purge_of_root_is_recognized() {
    let site = Site::new("rights_two", |w| {
        w.expired(50);
    });
    let mut running = site.start(&["purge-expired", "--batch-size", "1", "--sleep", "100ms"]);
    eventually("the lock", || site.beside("-sessctl").exists());
    site.run(&["purge-expired", "--skip-if-running"]).ok().says("another");
    assert!(!running.is_over());
    running.end().ok();
}

#[test]
fn what_the_operator_names_is_opened_with_the_operators_rights() {
    let site = Site::new("rights_operator", |w| {
        w.user("42", 1).expired(3);
    });
    let folder = site.folder_of_root();
    let file = |name: &str| folder.join(name);
    let named = |name: &str| file(name).to_str().unwrap().to_owned();
    fs::write(file("pause"), "").unwrap();
    let mut running = site.start(&[
        "purge-expired",
        "--pause-file",
        &named("pause"),
        "--metrics-file",
        &named("metrics"),
        "--audit-file",
        &named("audit"),
    ]);
    eventually("the lock", || site.beside("-sessctl").exists());
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!running.is_over(), "it pauses");
    assert_eq!(site.rows(), 4);
    fs::remove_file(file("pause")).unwrap();
    running.end().ok();
    assert_eq!(site.rows(), 1);
    for (name, mode) in [("metrics", 0o644), ("audit", 0o600)] {
        let status = fs::metadata(file(name)).unwrap();
        assert_eq!((status.uid(), status.gid(), status.mode() & 0o777), (0, 0, mode), "{name}");
    }
    fs::write(file("users"), "42\n").unwrap();
    let ran = site.run(&[
        "logout-user",
        "7",
        "--from-file",
        &named("users"),
        "--audit-file",
        &named("audit"),
    ]);
    ran.ok();
    assert_eq!(site.rows(), 0);
    let record = fs::read_to_string(file("audit")).unwrap();
    assert_eq!(record.lines().count(), 4);
    assert!(record.lines().all(|line| line.contains("\"uid\":0")), "{record}");
    site.run(&["django-code", "--app", "app", "--output", &named("app")]).ok();
    assert!(file("app/models.py").exists());
}

#[test]
fn a_file_of_root_where_others_can_put_something_beside_it_is_refused() {
    let site = Site::new("rights_shared", |w| {
        w.expired(1);
    });
    site.belongs_to(0, 0);
    // An access control list shows its mask as the mode of the group, root's own, too.
    for (group, mode) in [(NEIGHBOUR, 0o775), (0, 0o775), (0, 0o757), (0, 0o1777)] {
        chown(&site.folder, Some(0), Some(group)).unwrap();
        set_mode(&site.folder, mode);
        for command in [&["list"][..], &["purge-expired"]] {
            let ran = site.run(command).exits(1).says("others can change the folder");
            ran.says("hint: ").says("as the user of the site");
        }
    }
    chown(&site.folder, Some(0), Some(0)).unwrap();
    set_mode(&site.folder, 0o755);
    site.run(&["list"]).ok();
    // With the rights of whoever owns the folder, who may read the file and not write it.
    site.belongs_to(SITE, 0);
    site.run(&["list"]).ok();
    let alone = format!("rights of user {SITE} alone");
    site.run(&["purge-expired"]).exits(1).says("may not be written").says(&alone);
    set_mode(&site.database, 0o600);
    site.run(&["list"]).exits(1).says("cannot open").says(&alone);
}

/// As the documentation of Django has it: the code is one user's, and the site runs as another, in the group of its folder.
#[test]
fn the_folder_may_be_another_users_where_the_owner_of_the_file_can_write_to_it() {
    let site = Site::new("rights_group", |w| {
        w.expired(3);
    });
    chown(&site.folder, Some(NEIGHBOUR), Some(SITE)).unwrap();
    set_mode(&site.folder, 0o775);
    let chosen = format!("user {NEIGHBOUR} owns the folder");
    site.run(&["list", "--all"]).ok().says(&chosen).says(&format!("file of user {SITE}"));
    let ran = site.run(&["purge-expired", "--quiet"]).ok();
    assert_eq!((ran.stderr.as_str(), site.rows()), ("", 0));
    // Else whoever made the link could have a victim's file changed by a journal of their own.
    fs::hard_link(&site.database, site.folder.join("other")).unwrap();
    for command in [&["list"][..], &["purge-expired"], &["check"]] {
        let ran = site.run(command);
        assert_ne!(ran.code, 0, "{ran:#?}");
        ran.says("second name");
    }
}

/// SQLite could do nothing as the owner of the file there.
#[test]
fn the_owner_of_the_folder_works_where_the_owner_of_the_file_cannot() {
    let site = Site::new("rights_folder", |w| {
        w.expired(3).execute(SLOW);
    });
    site.belongs_to(NEIGHBOUR, SITE);
    // Whoever moved the file of another there can do no more to it than before.
    let ran = site.run(&["purge-expired"]).exits(1).says("may not be written");
    ran.says(&format!("rights of user {NEIGHBOUR} alone"));
    assert_eq!(site.rows(), 3);
    chown(&site.database, Some(SITE), Some(NEIGHBOUR)).unwrap();
    set_mode(&site.database, 0o664);
    let running = site.start(&["purge-expired"]);
    eventually("a journal", || site.beside("-journal").exists());
    let status = fs::metadata(site.beside("-journal")).unwrap();
    assert_eq!(status.uid(), NEIGHBOUR);
    let ran = running.end().ok();
    assert!(!ran.stderr.contains("owns the folder"), "{ran:#?}");
    assert_eq!(site.rows(), 0);
}

/// There the root of the machine, who owns the folders above, is a user whom nobody knows.
#[test]
fn root_of_a_user_namespace_works_on_its_own_files() {
    let site = Site::new("rights_namespace", |w| {
        w.expired(3);
    });
    let mut shell = Command::new("setpriv");
    let user = SITE.to_string();
    shell.args([
        "--reuid",
        &user,
        "--regid",
        &user,
        "--clear-groups",
        "unshare",
        "--map-root-user",
    ]);
    let database = site.database.to_str().unwrap();
    let command = site.world.command(&["purge-expired", "-d", database]);
    around(shell, &command).ran("").ok();
    assert_eq!(site.rows(), 0);
}

#[test]
fn a_file_that_its_owner_cannot_reach_is_refused() {
    let site = Site::new("rights_reach", |w| {
        w.expired(1);
    });
    let inside = site.folder_of_root().join("site");
    fs::rename(&site.folder, &inside).unwrap();
    let database = inside.join("db.sqlite3");
    let list = ["list", "-d", database.to_str().unwrap()];
    let ran = Running::start(&mut site.world.command(&list)).end();
    ran.exits(1).says(&format!("user {SITE}")).says("Permission denied").says("the owner runs");
    // Where nobody else can put anything, root has all its rights.
    chown(&inside, Some(0), Some(0)).unwrap();
    Running::start(&mut site.world.command(&list)).end().ok();
}

/// The owner of the file need not get to the link that root names.
#[test]
fn a_link_of_root_is_followed_with_the_rights_of_root() {
    let site = Site::new("rights_link", |w| {
        w.expired(1);
    });
    let link = site.folder_of_root().join("link.sqlite3");
    symlink(&site.database, &link).unwrap();
    let purge = ["purge-expired", "-d", link.to_str().unwrap()];
    Running::start(&mut site.world.command(&purge)).end().ok();
    assert_eq!(site.rows(), 0);
}

/// A lock would be held on the other file.
#[test]
fn the_lock_has_no_second_name() {
    let site = Site::new("rights_lock", |w| {
        w.expired(1);
    });
    let victim = Path::new(&site.world.file("victim", "as it was")).to_owned();
    chown(&victim, Some(SITE), None).unwrap();
    fs::hard_link(&victim, site.beside("-sessctl")).unwrap();
    site.run(&["purge-expired"]).exits(1).says("second name");
    assert_eq!(site.rows(), 1);
    assert!(victim.metadata().unwrap().permissions().mode() != 0);
}

/// A purge of another member of the group makes it so, and a crash leaves it.
#[test]
fn a_lock_that_another_user_keeps_to_themselves_is_roots_to_take() {
    let site = Site::new("rights_kept", |w| {
        w.expired(1);
    });
    let lock = site.beside("-sessctl");
    fs::write(&lock, "").unwrap();
    set_mode(&lock, 0o600);
    chown(&lock, Some(NEIGHBOUR), None).unwrap();
    let mut shell = Command::new("setpriv");
    shell.args(["--reuid", &SITE.to_string(), "--clear-groups"]);
    let database = site.database.to_str().unwrap();
    let ran = around(shell, &site.world.command(&["purge-expired", "-d", database])).ran("");
    ran.exits(1).says(&format!("belongs to user {NEIGHBOUR}")).says("remove it");
    let file = fs::File::open(&lock).unwrap();
    file.lock().unwrap();
    site.run(&["purge-expired", "--skip-if-running"]).exits(3).says("nothing was purged");
    file.unlock().unwrap();
    assert_eq!(site.rows(), 1);
    site.run(&["purge-expired"]).ok();
    assert_eq!((site.rows(), lock.exists()), (0, false));
}

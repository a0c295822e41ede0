//! What a role can do that may do little: see to it that nobody needs to be a superuser. What each command needs,
//! `doctor_postgres` takes away one by one.

use crate::role::Role;
use crate::world::World;

/// Commands that only read.
const READERS: [&[&str]; 12] = [
    &["list"],
    &["list", "--user", "42", "--format", "count"],
    &["show", "00000000"],
    &["stats"],
    &["check", "--max-expired", "10", "--max-age", "9999d"],
    &["doctor"],
    &["doctor", "--grants"],
    &["logout-user", "42", "--dry-run"],
    &["logout-user", "42", "--keep-data", "--dry-run"],
    &["purge-expired", "--dry-run"],
    &["flush-all", "--dry-run"],
    &["backfill", "--dry-run"],
];

/// Commands that delete.
const DELETERS: [(&[&str], &str); 4] = [
    (&["logout-user", "42"], "2 sessions deleted, none is left"),
    (&["purge-expired"], "Purged 2 expired sessions"),
    (&["flush-all", "--yes", "--except-user", "7"], "4 sessions deleted, nobody else is logged in"),
    (&["flush-all", "--yes", "--authenticated-only"], "3 sessions deleted, nobody is logged in"),
];

/// Two sessions of user 42, one of user 7, two that have expired.
fn fill(w: &World) {
    w.execute("DELETE FROM django_session");
    w.user("42", 2).user("7", 1).expired(2);
}

#[test]
fn who_may_only_read_can_look_at_everything_and_change_nothing() {
    let w = World::postgres("privileges_read");
    fill(&w);
    let role = Role::new(&w, "may_read");
    w.execute(&format!("GRANT SELECT ON django_session TO {}", role.name));
    let before = w.session_keys();
    for command in READERS {
        let ran = role.run(command);
        // That it may do no more, doctor takes for a warning.
        assert_eq!(ran.code, 0, "{command:?}: {ran:#?}");
    }
    for (command, _) in DELETERS {
        role.run(command).refuses(1, &["lacks the DELETE privilege", "GRANT DELETE"]);
    }
    assert_eq!(w.session_keys(), before);
}

#[test]
fn who_may_read_and_delete_can_log_out_and_purge() {
    let w = World::postgres("privileges_delete");
    let role = Role::new(&w, "may_delete");
    w.execute(&format!("GRANT SELECT, DELETE ON django_session TO {}", role.name));
    for (command, says) in DELETERS {
        fill(&w);
        role.run(command).ok().says(says);
    }
    fill(&w);
    for command in [
        &["logout-user", "42", "--keep-data"][..],
        &["flush-all", "--yes", "--keep-data"],
        &["backfill"],
    ] {
        let before = w.session_keys();
        let ran = role.run(command).exits(1);
        assert!(ran.stderr.contains("error: ") && ran.stderr.contains("hint: "), "{ran:#?}");
        assert_eq!(w.session_keys(), before);
    }
}

//! A small table, what each command that changes tables does to it, and what must hold however that is disturbed: nobody
//! else's session goes, the report says what was done, and another run ends well.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::backfill::{schema, told};
use crate::world::{Ran, RunToEnd, SECRET_KEY, World};

/// A command, and the fields of its report.
pub(crate) struct Work {
    pub(crate) command: &'static [&'static str],
    /// Those that count what was done.
    counts: &'static [&'static str],
    /// Those that are 0 when all is done.
    zeros: &'static [&'static str],
    /// How many rows there are to be done.
    pub(crate) to_do: u32,
}

/// Rows of user 42, and as many that have expired.
const MATCHES: u32 = 12;
/// Rows of user 7, who is not to notice anything.
const OTHERS: u32 = 5;
/// Rows in a transaction.
const BATCH: u64 = 3;

pub(crate) const LOGOUT: Work = Work {
    command: &["logout-user", "42", "--batch-size", "3"],
    counts: &["deleted"],
    zeros: &["remaining"],
    to_do: MATCHES,
};
pub(crate) const PURGE: Work = Work {
    command: &["purge-expired", "--batch-size", "3"],
    counts: &["deleted"],
    zeros: &["left", "locked"],
    to_do: MATCHES,
};
pub(crate) const FLUSH: Work = Work {
    command: &["flush-all", "--yes", "--except-user", "7", "--batch-size", "3"],
    counts: &["deleted"],
    zeros: &["remaining"],
    to_do: 2 * MATCHES,
};
pub(crate) const DELETE: Work = Work {
    command: &["delete", "--match", "_auth_user_id=42", "--yes", "--batch-size", "3"],
    counts: &["deleted"],
    zeros: &["remaining"],
    to_do: MATCHES,
};
pub(crate) const KEEP: Work = Work {
    command: &["flush-all", "--yes", "--except-user", "7", "--keep-data", "--batch-size", "3"],
    counts: &["deleted", "rewritten"],
    zeros: &["remaining"],
    to_do: MATCHES,
};
pub(crate) const BACKFILL: Work = Work {
    command: &["backfill", "--batch-size", "3"],
    counts: &["filled"],
    zeros: &["missing", "different"],
    to_do: MATCHES + OTHERS,
};
pub(crate) const ALL: [Work; 6] = [LOGOUT, PURGE, FLUSH, DELETE, KEEP, BACKFILL];

/// The table as it was.
pub(crate) struct Before {
    data: BTreeMap<String, Option<String>>,
    of_others: BTreeMap<String, Option<String>>,
}

impl Before {
    /// Fills an empty table, and remembers it.
    pub(crate) fn fill(w: &World) -> Self {
        w.user("7", OTHERS);
        let of_others = told(w, "session_data");
        w.user("42", MATCHES).expired(MATCHES);
        Self { data: told(w, "session_data"), of_others }
    }
}

impl Work {
    /// For the name of a database.
    pub(crate) fn name(&self) -> String {
        let words = self.command.iter().filter(|word| word.len() > 3 || word.starts_with("--k"));
        words.map(|word| &word[..4]).collect::<String>().replace('-', "_")
    }

    /// The program, about to do it on this database, with such rests between batches.
    pub(crate) fn on(&self, w: &World, rest: &str) -> Command {
        let mut command = w.command(self.command);
        command.args(["--format", "json", "--sleep", rest]).env("SECRET_KEY", SECRET_KEY);
        command
    }

    /// How many rows it has done something to.
    pub(crate) fn done(&self, w: &World, before: &Before) -> u64 {
        let data = told(w, "session_data");
        let gone = before.data.keys().filter(|key| !data.contains_key(*key)).count();
        let rewritten = data.iter().filter(|(key, data)| before.data[*key] != **data).count();
        let backfilled = schema(w).iter().any(|item| item.contains("user_id"));
        let filled = if backfilled { self.filled(w, before) } else { 0 };
        (gone + rewritten + filled).try_into().unwrap()
    }

    /// How many rows say whose they are, none of which may be wrong.
    fn filled(&self, w: &World, before: &Before) -> usize {
        let stamps = told(w, "user_id").into_iter();
        let filled: Vec<_> = stamps.filter_map(|(key, user)| Some((key, user?))).collect();
        for (key, user) in &filled {
            let is_of_7 = before.of_others.contains_key(key);
            assert_eq!(&**user, if is_of_7 { "7" } else { "42" }, "{:?}: {key}", self.command);
        }
        filled.len()
    }

    fn sum(report: &Value, fields: &[&str]) -> u64 {
        fields.iter().filter_map(|field| report[field].as_u64()).sum()
    }

    /// Looks that sessions of others are as they were.
    pub(crate) fn spares_others(w: &World, before: &Before, what: &str) {
        let left = told(w, "session_data");
        for (key, data) in &before.of_others {
            assert_eq!(left.get(key), Some(data), "{what}: a session of another user");
        }
    }

    /// Looks at what a run left that ended in good order, and whether its report is true to the row.
    pub(crate) fn is_true(&self, w: &World, before: &Before, ran: &Ran, what: &str) {
        Self::spares_others(w, before, what);
        let done = self.done(w, before);
        let said = if ran.stdout.is_empty() { 0 } else { Self::sum(&ran.json(), self.counts) };
        assert_eq!(said, done, "{what}: that many rows were done: {ran:#?}");
        self.exits_well_when_done(done, ran, what);
        if ran.code > 128 && !ran.stdout.is_empty() {
            // The look that tells was not taken, or not to its end; how much a purge leaves is counted all the same.
            assert_eq!(ran.json()["remaining"], Value::Null, "{what}: {ran:#?}");
            let left = ran.json()["left"].as_u64();
            let there = u64::try_from(w.count() - w.live_keys().len()).unwrap();
            assert!(left.is_none_or(|left| left == there), "{what}: {there} are left: {ran:#?}");
        }
    }

    /// The same of a run that may have lost its connection. A COMMIT whose answer was lost is the one
    /// thing that nobody can know of.
    pub(crate) fn was_lost(&self, w: &World, before: &Before, ran: &Ran, what: &str) {
        Self::spares_others(w, before, what);
        assert!([0, 1, 3].contains(&ran.code), "{what}: {ran:#?}");
        if ran.code == 3 {
            // All is done, and what is left could not be counted, or other session tables not be looked for.
            let unknown = ran.json()["doubts"] == json!([{"doubt": "tables_unknown"}]);
            let uncounted = ran.stderr.contains("warning: cannot look back");
            assert!(uncounted || unknown, "{what}: {ran:#?}");
            assert_eq!(ran.json()["left"], Value::Null, "{what}: {ran:#?}");
            let done = self.done(w, before);
            assert!(uncounted || done == u64::from(self.to_do), "{what}: {ran:#?}");
        }
        if ran.code == 1 {
            let label = |label: &str| ran.stderr.lines().any(|line| line.starts_with(label));
            assert!(label("error: ") && label("cause: "), "{what}: {ran:#?}");
        }
        let done = self.done(w, before);
        let said = if ran.stdout.is_empty() { 0 } else { Self::sum(&ran.json(), self.counts) };
        assert!((said..=said + BATCH).contains(&done), "{what}: {done} rows were done: {ran:#?}");
        assert!(done == 0 || !ran.stdout.is_empty(), "{what}: {done} rows, unsaid: {ran:#?}");
        self.exits_well_when_done(done, ran, what);
    }

    fn exits_well_when_done(&self, done: u64, ran: &Ran, what: &str) {
        if ran.code == 0 {
            assert_eq!(Self::sum(&ran.json(), self.zeros), 0, "{what}: {ran:#?}");
            assert_eq!(done, u64::from(self.to_do), "{what}: {ran:#?}");
        }
    }

    /// Runs it undisturbed, and looks that all is done.
    pub(crate) fn ends_well(&self, w: &World, before: &Before, what: &str) {
        let what = format!("{what}, run again");
        let ran = self.on(w, "0s").ran("");
        assert_eq!(ran.code, 0, "{what}: {ran:#?}");
        Self::spares_others(w, before, &what);
        self.exits_well_when_done(self.done(w, before), &ran, &what);
        if w.is_sqlite() {
            w.is_sound();
        }
    }
}

//! The report of `logout-user`, as data.

use std::collections::HashSet;

use serde::Serialize;

use crate::model::Tally;
use crate::report::{
    Doubt, ListedSession, Matches, NamedUser, Proof, Referenced, ResolvedUser, Sum, add_named,
    both, same,
};

/// What `logout-user` did.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct LogoutReport {
    /// `logout-user`.
    pub command: &'static str,
    /// The ids that were asked for, as they were given.
    pub users: Vec<String>,
    /// Those of them who were named otherwise than by their ids.
    pub resolved: Vec<ResolvedUser>,
    /// All users who were named, each once.
    pub named: Vec<NamedUser>,
    /// The table of users that was believed: in which they were looked up, or which says whether they exist.
    pub user_table: Option<String>,
    /// Some of the ids of sessions that stayed because the key of the table of users cannot hold them.
    pub unfit_ids: Vec<String>,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// Rows that the first look read.
    pub scanned: u64,
    /// Sessions of these users that all looks found, less the one that was excepted, and what the last look could not
    /// tell.
    #[serde(flatten)]
    pub matches: Matches,
    /// All live rows, by what they are: of the last look that read all of them.
    pub tally: Tally,
    /// What is proved.
    pub verdict: Proof,
    /// Why nothing is proved, although no session is left that was looked for.
    pub doubts: Vec<Doubt>,
    /// Keys that signatures were checked with: `SECRET_KEY` and its fallbacks. Without one, none was checked.
    pub secret_keys: usize,
    /// Rows deleted.
    pub deleted: u64,
    /// Rows of django-allauth's deleted with them; `None` without `--cleanup-allauth` and in a dry run.
    pub allauth_deleted: Option<u64>,
    /// Rows written anew without their login, with `--keep-data`.
    pub rewritten: u64,
    /// Sessions that the last look found; `None` if there was no look after the last delete.
    pub remaining: Option<u64>,
    /// Sessions that were deleted and are there: a trigger or a rule keeps them, or the site wrote them back.
    pub not_deleted: u64,
    /// Sessions that stay because other tables refer to them.
    #[serde(flatten)]
    pub kept: Referenced,
    /// How often sessions were looked for and deleted: more than once if some came back.
    pub rounds: u32,
    /// The column that sessions were looked up by, if there was one.
    pub user_column: Option<String>,
    /// Whether the proof rests on what that column says.
    pub by_column: bool,
    /// Whether a cache in front of the table may still hold these sessions.
    pub cached: bool,
    /// Transactions committed.
    pub batches: u64,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
    /// Whether users were asked for by what the site knows of them.
    #[serde(skip)]
    pub of_selected: bool,
    /// Whether users were asked for who exist no longer.
    #[serde(skip)]
    pub of_deleted: bool,
    /// Whether sessions only lose their login.
    #[serde(skip)]
    pub keep_data: bool,
    /// Whether one session was to stay.
    #[serde(skip)]
    pub excepted: bool,
    /// Whether only sessions saved at some time were to go.
    #[serde(skip)]
    pub of_a_time: bool,
    /// Whether sessions that no key verifies were to stay.
    #[serde(skip)]
    pub verified_only: bool,
    /// Whether nobody said which engine the site runs.
    #[serde(skip)]
    pub engine_unknown: bool,
    /// Whether there is a doubt, whatever was found in the end.
    #[serde(skip)]
    pub unsure: bool,
    /// Whether it came to an early end.
    #[serde(skip)]
    pub stopped: bool,
    /// Whether that was a failure.
    #[serde(skip)]
    pub failed: bool,
    /// Whether it is of one schema of several.
    #[serde(skip)]
    pub of_a_schema: bool,
    /// Whether it is a sum, and some schemas failed, were not begun, or came to an early end.
    #[serde(skip)]
    pub others_unknown: bool,
    /// Some of what a dry run found, for a person to look at.
    #[serde(skip)]
    pub preview: Vec<ListedSession>,
}

/// Unfit ids that a sum names.
const MOST_UNFIT_IDS: usize = 5;

impl Sum for LogoutReport {
    fn begin(&self) -> Self {
        Self {
            preview: Vec::new(),
            of_a_schema: false,
            others_unknown: self.stopped,
            stopped: false,
            failed: false,
            ..self.clone()
        }
    }

    fn add(&mut self, other: &Self) {
        let known: HashSet<&str> = self.users.iter().map(String::as_str).collect();
        let new = other.users.iter().filter(|user| !known.contains(user.as_str())).cloned();
        let new: Vec<_> = new.collect();
        self.users.extend(new);
        add_named(&mut self.named, &other.named);
        self.resolved.extend(other.resolved.iter().cloned());
        same(&mut self.user_table, other.user_table.as_deref());
        let room = MOST_UNFIT_IDS.saturating_sub(self.unfit_ids.len());
        self.unfit_ids.extend(other.unfit_ids.iter().take(room).cloned());
        self.scanned += other.scanned;
        self.matches += other.matches;
        self.tally += other.tally;
        self.verdict = self.verdict.and(other.verdict);
        self.doubts.extend(other.doubts.iter().cloned());
        self.deleted += other.deleted;
        self.allauth_deleted = both(self.allauth_deleted, other.allauth_deleted);
        self.rewritten += other.rewritten;
        self.remaining = both(self.remaining, other.remaining);
        self.not_deleted += other.not_deleted;
        self.kept.add(&other.kept);
        self.rounds = self.rounds.max(other.rounds);
        same(&mut self.user_column, other.user_column.as_deref());
        self.by_column |= other.by_column;
        self.cached |= other.cached;
        self.batches += other.batches;
        self.elapsed_seconds += other.elapsed_seconds;
        self.unsure |= other.unsure;
        self.others_unknown |= other.stopped;
    }

    fn others_are_unknown(&mut self) {
        self.remaining = None;
        self.verdict = Proof::Unknown;
        self.unsure = true;
        self.others_unknown = true;
    }

    fn changed(&self) -> u64 {
        self.deleted + self.rewritten
    }
}

//! The report of `logout-user`, as data.

use std::collections::HashSet;

use serde::Serialize;

use crate::cli::LogoutUser;
use crate::engine::StopReason;
use crate::model::Tally;
use crate::report::{
    Doubt, ListedSession, Matches, NamedUser, OtherAccess, Proof, Referenced, ReferencesDeleted,
    ResolvedUser, Sum, add_named, both, same,
};
use crate::sessions::delete_until_gone::Outcome;

/// The report of `logout-user`.
#[derive(Clone, Debug, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub struct LogoutReport {
    /// `logout-user`.
    pub command: &'static str,
    /// The ids as the operator gave them.
    pub users: Vec<String>,
    /// Users who were selected by something other than their ids.
    pub resolved: Vec<ResolvedUser>,
    /// All users who were named, each once.
    pub named: Vec<NamedUser>,
    /// The table of users in which they were looked up, or which tells whether they exist.
    pub user_table: Option<String>,
    /// Some of the ids of sessions that stayed because the key of the table of users cannot hold them.
    pub unfit_ids: Vec<String>,
    /// How many sessions of each user stay, those that were saved last, with `--keep-newest`.
    pub keep_newest: Option<u16>,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// Rows that the first scan read.
    pub scanned: u64,
    /// Sessions of these users that the scans found, without the excepted one, and rows that the last scan
    /// could not classify.
    #[serde(flatten)]
    pub matches: Matches,
    /// All live rows by what they are, from the last scan that read all of them.
    pub tally: Tally,
    /// What the run proved.
    pub verdict: Proof,
    /// Why nothing is proved although the last scan found no session.
    pub doubts: Vec<Doubt>,
    /// Keys that signatures were checked with: `SECRET_KEY` and its fallbacks. Without one, none was checked.
    pub secret_keys: usize,
    /// Deleted rows.
    pub deleted: u64,
    /// Rows of other tables that were deleted with them.
    #[serde(flatten)]
    pub references: ReferencesDeleted,
    /// Rows that were rewritten without their login, with `--keep-data`.
    pub rewritten: u64,
    /// Sessions that the last scan found; `None` if no scan followed the last delete.
    pub remaining: Option<u64>,
    /// Deleted sessions that exist again: a trigger or a rule keeps them, or the site wrote them back.
    pub not_deleted: u64,
    /// Sessions that stay because other tables refer to them.
    #[serde(flatten)]
    pub kept: Referenced,
    /// Rounds of scan and delete: more than one if some came back.
    pub rounds: u32,
    /// The user column by which sessions were found, if there was one.
    pub user_column: Option<String>,
    /// Whether the proof relies on that column.
    pub by_column: bool,
    /// Whether a cache in front of the table may still hold these sessions.
    pub cached: bool,
    /// Entries that were deleted from that cache; `None` if no cache was named.
    pub cache_entries_deleted: Option<u64>,
    /// What lets these users in still, or again.
    #[serde(flatten)]
    pub access: OtherAccess,
    /// Transactions committed.
    pub batches: u64,
    /// Wall-clock time.
    pub elapsed_seconds: f64,
    /// Whether users were selected by something other than their ids.
    #[serde(skip)]
    pub of_selected: bool,
    /// Whether deleted users were selected.
    #[serde(skip)]
    pub of_deleted: bool,
    /// Whether other credentials are ended, too.
    #[serde(skip)]
    pub revokes: bool,
    /// Whether sessions only lose their login.
    #[serde(skip)]
    pub keep_data: bool,
    /// Whether one session was excepted.
    #[serde(skip)]
    pub excepted: bool,
    /// Whether only sessions of a time window were ended.
    #[serde(skip)]
    pub of_a_time: bool,
    /// Whether unverified sessions were spared.
    #[serde(skip)]
    pub verified_only: bool,
    /// Whether the session engine of the site is unknown.
    #[serde(skip)]
    pub engine_unknown: bool,
    /// Whether a doubt remains, even if the last scan found no session.
    #[serde(skip)]
    pub unsure: bool,
    /// Whether it ended early.
    #[serde(skip)]
    pub stopped: bool,
    /// Whether it ended with a failure.
    #[serde(skip)]
    pub failed: bool,
    /// Whether this is the report of one of several schemas.
    #[serde(skip)]
    pub of_a_schema: bool,
    /// Whether this is a sum, and some schemas failed, were not begun, or ended early.
    #[serde(skip)]
    pub others_unknown: bool,
    /// The first sessions that a dry run found, for the operator to check.
    #[serde(skip)]
    pub preview: Vec<ListedSession>,
}

impl LogoutReport {
    /// The report of what was done, without what the outcome does not tell.
    pub(super) fn of(
        args: &LogoutUser,
        users: Vec<String>,
        outcome: &mut Outcome,
        access: OtherAccess,
    ) -> Self {
        // Computed before the doubts are moved.
        let unsure = outcome.is_unsure();
        Self {
            command: "logout-user",
            users,
            dry_run: args.dry_run,
            scanned: outcome.scanned,
            matches: outcome.matches,
            tally: outcome.tally,
            verdict: Proof::Unknown,
            doubts: std::mem::take(&mut outcome.doubts),
            secret_keys: 0,
            deleted: outcome.deleted,
            references: ReferencesDeleted::default(),
            rewritten: outcome.rewritten,
            remaining: outcome.remaining,
            not_deleted: outcome.not_deleted,
            kept: outcome.referenced(),
            rounds: outcome.rounds,
            user_column: None,
            by_column: false,
            batches: outcome.batches,
            elapsed_seconds: 0.0,
            revokes: args.revoke_tokens,
            keep_data: args.keep_data,
            excepted: args.except.is_some(),
            keep_newest: args.keep_newest,
            access,
            of_a_time: args.saved.idle.is_some() || !args.saved.saved_between.is_empty(),
            resolved: Vec::new(),
            named: Vec::new(),
            user_table: None,
            of_selected: args.selectors.is_given(),
            of_deleted: args.selectors.deleted_users,
            unfit_ids: Vec::new(),
            cached: false,
            cache_entries_deleted: None,
            verified_only: args.verified_only,
            engine_unknown: false,
            unsure,
            stopped: outcome.ended.is_err(),
            failed: matches!(outcome.ended, Err(StopReason::Failed(_))),
            of_a_schema: false,
            others_unknown: false,
            preview: std::mem::take(&mut outcome.preview),
        }
    }
}

/// Most unfit ids in a sum.
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
        self.references.add(&other.references);
        self.rewritten += other.rewritten;
        self.remaining = both(self.remaining, other.remaining);
        self.not_deleted += other.not_deleted;
        self.kept.add(&other.kept);
        self.rounds = self.rounds.max(other.rounds);
        same(&mut self.user_column, other.user_column.as_deref());
        self.by_column |= other.by_column;
        self.cached |= other.cached;
        self.cache_entries_deleted = both(self.cache_entries_deleted, other.cache_entries_deleted);
        self.access.add(&other.access);
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

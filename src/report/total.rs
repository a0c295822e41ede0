use std::collections::HashSet;

use serde::Serialize;

use super::named;
use super::{
    BackfillReport, Census, ColumnPlan, Ending, FlushReport, LogoutReport, Paused, Proof,
    PurgeReport,
};

/// What a command did to the session table, or to that of each of several schemas.
#[derive(Debug, Serialize)]
pub struct Total<R> {
    /// All in all; `None` if nothing was done in any schema.
    #[serde(flatten)]
    pub sum: Option<R>,
    /// By schema, if several were meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<InSchema<R>>,
    /// Schemas that it did not come to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_begun: Vec<String>,
}

/// What a command did in one schema.
#[derive(Debug, Serialize)]
pub struct InSchema<R> {
    /// The schema.
    pub schema: String,
    /// What was done; `None` if it failed before that, or there was nothing to do.
    #[serde(flatten)]
    pub report: Option<R>,
    /// What failed.
    pub error: Option<String>,
}

/// A report that can be added to others of its kind.
pub trait Sum: Sized {
    /// The beginning of a sum: without what only one table has.
    fn begin(&self) -> Self;
    /// Adds another.
    fn add(&mut self, other: &Self);
    /// Takes back what can only be said of all of them: others failed or were not begun.
    fn others_are_unknown(&mut self);
    /// Rows that were changed.
    fn changed(&self) -> u64;
}

impl<R: Sum> Total<R> {
    /// Of the one table that was meant.
    pub fn of_one(report: R) -> Self {
        Self { sum: Some(report), schemas: Vec::new(), not_begun: Vec::new() }
    }

    /// Of several.
    pub fn of_many(schemas: Vec<InSchema<R>>, not_begun: Vec<String>) -> Self {
        let mut reports = schemas.iter().filter_map(|part| part.report.as_ref());
        let mut sum = reports.next().map(R::begin);
        if let Some(sum) = &mut sum {
            reports.for_each(|report| sum.add(report));
            if !not_begun.is_empty() || schemas.iter().any(|part| part.error.is_some()) {
                sum.others_are_unknown();
            }
        }
        Self { sum, schemas, not_begun }
    }
}

/// Unfit ids that a sum names.
const MOST_UNFIT_IDS: usize = 5;

/// What is not known of one is not known of both.
fn both(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.zip(other).map(|(one, other)| one + other)
}

fn same(one: &mut Option<String>, other: Option<&str>) {
    if one.as_deref() != other {
        *one = None;
    }
}

impl Ending {
    /// The one that says more of two.
    fn or(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

impl Paused {
    fn add(&mut self, other: Self) {
        self.lag += other.lag;
        self.file += other.file;
    }
}

impl Census {
    /// Adds what is in other rows.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.live_users += other.live_users;
        self.live_anonymous += other.live_anonymous;
        self.live_unverified += other.live_unverified;
        self.live_unverified_users += other.live_unverified_users;
        self.live_unreadable += other.live_unreadable;
        self.live_damaged += other.live_damaged;
        self.expired += other.expired;
    }
}

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
        named::add(&mut self.named, &other.named);
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

impl Sum for PurgeReport {
    fn begin(&self) -> Self {
        self.clone()
    }

    fn add(&mut self, other: &Self) {
        self.deleted += other.deleted;
        self.locked += other.locked;
        self.kept.add(&other.kept);
        self.left = both(self.left, other.left);
        // RFC 3339 in UTC: the order of the texts is that of the times.
        self.oldest_left =
            self.oldest_left.take().into_iter().chain(other.oldest_left.clone()).min();
        self.ended = self.ended.or(other.ended);
        self.paused.add(other.paused);
        self.batches += other.batches;
        self.dead_rows = both(self.dead_rows, other.dead_rows);
        self.elapsed_seconds += other.elapsed_seconds;
    }

    fn others_are_unknown(&mut self) {
        self.left = None;
        self.ended = self.ended.or(Ending::Failed);
    }

    fn changed(&self) -> u64 {
        self.deleted
    }
}

impl Sum for FlushReport {
    fn begin(&self) -> Self {
        self.clone()
    }

    fn add(&mut self, other: &Self) {
        match (&mut self.census, &other.census) {
            (Some(census), Some(other)) => census.add(*other),
            (census, _) => *census = None,
        }
        match (&mut self.tally, &other.tally) {
            (Some(tally), Some(other)) => *tally += *other,
            (tally, _) => *tally = None,
        }
        self.matches += other.matches;
        self.unverified_users += other.unverified_users;
        self.verdict = self.verdict.and(other.verdict);
        self.doubts.extend(other.doubts.iter().cloned());
        self.deleted = both(self.deleted, other.deleted);
        self.allauth_deleted = both(self.allauth_deleted, other.allauth_deleted);
        self.rewritten += other.rewritten;
        self.remaining = both(self.remaining, other.remaining);
        self.not_deleted += other.not_deleted;
        self.kept.add(&other.kept);
        self.rounds = self.rounds.max(other.rounds);
        self.cached |= other.cached;
        self.ended = self.ended.or(other.ended);
        self.paused.add(other.paused);
        self.batches += other.batches;
        self.elapsed_seconds += other.elapsed_seconds;
    }

    fn others_are_unknown(&mut self) {
        self.remaining = None;
        self.verdict = Proof::Unknown;
        self.ended = self.ended.or(Ending::Failed);
    }

    fn changed(&self) -> u64 {
        self.deleted.unwrap_or(0) + self.rewritten
    }
}

impl Sum for BackfillReport {
    fn begin(&self) -> Self {
        let plan = self.plan.as_ref();
        let plan = plan.map(|plan| ColumnPlan { sql: Vec::new(), ..plan.clone() });
        Self { plan, ..self.clone() }
    }

    fn add(&mut self, other: &Self) {
        if let (Some(plan), Some(other)) = (&mut self.plan, &other.plan) {
            plan.exists &= other.exists;
            plan.seconds += other.seconds;
            plan.table_bytes += other.table_bytes;
            plan.index_bytes += other.index_bytes;
        }
        if self.column_type != other.column_type {
            self.column_type = "various";
        }
        self.scanned += other.scanned;
        self.filled += other.filled;
        self.logins += other.logins;
        self.missing = both(self.missing, other.missing);
        self.different += other.different;
        self.misfits += other.misfits;
        self.misfit_ids.extend(other.misfit_ids.iter().cloned());
        self.unknown_users += other.unknown_users;
        same(&mut self.users, other.users.as_deref());
        self.anonymous += other.anonymous;
        self.unverified += other.unverified;
        self.unreadable += other.unreadable;
        self.tally += other.tally;
        self.saved_last_hour += other.saved_last_hour;
        self.missing_last_hour += other.missing_last_hour;
        self.rounds = self.rounds.max(other.rounds);
        self.batches += other.batches;
        self.ended = self.ended.or(other.ended);
        self.paused.add(other.paused);
        self.elapsed_seconds += other.elapsed_seconds;
    }

    fn others_are_unknown(&mut self) {
        self.ended = self.ended.or(Ending::Failed);
    }

    fn changed(&self) -> u64 {
        self.filled
    }
}

//! The report of a command over several schemas: one part for each schema, and their sum.

use serde::Serialize;

use super::{Ending, Paused};

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

/// What is not known of one is not known of both.
pub fn both(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.zip(other).map(|(one, other)| one + other)
}

/// Leaves only what is the same in both.
pub fn same(one: &mut Option<String>, other: Option<&str>) {
    if one.as_deref() != other {
        *one = None;
    }
}

impl Ending {
    /// The one that says more of two.
    pub fn or(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}

impl Paused {
    /// Adds other pauses.
    pub fn add(&mut self, other: Self) {
        self.lag += other.lag;
        self.file += other.file;
    }
}

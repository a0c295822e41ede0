//! The report of a command over several schemas: one part for each schema, and their sum.

use serde::Serialize;

use super::{Ending, Paused};

/// The report of a command over one or several schemas.
#[derive(Debug, Serialize)]
pub struct Total<R> {
    /// The sum; `None` if nothing was done in any schema.
    #[serde(flatten)]
    pub sum: Option<R>,
    /// One part per schema, if there were several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<InSchema<R>>,
    /// Schemas in which the command did not begin.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_begun: Vec<String>,
}

/// The report of a command in one schema.
#[derive(Debug, Serialize)]
pub struct InSchema<R> {
    /// The schema.
    pub schema: String,
    /// The report; `None` if it failed before it changed anything, or there was nothing to do.
    #[serde(flatten)]
    pub report: Option<R>,
    /// The error, if it failed.
    pub error: Option<String>,
}

/// A report that can be added to others of its kind.
pub trait Sum: Sized {
    /// The start of a sum: this report without the fields that have a meaning for one table only.
    fn begin(&self) -> Self;
    /// Adds another report.
    fn add(&mut self, other: &Self);
    /// Withdraws claims about all schemas: some failed or were not begun.
    fn others_are_unknown(&mut self);
    /// Rows that were changed.
    fn changed(&self) -> u64;
}

impl<R: Sum> Total<R> {
    /// The total of a single table.
    pub fn of_one(report: R) -> Self {
        Self { sum: Some(report), schemas: Vec::new(), not_begun: Vec::new() }
    }

    /// The total of several schemas.
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

/// The sum of two counts; `None` if either is unknown.
pub fn both(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.zip(other).map(|(one, other)| one + other)
}

/// Keeps the text only if both are equal.
pub fn same(one: &mut Option<String>, other: Option<&str>) {
    if one.as_deref() != other {
        *one = None;
    }
}

impl Ending {
    /// The more telling of two reasons: any before `Done`.
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

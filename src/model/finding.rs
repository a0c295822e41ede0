//! The result of one check of `doctor` or of a store.

use serde::Serialize;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No problem.
    Ok,
    /// It could not be found out.
    Unknown,
    /// It works, but not well, or not for long.
    Warning,
    /// Something does not work, or not as the operator expects.
    Problem,
}

/// The result of one check, and the next step if there is one.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The name of the check, for scripts.
    pub check: &'static str,
    /// The result.
    pub status: Status,
    /// What was found, in a sentence.
    pub text: String,
    /// The next step.
    pub next_step: Option<String>,
}

impl Finding {
    /// A check without a problem.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, text: text.into(), next_step: None }
    }

    /// It could not be found out.
    pub fn unknown(check: &'static str, text: impl Into<String>) -> Self {
        Self { status: Status::Unknown, ..Self::ok(check, text) }
    }

    /// A check with a warning.
    pub fn warning(
        check: &'static str,
        text: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warning, ..Self::ok(check, text) }.next(next_step)
    }

    /// A check with a problem.
    pub fn problem(
        check: &'static str,
        text: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self { status: Status::Problem, ..Self::ok(check, text) }.next(next_step)
    }

    /// Adds the next step.
    #[must_use]
    pub fn next(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = Some(next_step.into());
        self
    }
}

//! The result of one check of `doctor` or of a store.

use serde::Serialize;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It could not be found out.
    Unknown,
    /// Works, but not as well as it could, or not for long.
    Warning,
    /// Something does not work, or not as the operator thinks.
    Problem,
}

/// One thing that was looked at, and the next step where there is one.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was looked at, in one word for scripts.
    pub check: &'static str,
    /// What it came to.
    pub status: Status,
    /// What was found, in a sentence.
    pub text: String,
    /// What to do about it.
    pub next_step: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, text: text.into(), next_step: None }
    }

    /// It could not be found out.
    pub fn unknown(check: &'static str, text: impl Into<String>) -> Self {
        Self { status: Status::Unknown, ..Self::ok(check, text) }
    }

    /// It could be better.
    pub fn warning(
        check: &'static str,
        text: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warning, ..Self::ok(check, text) }.next(next_step)
    }

    /// It does not work.
    pub fn problem(
        check: &'static str,
        text: impl Into<String>,
        next_step: impl Into<String>,
    ) -> Self {
        Self { status: Status::Problem, ..Self::ok(check, text) }.next(next_step)
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn next(mut self, next_step: impl Into<String>) -> Self {
        self.next_step = Some(next_step.into());
        self
    }
}

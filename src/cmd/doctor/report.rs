//! The report of `doctor`, as data.

use serde::Serialize;

use crate::model::{Finding, Status};

/// What `doctor` found.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// `doctor`.
    pub command: &'static str,
    /// The worst status of the findings; unknown ones do not count.
    pub status: Status,
    /// All findings.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// A diagnosis from these findings.
    pub fn new(findings: Vec<Finding>) -> Self {
        let worst = findings.iter().map(|finding| finding.status);
        let status = worst.filter(|status| *status != Status::Unknown).max();
        Self { command: "doctor", status: status.unwrap_or(Status::Ok), findings }
    }
}

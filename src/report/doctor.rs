use serde::Serialize;

use crate::model::{Finding, Verdict};

/// What `doctor` found.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// `doctor`.
    pub command: &'static str,
    /// The worst of what was found; what could not be found out does not count.
    pub status: Verdict,
    /// Everything that was looked at.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Sums up what was found.
    pub fn new(findings: Vec<Finding>) -> Self {
        let worst = findings.iter().map(|finding| finding.verdict);
        let status = worst.filter(|verdict| *verdict != Verdict::Unknown).max();
        Self { command: "doctor", status: status.unwrap_or(Verdict::Ok), findings }
    }
}
